# Written by tools/stubs.py.
from .chat import Chat as Chat
