import numpy as np
import pytest
import tensorflow as tf

from keras_genai.samplers import (
    BadWords,
    ForcedEnd,
    ForcedStart,
    GenerationSettings,
    LogitBias,
    MinLength,
    NoRepeatNgram,
    NoSourceNgram,
    NotFirst,
    Renormalize,
    RepetitionPenalty,
)
from keras_genai.samplers.rules import BANNED, History, apply_rules

V = 6


def history(*texts, room=8):
    tokens = np.full((len(texts), room), 5, "int32")  # what is behind a text is no text
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = text
    lengths = np.array([len(text) for text in texts], "int32")
    stops = np.arange(V) == 0
    return History(tf.constant(tokens), tf.constant(lengths), tf.constant(stops))


def applied(rule, logits, past):
    logits = tf.constant(np.asarray(logits, "float32"))
    number = tf.nest.map_structure(tf.constant, rule.numbers(V))
    return np.array(apply_rules((rule,), logits, past, (number,)))


def banned(rule, *texts):
    """The tokens each text may not go on with."""
    logits = applied(rule, np.zeros((len(texts), V)), history(*texts))
    return [set(np.flatnonzero(row == BANNED)) for row in logits]


def test_repetition_penalty_divides_positive_and_multiplies_negative_logits():
    logits = [[1.0, -1.0, 1.0, -1.0, 0.0, 2.0]]
    found = applied(RepetitionPenalty(2.0), logits, history([0, 1, 1]))
    np.testing.assert_allclose(found, [[0.5, -2.0, 1.0, -1.0, 0.0, 2.0]])


def test_what_is_left_adds_up_to_one():
    logits = [[1.0, BANNED, 0.0, BANNED, -1.0, 2.0]]
    found = applied(Renormalize(), logits, history([1]))
    np.testing.assert_allclose(np.exp(found).sum(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found[0, 0] - found[0, 4], 2.0, rtol=1e-6)
    assert np.exp(found[0, 1]) == 0


def test_an_ngram_is_not_completed_a_second_time():
    assert banned(NoRepeatNgram(3), [1, 2, 3, 1, 2], [1, 2, 3, 1], [2, 1]) == [
        {3},
        set(),
        set(),
    ]
    assert banned(NoRepeatNgram(2), [1, 2, 1, 3, 1], [4], [3, 3]) == [
        {2, 3},
        set(),
        {3},
    ]
    assert banned(NoRepeatNgram(1), [1, 4], [2]) == [{1, 4}, {2}]


def test_ngram_rule_agrees_with_a_plain_search():
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 4):
        texts = [rng.integers(0, 3, size=n).tolist() for n in (1, 2, 5, 8, 8)]
        expected = []
        for text in texts:
            tail = text[len(text) - size + 1 :]
            starts = range(len(text) - size + 1)
            expected.append(
                {text[i + size - 1] for i in starts if text[i : i + size - 1] == tail}
            )
        assert banned(NoRepeatNgram(size), *texts) == expected


def test_min_length_counts_the_prompt_and_forbids_only_stops():
    assert banned(MinLength(3), [1, 1], [1, 1, 1]) == [{0}, set()]


def test_logit_bias_is_added_and_minus_infinity_forbids():
    found = applied(LogitBias({1: 0.5, 4: -np.inf}), np.ones((1, V)), history([1]))
    np.testing.assert_allclose(found, [[1, 1.5, 1, 1, BANNED, 1]])


def test_a_text_does_not_begin_with_some_tokens():
    rule = NotFirst((0, 2), begin=2)
    assert banned(rule, [1], [1, 1], [1, 1, 1]) == [set(), {0, 2}, set()]


def test_an_ngram_of_the_source_is_not_said_again():
    past = history([1, 2], [4], [3, 1])
    source = tf.constant(
        [[1, 2, 3, 1, 2, 4], [4, 5, -1, -1, -1, -1], [3, 1, 2, 3, 1, -1]]
    )
    past = past._replace(source=source)
    for size, expected in (
        (1, [{1, 2, 3, 4}, {4, 5}, {1, 2, 3}]),
        (2, [{3, 4}, {5}, {2}]),
        (3, [{3, 4}, set(), {2}]),
    ):
        logits = applied(NoSourceNgram(size), np.zeros((3, V)), past)
        assert [set(np.flatnonzero(row == BANNED)) for row in logits] == expected


