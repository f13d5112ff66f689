"""Symbols that have a part in common learn from each other's samples.

A vocabulary of whole words, such as PrIMuS's, has a class for each pair of a pitch and a duration; most of them are
rare. Think of the last layer's rows as sums (own row + row of the pitch + row of the duration): gradient descent on the
summands is gradient descent on the rows with (I + s·P·Pᵀ)·g in the place of the gradient g, where P (symbols, parts)
says which symbol has which part. So the model stays as it is, and only its training knows of the parts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from crnn_jt.backend import no_grad, ops
from crnn_jt.weights import BY_SYMBOL
from data_tools.errors import UserError


class Kinship:
    """Gradients of the arrays that have a row for each symbol, shared by a factor `strength` among kin.

    `parts` are the parts of each symbol; row 0 (blank or end), and what lies behind the symbols, has none. Raises
    UserError where no two symbols have a part in common.
    """

    def __init__(self, parts: Sequence[Collection[str]], strength: float):
        names = sorted({part for own in parts for part in own})
        members = np.zeros((len(parts) + 1, len(names)), np.float32)
        for row, own in enumerate(parts, start=1):
            members[row, [names.index(part) for part in own]] = 1
        self.members, self.strength = members[:, members.sum(0) > 1], strength
        self._arrays: dict[int, object] = {}  # `members` padded to so many rows, on the backend
        if not self.members.size:
            raise UserError("train.kinship: these symbols have no parts in common; set it to 0")

    def share(self, names: Sequence[str], gradients: list) -> list:
        """The gradients of the parameters `names`, those with a row for each symbol shared."""
        with no_grad():
            return [self._shared(g) if name in BY_SYMBOL else g for name, g in zip(names, gradients)]

    def _shared(self, gradient):
        rows = gradient.reshape((gradient.shape[0], -1))
        members = self._padded(gradient.shape[0])
        shared = rows + self.strength * (members @ (members.permute(1, 0) @ rows))
        return shared.reshape(gradient.shape)

    def _padded(self, rows: int):
        if rows not in self._arrays:
            self._arrays[rows] = ops.array(np.pad(self.members, ((0, rows - len(self.members)), (0, 0))))
        return self._arrays[rows]
