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
from data_tools.errors import UserError


class Kinship:
    """Preconditions gradients with I + s·P·Pᵀ, s the `strength`.

    `parts` [symbols] are the parts of each symbol. `rows` names the arrays that have a row for each symbol, (K, …):
    row 0 is the blank or the end, the symbols follow; row 0 and what comes after the symbols have no parts. Raises
    UserError where no two symbols have a part in common.
    """

    def __init__(self, parts: Sequence[Collection[str]], strength: float, rows: Collection[str]):
        names = sorted({part for own in parts for part in own})
        members = np.zeros((len(parts) + 1, len(names)), np.float32)
        for row, own in enumerate(parts, start=1):
            members[row, [names.index(part) for part in own]] = 1
        shared = members.sum(0) > 1  # a part of one symbol alone would only raise that symbol's learning rate
        self.members, self.strength, self.rows = members[:, shared], strength, rows  # P (1 + symbols, parts)
        self._arrays: dict[int, object] = {}  # P padded to a number of rows, as an array of the backend
        if not self.members.size:
            raise UserError("kinship: these symbols have no parts in common; set it to 0")

    def share(self, names: Sequence[str], gradients: list) -> list:
        """The gradients of the parameters `names`, those with a row for each symbol shared."""
        with no_grad():
            return [self._share_rows(g) if name in self.rows else g for name, g in zip(names, gradients)]

    def _share_rows(self, gradient):
        """(I + s·P·Pᵀ)·g for a gradient g (K, …): each row's own gradient, plus s times the sum of the gradients of all
        rows of each of its parts. Pᵀ·g is the gradient of the parts, which P gives back to the rows.
        """
        rows = gradient.reshape((gradient.shape[0], -1))
        members = self._pad(gradient.shape[0])
        shared = rows + self.strength * (members @ (members.permute(1, 0) @ rows))
        return shared.reshape(gradient.shape)

    def _pad(self, rows: int):
        """P with rows of zeros up to `rows`, (rows, parts)."""
        if rows not in self._arrays:
            self._arrays[rows] = ops.array(np.pad(self.members, ((0, rows - len(self.members)), (0, 0))))
        return self._arrays[rows]
