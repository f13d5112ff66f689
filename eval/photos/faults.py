"""What went wrong in a photograph, region by region, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_tools.sample import Region
from ocr.scores import Judged, normalise

KINDS = {
    "missed": "a region that was not found",
    "misread": "found, but read wrong",
    "false": "found where nothing is annotated",
    "right": "found and read right",
    "ignored": "not judged",
}
"""Kinds of regions; the first three are faults."""
FAULTS = ("missed", "misread", "false")


@dataclass(frozen=True)
class Mark:
    """A region of a photograph: its kind, outline (P, 2), and the texts that are there and were read."""

    kind: str
    outline: np.ndarray
    truth: str = ""
    text: str = ""


def mark_regions(judged: Judged, partial: bool) -> list[Mark]:
    """All regions of a photograph, faults first. In a set that is annotated in part nothing is found falsely."""
    marks = [_mark_pair(judged, found, judged.truths[truth]) for found, truth in judged.match.pairs]
    matched, paired = {truth for _, truth in judged.match.pairs}, {found for found, _ in judged.match.pairs}
    for place, region in enumerate(judged.truths):
        if place not in matched:
            kind = "missed" if region.legible else "ignored"
            marks.append(Mark(kind, region.polygon, region.text))
    counted = set(judged.match.found)
    for place, (outline, text) in enumerate(zip(judged.outlines, judged.texts)):
        if place not in paired and place in counted:
            marks.append(Mark("ignored" if partial else "false", outline, "", text))
    return sorted(marks, key=lambda mark: list(KINDS).index(mark.kind))


def _mark_pair(judged: Judged, found: int, region: Region) -> Mark:
    is_right = found in judged.right or not normalise(region.text)  # a set without texts says where they are
    return Mark("right" if is_right else "misread", judged.outlines[found], region.text, judged.texts[found])


def badness(marks: list[Mark]) -> tuple[float, int]:
    """The share and the number of faults among what counts: the worst are the greatest."""
    counted = [mark for mark in marks if mark.kind != "ignored"]
    faults = sum(mark.kind in FAULTS for mark in counted)
    return faults / max(1, len(counted)), faults
