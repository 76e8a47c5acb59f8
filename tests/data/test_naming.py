"""What is asked for by a short name is found, or refused with the nearest name."""

import pytest

from keras_genai.data import naming

KINDS = {"file": "file", "folder": "folder"}
CHOICES = ["names", "shakespeare", "tfds:NAME", "folder:PATH"]


def test_files_are_found_by_kind_and_by_path(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("x")
    assert naming.own_files(f"file:{file}", KINDS) == str(file)
    assert naming.own_files(file, KINDS) == file
    assert naming.own_files(str(tmp_path), KINDS) == str(tmp_path)
    assert naming.own_files(file, {"folder": "folder"}) is None
    for nothing in ("", "nowhere", "tfds:x", "folder:"):
        assert naming.own_files(nothing, KINDS) is None
    with pytest.raises(FileNotFoundError, match="`data` must name a folder that exi"):
        naming.own_files(f"folder:{file}", KINDS)


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("nams", "; did you mean 'names'?"),
        ("tfd:mnist", "; did you mean 'tfds:...'?"),
        ("nams:x", ""),  # what stands behind a colon is of no name
        ("foldr", "; did you mean 'folder:...'?"),
        ("", ""),
    ],
)
def test_the_nearest_name_is_said(spec, hint):
    error = naming.unknown(spec, CHOICES, " or a path")
    wanted = f"`data` must be one of {CHOICES} or a path. Received: {spec!r}{hint}"
    assert str(error) == wanted
