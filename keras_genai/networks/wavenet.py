"""WaveNet: sounds sample by sample, by dilated causal convolutions."""

import math

import keras
from keras import ops

from keras_genai.declared import LATER, Levels, Size, Sizes
from keras_genai.layers.conditioning import ClassEmbedding
from keras_genai.layers.dilated import GatedResidual, between_frames, sum_of_skips
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import FeedForward
from keras_genai.networks.base import Network
from keras_genai.registry import register

ASIDE = 2  # frames on either side that are seen with one


@register
class WaveNet(Network):
    """The next sample of a sound, given all before it that it reaches back to.

    It may be told, beside the samples, a class and a speaker, whose vectors are added,
    and a spectrogram, which is spread over the samples between its frames. With
    `moments` a class is not one vector but several in turn, so that the network is told
    how far into a word it is, as linguistic features tell that of section 3.2.

    Args:
        num_codes: int or `None`. How many codes there are for a sample, of which it
            reads one; without, it reads the sample itself. A task fills it in from its
            likelihood.
        num_outputs: int or `None` (`num_codes`: logits). Numbers that it says of the
            next sample.
        num_classes: int or `None`. If given, it is told classes.
        num_speakers: int or `None`. If given, it is told speakers.
        bands: int or `None`. If given, it is told spectrograms of so many.
        hop: int or `None`. Samples from one of their frames to the next, and from one
            moment to the next.
        moments: int or `None`. If given, how many moments each class has, if there are
            classes. Each is a vector of its own, which two layers fit to the speaker;
            the last holds on.
        dilations: tuple of int, a block each.
        kernel_size: int.
        residual: int. Channels from block to block.
        gate: even int. See `GatedResidual`.
        skip: int. Channels of what all blocks give to the end.
        embedding: int. Numbers of what it is told.

    Call arguments:
        samples: codes, int `(B, T)`; without codes float `(B, T)` in [-1, 1].
        labels: int `(B,)`, or `None` without classes.
        speakers: int `(B,)`, or `None` without speakers.
        mels: float `(B, F, bands)`, or `None` without spectrograms.
        frames: int `(B,)`, how many of each spectrogram are sound, or `None`: all. What
            follows is not seen: the last one holds on.
        starts: int `(B,)`, the sample of its sound at which each row begins, or `None`:
            0. It matters to moments alone.

    Returns:
        float32 `(B, T, num_outputs)`: those at t are of sample t + 1.

    Raises:
        ValueError: if `gate` is odd, bands or moments are without a hop, or there are
            neither codes nor outputs.

    Reference: van den Oord et al. 2016, https://arxiv.org/abs/1609.03499; the sums of
        skips are divided by the root of their number
    """

    num_codes: Levels | None = LATER
    num_outputs: Size | None = None
    num_classes: Size | None = None
    num_speakers: Size | None = None
    bands: Size | None = None
    hop: Size | None = None
    moments: Size | None = None
    dilations: Sizes = tuple(2**power for power in range(10)) * 2
    kernel_size: Levels = 2
    residual: Size = 32
    gate: Levels = 64
    skip: Size = 128
    embedding: Size = 16

    def check(self):
        if self.gate % 2:
            raise ValueError(f"`gate` must be even. Received: gate={self.gate}")
        if (self.bands or self.moments) and not self.hop:
            raise ValueError(
                "`hop` must be given with `bands` or `moments`. Received: hop=None"
            )
        if not (self.num_codes or self.num_outputs):
            raise ValueError(
                "`num_outputs` must be given without `num_codes`. "
                "Received: num_outputs=None"
            )

    @property
    def receptive_field(self):
        """int: how many samples an output depends on."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    def make(self):
        policy = self.dtype_policy
        self.samples = self._sample_layer(policy)
        self._make_told(policy)
        self.blocks = []
        for index, dilation in enumerate(self.dilations):
            block = GatedResidual(
                *(self.gate, self.skip, self.kernel_size, dilation),
                dtype=policy,
                name=f"block_{index}",
            )
            told = (None, None, self.embedding) if self.is_told else None
            block.build((None, None, self.residual), told)
            self.blocks.append(block)
        self.first_head = keras.layers.Dense(
            self.skip, activation="relu", dtype=policy, name="first_head"
        )
        self.second_head = keras.layers.Dense(
            self.num_outputs or self.num_codes, dtype=policy, name="second_head"
        )
        self.first_head.build((None, None, self.skip))
        self.second_head.build((None, None, self.skip))

    def _sample_layer(self, policy):
        """What makes vectors of codes, `(B, T)`, or of samples, `(B, T, 1)`."""
        start = keras.initializers.RandomNormal(stddev=0.5)
        if self.num_codes:
            size = self.num_codes, self.residual
            layer = TokenEmbedding(
                *size, embeddings_initializer=start, dtype=policy, name="codes"
            )
            layer.build((None, None))
            return layer
        layer = keras.layers.Dense(
            self.residual, kernel_initializer=start, dtype=policy, name="samples"
        )
        layer.build((None, None, 1))
        return layer

    def _make_told(self, policy):
        """Layers of what the network is told, `None` where it is not."""
        self.labels = self.speakers = self.mels = self.moment = None
        if self.num_classes:
            size = self.num_classes, self.embedding * (self.moments or 1)
            self.labels = self._class_embedding(*size, "labels", policy)
            self._make_moment(policy)
        if self.num_speakers:
            size = self.num_speakers, self.embedding
            self.speakers = self._class_embedding(*size, "speakers", policy)
        if self.bands:
            self.mels = keras.layers.Conv1D(
                self.embedding, 2 * ASIDE + 1, dtype=policy, name="mels"
            )
            self.mels.build((None, None, self.bands))

    def _make_moment(self, policy):
        if self.moments:
            size = 2 * self.embedding
            self.moment = FeedForward(size, dtype=policy, name="moment")
            self.moment.build((None, None, self.embedding))

    def _class_embedding(self, size, units, name, policy):
        layer = ClassEmbedding(size, units, dtype=policy, name=name)
        layer.build()
        return layer

    @property
    def is_told(self):
        """bool: whether it is told anything beside samples."""
        return bool(self.num_classes or self.num_speakers or self.bands)

    def call(
        self,
        samples,
        labels=None,
        speakers=None,
        mels=None,
        frames=None,
        starts=None,
    ):
        given = dict(labels=labels, speakers=speakers, mels=mels)
        given |= dict(frames=frames, starts=starts)
        condition = self.condition(given, ops.shape(samples)[1])
        x, gates = self._read(samples), []
        for block in self.blocks:
            x, gate = block(x, condition)
            gates.append(gate)
        return self._outputs(sum_of_skips(self.blocks, gates))

    def condition(self, given, samples):
        """All that the network is told, as one tensor.

        Args:
            given: dict of tensors by name: `labels`, `speakers`, `mels`, `frames`,
                `starts`.
            samples: int or int scalar tensor, T.

        Returns:
            float `(B, T, embedding)`, or `(B, 1, embedding)` without spectrograms and
            moments, or `None` if it is told nothing.
        """
        if not self.is_told:
            return None
        parts = []
        if self.labels is not None:
            vectors = self.labels(given["labels"])
            parts.append(ops.reshape(vectors, (-1, self.moments or 1, self.embedding)))
        if self.speakers is not None:
            parts.append(self.speakers(given["speakers"])[:, None])
        if self.moment is not None:
            spoken = sum(parts)
            spoken = spoken + self.moment(spoken)
            parts = [between_frames(spoken, self.hop, samples, given.get("starts"))]
        if self.mels is not None:
            frames = self._seen_frames(given["mels"], given.get("frames"))
            parts.append(between_frames(frames, self.hop, samples))
        return sum(parts)

    def _seen_frames(self, mels, counts):
        """float `(B, F, embedding)`: each frame with those around it.

        At both ends the outermost one holds on, whatever padding follows it, so that a
        sound is the same in any company.
        """
        length = ops.shape(mels)[1]
        last = length - 1 if counts is None else ops.cast(counts, "int32")[:, None] - 1
        last = ops.broadcast_to(last, (ops.shape(mels)[0], 1))
        places = ops.arange(-ASIDE, length + ASIDE)[None]
        places = ops.minimum(ops.maximum(places, 0), last)
        seen = self.mels(ops.take_along_axis(mels, places[..., None], axis=1))
        places = ops.minimum(ops.arange(length)[None], last)
        return ops.take_along_axis(seen, places[..., None], axis=1)

    def empty_rings(self, batch_size):
        """tuple of float `(slots, B, residual)`: those before the first sample."""
        return tuple(block.convolution.empty_ring(batch_size) for block in self.blocks)

    def told_blocks(self, condition):
        """What each block makes of what the network is told at one step.

        Args:
            condition: float `(B, embedding)`, or `None`.

        Returns:
            list of float `(B, gate)` or of `None`.
        """
        if condition is None:
            return [None] * len(self.blocks)
        return [block.condition(condition) for block in self.blocks]

    def step(self, samples, rings, time, told):
        """What it says of the sample that follows one.

        Args:
            samples: int32 or float `(B,)`, see the call arguments.
            rings: see `empty_rings`.
            time: int32 scalar. Which step it is, the first 0.
            told: see `told_blocks`.

        Returns:
            `(outputs, rings)`: float32 `(B, num_outputs)`, and the rings with this
            sample.
        """
        x, total, later = self._read(samples), 0, []
        for block, ring, known in zip(self.blocks, rings, told, strict=True):
            x, skipped, ring = block.step(x, ring, time, known)
            total = total + skipped
            later.append(ring)
        return self._outputs(total), tuple(later)

    def _read(self, samples):
        return self.samples(samples if self.num_codes else samples[..., None])

    def _outputs(self, total):
        x = ops.relu(total / math.sqrt(len(self.blocks)))
        return ops.cast(self.second_head(self.first_head(x)), "float32")
