# Written by tools/stubs.py.
from .dit import DiT as DiT
from .dit import DiTBlock as DiTBlock
from .unet import UNet as UNet
