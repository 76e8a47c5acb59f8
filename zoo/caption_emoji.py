"""Show, Attend and Tell on emoji: what a picture shows, word by word.

Run:       python train.py caption_emoji --data-dir FOLDER
           python -m zoo caption caption_emoji a.png b.png
Goal:      95 % of the captions end with the right skin tone, of pairs of motif and tone
           that never train, and more than half of all captions differ.

`samples/plot.png` in the run folder shows where the model looked at which word.
"""

import functools

from keras_genai.data.emoji import emoji
from keras_genai.networks.recurrent_captioner import RecurrentCaptioner
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _captioning
from zoo.entry import Entry

STEPS = 2_000
SHOWN = functools.partial(emoji, stand_in=True)

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=RecurrentCaptioner),
    target="tokens",
    given=("images",),
    config=dict(
        widths=(32, 96),
        blocks=2,
        stride=2,
        embedding_dim=128,
        units=128,
        dropout=0.2,
        generation=GenerationSettings(max_length=26, num_beams=4),
    ),
    tiny=dict(widths=(4, 8), blocks=1, embedding_dim=8, units=6),
    source=functools.partial(emoji, augment=True),
    feed=_captioning.as_pairs,
    fits=_captioning.fits,
    recipe=_captioning.recipe(STEPS, rate=3e-3),
    evaluate=_captioning.score,
    sample=functools.partial(_captioning.write, source=SHOWN),
    plot=functools.partial(_captioning.plot, source=SHOWN),
    family="captioning",
    paper="Xu et al. 2015, Show, Attend and Tell: Neural Image Caption Generation with "
    "Visual Attention",
    notes=_captioning.NOTES,
    needs=("sacrebleu",),
)
