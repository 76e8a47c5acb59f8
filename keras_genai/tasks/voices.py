"""NoteLM: the next note, given all notes before it, voice by voice and step by step."""

from typing import ClassVar

import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer, check_seed
from keras_genai.modalities import scores
from keras_genai.modalities.notes import Notes
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register
from keras_genai.samplers.generation import generate
from keras_genai.samplers.penalties import LogitBias
from keras_genai.samplers.places import ForcedPlaces
from keras_genai.samplers.session import compiled
from keras_genai.samplers.tokens import Sample
from keras_genai.tasks import pictures
from keras_genai.tasks.chords import begun, check_amount
from keras_genai.tasks.sample_task import SampleTask

BATCH = 8  # windows scored at once
_BAR = 4  # quarters: windows of longer pieces begin where one does


@register
class NoteLM(SampleTask):
    """A language model of pieces: the first voice of a step, the second, and so on.

    The vocabulary is silence, the pitches of `target`, and a token that begins a
    window. The loss is the mean cross-entropy of a note, in nats; a note is what one
    voice does in one step, silence included.

    Args:
        network: `LanguageNetwork`, such as `GPT`.
        target: `Notes`, whose `steps` are those of a window: what a prediction can look
            back on.

    Call arguments:
        inputs: dict of `notes`, int `(B, T, V)`.
        training: bool.

    Returns:
        dict of `logits`, float32 `(B, T * V, S)`, S symbols; `symbols`, int32
        `(B, T * V)`, which they predict; and `real`, float32 `(B, T * V)`, 0 beyond the
        end of a piece.

    Raises:
        ValueError: if the network's vocabulary or context does not fit, or the pieces
            of `target` have no `steps`.
    """

    network: LanguageNetwork
    target: Notes

    verbs: ClassVar = ("continue", "harmonize")
    decoding: ClassVar = "every note is drawn from all, at temperature 1"

    @property
    def num_symbols(self):
        """int, S: silence, and the pitches."""
        return self.target.num_keys + 1

    @property
    def window(self):
        """int: notes of a window."""
        if self.target.steps is None:
            raise ValueError("`target` must have `steps`. Received: steps=None")
        return self.target.steps * self.target.voices

    @property
    def network_sizes(self):
        sizes = {**super().network_sizes, "vocabulary_size": self.num_symbols + 1}
        return {**sizes, "context": self.window}

    def make(self):
        self.jit_generate = self.network.jit_generate

    @property
    def vocabulary_size(self):
        return self.network.vocabulary_size

    @property
    def context(self):
        return self.network.context

    def initial_cache(self, batch_size, length):
        return self.network.initial_cache(batch_size, length)

    def decode(self, tokens, positions, cache, index):
        return self.network.decode(tokens, positions, cache, index)

    def call(self, inputs, training=False):
        notes = self.read(inputs)["notes"]
        notes = ops.reshape(notes, (-1, self.window))
        symbols = ops.clip(notes - self.target.lowest + 1, 0, self.num_symbols - 1)
        start = ops.full_like(symbols[:, :1], self.num_symbols)
        tokens = ops.concatenate([start, symbols[:, :-1]], axis=1)
        logits = self.network(tokens, training=training)[..., : self.num_symbols]
        real = ops.cast(notes != scores.BEYOND, "float32")
        return {"logits": logits, "symbols": symbols, "real": real}

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        nats, real = _nats(y_pred), y_pred["real"]
        return replicas.share(replicas.masked_mean(nats, real, sample_weight))

    def metric_inputs(self, x, y_pred):
        return y_pred["symbols"], y_pred["logits"]

    def score(self, notes):
        """Nats of every note of pieces of any length.

        A piece that is longer than a window is read in windows that overlap by half,
        so that a note is predicted from half a window at least, but near the beginning.

        Args:
            notes: see `Notes.read`.

        Returns:
            float32 array `(N, T, V)`; NaN beyond the end of a piece.
        """
        pieces = self.target.read_any(notes)
        steps = self.target.steps
        stride = max(1, steps // 2)
        length = pieces.shape[1]
        begins = [0, *range(stride, max(length - steps, 0) + stride, stride)]
        longer = np.full(
            (len(pieces), begins[-1] + steps, self.target.voices), scores.BEYOND
        )
        longer[:, :length] = pieces
        found = np.full(longer.shape, np.nan, "float32")
        for begin in begins:
            nats = self._window_nats(longer[:, begin : begin + steps])
            known = 0 if begin == 0 else steps - stride
            found[:, begin + known : begin + steps] = nats[:, known:]
        return found[:, :length]

    def _window_nats(self, windows):
        """float32 array like int `(N, steps, V)`: NaN beyond the end."""

        def build():
            def nats(batch):
                found = self(batch, training=False)
                return tf.where(found["real"] > 0, _nats(found), np.nan)

            return nats

        found = np.full((len(windows), self.window), np.nan, "float32")
        some = (windows != scores.BEYOND).any(axis=(1, 2))
        if some.any():
            function = compiled(self, ("score",), build)
            batch = {"notes": windows[some].astype("int32")}
            found[some] = pictures.by_batch(function, batch, BATCH)
        return found.reshape(windows.shape)

    def generate(
        self, count=1, steps=None, beginning=None, seed=0, temperature=1.0, top_p=None
    ):
        """New pieces, note by note in a compiled loop.

        What is longer than a window goes on from about the last half of what there is.

        Args:
            count: int.
            steps: int, of each piece, its beginning included, or `None`: of a window.
            beginning: how all of them begin, see `Notes.read`, or `None`.
            seed: int.
            temperature: float > 0. Below 1, likelier notes are drawn more often.
            top_p: float in (0, 1] or `None`. See `Sample`.

        Returns:
            int32 array `(count, steps, V)`.

        Raises:
            ValueError: if an argument is out of range, or the beginning not shorter
                than `steps`.
        """
        steps = self.target.steps if steps is None else steps
        known = begun(self.target, beginning, steps)
        wanted = np.full((steps, self.target.voices), scores.BEYOND, "int32")
        wanted[: len(known)] = known
        return self._draw(wanted, len(known), count, seed, temperature, top_p)

    def harmonize(self, melody, count=1, seed=0, temperature=1.0, top_p=None):
        """Voices below a melody, which is the first voice.

        Every note of the melody is known to the voices of its own step and of those
        behind it; what is still to come is not.

        Args:
            melody: int `(T,)`, pitches or 0; or a piece, see `Notes.read`, of which the
                highest voice that sounds is taken.
            count, seed, temperature, top_p: see `generate`.

        Returns:
            int32 array `(count, T, V)`.

        Raises:
            ValueError: if an argument is out of range, or the melody not one piece.
        """
        line = self._line(melody)
        wanted = np.full((len(line), self.target.voices), scores.BEYOND, "int32")
        wanted[:, 0] = line
        return self._draw(wanted, 0, count, seed, temperature, top_p)

    def _line(self, melody):
        """int32 `(T,)`: the melody that a person gave."""
        if isinstance(melody, np.ndarray | list | tuple) and np.ndim(melody) == 1:
            rest = self.target.voices - 1
            melody = np.pad(np.asarray(melody)[:, None], [(0, 0), (0, rest)])
        pieces = self.target.read_any(melody, "melody")
        if len(pieces) != 1:
            raise ValueError(f"`melody` must be one piece. Received: {len(pieces)}")
        return scores.highest_line(pieces[0])

    def _draw(self, wanted, known, count, seed, temperature, top_p):
        """Draws what is free of int `(T, V)`, window by window."""
        check_integer("count", count, 1)
        check_seed(seed)
        steps, total = self.target.steps, len(wanted)
        check_amount(count, total, self.target.voices)
        drawn = np.repeat(wanted[None, :known], count, axis=0)
        turn = 0
        while known < total:
            begin = self._begin(known)
            end = min(begin + steps, total)
            sampler = Sample(
                temperature, top_p=top_p, rules=self._rules(wanted[begin:end])
            )
            rows = generate(
                self,
                [self._prompt(row) for row in drawn[:, begin:known]],
                max_length=1 + (end - begin) * self.target.voices,
                sampler=sampler,
                seed=seed + turn,
                strip_prompt=True,
            )
            new = np.stack(rows).reshape(count, end - known, self.target.voices)
            drawn = np.concatenate([drawn, self._pitches(new)], axis=1)
            known, turn = end, turn + 1
        return drawn

    def _begin(self, known):
        """The step at which a window begins that is to go on behind `known` steps."""
        steps = self.target.steps
        if known < steps:
            return 0
        bar = min(_BAR * self.target.per_quarter, max(1, steps // 2))
        return -(-(known - steps // 2) // bar) * bar

    def _rules(self, wanted):
        """Rules that never begin anew, and have what is wanted where it is wanted."""
        never = LogitBias({self.num_symbols: float("-inf")})
        table = np.full(1 + self.window, -1)
        symbols = np.where(wanted < 0, -1, self._symbols(wanted)).reshape(-1)
        table[1 : 1 + len(symbols)] = symbols
        return (never, ForcedPlaces(table.tolist()))

    def _prompt(self, piece):
        return [self.num_symbols, *self._symbols(piece).reshape(-1).tolist()]

    def _symbols(self, pitches):
        return np.maximum(pitches - self.target.lowest + 1, 0)

    def _pitches(self, symbols):
        return np.where(symbols > 0, symbols + self.target.lowest - 1, scores.SILENT)


def _nats(found):
    """float32 `(B, T * V)`: nats of every note of what `call` returned."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=found["symbols"], logits=found["logits"]
    )
