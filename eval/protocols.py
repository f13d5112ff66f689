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
DELTA = 3
"""Edit distance of the `50k` column, as published."""


@dataclass(frozen=True)
class Protocol:
    """One way of counting. From `short_sets` (all: "") labels of fewer than `shortest` characters are taken out."""

    name: str
    summary: str
    shortest: int = 1
    longest: int | None = None
    whole_labels_only: bool = False
    short_sets: tuple[str, ...] = ("",)
    remove_outside: bool = False
    columns: tuple[str, ...] = COLUMNS

    def keeps(self, set_name: str, label: str) -> bool:
        """Whether an image with this label, as annotated, counts."""
        reduced = alphanumeric(label)
        if not reduced or (self.longest is not None and len(reduced) > self.longest):
            return False
        if not family(set_name).startswith(self.short_sets):
            return True
        whole = not self.whole_labels_only or len(reduced) == len(label.strip())
        return whole and len(reduced) >= self.shortest


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
    )
}


def get(name: str) -> Protocol:
    """The protocol of that name; raises UserError where there is none."""
    if name not in PROTOCOLS:
        raise UserError(f"--protocol {name}: there is no such protocol; there are: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def columns(protocol: Protocol, wanted: str | None) -> tuple[list[str], list[str]]:
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


def family(set_name: str) -> str:
    """The published set that a folder's name means: `evaluation/IC13_857` -> `IC13`, `IIIT5k_3000` -> `IIIT5K`."""
    plain = re.sub(r"[^0-9A-Z]", "", set_name.rsplit("/", 1)[-1].upper())
    return next((name for start, name in FAMILIES.items() if plain.startswith(start)), set_name)


@dataclass(frozen=True)
class Published:
    """A row of Table 1: who, and accuracy in % by (set, column)."""

    name: str
    images: dict[str, int]
    accuracy: dict[tuple[str, str], float]


_TABLE_1 = ("IIIT5K 50", "IIIT5K 1k", "IIIT5K none", "SVT 50", "SVT none")
_TABLE_1 += ("IC03 50", "IC03 full", "IC03 50k", "IC03 none", "IC13 none")


def _row(name: str, images: dict[str, int], *figures: float) -> Published:
    return Published(name, images, {tuple(key.split()): figure for key, figure in zip(_TABLE_1, figures)})


PUBLISHED = (
    _row(
        "CRNN paper",
        {"IIIT5K": 3000, "SVT": 647, "IC03": 860, "IC13": 857},
        *(97.6, 94.4, 78.2, 96.4, 80.8, 98.7, 97.6, 95.5, 89.4, 86.7),
    ),
    _row(
        "Jittor report",
        {"IIIT5K": 2566, "SVT": 647, "IC03": 860, "IC13": 857},
        *(96.8, 95.4, 79.3, 96.9, 79.4, 97.8, 97.3, 96.6, 89.7, 87.7),
    ),
)
