"""ModernBERT-base: an encoder of long texts, 8,192 tokens, with 149M parameters.

Open:  keras_genai.from_preset("answerdotai/ModernBERT-base"), or a folder with its
       files; `task="SequenceClassifier"` puts a new head on it
Train: python train.py modernbert_base starts from random weights, on Python's manual
"""

from keras_genai.networks.modern_bert import ModernBERT
from keras_genai.tasks.masked import MaskedLM
from zoo import _encoder
from zoo.entry import Entry

entry = Entry(
    task=MaskedLM,
    networks=dict(network=ModernBERT),
    config=dict(context=8_192, depth=22, width=768, num_heads=12, inner_width=1_152),
    tiny=dict(context=64, depth=2, width=8, num_heads=2, inner_width=8),
    source=_encoder.source,
    embedded=True,
    recipe=_encoder.recipe(steps=300, rate=1e-4),
    evaluate=_encoder.score,
    sample=_encoder.fill,
    family="encoders",
    paper="Warner et al. 2024, ModernBERT, https://arxiv.org/abs/2412.13663",
    hub="answerdotai/ModernBERT-base",
)
