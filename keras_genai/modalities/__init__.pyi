# Written by tools/stubs.py.
from .base import Modality as Modality
from .base import target_of as target_of
from .fields import Field as Field
from .fields import Labels as Labels
from .fields import Pictures as Pictures
from .fields import Tokens as Tokens
from .fields import Weights as Weights
from .grids import grid as grid
from .grids import png as png
from .image import Image as Image
from .image import Video as Video
from .image import pictures as pictures
from .number import Number as Number
from .text import Label as Label
from .text import Readable as Readable
from .text import Text as Text
