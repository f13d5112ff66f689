"""The named protocols: which labels of a set count, what becomes of words a lexicon lacks, which columns there are.

Always: labels, readings and lexicons are lower-cased and reduced to 0-9a-z; a reading is right when it then equals its
label; every image that the protocol keeps is in the denominator, readable or not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from data_tools.errors import UserError
from data_tools.text import alphanumeric

COLUMNS = ("none", "50", "1k", "full", "50k", "50k-exact")
DRAWN = {"50": 50, "1k": 1000}
"""Columns whose lexicons belong to an image, and their distinct words when they are drawn."""
DICTIONARY_LIMITS = {"50k": 3, "50k-exact": None}
"""Columns that choose from the dictionary, and the edit distance to the lexicon-free reading that limits them: 3 as in
the CRNN paper; None: no limit.
"""


@dataclass(frozen=True)
class Protocol:
    """One way of counting. From `short_sets` (all: "") labels of fewer than `shortest` characters are taken out; with
    `every` no label is, not even one that has nothing of 0-9a-z. `by_folder`: sets are known by their folders' own
    names (IC13_857 and IC13_1015 are two), and averaged.
    """

    name: str
    summary: str
    shortest: int = 1
    longest: int | None = None
    whole_labels_only: bool = False
    short_sets: tuple[str, ...] = ("",)
    remove_outside: bool = False
    columns: tuple[str, ...] = COLUMNS
    every: bool = False
    by_folder: bool = False

    def keeps(self, set_name: str, label: str) -> bool:
        """Whether an image with this label, as annotated, counts."""
        if self.every:
            return True
        reduced = alphanumeric(label)
        if not reduced or (self.longest is not None and len(reduced) > self.longest):
            return False
        if not find_family(set_name).startswith(self.short_sets):
            return True
        whole = not self.whole_labels_only or len(reduced) == len(label.strip())
        return whole and len(reduced) >= self.shortest

    def name_of(self, set_name: str) -> str:
        """What published tables call the set in this folder."""
        return name_folder(set_name) if self.by_folder else find_family(set_name)

    def removes_outside(self, column: str) -> bool:
        """Whether words that the column's lexicon lacks are taken out of the denominator."""
        return self.remove_outside and column in DICTIONARY_LIMITS


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "paper",
            "the CRNN paper's: every image of IIIT5K and SVT (3000, 647); of IC03 and IC13 those whose labels are"
            " alphanumeric with at least 3 characters (860, 857). A word that the lexicon lacks counts as wrong.",
            shortest=3,
            whole_labels_only=True,
            short_sets=("IC03", "IC13"),
        ),
        Protocol(
            "report-2021",
            "the Jittor report's own counting: labels of at least 3 alphanumeric characters in every set (IIIT5K 2566)"
            " and, in the 50k columns, words that the dictionary lacks taken out of the denominator, which flatters.",
            shortest=3,
            remove_outside=True,
        ),
        Protocol(
            "parseq",
            "PARSeq's: every image of a set whose label keeps 1 to 25 characters of 0-9a-z; no lexicons.",
            longest=25,
            columns=("none",),
        ),
        Protocol(
            "mindocr",
            "MindOCR's and ABINet's: every image, ten sets by their folders' own names, 0-9a-z; no lexicons.",
            columns=("none",),
            every=True,
            by_folder=True,
        ),
    )
}


def get_protocol(name: str) -> Protocol:
    """The protocol of that name; raises UserError where there is none."""
    if name not in PROTOCOLS:
        raise UserError(f"--protocol {name}: there is no such protocol; there are: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def choose_columns(protocol: Protocol, wanted: str | None) -> tuple[list[str], list[str]]:
    """The columns to fill, from `--lexicons` (commas) or all of the protocol's, and a line for each it cannot serve."""
    names = [name.strip() for name in wanted.split(",")] if wanted else list(protocol.columns)
    for name in names:
        if name not in COLUMNS:
            raise UserError(f"--lexicons {name}: there is no such column; there are: {','.join(COLUMNS)}")
    refused = [
        f"{name}: the protocol {protocol.name} has no such column" for name in names if name not in protocol.columns
    ]
    return [name for name in dict.fromkeys(names) if name in protocol.columns], refused


FAMILIES = {  # by how their names begin; in the order of Table 1
    "IIIT5K": "IIIT5K",
    "SVTP": "SVTP",
    "SVT": "SVT",
    "IC03": "IC03",
    "IC13": "IC13",
    "IC15": "IC15",
    "CUTE": "CUTE80",
}


def find_family(set_name: str) -> str:
    """The published set that a folder's name means: `evaluation/IC13_857` -> `IC13`, `IIIT5k_3000` -> `IIIT5K`."""
    plain = re.sub(r"[^0-9A-Z]", "", set_name.rsplit("/", 1)[-1].upper())
    return next((name for start, name in FAMILIES.items() if plain.startswith(start)), set_name)


def name_folder(set_name: str) -> str:
    """A folder's own name, as tables by folder have it: `evaluation/IIIT5k_3000` -> `IIIT5K_3000`."""
    return re.sub(r"[^0-9A-Z]+", "_", set_name.rsplit("/", 1)[-1].upper().removesuffix(".LMDB"))


@dataclass(frozen=True)
class Published:
    """A row of a published table: who, how many images, and accuracy in % by (set, column)."""

    name: str
    images: dict[str, int]
    accuracy: dict[tuple[str, str], float]


_TABLE_1 = ("IIIT5K 50", "IIIT5K 1k", "IIIT5K none", "SVT 50", "SVT none")
_TABLE_1 += ("IC03 50", "IC03 full", "IC03 50k", "IC03 none", "IC13 none")


def _make_row(name: str, images: dict[str, int], *figures: float) -> Published:
    return Published(name, images, {tuple(key.split()): figure for key, figure in zip(_TABLE_1, figures)})


PUBLISHED = (
    _make_row(
        "CRNN paper",
        {"IIIT5K": 3000, "SVT": 647, "IC03": 860, "IC13": 857},
        *(97.6, 94.4, 78.2, 96.4, 80.8, 98.7, 97.6, 95.5, 89.4, 86.7),
    ),
    _make_row(
        "Jittor report",
        {"IIIT5K": 2566, "SVT": 647, "IC03": 860, "IC13": 857},
        *(96.8, 95.4, 79.3, 96.9, 79.4, 97.8, 97.3, 96.6, 89.7, 87.7),
    ),
)
_TEN_SETS = {
    "IC03_860": (860, 96.22),
    "IC03_867": (867, 95.83),
    "IC13_857": (857, 96.48),
    "IC13_1015": (1015, 94.90),
    "IC15_1811": (1811, 84.38),
    "IC15_2077": (2077, 80.56),
    "IIIT5K_3000": (3000, 95.83),
    "SVT": (647, 92.36),
    "SVTP": (645, 87.33),
    "CUTE80": (288, 89.58),
}
PUBLISHED_BY_FOLDER = (
    Published(
        "ABINet, MindOCR",  # its own page; SVT's figure is 532 of 576, as its evaluation drops the last partial batch
        {name: count for name, (count, _) in _TEN_SETS.items()},
        {(name, "none"): accuracy for name, (_, accuracy) in _TEN_SETS.items()},
    ),
)


def list_published(protocol: Protocol) -> tuple[Published, ...]:
    """The published rows to compare with."""
    return PUBLISHED_BY_FOLDER if protocol.by_folder else PUBLISHED
