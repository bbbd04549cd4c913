"""A small store of the latest results: what it holds is never pickled and never changes an answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class Recent:
    """Keeps the `keep` results used last, each made by a pure function of its key."""

    def __init__(self, keep: int = 2):
        self.keep = keep
        self._held: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The result of `key`, made now unless it is held."""
        if key not in self._held:
            self._held[key] = make()
            while len(self._held) > self.keep:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    def __reduce__(self) -> tuple[Any, ...]:
        return Recent, (self.keep,)
