"""Requests that wait, of clients who take turns."""

import collections
from collections.abc import Callable, Iterator
from typing import Any


class Waiting:
    """A queue in which every client has a turn before one has another.

    Of one client, who came first is first. It is not safe to use from several threads
    at once.
    """

    def __init__(self):
        self._lines: collections.OrderedDict[str, collections.deque] = (
            collections.OrderedDict()
        )

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Any]:
        for line in self._lines.values():
            yield from line

    def put(self, client: str, item: Any) -> None:
        """Lets something wait behind all else of a client."""
        self._lines.setdefault(client, collections.deque()).append(item)

    def get(self) -> Any:
        """The next one, whose client goes to the end of all clients."""
        client, line = next(iter(self._lines.items()))
        item = line.popleft()
        del self._lines[client]
        if line:
            self._lines[client] = line
        return item

    def remove(self, unwanted: Callable[[Any], bool]) -> list[Any]:
        """Takes out those of which a function is true; list of them."""
        gone = [item for item in self if unwanted(item)]
        if gone:
            for client in list(self._lines):
                line = [item for item in self._lines[client] if item not in gone]
                self._lines[client] = collections.deque(line)
                if not line:
                    del self._lines[client]
        return gone
