"""A second wall against writing, in the Worker itself: the kernel's Landlock, after landlock(7).

The container's mounts are read-only but for view and scratch. Should one of them be writable after all, this stops what
they do not: writing anywhere else, making device nodes, and signals and abstract sockets that lead out.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

CREATE, ADD_RULE, RESTRICT = 444, 445, 446  # the same numbers on every architecture
VERSION, PATH_BENEATH = 1, 1
WRITE_FILE, MAKE_CHAR, MAKE_BLOCK = 1 << 1, 1 << 6, 1 << 11
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
MAKE_SOCK, MAKE_FIFO, MAKE_SYM = 1 << 9, 1 << 10, 1 << 12
REFER, TRUNCATE = 1 << 13, 1 << 14
WITH_REFER, WITH_TRUNCATE, WITH_NET, WITH_SCOPES = 2, 3, 4, 6  # versions of the interface
SCOPES = 1 | 2  # abstract sockets, signals
CHANGES = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")


def restrict(folders: Sequence[str]) -> str:
    """Let this process and its descendants write in some folders and to harmless devices only, for good.

    Privileges to gain must have been given up. Returns why it could not be done, or an empty string.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE, None, ctypes.c_size_t(0), VERSION)
    if version < WITH_REFER:  # without it, no file could be moved from one folder to another
        return "no Landlock: " + (os.strerror(ctypes.get_errno()) if version < 0 else "the kernel's is too old")
    truncate = TRUNCATE if version >= WITH_TRUNCATE else 0
    attributes = struct.pack("QQQ", CHANGES | MAKE_CHAR | MAKE_BLOCK | truncate, 0, SCOPES)
    size = 24 if version >= WITH_SCOPES else 16 if version >= WITH_NET else 8
    ruleset = libc.syscall(CREATE, ctypes.create_string_buffer(attributes), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return "no Landlock: " + os.strerror(ctypes.get_errno())
    try:
        for folder in folders:
            _allow(libc, ruleset, folder, CHANGES | truncate)
        for name in DEVICES:
            _allow(libc, ruleset, f"/dev/{name}", WRITE_FILE | truncate)
        if libc.syscall(RESTRICT, ruleset, 0) != 0:
            return "no Landlock: " + os.strerror(ctypes.get_errno())
    finally:
        os.close(ruleset)
    return ""


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Allow rights at and below a path; nothing to do if it does not exist."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place))
    failed = libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0) != 0
    os.close(place)
    if failed and ctypes.get_errno() != errno.EBADFD:  # what the kernel itself does not call a file
        raise OSError(ctypes.get_errno(), "Landlock does not take it", path)
