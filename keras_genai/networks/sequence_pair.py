"""What networks share that read one sequence and write another, and how they decode."""

import typing

from keras import ops

from keras_genai.layers.stacks import EncoderStack, make_stack, memory_mask
from keras_genai.networks.base import Network


@typing.dataclass_transform(kw_only_default=True)
class SequencePairNetwork(Network):
    """A network of the next token, given a whole sequence and all tokens before.

    What it knows of the sequence that it has read is its *memory*, a nest of tensors
    with the batch on axis 0. Subclasses fill in `encode`, `hidden` and `logits`, and
    the decoding protocol, `empty_cache` and `decode`.

    Attributes:
        vocabulary_size: int, V, of the tokens that it writes.
        width: int, W, of a hidden vector.
        context: int or `None`. The largest number of positions on each side; `None` is
            unlimited.

    Call arguments:
        inputs: what is read, the batch first and then its S places: int `(B, S)` if
            that is text.
        inputs_mask: bool or int `(B, S)`, true where the sequence is real.
        targets: int `(B, T)`, what the decoder reads: its start token and the text up
            to its last token but one.
        training: bool.

    Returns:
        float32 logits of the next token, `(B, T, V)`.
    """

    context: typing.ClassVar = None

    def call(self, inputs, inputs_mask, targets, training=False):
        return self.read(targets, self.encode(inputs, inputs_mask))

    def encode(self, inputs, inputs_mask):
        """The memory of a sequence: all that the decoder will look at.

        Args:
            inputs, inputs_mask: as in a call.
        """
        raise NotImplementedError

    def hidden(self, targets, memory):
        """The vectors after every token of `targets`, before the head.

        Args:
            targets: int `(B, T)`.
            memory: what `encode` returned.

        Returns:
            float `(B, T, W)`.
        """
        raise NotImplementedError

    def logits(self, hidden):
        """float32 logits `(B, T, V)` of what `hidden` returned."""
        raise NotImplementedError

    def read(self, targets, memory):
        """Logits after every token of `targets`, read at once.

        Args:
            targets, memory: see `hidden`.

        Returns:
            float32 `(B, T, V)`.
        """
        return self.logits(self.hidden(targets, memory))

    def empty_cache(self, batch_size, length):
        """dict: an empty cache of the decoder. See `LanguageNetwork.initial_cache`."""
        raise NotImplementedError

    def initial_cache(self, batch_size, length, inputs, inputs_mask):
        """`empty_cache`, and under `"memory"` that of `inputs`."""
        memory = self.encode(inputs, inputs_mask)
        return {**self.empty_cache(batch_size, length), "memory": memory}

    def decode(self, tokens, positions, cache, index):
        """Reads tokens into the cache and predicts the one after them.

        Arguments and returns are those of `LanguageNetwork.decode`. The cache also has
        the memory. It is one row for each of the sequences, while tokens may come in
        several rows a sequence, next to each other, when beam search tries several
        candidates.
        """
        raise NotImplementedError


class TwoStacks(SequencePairNetwork):
    """A `SequencePairNetwork` that is two stacks of transformer blocks.

    Subclasses make the stacks and fill in `embed_inputs`, `embed_targets` and `logits`.

    Attributes:
        encoder: `keras_genai.layers.stacks.EncoderStack`.
        decoder: `keras_genai.layers.stacks.DecoderStack`.
    """

    def make_stack(self, kind, depth, num_heads, inner_width=None, **block):
        """A stack of layer-normalised blocks of this width and dropout, built.

        Args:
            kind: `EncoderStack` or `DecoderStack`, called "encoder" or "decoder".
            depth: int. Number of blocks.
            num_heads: int.
            inner_width: int or `None` (`4 * width`). Width inside the feed-forward
                networks.
            **block: what else `keras_genai.layers.stacks.make_stack` takes.
        """
        stack = make_stack(
            kind,
            depth,
            self.width,
            name="encoder" if kind is EncoderStack else "decoder",
            num_heads=num_heads,
            hidden=inner_width or 4 * self.width,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            **block,
        )
        stack.build((None, None, self.width))
        return stack

    def embed_inputs(self, inputs, positions):
        """What the encoder reads.

        Args:
            inputs: as in a call.
            positions: int `(1, S)`.

        Returns:
            float `(B, S, width)`.
        """
        raise NotImplementedError

    def embed_targets(self, tokens, positions):
        """What the decoder reads.

        Args:
            tokens: int `(B, T)`.
            positions: int `(1, T)` or `(B, T)`, -1 at padding.

        Returns:
            float `(B, T, width)`.
        """
        raise NotImplementedError

    def encode(self, inputs, inputs_mask):
        x = self.embed_inputs(inputs, _positions(inputs))
        x = self.encoder(x, memory_mask(inputs_mask))
        return self.decoder.project_memory(x, inputs_mask)

    def hidden(self, targets, memory):
        x = self.embed_targets(targets, _positions(targets))
        return self.decoder(x, memory)

    def empty_cache(self, batch_size, length):
        return self.decoder.empty_cache(batch_size, length)

    def decode(self, tokens, positions, cache, index):
        x = self.embed_targets(tokens, positions)
        x, cache = self.decoder.step(x, positions, cache, index)
        return self.logits(x)[:, 0], cache


def _positions(sequences):
    """int32 `(1, T)`: the places of sequences `(B, T, ...)`."""
    return ops.arange(sequences.shape[1] or ops.shape(sequences)[1])[None]
