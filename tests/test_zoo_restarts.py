"""A training that is started again when it was lost, and not when it was wrong."""

import signal
import sys

import pytest

from zoo import _restarts

# Counts its starts in a file, and ends as the list of arguments says of each.
PROGRAM = """
import os, pathlib, signal, sys
count = int(os.environ["KERAS_GENAI_ATTEMPT"])
pathlib.Path(sys.argv[1]).write_text(str(count))
end = int(sys.argv[1 + count])
os.kill(os.getpid(), -end) if end < 0 else sys.exit(end)
"""


@pytest.mark.parametrize(
    ("ends", "most", "starts", "code"),
    [
        ([75, -9, 0], 3, 3, 0),
        ([75, 75, 0], 1, 2, 75),
        ([-9, -9], 1, 2, 128 + 9),
        ([2, 0], 5, 1, 2),
        ([1, 0], 5, 1, 1),
        ([130, 0], 5, 1, 130),
        ([0], 5, 1, 0),
    ],
)
def test_what_was_lost_is_started_again(ends, most, starts, code, tmp_path, capsys):
    counted = tmp_path / "count"
    command = [sys.executable, "-c", PROGRAM, str(counted), *map(str, ends)]
    assert _restarts.supervised(most, command) == code
    assert counted.read_text() == str(starts)
    said = capsys.readouterr().err
    assert said.count("goes on from its newest checkpoint") == starts - 1


def test_a_request_to_stop_goes_on_to_the_training(tmp_path):
    waits = (
        "import os, signal, sys, time;"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143));"
        "os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    )
    before = signal.getsignal(signal.SIGTERM)
    assert _restarts.supervised(5, [sys.executable, "-c", waits]) == 143
    assert signal.getsignal(signal.SIGTERM) is before
