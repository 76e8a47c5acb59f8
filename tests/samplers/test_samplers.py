import numpy as np
import pytest
import tensorflow as tf

from keras_genai.samplers import Beam, Greedy, MinLength, Sample

LOGITS = np.log([0.4, 0.05, 0.3, 0.2, 0.05]).astype("float32")


def restricted(**arguments):
    """The probabilities a sampler draws from."""
    sampler = Sample(**arguments)
    numbers = tf.nest.map_structure(tf.constant, sampler.numbers(len(LOGITS)))
    return np.array(tf.nn.softmax(sampler.restrict(LOGITS[None], numbers)))[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [0.4, 0.05, 0.3, 0.2, 0.05]),
        ({"temperature": 0.5}, np.array([16, 0.25, 9, 4, 0.25]) / 29.5),
        ({"top_k": 2}, [4 / 7, 0, 3 / 7, 0, 0]),
        ({"top_k": 4}, [8 / 19, 1 / 19, 6 / 19, 4 / 19, 0]),  # the first of equals
        ({"top_k": 99}, [0.4, 0.05, 0.3, 0.2, 0.05]),
        ({"top_p": 0.69}, [4 / 7, 0, 3 / 7, 0, 0]),
        ({"top_p": 0.71}, [4 / 9, 0, 3 / 9, 2 / 9, 0]),
        ({"top_p": 1e-9}, [1, 0, 0, 0, 0]),
        ({"top_p": 1}, [0.4, 0.05, 0.3, 0.2, 0.05]),
        ({"min_p": 0.49}, [4 / 9, 0, 3 / 9, 2 / 9, 0]),
        ({"min_p": 0.6}, [4 / 7, 0, 3 / 7, 0, 0]),
        ({"min_p": 0}, [0.4, 0.05, 0.3, 0.2, 0.05]),
        # entropy 1.349; surprises 0.916, 2.996, 1.204, 1.609, 2.996
        ({"typical_p": 0.3}, [0, 0, 1, 0, 0]),
        ({"typical_p": 0.31}, [0, 0, 0.6, 0.4, 0]),
        ({"typical_p": 0.6}, [4 / 9, 0, 3 / 9, 2 / 9, 0]),
        # each argument sees what the one before has left, renormalised
        ({"top_k": 3, "top_p": 0.7}, [4 / 7, 0, 3 / 7, 0, 0]),
        ({"temperature": 0.5, "top_p": 0.8}, [16 / 25, 0, 9 / 25, 0, 0]),
    ],
)
def test_the_distribution_drawn_from_has_its_closed_form(arguments, expected):
    np.testing.assert_allclose(restricted(**arguments), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": 1e-30},
        {"temperature": 1e-38, "top_p": 0.9},
        {"temperature": 1e-50},
        {"top_p": 1e-12},
        {"typical_p": 1e-12},
        {"min_p": 1, "temperature": 1e-20},
    ],
)
def test_the_smallest_numbers_leave_the_likeliest_tokens(arguments):
    sampler = Sample(**arguments)
    numbers = sampler.numbers(4)
    logits = np.array([[0, 9, 9, -1e30], [-30, 5, 40, 5]], "float32")
    kept = np.array(tf.nn.softmax(sampler.restrict(logits, numbers)))
    assert np.isfinite(kept).all()
    np.testing.assert_array_equal(kept[1], [0, 0, 1, 0])
    assert kept[0, 1] >= kept[0, 2]  # one of equals, or both
    assert kept[0, 1] + kept[0, 2] == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Sample(temperature=0), ValueError, r"`temperature`.*Greedy\(\)"),
        (lambda: Sample(temperature="1"), TypeError, "`temperature`"),
        (lambda: Sample(top_k=0), ValueError, "`top_k` must be an int >= 1"),
        (lambda: Sample(top_k=2.5), TypeError, "`top_k` must be an int >= 1"),
        (lambda: Sample(top_p=0), ValueError, r"`top_p` must be a number in \(0, 1\]"),
        (lambda: Sample(top_p=1.1), ValueError, r"Received: top_p=1.1"),
        (lambda: Sample(top_p=np.nan), ValueError, "`top_p`"),
        (lambda: Sample(min_p=-0.1), ValueError, "`min_p`"),
        (lambda: Sample(typical_p=0), ValueError, "`typical_p`"),
        (lambda: Beam(width=0), ValueError, "`width` must be an int >= 1"),
        (lambda: Beam(length_penalty=np.inf), ValueError, "`length_penalty`"),
        (lambda: Beam(early_stopping="soon"), ValueError, '"never"'),
        (lambda: Greedy(rules=MinLength(3)), TypeError, "`rules` must be a tuple"),
    ],
)
def test_bad_samplers_say_what_is_allowed(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_structure_knows_what_is_there_but_not_the_numbers():
    assert Sample(top_k=3).structure == Sample(0.5, top_k=9).structure
    assert Sample(top_k=3).structure != Sample(top_p=0.3).structure
    assert Greedy((MinLength(3),)).structure == Greedy((MinLength(8),)).structure
    assert Greedy((MinLength(3),)).structure != Greedy().structure
