"""4-gram on first names, add-0.1 smoothing: the smallest model that invents some.

Run:       python train.py ngram_names
Reference: test loss 2.106370 on the split of EurekaLabsAI/ngram (`--data-dir`).
"""

import functools

from keras_genai.data import text
from keras_genai.networks.ngram import NGram
from keras_genai.networks.ngram_smoothing import AddK
from keras_genai.tasks.counting import CountingLM
from zoo import _ladder, _text
from zoo.entry import Entry, Recipe

entry = Entry(
    task=CountingLM,
    networks=dict(network=NGram),
    config=dict(order=4, smoothing=AddK(0.1)),
    tiny={},
    source=text.names,
    embedded=True,
    recipe=Recipe(compile=_ladder.counting),
    evaluate=_text.score_windows_of_test,
    sample=functools.partial(_text.write, prompt="\n", length=120),
    family="n-grams",
    paper="Karpathy 2024, https://github.com/EurekaLabsAI/ngram",
    reference="2.106370 nats per character, full windows of the test text",
)
