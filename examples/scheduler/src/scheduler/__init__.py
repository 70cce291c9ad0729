"""Jobs, run in order of their time."""

from scheduler.queue import Scheduler
from scheduler.retry import GaveUp, PassingFault, retry

__all__ = ["GaveUp", "PassingFault", "Scheduler", "retry"]
