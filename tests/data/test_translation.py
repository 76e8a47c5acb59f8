import datetime
import re

import numpy as np
import pytest

from keras_genai.data import tokenizers, translation


@pytest.fixture(scope="module")
def dates():
    return translation.dates(batch_size=4, stand_in=True)


def test_every_way_of_writing_can_be_read_again():
    draws = np.random.default_rng(0)
    months = [month[:3].lower() for month in translation.MONTHS]
    for day in draws.integers(0, 73_000, 300):
        date = datetime.date(1900, 1, 1) + datetime.timedelta(int(day))
        written, iso = translation.written_date(date, draws)
        assert iso == date.isoformat()
        assert len(written) <= 32
        words = re.findall(r"[a-z]+|\d+", written.lower())
        numbers = [int(word) for word in words if word.isdecimal()]
        named = [months.index(w[:3]) + 1 for w in words if w[:3] in months]
        named = [n for n in named if n == date.month] or numbers
        assert date.year in numbers
        assert date.day in numbers
        assert date.month in named


def test_slashes_put_the_month_first_and_dots_the_day():
    date = datetime.date(2021, 2, 5)
    ways = {
        way.format(
            year=2021,
            month_number=2,
            day=5,
            month="",
            short_month="",
            ordinal="",
            weekday="",
            short_weekday="",
        )
        for way in translation.FORMATS
        if "." in way or "/" in way
    }
    assert ways == {"2/5/2021", "02/05/2021", "5.2.2021", "05.02.2021", "2021/02/05"}
    assert date.isoformat() == "2021-02-05"


def test_no_day_is_in_two_parts_and_all_are_written_alike_every_time():
    splits = translation.dates(batch_size=8)
    held_out, test = splits.held_out["targets"], splits.test["targets"]
    trained = {pair[1] for pair in translation._date_pairs(None)[:-2000]}
    assert len(trained) == 71_049
    assert len(held_out) == len(test) == 1000
    assert not trained & {*held_out, *test}
    assert not {*held_out} & {*test}
    again = translation.dates(batch_size=3, seed=5).held_out["inputs"]
    np.testing.assert_array_equal(splits.held_out["inputs"], again)


def test_a_batch_is_what_a_seq2seq_model_is_trained_on(dates):
    tokenizer = dates.tokenizer
    features, labels, weight = next(iter(dates.validation.epoch()))
    inputs, mask = features["inputs"].numpy(), features["inputs_mask"].numpy()
    for row in range(4):
        text = tokenizer.decode(inputs[row][mask[row]])
        assert text == dates.held_out["inputs"][row]
        assert (inputs[row][~mask[row]] == tokenizer.pad_token).all()
        expected = [*tokenizer.encode(str(dates.held_out["targets"][row]))]
        assert labels[row].numpy().tolist() == [*expected, tokenizer.end_token]
        assert features["targets"][row].numpy().tolist() == [
            tokenizer.start_token,
            *expected,
        ]
    assert weight.numpy().all()


def test_batches_have_one_shape_and_follow_the_seed(dates):
    batches = list(dates.train.dataset().take(5))
    assert {tuple(batch[0]["inputs"].shape) for batch in batches} == {(4, 32)}
    assert {tuple(batch[1].shape) for batch in batches} == {(4, 11)}
    same = next(iter(dates.train.dataset(2)))
    np.testing.assert_array_equal(same[1], batches[2][1])


def test_targets_are_cut_and_padded_without_weight():
    tokenizer = tokenizers.characters("abc", "<pad>", "<s>", "</s>")
    collate = translation.pair_batch(tokenizer, max_lengths=(2, 3))
    features, labels, weight = collate([("abc", "a"), ("b", "abcabc")])
    assert features["inputs"].tolist() == [[0, 1], [1, 3]]
    assert features["inputs_mask"].tolist() == [[True, True], [True, False]]
    assert labels.tolist() == [[0, 5, 3], [0, 1, 5]]
    assert features["targets"].tolist() == [[4, 0, 5], [4, 0, 1]]
    assert weight.tolist() == [[1, 1, 0], [1, 1, 1]]


def test_a_tokenizer_without_an_end_is_refused():
    with pytest.raises(ValueError, match="must have a start and an end token"):
        translation.pair_batch(tokenizers.characters("abc"))
