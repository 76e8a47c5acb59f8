"""One way to run a command: whatever ends it early is one line and an exit code."""

import argparse
import contextlib
import os
import pathlib
import re
import sys
import traceback
import warnings

INTERRUPTED, BROKEN_PIPE, WRONG = 130, 141, 2  # as a shell counts: 128 + signal
AGAIN = 75  # `keras_genai.training.workers.RESTART`, known without TensorFlow
TRACEBACK = "KERAS_GENAI_TRACEBACK"  # environment variable: where it went wrong, too
LONGEST = 1000  # characters of a message
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ARGUMENTS = re.compile(r"\s*Arguments received by .*", re.DOTALL)  # Keras', pages long


def run(program, command):
    """Calls `command`, and turns what it raises into one line on standard error.

    Text that a console cannot show is written with backslashes. `SystemExit` passes.

    Args:
        program: str, what errors begin with.
        command: function without arguments that returns an exit code or `None`.

    Returns:
        What `command` returns, or the exit code of what it raised: 130 of Ctrl-C, 141
        where nobody reads standard output any more, `exit_code` of an exception that
        has one, else 2.
    """
    _open_streams()
    try:
        with _warnings_of_one_line(program):
            try:
                return command()
            finally:
                flush()
    except SystemExit:
        raise
    except BaseException as error:
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        code, message = _understood(error)
        if message:
            say(program, message)
        if code == AGAIN:
            _leave(code)
        return code
    finally:
        _drop_unwritten()


def say(program, message):
    """Writes one line to standard error, if there is one."""
    with contextlib.suppress(OSError, ValueError):
        print(f"{program}: {one_line(message)}", file=sys.stderr, flush=True)


def one_line(message):
    """A message without line ends, colours and other control characters."""
    text = _ARGUMENTS.sub("", _COLOUR.sub("", str(message)))
    text = printable(" ".join(text.split()))
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    return text


def printable(text):
    r"""A text whose line ends and other control characters are written as `\n` is."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def flush():
    """Writes what is left for standard output: a full disk is noticed here."""
    if sys.stdout is not None:
        sys.stdout.flush()


class Parser(argparse.ArgumentParser):
    """A parser of whole option names, whose errors are one line."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message):
        say(self.prog, message)
        sys.exit(WRONG)


class Once(argparse.Action):
    """An action that stores its `const`, of several for one `dest` at most one."""

    def __call__(self, parser, namespace, values, option_string=None):
        known = getattr(namespace, self.dest)
        if known not in (None, self.const):
            parser.error(f"{option_string} cannot go with --{known}")
        setattr(namespace, self.dest, self.const)


def integer(least, most=2**31 - 1):
    """A `type` of argparse: ints in a range."""

    def parse(text):
        # Python would also read 1_000, other alphabets' digits and blanks around.
        digits = re.fullmatch("-?[0-9]{1,30}", text)
        value = int(text) if digits else None
        if value is None or not least <= value <= most:
            shown = text if len(text) <= 40 else f"{len(text)} characters"
            raise argparse.ArgumentTypeError(
                f"must be an int from {least:,} to {most:,}. Received: {shown}"
            )
        return value

    return parse


def input_lines():
    """Yields the lines of standard input, UTF-8 unless a person types them.

    Raises:
        ValueError: if it is closed, or no text.
    """
    if sys.stdin is None:
        raise ValueError("standard input must be open, or texts must be given")
    if hasattr(sys.stdin, "reconfigure") and not sys.stdin.isatty():
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")
    try:
        yield from sys.stdin
    except UnicodeDecodeError as error:
        raise ValueError(f"standard input must be UTF-8 text: {error}") from None


def output_file(value, argument, *suffixes):
    """The path of a file that can be written, or one line that says why not.

    Args:
        value: str, as it was typed.
        argument: str, what errors call it.
        suffixes: str. How its name may end, as what is written is; none: anyhow.
    """
    from keras_genai.files.paths import as_path

    path = as_path(value, argument)
    new = not path.exists() and path.parent.is_dir()
    if not (new or path.is_file()):  # a device would be replaced by a file
        raise ValueError(
            f"`{argument}` must be a file in a folder that exists. Received: {value}"
        )
    if suffixes and path.suffix not in suffixes:
        allowed = " or ".join(suffixes)
        raise ValueError(f"`{argument}` must end with {allowed}. Received: {value}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(
            f"`{argument}` must be in a folder that you may write to. Received: {value}"
        )
    return path


def write(target, out, value):
    """Writes what a model made, and says how much of it is where."""
    target.write(out, value)
    size = target.size(value)
    noun = target.noun.removesuffix("s") if size == 1 else target.noun
    print(f"{size} {noun} in {out}")


def training(name):
    """The command that trains an entry, as it is called here."""
    return f"{'python train.py' if _is_checkout() else 'keras-genai train'} {name}"


def sampling(name):
    """The command that samples from an entry, as it is called here."""
    return f"{'python -m zoo' if _is_checkout() else 'keras-genai'} sample {name}"


def _is_checkout():
    """Whether train.py is there, which is not in a wheel."""
    return (pathlib.Path(__file__).parent.parent / "train.py").is_file()


def is_out_of_memory(error):
    """Whether Python or TensorFlow could not get the memory that it asked for."""
    names = {kind.__name__ for kind in type(error).__mro__}  # TensorFlow may not be in
    return bool(names & {"MemoryError", "ResourceExhaustedError"})


def _understood(error):
    """Exit code and message of what ended a command."""
    if _is_or_comes_from(error, KeyboardInterrupt) and not hasattr(error, "exit_code"):
        return INTERRUPTED, "stopped"
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE, ""
    if is_out_of_memory(error):
        return WRONG, "there is not enough memory; smaller batches or models need less"
    if isinstance(error, RecursionError):
        return WRONG, f"something is nested too deeply: {error}"
    code = getattr(error, "exit_code", WRONG)
    expected = isinstance(error, ValueError | OSError | RuntimeError | ImportError)
    if expected or str(error).startswith("`"):  # ours begin with an argument's name
        return code, str(error)
    return code, (
        f"{type(error).__name__}: {one_line(error)} ({TRACEBACK}=1 in the environment "
        "shows where)"
    )


def _leave(code):
    """Ends this process now: TensorFlow would wait for the worker that is gone."""
    _drop_unwritten()
    os._exit(code)


def _is_or_comes_from(error, kind):
    """Whether an exception is of a kind, or was raised because of one."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None


@contextlib.contextmanager
def _warnings_of_one_line(program):
    """Context in which a warning takes a line, without the place in a library."""
    before = warnings.showwarning

    def show(message, category, *_, **__):
        say(program, f"{category.__name__}: {message}")

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _open_streams():
    """Gives closed descriptors a place, and lets every character be written."""
    for descriptor in range(3):  # or the next file that is opened would take it
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _drop_unwritten():
    """What cannot be written is dropped, or Python would complain at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
