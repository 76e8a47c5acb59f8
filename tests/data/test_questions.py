"""Questions on texts: made-up lives, SQuAD's files, and windows with their targets."""

import itertools
import json

import numpy as np
import pytest

from keras_genai.data import answering, lives, published, spans, tokenizers

CONTEXT = "The cat sat in the old house. " * 6 + "The dog ran to the sea."


@pytest.fixture(scope="module")
def tokenizer():
    corpus = [CONTEXT, "who ran to the sea?"] * 3
    return published.for_encoder(tokenizers.wordpiece(corpus, 120, lowercase=True))


def article(*questions):
    context = "Ada was born in London in 1815. She wrote about engines."
    asked = [
        {
            "id": str(place),
            "question": question,
            "answers": [{"text": a, "answer_start": context.find(a)} for a in answers],
            "is_impossible": not answers,
        }
        for place, (question, *answers) in enumerate(questions)
    ]
    return {"title": "Ada", "paragraphs": [{"context": context, "qas": asked}]}


def write(path, *articles):
    path.write_text(json.dumps({"version": "v2.0", "data": list(articles)}))


@pytest.fixture
def folder(tmp_path):
    born, wrote = ("Where was she born?", "London"), ("What did she write about?",)
    write(tmp_path / "train-v2.0.json", article(born, wrote), article(born))
    write(tmp_path / "dev-v2.0.json", article((*born, "in London"), wrote))
    return tmp_path


def test_an_answer_stands_where_it_should_and_names_are_of_one_part():
    names = []
    for part in range(lives.PARTS):
        made = lives.questions(part, 200)
        for question, context, (answer,), (start,) in made:
            assert context[start:].startswith(answer)
            assert 2 <= context.count(".") <= 5
            assert question.endswith("?")
        assert made[:50] == lives.questions(part, 50)
        words = {word for _, context, _, _ in made for word in context.split()}
        names.append(words & set(lives._names()))
    assert all(len(known) > 100 for known in names)
    for one, other in itertools.combinations(names, 2):
        assert one.isdisjoint(other)


def test_windows_overlap_and_cover_the_text(tokenizer):
    found = spans.windows(tokenizer, "who ran?", CONTEXT, length=24, stride=5)
    assert len(found) > 2
    assert all(len(window.ids) <= 24 for window in found)
    places = [
        [tuple(o) for o, s in zip(w.offsets, w.sequence_ids, strict=True) if s == 1]
        for w in found
    ]
    for one, other in itertools.pairwise(places):
        assert one[-5:] == other[:5]
    every = {place for window in places for place in window}
    whole = tokenizer.core.encode(CONTEXT, add_special_tokens=False)
    assert every == {tuple(place) for place in whole.offsets}


def test_an_answer_is_the_target_in_windows_that_have_all_of_it(tokenizer):
    start, end = spans.answer_span(CONTEXT, CONTEXT.index(" dog ran"), " dog ran ")
    assert CONTEXT[start:end] == "dog ran"
    hits = 0
    for length in range(12, 20):  # some windows begin or end inside of the answer
        for window in spans.windows(tokenizer, "who ran?", CONTEXT, length, stride=1):
            first, last = spans.token_span(window, start, end)
            if first:
                hits += 1
                assert window.offsets[first][0] == start
                assert window.offsets[last][1] == end
                assert window.sequence_ids[first] == window.sequence_ids[last] == 1
            else:
                assert last == 0
    assert hits >= 8
    assert spans.token_span(window, 5, 5) == (0, 0)


def test_what_cannot_be_a_window_or_an_answer_is_refused(tokenizer):
    with pytest.raises(ValueError, match="`stride` must be from 0 to"):
        spans.windows(tokenizer, "who?", CONTEXT, 24, stride=24)
    with pytest.raises(ValueError, match="`question` must leave room"):
        spans.windows(tokenizer, CONTEXT, "the sea", 24)
    with pytest.raises(ValueError, match="must stand at character 4"):
        spans.answer_span(CONTEXT, 4, "dog")


def test_a_batch_is_windows_and_where_the_answer_is():
    splits = answering.people(32, length=48, stride=8, stand_in=True)
    inputs, targets = next(iter(splits.train.dataset()))
    tokens, start, end = (x.numpy() for x in (inputs["tokens"], *targets.values()))
    assert tokens.shape == inputs["segments"].shape == (32, 48)
    assert all(array.dtype == "int32" for array in (*inputs.values(), start, end))
    assert (start <= end).all()
    assert (start > 0).mean() > 0.4
    answers = {a.lower() for q in lives.questions(0, 40) for a in q[2]}
    for row, first, last in zip(tokens, start, end, strict=True):
        if first:
            text = splits.tokenizer.decode(row[first : last + 1])
            assert text.replace(" ,", ",") in answers
    assert len(splits.held_out["questions"]) == len(splits.test["answers"]) == 8


def test_squad_files_with_and_without_answers(folder, tmp_path_factory):
    above = tmp_path_factory.mktemp("data")
    folder.rename(above / "squad")
    splits = answering.squad(
        2, data_dir=above, tokenizer="wordpiece:200", length=32, stride=4
    )
    assert splits.name == "squad"
    assert splits.train.plan.count == 3
    assert splits.held_out["answers"].tolist() == [("London", "in London"), ()]
    _, targets = next(iter(splits.validation.epoch()))
    assert targets["start"].numpy().astype(bool).tolist() == [True, False]


def test_without_a_file_to_validate_on_the_last_articles_do(folder):
    (folder / "dev-v2.0.json").unlink()
    own = dict(data_dir=folder, tokenizer="wordpiece:200", length=32, stride=4)
    splits = answering.squad(1, **own)
    assert (splits.train.plan.count, len(splits.held_out["questions"])) == (2, 1)


def test_what_is_no_such_file_is_one_clear_line(folder, tmp_path_factory):
    (folder / "dev-v2.0.json").write_text('{"data": [{"paragraphs": 3}]}')
    with pytest.raises(ValueError, match=r"dev-v2\.0\.json must be JSON as SQuAD's"):
        answering.squad(1, data_dir=folder)
    with pytest.raises(FileNotFoundError, match="`data_dir` must have JSON files"):
        answering.squad(1, data_dir=tmp_path_factory.mktemp("empty"))
    with pytest.raises(ValueError, match="did you mean 'squad'"):
        answering.source("sqad")
    with pytest.raises(ValueError, match="`tokenizer` must be 'wordpiece:SIZE' or"):
        answering.people(2, stand_in=True, tokenizer="bpe:300")


def test_source_finds_by_name():
    assert answering.source("people") is answering.people
    np.testing.assert_equal(answering.source("squad"), answering.squad)
