"""Ctrl-C and SIGTERM: the first asks the run to stop, the second stops it at once."""

import os
import signal
import threading


class Interrupt:
    """Context in which SIGINT and SIGTERM set `signal_number` instead of killing.

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
            for number in (signal.SIGINT, signal.SIGTERM):
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
        self.say("\nstopping after this step; once more stops at once")
