"""Words within an edit distance of a reading: a Burkhard-Keller tree, and the faster search over a trie.

The BK-tree (Burkhard & Keller, "Some approaches to best-match file searching", 1973) is what the CRNN paper uses;
`pybktree` is the usual Python one. At distance 3 it must look at most of a dictionary; here its nodes are visited a
level at a time with rapidfuzz's vectorised distances. The trie search computes each column of the distance table once
for all words that share a prefix, as bit vectors (Myers, "A fast bit-vector algorithm for approximate string matching",
1999): same candidates, many times faster (`python -m eval lexicon` shows it).

All searches answer `nearest(text, delta)`: numbers of the words within `delta` edits, ascending, and their distances.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from crnn_jt.decoding import native
from crnn_jt.decoding.trie import Trie

WORD_BITS = 64  # a column of the distance table of a longer reading does not fit one machine word


class BKTree:
    """A BK-tree in arrays over distinct words; the same tree that inserting them one by one gives."""

    def __init__(self, words: Sequence[str]):
        self.words = list(words)
        parent, edge = self._grow()
        order = np.lexsort((edge, parent))
        order = order[parent[order] >= 0]
        self.child, self.edge = order, edge[order]
        self.first = np.searchsorted(parent[order], np.arange(len(self.words) + 1))

    def _grow(self) -> tuple[np.ndarray, np.ndarray]:
        """Parent and distance to it of every word, (words,) each; the root is word 0 with parent -1."""
        count = len(self.words)
        parent, edge = np.full(count, -1), np.zeros(count, dtype=np.int64)
        # All words sink together, a level a round: pivot[i] is the node that waiting[i] has come to. Of those at one
        # distance from one node, the first becomes its child on that edge, and the others sink to that child.
        waiting, pivot = np.arange(1, count), np.zeros(max(count - 1, 0), dtype=np.int64)
        while len(waiting):
            pivots = [self.words[i] for i in pivot]
            distance = process.cpdist(
                [self.words[i] for i in waiting], pivots, scorer=Levenshtein.distance, dtype=np.int32
            )
            keys = pivot * (1 << 32) + distance
            _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
            chosen = waiting[first]
            parent[chosen], edge[chosen] = pivot[first], distance[first]
            rest = np.ones(len(waiting), dtype=bool)
            rest[first] = False
            waiting, pivot = waiting[rest], chosen[inverse][rest]
        return parent, edge

    def nearest(self, text: str, delta: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the words within `delta` edits of `text`, ascending, and their distances; (M,) each."""
        found, distances = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        level = np.arange(min(1, len(self.words)))
        while len(level):
            distance = _distances(text, [self.words[i] for i in level])
            near = distance <= delta
            found.append(level[near])
            distances.append(distance[near])
            # By the triangle inequality a word within delta of the text lies under an edge within delta of the distance
            # of this node; `below` lists the edges under all nodes of the level.
            counts = self.first[level + 1] - self.first[level]
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            below = np.repeat(self.first[level], counts) + within
            reachable = np.abs(self.edge[below] - np.repeat(distance, counts)) <= delta
            level = self.child[below[reachable]]
        return _sort(np.concatenate(found), np.concatenate(distances))


class PyBKTree:
    """The same by `pybktree`, one Python call a node: what the others are measured against."""

    def __init__(self, words: Sequence[str]):
        import pybktree

        self.number = {word: i for i, word in enumerate(words)}
        self.tree = pybktree.BKTree(Levenshtein.distance, list(words))

    def nearest(self, text: str, delta: int) -> tuple[np.ndarray, np.ndarray]:
        """As `BKTree.nearest`."""
        found = self.tree.find(text, delta) if self.number else []
        numbers = np.array([self.number[word] for _, word in found], dtype=np.int64)
        return _sort(numbers, np.array([distance for distance, _ in found], dtype=np.int64))


class BruteForce:
    """Distances to every word by rapidfuzz."""

    def __init__(self, words: Sequence[str]):
        self.words = list(words)

    def nearest(self, text: str, delta: int) -> tuple[np.ndarray, np.ndarray]:
        """As `BKTree.nearest`."""
        distances = _distances(text, self.words, cutoff=delta)
        near = np.flatnonzero(distances <= delta)
        return near, distances[near]


