"""Captions from German to English by a recurrent network with Bahdanau's attention.

Run:       python train.py attention_multi30k --data-dir FOLDER_WITH_tok
Reference: BLEU 28.1 (greedy, 10 epochs, 20.5M parameters; bentrevett/pytorch-seq2seq,
           notebook 4, on its own lower-cased tokens)

The notebook's encoder and attention at their sizes. Its output layer of 1,792 times
the vocabulary is here one tanh layer and the table of token vectors. In bfloat16 a
step of 3,072 tokens a side takes 1.7 CPU seconds in oneDNN's graph, in float32 under
XLA 3.5.
"""

import functools

from keras_genai.data import translation
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _translation
from zoo.entry import Entry, Recipe

STEPS = 1_500

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=RecurrentEncoderDecoder),
    config=dict(
        embedding_dim=256,
        units=512,
        dropout=0.4,
        generation=GenerationSettings(max_length=80, num_beams=5),
    ),
    tiny=dict(embedding_dim=8, units=6),
    source=functools.partial(
        translation.multi30k, tokenizer="bpe:8000", max_tokens=3072
    ),
    recipe=Recipe(
        compile=lambda steps=STEPS: _translation.compiled(
            1.5e-3,
            300,
            steps,
            jit_compile=False,
            weight_decay=0.02,
            use_ema=True,
            ema_momentum=0.998,
        ),
        batch_size=256,
        steps=STEPS,
        precision="mixed_bfloat16",
        steps_per_execution=5,
        log_every=50,
        validate_every=500,
    ),
    evaluate=_translation.score_sentences,
    needs=("sacrebleu",),
    reads=_translation.as_tokens,
    sample=functools.partial(_translation.write, texts=_translation.SENTENCES),
    plot=functools.partial(_translation.plot, text=_translation.SENTENCES[0]),
    family="encoder-decoders",
    paper="Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473",
    reference="BLEU 28.1, bentrevett/pytorch-seq2seq, notebook 4",
)
