"""TextToSpeech: spectrograms of what a text says, by flow matching."""

import math
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer, check_number, check_size
from keras_genai.declared import Finite, NotNegative, Positive
from keras_genai.layers.alignment import durations_of, monotonic_alignment, spread
from keras_genai.modalities.base import Modality
from keras_genai.modalities.speech import Speech
from keras_genai.networks.base import Network
from keras_genai.progress import watched
from keras_genai.registry import register
from keras_genai.samplers.session import bucket, compiled
from keras_genai.schedules import spread_evenly
from keras_genai.tasks.sample_task import SampleTask
from keras_genai.tasks.sources import Sources

PARTS = ("prior", "duration", "flow")
LEAST_FRAMES, LEAST_TOKENS = 64, 8  # of what is compiled once
MOST_FRAMES, MOST_STEPS = 2**16, 1_000  # of a text, and of the way to its sound
AT_ONCE = 64  # texts that are said together: all of a book would fill the memory
VALIDATION_SEED = 20_230_906


class Aligned(NamedTuple):
    """Texts and their sounds, frame by frame.

    Attributes:
        symbols: int32 `(B, F)`: the symbol of each frame, of `2 T + 1`.
        durations: int32 `(B, S)`: frames of each symbol.
        means: float32 `(B, F, bands)`: what the text says of each frame.
        log_durations: float32 `(B, S)`: the durations that the text says.
        real: float32 `(B, F, 1)`: 0 behind the end.
        is_symbol: float32 `(B, S)`: 0 behind the end.
    """

    symbols: Any
    durations: Any
    means: Any
    log_durations: Any
    real: Any
    is_symbol: Any