class TrieSearch:
    """Distance columns over a trie as bit vectors, compiled where possible, else a level at a time in numpy."""

    def __init__(self, trie: Trie, words: Sequence[str], codes: dict[str, int], compiled: bool = True):
        self.trie, self.codes = trie, codes
        self.library = native.library() if compiled else None
        self.long = BruteForce(words)  # for readings longer than a machine word
        self.room = np.empty((2, len(words)), dtype=np.int32)

    def nearest(self, text: str, delta: int) -> tuple[np.ndarray, np.ndarray]:
        """As `BKTree.nearest`."""
        if len(text) > WORD_BITS:
            return self.long.nearest(text, delta)
        query = np.array([self.codes.get(c, 0) for c in text], dtype=np.int32)
        return self._compiled(query, delta) if self.library else self._by_level(query, delta)

    def _compiled(self, query: np.ndarray, delta: int) -> tuple[np.ndarray, np.ndarray]:
        trie, at = self.trie, native.pointer
        arrays = (at(trie.symbol), at(trie.children), at(trie.word), at(trie.height))
        symbols = max(len(self.codes) + 1, 1)
        words, distances = self.room
        count = self.library.nearest(*arrays, at(query), len(query), symbols, delta, at(words), at(distances))
        return _sort(words[:count].astype(np.int64), distances[:count].astype(np.int64))

    def _by_level(self, query: np.ndarray, delta: int) -> tuple[np.ndarray, np.ndarray]:
        """Every node of a level (F,) has the column of the distance table between the query and its prefix: `score`,
        the distance of the whole query, and the bits `up` and `down` (F,), where the column rises or falls by one.
        """
        trie, size = self.trie, len(query)
        match = np.zeros(len(self.codes) + 1, dtype=np.uint64)
        for i, k in enumerate(query):
            match[k] |= np.uint64(1 << i)  # the places at which the query has symbol k
        nodes, score = np.zeros(1, np.int64), np.array([size])
        up, down = np.full(1, ~np.uint64(0)), np.zeros(1, np.uint64)
        found, distances = [], []
        for depth in range(1, len(trie.levels) + 1):
            hit = (trie.word[nodes] >= 0) & (score <= delta)
            found.append(trie.word[nodes[hit]].astype(np.int64))
            distances.append(score[hit])
            place, nodes = trie.expand(nodes)
            score, up, down = _next_column(match[trie.symbol[nodes]], up[place], down[place], score[place], size)
            # A distance falls by one a symbol at most, and a word more than delta longer than the query is too far:
            # what cannot come within delta in the symbols that are left below a node is dropped.
            left = np.minimum(trie.height[nodes], size + delta) - depth
            keep = (score - left <= delta) & (left >= 0)
            nodes, score, up, down = nodes[keep], score[keep], up[keep], down[keep]
            if not len(nodes):
                break
        return _sort(np.concatenate(found), np.concatenate(distances))


def _next_column(equal, up, down, score, size):
    """The next column of the distance table of a query of `size` symbols, as Hyyrö ("A bit-vector algorithm for
    computing Levenshtein and Damerau edit distances", 2003) writes Myers' algorithm; all (F,).

    Bit i of `up` and `down` (VP, VN of the paper) says whether row i+1 of the column is one more or one less than row
    i; `equal` (PM) where the query has the new symbol.
    """
    one = np.uint64(1)
    # D0: where the distance does not grow along the diagonal; HP, HN: where it rises or falls from the last column
    diagonal = (((equal & up) + up) ^ up) | equal | down
    across_up, across_down = down | ~(diagonal | up), up & diagonal
    if size:  # the last row's rise or fall is that of the whole query's distance
        top = np.uint64(size - 1)
        score = score + (across_up >> top & one).astype(np.int64) - (across_down >> top & one).astype(np.int64)
    else:
        score = score + 1
    across_up, across_down = across_up << one | one, across_down << one  # row 0 rises: a symbol more of the word
    return score, across_down | ~(diagonal | across_up), across_up & diagonal


def _distances(text: str, words: list[str], cutoff: int | None = None) -> np.ndarray:
    """Edit distances of `text` to words (M,); beyond `cutoff` any larger number."""
    if not words:
        return np.zeros(0, dtype=np.int64)
    scorer = Levenshtein.distance
    return process.cdist([text], words, scorer=scorer, score_cutoff=cutoff, dtype=np.int32)[0].astype(np.int64)


def _sort(words: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(words)
    return words[order], distances[order]
