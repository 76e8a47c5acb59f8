"""What the two stages of a model that chats have in common."""

import functools

import numpy as np

from keras_genai.data import conversations, dialogue
from keras_genai.samplers import Greedy, Sample
from zoo import _alignment

LENGTH = 128  # tokens
TOKENIZER = "bpe:2048"  # the same for both stages
ANSWER = 96  # tokens of an answer, at most; programs are the longest ones
ASKED = 200  # questions of the training that are asked again
QUESTIONS = (
    "Hello!",
    "What is AI?",
    "Are you a robot?",
    "Do you like football?",
    "What is the meaning of life?",
)


def score(model, splits):
    """How well answers to unseen questions are foreseen, and seen ones known.

    Args:
        model: `CausalLM`.
        splits: `Splits` of `keras_genai.data.dialogue.chatterbot`.

    Returns:
        dict of `nats_per_character` of the held-out answers, whose end is a character;
        `ended`, the share of greedy answers to these questions that end within 96
        tokens; and `known_answers`, the share of questions of the training whose greedy
        answer is one of those that were learned, but for punctuation.
    """
    _, ended = answered(model, splits.held_out["prompts"].tolist())
    asked = splits.prompts[:: max(1, len(splits.prompts) // ASKED)]
    said, _ = answered(model, list(asked))
    known = _accepted()
    right = [
        dialogue.plain(text) in known[dialogue.plain(question)]
        for question, text in zip(asked, said, strict=True)
    ]
    return {
        **score_answers(model, splits),
        "ended": float(np.mean(ended)),
        "known_answers": float(np.mean(right)),
    }


def score_answers(model, splits):
    """How well a model foresees held-out answers, each behind its question alone.

    Args:
        model: `CausalLM` or `CountingLM` that knows its `turns`.
        splits: `Splits` of `keras_genai.data.dialogue.chatterbot`, or of
            `chatterbot_lines`, which has the same answers.

    Returns:
        dict of `nats_per_character`; the end of an answer is a character.
    """
    questions, answers = (splits.held_out[key] for key in ("prompts", "completions"))
    samples = conversations.encode(
        _rows(questions, answers), model.tokenizer, model.turns
    )
    nats = _counted_nats if model.counts_tokens else _alignment.learned_nats
    characters = sum(len(answer) + 1 for answer in answers)
    return {"nats_per_character": float(nats(model, samples).sum() / characters)}


def answered(model, questions, sampler=None, seed=0, length=ANSWER):
    """What a model answers.

    Args:
        model: `CausalLM` that knows its `turns`.
        questions: list of str.
        sampler: of `keras_genai.samplers`, or `None`: the likeliest tokens.
        seed: int.
        length: int. Tokens of an answer, at most.

    Returns:
        `(answers, ended)`: list of str, and list of bool, whether each came to its end
        within that length.
    """
    tokenizer, turns = model.tokenizer, model.turns
    stops = turns.stops(tokenizer)
    asked = [tokenizer.encode(turns.text([("person", text)])) for text in questions]
    longest = max(map(len, asked)) + length
    found = model.generate(
        asked,
        max_length=min(longest, model.context or longest),
        sampler=sampler or Greedy(),
        seed=seed,
        stop=stops,
        strip_prompt=True,
    )
    found = [tokens[:length] for tokens in found]
    ended = [bool(np.isin(tokens[-1:], stops).any()) for tokens in found]
    return [tokenizer.decode(tokens).strip() for tokens in found], ended


def talk(model, seed, questions=QUESTIONS, length=ANSWER):
    """Some questions and the model's answers, a line each."""
    answers, _ = answered(model, list(questions), Sample(0.5), seed, length)
    pairs = zip(questions, answers, strict=True)
    return "\n".join(f"{question} -> {answer}" for question, answer in pairs)


def _counted_nats(model, samples):
    """float64 `(N,)`: nats of all that is learned, by a model that counts."""
    tokens = np.concatenate([sample.tokens for sample in samples])
    # No text reaches over its beginning.
    ages = np.concatenate([np.arange(len(sample.tokens)) for sample in samples])
    learned = np.concatenate([sample.learned for sample in samples])
    return -model.network.log_probabilities(tokens, ages)[learned]


def _rows(questions, answers):
    return [
        {
            "messages": [
                {"role": "user", "content": str(question)},
                {"role": "assistant", "content": str(answer)},
            ]
        }
        for question, answer in zip(questions, answers, strict=True)
    ]


@functools.cache
def _accepted():
    """dict from each question to the set of its answers, all of them plain."""
    found = {}
    for question, answer in dialogue.exchanges():
        found.setdefault(dialogue.plain(question), set()).add(dialogue.plain(answer))
    return found
