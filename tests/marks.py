"""Which of many parameters of a test are among the fast ones."""

import pytest


def slow_but(fast, cases):
    """Parameters of a test, of which only those in `fast` are not marked `slow`."""
    slow = pytest.mark.slow
    return [case if case in fast else pytest.param(case, marks=slow) for case in cases]
