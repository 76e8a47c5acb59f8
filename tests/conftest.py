"""What holds for all tests."""

import gc
import pathlib
import sys

import pytest


def pytest_collection_finish():
    """What was imported stays; to look for garbage in it took a twentieth of all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


@pytest.fixture(scope="session", autouse=True)
def no_curves():
    """To draw a curve takes longer than a run of a few steps; one test draws it."""
    with pytest.MonkeyPatch.context() as patch:
        if "keras" in sys.modules:  # else nothing is trained
            from keras_genai.training import run

            patch.setattr(run, "draw_curve", empty)
        yield


def empty(history, path, title=""):
    """Takes the place of `draw_curve`."""
    pathlib.Path(path).touch()


@pytest.fixture
def eager():
    """No function is traced: what is called once or twice takes less time than that."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
