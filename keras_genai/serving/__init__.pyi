# Written by tools/stubs.py.
from .chat import Chat as Chat
from .completion import Completion as Completion
from .engine import Engine as Engine
from .requests import BusyError as BusyError
from .requests import EngineError as EngineError
from .requests import Piece as Piece
from .requests import TextRequest as TextRequest
from .requests import TokenLogprob as TokenLogprob
from .requests import TooLongError as TooLongError
