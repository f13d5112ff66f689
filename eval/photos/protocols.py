"""How each published set is judged: whether its regions are words or lines, and whether all of them are annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_tools.errors import UserError

COLUMNS = ("S", "W", "G", "full", "none")
"""Lexicons of the end-to-end task of ICDAR 2013 and 2015 (Karatzas et al.): Strong, 100 words for each photograph, its
own among them; Weak, all words of the test set; Generic, 90,000 words. `full`: all words of the set's own annotations
(Ch'ng and Chan use it for Total-Text). none: without a lexicon.
"""
FOUND = ("S", "W", "G", "none")
"""Those that are measured where files say them; `full` must be asked for."""


@dataclass(frozen=True)
class Family:
    """Sets whose name or layout begins with `name`: their regions' `unit`, and whether only some are annotated."""

    name: str
    unit: str = "words"
    partial: bool = False


FAMILIES = (
    Family("SVT", partial=True),  # "not all words are labelled": Wang and Belongie, ECCV 2010
    Family("SROIE", "lines"),  # Huang et al., ICDAR 2019
    Family("TD500", "lines"),  # Yao et al., CVPR 2012; no texts
    Family("MSRA-TD500", "lines"),
    Family("RCTW", "lines"),  # Shi et al., ICDAR 2017
    Family("MTWI", "lines"),  # He et al., ICPR 2018
    Family("LSVT", "lines"),  # Sun et al., ICDAR 2019
    Family("CASIA", "lines"),  # He et al., ICPR 2018
    Family("CTW1500", "lines"),  # Liu et al., 2017
    Family("CCPD"),  # Xu et al., ECCV 2018: a plate
)


def find_family(name: str, layout: str) -> Family:
    """The family of a set by its folder's name, else by its layout, else one of words that are all annotated."""
    for said in (name.rsplit("/", 1)[-1], layout):
        for family in FAMILIES:
            if said.upper().startswith(family.name.upper()):
                return family
    return Family(name)


def choose_columns(text: str | None) -> list[str] | None:
    """The columns that --lexicons names, in the order of the table; None where it is not given. Raises UserError."""
    if text is None:
        return None
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not names:
        raise UserError(f"--lexicons {text}: it takes {', '.join(COLUMNS)}")
    return [column for column in COLUMNS if column in names]


def is_named(name: str, given: Sequence[str]) -> bool:
    """Whether an option that lists sets names this one: by its whole name or the last part of it."""
    return name in given or name.rsplit("/", 1)[-1] in given
