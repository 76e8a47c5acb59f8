"""Conversations to learn to chat from, and text to learn the language from before.

The exchanges of the ChatterBot corpus ship with the package: a question, a tab and an
answer a line, each pair once. A question has several answers, and all of these are on
one side of the split.
"""

import functools
import importlib.resources
import re

import numpy as np

from keras_genai.checks import check_integer
from keras_genai.data import conversations, text, tokenizers
from keras_genai.data.arguments import check_length
from keras_genai.data.loading import Splits
from keras_genai.data.turns import CHATML, Turns
from keras_genai.data.windows import Windows
from keras_genai.files.text import lines

# A line an exchange, as the file has them: what models of characters read.
LINES = Turns(person="{}\t", model="{}", separator="", stop=("\t",), end="\n")
_HELD_OUT = 0.1  # of the questions
_STAND_IN = 60  # exchanges
_STAND_IN_SIZE = 10_000  # characters of the documentation


def chatterbot(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=128,
    tokenizer="bpe:2048",
    packed=True,
    longest=3,
    stand_in=False,
):
    """Short exchanges with a computer, 1,174 of them, of which answers are learned.

    A tenth of the 1,010 questions is for validation, after one fixed shuffle. They are
    written down by `CHATML`. Exchanges of more tokens than `length` are left out,
    because nothing would be learned of how they end.

    In training an exchange comes alone, and as one of two, up to `longest`, that have
    nothing to do with each other: who chats does not always stay with a subject.

    Args:
        batch_size: int, rows.
        seed: int. Which rows come in which batch.
        data_dir: unused.
        length: int, tokens of a row.
        tokenizer: `Tokenizer` with the marks of `CHATML`, or a name, see
            `tokenizers.build`, of one that learns as that of `background`.
        packed: bool. Whether conversations share rows; see `conversations.loader`.
        longest: int. Exchanges of a conversation of the training, at most.
        stand_in: bool. If `True`, sixty exchanges, for tests.

    Returns:
        `Splits`. `held_out` is a dict of `prompts` and `completions`, str `(N,)`:
        questions and answers. `prompts` has the questions of the training.

    Reference: https://github.com/gunthercox/chatterbot-corpus, BSD-3-Clause
    """
    check_length(length, least=8)
    check_integer("longest", longest, 1)
    tokenizer = _tokenizer(tokenizer, stand_in)
    train, held_out = _parts(tokenizer, length, stand_in)
    talks = [talk for talk in _talks(train, longest) if _fits(talk, tokenizer, length)]
    loader = functools.partial(
        conversations.loader, tokenizer=tokenizer, turns=CHATML, length=length
    )
    return Splits(
        loader(_rows(talks), batch_size=batch_size, packed=packed, seed=seed),
        loader(
            _rows([pair] for pair in held_out),
            batch_size=batch_size,
            shuffle=False,
            fixed=True,
        ),
        tokenizer,
        held_out=_columns(held_out),
        name="chatterbot",
        prompts=tuple(dict.fromkeys(question for question, _ in train)),
    )


def chatterbot_lines(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=128,
    tokenizer="bpe:2048",
    window=64,
    stand_in=False,
):
    """The same exchanges, on the same sides, as one text of characters.

    They are written down by `LINES`. The alphabet is that of all exchanges, whatever
    part of them is asked for.

    Args:
        batch_size: int, windows.
        seed: int. Which windows are drawn in which step.
        data_dir: unused.
        length, tokenizer: see `chatterbot`. They decide which exchanges are left out,
            and nothing else.
        window: int, characters of a window.
        stand_in: see `chatterbot`.

    Returns:
        `Splits`, whose `held_out` is that of `chatterbot`.
    """
    check_length(length, least=8)
    tokenizer = _tokenizer(tokenizer, stand_in)
    train, held_out = _parts(tokenizer, length, stand_in)
    alphabet = tokenizers.characters(_text(exchanges()), end_token=LINES.end)
    tokens, unseen = (alphabet.encode(_text(part)) for part in (train, held_out))
    return Splits(
        Windows(tokens, window, batch_size, seed),
        Windows(unseen, window, batch_size, fixed=True),
        alphabet,
        held_out=_columns(held_out),
        name="chatterbot",
    )


