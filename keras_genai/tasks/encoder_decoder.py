"""Sequence to sequence by two stacks of transformer blocks."""

from keras import ops

from keras_genai.layers.stacks import memory_mask
from keras_genai.tasks.seq2seq import Seq2SeqLM


class EncoderDecoderLM(Seq2SeqLM):
    """A `Seq2SeqLM` that is an `EncoderStack` and a `DecoderStack`.

    Subclasses make the stacks and fill in `embed_inputs`, `embed_targets` and `logits`.

    Attributes:
        encoder: `EncoderStack`.
        decoder: `DecoderStack`.

    Call arguments and returns: see `Seq2SeqLM`.
    """

    def embed_inputs(self, tokens, positions):
        """What the encoder reads.

        Args:
            tokens: int `(B, S)`.
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

    def logits(self, x):
        """float32 `(B, T, V)` of the decoder's output, float `(B, T, width)`."""
        raise NotImplementedError

    def encode(self, inputs, inputs_mask):
        """Keys and values of every decoder block. See `Seq2SeqLM`."""
        x = self.embed_inputs(inputs, _positions(inputs))
        x = self.encoder(x, memory_mask(inputs_mask))
        return self.decoder.project_memory(x, inputs_mask)

    def read(self, targets, memory):
        """Logits after every token. See `Seq2SeqLM`."""
        x = self.embed_targets(targets, _positions(targets))
        return self.logits(self.decoder(x, memory))

    def empty_cache(self, batch_size, length):
        """Empty cache of `length` slots. See `Seq2SeqLM`."""
        return self.decoder.empty_cache(batch_size, length)

    def decode(self, tokens, positions, cache, index):
        """Logits of the next token, and the cache after `tokens`. See `Seq2SeqLM`."""
        x = self.embed_targets(tokens, positions)
        x, cache = self.decoder.step(x, positions, cache, index)
        return self.logits(x)[:, 0], cache


def _positions(tokens):
    """int32 `(1, T)`."""
    return ops.arange(tokens.shape[1] or ops.shape(tokens)[1])[None]
