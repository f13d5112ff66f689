"""A reader in another order: samples of like length beside each other, so that little of a batch is padding."""

from __future__ import annotations

from functools import lru_cache
from random import Random

from data_tools.errors import UserError
from data_tools.sample import Sample


class Grouped:
    """`reader` in windows of `window` samples, each sorted by the number of symbols of its labels into batches.

    The batches of a window come in an order of their own, so that short ones do not always come first. The order is
    fixed: it depends on the labels alone. `reader` must offer `text(index)`; do not shuffle the result.
    """

    def __init__(self, reader, window: int, batch: int):
        if batch < 1 or window < batch or window % batch:
            raise UserError(f"groups of {window} for batches of {batch}: it takes a multiple of the batch size")
        self.reader, self.window, self.batch = reader, window, batch
        self._order = lru_cache(maxsize=4)(self._sorted)

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> Sample:
        return self.reader[self.place(index)]

    def text(self, index: int) -> str:
        """The label of sample `index` alone."""
        return self.reader.text(self.place(index))

    def place(self, index: int) -> int:
        """Where sample `index` of this order stands in `reader`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, within = divmod(index, self.window)
        return number * self.window + self._order(number)[within]

    def _sorted(self, number: int) -> list[int]:
        start = number * self.window
        size = min(self.window, len(self.reader) - start)
        lengths = [len(self.reader.text(start + place).split()) for place in range(size)]
        order = sorted(range(size), key=lambda place: (lengths[place], place))
        batches = [order[at : at + self.batch] for at in range(0, size, self.batch)]
        partial = [batches.pop()] if len(batches[-1]) < self.batch else []
        Random(number).shuffle(batches)
        return [place for group in batches + partial for place in group]

    def __reduce__(self):
        return Grouped, (self.reader, self.window, self.batch)
