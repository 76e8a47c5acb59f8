"""Signals that ask a run to stop."""

import signal

import pytest

from keras_genai.training.interrupt import Interrupt


def test_a_lost_terminal_stops_the_run_as_a_request_does():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with Interrupt(lambda line: None) as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert interrupt.signal_number == signal.SIGHUP
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # under nohup
        with Interrupt(lambda line: None) as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert interrupt.signal_number is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def python_handles_ctrl_c():
    """As in a terminal; a job in the background may have been told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handles_ctrl_c")
def test_the_second_ctrl_c_stops_at_once():
    said = []
    with Interrupt(said.append) as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.signal_number == signal.SIGINT
        assert len(said) == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
