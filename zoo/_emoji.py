"""What entries that draw emoji by their captions have in common."""

import numpy as np

from keras_genai.data.pictures import to_float
from keras_genai.evaluation.emoji import skin_tones
from zoo import _captions, _images

SHOWN = (  # the first six are of pairs that never train
    "ninja, dark skin tone",
    "teacher, medium-light skin tone",
    "princess, dark skin tone",
    "astronaut, medium-dark skin tone",
    "elf, light skin tone",
    "victory hand, dark skin tone",
    "firefighter, light skin tone",
    "strawberry",
)


def score(model, splits, seed=0, **options):
    """How often an emoji has the skin tone that its caption asks for.

    Each caption of the test data is drawn. The tone is read from pixels, by
    `keras_genai.evaluation.emoji.skin_tones`.

    Args:
        model: object with `generate(count, prompts=, seed=)`.
        splits: `Splits` of `keras_genai.data.emoji`; of other ones see
            `_captions.score_others`.
        seed: int, of the pictures, of the shuffled captions and of the extractor.
        **options: of `generate`.

    Returns:
        dict of str to float. Of motifs and tones that train, but not together:
        `tones_right`, the share of pictures with the tone that was asked for;
        `tones_right_floor`, that of the real pictures; `tones_right_shuffled`, of the
        drawn ones beside captions of others; `motifs_right`, the share of those nearer
        to the real picture of their caption than to that of any other. Of motifs that
        never train: `tones_right_new_motif` and `tones_right_new_motif_floor`. Of half
        of all: `frechet_distance` from the real pictures of the other half, and
        `frechet_floor`, that of the real ones of the same captions, both with the
        extractor's name behind.
    """
    test = splits.test
    if "tones" not in test:
        return _captions.score_others(model, splits, seed, **options)
    drawn = _captions.drawn_of(model, test["captions"].tolist(), seed, options)
    real = to_float(test["images"]).numpy()
    toned, new = test["tones"] >= 0, test["new_motifs"]
    pairs, others = toned & ~new, toned & new
    asked, read = test["tones"], skin_tones(drawn)
    floor = skin_tones(real) == asked
    random = np.random.default_rng(seed)
    shuffled = random.permutation(asked[pairs])
    return {
        "tones_right": float((read == asked)[pairs].mean()),
        "tones_right_floor": float(floor[pairs].mean()),
        "tones_right_shuffled": float((read[pairs] == shuffled).mean()),
        "tones_right_new_motif": float((read == asked)[others].mean()),
        "tones_right_new_motif_floor": float(floor[others].mean()),
        "motifs_right": _captions.nearest(drawn[pairs], real[pairs]),
        **_captions.frechet_distances(
            _images.train_classifier(splits, seed),
            drawn,
            real,
            random.permutation(len(real)),
        ),
        "pictures": float(len(drawn)),
    }
