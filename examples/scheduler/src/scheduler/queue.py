"""The jobs that wait."""

import heapq

from scheduler.retry import GaveUp, retry


class Scheduler:
    def __init__(self, attempts=3, sleep=lambda seconds: None):
        self.attempts = attempts
        self.sleep = sleep
        self._waiting = []
        self._count = 0

    def at(self, when, name, action):
        """Add a job. Jobs of the same time run in the order in which they were added."""
        heapq.heappush(self._waiting, (when, self._count, name, action))
        self._count += 1

    def run(self):
        """Run all jobs: pairs of a job's name and "done" or "gave up"."""
        outcomes = []
        while self._waiting:
            _, _, name, action = heapq.heappop(self._waiting)
            try:
                retry(action, self.attempts, self.sleep)
            except GaveUp:
                outcomes.append((name, "gave up"))
            else:
                outcomes.append((name, "done"))
        return outcomes
