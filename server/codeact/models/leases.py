"""Who uses a shared server, and is it alive: two questions that file locks answer.

A lock belongs to an open file, and the kernel drops it when the process that holds it ends, however it ends. So no
list of users is kept that could be wrong: a user of the server holds a shared lock on one file, and the server, which
waits for an exclusive lock on it, gets that when the last user is gone. A second file is locked by the server itself.
"""

import fcntl
import os
from pathlib import Path


def take_lock(file: Path, *, shared: bool, wait: bool = False) -> int | None:
    """Lock a file, made if needed and readable by its owner only.

    Args:
        file: the file; its folder exists.
        shared: with others that hold it shared, or alone.
        wait: until it is free.

    Returns:
        What `drop_lock` takes; None if others hold it. Children do not inherit it.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(descriptor, mode)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def drop_lock(descriptor: int) -> None:
    """Give a lock back."""
    os.close(descriptor)


def is_locked(file: Path) -> bool:
    """Whether somebody holds a file alone."""
    descriptor = take_lock(file, shared=True)
    if descriptor is not None:
        drop_lock(descriptor)
    return descriptor is None
