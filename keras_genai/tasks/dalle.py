"""DALLE: pictures from texts, as one sequence of words and of a codec's codes."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer, check_number
from keras_genai.declared import Later, Positive, Rate
from keras_genai.modalities.base import Modality
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.codes import BATCH, cross_entropy
from keras_genai.tasks.hiding import hide
from keras_genai.tasks.prior import Codec, CodePrior
from keras_genai.tasks.text_codes import Drawer, Wish

FEW = 16  # pictures where nobody says how many


@register
class DALLE(CodePrior):
    """One network that reads a text and goes on with the codes of its picture.

    Its vocabulary is the codes, then the tokens of texts, of which 0 begins a sequence,
    then a padding token of its own for each place of a text. Logits at the places of a
    text are of texts, those at the places of a picture are of codes.

    Args:
        network: `LanguageNetwork`, such as `GPT`. Vocabulary and context follow.
        codec: a trained `VQVAE` or `DVAE`, see `CodePrior`.
        given: `Text` with a length.
        label_dropout: float. Share of examples whose texts are hidden in training, so
            that the model knows pictures of any text, too; guidance needs them.
        image_weight: float. How much more a code counts than a token of the text, each
            on average.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1], and `tokens`, int
            `(B, T)`, 0 where nothing is. Other keys are ignored.
        training: bool.

    Returns:
        dict of `logits`, float32 `(B, h, w, K)`, and `codes`, int32 `(B, h, w)`, which
        they predict; `text_logits`, float32 `(B, T, V + T)`, and `texts`, int32
        `(B, T)`, likewise, where padding at place i is `V + i`.

    Raises:
        ValueError: if there is no text of one length, if the network's vocabulary or
            context does not fit, or if a batch is of another shape.

    Reference: Ramesh et al. 2021, section 2.2, https://arxiv.org/abs/2102.12092;
        guidance: Gafni et al. 2022, https://arxiv.org/abs/2203.13131
    """

    network: LanguageNetwork
    codec: Codec
    given: tuple[Modality, ...]
    label_dropout: Rate = 0.1
    image_weight: Positive = 7.0

    decoding: ClassVar = "all codes drawn at temperature 1, without guidance"

    def check(self):
        super().check()
        context, needed = self.network.context, self.text_length + self.length
        if context is not None and context < needed:
            raise ValueError(
                f"`network` must have a context of at least {needed}. "
                f"Received: {context}"
            )

    def make(self):
        super().make()
        self.seed_generator = replicas.SeedGenerator(name="seed_generator")
        self.text_tracker = keras.metrics.Mean(name="text_nats")
        self.image_tracker = keras.metrics.Mean(name="image_nats")
        self.drawers = {guided: Drawer(self, guided) for guided in (False, True)}

    @property
    def network_sizes(self):
        if len(self.given) != 1 or getattr(self.given[0], "length", None) is None:
            raise ValueError(
                "`given` must be one Text(tokenizer, length=...). "
                f"Received: {self.given!s:.200}"
            )
        tokens = self.padding_start + self.text_length
        sizes = {**super().network_sizes, "vocabulary_size": tokens}
        if isinstance(self.network.context, Later):
            sizes["context"] = self.text_length + self.length
        return sizes

    @property
    def text(self):
        """`Text`: what pictures are made from."""
        return self.given[0]

    @property
    def text_length(self):
        """int, T: tokens of a text, padding included."""
        return self.text.length

    @property
    def length(self):
        """int, L: codes of a picture."""
        return self.grid_shape[0] * self.grid_shape[1]

    @property
    def padding_start(self):
        """int: the first of the padding tokens; before them are codes and texts."""
        return self.num_codes + self.text.vocabulary_size

    def beginning(self, texts):
        """How sequences begin: a token of no text, and a text with padding of its own.

        Args:
            texts: int32 tensor `(B, T)`, 0 where nothing is.

        Returns:
            int32 `(B, 1 + T)`.
        """
        places = self.padding_start + ops.arange(self.text_length, dtype="int32")
        own = ops.where(texts == 0, places[None], texts + self.num_codes)
        return ops.pad(own, [[0, 0], [1, 0]], constant_values=self.num_codes)

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        if training:
            batch = hide(batch, self.given, self.label_dropout, self.seed_generator)
        codes = self.tokens_of(batch["images"])
        return self._predicted(codes, batch[self.text.key], training)

    def _predicted(self, codes, texts, training=False):
        flat = ops.reshape(codes, (-1, self.length))
        beginning = self.beginning(texts)
        tokens = ops.concatenate([beginning, flat[:, :-1]], axis=1)
        logits = self.network(tokens, training=training)  # (B, T + L, K + V + T)
        texts, size = self.text_length, self.num_codes
        of_codes = logits[:, texts:, :size]
        return {
            "logits": ops.reshape(of_codes, (-1, *self.grid_shape, size)),
            "codes": codes,
            "text_logits": logits[:, :texts, size:],
            "texts": beginning[:, 1:] - size,
        }

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        logits, codes = y_pred["logits"], y_pred["codes"]
        right = ops.cast(ops.argmax(logits, axis=-1), codes.dtype) == codes
        self.accuracy_tracker.update_state(ops.cast(right, "float32"))
        nats = {
            self.image_tracker: cross_entropy(logits, codes),
            self.text_tracker: cross_entropy(y_pred["text_logits"], y_pred["texts"]),
        }
        for tracker, each in nats.items():
            tracker.update_state(replicas.weigh(each, sample_weight))
        image, text = (
            replicas.weighted_mean(each, sample_weight) for each in nats.values()
        )
        total = self.image_weight * image + text
        return replicas.share(total / (self.image_weight + 1))

    def score(self, images, prompts=None):
        """Cross-entropy of the codes of pictures, given texts.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            prompts: str, list of str or int tokens `(N, T)`; `None`: any text.

        Returns:
            float32 array `(N,)`: nats a code, averaged over each picture.
        """
        images = self.target.read(images)

        def build():
            def score(batch):
                codes = self.tokens_of(batch["images"])
                found = self._predicted(codes, batch["texts"])
                return ops.mean(cross_entropy(found["logits"], codes), axis=(1, 2))

            return score

        texts = self._texts(prompts, len(images))
        batch = {"images": images, "texts": texts}
        return pictures.by_batch(compiled(self, ("score",), build), batch, BATCH)

    def caption_gain(self, images, prompts):
        """What texts tell of their pictures.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            prompts: list of str, or int tokens `(N, T)`.

        Returns:
            float32 array `(N,)`: nats a picture that its codes cost less with its text
            than with any; at most what the text itself carries, on average.
        """
        gain = self.score(images) - self.score(images, prompts)
        return gain * self.length

    def generate(
        self,
        count=None,
        prompts=None,
        seed=0,
        temperature=1.0,
        top_k=None,
        guidance=1.0,
        prime=None,
        prime_rows=None,
        candidates=1,
        rank_by=None,
    ):
        """New pictures, code by code in one compiled loop.

        Args:
            count: int, or `None`: as many as there are prompts, or 16 of any text.
            prompts: str, list of str or int tokens `(count, T)`, one for all or one
                each; `None`: any text.
            seed: int.
            temperature: float > 0. Below 1, likelier codes are drawn more often.
            top_k: int >= 1 or `None`. Only the k likeliest codes are drawn.
            guidance: float >= 0. 1 is the model as it is; above, codes are drawn more
                often that the text makes likelier, at twice the work.
            prime: pictures, one for all or one each, whose upper rows are kept, or
                `None`.
            prime_rows: int. How many rows of their codes; with `prime` only.
            candidates: int >= 1. Pictures that are drawn of each prompt, of which the
                best one is returned.
            rank_by: object with `similarity(images, texts)`, such as a `Contrastive`,
                which says what is best; with several candidates only.

        Returns:
            float32 array `(count, H, W, C)` in [0, 1].

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if one is out of range, or the model lacks what it needs.
        """
        if count is None:
            several = prompts is not None and not isinstance(prompts, str)
            count = len(prompts) if several else FEW if prompts is None else 1
        pictures.check_count(count, seed, self.image_shape)
        self._check_guidance(guidance)
        _check_candidates(candidates, rank_by, prompts)
        wish = Wish(seed, temperature, top_k, float(guidance), candidates, rank_by)
        starts = self._texts(prompts, count), self._primes(prime, prime_rows, count)
        return self.drawers[guidance != 1].draw(*starts, wish)

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        wish = Wish(seed, temperature)
        return self.drawers[False].codes(self._texts(None, count), None, wish)

    def _texts(self, prompts, count):
        """int32 `(count, T)`."""
        if prompts is None:
            return self.text.anything(count)
        return self.text.rows(prompts, count)

    def _primes(self, prime, rows, count):
        """The codes that pictures begin with, int32 `(count, R)`, or `None`."""
        height, width = self.grid_shape
        if prime is None:
            if rows is not None:
                raise ValueError(
                    f"`prime_rows` must be None without `prime`. Received: {rows}"
                )
            return None
        check_integer("prime_rows", rows, 1)
        if rows >= height:
            raise ValueError(
                f"`prime_rows` must be from 1 to {height - 1}. Received: {rows}"
            )
        images = self.target.rows(prime, count, "prime")
        return self.codec.tokenize(images).reshape(count, -1)[:, : rows * width]

    def _check_guidance(self, guidance):
        allowed = "a finite number >= 0"
        check_number("guidance", guidance, allowed, lambda x: 0 <= x < np.inf)
        if guidance != 1 and not self.label_dropout:
            raise ValueError(
                "`guidance` must be 1 for a model trained with label_dropout=0. "
                f"Received: {guidance=}"
            )


def _check_candidates(candidates, rank_by, prompts):
    check_integer("candidates", candidates, 1)
    if (candidates > 1) != (rank_by is not None):
        raise ValueError(
            "`rank_by` must be given with `candidates` above 1, and only then. "
            f"Received: {candidates=}, rank_by={rank_by!r:.80}"
        )
    if rank_by is None:
        return
    if not hasattr(rank_by, "similarity"):
        raise TypeError(
            "`rank_by` must be an object with `similarity(images, texts)`, such as a "
            f"Contrastive. Received: {rank_by!r:.80}"
        )
    if prompts is None:
        raise ValueError("`prompts` must be given with `rank_by`. Received: None")
