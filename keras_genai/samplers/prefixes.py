"""What is kept of texts that were read, for others that begin with the same tokens."""

import collections
from typing import Any, NamedTuple

import numpy as np

WHOLE = 16  # tokens: of keys and values, so many at a time are used again


class Prefix(NamedTuple):
    """A text that was read.

    Attributes:
        tokens: int32 array `(n,)`.
        parts: list of arrays: the parts of a cache of one row and n slots.
    """

    tokens: np.ndarray
    parts: list

    @property
    def nbytes(self):
        return self.tokens.nbytes + sum(part.nbytes for part in self.parts)


class Prefixes:
    """The texts last used, as many as fit into some bytes.

    They are copied when they are used, so that no text can change what another sees,
    and looked up by all of their tokens.

    Args:
        nbytes: int. Bytes at most.
        only_whole: bool. Whether a text can be used only to its end, as the state of a
            recurrent network can.
    """

    def __init__(self, nbytes, only_whole=False):
        self.nbytes, self.only_whole = nbytes, only_whole
        self._kept: collections.OrderedDict[bytes, Prefix] = collections.OrderedDict()

    def __len__(self):
        return len(self._kept)

    @property
    def used(self):
        """int: bytes of all that is kept."""
        return sum(prefix.nbytes for prefix in self._kept.values())

    def find(self, tokens):
        """The longest beginning that is known.

        Args:
            tokens: int32 array.

        Returns:
            `(prefix, count)`: a `Prefix` and how many of its tokens may be used, or
            `(None, 0)`.
        """
        found: tuple[Any, int] = (None, 0)
        for prefix in self._kept.values():
            count = self._usable(prefix.tokens, tokens)
            if count > found[1]:
                found = (prefix, count)
        if found[1]:
            self._kept.move_to_end(found[0].tokens.tobytes())
        return found

    def keep(self, tokens, make):
        """Keeps a text, unless it is known or too large.

        Args:
            tokens: int32 array.
            make: function without arguments that returns the parts of its `Prefix`.
        """
        key = tokens.tobytes()
        if key in self._kept:
            self._kept.move_to_end(key)
            return
        if not len(tokens):
            return
        prefix = Prefix(tokens, make())
        if prefix.nbytes > self.nbytes:
            return
        if not self.only_whole:
            # The new one says all that its own beginnings do.
            for known in [*self._kept]:
                if key.startswith(known):
                    del self._kept[known]
        self._kept[key] = prefix
        while self.used > self.nbytes:
            self._kept.popitem(last=False)

    def clear(self):
        """Forgets all of them."""
        self._kept.clear()

    def _usable(self, known, tokens):
        width = min(len(known), len(tokens))
        same = known[:width] == tokens[:width]
        count = width if same.all() else int(same.argmin())
        if self.only_whole:
            return count if count == len(known) else 0
        return count // WHOLE * WHOLE
