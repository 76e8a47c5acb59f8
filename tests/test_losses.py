import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import losses, registry

ALL = [
    losses.NonSaturating(),
    losses.NonSaturating(label_smoothing=0.1),
    losses.Wasserstein(),
    losses.Hinge(),
    losses.LeastSquares(),
]
SHAPE = (4, 3, 3, 2)


def draw(seed=0, shape=SHAPE):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), "float32")


def linear(slope):
    """A critic whose gradient is the same everywhere, of a known length."""
    direction = draw(9, SHAPE[1:])
    direction *= slope / tf.norm(direction)
    return lambda images: tf.reduce_sum(images * direction, axis=(1, 2, 3))


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        (losses.NonSaturating(), 2 * np.log(2), np.log(2)),
        (losses.NonSaturating(0.1), 2 * np.log(2), np.log(2)),
        (losses.Wasserstein(), 0.0, 0.0),
        (losses.Hinge(), 2.0, 0.0),
        (losses.LeastSquares(), 0.5, 0.5),
    ],
)
def test_losses_of_a_discriminator_that_says_nothing(loss, discriminator, generator):
    nothing = tf.zeros((5,))
    assert np.isclose(loss.discriminator(nothing, nothing), discriminator)
    assert np.isclose(loss.generator(nothing), generator)


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_being_right_is_better_for_the_discriminator_and_worse_for_the_generator(loss):
    high, low = tf.fill((5,), 0.9), tf.fill((5,), -0.9)
    assert loss.discriminator(high, low) < loss.discriminator(low, high)
    assert loss.generator(low) > loss.generator(high)


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_probabilities_stay_between_0_and_1_and_keep_the_order(loss):
    found = loss.probability(tf.constant([-80.0, -1.0, 0.3, 0.6, 90.0])).numpy()
    assert found.min() >= 0
    assert found.max() <= 1
    assert (np.diff(found) >= 0).all()


def test_the_best_least_squares_score_is_the_share_of_real_pictures():
    # Three real pictures and one fake look the same: minimise over their one score.
    scores = np.linspace(0, 1, 101, dtype="float32")
    loss = losses.LeastSquares()
    values = [
        0.75 * loss.discriminator(tf.fill((1,), s), tf.zeros((1,)))
        + 0.25 * loss.discriminator(tf.ones((1,)), tf.fill((1,), s))
        for s in scores
    ]
    assert np.isclose(loss.probability(tf.constant(scores))[np.argmin(values)], 0.75)


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic_is_known(slope):
    penalty = losses.GradientPenalty(weight=10.0)
    found = penalty(linear(slope), draw(1), draw(2), seed=3)
    np.testing.assert_allclose(found, 10 * (slope - 1) ** 2, rtol=1e-5, atol=1e-9)


def test_a_one_sided_penalty_leaves_small_slopes_alone():
    penalty = losses.GradientPenalty(one_sided=True)
    assert penalty(linear(0.5), draw(1), draw(2), seed=3) == 0
    assert penalty(linear(1.5), draw(1), draw(2), seed=3) > 1


def test_r1_of_a_linear_critic_is_known():
    np.testing.assert_allclose(
        losses.R1(weight=4.0)(linear(3.0), draw()), 0.5 * 4 * 9, rtol=1e-5
    )


def test_the_gradient_penalty_looks_only_between_real_and_fake():
    seen = []

    def critic(images):
        seen.append(images)
        return tf.reduce_sum(images, axis=(1, 2, 3))

    losses.GradientPenalty()(critic, tf.zeros(SHAPE), tf.ones(SHAPE), seed=1)
    places = seen[0].numpy()
    assert (places >= 0).all()
    assert (places <= 1).all()
    assert len(np.unique(places)) == len(places)  # one place a picture


@pytest.mark.parametrize("penalty", [losses.GradientPenalty(), losses.R1()])
def test_a_constant_critic_has_a_finite_penalty_and_gradient(penalty):
    weight = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        value = penalty(
            lambda images: weight * tf.reduce_sum(images, axis=(1, 2, 3)),
            draw(1),
            draw(2),
            seed=3,
        )
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, weight))
    assert np.isfinite(penalty(lambda images: tf.zeros(4), draw(1), draw(2), 3))


