"""Ctrl-C, SIGTERM, SIGHUP: the first asks the run to stop, the second stops it."""

import contextlib
import os
import signal
import threading


class Interrupt:
    """Context in which SIGINT, SIGTERM and SIGHUP set `signal_number`, killing nothing.

    A SIGHUP that is ignored, as under `nohup`, stays ignored.

    Args:
        say: function of one str, told once that the request was heard.

    Attributes:
        signal_number: int, or `None` as long as nobody asked to stop.
    """

    def __init__(self, say=print):
        self.say = say
        self.signal_number = None
        self._previous = {}

    def __enter__(self):
        # Python allows handlers in the main thread only; elsewhere we do without.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, *_hangup()):
                self._previous[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _heard(self, number, _):
        if self.signal_number is not None:
            self.__exit__()
            os.kill(os.getpid(), number)
            return
        self.signal_number = number
        with contextlib.suppress(OSError):  # the terminal may be gone
            self.say("\nstopping after this step; once more stops at once")


def _hangup():
    """SIGHUP, where there is one and somebody listens to it."""
    number = getattr(signal, "SIGHUP", None)
    return (
        ()
        if number is None or signal.getsignal(number) == signal.SIG_IGN
        else (number,)
    )
