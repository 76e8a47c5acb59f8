"""CLIP: pictures and texts as vectors, near where a text says what a picture shows."""

import math
import os
from typing import Annotated, ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer
from keras_genai.data import framing
from keras_genai.data.arguments import check_count
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.data.tokenizer import check_texts
from keras_genai.declared import Later, Size
from keras_genai.files.cropping import scaled_and_cropped
from keras_genai.modalities.base import Modality
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Text
from keras_genai.modalities.vector import Vector
from keras_genai.networks.base import Network
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks.in_batch import cross_entropy, shares, unit
from keras_genai.tasks.picture_task import PictureTask
from keras_genai.tasks.pictures import by_batch

BATCH = 64  # pictures or texts that are read at once
START = math.log(1 / 0.07)  # of the logarithm of the scale
LARGEST = math.log(100.0)
EndToken = Annotated[int, lambda name, value: check_integer(name, value, 0)]


class Ranking(NamedTuple):
    """The pictures that fit texts, the nearest first.

    Attributes:
        places: int32 `(T, k)`, or `(k,)` of a single text: which pictures.
        scores: float32, likewise: their cosines.
    """

    places: np.ndarray
    scores: np.ndarray


@register
class Contrastive(PictureTask):
    """Learns which text belongs to which picture, among those of a batch.

    Each encoder makes a vector, a matrix takes it to a space that both share, and the
    cosines of all pictures with all texts are logits, after a learned scale: a picture
    has to choose its text, and a text its picture.

    Texts of a batch that are equal, token by token, are all right: each is the target
    with the same share, instead of a wrong answer. So the loss in the beginning, when
    nothing is known, is about the logarithm of the batch. Under a `tf.distribute`
    strategy all replicas' rows are one batch.

    Args:
        image_encoder: network from pictures to `(B, pooled_width)`: `ResidualEncoder`,
            `ViT`, or another one that knows its `pooled_width`.
        text_encoder: any `TokenNetwork`, whose `pooled` vector is read: that of the
            last token in a `GPT`.
        target: `Image`.
        given: `Text`. With a length, 0 is padding; without, texts are as long as the
            context allows, and the tokenizer frames them.
        embedding_size: int. Length of the vectors.
        mean, deviation: tuples of float, one or one a channel. Pictures in [0, 1] are
            shifted and scaled by them before they are read.
        end_token: int or `None`. The token that ends every text: a text is read at its
            first one, and what follows is padding. By itself the 0 of padding, which
            is the same for all texts, so that they begin alike. `None`: the tokens 0
            are padding, and are not read.

    Attributes:
        log_scale: weight. The logarithm of what cosines are multiplied by: it starts
            at log(1 / 0.07), and no step takes it beyond log(100).

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1], and `tokens`, int
            `(B, length)`.
        training: bool.

    Returns:
        dict of float32 `(B, embedding_size)` of length one: `images` and `texts`.

    Raises:
        ValueError: if `given` is not one `Text`, if `mean` or `deviation` does not fit
            the pictures, or `end_token` is no token.

    Reference: Radford et al. 2021, sections 2.3-2.5 and figure 3,
        https://arxiv.org/abs/2103.00020; equal texts: Yang et al. 2022, eq. 2-4,
        https://arxiv.org/abs/2204.03610
    """

    weighted = False
    decoding = "cosines of vectors"
    verbs: ClassVar = ("rank",)
    jit_generate: ClassVar = True
    makes = Vector()

    image_encoder: Network
    text_encoder: TokenNetwork
    target: Image
    given: tuple[Modality, ...]
    embedding_size: Size = 512
    mean: tuple[float, ...] = (0.5,)
    deviation: tuple[float, ...] = (0.5,)
    end_token: EndToken | None = 0

    def sizes_of(self, field):
        sizes = super().sizes_of(field)
        open_ = isinstance(getattr(self.text_encoder, "context", None), Later)
        if field == "text_encoder" and open_ and "text_length" in sizes:
            sizes = {**sizes, "context": sizes["text_length"]}
        return sizes

    def check(self):
        if [type(kind) for kind in self.given] != [Text]:
            raise ValueError(
                "`given` must be one Text. "
                f"Received: {[type(kind).__name__ for kind in self.given]}"
            )
        channels = self.target.shape[-1]
        for name in ("mean", "deviation"):
            values = getattr(self, name)
            good = len(values) in (1, channels) and all(map(math.isfinite, values))
            if not good or (name == "deviation" and min(values) <= 0):
                above = " above 0" if name == "deviation" else ""
                raise ValueError(
                    f"`{name}` must be one finite float{above}, or one for each of "
                    f"{channels} channels. Received: {name}={values}"
                )
        size = self.text_encoder.vocabulary_size
        if self.end_token is not None and self.end_token >= size:
            raise ValueError(
                f"`end_token` must be below {size}, the vocabulary. "
                f"Received: end_token={self.end_token}"
            )

    def make(self):
        self.image_projection = self._projection(
            "image_projection", self.image_encoder.pooled_width
        )
        self.text_projection = self._projection(
            "text_projection", self.text_encoder.width
        )
        self.log_scale = self.add_weight(
            (),
            initializer=keras.initializers.Constant(START),
            constraint=lambda value: ops.minimum(value, LARGEST),
            dtype="float32",
            name="log_scale",
        )
        self.accuracy_tracker = keras.metrics.Mean(name="accuracy")

    def _projection(self, name, width):
        layer = keras.layers.Dense(
            self.embedding_size,
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(stddev=width**-0.5),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, width))
        return layer

    @property
    def vocabulary_size(self):
        return self.text_encoder.vocabulary_size

    @property
    def context(self):
        """int or `None`, in tokens: the longest text."""
        return self.given[0].length or self.text_encoder.context

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        return {
            "images": self.image_vectors(batch[self.target.key]),
            "texts": self.text_vectors(batch["tokens"]),
        }

    def image_vectors(self, images):
        """float32 `(B, embedding_size)` of pictures, float `(B, H, W, C)` in [0, 1]."""
        mean, deviation = (
            ops.convert_to_tensor(values, "float32")
            for values in (self.mean, self.deviation)
        )
        x = (ops.cast(images, "float32") - mean) / deviation
        return unit(self.image_projection(self.image_encoder(x)))

    def text_vectors(self, tokens):
        """float32 `(B, embedding_size)` of texts, int `(B, T)`."""
        mask = self._is_text(tokens)
        hidden = self.text_encoder.hidden(tokens, mask)
        return unit(self.text_projection(self.text_encoder.pooled(hidden, mask)))

    def _is_text(self, tokens):
        """bool `(B, T)`: what is not padding."""
        if self.end_token is None:
            return tokens != 0
        ends = ops.cast(tokens == self.end_token, "int32")
        return ops.cumsum(ends, axis=1) - ends == 0  # no end stands before

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        images, texts, tokens = (
            y_pred["images"],
            y_pred["texts"],
            self.read(x)["tokens"],
        )
        # All rows of all replicas answer the rows of this one.
        right = shares(tokens, replicas.gather(tokens))
        scale = ops.exp(self.log_scale)
        of_images = scale * ops.matmul(images, ops.transpose(replicas.gather(texts)))
        of_texts = scale * ops.matmul(texts, ops.transpose(replicas.gather(images)))
        best = ops.argmax(of_images, axis=-1)[:, None]
        found = ops.take_along_axis(right, best, axis=1) > 0
        self.accuracy_tracker.update_state(ops.cast(found, "float32"))
        loss = ops.mean(cross_entropy(right, of_images))
        return replicas.share((loss + ops.mean(cross_entropy(right, of_texts))) / 2)

    def metric_inputs(self, x, y_pred):
        """Which picture is whose, and the logits of this replica's rows."""
        images, texts = y_pred["images"], y_pred["texts"]
        logits = ops.exp(self.log_scale) * ops.matmul(images, ops.transpose(texts))
        return ops.arange(ops.shape(logits)[0]), logits

    def loader(self, images, texts=None, batch_size=256, shuffle=True, seed=0):
        """Batches for `fit` of pictures and what they show.

        Args:
            images: pictures as `embed_images` takes them, a generator or a data set;
                or pairs of a picture and its text.
            texts: list of as many str, or `None`: in the pairs.
            batch_size: int. Of the others in its batch a picture tells its own text:
                the more, the better.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if there are more pictures than texts or fewer, or if something
                cannot be read.
        """
        images = as_rows(images, "images")
        if texts is None:
            images, texts = columns(images, 2, "images")
        texts = as_rows(texts, "texts")
        if len(texts) != len(images):
            raise ValueError(
                f"`texts` must be as many as `images`, {len(images)}. "
                f"Received: {len(texts)}"
            )
        arrays = {
            self.target.key: self._pictures(images),
            "tokens": self.tokens(texts),
        }
        return in_batches(arrays, len(texts), batch_size, shuffle, seed)

    def tokens(self, texts):
        """Texts as the model reads them.

        Args:
            texts: str, or sequence of str; with a `length` of its `Text` also int
                tokens `(N, length)`, and without one texts are cut to the context.

        Returns:
            int32 `(N, T)`.

        Raises:
            ValueError: without a tokenizer, without texts, or if one is longer.
        """
        texts = [texts] if isinstance(texts, str) else texts
        if not len(texts):
            raise ValueError("`texts` must have at least one text. Received: []")
        if self.given[0].length is not None:
            return self.given[0].read(texts, "texts")
        if self.tokenizer is None:
            raise ValueError(
                f"{self.name} must have a `tokenizer` to read texts. Received: None"
            )
        texts = check_texts("texts", texts)
        encodings = framing.encode(self.tokenizer, texts, None, self.context)
        longest = max(len(encoding.ids) for encoding in encodings)
        length = -(-max(1, longest) // framing.ROUND) * framing.ROUND
        length = min(length, self.context or length)
        return framing.collate(encodings, self.end_token or 0, length)["tokens"]

    def embed_images(self, images, batch_size=BATCH):
        """Vectors of pictures.

        Args:
            images: float `(N, H, W, C)` in [0, 1] or uint8, or one `(H, W, C)`; or
                a path, a picture of PIL, or a list of those, of any size: the shorter
                side is scaled and the middle taken.
            batch_size: int. Pictures that are read at once.

        Returns:
            float32 `(N, embedding_size)`, of length one.

        Raises:
            ValueError: for another shape, or values out of range.
            OSError: if a file cannot be read.
        """
        check_count("batch_size", batch_size)
        jit = self.jit_generate and self.image_encoder.jit_generate
        vectors = compiled(self, "images", lambda: self.image_vectors, jit)
        return by_batch(vectors, self._pictures(images), batch_size)

    def embed_texts(self, texts, batch_size=BATCH):
        """Vectors of texts.

        Args:
            texts: str, or sequence of str; see `tokens`.
            batch_size: int. Texts that are read at once.

        Returns:
            float32 `(N, embedding_size)`, of length one.

        Raises:
            ValueError: as `tokens`.
        """
        check_count("batch_size", batch_size)
        jit = self.jit_generate and self.text_encoder.jit_generate
        vectors = compiled(self, "texts", lambda: self.text_vectors, jit)
        return by_batch(vectors, self.tokens(texts), batch_size)

    def embed(self, texts, batch_size=BATCH):
        """The same as `embed_texts`, as whatever makes a `Vector` has it."""
        return self.embed_texts(texts, batch_size)

    @property
    def longest_text(self):
        """int or `None`, in tokens: the longest text that is read as a whole."""
        return self.context

    def count_tokens(self, texts):
        """list of int: how many tokens texts have, before they are cut.

        Args:
            texts: sequence of str.
        """
        encodings = framing.encode(self.tokenizer, check_texts("texts", texts))
        return [len(encoding.ids) for encoding in encodings]

    def similarity(self, images, texts, batch_size=BATCH):
        """How well each text fits each picture.

        Args:
            images, texts, batch_size: see `embed_images` and `embed_texts`.

        Returns:
            float32 `(N, M)`: cosines of N pictures with M texts.
        """
        pictures = self.embed_images(images, batch_size)
        return pictures @ self.embed_texts(texts, batch_size).T

    def classify(self, images, texts, batch_size=BATCH):
        """Which of several texts says what a picture shows: no class was trained.

        Args:
            images, batch_size: see `embed_images`.
            texts: list of str, one a class: "a photo of a cat".

        Returns:
            float32 `(N, M)`: probabilities of M texts for each of N pictures.

        Reference: Radford et al. 2021, section 3.1.2
        """
        logits = self.scale * self.similarity(images, texts, batch_size)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def rank(self, texts, images, k=5, batch_size=BATCH):
        """The pictures that fit a text best.

        Args:
            texts, images, batch_size: see `embed_texts` and `embed_images`.
            k: int. How many; all of them, if they are fewer.

        Returns:
            `Ranking`.

        Raises:
            TypeError: if `k` is not an int.
            ValueError: if it is below 1.
        """
        check_integer("k", k, 1)
        cosines = self.similarity(images, texts, batch_size).T  # (T, N)
        places = np.argsort(-cosines, axis=1, kind="stable")[:, :k].astype("int32")
        scores = np.take_along_axis(cosines, places, axis=1)
        single = 0 if isinstance(texts, str) else slice(None)
        return Ranking(places[single], scores[single])

    @property
    def scale(self):
        """float: what cosines are multiplied by, 1 over the temperature."""
        return float(np.exp(ops.convert_to_numpy(self.log_scale)))

    def _pictures(self, images):
        """float32 `(N, H, W, C)` in [0, 1]."""
        values = images if isinstance(images, list) else [images]
        if values and all(_is_picture(value) for value in values):
            size = self.target.shape[:2]
            values = [self.target.opened(value, "images") for value in values]
            images = np.stack([scaled_and_cropped(value, size) for value in values])
        return self.target.read(images, "images")


def _is_picture(value):
    """Whether a value is a file or a picture of PIL, and no array."""
    return isinstance(value, str | os.PathLike) or hasattr(value, "getexif")