def background(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=128,
    tokenizer="bpe:2048",
    stand_in=False,
):
    """The Python documentation, and the exchanges that are learned later as plain text.

    Args:
        batch_size: int, windows.
        seed: int. Which windows are drawn in which step.
        data_dir: unused.
        length: int, tokens of a window.
        tokenizer: `Tokenizer`, or a name, see `tokenizers.build`, of one that learns
            from all of this text and gets the marks of `CHATML`.
        stand_in: bool. If `True`, a small part, for tests.

    Returns:
        `Splits`. `held_out` is the last tenth of the documentation.
    """
    check_length(length)
    train, held_out = _texts(stand_in)
    tokenizer = _tokenizer(tokenizer, stand_in)
    tokens = tokenizer.encode(held_out)
    return Splits(
        Windows(tokenizer.encode(train), length, batch_size, seed),
        Windows(tokens, length, batch_size, fixed=True),
        tokenizer,
        held_out=tokens,
        name="chat_background",
    )


def exchanges(stand_in=False):
    """All exchanges, list of `(question, answer)`; or sixty of them.

    Args:
        stand_in: bool.
    """
    shipped = importlib.resources.files("keras_genai.data") / "files/chatterbot.tsv"
    found = [tuple(line.split("\t")) for line in lines(shipped.read_text("utf-8"))]
    return found[:: len(found) // _STAND_IN][:_STAND_IN] if stand_in else found


def split_by_question(pairs):
    """Exchanges for training and for validation, the questions of which differ.

    Args:
        pairs: list of `(question, answer)`.

    Returns:
        `(train, held_out)`, two such lists. Questions are one that differ in nothing
        but capitals and punctuation.
    """
    keys = [plain(question) for question, _ in pairs]
    known = list(dict.fromkeys(keys))
    order = np.random.default_rng(0).permutation(len(known))
    count = int(_HELD_OUT * len(known))
    held = {known[index] for index in order[:count]}
    train = [pair for pair, key in zip(pairs, keys, strict=True) if key not in held]
    return train, [pair for pair, key in zip(pairs, keys, strict=True) if key in held]


def plain(words):
    """A text without capitals and punctuation, by which answers are compared.

    >>> plain("What is AI?")
    'what is ai'
    """
    return re.sub(r"\W+", " ", words.lower()).strip()


def _talks(pairs, longest):
    """Conversations, lists of exchanges: each one alone, and of two at random, ..."""
    draws = np.random.default_rng(0)
    talks = [[pair] for pair in pairs]
    for count in range(2, longest + 1):
        order = draws.permutation(len(pairs))
        parts = np.split(order, range(count, len(order), count))
        talks += [[pairs[index] for index in part] for part in parts]
    return talks


def _rows(talks):
    return [
        {
            "messages": [
                {"role": role, "content": said}
                for pair in talk
                for role, said in zip(("user", "assistant"), pair, strict=True)
            ]
        }
        for talk in talks
    ]


def _parts(tokenizer, length, stand_in):
    """Exchanges of training and validation that have at most so many tokens."""
    return [
        [pair for pair in part if _fits([pair], tokenizer, length)]
        for part in split_by_question(exchanges(stand_in))
    ]


def _columns(pairs):
    questions, answers = zip(*pairs, strict=True)
    return {"prompts": np.array(questions), "completions": np.array(answers)}


def _text(pairs):
    """Exchanges as one text."""
    return "".join(
        LINES.spans([("person", question), ("model", answer)])[0]
        for question, answer in pairs
    )


def _fits(talk, tokenizer, length):
    (sample,) = conversations.encode(_rows([talk]), tokenizer, CHATML)
    return len(sample.tokens) <= length


def _texts(stand_in):
    """The text to train on, and that to validate on."""
    docs = text.documentation()[: _STAND_IN_SIZE if stand_in else None]
    cut = int(0.9 * len(docs))
    said, _ = split_by_question(exchanges(stand_in))
    talk = "".join(f"{question}\n{answer}\n\n" for question, answer in said)
    return f"{docs[:cut]}\n\n{talk}", docs[cut:]


@functools.lru_cache(maxsize=4)
def _learned(name, stand_in):
    return tokenizers.build(name, _texts(stand_in)[0]).with_tokens(CHATML.tokens)


def _tokenizer(name, stand_in):
    if isinstance(name, tokenizers.Tokenizer):
        return name
    return _learned(name, stand_in)
