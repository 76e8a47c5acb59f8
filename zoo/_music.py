"""What the entries of music have in common: what they play, and how they are scored.

Figures of models that factor a piece in different ways say different things, so every
name says which: `nats_per_frame` is of all keys of a frame, each given the frames
before alone; `nats_per_note` of one voice in one step, given all that was before it in
the order soprano, alto, tenor, bass.
"""

import keras
import numpy as np

from keras_genai.data import chorales
from keras_genai.modalities import scores
from keras_genai.networks import ngram_tables
from keras_genai.networks.ngram import NGram
from zoo.entry import Recipe

OF_FRAMES = (
    "Nats a frame are of 88 keys that are independent given the frames before, "
    "over frames from the second on; models that predict a chord note by note are not "
    "to be compared with it."
)
ORDER = 13  # notes in an n-gram of the floor
TRANSPOSE = 5  # semitones, up and down, by which training pieces are moved


def chord_recipe(steps):
    """How models of frames are trained: Adam, gradients cut, the best kept."""
    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(2e-3, steps), global_clipnorm=0.4
            ),
            jit_compile=False,
        ),
        batch_size=8,
        steps=steps,
        log_every=50,
        validate_every=100,
        keep_best=True,
    )


def play(model, seed, count=1, steps=128):
    """A piece that a model makes from nothing."""
    return model.generate(count, steps=steps, seed=seed)


def score_frames(model, splits):
    """Nats a frame, frames from the second on, over all frames of all pieces.

    The floors know the share of frames in which a key is down, and that share after
    frames in which it was and was not.
    """
    found = {
        "nats_per_frame": _frames(model.score(splits.test["notes"])),
        "validation_nats_per_frame": _frames(model.score(splits.held_out["notes"])),
    }
    train, test = (
        [scores.to_keys(piece, 21, 108) for piece in _pieces(splits.texts[part])]
        for part in ("train", "test")
    )
    return {
        **found,
        "floor_of_each_key": _key_floor(train, test, given_itself=False),
        "floor_of_each_key_given_itself": _key_floor(train, test, given_itself=True),
    }


def score_notes(model, splits):
    """Nats a note of test and validation, beside an n-gram's and with bars shuffled.

    The n-gram counted the training pieces in all keys that the model may have heard
    them in. With the bars of the test in random order a model that uses what is
    further away than a bar must lose.
    """
    test, valid = _pieces(splits.test), _pieces(splits.held_out)
    shuffled = chorales.shuffled_bars(test)
    floor = _counted(_pieces(splits.texts["train"]), model.target)
    return {
        "nats_per_note": _notes(model, test),
        "validation_nats_per_note": _notes(model, valid),
        "shuffled_bars_nats_per_note": _notes(model, shuffled),
        f"ngram_{ORDER}_nats_per_note": _ngram_nats(floor, test, model.target),
        f"ngram_{ORDER}_validation_nats_per_note": _ngram_nats(
            floor, valid, model.target
        ),
    }


def _frames(nats):
    return float(np.nanmean(nats[:, 1:]))


def _notes(model, pieces):
    return float(np.nanmean(model.score(pieces)))


def _pieces(samples):
    """list of int `(T, V)`: pieces without what is beyond their ends."""
    return [
        piece[(piece != scores.BEYOND).any(axis=1)]
        for piece in np.asarray(samples["notes"]).astype("int32")
    ]


def _key_floor(train, test, given_itself):
    """Nats a frame of counted shares, half a frame added to either side."""
    states = 2 if given_itself else 1
    down, all_ = np.zeros((2, states, 88))
    for keys in train:
        state = keys[:-1].astype(int) * given_itself
        for number in range(states):
            down[number] += ((state == number) & keys[1:]).sum(axis=0)
            all_[number] += (state == number).sum(axis=0)
    share = (down + 0.5) / (all_ + 1)  # (states, 88)
    nats, frames = 0.0, 0
    for keys in test:
        state = keys[:-1].astype(int) * given_itself
        chance = np.take_along_axis(share, state, axis=0)
        nats -= np.log(np.where(keys[1:], chance, 1 - chance)).sum()
        frames += len(keys) - 1
    return float(nats / frames)


def _counted(pieces, target):
    """An `NGram` of pieces in all keys that are within the pitches of a target."""
    moved = [
        np.where(piece > scores.SILENT, piece + shift, piece)
        for shift in range(-TRANSPOSE, TRANSPOSE + 1)
        for piece in pieces
    ]
    moved = [
        piece
        for piece in moved
        if piece.max() <= target.highest
        and piece[piece > scores.SILENT].min(initial=128) >= target.lowest
    ]
    network = NGram(vocabulary_size=target.num_keys + 1, order=ORDER)
    tokens, ages = _tokens(moved, target)
    network.hold(
        ngram_tables.count_ngrams(tokens, network.vocabulary_size, ORDER, ages)
    )
    return network


def _ngram_nats(network, pieces, target):
    return -float(network.log_probabilities(*_tokens(pieces, target)).mean())


def _tokens(pieces, target):
    """All notes in their order, int32 `(N,)`, and how many of a piece come before."""
    flat = [np.maximum(piece.reshape(-1) - target.lowest + 1, 0) for piece in pieces]
    ages = [np.arange(len(each)) for each in flat]
    return np.concatenate(flat).astype("int32"), np.concatenate(ages)
