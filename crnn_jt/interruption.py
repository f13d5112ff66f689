"""SIGINT and SIGTERM while a training runs: never in the middle of something that must be whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interruption:
    """A context in which SIGINT and SIGTERM raise KeyboardInterrupt, at once or, within `held()`, at its end.

    `whole` is False after a second signal, or an error, broke into `held()`: state in memory may then be half updated
    and must not be saved.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        self.whole = True
        self._holding = self._asked = False
        self._before: dict = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # handlers belong to the main thread
            self._before = {number: signal.signal(number, self._handle) for number in self.SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame) -> None:
        if not self._holding or self._asked:
            raise KeyboardInterrupt
        self._asked = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is inside happens as a whole; a first signal waits for its end, a second one breaks in."""
        self._holding, self.whole = True, False
        try:
            yield
            self.whole = True
        finally:
            self._holding = False
        if self._asked:
            self._asked = False
            raise KeyboardInterrupt
