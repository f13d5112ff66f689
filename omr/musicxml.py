"""Events of a staff -> MusicXML and back, by way of music21.

Music that is not right is exported all the same: what is doubtful is marked by a text above its measure.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from data_tools.files import write_bytes
from data_tools.music.notation import (
    VALUES,
    Barline,
    Clef,
    Doubt,
    Event,
    Key,
    Meter,
    MultiRest,
    MusicError,
    Note,
    Rest,
    doubts,
    measures,
)

logger = logging.getLogger(__name__)

_TYPES = dict(zip(VALUES, ("longa", "breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th")))
_NAMES = {kind: value for value, kind in _TYPES.items()}
_ALTERS = {-2: "--", -1: "-", 0: "", 1: "#", 2: "##"}
_SIGNS = {"C": "common", "C/": "cut"}


def to_score(events: Sequence[Event], title: str = ""):
    """A music21 Score of one part; doubtful places carry a text "? …" above their measure."""
    import music21

    score, part = music21.stream.Score(), music21.stream.Part()
    score.metadata = music21.metadata.Metadata(title=title or "Staff", composer="")
    writer = _Writer(music21, part)
    marks = doubts(events)
    for number, bar in enumerate(measures(events), 1):
        writer.measure(bar, [doubt for doubt in marks if doubt.measure == number])
    score.insert(0, part)
    return score


class _Writer:
    def __init__(self, music21, part) -> None:
        self.m, self.part = music21, part
        self.tied: Note | None = None
        self.full = Fraction(1)
        self.number = 0

    def _new(self):
        self.number += 1
        return self.m.stream.Measure(number=self.number)

    def measure(self, bar: list[Event], marks: list[Doubt]) -> None:
        measure = self._new()
        for doubt in marks:
            measure.insert(0, self.m.expressions.TextExpression(f"? {doubt.what}"))
        for event in bar:
            if isinstance(event, MultiRest):
                measure = self._rests(event, measure)
            elif not isinstance(event, Barline):
                self._add(measure, event)
        ended = bool(bar) and isinstance(bar[-1], Barline)
        missing = float(4 * self.full) - float(measure.highestTime)
        if missing > 0:  # a pick-up or a cut measure: music21 would fill it with rests
            setattr(measure, "paddingLeft" if self.number == 1 else "paddingRight", missing)
        if not ended:
            measure.rightBarline = self.m.bar.Barline("none")
        self.part.append(measure)

    def _rests(self, event: MultiRest, measure):
        """Measures of rest under one sign; the last of them is still open."""
        rests = []
        for order in range(event.count):
            rest = self.m.note.Rest(quarterLength=4 * self.full)
            rest.fullMeasure = True
            rests.append(rest)
            measure.append(rest)
            if order + 1 < event.count:
                self.part.append(measure)
                measure = self._new()
        self.part.insert(0, self.m.spanner.MultiMeasureRest(rests, useSymbols=False))
        return measure

    def _add(self, measure, event: Event) -> None:
        match event:
            case Clef():
                measure.append(self.m.clef.clefFromString(f"{event.shape}{event.line}"))
            case Key():
                measure.append(self.m.key.KeySignature(event.fifths))
            case Meter():
                self._meter(measure, event)
            case Note():
                measure.append(self._note(event))
            case Rest():
                rest = self.m.note.Rest(type=_TYPES[event.value], dots=event.dots)
                self._mark(rest, event)
                measure.append(rest)

    def _meter(self, measure, event: Meter) -> None:
        if event.unit not in (1, 2, 4, 8, 16, 32, 64):  # PrIMuS has 2/48, 3/6 …, which no notation program takes
            text = f"? time signature {event.count}/{event.unit}"
            measure.insert(measure.highestTime, self.m.expressions.TextExpression(text))
            return
        meter = self.m.meter.TimeSignature(f"{event.count}/{event.unit}")
        self.full = Fraction(event.count, event.unit)
        if event.sign:
            meter.symbol = _SIGNS[event.sign]
        measure.append(meter)

    def _note(self, event: Note):
        pitch = self.m.pitch.Pitch(f"{event.step}{_ALTERS[event.alter]}{event.octave}")
        note = self.m.note.Note(pitch, type=_TYPES[event.value], dots=event.dots)
        held = (
            not event.grace
            and self.tied is not None
            and (self.tied.step, self.tied.octave) == (event.step, event.octave)
        )
        if event.grace:
            note = note.getGrace()
        if held or event.tied:
            note.tie = self.m.tie.Tie(
                {(True, True): "continue", (True, False): "stop"}.get((held, event.tied), "start")
            )
        self._mark(note, event)
        if not event.grace:  # a tie leads over grace notes
            self.tied = event if event.tied else None
        return note

    def _mark(self, sound, event: Note | Rest) -> None:
        if event.fermata:
            fermata = self.m.expressions.Fermata()
            fermata.type = "upright"
            sound.expressions.append(fermata)


def to_musicxml(events: Sequence[Event], title: str = "") -> bytes:
    """The events as a MusicXML document."""
    from music21.exceptions21 import Music21Exception
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    try:
        return GeneralObjectExporter(to_score(events, title)).parse()
    except Music21Exception as error:  # music so wrong that no beams and accidentals can be worked out for it
        logger.warning("MusicXML without beams: %s", str(error).partition("\n")[0][:100])
        exporter = GeneralObjectExporter(to_score(events, title))
        exporter.makeNotation = False
        return exporter.parse()


def write_musicxml(path: str | Path, events: Sequence[Event], title: str = "") -> None:
    """Writes the events as a MusicXML file, whole or not at all."""
    write_bytes(path, to_musicxml(events, title))


def from_musicxml(content: bytes) -> list[Event]:
    """MusicXML of one staff -> events, without drawn accidentals and beams.

    Raises MusicError where it cannot be read, or holds what the events cannot say (chords, tuplets, several voices).
    """
    import music21

    try:
        with tempfile.NamedTemporaryFile(suffix=".musicxml") as file:
            file.write(content)
            file.flush()
            score = music21.converter.parse(file.name, format="musicxml", forceSource=True)
    except Exception as error:  # music21 and its XML parser raise almost anything on foreign bytes
        raise MusicError(f"not a readable MusicXML file ({' '.join(str(error).split())[:120]})") from error
    parts = list(getattr(score, "parts", []))
    if len(parts) != 1:
        raise MusicError(f"{len(parts)} parts; the encodings are of one")
    return _Reader(music21, parts[0]).events


class _Reader:
    def __init__(self, music21, part) -> None:
        self.m, self.events = music21, []
        self.groups: dict[int, int] = {}  # a rest's id -> measures of the multi-measure rest that it begins, else 0
        self.open_rests = 0
        for spanner in part.recurse().getElementsByClass(music21.spanner.MultiMeasureRest):
            for order, rest in enumerate(spanner.getSpannedElements()):
                self.groups[id(rest)] = spanner.numRests if order == 0 else 0
        for measure in part.getElementsByClass(music21.stream.Measure):
            self._measure(measure)

    def _measure(self, measure) -> None:
        if measure.voices:
            raise MusicError("several voices in a measure; the encodings are of one")
        within = False
        for element in measure:
            within = self._element(element) or within
        style = measure.rightBarline.type if measure.rightBarline is not None else ""
        later = within and self.open_rests > 0
        if style != "none" and not later:
            self.events.append(Barline())

    def _element(self, element) -> bool:
        """Takes one element of a measure; True if it is a rest of a multi-measure rest."""
        m = self.m
        if isinstance(element, m.clef.Clef):
            self.events.append(Clef(element.sign, element.line))
        elif isinstance(element, m.key.KeySignature):
            self.events.append(Key(element.sharps))
        elif isinstance(element, m.meter.TimeSignature):
            sign = {kind: sign for sign, kind in _SIGNS.items()}.get(element.symbol, "")
            self.events.append(Meter(element.numerator, element.denominator, sign))
        elif isinstance(element, m.note.Rest) and id(element) in self.groups:
            count = self.groups[id(element)]
            if count:
                self.events.append(MultiRest(count))
                self.open_rests = count
            self.open_rests -= 1
            return True
        elif (
            isinstance(element, m.note.GeneralNote) and element.hasStyleInformation and element.style.hideObjectOnPrint
        ):
            return False
        elif isinstance(element, m.note.Note | m.note.Rest):
            self._sound(element)
        elif isinstance(element, m.chord.Chord):
            raise MusicError("a chord is not covered")
        return False

    def _sound(self, element) -> None:
        if element.duration.tuplets:
            raise MusicError("a tuplet is not covered")
        value = _NAMES.get(element.duration.type)
        if value is None:
            raise MusicError(f"a duration {element.duration.type!r} is not covered")
        fermata = any(isinstance(mark, self.m.expressions.Fermata) for mark in element.expressions)
        dots = element.duration.dots
        if isinstance(element, self.m.note.Rest):
            self.events.append(Rest(value, dots, fermata))
            return
        tied = element.tie is not None and element.tie.type in ("start", "continue")
        alter = int(element.pitch.alter)
        note = Note(
            element.pitch.step, alter, element.pitch.octave, value, dots, element.duration.isGrace, fermata, tied
        )
        self.events.append(note)
