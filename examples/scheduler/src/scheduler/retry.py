"""Trying again."""

import time


class PassingFault(Exception):
    """A fault that may be gone the next time: a busy database, a slow network."""


class GaveUp(Exception):
    """Every attempt failed."""


def retry(action, attempts=3, sleep=time.sleep):
    """The action's result; it is tried `attempts` times, with a growing pause after each passing fault."""
    tried = 0
    while tried < attempts:
        try:
            return action()
        except PassingFault:
            sleep(pause_after(tried))
    raise GaveUp(f"failed {attempts} times")


def pause_after(tried):
    """Seconds to wait after the attempt of this number, counted from 0; never more than a minute."""
    return min(2**tried, 60)
