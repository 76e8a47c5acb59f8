# Written by tools/stubs.py.
__version__: str
from . import convert as convert
from . import ctc as ctc
from . import data as data
from . import declared as declared
from . import evaluation as evaluation
from . import export as export
from . import layers as layers
from . import likelihoods as likelihoods
from . import losses as losses
from . import modalities as modalities
from . import networks as networks
from . import optimizers as optimizers
from . import preferences as preferences
from . import registry as registry
from . import samplers as samplers
from . import schedules as schedules
from . import serving as serving
from . import tasks as tasks
from . import training as training
from .tasks.presets import from_preset as from_preset
