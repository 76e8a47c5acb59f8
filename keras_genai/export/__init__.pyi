# Written by tools/stubs.py.
from .comparing import ExportError as ExportError
from .formats import Exported as Exported
from .formats import export as export
