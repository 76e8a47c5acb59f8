"""BERT: a stack of transformer blocks that read in both directions."""

import functools

import keras
from keras import ops

from keras_genai.checks import (
    check_flags,
    check_given_sizes,
    check_heads,
    check_rates,
    check_sizes,
)
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import ACTIVATIONS, check_activation
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.transformer import make_block
from keras_genai.registry import register
from keras_genai.tasks.base import Task
from keras_genai.tasks.encoder import encoder_rows


@register
class BERT(Task):
    """The body of BERT; heads are in `keras_genai.tasks.encoder`.

    Args:
        vocabulary_size: int.
        context: int, in tokens. The longest sequence.
        depth: int. Number of blocks.
        width: int. Length of a token's vector, a multiple of `num_heads`.
        num_heads: int.
        hidden: int or `None` (`4 * width`). Width inside the feed-forward network.
        dropout: float. Rate after the embedding and after every part of a block.
        activation: str, `"gelu"` (exact), `"gelu_tanh"`, `"relu"` or `"silu"`.
        num_segments: int. Kinds of sentences; BERT has a first and a second one.
        pooler: bool. If `True`, there is a vector of the whole sequence, too.

    Call arguments:
        inputs: int tokens `(B, T)`, or a dict of `tokens` and, if wanted,
            `tokens_mask`, bool or int `(B, T)`, true at what is not padding, and
            `segments`, int `(B, T)`.
        training: bool. Dropout is on if `True`.

    Returns:
        Dict of float32 `hidden`, `(B, T, width)`, and `pooled`, `(B, width)`, if there
        is a pooler. What stands at padding means nothing.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of
            `num_heads`, if there is no such `activation`, or if a sequence is longer
            than `context`.

    Reference: Devlin et al. 2019, section 3, https://arxiv.org/abs/1810.04805
    """

    def __init__(
        self,
        vocabulary_size,
        context=512,
        depth=12,
        width=768,
        num_heads=12,
        hidden=None,
        dropout=0.1,
        activation="gelu",
        num_segments=2,
        pooler=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(
            vocabulary_size=vocabulary_size,
            context=context,
            depth=depth,
            num_segments=num_segments,
        )
        check_heads(width, num_heads)
        check_given_sizes(hidden=hidden)
        check_rates(dropout=dropout)
        check_flags(pooler=pooler)
        check_activation(activation)
        self.vocabulary_size = vocabulary_size
        self.context = context
        self.depth = depth
        self.width = width
        self.num_heads = num_heads
        self.hidden = 4 * width if hidden is None else hidden
        self.dropout_rate = dropout
        self.activation = activation
        self.num_segments = num_segments
        self.has_pooler = pooler
        self._make_layers()

    def _make_layers(self):
        policy = self.dtype_policy
        # One object a weight: an initializer draws the same numbers every time.
        start = functools.partial(keras.initializers.TruncatedNormal, stddev=0.02)
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.width,
            embeddings_initializer=start(),
            dtype=policy,
            name="embedding",
        )
        self.segments = TokenEmbedding(
            self.num_segments,
            self.width,
            embeddings_initializer=start(),
            dtype=policy,
            name="segments",
        )
        self.positions = LearnedPositions(
            self.context, self.width, start(), dtype=policy, name="positions"
        )
        self.embedding_norm = _make_norm(name="embedding_norm")
        self.dropout = keras.layers.Dropout(
            self.dropout_rate, dtype=policy, name="dropout"
        )
        self.blocks = [
            make_block(
                self.width,
                self.num_heads,
                self.hidden,
                ACTIVATIONS[self.activation],
                norm=_make_norm,
                initializer=start,
                pre_norm=False,
                dropout=self.dropout_rate,
                dtype=policy,
                name=f"block_{index}",
            )
            for index in range(self.depth)
        ]
        shape = (None, None, self.width)
        for layer in (self.embedding, self.segments, self.positions):
            layer.build((None, None))
        for layer in (self.embedding_norm, *self.blocks):
            layer.build(shape)
        if self.has_pooler:
            self.pooler = keras.layers.Dense(
                self.width,
                activation="tanh",
                kernel_initializer=start(),
                dtype=policy,
                name="pooler",
            )
            self.pooler.build((None, self.width))
        self.built = True

    def looked_up(self, x, y=None):
        return encoder_rows(x, self.vocabulary_size, self.context, self.num_segments)

    def call(self, inputs, training=False):
        last = ops.cast(self.hidden_states(inputs)[-1], self.compute_dtype)
        outputs = {"hidden": ops.cast(last, "float32")}
        if self.has_pooler:
            outputs["pooled"] = ops.cast(self.pooler(last[:, 0]), "float32")
        return outputs

    def hidden_states(self, inputs):
        """What enters the first block and what each block returns.

        Args:
            inputs: see `call`.

        Returns:
            List of `depth + 1` tensors, float32 `(B, T, width)`.
        """
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        tokens = inputs["tokens"]
        length = tokens.shape[1] or ops.shape(tokens)[1]
        if tokens.shape[1] is not None and tokens.shape[1] > self.context:
            raise ValueError(
                f"`tokens` must have at most context={self.context} columns. "
                f"Received: shape {tuple(tokens.shape)}"
            )
        segments = inputs.get("segments")
        segments = ops.zeros_like(tokens) if segments is None else segments
        x = self.embedding(tokens) + self.positions(ops.arange(length)[None])
        x = self.embedding_norm(x + self.segments(segments))
        x = self.dropout(ops.cast(x, self.compute_dtype))
        real = mask = inputs.get("tokens_mask")
        if mask is not None:
            real = ops.cast(mask, "bool")
            mask = real[:, None, None]  # (B, 1, 1, T)
        states = [x]
        for block in self.blocks:
            x, _ = block(x, attention_mask=mask, real=real)
            states.append(x)
        return [ops.cast(state, "float32") for state in states]

    def input_specs(self):
        tokens = keras.InputSpec("int32", shape=(None, None))
        return dict.fromkeys(("tokens", "tokens_mask", "segments"), tokens)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "context": self.context,
            "depth": self.depth,
            "width": self.width,
            "num_heads": self.num_heads,
            "hidden": self.hidden,
            "dropout": self.dropout_rate,
            "activation": self.activation,
            "num_segments": self.num_segments,
            "pooler": self.has_pooler,
        }


def _make_norm(name):
    return keras.layers.LayerNormalization(epsilon=1e-12, dtype="float32", name=name)
