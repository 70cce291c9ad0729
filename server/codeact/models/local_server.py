"""The process that runs an embedded model: `python -m codeact.models.local_server`, started by `local.py` on demand.

It serves one model to all runs of one user, on a port of 127.0.0.1 that the system picks, to those who know the token
that it makes up; port and token stand in a file that only the user can read. It ends as soon as nobody holds a lease
(see `leases.py`): no timer, no leftover, also when its users are killed.
"""

import argparse
import importlib
import json
import os
import resource
import secrets
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
    if not _claim(options.folder):
        return TAKEN
    os.chdir(options.folder)  # not the folder that its first user works in
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold what was said
    threading.Thread(target=_leave_when_unused, args=(options.folder,), daemon=True).start()
    token = secrets.token_urlsafe(32)
    server = _serve(options, token)
    _publish(options.folder, {"url": f"{server.listening_address}/v1", "token": token, "pid": os.getpid()})
    threading.Event().wait()
    return 0


def _claim(folder: Path) -> bool:
    """Become the one server of this folder. Others look at the lock by trying it, so one look is not enough."""
    for _ in range(20):
        if take_lock(folder / ALIVE, shared=False) is not None:
            (folder / ADDRESS).unlink(missing_ok=True)
            (folder / LOG).write_bytes(b"")
            return True
        time.sleep(0.01)
    return False


def _leave_when_unused(folder: Path) -> None:
    take_lock(folder / LEASES, shared=False, wait=True)
    (folder / ADDRESS).unlink(missing_ok=True)
    os._exit(0)  # nothing is to be saved, and the native server's threads would not end by themselves


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
