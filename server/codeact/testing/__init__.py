"""Adapters to test frameworks: running tests in a sandbox, and comparing two runs."""

from codeact.testing.compare import regressions
from codeact.testing.pytest import Selection, run_tests

__all__ = ["Selection", "regressions", "run_tests"]
