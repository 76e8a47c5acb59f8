"""Whatever ends a command early: one line, an exit code, and nothing else."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import warnings

import pytest

from keras_genai.training import RunStoppedError, TrainingError
from zoo import _command, _memory, _values

ROOT = pathlib.Path(__file__).parent.parent


class ResourceExhaustedError(Exception):
    """As TensorFlow's, which need not be imported."""


def raising(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("`x` must be\n 1. Received: 2"), 2, "`x` must be 1. Received: 2"),
        (TypeError("`x` must be an int"), 2, "`x` must be an int"),
        (ZeroDivisionError("by 0"), 2, "ZeroDivisionError: by 0 (KERAS_GENAI_TRACE"),
        (KeyError("x"), 2, "KeyError: 'x' (KERAS_GENAI_TRACE"),
        (MemoryError(), 2, "there is not enough memory"),
        (ResourceExhaustedError("OOM when"), 2, "there is not enough memory"),
        (RecursionError("maximum"), 2, "something is nested too deeply"),
        (OSError(28, "No space left on device"), 2, "[Errno 28] No space left"),
        (KeyboardInterrupt(), 130, "stopped"),
        (TrainingError("the disk", 1), 1, "the disk"),
        (RunStoppedError("saved", 15), 143, "saved"),
        (ValueError("\x1b[1mred\x1b[0m\nArguments received by X:\n  a"), 2, "red"),
        (ValueError("\u202e\udcff\x07"), 2, r"\u202e\udcff\x07"),
    ],
)
def test_what_ends_a_command_is_one_line(error, code, line, capsys):
    assert _command.run("prog", raising(error)) == code
    printed = capsys.readouterr()
    assert printed.err.startswith(f"prog: {line}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_ctrl_c_is_one_also_where_a_library_made_another_error_of_it(capsys):
    def command():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemError("returned a result with an exception set") from None

    assert _command.run("prog", command) == 130


def test_nobody_reads_any_more_is_no_error(capsys):
    assert _command.run("prog", raising(BrokenPipeError())) == 141
    assert capsys.readouterr().err == ""


def test_a_long_message_keeps_its_ends():
    line = _command.one_line("a" * 5000 + "\u0085" * 5000 + "z" * 600)
    assert line.startswith("aaa")
    assert line.endswith("zzz")
    assert len(line) < 1_100


def test_a_warning_is_one_line(capsys):
    def command():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("not\nso good", UserWarning, stacklevel=1)

    assert _command.run("prog", command) is None
    assert capsys.readouterr().err == "prog: UserWarning: not so good\n"


def test_the_traceback_is_there_for_who_asks(monkeypatch, capsys):
    monkeypatch.setenv(_command.TRACEBACK, "1")
    _command.run("prog", raising(KeyError("x")))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", "", "²", "1_0", " 5", "0x1", "x", str(2**31), "9" * 5000]
)
def test_only_ints_of_a_range_are_taken(text, capsys):
    parser = _command.Parser(prog="prog")
    parser.add_argument("--steps", type=_command.integer(1))
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(["--steps", text])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "must be an int from 1 to 2,147,483,647" in error
    assert error.count("\n") == 1
    assert len(error) < 200


def shell(line, **environment):
    """Exit code and standard error of a line that needs no TensorFlow."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=ROOT,
        env={**os.environ, "PY": sys.executable, **environment},
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stderr.decode(errors="replace")


@pytest.mark.parametrize("script", ["train.py --list", "-m zoo list"])
def test_output_that_nobody_takes_ends_quietly(script):
    assert shell(f"$PY {script} | head -1") == (141, "")
    code, error = shell(f"$PY {script} > /dev/full")
    assert code == 2
    assert error.endswith("No space left on device\n")
    assert error.count("\n") == 1


def test_closed_streams_are_no_reason_to_fall():
    assert shell("$PY train.py nosuch >&- 2>&-") == (2, "")
    assert shell("$PY -m zoo list >&-") == (0, "")


def test_characters_that_a_console_lacks_are_written_with_backslashes():
    code = (
        "import sys; from zoo._command import run;"
        "sys.exit(run('p', lambda: print('тихий лес\\U0001f642')))"
    )
    for encoding in ("cp1252", "ascii", "utf-8"):
        found = shell(f'$PY -c "{code}"', PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert found == (0, "")


def test_the_files_of_the_zoo_are_read_in_any_locale():
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    code = "import zoo; [zoo.describe(n) and zoo.code(n) for n in zoo.names()]"
    assert shell(f'$PY -c "{code}"', **plain) == (0, "")
    assert shell("$PY -m zoo list", **plain) == (0, "")


@pytest.mark.parametrize("seconds", [0.4, pytest.param(1.5, marks=pytest.mark.slow)])
def test_ctrl_c_during_imports_is_one_line(seconds):
    def heard():  # a background job ignores it
        signal.signal(signal.SIGINT, signal.default_int_handler)

    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "show", "gpt2"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "zoo: stopped\n")


@pytest.mark.parametrize(
    "text", ["-" * 900 + "1", "(" * 500, "9" * 900, "1" + "+1" * 400]
)
def test_a_value_that_python_cannot_read_is_text(text):
    with pytest.raises(ValueError, match="`depth` must be of type int") as caught:
        _values.parse("depth", text if text[0] != "9" else "x" * 900, 4)
    assert "\n" not in str(caught.value)


def test_a_value_of_any_length_is_told_by_its_length():
    with pytest.raises(ValueError, match=r"1,000 characters\. Received: 20,001"):
        _values.parse("depth", "-" * 20_000 + "1", 4)


def test_a_list_is_as_good_as_a_tuple_and_an_int_as_a_float():
    assert _values.parse("hidden", "[8, 4]", (1,)) == (8, 4)
    assert _values.parse("dropout", "0", 0.1) == 0.0
    with pytest.raises(ValueError, match="must be of type float"):
        _values.parse("dropout", "9" * 400, 0.1)


def test_an_error_that_only_happens_names_the_values():
    for error in (AttributeError("no 'x'"), ZeroDivisionError("by 0")):
        with (
            pytest.raises(ValueError, match="Received: heads=0") as caught,
            _values.naming("--set", {"heads": 0}),
        ):
            raise error
        assert type(error).__name__ in str(caught.value)
    with (
        pytest.raises(ValueError, match=r"fit into memory\. Received: heads=9"),
        _values.naming("--set", {"heads": 9}),
    ):
        raise MemoryError
    for passing in (ValueError("`heads` must be"), OSError("gone")):
        with (
            pytest.raises(type(passing)) as caught,
            _values.naming("--set", {"heads": 0}, whatever=True),
        ):
            raise passing
        assert caught.value is passing


def test_what_cannot_fit_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 2**30)
    _memory.check_memory("--count", 5, 2**30)
    with pytest.raises(ValueError, match=r"1\.0 GiB of memory.*3\.0 GiB at"):
        _memory.check_memory("--count", 5, 3 * 2**30)
    monkeypatch.setattr(_memory, "available", lambda: None)
    _memory.check_memory("--count", 5, 2**60)


def test_free_memory_is_below_what_the_machine_has():
    free = _memory.available()
    assert free is None or 2**20 < free < 2**50
