"""What a full disk looks like from afar: as any kind of trouble. Here it is called by its name."""

import errno
import os

from codeact.errors import CodeActError, MachineExhausted
from codeact.settings import Settings

LITTLE = 64 * 1024  # bytes; with less than that nothing works
EXHAUSTED = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk is failing",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open on the machine",
    errno.ENOMEM: "the machine's memory is used up",
}


def find_cause(error: Exception, settings: Settings) -> Exception:
    """The error that tells what to do: the same one, unless the machine has run out of something."""
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        what = EXHAUSTED[error.errno]
        return MachineExhausted(
            f"The run ended since {what} ({error}). Mend that, or set CODEACT_STATE_DIR, then try again."
        )
    if isinstance(error, CodeActError) and _is_full(settings):
        return MachineExhausted(
            f"The disk that holds {settings.state} is full. Make room there, or choose another: CODEACT_STATE_DIR. "
            f"({error})"
        )
    return error


def _is_full(settings: Settings) -> bool:
    try:
        found = os.statvfs(settings.state)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < LITTLE or (found.f_files > 0 and found.f_favail == 0)
