"""GPT-2, the small one: continues any English text, 124M parameters.

Open:  keras_genai.from_preset("openai-community/gpt2"), or a folder with its files
Train: python train.py gpt2 starts from random weights, on Python's manual
"""

from keras_genai.networks.gpt import GPT
from keras_genai.tasks.language import CausalLM
from zoo import _decoder, _text
from zoo.entry import Entry

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        vocabulary_size=50257,
        context=1024,
        depth=12,
        width=768,
        num_heads=12,
        dropout=0.1,
    ),
    tiny=_decoder.TINY,
    source=_decoder.source,
    embedded=True,
    recipe=_decoder.recipe,
    evaluate=_text.score,
    sample=_decoder.sample,
    family="transformers",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    hub="openai-community/gpt2",
)
