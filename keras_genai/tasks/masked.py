"""MaskedLM: guesses the tokens that were masked out, from both sides."""

import os
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_genai.data import framing, masking
from keras_genai.data.held import as_rows, in_batches
from keras_genai.files.text import read_text
from keras_genai.layers.embedding import token_logits
from keras_genai.layers.feedforward import ACTIVATIONS
from keras_genai.modalities.text import Text
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register
from keras_genai.tasks.text_task import TextTask, softmax
from keras_genai.tasks.values import place_rows


class Guess(NamedTuple):
    """A token that may stand at a gap, as text, and how probable it is."""

    token: str
    probability: float


@register
class MaskedLM(TextTask):
    """Guesses the tokens that were masked out, from both sides.

    Train it with weights that are 0 at all other tokens, as `loader` and
    `keras_genai.data.masking` make them.

    Args:
        network: `TokenNetwork` that reads both ways, as `BERT`; its `embedding` is a
            `TokenEmbedding`, `guess_activation`, a str, that of the head, and
            `make_norm` makes its norm.
        target: `Text`.
        tie_embeddings: bool. The output matrix is the token table.
        use_bias: bool. Whether each token has a bias.

    Call arguments:
        inputs: see `TextTask`, and perhaps `places`, int `(B, P)`: where guesses are
            wanted. The vocabulary is most of the work of a small model, and a seventh
            of the tokens is hidden.
        training: bool.

    Returns:
        float32 logits `(B, T, vocabulary_size)`, or `(B, P, vocabulary_size)`.

    Raises:
        TypeError: if the network has no `guess_activation`.

    Reference: Devlin et al. 2019, section 3.1, https://arxiv.org/abs/1810.04805
    """

    network: TokenNetwork
    target: Text = Text()
    tie_embeddings: bool = True
    use_bias: bool = True

    def check(self):
        if not hasattr(self.network, "guess_activation"):
            raise TypeError(
                "`network` must have a `guess_activation` for its head, as BERT has. "
                f"Received: a {type(self.network).__name__}"
            )

    def make(self):
        self.given = (self.target,)
        width = self.network.embedding.output_dim
        self.transform = self._dense(
            width,
            self.network.width,
            "transform",
            ACTIVATIONS[self.network.guess_activation],
            self.network.head_bias,
        )
        self.transform_norm = self.network.make_norm(name="transform_norm")
        self.transform_norm.build((None, None, width))
        self.decoder = None
        if not self.tie_embeddings:
            self.decoder = self._dense(
                self.vocabulary_size, width, "decoder", use_bias=False
            )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.vocabulary_size,), initializer="zeros", name="bias"
            )

    @property
    def num_outputs(self):
        return self.vocabulary_size

    def looked_up(self, x, y=None):
        return [*super().looked_up(x, y), *place_rows(x, self.context)]

    def call(self, inputs, training=False):
        hidden, _ = self.hidden(inputs)
        places = inputs.get("places") if isinstance(inputs, dict) else None
        if places is not None:
            hidden = ops.take_along_axis(hidden, places[..., None], axis=1)
        x = self.transform_norm(self.transform(hidden))
        x = ops.cast(x, self.compute_dtype)
        logits = token_logits(x, self.network.embedding, self.decoder)
        return logits if self.bias is None else logits + ops.cast(self.bias, "float32")

    def loader(
        self, texts, batch_size=16, length=None, rate=0.15, shuffle=True, seed=0
    ):
        """Batches for `fit`, in which other tokens are hidden every time.

        Args:
            texts: a str, or a path object: one long text, cut into rows. Or several
                texts: a list of str, a generator, a data set; each is framed by the
                tokenizer's special tokens and cut to `length`.
            batch_size: int.
            length: int or `None` (the model's context, at most 128). In tokens.
            rate: float. Share of tokens to be guessed.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order and of what is hidden.

        Returns:
            `keras_genai.data.DataLoader` of `(inputs, targets, sample_weight)`, see
            `keras_genai.data.masking.masker`.

        Raises:
            ValueError: if the model has no tokenizer with a token `[MASK]`, or the one
                text is shorter than a row.
        """
        length = length or min(self.context or 128, 128)
        hide = masking.masker(self._need_tokenizer(), rate)
        rows = self._rows(texts, length)
        count = len(rows["tokens"])

        def hidden(batch, seed):
            inputs, targets, weight = hide(batch["tokens"], seed)
            return {**batch, **inputs}, targets, weight

        return in_batches(rows, count, batch_size, shuffle, seed, transform=hidden)

    def _rows(self, texts, length):
        """What `loader` hides tokens in: a dict of int32 `(N, length)`."""
        if isinstance(texts, os.PathLike):
            texts = read_text(texts)
        if isinstance(texts, str):
            (tokens,) = self.target.read([texts], "texts")
            return {"tokens": masking.rows(tokens, length)}
        texts = as_rows(texts, "texts")
        encodings = framing.encode(self.tokenizer, texts, context=length)
        return self._collate(encodings, length)

    def fill(self, text, count=5):
        """Guesses for each `[MASK]` in a text.

        Args:
            text: str with the tokenizer's mask token, or a list of them.
            count: int. Guesses a gap, the most probable first.

        Returns:
            List of one list of `Guess` a gap; for a list, a list of those.

        Raises:
            ValueError: if there is no gap, if one lies behind what the model reads, or
                if the tokenizer has no mask token.
        """
        texts = [text] if isinstance(text, str) else list(text)
        encodings = self._encode(texts)
        found = []
        for each, encoding, logits in zip(
            texts, encodings, self._read(encodings), strict=True
        ):
            gaps = self._gaps(each, encoding)
            found.append([self._guesses(logits[gap], count) for gap in gaps])
        return found[0] if isinstance(text, str) else found

    def _encode(self, texts, pairs=None):
        # A text with gaps is a template, also where other texts are nothing but text.
        return framing.encode(
            self._need_tokenizer(), texts, pairs, self.context, special_in_text=True
        )

    def _gaps(self, text, encoding):
        """The places of the gaps; all of them, or an error says what is wrong."""
        mask = self.mask_token
        name = self.tokenizer.core.id_to_token(mask)
        (whole,) = framing.encode(self.tokenizer, [text], special_in_text=True)
        gaps = np.flatnonzero(np.asarray(whole.ids) == mask)
        if not gaps.size:
            raise ValueError(f"`text` must have a {name}. Received: {text[:200]!r}")
        places = np.flatnonzero(np.asarray(encoding.ids) == mask)
        if len(places) < len(gaps):
            raise ValueError(
                f"`text` must have each {name} within the context of {self.context} "
                f"tokens. Received: one at token {gaps[len(places)]}"
            )
        return places

    @property
    def mask_token(self):
        """Int: the token that stands for what is to be guessed."""
        index = masking.mask_token(self.tokenizer) if self.tokenizer else None
        if index is None:
            raise ValueError(f"the tokenizer of {self.name} must have a token `[MASK]`")
        return index

    def _guesses(self, logits, count):
        probabilities = softmax(logits)
        best = np.argsort(-probabilities, kind="stable")[:count]
        return [
            Guess(
                self.tokenizer.core.id_to_token(int(i)) or "", float(probabilities[i])
            )
            for i in best
        ]
