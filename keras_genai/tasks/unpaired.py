"""CycleGAN: two sets of pictures, translated into each other without pairs."""

import dataclasses
import functools
from typing import Annotated, Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_integer, check_number
from keras_genai.declared import part
from keras_genai.layers.pool import ImagePool
from keras_genai.losses import LeastSquares
from keras_genai.modalities.base import Modality
from keras_genai.modalities.image import Image
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.adversarial import AdversarialTask
from keras_genai.tasks.drawing import to_pictures, translated
from keras_genai.tasks.gan import SCORED_AT_ONCE, chances
from keras_genai.tasks.paired import shapes_of, source_of

DOMAINS = ("a", "b")


@register
@dataclasses.dataclass(frozen=True)
class CycleConsistency:
    """What keeps a translation about the same picture.

    Args:
        weight: float. Weight of the error after going there and back.
        identity_weight: float. Weight of the change to a picture that is of the wanted
            domain already; only between equal numbers of channels.

    Raises:
        ValueError: if a weight is negative.

    Reference: Zhu et al. 2017, sections 3.2 and 5.2, https://arxiv.org/abs/1703.10593
    """

    weight: float = 10.0
    identity_weight: float = 5.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            check_number(field.name, value, "at least 0", lambda value: value >= 0)

    def get_config(self):
        return dataclasses.asdict(self)


