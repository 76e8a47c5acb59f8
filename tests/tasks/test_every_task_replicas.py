"""Every task learns on two replicas, and on two workers, what it does on one device.

This file is a program, too: run with a name of `WAYS` and a path, it trains the tasks
of `test_every_task.py` that way and writes what came of it. GANs, whose rows are to be
alike, are in `test_gan_replicas.py`.
"""

import importlib
import sys

import numpy as np
import pytest
from two_cpus import mirrored
from two_workers import run_one, run_two

# One process runs the programs whose findings all tests look at.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("every_task_replicas")]
HERE = __file__
BATCHES = 2
# Their rows are to be alike: see test_gan_replicas.py.
RIVALS = ("CycleGAN", "GAN", "Pix2Pix", "StyleGAN")
FAR = 1e-5
# A bound is 1,000 times a difference of float32 probabilities, which are rounded.
FARTHER = {"TableDiffusion": 1e-4}


def fix_noise():
    """Every draw of training is what it is for any row of any batch."""
    import keras
    import tensorflow as tf

    def fixed(kind):
        def draw(shape, *args, dtype=None, **kwargs):
            row = getattr(tf.random, kind)(shape[1:], (1, 2), dtype=dtype or "float32")
            return tf.broadcast_to(row, shape)

        return draw

    for name in ("diffusion", "table_diffusion", "text_to_speech"):
        module = importlib.import_module(f"keras_genai.tasks.{name}")
        module.spread_evenly = lambda count, seed: tf.fill([count], 0.4)
    keras.random.normal = fixed("stateless_normal")
    keras.random.uniform = fixed("stateless_uniform")
    keras.layers.Dropout.call = lambda self, inputs, training=False: inputs


def learners():
    """list of str: the names of all cases but those of `RIVALS`."""
    from test_every_task import CASES

    return [name for name in CASES if name.partition(" ")[0] not in RIVALS]


def fill(model):
    """Lets a policy make what it learns from."""
    count = model.prompts_per_rollout
    is_text = hasattr(model.policy, "vocabulary_size")
    prompts = [[1 + n, 2] if is_text else {"labels": n} for n in range(count)]
    model.refill(prompts, seed=0)


def learn(case, scope):
    """What training changes, what is logged, and the scores: dict of arrays."""
    import keras
    import tensorflow as tf

    with scope:
        model = case.made()
        settings = {} if case.loss is None else {"loss": case.loss}
        model.compile(keras.optimizers.SGD(0.1), **settings)
    if hasattr(model, "refill"):
        fill(model)
    before = [each.numpy() for each in model.trainable_variables]
    examples = case.inputs if case.targets is None else (case.inputs, case.targets)
    data = tf.data.Dataset.from_tensors(examples).repeat(BATCHES)
    logs = model.fit(data, validation_data=data, shuffle=False, verbose=0).history
    after = [each.numpy() for each in model.trainable_variables]
    change = [new - old for new, old in zip(after, before, strict=True)]
    return {
        "change": np.concatenate([each.ravel() for each in change]),
        "logs": np.array([logs[name][0] for name in sorted(logs)]),
        "scores": np.array(model.evaluate(data, verbose=0)),
    }


def dropped(strategy):
    """What each of two replicas drops of 64 numbers."""
    import tensorflow as tf
    from test_every_task import CROSS_ENTROPY, TEXT, gpt

    from keras_genai.tasks.language import CausalLM

    with strategy.scope():
        model = CausalLM(*gpt(dropout=0.5)("float32"), TEXT)
        model.compile("sgd", CROSS_ENTROPY)
    model.make_train_function()
    drop = model.network.drop

    @tf.function
    def step():
        return strategy.run(lambda: drop(tf.ones(64), training=True))

    return np.stack(strategy.experimental_local_results(step()))


def main(way, path, *chosen):
    """Trains all tasks, or those of these names, in one of `WAYS`."""
    import tensorflow as tf

    strategy = {
        "alone": tf.distribute.get_strategy,
        "replicas": mirrored,
        "workers": tf.distribute.MultiWorkerMirroredStrategy,
    }[way]()
    from test_every_task import CASES

    found = {"dropped": dropped(strategy)} if way == "replicas" else {}
    fix_noise()
    for name in chosen or learners():
        for part, array in learn(CASES[name], strategy.scope()).items():
            found[f"{name} {part}"] = array
    np.savez(path, **found)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """dict of a list of what each process found, by way."""
    folder = tmp_path_factory.mktemp("ways")
    for way in ("alone", "replicas"):
        run_one(HERE, way, folder / f"{way}.npz")
    run_two(HERE, lambda index: "workers", lambda index: folder / f"{index}.npz")
    names = {"alone": ["alone"], "replicas": ["replicas"], "workers": ["0", "1"]}
    return {
        way: [np.load(folder / f"{name}.npz") for name in each]
        for way, each in names.items()
    }


@pytest.mark.parametrize("name", learners())
@pytest.mark.parametrize("way", ["replicas", "workers"])
def test_it_learns_what_one_device_does(way, name, found):
    (alone,) = found["alone"]
    assert np.linalg.norm(alone[f"{name} change"]) > 1e-2
    far = FARTHER.get(name, FAR)
    for process in found[way]:
        for part in ("change", "logs", "scores"):
            expected = alone[f"{name} {part}"]
            np.testing.assert_allclose(
                process[f"{name} {part}"], expected, far, far, err_msg=part
            )


def test_each_replica_drops_numbers_of_its_own(found):
    one, other = found["replicas"][0]["dropped"]
    assert {*one} == {*other} == {0.0, 2.0}
    assert (one != other).any()


if __name__ == "__main__":
    main(*sys.argv[1:])
