"""A training that is started again when something outside of it ended it."""

import os
import signal
import subprocess
import sys

from zoo._command import AGAIN, say

ATTEMPT = "KERAS_GENAI_ATTEMPT"  # environment variable: which start this is, from 1


def attempt():
    """int: which start of a supervised training this is; 0 without a supervisor."""
    return int(os.environ.get(ATTEMPT, 0))


def supervised(most, command=None):
    """Runs this same command as a process, and again when it was lost.

    Args:
        most: int. So many times more.
        command: list of str, or `None`: that of this process.

    Returns:
        The exit code of the last one, 128 and the number of the signal that killed it.
    """
    command = command or [sys.executable, *sys.orig_argv[1:]]
    for count in range(1, most + 2):
        code = _once(command, count)
        if code >= 0 and code != AGAIN:
            return code
        if count <= most:
            reason = f"signal {-code}" if code < 0 else "it was lost"
            following = f"start {count + 1} of up to {most + 1}"
            say(
                "train.py",
                f"start {count} ended ({reason}); {following} goes on from its newest "
                "checkpoint",
            )
    return code if code >= 0 else 128 - code


def _once(command, count):
    """The exit code of one start; what asks this process to stop goes on to it."""
    with subprocess.Popen(command, env={**os.environ, ATTEMPT: str(count)}) as child:
        asked = []

        def passed_on(number, _):
            asked.append(number)
            if number != signal.SIGINT:  # a terminal sends that to both
                child.send_signal(number)

        before = {
            number: signal.signal(number, passed_on)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            code = child.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return 128 + asked[0] if asked and code < 0 else code
