"""What the entries have in common that go on from a trained model."""

import keras
import numpy as np

from keras_genai.losses import SparseSmoothedCrossentropy
from keras_genai.optimizers import adamw
from keras_genai.padding import pad_sequence
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.likelihood import token_log_probabilities
from keras_genai.tasks.rows import over_rows

ROWS = 64  # texts whose log-probabilities are computed at once


def fine_tuned(trained, dropout=0.0, turns=None, dtype=None, name=None):
    """A model that begins as another one, which stays as it is.

    Args:
        trained: `CausalLM`, `Seq2SeqLM` or `Diffusion`.
        dropout: float, of the new one's network.
        turns: `Turns` of a language model, or `None`: its own.
        dtype: Keras dtype policy, or `None`: its own.
        name: str or `None`.

    Returns:
        A model of the same class.
    """
    config = trained.get_config()
    network = config["network"]["config"]
    # Apart from the other's, where one model has both: weights are found by names.
    network.update(name="policy", dropout=dropout, dtype=dtype or network["dtype"])
    config.update(name=name or trained.name, dtype=dtype or config["dtype"])
    found = type(trained).from_config(config)
    for old, new in zip(trained.weights, found.weights, strict=True):
        new.assign(old)
    if turns is not None:
        turns.check(found.tokenizer)
        found.turns = turns
    return found


def compiled(peak, warmup, steps, weight_decay=0.1, smoothing=0.0, **optimizer):
    """Arguments of `compile` for a language model on rows of texts.

    Args:
        peak: float, the highest learning rate.
        warmup, steps: int.
        weight_decay, **optimizer: of `adamw`.
        smoothing: float, how much of a label other tokens have.
    """
    return dict(
        optimizer=adamw(
            warmup_cosine(peak, warmup, steps),
            weight_decay=weight_decay,
            **optimizer,
        ),
        loss=SparseSmoothedCrossentropy(smoothing)
        if smoothing
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[],
        jit_compile=True,
    )


def falling_adam(rate, steps):
    """Adam without weight decay, which would pull to 0 and not to a reference.

    Args:
        rate: float, the highest learning rate, of which a tenth is left at the end.
        steps: int.
    """
    schedule = warmup_cosine(rate, 10, steps)
    return keras.optimizers.Adam(schedule, global_clipnorm=1.0)


def text_scores(model, texts, ended=True, begins=False):
    """What a reward model says of texts as a whole, wherever a prompt ended in them.

    A policy may write on in the middle of a word, so that the last token of a prompt is
    another one in the text; such texts have a reward like all others.

    Args:
        model: `RewardModel` of a language network.
        texts: list of str.
        ended: bool, or sequence of bool: which of them have the end token.
        begins: bool. Whether they have the start token, if there is one.

    Returns:
        float32 array `(N,)`.
    """
    tokenizer = model.tokenizer
    start = [tokenizer.start_token] if begins else []
    ends = np.broadcast_to(ended, len(texts))
    rows = [
        [*start, *row, tokenizer.end_token if is_whole else None]
        for row, is_whole in zip(tokenizer.encode_batch(texts), ends, strict=True)
    ]
    rows = [[token for token in row if token is not None] for row in rows]
    context = model.context
    return model.score_tokens([np.array(row[:context], "int32") for row in rows])


def learned_nats(model, samples):
    """How improbable a model finds what is learned of conversations of one answer.

    Args:
        model: `CausalLM`.
        samples: list of `keras_genai.data.conversations.Sample`, whose learned tokens
            are their last ones.

    Returns:
        float64 `(N,)`, nats of each.
    """
    lengths = np.array([len(sample.tokens) for sample in samples], "int32")
    begins = lengths - np.array([sample.learned.sum() for sample in samples], "int32")
    tokens = pad_sequence([sample.tokens for sample in samples], length=lengths.max())
    return -log_probabilities(model, tokens, begins, lengths).sum(axis=1)


def log_probabilities(model, tokens, prompt_lengths, lengths):
    """Log-probabilities of completions, in batches of one shape.

    Args:
        model: `CausalLM`, or a `Seq2SeqLM` with a dict of `tokens`.
        tokens, prompt_lengths, lengths: arrays, see
            `keras_genai.tasks.likelihood.token_log_probabilities`.

    Returns:
        float64 `(N, L)`, 0 where no completion is.
    """
    whole = keras.tree.map_structure(np.asarray, tokens)

    def read(rows):
        batch = keras.tree.map_structure(lambda array: array[rows], whole)
        return token_log_probabilities(
            model, batch, prompt_lengths[rows], lengths[rows]
        )[0]

    return over_rows(read, len(lengths), ROWS).astype("float64")
