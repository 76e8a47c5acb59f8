"""Captions from German to English by a small encoder-decoder transformer.

Run:       python train.py transformer_multi30k --data-dir FOLDER_WITH_tok
Reference: BLEU 36.5 (greedy, 10 epochs, 9.0M parameters; bentrevett/pytorch-seq2seq,
           notebook 6, on its own lower-cased tokens)

The notebook's sizes, with joint byte pairs, smoothed labels, averaged weights and
beam search.
"""

import functools

from keras_genai.data import translation
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _translation
from zoo.entry import Entry, Recipe

STEPS = 3_200

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=EncoderDecoder),
    config=dict(
        context=100,
        encoder_depth=3,
        decoder_depth=3,
        width=256,
        num_heads=8,
        inner_width=512,
        dropout=0.2,
        generation=GenerationSettings(max_length=80, num_beams=5),
    ),
    tiny=dict(encoder_depth=1, decoder_depth=1, width=8, num_heads=2, inner_width=12),
    source=functools.partial(
        translation.multi30k, tokenizer="bpe:8000", max_tokens=2048
    ),
    recipe=Recipe(
        compile=lambda steps=STEPS: _translation.compiled(
            7e-4,
            600,
            steps,
            jit_compile=False,
            beta_2=0.98,
            weight_decay=0.02,
            use_ema=True,
            ema_momentum=0.998,
        ),
        batch_size=256,
        steps=STEPS,
        precision="mixed_bfloat16",
        steps_per_execution=5,
        log_every=50,
        validate_every=800,
    ),
    evaluate=_translation.score_sentences,
    needs=("sacrebleu",),
    reads=_translation.as_tokens,
    sample=functools.partial(_translation.write, texts=_translation.SENTENCES),
    family="encoder-decoders",
    paper="Vaswani et al. 2017, https://arxiv.org/abs/1706.03762",
    reference="BLEU 36.5, bentrevett/pytorch-seq2seq, notebook 6",
)