@register
class CycleGAN(AdversarialTask):
    """Translators from A to B and back that undo each other.

    What is given are pictures of domain A, the target are those of domain B; rows of a
    batch do not belong together.

    Args:
        generator_a, generator_b: networks that make pictures of A from those of B, and
            the other way round; called as that of `Pix2Pix`. `CycleGANGenerator`.
        discriminator_a, discriminator_b: networks that judge pictures of one domain;
            see `GAN`. `PatchDiscriminator`.
        target: `Image`, B.
        given: `Image` with another key, A.
        loss: object of `keras_genai.losses`.
        consistency: `CycleConsistency`.
        pool_size: int. Earlier fakes that the discriminators see again; 0 for none.
        penalty: object of `keras_genai.losses`, or `None`.

    Call arguments:
        inputs: dict of a batch: `"images"`, float `(B, H, W, C)`, and what is given, by
            its key, in [0, 1].
        training: bool.

    Returns:
        float32 `(B, H, W, C)` in [0, 1]: what is given, translated to B.

    Raises:
        ValueError: if one picture is not given, if the shapes do not fit each other, or
            if an argument is out of range.

    Reference: Zhu et al. 2017, sections 3 and 4, https://arxiv.org/abs/1703.10593
    """

    generator_a: keras.Model
    generator_b: keras.Model
    discriminator_a: keras.Model
    discriminator_b: keras.Model
    target: Image
    given: tuple[Modality, ...]
    loss: Annotated[Any, part("generator", "keras_genai.losses")] = LeastSquares()
    consistency: CycleConsistency = CycleConsistency()
    pool_size: Annotated[int, functools.partial(check_integer, least=0)] = 0
    penalty: Annotated[Any, part("every", "keras_genai.losses")] | None = None

    verbs: ClassVar = ("edit",)
    transient = ("pool_a/pictures", "pool_a/seen", "pool_b/pictures", "pool_b/seen")

    def make(self):
        super().make()
        if self.pool_size:
            self.pool_a, self.pool_b = self._pool("a"), self._pool("b")
        self.track("cycle_error")

    def _pool(self, domain):
        shape = self.domains[domain].shape
        return ImagePool(self.pool_size, shape, dtype="float32", name=f"pool_{domain}")

    @property
    def domains(self):
        """dict of `Image` by domain: `"a"`, what is given, and `"b"`, the target."""
        return dict(zip(DOMAINS, (source_of(self.given), self.target), strict=True))

    @property
    def generators(self):
        return [self.generator_a, self.generator_b]

    @property
    def discriminators(self):
        return [self.discriminator_a, self.discriminator_b]

    def sizes_of(self, field):
        a, b = self.domains.values()
        return {
            "generator_a": shapes_of(b, a),
            "generator_b": shapes_of(a, b),
            "discriminator_a": {"image_shape": a.shape},
            "discriminator_b": {"image_shape": b.shape},
        }[field]

    def prepare(self, inputs):
        batch = super().prepare(inputs)
        return {domain: batch[kind.key] for domain, kind in self.domains.items()}

    def translated(self, images, to, training=False):
        """Pictures as those of a domain.

        Args:
            images: float32 `(B, ...)` in [-1, 1].
            to: `"a"` or `"b"`.
            training: bool.

        Returns:
            float32 `(B, ...)` in [-1, 1].
        """
        network = {"a": self.generator_a, "b": self.generator_b}[to]
        return translated(network, images, self.domains[to].shape, training)

    def score(self, images, domain, training=False):
        """The opinion of the discriminator of a domain: float32 `(B, ...)`."""
        judge = {"a": self.discriminator_a, "b": self.discriminator_b}[domain]
        return judge(images, {}, training=training)

    def draw_fake(self, real, training=False):
        return {
            "a": self.translated(real["b"], "a", training),
            "b": self.translated(real["a"], "b", training),
        }

    def compared(self, real, fake):
        return real["b"], fake["b"]

    def discriminator_loss(self, real, fake, training=False):
        if self.pool_size and training:
            fake = {"a": self.pool_a(fake["a"]), "b": self.pool_b(fake["b"])}
        return sum(
            self.loss.discriminator(
                self.score(real[domain], domain, training),
                self.score(fake[domain], domain, training),
            )
            for domain in DOMAINS
        )

    def generator_loss(self, real, fake, training=False):
        loss = sum(
            self.loss.generator(self.score(fake[domain], domain, training))
            for domain in DOMAINS
        )
        back = self.draw_fake(fake, training)
        cycle_error = _distance(back, real)
        self.trackers["cycle_error"].update_state(cycle_error)
        loss += self.consistency.weight * cycle_error
        if self.consistency.identity_weight and self._may_stay:
            same = {d: self.translated(real[d], d, training) for d in DOMAINS}
            loss += self.consistency.identity_weight * _distance(same, real)
        return loss

    @property
    def _may_stay(self):
        """bool: whether a translator can read what it makes."""
        return self.domains["a"].shape == self.domains["b"].shape

    def slope_penalty(self, real, fake):
        return sum(
            self.penalty(
                functools.partial(self.score, domain=domain),
                real[domain],
                fake[domain],
                self.seeds,
            )
            for domain in DOMAINS
        )

    def generate(self, count=16, labels=None, seed=0, averaged=False):
        """Not possible without pictures: use `translate`."""
        raise ValueError(
            "`generate` needs pictures in this model: use `translate(images)`. "
            f"Received: {count=}"
        )

    def translate(self, images, to="b", averaged=False):
        """Pictures of one domain as pictures of the other.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`, of the other domain.
            to: `"b"` or `"a"`.
            averaged: bool, as in `generate` of other GANs.

        Returns:
            float32 array in [0, 1], of the shape of that domain.

        Raises:
            ValueError: if `to` is unknown or `images` of another shape or range.
        """
        _check_domain("to", to)
        images = tf.constant(self._read(images, {"a": "b", "b": "a"}[to]))

        def build():
            return lambda images: to_pictures(self.translated(images, to))

        return self.drawn(("translate", to), build, (images,), averaged=averaged)

    def discriminate(self, images, domain="b"):
        """How likely pictures are taken to be real ones of a domain.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)` of that domain.
            domain: `"b"` or `"a"`.

        Returns:
            float32 array `(N,)` in [0, 1], mean over patches. See `GAN.discriminate`.

        Raises:
            ValueError: if `domain` is unknown or `images` of another shape or range.
        """
        _check_domain("domain", domain)

        def build():
            return lambda images: chances(self.loss, self.score(images, domain))

        function = compiled(self, ("discriminate", domain), build)
        images = self._read(images, domain)
        return pictures.by_batch(function, images, SCORED_AT_ONCE)

    def _read(self, images, domain):
        """float32 array in [-1, 1], of a user's pictures of a domain."""
        kind = self.domains[domain]
        return self.fields[kind.key].centred(kind.read(images, "images"))


def _check_domain(name, value):
    if value not in DOMAINS:
        raise ValueError(f'`{name}` must be "a" or "b". Received: {value!r}')


def _distance(one, other):
    """Mean absolute difference, added over both domains."""
    return sum(ops.mean(ops.abs(one[key] - other[key])) for key in DOMAINS)
