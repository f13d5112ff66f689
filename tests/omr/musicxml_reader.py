"""MusicXML of one staff read back as events by music21: what the export's tests compare with."""

from __future__ import annotations

import music21
from music21 import clef, key, meter, note, spanner, stream
from music21.expressions import Fermata

from data_tools.music.notation import (
    ACCIDENTALS,
    VALUES,
    Barline,
    Clef,
    Event,
    Key,
    Meter,
    MultiRest,
    Note,
    Rest,
    with_accidentals,
)

_KINDS = ("longa", "breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th")
_VALUES = dict(zip(_KINDS, VALUES))
_SIGNS = {"common": "C", "cut": "C/"}


def read_musicxml(content: bytes) -> list[Event]:
    """MusicXML of one staff -> events, without beams; accidentals that the file does not draw are, where needed."""
    score = music21.converter.parse(content, format="musicxml", forceSource=True)
    (part,) = score.parts
    groups = {}  # a rest's id -> measures of the multi-measure rest that it begins, else 0
    for span in part.recurse().getElementsByClass(spanner.MultiMeasureRest):
        for order, rest in enumerate(span.getSpannedElements()):
            groups[id(rest)] = span.numRests if order == 0 else 0
    events: list[Event] = []
    left = 0  # measures of a multi-measure rest that are still to come
    for measure in part.getElementsByClass(stream.Measure):
        assert not measure.voices
        for element in measure:
            left = groups.get(id(element), 0) or left
            events += _events(element, groups)
        left -= any(id(element) in groups for element in measure)
        style = measure.rightBarline.type if measure.rightBarline is not None else ""
        events += [Barline()] if style != "none" and left <= 0 else []
    return with_accidentals(events)


def _events(element, groups: dict[int, int]) -> list[Event]:
    """What one element of a measure is: an event, or none."""
    match element:
        case clef.Clef():
            return [Clef(element.sign, element.line)]
        case key.KeySignature():
            return [Key(element.sharps)]
        case meter.TimeSignature():
            return [Meter(element.numerator, element.denominator, _SIGNS.get(element.symbol, ""))]
        case note.Rest() if id(element) in groups:
            return [MultiRest(groups[id(element)])] if groups[id(element)] else []
        case note.GeneralNote() if element.hasStyleInformation and element.style.hideObjectOnPrint:
            return []
        case note.Note() | note.Rest():
            return [_sound(element)]
    return []


def _sound(element: note.Note | note.Rest) -> Note | Rest:
    fermata = any(isinstance(mark, Fermata) for mark in element.expressions)
    if isinstance(element, note.Rest) and element.fullMeasure is True:
        return Rest("whole", 0, fermata)
    value, dots = _VALUES[element.duration.type], element.duration.dots
    if isinstance(element, note.Rest):
        return Rest(value, dots, fermata)
    tied = element.tie is not None and element.tie.type in ("start", "continue")
    pitch = element.pitch
    drawn = pitch.accidental is not None and pitch.accidental.displayStatus
    accidental = ACCIDENTALS.get(int(pitch.alter), "") if drawn else ""
    grace = element.duration.isGrace
    return Note(pitch.step, int(pitch.alter), pitch.octave, value, dots, grace, fermata, tied, accidental)
