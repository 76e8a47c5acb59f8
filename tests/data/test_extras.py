"""What is not installed is one line that says what to install."""

import sys

import pytest

import keras_genai as kg


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("sklearn", lambda: kg.data.images.digits(batch_size=2)),
        ("sklearn", lambda: kg.data.images.photographs(batch_size=2)),
        ("babel", lambda: kg.data.translation.dates(batch_size=2)),
        ("tensorflow_datasets", lambda: kg.data.images.mnist(batch_size=2)),
    ],
)
def test_a_source_says_which_extra_it_needs(package, source, monkeypatch):
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError) as found:
        source()
    message = str(found.value)
    assert f"needs {package}, which is not installed" in message
    assert 'pip install "keras_genai[data]"' in message
    assert "\n" not in message
