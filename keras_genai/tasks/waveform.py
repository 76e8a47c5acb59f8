"""WaveformModel: sounds sample by sample, each given all that came before it."""

from typing import Annotated, Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import draws, replicas
from keras_genai.checks import MOST_NUMBERS, check_integer, check_number, check_seed
from keras_genai.declared import Rate, part
from keras_genai.likelihoods import MuLaw
from keras_genai.modalities.audio import Audio
from keras_genai.modalities.base import Modality
from keras_genai.networks.base import Network
from keras_genai.padding import pad_sequence
from keras_genai.registry import register
from keras_genai.samplers.session import bucket, compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.hiding import can_be_open, hide, nothing
from keras_genai.tasks.sample_task import SampleTask

STEPS = 4_096  # samples made in one call of the loop
_SCORED = 8  # sounds at once
_MOST = 1e30  # of a number that float32 has to multiply
_LEAST = 1_024  # samples that sounds are padded to, to be scored


@register
class WaveformModel(SampleTask):
    """An autoregressive model of sounds, whose samples are read as codes.

    The loss is what a code costs on average, in nats, of the samples that are sound:
    minus the logarithm of its probability. Before a sound there is silence. In a crop
    that begins amid one, what came before is not known: its first targets do not count,
    as many as the network reaches back, but half of the crop at most.

    Args:
        network: such as `WaveNet`, with its `step` and `receptive_field`.
        target: `Audio`.
        given: `Label`, `Speaker` and `Mel`, as many of them as wanted.
        likelihood: `MuLaw` or `MixtureOfLogistics`: which codes samples are read as,
            and how probable they are. Nats are comparable between equal codes alone.
        label_dropout: float. Share of examples whose classes and speakers are hidden in
            training, which guidance needs.

    Call arguments:
        inputs: dict of `waves`, float `(B, T)` in [-1, 1]; `samples`, int `(B,)`, and
            `starts`, int `(B,)`, see `Audio`; and what `given` has. Other keys are
            ignored.
        training: bool.

    Returns:
        dict of `parameters`, float32 `(B, T, P)`, what the likelihood reads, of
        `MuLaw` logits; `codes`, int32 `(B, T)`, which they predict; and `weights`,
        float32 `(B, T)`, 1 where that counts.

    Raises:
        TypeError: if `likelihood` is none of sounds.
        ValueError: if a batch is of another shape.

    Reference: van den Oord et al. 2016, https://arxiv.org/abs/1609.03499
    """

    network: Network
    target: Audio
    given: tuple[Modality, ...] = ()
    likelihood: Annotated[Any, part("codes", "keras_genai.likelihoods, of sounds")] = (
        MuLaw()
    )
    label_dropout: Rate = 0.0

    casts_inputs = False  # bfloat16 cannot tell neighbouring samples

    @property
    def network_sizes(self):
        return {**super().network_sizes, **self.likelihood.network_sizes}

    def make(self):
        self.jit_generate = self.network.jit_generate
        self.seed_generator = replicas.SeedGenerator(name="seed_generator")

    @property
    def rate(self):
        """int: samples a second."""
        return self.target.rate

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        if training:
            batch = hide(batch, self.given, self.label_dropout, self.seed_generator)
        codes = self.likelihood.codes(batch["waves"])
        told = {name: batch[name] for name in self._told_fields()}
        silence = ops.full_like(codes[:, :1], self.likelihood.silence)
        before = ops.concatenate([silence, codes[:, :-1]], axis=1)
        told["starts"] = batch.get("starts")
        parameters = self.network(self.likelihood.inputs(before), **told)
        weights = self._weights(batch, ops.shape(codes)[1])
        return {"parameters": parameters, "codes": codes, "weights": weights}

    def _told_fields(self):
        """Names of what the network is told in a batch."""
        return [name for kind in self.given for name in kind.fields]

    def _weights(self, batch, length):
        """float32 `(B, T)`: 1 of what is sound, and has before it what came before."""
        place = ops.arange(length)[None]
        counts = ops.ones_like(batch["waves"], dtype="bool")
        if "samples" in batch:
            counts = counts & (place < batch["samples"][:, None])
        if "starts" in batch:
            unheard = ops.minimum(self.network.receptive_field, length // 2)
            counts = counts & ((batch["starts"][:, None] == 0) | (place >= unheard))
        return ops.cast(counts, "float32")

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        nats, weights = self._nats(y_pred), y_pred["weights"]
        return replicas.share(replicas.masked_mean(nats, weights, sample_weight))

    def metric_inputs(self, x, y_pred):
        return y_pred["codes"], y_pred["parameters"]

    def _nats(self, found):
        """float32 `(B, T)`: of each code."""
        return -self.likelihood.log_prob(found["parameters"], found["codes"])

    def score(self, waves, **given):
        """What the codes of whole sounds cost.

        Args:
            waves: sounds, as `Audio.read` takes them.
            **given: `labels`, `speakers`: one for all, or one of each. Spectrograms are
                those of the sounds themselves.

        Returns:
            float32 array `(N,)`: nats a sample, averaged over each sound.

        Raises:
            ValueError: if something is missing, or is no sound.
        """
        rows = self.target.read(waves)
        told = {kind.key: _own(kind, rows, given) for kind in self.given}
        function = compiled(self, ("score",), lambda: self._score, jit_compile=False)
        order = np.argsort([len(row) for row in rows], kind="stable")
        found = np.zeros(len(rows), "float32")
        for first in range(0, len(rows), _SCORED):
            index = order[first : first + _SCORED]
            longest = bucket(max(len(rows[i]) for i in index), _LEAST)
            batch = self.target.batch([rows[i] for i in index])
            missing = longest - batch["waves"].shape[1]
            batch["waves"] = np.pad(batch["waves"], ((0, 0), (0, missing)))
            for kind in self.given:
                own = [told[kind.key][i] for i in index]
                batch |= kind.batch(own) if kind.key == "mels" else {kind.key: own}
            batch = {name: tf.constant(value) for name, value in batch.items()}
            found[index] = function(batch).numpy()
        return found

    def _score(self, batch):
        found = self(batch)
        nats, weights = self._nats(found), found["weights"]
        return ops.sum(nats * weights, axis=1) / ops.sum(weights, axis=1)

    def generate(
        self,
        count=None,
        seconds=0.5,
        seed=0,
        temperature=1.0,
        guidance=1.0,
        **given,
    ):
        """New sounds, sample by sample in one compiled loop.

        Row i is the same for a seed, whatever the other rows are.

        Args:
            count: int, or `None`: as many as there are spectrograms, or 1.
            seconds: float. How long they are. With spectrograms, a hop for each frame,
                and silence behind the shorter ones.
            seed: int.
            temperature: float > 0. Below 1, likelier codes are drawn more often.
            guidance: float >= 0. 1 is the model as it is; above, codes are drawn more
                often that what is given makes likelier, at twice the work. See
                `can_be_guided`.
            **given: `labels` and `speakers`, one for all or one for each; by default
                all of them in turn. `mels`, spectrograms as `Mel` makes them, or the
                sounds or files whose spectrograms they are.

        Returns:
            float32 array `(count, T)` in [-1, 1].

        Raises:
            ValueError: if something that is given does not exist, or is missing.

        Reference: Sanchez et al. 2023 (guidance of logits),
            https://arxiv.org/abs/2306.17806
        """
        settings = seed, temperature, guidance
        chunks = self.stream(count, seconds, None, *settings, **given)
        return np.concatenate([*chunks], axis=1)

    def stream(
        self,
        count=None,
        seconds=0.5,
        chunk=0.1,
        seed=0,
        temperature=1.0,
        guidance=1.0,
        **given,
    ):
        """The same sounds as those of `generate`, piece by piece as they are made.

        Args:
            count, seconds, seed, temperature, guidance, **given: see `generate`.
            chunk: float, seconds of a piece; `None` for the largest.

        Yields:
            float32 array `(count, t)` in [-1, 1].

        Raises:
            ValueError: as `generate`, before anything is drawn.
        """
        check_seed(seed)
        _check_positive("temperature", temperature)
        _check_positive("seconds", seconds)
        count, samples, told = self._asked(count, seconds, given)
        steps = STEPS
        if chunk is not None:
            _check_positive("chunk", chunk)
            steps = max(1, min(samples, round(chunk * self.rate)))
        self._check_guidance(guidance)
        key = tf.constant(draws.key(seed))
        numbers = key, float(temperature), float(guidance)
        return self._chunks(count, samples, steps, told, numbers)

    @property
    def can_be_guided(self):
        """bool: whether `guidance` may be another number than 1."""
        learned = self.label_dropout > 0 and can_be_open(self.given)
        return learned and self.likelihood.has_logits

    def _check_guidance(self, guidance):
        allowed = f"a number >= 0, at most {_MOST:g}"
        check_number("guidance", guidance, allowed, lambda x: 0 <= x <= _MOST)
        if guidance != 1 and not self.can_be_guided:
            raise ValueError(
                "`guidance` must be 1 for a model without classes, without logits, or "
                f"trained with label_dropout=0. Received: {guidance=}"
            )

    def _asked(self, count, seconds, given):
        """How many sounds of how many samples, and what they are made from."""
        keys = [kind.key for kind in self.given]
        for name in given:
            if name not in keys:
                raise ValueError(
                    f"`{name}` must be left out: this model is given "
                    f"{', '.join(keys) or 'nothing'}. Received: {name}"
                )
        samples = max(1, round(seconds * self.rate))
        if "mels" in keys:
            mels, frames = self._spectrograms(given)
            count = len(mels) if count is None else count
            samples = mels.shape[1] * self.network.hop
        count = 1 if count is None else count
        check_integer("count", count, 1)
        count = int(count)  # NumPy's ints lack methods
        if samples * count * self.network.residual > MOST_NUMBERS:
            raise ValueError(
                "`seconds` times `count` must be at most "
                f"{MOST_NUMBERS // self.network.residual / self.rate:.0f}. "
                f"Received: {count} of {samples / self.rate:.1f} seconds"
            )
        told = {
            kind.key: kind.in_turn(count)
            if given.get(kind.key) is None
            else kind.rows(given[kind.key], count)
            for kind in self.given
            if kind.key != "mels"
        }
        if "mels" in keys:
            if len(mels) not in (1, count):
                raise ValueError(
                    f"`mels` must be one, or as many as there are sounds, {count}. "
                    f"Received: {len(mels)}"
                )
            told["mels"] = pictures.padded_rows(mels, count)
            told["frames"] = pictures.padded_rows(frames, count)
        return count, samples, told

    def _spectrograms(self, given):
        """Of what somebody gave as `mels`: float32 `(N, F, bands)`, int32 `(N,)`."""
        kind = next(kind for kind in self.given if kind.key == "mels")
        value = given.get("mels")
        if value is None:
            raise ValueError("`mels` must be given. Received: None")
        first = value[0] if isinstance(value, list) and value else value
        if getattr(first, "ndim", 0) == 3 or getattr(first, "shape", ())[-1:] == (
            kind.bands,
        ):
            rows = [value] if getattr(value, "ndim", 0) == 2 else [*value]
        else:
            rows = kind.read(value)
        rows = [np.asarray(row) for row in rows]
        if not rows or not all(row.size for row in rows):
            raise ValueError("`mels` must have at least one frame each. Received: none")
        for row in rows:
            kind.fields["mels"].check("mels", row[None])
        counts = np.array([len(row) for row in rows], "int32")
        return pad_sequence([row.astype("float32") for row in rows]), counts

    def _chunks(self, count, samples, steps, told, numbers):
        size, guided = pictures.few_sizes(count), numbers[-1] != 1
        told = {name: pictures.padded_rows(rows, size) for name, rows in told.items()}
        asked = {name: tf.constant(rows) for name, rows in told.items()}
        condition = self.network.condition(asked, samples)
        if guided:
            free = {**asked, **nothing(asked, self.given)}
            free = self.network.condition(free, samples)
            condition = tf.concat([condition, free], axis=0)
        draw = compiled(
            self,
            ("draw", size, steps, guided),
            lambda: _Loop(self.network, self.likelihood, size, steps, guided),
        )
        ends = np.full(size, samples)
        if "frames" in told:
            ends = told["frames"] * self.network.hop
        codes = tf.fill([size], self.likelihood.silence)
        rings = self.network.empty_rings(2 * size if guided else size)
        numbers = [tf.constant(number) for number in numbers]
        for first in range(0, samples, steps):
            left = min(steps, samples - first)
            codes, rings, made = draw(
                *(codes, rings, tf.constant(first), tf.constant(left)),
                *(_part(condition, first, steps), *numbers),
            )
            waves = self.likelihood.waves(made[:left]).numpy().T
            is_sound = first + np.arange(left) < ends[:, None]
            yield np.where(is_sound, waves, np.float32(0))[:count]


def _check_positive(name, value):
    """Raises unless float32 can multiply with a number, and divide by it."""
    allowed = f"above 0, from {1 / _MOST:g} to {_MOST:g}"
    check_number(name, value, allowed, lambda x: 1 / _MOST <= x <= _MOST)


def _own(kind, waves, given):
    """Rows of what sounds were made from: of spectrograms, their own."""
    if kind.key == "mels":
        return kind.read(waves)
    if given.get(kind.key) is None:
        raise ValueError(f"`{kind.key}` must be given. Received: None")
    return kind.rows(given[kind.key], len(waves))


class _Loop:
    """The loop that draws one code after the other.

    Args:
        network: with `step` and `told_blocks`.
        likelihood: with `inputs` and `sample`.
        size: int, B, sounds at once.
        steps: int, S, the most codes that one call draws.
        guided: bool. Whether rings and condition have as many rows again, of sounds
            that are anything.
    """

    def __init__(self, network, likelihood, size, steps, guided):
        self.guided = guided
        self.network = network
        self.likelihood = likelihood
        self.size = size
        self.steps = steps

    def __call__(
        self, codes, rings, first, left, condition, key, temperature, guidance
    ):
        """Draws codes.

        Args:
            codes: int32 `(B,)`, the last ones.
            rings: of the network, before these codes.
            first: int32 scalar. The step of the first one drawn.
            left: int32 scalar. How many are drawn, at most S.
            condition: float `(B, S or 1, E)`, or `None`.
            key: uint32 `(2,)`, a seed.
            temperature, guidance: float32 scalars.

        Returns:
            `(codes, rings, made)`: as they came, and int32 `(S, B)`.
        """
        always = condition is None or condition.shape[1] == 1
        known = None if condition is None else condition[:, 0]
        known = self.network.told_blocks(known)

        # Time is counted beside the place. Of `first + place`, which says where in a
        # ring to write, XLA would compile the loop anew for each `first`.
        def step(place, time, codes, rings, made):
            told = known
            if not always:
                told = self.network.told_blocks(condition[:, place])
            samples = self.likelihood.inputs(codes)
            if self.guided:
                samples = tf.concat([samples, samples], axis=0)
            parameters, rings = self.network.step(samples, rings, time, told)
            if self.guided:
                asked, free = tf.split(parameters, 2)
                parameters = free + guidance * (asked - free)
            chances = draws.uniform(key, tf.fill([self.size], time))
            codes = self.likelihood.sample(parameters, chances, temperature)
            made = ops.slice_update(made, (place, 0), codes[None])
            return place + 1, time + 1, codes, rings, made

        made = tf.zeros((self.steps, self.size), "int32")
        _, _, *found = tf.while_loop(
            lambda place, *_: place < left,
            step,
            (tf.constant(0), first, codes, tuple(rings), made),
        )
        return tuple(found)


def _part(condition, first, steps):
    """What holds for some of the steps, padded: float `(B, steps or 1, E)`."""
    if condition is None or condition.shape[1] == 1:
        return condition
    part = condition[:, first : first + steps]
    return tf.pad(part, [[0, 0], [0, steps - part.shape[1]], [0, 0]])
