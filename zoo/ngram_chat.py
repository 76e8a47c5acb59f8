"""12-gram of the characters of small talk: the floor of a GPT that chats.

Run:  python train.py ngram_chat
Chat: python -m zoo chat ngram_chat

It counts the same exchanges, questions and all, and is asked for the same unseen
answers, each behind its question. Longer n-grams foresee no more of them.
"""

import functools

from keras_genai.data import dialogue
from keras_genai.networks.ngram import NGram
from keras_genai.tasks.counting import CountingLM
from zoo import _dialogue, _ladder
from zoo.entry import Entry, Recipe

entry = Entry(
    task=CountingLM,
    networks=dict(network=NGram),
    config=dict(order=12, turns=dialogue.LINES),
    tiny={},
    source=functools.partial(
        dialogue.chatterbot_lines,
        length=_dialogue.LENGTH,
        tokenizer=_dialogue.TOKENIZER,
    ),
    embedded=True,
    recipe=Recipe(compile=_ladder.counting),
    evaluate=_dialogue.score_answers,
    sample=functools.partial(_dialogue.talk, length=160),  # characters
    family="n-grams",
    paper="Chen & Goodman 1998, An Empirical Study of Smoothing Techniques",
)
