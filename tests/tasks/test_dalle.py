"""DALLE: one sequence of words and codes; guidance, priming, the best of several."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import from_preset
from keras_genai.data.tokenizers import wordpiece
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.gpt import GPT
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.samplers.session import Session
from keras_genai.samplers.tokens import Greedy
from keras_genai.tasks import text_codes
from keras_genai.tasks.codec import VQVAE
from keras_genai.tasks.codes import cross_entropy
from keras_genai.tasks.dalle import DALLE
from keras_genai.tasks.text_codes import Wish

SHAPE, CODES, WORDS, LENGTH = (8, 8, 1), 6, 9, 3
PADDING = CODES + WORDS  # the first one
CODES_OF_A_PICTURE = 4
DRAWS = np.random.default_rng(0)
PICTURES = DRAWS.random((5, *SHAPE), "float32")
TEXTS = np.int32([[1, 2, 3], [4, 0, 0], [0, 0, 0], [8, 5, 0], [2, 2, 2]])


def make(text=None, seed=0, **changes):
    keras.utils.set_random_seed(seed)
    codec = VQVAE(
        QuantizedAutoencoder(num_codes=CODES, latent_size=4, filters=(4, 4)),
        Image(SHAPE),
    )
    latents = np.reshape(codec.network.encode(PICTURES), (-1, 4))
    codec.quantizer.codebook.assign(latents[::3][:CODES])  # pictures differ in codes
    network = GPT(depth=1, width=8, num_heads=2, dropout=changes.pop("dropout", 0.0))
    text = text or Text(vocabulary_size=WORDS, length=LENGTH)
    model = DALLE(network, codec, text, **changes)
    noise = np.random.default_rng(seed + 1)
    for weight in model.trainable_variables:  # far from where they begin
        weight.assign(weight + 0.3 * noise.normal(size=weight.shape))
    model.jit_generate = False  # compiling takes longer than all of the tests
    return model


@pytest.fixture(scope="module")
def model():
    return make()


def test_every_place_of_a_text_has_a_padding_of_its_own(model):
    assert model.network.vocabulary_size == CODES + WORDS + LENGTH
    assert model.network.context == LENGTH + CODES_OF_A_PICTURE
    found = model.beginning(TEXTS)
    np.testing.assert_array_equal(found[:, 0], 5 * [CODES])
    np.testing.assert_array_equal(found[0, 1:], TEXTS[0] + CODES)
    np.testing.assert_array_equal(found[1, 1:], [CODES + 4, PADDING + 1, PADDING + 2])
    np.testing.assert_array_equal(found[2, 1:], PADDING + np.arange(3))


def test_logits_of_a_text_are_never_of_codes_nor_those_of_codes_of_words(model):
    found = model({"images": PICTURES, "tokens": TEXTS})
    assert found["logits"].shape == (5, 2, 2, CODES)
    assert found["text_logits"].shape == (5, LENGTH, WORDS + LENGTH)
    np.testing.assert_array_equal(found["codes"], model.codec.tokenize(PICTURES))
    np.testing.assert_array_equal(found["texts"][1], [4, WORDS + 1, WORDS + 2])
    tokens = np.concatenate(
        [model.beginning(TEXTS), np.reshape(found["codes"], (5, 4))[:, :3]], axis=1
    )
    logits = model.network(tokens)
    np.testing.assert_array_equal(found["text_logits"], logits[:, :3, CODES:])
    np.testing.assert_array_equal(
        np.reshape(found["logits"], (5, 4, CODES)), logits[:, 3:, :CODES]
    )


def test_a_code_is_predicted_from_its_text_and_earlier_codes_only(model):
    codes = np.int32([[[1, 2], [3, 4]]])
    texts = np.int32([[1, 2, 3]])

    def logits(codes, texts):
        return np.reshape(model._predicted(codes, texts)["logits"], (4, CODES))

    before = logits(codes, texts)
    codes[0, 1, 0] = 5
    after = logits(codes, texts)
    np.testing.assert_array_equal(after[:3], before[:3])
    assert np.abs(after[3] - before[3]).max() > 1e-6
    other = logits(codes, np.int32([[1, 2, 4]]))
    assert np.abs(other - after).max(axis=1).min() > 1e-6


def test_the_loss_is_one_part_text_and_seven_parts_picture(model):
    batch = {"images": PICTURES, "tokens": TEXTS}
    found = model(batch)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    image = entropy(found["codes"], found["logits"])
    text = entropy(found["texts"], found["text_logits"])
    loss = model.compute_loss(batch, y_pred=found)
    np.testing.assert_allclose(loss, (text + 7 * image) / 8, rtol=1e-5)
    even = make(image_weight=1.0)
    loss = even.compute_loss(batch, y_pred=found)
    np.testing.assert_allclose(loss, (text + image) / 2, rtol=1e-5)


def test_a_score_is_what_the_codes_cost_alone_and_with_any_text(model):
    batch = {"images": PICTURES, "tokens": TEXTS}
    found = model(batch)
    entropy = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=None
    )
    nats = np.mean(entropy(found["codes"], found["logits"]), axis=(1, 2))
    scores = model.score(PICTURES, TEXTS)
    np.testing.assert_allclose(scores, nats, rtol=1e-5)
    free = model.score(PICTURES)
    np.testing.assert_allclose(free[2], scores[2], rtol=1e-6)  # a text of nothing
    np.testing.assert_allclose(
        model.caption_gain(PICTURES, TEXTS), 4 * (free - scores), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_texts_are_hidden_as_often_as_is_said(dropout):
    model = make(label_dropout=dropout)
    rows = np.zeros(1_000, int)
    batch = {"images": PICTURES[rows], "tokens": TEXTS[rows]}
    found = np.array(model(batch, training=True)["texts"])
    is_nothing = (found == WORDS + np.arange(LENGTH)).all(axis=1)
    np.testing.assert_allclose(is_nothing.mean(), dropout, atol=0.05)
    np.testing.assert_array_equal(found[~is_nothing], TEXTS[rows][~is_nothing])


@pytest.mark.parametrize("guided", [False, True])
def test_cached_decoding_is_the_full_pass_guided_or_not(guided, model):
    drawer, guidance = model.drawers[guided], 2.5
    codes = np.int32([[1, 2, 3, 4], [0, 0, 5, 1]])
    texts = TEXTS[:2]
    full = [
        np.reshape(model._predicted(codes.reshape(2, 2, 2), given)["logits"], (2, 4, 6))
        for given in (texts, np.zeros_like(texts))
    ]
    expected = full[1] + guidance * (full[0] - full[1]) if guided else full[0]
    told = (tf.fill([2], guidance),) if guided else ()
    cache = drawer.initial_cache(2, LENGTH + CODES_OF_A_PICTURE, *told)
    tokens = model.beginning(texts)
    places = tf.repeat(tf.range(LENGTH + 1)[None], 2, axis=0)
    logits, cache = drawer.decode(tokens, places, cache, tf.constant(0))
    np.testing.assert_allclose(logits, expected[:, 0], atol=1e-4)
    for step in range(3):
        place = LENGTH + 1 + step
        logits, cache = drawer.decode(
            codes[:, step : step + 1],
            tf.fill([2, 1], place),
            cache,
            tf.constant(place),
        )
        np.testing.assert_allclose(logits, expected[:, step + 1], atol=1e-4)


@pytest.mark.slow
def test_guidance_of_one_is_the_model_as_it_is(model):
    drawn = {}
    for guided in (False, True):
        session = Session(
            model.drawers[guided],
            [*np.asarray(model.beginning(TEXTS))],
            Greedy(),
            1 + LENGTH + CODES_OF_A_PICTURE,
            (),
            0,
            (tf.fill([5], 1.0),) if guided else (),
        )
        session.advance()
        drawn[guided] = [session.generated(row) for row in range(5)]
    np.testing.assert_array_equal(drawn[True], drawn[False])


@pytest.mark.slow
def test_guided_pictures_are_nearer_to_their_text(model):
    texts = np.repeat(TEXTS[:1], 200, axis=0)
    gains = []
    for guidance in (0.0, 1.0, 3.0):
        wish = Wish(guidance=guidance)
        codes = model.drawers[guidance != 1].codes(texts, None, wish)
        asked, free = (
            cross_entropy(model._predicted(codes, given)["logits"], codes)
            for given in (texts, np.zeros_like(texts))
        )
        gains.append(float(np.mean(free - asked)))
    assert gains[0] < gains[1] < gains[2]


@pytest.mark.slow
def test_a_row_is_the_same_whatever_the_others_are(model):
    few = model.generate(prompts=TEXTS[:2], seed=3)
    many = model.generate(prompts=TEXTS, seed=3)
    np.testing.assert_array_equal(few, many[:2])
    assert np.abs(few - model.generate(prompts=TEXTS[:2], seed=4)).max() > 1e-3
    assert model.generate().shape == (16, *SHAPE)


@pytest.mark.slow
def test_drawn_codes_have_the_chances_that_are_learned(model):
    texts = np.repeat(TEXTS[:1], 2_000, axis=0)
    codes = model.drawers[False].codes(texts, None, Wish())
    logits = model._predicted(codes[:1], texts[:1])["logits"][0, 0, 0]
    share = np.bincount(codes[:, 0, 0], minlength=CODES) / len(codes)
    np.testing.assert_allclose(share, keras.ops.softmax(logits), atol=0.04)


@pytest.mark.slow
def test_only_the_likeliest_codes_are_drawn_where_few_are_wanted(model):
    codes = model.drawers[False].codes(TEXTS, None, Wish(top_k=1))
    found = model._predicted(codes, TEXTS)["logits"]
    np.testing.assert_array_equal(np.argmax(found, axis=-1), codes)


@pytest.mark.slow
def test_a_primed_picture_keeps_its_upper_rows(model):
    codes = model.codec.tokenize(PICTURES[:1])
    primes = model._primes(PICTURES[0], 1, 5)
    drawn = model.drawers[True].codes(TEXTS, primes, Wish(guidance=2.0))
    np.testing.assert_array_equal(drawn[:, 0], np.repeat(codes[:, 0], 5, axis=0))
    lower = drawn[:, 1].reshape(5, -1)
    assert len(np.unique(lower, axis=0)) > 1
    whole = model.generate(prompts=TEXTS, guidance=2.0, prime=PICTURES[0], prime_rows=1)
    np.testing.assert_array_equal(whole, model.decode_tokens(drawn))


class Judge:
    """Prefers bright pictures of some texts, and dark ones of others."""

    def __init__(self):
        self.told = []

    def similarity(self, images, texts):
        self.told.append(texts)
        sign = np.where(np.arange(len(texts)) % 2, -1, 1)
        return images.mean(axis=(1, 2, 3))[:, None] * sign


@pytest.mark.slow
def test_of_several_candidates_the_best_by_its_own_text_is_kept(model):
    wish = Wish(seed=5, candidates=4)
    codes = model.drawers[False].codes(TEXTS, None, wish)
    assert codes.shape == (20, 2, 2)
    light = model.decode_tokens(codes).mean(axis=(1, 2, 3)).reshape(5, 4)
    best = model.generate(prompts=TEXTS, seed=5, candidates=4, rank_by=Judge())
    expected = [row.min() if i % 2 else row.max() for i, row in enumerate(light)]
    np.testing.assert_allclose(best.mean(axis=(1, 2, 3)), expected, rtol=1e-5)


@pytest.mark.slow
def test_many_pictures_are_drawn_some_at_a_time(model, monkeypatch):
    monkeypatch.setattr(text_codes, "ROWS", 4)
    texts = np.repeat(TEXTS[:1], 8, axis=0)
    pictures = model.generate(prompts=texts, seed=5)
    assert np.abs(pictures[:4] - pictures[4:]).max() > 1e-3  # of other draws
    judge = Judge()
    best = model.generate(prompts=TEXTS, seed=5, candidates=2, rank_by=judge)
    assert best.shape == (5, *SHAPE)
    assert [len(texts) for texts in judge.told] == [2, 2, 1]


def fit(model, steps):
    batch = {"images": PICTURES, "tokens": TEXTS}
    data = tf.data.Dataset.from_tensors(batch).repeat()
    return model.fit(data, steps_per_epoch=steps, verbose=0).history


def learner(**changes):
    model = make(**changes)
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.slow
def test_one_step_saved_and_loaded_and_one_more_are_two_steps(tmp_path):
    changes = dict(label_dropout=0.5, dropout=0.5)
    whole = learner(**changes)
    fit(whole, 1)
    whole.save_weights(tmp_path / "half.weights.h5")
    rest = learner(**changes)
    rest.load_weights(tmp_path / "half.weights.h5")
    pairs = zip(rest.optimizer.variables, whole.optimizer.variables, strict=True)
    for new, old in pairs:
        new.assign(old)
    assert fit(whole, 1) == fit(rest, 1)
    for new, old in zip(rest.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.slow
def test_it_learns_which_picture_belongs_to_which_text():
    model = make(label_dropout=0.2)
    model.compile(keras.optimizers.Adam(1e-2))
    fit(model, 400)
    assert model.score(PICTURES, TEXTS).mean() < 0.1
    assert model.caption_gain(PICTURES, TEXTS).mean() > 0.8  # of ln 5
    assert model.caption_gain(PICTURES, TEXTS[::-1]).mean() < -1.0
    drawn = model.generate(prompts=TEXTS, guidance=2.0)
    np.testing.assert_allclose(drawn, model.codec.reconstruct(PICTURES), atol=1e-5)


@pytest.mark.slow
def test_a_preset_holds_codec_network_and_tokenizer(tmp_path):
    captions = ["a dark square", "a light circle"]
    tokenizer = wordpiece(captions, 40, lowercase=True)
    model = make(Text(tokenizer, length=8))
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    loaded.jit_generate = False
    pictures = model.generate(prompts=captions, seed=2, guidance=2.0)
    found = loaded.generate(prompts=captions, seed=2, guidance=2.0)
    np.testing.assert_array_equal(found, pictures)
    one = loaded.generate(prompts=captions[0], seed=2, guidance=2.0)
    np.testing.assert_array_equal(one, pictures[:1])
    judge = Judge()
    loaded.generate(prompts=captions, candidates=2, rank_by=judge)
    assert judge.told == [captions]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(guidance=-1), "`guidance` must be a finite number >= 0"),
        (dict(prime_rows=1), "`prime_rows` must be None without `prime`"),
        (dict(prime=PICTURES[0], prime_rows=2), "`prime_rows` must be from 1 to 1"),
        (dict(prime=PICTURES[:3], prime_rows=1), "`prime` must be one, or as many"),
        (dict(candidates=2), "`rank_by` must be given with `candidates` above 1"),
        (dict(rank_by=Judge()), "`rank_by` must be given with `candidates` above 1"),
        (dict(candidates=2, rank_by=Judge()), "`prompts` must be given"),
        (dict(count=2, prompts=TEXTS), "`prompts` must be one, or as many"),
        (dict(prompts="a word"), "a model with a tokenizer"),
        (dict(temperature=0.0), "`temperature` must be a number > 0"),
        (dict(top_k=0), "`top_k` must be an int >= 1"),
    ],
)
def test_odd_wishes_are_refused_in_one_line(changes, said, model):
    with pytest.raises(ValueError, match=said) as caught:
        model.generate(**changes)
    assert "\n" not in str(caught.value)


def test_parts_that_do_not_fit_are_refused(model):
    sizes = dict(depth=1, width=4, num_heads=1)
    text = Text(vocabulary_size=WORDS, length=LENGTH)
    with pytest.raises(ValueError, match="have a context of at least 7"):
        DALLE(GPT(context=6, **sizes), model.codec, text)
    with pytest.raises(ValueError, match="`vocabulary_size` must be an int >= 18"):
        DALLE(GPT(vocabulary_size=17, **sizes), model.codec, text)
    for given in (Text(vocabulary_size=WORDS), Label(3), (text, Label(3))):
        with pytest.raises(ValueError, match="`given` must be one Text"):
            DALLE(GPT(**sizes), model.codec, given)
    sure = make(label_dropout=0.0)
    with pytest.raises(ValueError, match="trained with label_dropout=0"):
        sure.generate(prompts=TEXTS, guidance=2.0)
    with pytest.raises(TypeError, match="`rank_by` must be an object"):
        model.generate(prompts=TEXTS, candidates=2, rank_by=print)
