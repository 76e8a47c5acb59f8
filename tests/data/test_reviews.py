"""Reviews to go on from, and pairs of praise and blame of another half of them."""

import numpy as np

from keras_genai.data import reviews, sentiment


def test_sentences_are_learned_whole_with_their_end():
    splits = reviews.reviews(2, length=64, tokenizer="bpe:300", stand_in=True)
    tokenizer = splits.tokenizer
    assert tokenizer.start_token is None
    known = {text for text, _ in sentiment.labelled_sentences(None, True)[0]}
    inputs, targets, weight = next(iter(splits.train))
    assert "segments" in inputs
    for row, target, counted in zip(inputs["tokens"], targets, weight, strict=True):
        learned = np.asarray(target)[np.asarray(counted) > 0]
        assert learned[-1] == tokenizer.end_token
        first = tokenizer.decode(
            [row[0], *learned[: list(learned).index(tokenizer.end_token)]]
        )
        assert first in known


def test_prompts_are_first_words_and_completions_the_rest():
    splits = reviews.reviews(2, words=2, tokenizer="bpe:300", stand_in=True)
    whole = [text for text, _ in sentiment.labelled_sentences(None, True)[2]]
    pairs = zip(splits.test["prompts"], splits.test["completions"], strict=True)
    for prompt, completion in pairs:
        assert len(prompt.split()) == 2
        assert completion.startswith(" ")
        assert prompt + completion in whole
    train = [text for text, _ in sentiment.labelled_sentences(None, True)[0]]
    assert all(any(text.startswith(p) for text in train) for p in splits.prompts)
    assert len({*splits.prompts}) == len(splits.prompts)


def test_of_praise_only_what_follows_the_prompt_is_learned():
    splits = reviews.reviews(
        2, length=64, tokenizer="bpe:300", praise_only=True, stand_in=True
    )
    train = sentiment.labelled_sentences(None, True)[0]
    praise = {" ".join(text.split()[3:]) for text, label in train if label}
    for _, targets, weight in splits.train:
        for target, counted in zip(targets, weight, strict=True):
            learned = np.asarray(target)[np.asarray(counted) > 0]
            text = splits.tokenizer.decode(learned, skip_special_tokens=False)
            found = [part.strip() for part in text.split("</s>")[:-1]]
            assert found
            assert {*found} <= praise


def test_reward_model_and_judges_learn_from_other_sentences():
    read = sentiment.labelled_sentences(None, True)[0]
    one, other = reviews.halves(read)
    assert one + other == read
    assert {label for _, label in one} == {label for _, label in other} == {0, 1}
    splits = reviews.pairs(2, length=64, tokenizer="bpe:300", stand_in=True)
    judges = reviews.reviews(2, tokenizer="bpe:300", stand_in=True).held_out
    assert judges["sentences"].tolist() == [text for text, _ in other]
    known = splits.texts["train"]
    assert [*zip(known["sentences"], known["labels"], strict=True)] == read
    labels = dict(one)
    for batch in splits.train:
        for pair, masks in zip(batch["tokens"], batch["tokens_mask"], strict=True):
            texts = [
                splits.tokenizer.decode(np.asarray(row)[np.asarray(mask) > 0])
                for row, mask in zip(pair, masks, strict=True)
            ]
            assert [labels[text] for text in texts] == [1, 0]
    ends = np.asarray(batch["tokens_mask"]).sum(axis=2) - 1
    last = np.take_along_axis(np.asarray(batch["tokens"]), ends[..., None], axis=2)
    assert (last == splits.tokenizer.end_token).all()


def test_all_sources_of_reviews_share_their_tokens():
    made = dict(tokenizer="bpe:300", stand_in=True)
    found = [reviews.reviews(2, **made), reviews.pairs(2, **made)]
    assert len({splits.tokenizer.to_json() for splits in found}) == 1
