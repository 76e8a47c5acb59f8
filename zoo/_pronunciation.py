"""What the entries have in common that turn letters into sounds."""

import collections

from keras_genai.evaluation.pronunciation import pronunciation_errors
from keras_genai.evaluation.translation import translate
from keras_genai.losses import SparseSmoothedCrossentropy
from keras_genai.networks.encoder_decoder import EncoderDecoderStyle
from keras_genai.optimizers import adamw
from keras_genai.samplers import GenerationSettings
from keras_genai.schedules import warmup_cosine
from zoo import _translation
from zoo.entry import Recipe

WORDS = ("photograph", "thorough", "keyboard", "queue", "pseudonym")
TOKENS = 2_048  # of each side of a batch
LONGEST = 40  # letters or sounds
CONFIG = dict(
    context=LONGEST,
    encoder_depth=3,
    decoder_depth=3,
    width=128,
    num_heads=4,
    dropout=0.1,
    style=EncoderDecoderStyle(activation="gelu", pre_norm=True),
    generation=GenerationSettings(max_length=LONGEST, num_beams=5),
)
TINY = dict(encoder_depth=1, decoder_depth=1, width=8, num_heads=2, inner_width=12)
# Letters to the left and to the right that the floor looks at, the most first.
_WINDOWS = (2, 1, 0)


def recipe(steps):
    """AdamW with a warm-up over batches of 2,048 tokens a side, labels smoothed."""
    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=adamw(warmup_cosine(1.5e-3, steps // 20, steps)),
            loss=SparseSmoothedCrossentropy(0.1),
            weighted_metrics=[],
            jit_compile=False,
        ),
        batch_size=1024,
        steps=steps,
        steps_per_execution=1,
        log_every=50,
        validate_every=500,
    )


def score(model, splits):
    """Errors on the test words, and `floor_...`, those of `read_letter_by_letter`."""
    words, spoken = (splits.test[key].tolist() for key in ("inputs", "targets"))
    found = translate(model, words, batch_size=256)
    floor = pronunciation_errors(read_letter_by_letter(splits, words), spoken)
    return {
        **pronunciation_errors(found, spoken),
        "test_words": len(words),
        **{f"floor_{name}": value for name, value in floor.items()},
    }


def read_letter_by_letter(splits, words):
    """What letters sound like most often, without a model.

    It is counted in the training words that have as many sounds as letters: the sound
    of a letter between the two on each side; where these never came, between one on
    each side; else of the letter alone.

    Args:
        splits: `Splits` of `keras_genai.data.pronunciation`.
        words: list of str.

    Returns:
        list of str, sounds with blanks between them.
    """
    counts = [collections.defaultdict(collections.Counter) for _ in _WINDOWS]
    decode = splits.tokenizer.core.id_to_token
    for word, sounds in splits.train.content:
        if len(word) == len(sounds):
            letters, said = (list(map(decode, side)) for side in (word, sounds))
            for place, sound in enumerate(said):
                for known, key in zip(counts, _contexts(letters, place), strict=True):
                    known[key][sound] += 1

    def sound(letters, place):
        for known, key in zip(counts, _contexts(letters, place), strict=True):
            if key in known:
                return known[key].most_common(1)[0][0]
        return ""

    return [
        " ".join(filter(None, (sound(word, place) for place in range(len(word)))))
        for word in map(list, words)
    ]


def _contexts(letters, place):
    """The letter at a place with those around it, for each of `_WINDOWS`."""
    framed = ["", "", *letters, "", ""]
    return [tuple(framed[place + 2 - width : place + 3 + width]) for width in _WINDOWS]


def write(model, seed):
    """A few words and their sounds, one a line."""
    return _translation.write(model, seed, WORDS)
