"""A GPT that chats: small talk, of which the answers alone are learned.

Run:   python train.py gpt_chat_base, and then python train.py gpt_chat
Chat:  python -m zoo chat gpt_chat --temperature 0.3
Floor: python train.py ngram_chat, a 12-gram of characters, on the same answers

A tenth of the questions is never seen. What it says to those is grammar and mood, not
knowledge: three million parameters and a thousand exchanges hold no more.
"""

import functools

from keras_genai.data import dialogue
from keras_genai.data.turns import CHATML
from zoo import _alignment, _dialogue
from zoo.entry import Entry, Recipe

STEPS = 600

entry = Entry(
    task=_alignment.fine_tuned,
    config=dict(dropout=0.15, turns=CHATML),
    tiny={},
    source=functools.partial(
        dialogue.chatterbot, length=_dialogue.LENGTH, tokenizer=_dialogue.TOKENIZER
    ),
    embedded=True,
    recipe=Recipe(
        # It gets to know the answers by heart; smoothed, it is less sure elsewhere.
        compile=lambda steps=STEPS: _alignment.compiled(
            1e-3, 50, steps, smoothing=0.15
        ),
        batch_size=16,
        steps=STEPS,
        validate_every=100,
    ),
    evaluate=_dialogue.score,
    sample=_dialogue.talk,
    family="alignment",
    notes="""\
It learned the answers of the ChatterBot corpus, a thousand short exchanges that
volunteers wrote, their jokes and opinions among them. Nothing rewarded it.
`nats_per_character` is of answers to questions that it never saw, to be compared with
that of ngram_chat; `known_answers` is how much it has by heart, and `ended` how often
it stops by itself. What it says to other questions is grammar and mood, not
knowledge.""",
    paper="Ouyang et al. 2022, section 3.5, https://arxiv.org/abs/2203.02155",
    parts=dict(trained="gpt_chat_base"),
)
