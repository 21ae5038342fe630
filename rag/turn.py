"""A question on its way through the steps of answering."""

import time

from rag.library import Library
from rag.types import Stage, StageName


class Turn:
    """One question on its way: what it is answered from, and the time of its stages.

    It keeps the snapshot it began with: the model may change before it ends. A stage that is gone
    through twice adds up.
    """

    def __init__(self, library: Library) -> None:
        self._started = self._last = time.perf_counter()
        self._seconds: dict[StageName, float] = {}
        self.snapshot = library.snapshot()

    def stage(self, name: StageName) -> Stage:
        """The stage that ends now."""
        now = time.perf_counter()
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last
        self._last = now
        return Stage(name, self._seconds[name])

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages so far."""
        return tuple(Stage(name, seconds) for name, seconds in self._seconds.items())

    def total(self) -> float:
        """Seconds since the question was put."""
        return time.perf_counter() - self._started
