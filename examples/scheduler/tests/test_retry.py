import pytest

from scheduler import GaveUp, PassingFault, retry
from scheduler.retry import pause_after


class Flaky:
    """Fails the first few times."""

    def __init__(self, failures):
        self.failures = failures
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise PassingFault
        return "done"


def no_sleep(seconds):
    pass


def test_what_works_at_once_is_called_once():
    action = Flaky(failures=0)
    assert retry(action, sleep=no_sleep) == "done"
    assert action.calls == 1


def test_a_passing_fault_is_tried_again():
    assert retry(Flaky(failures=2), attempts=3, sleep=no_sleep) == "done"


def test_it_gives_up_after_the_last_attempt():
    with pytest.raises(GaveUp, match="failed 3 times"):
        retry(Flaky(failures=1_000_000_000), attempts=3, sleep=no_sleep)


def test_pauses_grow_up_to_a_minute():
    assert [pause_after(tried) for tried in (0, 1, 2, 10)] == [1, 2, 4, 60]
