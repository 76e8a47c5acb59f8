"""The run folder of a worker that is not the chief: it reads, and writes elsewhere."""

import contextlib
import tempfile

from keras_genai.training import workers
from keras_genai.training.folder import RunFolder


def run_folder(path, strategy):
    """The folder of a run: that at `path` for the chief, and for a lone process.

    Args:
        path: path.
        strategy: `tf.distribute.Strategy`.

    Returns:
        `RunFolder`.
    """
    return RunFolder(path) if workers.is_chief(strategy) else FollowedFolder(path)


class FollowedFolder(RunFolder):
    """A folder that the chief of several workers fills.

    Its checkpoints are read. All else is written into a folder that is removed when it
    is no longer claimed.

    Args:
        path: path of the chief's folder.
    """

    writes = False

    def __init__(self, path):
        super().__init__(path)
        self._followed = self.checkpoints

    @contextlib.contextmanager
    def claim(self, fingerprint, fresh=False):
        with tempfile.TemporaryDirectory(prefix="keras_genai-worker-") as own:
            super().__init__(own)
            self.checkpoints = self._followed
            with super().claim(fingerprint, fresh):
                yield self
