"""6-gram on the Python documentation, modified Kneser-Ney, counted in a second.

Run: python train.py ngram_python_docs
"""

import functools

from keras_genai.data import text
from keras_genai.networks.ngram import NGram
from keras_genai.tasks.counting import CountingLM
from zoo import _ladder, _text
from zoo.entry import Entry, Recipe

entry = Entry(
    task=CountingLM,
    networks=dict(network=NGram),
    config=dict(order=6),
    tiny={},
    source=text.python_docs,
    embedded=True,
    recipe=Recipe(compile=_ladder.counting),
    evaluate=_text.score,
    sample=functools.partial(_text.write, prompt="The "),
    family="n-grams",
    paper="Chen & Goodman 1998, An Empirical Study of Smoothing Techniques",
)