@register
class TextToSpeech(SampleTask):
    """A model that says texts.

    It finds out by itself which frames belong to which symbol of a text: those that go
    best with what it says of the symbols, in their order. Three errors are added: of
    what it says of each frame, of durations, and of the way from noise to the frames.

    Args:
        network: a `Matcha`, or another one with the same methods.
        target: `Speech`.
        given: `Text` with a length; and a `Speaker`, if there are several.
        mean: float. What spectrograms are on average, which the network sees as 0.
        deviation: float > 0. How far they are from it, which it sees as 1.
        least_noise: float. Deviation of the noise where the way ends.

    Call arguments:
        inputs: dict of `tokens`, int `(B, length)`, 0 where nothing is; `mels`, float
            `(B, F, bands)`; `frames`, int `(B,)`; and `speakers`, int `(B,)`, if
            there are several.
        training: bool. If `False`, the same noise is added in every call.

    Returns:
        dict of float32 `(B,)`, means over the frames or symbols of each row: `prior`,
        half the squared distance of each band's deviation from what the text says of
        it; `duration`, squared errors of logarithms; `flow`, squared errors.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of range, or a batch is of another shape.

    Reference: Mehta et al. 2024, eqs. 2-4, https://arxiv.org/abs/2309.03199; Kim et al.
        2020, section 3 (alignment), https://arxiv.org/abs/2005.11129
    """

    network: Network
    target: Speech
    given: tuple[Modality, ...]
    mean: Finite = 0.0
    deviation: Positive = 1.0
    least_noise: NotNegative = 1e-4

    verbs: ClassVar = ("speak",)
    weighted = False
    decoding = "10 steps of Euler, temperature 0.667, Griffin-Lim"

    def _make_if_complete(self):
        self._check_given()  # before the network is completed by what it says
        super()._make_if_complete()

    def _check_given(self):
        keys = [kind.key for kind in self.given]
        if keys not in (["tokens"], ["tokens", "speakers"]):
            raise ValueError(
                "`given` must be a Text, or a Text and a Speaker. "
                f"Received: {[type(kind).__name__ for kind in self.given]}"
            )
        if self.given[0].length is None:
            raise ValueError(
                "`given` must be texts of one length, such as Text(tokenizer, "
                "length=40). Received: Text of any"
            )

    def make(self):
        self.jit_generate = self.network.jit_generate
        self.seed_generator = replicas.SeedGenerator(name="seed_generator")
        self.trackers = {name: keras.metrics.Mean(name=name) for name in PARTS}

    @property
    def voices(self):
        """tuple of str, or `None` if there is one voice."""
        return self.given[1].words if len(self.given) > 1 else None

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        clean = self._standard(batch["mels"])
        speakers = batch.get("speakers")
        found = self._align(batch["tokens"], speakers, clean, batch["frames"], training)
        prior = 0.5 * (ops.square(clean - found.means) + math.log(2 * math.pi))
        target = ops.log(ops.maximum(ops.cast(found.durations, "float32"), 1.0))
        duration = ops.square(found.log_durations - target)
        flow = self._flow_error(clean, found, speakers, training)
        return {
            "prior": _mean(ops.mean(prior, axis=-1), found.real[..., 0]),
            "duration": _mean(duration, found.is_symbol),
            "flow": _mean(flow, found.real[..., 0]),
        }

    def _align(self, tokens, speakers, clean, frames, training=False):
        said = self.network.read(tokens, speakers, training=training)
        symbols = monotonic_alignment(_scores(said.means, clean), said.lengths, frames)
        places = tf.shape(said.means)[1]
        real = tf.sequence_mask(frames, tf.shape(clean)[1], "float32")[..., None]
        return Aligned(
            symbols,
            durations_of(symbols, frames, places),
            tf.gather(said.means, symbols, batch_dims=1),
            said.log_durations,
            real,
            tf.sequence_mask(said.lengths, places, "float32"),
        )

    def _flow_error(self, clean, found, speakers, training):
        """float32 `(B, F)`: of the velocity at a time between noise and sound."""
        seed = self.seed_generator if training else VALIDATION_SEED
        noise = keras.random.normal(ops.shape(clean), dtype="float32", seed=seed)
        time = spread_evenly(ops.shape(clean)[0], seed)
        wide, kept = time[:, None, None], 1.0 - self.least_noise
        noisy = (1.0 - kept * wide) * noise + wide * clean
        said = self.network(
            noisy, time, found.means, found.real, speakers, training=training
        )
        return ops.mean(ops.square(said - (clean - kept * noise)), axis=-1)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        for name, tracker in self.trackers.items():
            tracker.update_state(y_pred[name])
        return replicas.share(ops.mean(sum(y_pred[name] for name in PARTS)))

    def metric_inputs(self, x, y_pred):
        error = y_pred["flow"][:, None]
        return ops.zeros_like(error), error

    def alignment(self, prompts, sounds, speakers=None):
        """Which symbol of its text each frame of a sound belongs to.

        Args:
            prompts: str, list of str, or int tokens `(count, length)`.
            sounds: one of each text: list of log-mels `(F, bands)`, or what the target
                reads, such as a path, samples, or several.
            speakers: see `generate`.

        Returns:
            list of int32 arrays `(F,)`: places in `2 T + 1` symbols. Token i is symbol
            `2 i + 1`; even ones are before, between and behind the tokens.

        Raises:
            ValueError: if there are not as many sounds as texts, or one cannot be read.
        """
        tokens = self._tokens(prompts)
        mels = self.spectrograms(sounds)
        if len(mels) != len(tokens):
            raise ValueError(
                f"`sounds` must be one of each text, {len(tokens)}. "
                f"Received: {len(mels)}"
            )
        batch = self.target.batch(mels)
        found = self._align(
            ops.convert_to_tensor(tokens),
            self._voices(speakers, len(tokens)),
            self._standard(batch["mels"]),
            ops.convert_to_tensor(batch["frames"]),
        )
        ways = found.symbols.numpy()
        return [way[: len(mel)] for way, mel in zip(ways, mels, strict=True)]

    def spectrograms(self, sounds):
        """list of float32 `(F, bands)`: of sounds, see `alignment`."""
        return Sources(self.target, sounds).rows

    def generate(
        self,
        prompts,
        speakers=None,
        speed=1.0,
        steps=10,
        temperature=0.667,
        seed=0,
        progress=None,
    ):
        """Spectrograms of texts.

        Args:
            prompts: str, list of str, or int tokens `(count, length)`.
            speakers: who speaks: a name or number, or one a text; `None` for the first.
            speed: float from 0.1 to 10. At 2 all takes half as long.
            steps: int. Of Euler's method, from noise to sound.
            temperature: float >= 0. Deviation of the noise.
            seed: int. The noise of a text is the same in any company.
            progress: bool. Whether to show a bar of many texts; `None`: if a person
                watches.

        Returns:
            list of float32 arrays `(frames, bands)`, as the target's log-mels.

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if one is out of range.
        """
        check_number("speed", speed, "from 0.1 to 10", lambda x: 0.1 <= x <= 10)
        check_size("steps", steps, most=MOST_STEPS)
        allowed = "finite, and at least 0"
        check_number("temperature", temperature, allowed, lambda x: 0 <= x < math.inf)
        check_integer("seed", seed, 0)
        tokens = self._tokens(prompts)
        voices = self._voices(speakers, len(tokens))
        parts = []
        for first in range(0, len(tokens), AT_ONCE):
            rows = slice(first, first + AT_ONCE)
            own = None if voices is None else voices[rows]
            parts.append((tokens[rows], own, self._durations(tokens[rows], own, speed)))
        _check_frames([durations for *_, durations in parts])
        draws = (np.random.default_rng([seed, row]) for row in range(len(tokens)))
        shown = progress if len(parts) > 1 else False
        walked = [
            self._drawn(*part, draws, temperature, steps)
            for part in watched(parts, "batch", shown)
        ]
        return [mel for mels in walked for mel in mels]

    def _drawn(self, tokens, voices, durations, draws, temperature, steps):
        """list of float32 `(frames, bands)`: spectrograms of a few texts."""
        frames = durations.sum(axis=1)
        shape = bucket(int(frames.max()), LEAST_FRAMES), self.bands
        noise = np.stack([next(draws).standard_normal(shape) for _ in tokens])
        noise = temperature * noise.astype("float32")
        walk = compiled(self, "walk", lambda: self._walk)
        found = walk(tokens, voices, durations, noise, tf.constant(steps)).numpy()
        found = found * self.deviation + self.mean
        return [mel[:count] for mel, count in zip(found, frames, strict=True)]

    @property
    def bands(self):
        """int: of its spectrograms."""
        return self.target.bands

    def speak(self, prompts, speakers=None, **options):
        """Texts, spoken.

        Args:
            prompts, speakers, **options: see `generate`.

        Returns:
            list of float32 waves `(T,)` in [-1, 1], at the target's rate.
        """
        return [
            self.target.heard(m) for m in self.generate(prompts, speakers, **options)
        ]

    def _tokens(self, prompts):
        """int array `(B, T)` of texts that somebody wants to hear."""
        if not isinstance(prompts, str) and not hasattr(prompts, "__len__"):
            raise TypeError(
                f"`prompts` must be a str, several, or tokens. Received: {prompts!r}"
            )
        tokens = self.given[0].read(prompts, "prompts") if len(prompts) else []
        if not len(tokens) or not tokens.any(axis=1).all():
            raise ValueError(
                "`prompts` must be at least one text, of at least one token each. "
                f"Received: {prompts!r:.60}"
            )
        return tokens

    def _voices(self, speakers, count):
        if self.voices is None:
            if speakers is not None:
                raise ValueError(
                    "`speakers` must be `None` for a model of one voice. "
                    f"Received: {speakers=}"
                )
            return None
        return self.given[1].rows(0 if speakers is None else speakers, count)

    def _durations(self, tokens, voices, speed):
        """int array `(B, S)`: frames of each symbol, at least one."""
        read = compiled(self, "read", lambda: self.network.read)
        said = read(tokens, voices)
        frames = np.exp(said.log_durations.numpy()) / speed
        frames = np.clip(np.round(frames), 1, MOST_FRAMES + 1).astype("int32")
        places = np.arange(frames.shape[1])
        return frames * (places[None] < said.lengths.numpy()[:, None])

    def _walk(self, tokens, voices, durations, noise, steps):
        """float32 `(B, F, bands)`: from noise to sound, in one loop for any `steps`."""
        length = tf.shape(noise)[1]
        said = self.network.read(tokens, voices)
        means = tf.gather(said.means, spread(durations, length), batch_dims=1)
        frames = tf.reduce_sum(durations, axis=1)
        real = tf.sequence_mask(frames, length, "float32")[..., None]
        rows, count = tf.shape(noise)[:1], tf.cast(steps, "float32")

        def step(place, x):
            time = tf.fill(rows, tf.cast(place, "float32") / count)
            return place + 1, x + self.network(x, time, means, real, voices) / count

        start = tf.constant(0), noise
        return tf.while_loop(lambda place, _: place < steps, step, start)[1]

    def _standard(self, mels):
        return (ops.cast(mels, "float32") - self.mean) / self.deviation


def _check_frames(durations):
    """Raises unless every text, int `(B, S)` each, is short enough to be said."""
    longest = max((part.sum(axis=1).max() for part in durations), default=0)
    if longest > MOST_FRAMES:
        raise ValueError(
            f"`prompts` must be said in at most {MOST_FRAMES:,} frames. "
            f"Received: one that takes {longest:,}"
        )


def _scores(means, clean):
    """float32 `(B, S, F)`: the logarithm of how well symbols and frames go together."""
    product = tf.matmul(means, clean, transpose_b=True)
    square = tf.reduce_sum(tf.square(means), axis=-1)[:, :, None]
    # What is the same for all symbols of a frame does not matter.
    return product - 0.5 * square


def _mean(values, mask):
    """float32 `(B,)`: of what counts in each row."""
    return ops.sum(values * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
