"""The editor's door: a language server that speaks standard LSP, and a little more to clients that announce it.

Standard output is the wire and nothing else. Everything that blocks runs in threads or in other processes, so that a
request is answered while a run goes on.
"""

import os
import sys
from argparse import Namespace

from codeact.editor import commands, features  # noqa: F401 - they register what the server can do
from codeact.editor.session import server
from codeact.errors import SettingsError
from codeact.settings import Settings


def main(options: Namespace, _: Settings, __: object) -> int:
    """`codeact lsp`: serve one editor, on standard input and output or on a socket; stray prints go to standard error.

    Raises:
        SettingsError: `--tcp` is no HOST:PORT.
    """
    if options.tcp:
        host, _colon, port = options.tcp.rpartition(":")
        if not port.isdigit():
            raise SettingsError(f"--tcp wants HOST:PORT, not {options.tcp!r}.")
        server.start_tcp(host or "127.0.0.1", int(port))
        return 0
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server.start_io(sys.stdin.buffer, wire)
    return 0
