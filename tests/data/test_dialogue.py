"""Exchanges to learn to chat from, split so that no question is on both sides."""

import numpy as np

from keras_genai.data import dialogue
from keras_genai.data.dialogue import LINES
from keras_genai.data.turns import CHATML

SOURCES = dialogue.chatterbot_lines, dialogue.chatterbot


def test_all_exchanges_ship_each_once():
    pairs = dialogue.exchanges()
    assert len(pairs) == 1174
    assert all(len(pair) == 2 and all(pair) for pair in pairs)
    plain = {tuple(map(dialogue.plain, pair)) for pair in pairs}
    assert len(plain) == len(pairs)
    assert len({dialogue.plain(question) for question, _ in pairs}) == 1010


def test_no_question_is_on_both_sides():
    pairs = dialogue.exchanges()
    train, held_out = dialogue.split_by_question(pairs)
    assert sorted(train + held_out) == sorted(pairs)
    known, unknown = (
        {dialogue.plain(question) for question, _ in part} for part in (train, held_out)
    )
    assert not known & unknown
    assert len(unknown) == 101
    other = [(question.upper() + "!", answer) for question, answer in pairs]
    again = dialogue.split_by_question(other)[1]
    assert [answer for _, answer in again] == [answer for _, answer in held_out]


def test_answers_alone_are_learned_with_their_end():
    splits = dialogue.chatterbot(4, length=64, tokenizer="bpe:400", stand_in=True)
    tokenizer = splits.tokenizer
    assert tokenizer.special_in_text
    inputs, targets, weight = next(iter(splits.validation))
    answers = {f"{answer}{CHATML.end}" for _, answer in dialogue.exchanges(True)}
    for target, counted in zip(targets, weight, strict=True):
        learned = np.asarray(target)[np.asarray(counted) > 0]
        assert tokenizer.decode(learned, skip_special_tokens=False) in answers
    assert inputs["tokens"].shape[1] <= 64
    assert len(splits.held_out["prompts"]) == len(splits.held_out["completions"])
    assert not {*splits.prompts} & {*splits.held_out["prompts"]}


def test_rows_are_shared_where_they_may_be():
    made = dict(length=128, tokenizer="bpe:400", stand_in=True)
    packed, apart = (
        dialogue.chatterbot(1, packed=packed, **made) for packed in (True, False)
    )
    assert packed.train.steps_per_epoch < 0.7 * apart.train.steps_per_epoch
    assert "segments" in packed.train.element_spec[0]
    assert "segments" not in apart.train.element_spec[0]


def test_the_text_before_has_the_same_tokens_and_no_held_out_answer():
    made = dict(tokenizer="bpe:400", stand_in=True)
    before, chat = (
        dialogue.background(4, length=16, **made),
        dialogue.chatterbot(4, **made),
    )
    assert before.tokenizer.to_json() == chat.tokenizer.to_json()
    text = before.tokenizer.decode(before.train.tokens)
    train, held_out = dialogue.split_by_question(dialogue.exchanges(True))
    assert all(f"\n{answer}\n" in text for _, answer in train)
    known = {answer for _, answer in train}
    unseen = [answer for _, answer in held_out if answer not in known]
    assert unseen
    assert not any(f"\n{answer}\n" in text for answer in unseen)


def test_lines_of_characters_are_the_same_exchanges_on_the_same_sides():
    made = dict(length=48, tokenizer="bpe:400", stand_in=True)
    lines, chat = (make(2, **made) for make in SOURCES)
    for key in ("prompts", "completions"):
        np.testing.assert_array_equal(lines.held_out[key], chat.held_out[key])
    text = lines.tokenizer.decode(lines.train.tokens)
    rows = [line.split("\t") for line in text.splitlines()]
    assert tuple(dict.fromkeys(question for question, _ in rows)) == chat.prompts
    assert {tuple(row) for row in rows} < {*dialogue.exchanges(True)}  # some are long
    unseen = lines.tokenizer.decode(lines.validation.tokens)
    pairs = zip(chat.held_out["prompts"], chat.held_out["completions"], strict=True)
    assert unseen == "".join(f"{question}\t{answer}\n" for question, answer in pairs)


def test_the_alphabet_of_lines_is_that_of_all_exchanges():
    made = dict(tokenizer="bpe:400")
    few, all_ = (
        dialogue.chatterbot_lines(2, stand_in=stand_in, **made)
        for stand_in in (True, False)
    )
    assert few.tokenizer.to_json() == all_.tokenizer.to_json()
    assert few.tokenizer.decode([few.tokenizer.end_token]) == "\n"
    asked = LINES.text([("person", "Hi"), ("model", "Hello"), ("person", "Well?")])
    assert asked == "Hi\tHello\nWell?\t"


def test_exchanges_come_alone_and_behind_others_that_train():
    made = dict(length=128, tokenizer="bpe:400", stand_in=True, packed=False)
    alone, talks = (dialogue.chatterbot(1, longest=count, **made) for count in (1, 3))
    tokenizer = talks.tokenizer
    texts = [tokenizer.decode(row) for row in talks.train.content[0]["tokens"]]
    assert len(alone.train.content[0]["tokens"]) < len(texts)
    counts = {text.count("assistant") for text in texts}
    assert counts == {1, 2, 3}
    unseen = talks.held_out["prompts"]
    assert not any(f"\n{question}\n" in text for text in texts for question in unseen)
