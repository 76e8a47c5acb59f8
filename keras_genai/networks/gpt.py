"""GPT: a stack of causal transformer blocks, in GPT-2's or Llama's style."""

import collections
import functools
from typing import Annotated, ClassVar

import keras
from keras import ops

from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.attention import (
    Attention,
    causal_mask,
    position_mask,
    segment_mask,
    window_mask,
    write_slots,
)
from keras_genai.layers.caches import in_front, turn
from keras_genai.layers.embedding import TokenEmbedding, token_logits
from keras_genai.layers.positions import (
    LearnedPositions,
    PeriodicPositions,
    RelativeKeys,
    check_periods,
)
from keras_genai.layers.soft_cap import soft_cap
from keras_genai.layers.transformer import Block
from keras_genai.networks.gpt_style import (
    FEEDFORWARDS,
    GEMMA,
    GPT2,
    LLAMA,
    MODERN,
    Style,
    relu_squared,
)
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register

__all__ = ["GEMMA", "GPT", "GPT2", "LLAMA", "MODERN", "Style", "relu_squared"]

Periods = Annotated[tuple[int, ...], check_periods]
HEAD_EPSILON = 1e-6  # of normalised heads beside LayerNorm


@register
class GPT(LanguageNetwork):
    """Causal transformer over tokens.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens. The most a prediction can look back on. A prior of
            codes fills it in from their number.
        depth: int. Number of blocks.
        width: int. Length of a token's vector.
        num_heads: int.
        dropout: float. Rate after the embedding and after every part of a block.
        head_dim: int or `None` (`width // num_heads`).
        inner_width: int or `None` (`4 * width`). Width inside the feed-forward network.
        style: `Style`. `GPT2`, `LLAMA`, `MODERN` and `GEMMA` are ready-made.
        periods: tuple of int >= 2, or `None`. Of each, a learned vector of a token's
            place within so many tokens is added to its own.

    Attributes:
        chunk: int. A text of more than twice so many tokens is read into a cache in
            pieces of so many, so that memory grows with its length, not its square.
        cache_dtype: str or `None` (the compute dtype), of keys and values in a cache;
            see `keras_genai.layers.caches.set_cache_dtype`.

    Call arguments, returns: see `LanguageNetwork`; `T <= context`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of
            `num_heads` and no `head_dim` is given, if `head_dim` is odd with rotary
            positions, or if a sequence is longer than `context`.

    Reference: Radford et al. 2019, section 2.3 (GPT-2); Touvron et al. 2023,
        section 2.2, https://arxiv.org/abs/2302.13971 (Llama)
    """

    reads_segments = True
    chunk: ClassVar = 256
    cache_dtype: ClassVar = None

    vocabulary_size: Count = LATER
    context: Count = LATER
    depth: Size
    width: Size
    num_heads: Size
    dropout: Rate = 0.0
    head_dim: Size | None = None
    inner_width: Size | None = None
    style: Style = GPT2
    periods: Periods | None = None

    def check(self):
        if self.head_dim is None and self.width % self.num_heads:
            raise ValueError(
                "`width` must be a multiple of `num_heads`, or `head_dim` be given. "
                f"Received: width={self.width}, num_heads={self.num_heads}"
            )
        kinds = (self.style.rotary, self.style.local_rotary or self.style.rotary)
        turned = [rotary.size(self.head_size) for rotary in kinds]
        if self.style.positions == "rotary" and any(n % 2 or not n for n in turned):
            raise ValueError(
                "`head_dim` must be even to be turned. "
                f"Received: head_dim={self.head_size}"
            )

    @property
    def head_size(self):
        """int: length of a head's vectors."""
        return self.head_dim or self.width // self.num_heads

    def make(self):
        style, policy = self.style, self.dtype_policy
        # One object a weight: an initializer draws the same numbers every time.
        start = functools.partial(keras.initializers.RandomNormal, stddev=0.02)
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.width,
            embeddings_initializer=start(),
            dtype=policy,
            name="embedding",
        )
        self.embedding.build((None, None))
        if style.positions == "learned":
            self.positions = LearnedPositions(
                self.context, self.width, start(), dtype=policy, name="positions"
            )
            self.positions.build()
        if self.periods is not None:
            self.periodic = PeriodicPositions(
                self.periods, self.width, start(), dtype=policy, name="periodic"
            )
            self.periodic.build()
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.blocks = [self._make_block(index) for index in range(self.depth)]
        self.norm = style.make_norm(name="norm")
        for layer in (*self.blocks, self.norm):
            layer.build((None, None, self.width))
        if not style.tie_embeddings:
            self.head = keras.layers.Dense(
                self.vocabulary_size,
                use_bias=False,
                kernel_initializer=start(),
                dtype=policy,
                name="head",
            )
            self.head.build((None, None, self.width))

    def _make_block(self, index):
        style, policy = self.style, self.dtype_policy
        start = functools.partial(keras.initializers.RandomNormal, stddev=0.02)
        # Each block adds twice to the residual stream: GPT-2, section 2.3.
        residual = functools.partial(
            keras.initializers.RandomNormal, stddev=0.02 * (2 * self.depth) ** -0.5
        )
        relative = None
        if style.positions == "relative":
            relative = RelativeKeys(
                self.num_heads,
                self.head_size,
                self.context,
                start(),
                dtype=policy,
                name="relative_keys",
            )
        attention = Attention(
            self.num_heads,
            self.head_size,
            num_memory_heads=style.num_memory_heads,
            use_bias=style.bias_of("query"),
            scale=style.attention_scale,
            normalize=style.normalize_heads,
            initializer=start(),
            output_initializer=residual(),
            relative_keys=relative,
            output_bias=style.bias_of("output"),
            cap=style.attention_cap,
            norm_epsilon=HEAD_EPSILON if style.norm == "layer" else style.epsilon,
            norm_offset=style.norm == "offset_rms",
            dtype=policy,
            name="attention",
        )
        inner, activation = FEEDFORWARDS[style.feedforward]
        feedforward = inner(
            self.inner_width or 4 * self.width,
            activation,
            style.bias_of("feedforward"),
            initializer=start(),
            output_initializer=residual(),
            dtype=policy,
            name="feedforward",
        )
        return Block(
            attention,
            feedforward,
            style.make_norm,
            dropout=self.dropout,
            output_norms=style.output_norms,
            dtype=policy,
            name=f"block_{index}",
        )

    def hidden(self, tokens, mask=None, segments=None):
        """The vectors of all tokens, before the head.

        Args:
            tokens: int `(B, T)`, `T <= context`.
            mask: ignored: no token sees what is behind it, where padding is.
            segments: see `LanguageNetwork`.

        Returns:
            float `(B, T, width)` of the compute dtype.
        """
        (last,) = collections.deque(self._states(tokens, segments), maxlen=1)
        return last

    def hidden_states(self, tokens, segments=None):
        """The vectors of all tokens after each block.

        Args:
            tokens: int `(B, T)`, `T <= context`.
            segments: see `LanguageNetwork`.

        Returns:
            tuple of `depth + 1` float `(B, T, width)`: what the first block reads, then
            what each block says, of the last one normalised, as the head reads it.
        """
        return tuple(self._states(tokens, segments))

    def _states(self, tokens, segments):
        if segments is None:
            length = tokens.shape[1] or ops.shape(tokens)[1]
            mask, positions = causal_mask(length), ops.arange(length)[None]
            distances = None
        else:
            mask = segment_mask(segments)
            # As many as a token sees before itself.
            positions = ops.sum(ops.cast(mask[:, 0], "int32"), axis=-1) - 1  # (B, T)
            distances = self._distances(positions, positions)
        x = self._embed(tokens, positions)
        full = self._view(mask, positions, self.style.rotary, distances)
        near = self._near_view(mask, positions, positions, distances)
        for index, block in enumerate(self.blocks):
            yield x
            x, _ = block(x, **(near if self.style.is_local(index) else full))
        yield ops.cast(self.norm(x), self.compute_dtype)

    def logits(self, hidden):
        """float32 logits `(..., vocabulary_size)` of what `hidden` returned."""
        head = None if self.style.tie_embeddings else self.head
        logits = token_logits(hidden, self.embedding, head)
        cap = self.style.logit_cap
        return logits if cap is None else soft_cap(logits, cap)

    def initial_cache(self, batch_size, length):
        """Empty cache of `length` slots. See `LanguageNetwork`.

        Of a text longer than `style.window`, local blocks keep only so many tokens:
        there is `near`, too, int32 `(B, window)`, the positions of these.
        """
        groups = self.style.num_memory_heads or self.num_heads
        dtype = self.cache_dtype or self.compute_dtype
        window = self.style.window
        # Of a length that only a graph knows, all is kept.
        known = not ops.is_tensor(length)
        is_ring = window is not None and known and window < length

        def pair(index):
            near = is_ring and self.style.is_local(index)
            shape = (batch_size, groups, window if near else length, self.head_size)
            return ops.zeros(shape, dtype), ops.zeros(shape, dtype)

        cache = {
            "positions": ops.full((batch_size, length), -1, dtype="int32"),
            "blocks": [pair(index) for index in range(self.depth)],
        }
        if is_ring:
            cache["near"] = ops.full((batch_size, window), -1, dtype="int32")
        return cache

    def decode(self, tokens, positions, cache, index):
        """Logits of the next token, and the cache after `tokens`. See its base."""
        length = tokens.shape[1]
        if length is not None and length > 2 * self.chunk:
            hidden, cache = self._read_pieces(tokens, positions, cache, index)
        else:
            hidden, cache = self._read(tokens, positions, cache, index)
        hidden = ops.cast(self.norm(hidden[:, None]), self.compute_dtype)
        return self.logits(hidden)[:, 0], cache

    def _read(self, tokens, positions, cache, index):
        """What the last block says of each row's last token, `(B, width)`, and cache.

        Of a row of padding the first is something finite.
        """
        x = self._embed(tokens, positions)
        slots = write_slots(cache["positions"], positions, index, axis=1)
        after = {"positions": slots}
        index, slots = in_front(index, slots, tokens.shape[1])
        mask = position_mask(positions, slots)
        distances = self._distances(positions, slots)
        full = self._view(mask, positions, self.style.rotary, distances)
        full["index"] = index
        if "near" in cache:
            index = turn(cache["near"], positions)
            after["near"], slots = index.positions, index.seen
            mask = position_mask(positions, slots)
            distances = self._distances(positions, slots)
        near = self._near_view(mask, positions, slots, distances)
        near["index"] = index
        pairs = []
        for number, (block, pair) in enumerate(
            zip(self.blocks, cache["blocks"], strict=True)
        ):
            view = near if self.style.is_local(number) else full
            x, pair = block(x, cache=pair, **view)
            pairs.append(pair)
        if tokens.shape[1] != 1:
            length = tokens.shape[1] or ops.shape(tokens)[1]
            places = ops.arange(length, dtype="int32")
            last = ops.max(ops.where(positions >= 0, places, 0), axis=1)
            x = ops.take_along_axis(x, last[:, None, None], axis=1)
        return x[:, 0], {**after, "blocks": pairs}

    def _read_pieces(self, tokens, positions, cache, index):
        """`_read` of many tokens, a piece after the other."""
        size, length = self.chunk, tokens.shape[1]
        head = length % size or size
        hidden, cache = self._read(tokens[:, :head], positions[:, :head], cache, index)

        def goes_on(start, hidden, cache):
            return start < length

        def step(start, hidden, cache):
            piece = [
                ops.slice(part, (0, start), (part.shape[0], size))
                for part in (tokens, positions)
            ]
            new, cache = self._read(*piece, cache, index + start)
            new = ops.reshape(new, ops.shape(hidden))  # which a graph has forgotten
            is_real = ops.any(piece[1] >= 0, axis=1, keepdims=True)
            return start + size, ops.where(is_real, new, hidden), cache

        start = ops.convert_to_tensor(head, "int32")
        return ops.while_loop(goes_on, step, (start, hidden, cache))[1:]

    def _embed(self, tokens, positions):
        x = self.embedding(tokens)
        if self.style.scale_embeddings:
            x = x * ops.cast(self.width**0.5, x.dtype)
        if self.periods is not None:
            x = x + self.periodic(positions)
        if self.style.positions == "learned":
            x = x + self.positions(positions)
        return self.drop(x)

    def _view(self, mask, queries, rotary, distances):
        """What a block may see and how it turns it: a dict of arguments of `Block`.

        Args:
            mask: bool, broadcast to `(B, 1, Q, K)`.
            queries: int `(B, Q)`, positions.
            rotary: `Rotary`.
            distances: see `_distances`.
        """
        turned = self.style.positions == "rotary"
        rotation = rotary.angles(queries, self.head_size) if turned else None
        return {"attention_mask": mask, "rotation": rotation, "distances": distances}

    def _near_view(self, mask, queries, keys, distances):
        """The same for local blocks; `None` without any.

        Args:
            keys: int `(B, K)`, positions.
        """
        style = self.style
        if style.window is None:
            return {}
        if style.window < self.context:  # else nothing is too far away
            mask = mask & window_mask(queries, keys, style.window)
        return self._view(mask, queries, style.local_rotary or style.rotary, distances)

    def _distances(self, queries, keys):
        """int `(B, Q, K)` of int `(B, Q)` and `(B, K)`, where somebody asks for it."""
        if self.style.positions != "relative":
            return None
        return queries[:, :, None] - keys[:, None]
