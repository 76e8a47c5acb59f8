"""Starting TensorFlow for a command: what is left out, and that it comes back."""

import subprocess
import sys

import pytest

from zoo import _quiet


def test_what_is_absent_cannot_be_imported_and_then_can(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with _quiet.absent(["colorsys", "subprocess"]):
        with pytest.raises(ImportError, match="colorsys"):
            import colorsys
        assert sys.modules["subprocess"] is subprocess  # it was there before
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


@pytest.mark.slow
def test_a_command_does_not_pay_for_what_keras_would_import_beside():
    code = (
        "import sys\n"
        "from zoo._quiet import start_tensorflow\n"
        "start_tensorflow()\n"
        "heavy = {'matplotlib', 'sklearn'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "import matplotlib\n"
        "from sklearn.datasets import load_digits\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
