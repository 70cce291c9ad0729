"""The process that runs an embedded model: `python -m codeact.models.local_server`, started by `local.py` on demand.

It serves one model to all runs of one user, on a port of 127.0.0.1 that the system picks, to those who know the token
that it makes up; port and token stand in a file that only the user can read. It ends as soon as nobody holds a lease
(see `leases.py`): no timer, no leftover, also when its users are killed.
"""

import argparse
import ctypes
import importlib
import json
import os
import resource
import secrets
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codeact.models.leases import take_lock

LEASES = "leases"
ALIVE = "alive"
ADDRESS = "server.json"
LOG = "server.log"
SLOTS = 6
TAKEN = 75  # exit code: another process serves already
PROMPT_CACHE_MIB = 256
PR_SET_PDEATHSIG = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Load a model, serve it while it is used, and leave.

    Returns:
        Exit code: 0 when nobody uses it any more, `TAKEN` when another process serves it.
    """
    parser = argparse.ArgumentParser(prog="codeact.models.local_server")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args(argv)
    claim = _claim(options.folder)
    if claim is None:
        return TAKEN
    os.chdir(options.folder)  # not the folder that its first user works in
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold what was said
    _end_when_unused(options.folder, claim)
    token = secrets.token_urlsafe(32)
    server = _serve(options, token)
    _publish(options.folder, {"url": f"{server.listening_address}/v1", "token": token, "pid": os.getpid()})
    threading.Event().wait()
    return 0


def _claim(folder: Path) -> int | None:
    """Become the one server of this folder: the lock. Others look at it by trying it, so one look is not enough."""
    for _ in range(20):
        if (claim := take_lock(folder / ALIVE, shared=False)) is not None:
            (folder / ADDRESS).unlink(missing_ok=True)
            (folder / LOG).write_bytes(b"")
            return claim
        time.sleep(0.01)
    return None


def _end_when_unused(folder: Path, claim: int) -> None:
    """Have a second process end this one, since no thread of this one runs while native code loads the model."""
    server = os.getpid()
    if os.fork():
        return
    os.close(claim)
    if sys.platform == "linux":  # elsewhere it stays until its last user is gone
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    take_lock(folder / LEASES, shared=False, wait=True)
    if os.getppid() == server:
        (folder / ADDRESS).unlink(missing_ok=True)
        os.kill(server, signal.SIGKILL)  # nothing is to be saved
    os._exit(0)


def _serve(options: argparse.Namespace, token: str) -> Any:  # noqa: ANN401 - xllamacpp is untyped
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.name}
    params.n_ctx = options.context
    params.n_parallel = SLOTS
    params.kv_unified = True  # one cache for all slots: none is confined to a sixth of the context
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.fit_params = False
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = options.threads
        threads.poll = 0  # wait asleep, not spinning: the cores belong to the tests when the model is idle
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [token]
    params.cors_origins = "http://127.0.0.1"  # no web page may ask
    params.ui = False
    params.endpoint_slots = False  # it would show what others say
    params.verbosity = 1  # errors only: the log must not hold what was said
    return xllamacpp.Server(params)


def _publish(folder: Path, address: dict[str, object]) -> None:
    draft = folder / f"{ADDRESS}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(address, file)
    draft.replace(folder / ADDRESS)


if __name__ == "__main__":
    raise SystemExit(main())
