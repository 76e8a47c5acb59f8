"""What networks over tokens share: vectors for heads, and how texts are written."""

import typing

from keras_genai.layers.token_pooling import last_token
from keras_genai.networks.base import Network


@typing.dataclass_transform(kw_only_default=True)
class TokenNetwork(Network):
    """A network that makes a vector of every token, on which any head can sit.

    Those that read a text of any length in pieces have `stream_logits(tokens, cache)`,
    too, as `RNN`; those that score a whole text at once `log_probabilities(tokens)`, as
    `NGram`.

    Attributes:
        vocabulary_size: int, V.
        width: int, W, of a hidden vector.
        context: int or `None`. The largest number of positions; `None` is unlimited.
        num_segments: int. Kinds of sentences that it tells apart; if there are some,
            `hidden` takes `segments`, int `(B, T)`, too.
    """

    num_segments: typing.ClassVar = 0

    def hidden(self, tokens, mask=None):
        """The vectors of all tokens, before any head.

        Args:
            tokens: int `(B, T)`.
            mask: bool or int `(B, T)`, true at real tokens, or `None`. Padding is on
                the right.

        Returns:
            float `(B, T, W)`. What stands at padding means nothing.
        """
        raise NotImplementedError

    def pooled(self, hidden, mask=None):
        """One vector of a whole text: here the last token's, which saw all others.

        Args:
            hidden: float `(B, T, W)`, what `hidden` returned.
            mask: see `hidden`.

        Returns:
            float32 `(B, W)`.
        """
        return last_token(hidden, mask)


@typing.dataclass_transform(kw_only_default=True)
class LanguageNetwork(TokenNetwork):
    """A network that reads tokens from left to right.

    Subclasses are called with int tokens `(B, T)` and return float32 logits
    `(B, T, V)`. They fill in `hidden` and `logits`, so that other heads can be put on
    them, and the decoding protocol, so that samplers can write.
    """

    def logits(self, hidden):
        """float32 logits `(..., V)` of what `hidden` returned."""
        raise NotImplementedError

    def initial_cache(self, batch_size, length):
        """An empty decoding cache.

        Args:
            batch_size: int, B.
            length: int. Slots to make, one for each token fed to `decode`.

        Returns:
            A nest of tensors. Every leaf has the batch on axis 0, so that beam
            search may reorder rows with `take(leaf, parents, axis=0)`.
        """
        raise NotImplementedError

    def decode(self, tokens, positions, cache, index):
        """Reads tokens into the cache and predicts the one after them.

        Slots are shared by the rows, positions are each row's own: attention sees
        the slots whose stored position is valid and not beyond the query's.

        Args:
            tokens: int32 `(B, T)`. T is 1 in the loop and a bucket of prompt
                lengths in the prefill.
            positions: int32 `(B, T)`. The place of each token in its own sequence;
                -1 at padding, which is only ever on the right. No row is all padding.
            cache: what `initial_cache` or the previous call returned.
            index: int32 scalar tensor. The first cache slot to write.

        Returns:
            `(logits, cache)`: float32 `(B, V)`, after the last real token of each
            row, and the new cache, of the same structure, shapes and dtypes.
        """
        raise NotImplementedError
