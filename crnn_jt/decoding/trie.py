"""A prefix trie of words as flat arrays, built level by level.

Nodes are numbered breadth first, so that a node's children are neighbours and a level is a slice. That is the layout in
which both the vectorised searches (numpy, one level at once) and the compiled ones (depth first) run without objects.
"""

from __future__ import annotations

import numpy as np


class Trie:
    """Words by their symbol indices; node 0 is the root (the empty word).

    symbol (nodes,): the symbol that leads to a node, 0 for the root. children (nodes+1,): node n's children are
    children[n] … children[n+1]-1. word (nodes,): the word that ends there, or -1. height (nodes,): symbols of the
    longest word below and at the node, counted from the root. All int32. levels: first node of each depth, and the end.
    """

    def __init__(self, flat: np.ndarray, offsets: np.ndarray):
        """flat: the symbol indices of all words one after the other; offsets (words+1,): where each word starts."""
        sizes = np.diff(offsets)
        symbol, parent, ends = [np.zeros(1, np.int64)], [np.full(1, -1)], []
        base, node = 0, np.zeros(len(sizes), dtype=np.int64)
        # Level by level, node[w] is where word w stands after `depth` symbols. Words that share their node and their
        # next symbol share a child; keys order children by parent first, so that a node's children are neighbours.
        for depth in range(int(sizes.max(initial=0)) + 1):
            at_end = np.flatnonzero(sizes == depth)
            ends.append((node[at_end], at_end))
            longer = np.flatnonzero(sizes > depth)
            if not len(longer):
                break
            base += len(symbol[-1])
            keys = node[longer] * (1 << 32) + flat[offsets[longer] + depth]
            found, inverse = np.unique(keys, return_inverse=True)
            node[longer] = base + inverse
            parent.append(found >> 32)
            symbol.append(found & 0xFFFFFFFF)
        self.levels = np.cumsum([0] + [len(level) for level in symbol])
        self.symbol = np.concatenate(symbol).astype(np.int32)
        self.parent = np.concatenate(parent).astype(np.int32)
        self.children = np.searchsorted(self.parent, np.arange(len(self.symbol) + 1)).astype(np.int32)
        self.word = self._place_words(ends)
        self.height = self._measure_heights()

    def __len__(self) -> int:
        return len(self.symbol)

    def _place_words(self, ends: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """`word` from the nodes and words of each length."""
        word = np.full(len(self.symbol), -1, dtype=np.int32)
        for nodes, words in ends:
            word[nodes] = words
        return word

    def _measure_heights(self) -> np.ndarray:
        """`height`, from the deepest level up: a parent reaches as deep as its deepest child."""
        height = np.zeros(len(self.symbol), dtype=np.int32)
        for depth in range(len(self.levels) - 2, -1, -1):
            level = slice(self.levels[depth], self.levels[depth + 1])
            height[level] = np.maximum(height[level], depth)
            if depth:
                np.maximum.at(height, self.parent[level], height[level])
        return height

    def expand(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The children of some nodes (F,): for each child its place in `nodes` and its own number, both (C,)."""
        first, counts = self.children[nodes], self.children[nodes + 1] - self.children[nodes]
        place = np.repeat(np.arange(len(nodes)), counts)
        # 0, 1 … counts[0]-1, 0, 1 … counts[1]-1, …: each child's place among its siblings
        within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        return place, first[place] + within