def test_bad_words_are_not_completed():
    rule = BadWords(((5,), (1, 2, 3), (2, 4), [0], (0, 0)))
    assert banned(rule, [1, 2], [4, 2], [3], [2, 0]) == [{3, 4, 5}, {4, 5}, {5}, {0, 5}]


def test_the_first_and_the_last_token_can_be_forced():
    past = history([1], [1, 2], [1, 2, 3])._replace(max_length=tf.constant(4))
    for rule, rows in ((ForcedStart(3), [0]), (ForcedEnd((0, 5)), [2])):
        logits = applied(rule, np.ones((3, V)), past)
        for row in range(3):
            allowed = set(np.flatnonzero(logits[row] > BANNED))
            forced = {3} if rows == [0] else {0, 5}
            assert allowed == (forced if row in rows else set(range(V)))


def test_settings_become_rules_in_the_order_of_transformers():
    settings = GenerationSettings(
        num_beams=3,
        min_length=4,
        repetition_penalty=1.2,
        no_repeat_ngram_size=3,
        encoder_no_repeat_ngram_size=2,
        bad_words=[[1, 2]],
        suppress_tokens=[5],
        begin_suppress_tokens=[1],
        forced_start_token=0,
        forced_end_tokens=[2],
    )
    kinds = [type(rule) for rule in settings.sampler().rules]
    assert kinds == [
        RepetitionPenalty,
        NoRepeatNgram,
        NoSourceNgram,
        BadWords,
        MinLength,
        ForcedStart,
        ForcedEnd,
        LogitBias,
        NotFirst,
    ]
    assert settings.rules()[-1] == NotFirst((1,), begin=2)  # one is forced before it
    assert settings.rules(begin=4)[-1] == NotFirst((1,), begin=5)
    assert GenerationSettings(**settings.get_config()) == settings
    assert GenerationSettings().rules() == ()


def test_a_number_that_no_text_reaches_is_as_good_as_any():
    for rule in (NoRepeatNgram(10**12), NoSourceNgram(10**12), MinLength(10**12)):
        assert rule.numbers(V) == np.iinfo("int32").max
    logits = tf.zeros((1, V))
    past = History(
        tf.constant([[1, 1, 1, 0]]),
        tf.constant([3]),
        tf.zeros((V,), tf.bool),
        tf.constant(4),
        tf.constant([[1, 1, 1, 1]]),
    )
    for rule in (NoRepeatNgram(10**12), NoSourceNgram(10**12)):
        found = rule.apply(logits, past, tf.constant(rule.numbers(V)))
        np.testing.assert_array_equal(found, logits)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BadWords(5), TypeError, "`words` must be a sequence of sequences"),
        (lambda: BadWords(([],)), ValueError, "`words` must not be empty"),
        (lambda: BadWords(((9,),)).numbers(V), ValueError, "tokens below 6"),
        (lambda: ForcedStart(9).numbers(V), ValueError, "`token` must be below 6"),
        (lambda: ForcedEnd(()), ValueError, "`tokens` must not be empty"),
        (lambda: GenerationSettings(max_length=1), ValueError, "`max_length` must be"),
        (lambda: GenerationSettings(num_beams=0), ValueError, "`width` must be an int"),
        (lambda: RepetitionPenalty(0), ValueError, "`penalty` must be a number > 0"),
        (lambda: RepetitionPenalty("2"), TypeError, "`penalty` must be a number > 0"),
        (lambda: NoRepeatNgram(0), ValueError, "`size` must be an int >= 1"),
        (lambda: NoRepeatNgram(2.0), TypeError, "`size` must be an int >= 1"),
        (lambda: ForcedEnd(5), TypeError, "`tokens` must be a sequence of int"),
        (lambda: RepetitionPenalty(np.inf), ValueError, "a number > 0, below inf"),
        (lambda: MinLength(-1), ValueError, "`length` must be an int >= 0"),
        (lambda: LogitBias([1]), TypeError, "`biases` must be a dict"),
        (lambda: LogitBias({1: np.nan}), ValueError, "`bias` must be below inf"),
        (lambda: LogitBias({9: 1.0}).numbers(V), ValueError, "tokens below 6"),
    ],
)
def test_bad_rules_say_what_is_allowed(make, error, message):
    with pytest.raises(error, match=message):
        make()
