"""What networks over tokens share: vectors for heads, and how texts are written."""

import typing

from keras import ops

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
        head_bias, has_head_norm: bool. Whether a layer before the last one of a head
            has a bias, and a norm of `make_norm` behind it.
        num_segments: int. Kinds of sentences that it tells apart; if there are some,
            `hidden` takes `segments`, int `(B, T)`, too.
    """

    num_segments: typing.ClassVar = 0
    head_bias: typing.ClassVar = True
    has_head_norm: typing.ClassVar = False

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

    Subclasses fill in `hidden` and `logits`, so that other heads can be put on them,
    and the decoding protocol, so that samplers can write.

    Attributes:
        reads_segments: bool. Whether a row may hold several texts. If so, `hidden` has
            an argument `segments`, int `(B, T)` or `None`: the number of the text that
            each token belongs to. A token sees its own text only, and its place is
            counted from where that begins.

    Call arguments:
        inputs: int tokens `(B, T)`, or a dict of `tokens` and, if wanted, `segments`,
            see above, and `places`, int `(B, P)`: the columns after which the next
            token is asked for. The vocabulary is much of the work, and of a prompt
            nobody asks.
        training: bool. Dropout is on if `True`. Keras hands it on to the layers, and
            `fit` says so only to models that name it.

    Returns:
        float32 logits of the next token, `(B, T, V)`, or `(B, P, V)`.

    Raises:
        ValueError: if there are segments for a network that does not read them.
    """

    reads_segments: typing.ClassVar = False

    def call(self, inputs, training=False):
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        hidden = self._hidden_of(inputs["tokens"], inputs.get("segments"))
        places = inputs.get("places")
        if places is not None:
            hidden = ops.take_along_axis(hidden, places[..., None], axis=1)
        return self.logits(hidden)

    def _hidden_of(self, tokens, segments):
        if segments is None:
            return self.hidden(tokens)
        if not self.reads_segments:
            raise ValueError(
                f"`segments` must be None for {self.name}, which cannot keep the texts "
                f"of a row apart. Received: shape {tuple(segments.shape)}"
            )
        return self.hidden(tokens, segments=segments)

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
