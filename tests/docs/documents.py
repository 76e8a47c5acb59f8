"""The code in README.md and docs/: its blocks, in order, and how each is run.

What a page says to its test stands in comments that no reader sees:

    <!-- fast -->                 all of its blocks run in seconds
    <!-- hidden                   Python that is run here: a user's data, for instance
    ... -->
    <!-- tested in: FILE -->      the next block needs a server, say: that file runs it
    <!-- not run: REASON -->      the next block needs the network, or hours
"""

import contextlib
import dataclasses
import io
import pathlib
import re
import shlex
import sys

import train
from zoo import __main__ as zoo_command

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.py"))
LANGUAGES = ("python", "shell")
FEW = "2"  # steps of a training that a command asks for
_PARTS = re.compile(
    r"^<!-- (?P<word>fast|hidden|not run|tested in)(?:: (?P<reason>[^\n]+?))?"
    r"(?: |\n(?P<hidden>.*?))-->$"
    r"|^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A piece of code: where its first line is, and why it is not run, if so."""

    language: str
    code: str
    line: int
    reason: str = ""
    elsewhere: str = ""  # the file that runs it, or the like of it


def is_fast(path):
    """Whether a page says that its blocks run in seconds."""
    text = path.read_text("utf-8")
    return any(found["word"] == "fast" for found in _PARTS.finditer(text))


def blocks(path):
    """Every block of Python or shell on a page, hidden ones included, in order."""
    text, reason, elsewhere = path.read_text("utf-8"), "", ""
    for found in _PARTS.finditer(text):
        word, language = found["word"], found["language"]
        if word == "not run":
            reason = found["reason"] or "?"
        elif word == "tested in":
            elsewhere = found["reason"] or "?"
        elif word == "hidden":
            yield Block("python", found["hidden"], _line(text, found, "hidden"))
        elif language in LANGUAGES:
            line = _line(text, found, "code")
            yield Block(language, found["code"], line, reason, elsewhere)
        if not word:
            reason = elsewhere = ""


def cells(path):
    """The code cells of a notebook in its percent script, as blocks."""
    text = path.read_text("utf-8")
    for found in re.finditer(r"^# %%\n(?P<code>.*?)(?=^# %%|\Z)", text, re.M | re.S):
        yield Block("python", found["code"], _line(text, found, "code"))


def _line(text, found, group):
    return text.count("\n", 0, found.start(group))


def run(path, found):
    """Runs the blocks of one page in order, as one reader would: in one namespace."""
    namespace = {"__name__": "__main__"}
    for block in found:
        if block.reason or block.elsewhere:
            continue
        if block.language == "shell":
            run_shell(block.code)
            continue
        code = "\n" * block.line + block.code  # so that tracebacks name the line
        exec(compile(code, str(path), "exec"), namespace)


def run_shell(code):
    """Runs the commands of a shell block in this process, one by one.

    Raises:
        ValueError: for a command that is not one of this repository.
    """
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            with _standard_input(words) as arguments:
                status = _command(arguments)
            assert not status, f"{line} ended with {status}"


def _command(words):
    words = [
        FEW if before == "--steps" else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    match words:
        case ["python", "train.py", *arguments]:
            return train.main(arguments)
        case ["python", "-m", "zoo", *arguments] | ["keras-genai", *arguments]:
            return zoo_command.main(arguments)
    raise ValueError(f"the docs must not show commands that no test runs: {words}")


@contextlib.contextmanager
def _standard_input(words):
    """Context with the words of a command before `< FILE`, the file at its input."""
    content = b""
    if "<" in words:
        place = words.index("<")
        content = pathlib.Path(words[place + 1]).read_bytes()
        words = words[:place]
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    try:
        yield words
    finally:
        sys.stdin = before
