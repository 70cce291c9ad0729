"""Adapters to test frameworks: running tests in a sandbox, and comparing two runs."""

from codeact.testing.compare import describe_regressions, regressions
from codeact.testing.problems import missing_packages, want_of_packages
from codeact.testing.pytest import Selection, run_tests
from codeact.testing.stream import OnLines

__all__ = [
    "OnLines",
    "Selection",
    "describe_regressions",
    "missing_packages",
    "regressions",
    "run_tests",
    "want_of_packages",
]
