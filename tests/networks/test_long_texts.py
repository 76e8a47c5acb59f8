"""A long text read in pieces, and near tokens kept in rings: the same numbers."""

import keras
import numpy as np
import pytest
from keras import ops
from marks import slow_but

from keras_genai.layers.caches import set_cache_dtype, turn
from keras_genai.layers.rotary import Rotary
from keras_genai.networks.gpt import GPT, GPT2, LLAMA, Style
from keras_genai.samplers import Beam, Greedy
from keras_genai.tasks.language import CausalLM

ROTARY = dict(positions="rotary", num_memory_heads=2)
STYLES = {
    "learned": GPT2,
    "rotary": LLAMA,
    "relative": Style(positions="relative", window=4),
    "grouped": Style(**ROTARY),
    "local": Style(**ROTARY, window=3),
    "both": Style(
        **ROTARY,
        window=5,
        local_blocks=(True, False),
        local_rotary=Rotary(base=100.0),
        attention_cap=5.0,
        norm="offset_rms",
    ),
}
LENGTHS = np.array([3, 13, 9])  # of the prompts
BUCKET, CONTEXT, STEPS = 14, 24, 4


def make(style, **changes):
    keras.utils.set_random_seed(0)
    arguments = dict(
        vocabulary_size=17, context=CONTEXT, depth=2, width=32, num_heads=4
    )
    model = CausalLM(GPT(**{**arguments, "style": style, **changes}))
    for variable in model.trainable_variables:  # away from the small initial values
        noise = keras.random.normal(variable.shape, stddev=0.2, seed=1)
        variable.assign(variable + noise)
    return model


def draw_tokens(*shape):
    return np.random.default_rng(0).integers(0, 17, shape).astype("int32")


def padded(tokens, side):
    """`(prompt, positions)` of the first tokens of each row, as batches hold them."""
    rows = len(tokens)
    prompt = np.full((rows, BUCKET), 5, "int32")
    positions = np.full((rows, BUCKET), -1, "int32")
    for row, length in enumerate(LENGTHS[:rows]):
        place = slice(length) if side == "right" else slice(BUCKET - length, None)
        prompt[row, place] = tokens[row, :length]
        positions[row, place] = np.arange(length)
    return prompt, positions


def written(model, tokens, side):
    """Logits of the token after the prompts and after each of `STEPS` further ones."""
    prompt, positions = padded(tokens, side)
    rows = np.arange(len(tokens))
    cache = model.initial_cache(len(tokens), BUCKET + STEPS)
    logits, cache = model.decode(prompt, positions, cache, 0)
    found = [logits]
    for step in range(STEPS):
        place = (LENGTHS[: len(tokens)] + step).astype("int32")
        following = tokens[rows, place][:, None]
        logits, cache = model.decode(following, place[:, None], cache, BUCKET + step)
        found.append(logits)
    return np.stack([ops.convert_to_numpy(each) for each in found], 1), cache


@pytest.mark.parametrize(
    "style", slow_but([STYLES["both"]], STYLES.values()), ids=STYLES
)
@pytest.mark.parametrize("side", slow_but(["right"], ["right", "left"]))
def test_pieces_and_rings_say_what_the_whole_text_says(style, side):
    model, tokens = make(style), draw_tokens(3, CONTEXT)
    places = LENGTHS[:, None] - 1 + np.arange(STEPS + 1)
    full = ops.convert_to_numpy(model(tokens))
    expected = np.take_along_axis(full, places[..., None], axis=1)
    for chunk in (4, 512):  # 2 + 3 * 4 tokens, and one piece
        model.network.chunk = chunk
        found, _ = written(model, tokens, side)
        np.testing.assert_allclose(found, expected, atol=5e-5)


def test_local_blocks_keep_no_more_than_their_window():
    model = make(STYLES["both"])
    _, cache = written(model, draw_tokens(3, CONTEXT), "right")
    local, whole = cache["blocks"]
    assert local[0].shape == (3, 2, 5, 8)
    assert whole[0].shape == (3, 2, BUCKET + STEPS, 8)
    last = LENGTHS + STEPS - 1
    for row, newest in zip(np.array(cache["near"]), last, strict=True):
        assert set(row) == set(range(newest - 4, newest + 1))
    short = model.initial_cache(1, 5)
    assert "near" not in short


def test_padding_takes_no_place_in_a_ring():
    kept = np.array([[3, 4, 5], [-1, -1, -1]])
    ring = turn(kept, np.array([[6, 7, -1, -1], [-1, -1, -1, -1]]))
    assert np.array(ring.positions).tolist() == [[6, 7, 5], [-1, -1, -1]]
    ring = turn(kept, np.array([[-1], [0]]))
    assert np.array(ring.positions).tolist() == [[3, 4, 5], [0, -1, -1]]


def test_a_single_text_turns_its_ring_in_place():
    model, tokens = make(STYLES["local"], depth=1), draw_tokens(1, CONTEXT)
    full = ops.convert_to_numpy(model(tokens))[:, LENGTHS[0] - 1 :][:, : STEPS + 1]
    found, _ = written(model, tokens, "right")
    np.testing.assert_allclose(found, full, atol=5e-5)


def test_caches_in_bfloat16_are_half_as_large_and_near():
    model, tokens = make(GPT2, depth=1), draw_tokens(3, CONTEXT)
    expected, _ = written(model, tokens, "right")
    assert set_cache_dtype(model, "bfloat16") == 1
    found, cache = written(model, tokens, "right")
    dtypes = {part.dtype.name for pair in cache["blocks"] for part in pair}
    assert dtypes == {"bfloat16"}
    error = np.abs(found - expected).max()
    assert 0 < error < 0.02 * np.abs(expected).max()
    set_cache_dtype(model, None)
    np.testing.assert_array_equal(written(model, tokens, "right")[0], expected)


def test_what_has_no_cache_or_is_no_dtype_is_refused():
    with pytest.raises(ValueError, match="`dtype` must be"):
        set_cache_dtype(make(GPT2), "int8")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="must have a GPT inside"):
        set_cache_dtype(model, "bfloat16")


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [Greedy(), Beam(3)], ids=["greedy", "beam"])
@pytest.mark.parametrize("name", ["rotary", "both"])
def test_generate_writes_the_same_tokens_in_pieces(name, sampler):
    model = make(STYLES[name], context=64)
    prompts = [draw_tokens(length) for length in (31, 5, 18)]
    arguments = dict(max_length=48, sampler=sampler)
    whole = model.generate(prompts, **arguments)
    for jit_generate in (True, False):
        model = make(STYLES[name], context=64)
        model.network.chunk, model.jit_generate = 8, jit_generate
        for pieces, expected in zip(
            model.generate(prompts, **arguments), whole, strict=True
        ):
            np.testing.assert_array_equal(pieces, expected)
