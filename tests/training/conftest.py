"""A run of 8 of 12 steps, which tests copy."""

import pytest
from linear_run import go


@pytest.fixture(scope="session")
def half(tmp_path_factory):
    """A run of 8 of 12 steps."""
    folder = tmp_path_factory.mktemp("half") / "run"
    go(folder)
    return folder
