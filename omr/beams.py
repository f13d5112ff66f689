"""Beams of a measure: notes shorter than a quarter under one beam within each beat, where the reading does not say."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from data_tools.music.notation import VALUES, Event, Meter, Note, duration

_QUARTER = Fraction(1, 4)
_FLAGS = {value: max(0, place - 4) for place, value in enumerate(VALUES)}


def beam_marks(bar: Sequence[Event], meter: Meter | None) -> dict[int, list[str]]:
    """{place in the measure: MusicXML's words for each of the note's beams}; drawn beams stay as they are."""
    drawn = any(getattr(event, "beam", "") for event in bar)
    groups = _drawn_groups(bar) if drawn else _groups(bar, meter)
    marks: dict[int, list[str]] = {}
    for group in groups:
        flags = [_FLAGS[bar[place].value] for place in group]
        if len(group) > 1 and min(flags):
            marks |= {place: _words(flags, at) for at, place in enumerate(group)}
    return marks


def _words(flags: Sequence[int], at: int) -> list[str]:
    """Per beam of one note of a group: begin, continue, end, or a hook where neither neighbour shares it."""
    words = []
    for level in range(1, flags[at] + 1):
        before = at > 0 and flags[at - 1] >= level
        after = at + 1 < len(flags) and flags[at + 1] >= level
        if before or after:
            words.append("continue" if before and after else "end" if before else "begin")
        else:
            words.append("backward hook" if at else "forward hook")
    return words


def _drawn_groups(bar: Sequence[Event]) -> list[list[int]]:
    """Places of the notes under each drawn beam; grace notes within it have flags of their own."""
    groups: list[list[int]] = []
    for place, event in enumerate(bar):
        if not isinstance(event, Note) or event.grace or not event.beam:
            continue
        if event.beam == "start" or not groups:
            groups.append([])
        groups[-1].append(place)
    return groups


def _groups(bar: Sequence[Event], meter: Meter | None) -> list[list[int]]:
    """Places of neighbouring notes with flags that begin within one beat."""
    beat = _QUARTER
    if meter is not None and meter.count % 3 == 0 and meter.unit >= 8:
        beat = Fraction(3, meter.unit)
    groups: list[list[int]] = [[]]
    now, last = Fraction(0), None
    for place, event in enumerate(bar):
        if isinstance(event, Note) and event.grace:
            continue
        flagged = isinstance(event, Note) and _FLAGS[event.value] > 0
        if not flagged or now // beat != last:
            groups.append([])
        if flagged:
            groups[-1].append(place)
        now, last = now + duration(event), now // beat
    return groups