def test_path_length_of_a_linear_generator_is_known():
    # One layer of styles, one pixel of one channel: the gradient is noise * direction.
    direction = tf.constant([3.0, 4.0])
    noise = tf.constant([1.0, -2.0], shape=(2, 1, 1, 1))

    def synthesize(styles):
        return tf.einsum("bld,d->b", styles, direction)[:, None, None, None]

    rule = losses.PathLength(weight=2.0, decay=0.5)
    value, mean = rule(synthesize, draw(shape=(2, 1, 2)), noise, tf.constant(1.0))
    lengths = np.array([5.0, 10.0])
    np.testing.assert_allclose(mean, 1 + 0.5 * (7.5 - 1), rtol=1e-6)
    expected = 2 * np.mean((lengths - mean.numpy()) ** 2)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_a_lazy_penalty_comes_on_one_step_of_so_many_as_many_times_as_large():
    step = tf.Variable(0)

    @tf.function
    def found():
        return losses.lazily(step, 4, lambda: tf.constant(1.5))

    values = []
    for number in range(8):
        step.assign(number)
        values.append(float(found()))
    assert values == [6.0, 0, 0, 0, 6.0, 0, 0, 0]
    assert losses.lazily(step, 1, lambda: 1.5) == 1.5


@pytest.mark.parametrize(
    "part",
    [*ALL, losses.GradientPenalty(3.0, True, 2), losses.R1(), losses.PathLength()],
)
def test_losses_and_penalties_come_back_from_their_config(part):
    assert registry.from_plain(registry.to_plain(part)) == part


def test_too_much_smoothing_is_refused():
    with pytest.raises(ValueError, match=r"`label_smoothing` must be a float in \[0"):
        losses.NonSaturating(0.5)


def test_penalties_can_be_differentiated_through_a_convolution_in_a_graph():
    layer = keras.layers.Conv2D(3, 3, activation="tanh")
    layer.build((None, *SHAPE[1:]))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            value = losses.lazily(
                tf.constant(0),
                2,
                lambda: losses.R1()(
                    lambda x: tf.reduce_sum(layer(x), axis=(1, 2, 3)), draw()
                ),
            )
        return tape.gradient(value, layer.kernel.value)

    assert np.abs(gradient()).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_lazy_penalties_have_their_gradients_in_xla_whatever_the_batch(scale):
    layer = keras.layers.Conv2D(3, 3, activation="tanh")
    layer.build((None, *SHAPE[1:]))

    def critic(images):
        return tf.reduce_sum(layer(images), axis=(1, 2, 3))

    def gradient(images, step):
        def penalty():
            twice = tf.repeat(images, 2, axis=0)
            return losses.R1()(critic, twice), step + 1

        with tf.GradientTape() as tape:
            value, state = losses.lazily(step, 4, penalty, step, scale=scale)
            loss = scale * (value + tf.reduce_mean(critic(images)))
        return value, state, tape.gradient(loss, layer.kernel.value)

    signature = [tf.TensorSpec((None, *SHAPE[1:])), tf.TensorSpec((), "int32")]
    plain, compiled = (
        tf.function(gradient, signature, jit_compile=jit) for jit in (False, True)
    )
    for step in (4, 5):
        for expected, found in zip(
            plain(draw(), step), compiled(draw(), step), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_is_the_cross_entropy_with_its_mixture(smoothing):
    logits, labels = draw(0, (2, 3, 5)), np.array([[0, 4, 2], [1, 1, 3]])
    weight = np.array([[1, 1, 0], [1, 0, 0]], "float32")
    target = np.eye(5)[labels] * (1 - smoothing) + smoothing / 5
    each = -np.sum(target * tf.nn.log_softmax(logits).numpy(), axis=-1)
    loss = losses.SparseSmoothedCrossentropy(smoothing)
    expected = np.sum(each * weight) / 3
    np.testing.assert_allclose(loss(labels, logits, weight), expected, rtol=1e-6)
    restored = type(loss).from_config(loss.get_config())
    np.testing.assert_allclose(restored(labels, logits, weight), expected, rtol=1e-6)


def test_the_least_smoothed_loss_is_the_entropy_of_the_target():
    target = np.array([0.92, 0.02, 0.02, 0.02, 0.02])
    loss = losses.SparseSmoothedCrossentropy(0.1)
    found = loss(np.array([[0]]), tf.constant(np.log(target)[None, None], "float32"))
    np.testing.assert_allclose(found, -np.sum(target * np.log(target)), rtol=1e-6)
    with pytest.raises(ValueError, match="`smoothing` must be a float in"):
        losses.SparseSmoothedCrossentropy(1.0)
