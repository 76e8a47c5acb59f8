# Written by tools/stubs.py.
from .callbacks import EarlyStopping as EarlyStopping
from .counting import count as count
from .display import require_tensorboard as require_tensorboard
from .errors import RunStoppedError as RunStoppedError
from .errors import TrainingError as TrainingError
from .errors import short_of_memory as short_of_memory
from .folder import RunFolder as RunFolder
from .rollouts import KLStop as KLStop
from .rollouts import Rollouts as Rollouts
from .run import Outcome as Outcome
from .run import deterministic as deterministic
from .run import reopen as reopen
from .run import train as train
from .settings import RunSettings as RunSettings
