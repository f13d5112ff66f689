"""Events of a staff -> MusicXML 4.0, plain or compressed (MXL).

Elements and their order: the W3C's MusicXML 4.0 schema (https://www.w3.org/2021/06/musicxml40/). Music that is not
right is exported all the same: what is doubtful is marked by a text "? …" above its place.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

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
    Note,
    Rest,
    doubts,
    duration,
    is_measure_rest,
    measure_duration,
    measures,
    settle_signatures,
)
from omr.beams import beam_marks

_TYPES = dict(zip(VALUES, ("long", "breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th")))
_SIGNS = {"C": "common", "C/": "cut"}
_ACCIDENTALS = {"double_flat": "flat-flat", "double_sharp": "double-sharp"}
_BARS = {"dbl": "light-light", "end": "light-heavy", "rptend": "light-heavy", "rptboth": "light-heavy", "": "none"}
_DIVISIONS = 256  # of a quarter note: a 128th with three dots is 15 of them
_UNITS = (1, 2, 4, 8, 16, 32, 64, 128)  # PrIMuS has 2/48, 3/6 …, which no notation program takes
_ORDER = {"divisions": 0, "key": 1, "time": 2, "clef": 3, "measure-style": 4}
_DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<container><rootfiles><rootfile full-path="score.musicxml" '
    'media-type="application/vnd.recordare.musicxml+xml"/></rootfiles></container>\n'
)


def to_musicxml(events: Sequence[Event], title: str = "") -> bytes:
    """The events as a MusicXML document; doubtful places carry a text "? …" above."""
    score = Element("score-partwise", version="4.0")
    SubElement(SubElement(score, "work"), "work-title").text = title or "Staff"
    entry = SubElement(SubElement(score, "part-list"), "score-part", id="P1")
    SubElement(entry, "part-name").text = ""
    part = SubElement(score, "part", id="P1")
    events = settle_signatures(events)
    writer = _Writer(part, doubts(events))
    bars = measures(events) or [[]]
    for order, bar in enumerate(bars, 1):
        writer.measure(bar, pick_up=order == 1 < len(bars))
    ElementTree.indent(score)
    return _DOCTYPE.encode() + ElementTree.tostring(score, encoding="unicode").encode() + b"\n"


class _Writer:
    def __init__(self, part: Element, marks: Sequence[Doubt]) -> None:
        self.part, self.marks = part, marks
        self.place = 0  # of the next event
        self.number = 0  # of the last measure
        self.meter: Meter | None = None
        self.tied: Note | None = None
        self.repeats = False  # the last bar line begins a repeat

    @property
    def full(self) -> Fraction:
        """The length of a measure in whole notes; of one, where no meter says it."""
        return Fraction(self.meter.count, self.meter.unit) if self.meter else Fraction(1)

    def measure(self, bar: list[Event], pick_up: bool) -> None:
        """One measure, or as many as a multi-measure rest in it has; `pick_up`: it may be one if it is short."""
        self.meter = next((event for event in reversed(bar) if _is_meter(event)), self.meter)
        length = measure_duration(bar, self.full)
        implicit = pick_up and self.meter is not None and 0 < length < self.full
        measure = self._new(implicit)
        alone = sum(isinstance(event, MultiRest) or duration(event) > 0 for event in bar) == 1
        beams = beam_marks(bar, self.meter)
        for offset, event in enumerate(bar):
            self._remark(measure)
            if isinstance(event, MultiRest):
                measure = self._rests(event, measure)
            elif alone and is_measure_rest(event):
                self._sound(measure, event, measure_rest=True)
            elif isinstance(event, Note | Rest):
                self._sound(measure, event, beams=beams.get(offset, ()))
            elif not isinstance(event, Barline):
                self._signature(measure, event)
            self.place += 1
        self._close(measure, bar[-1].kind if bar and isinstance(bar[-1], Barline) else "")

    def _new(self, implicit: bool = False) -> Element:
        self.number += not implicit
        measure = SubElement(self.part, "measure", number=str(self.number))
        if implicit:
            measure.set("implicit", "yes")
        if len(self.part) == 1:
            SubElement(SubElement(measure, "attributes"), "divisions").text = str(_DIVISIONS)
        if self.repeats:
            self._bar(measure, "left", "heavy-light", "forward")
            self.repeats = False
        return measure

    def _close(self, measure: Element, kind: str) -> None:
        self.repeats = kind in ("rptstart", "rptboth")
        if kind in _BARS:
            self._bar(measure, "right", _BARS[kind], "backward" if kind in ("rptend", "rptboth") else "")

    def _bar(self, measure: Element, location: str, style: str, repeat: str) -> None:
        bar = SubElement(measure, "barline", location=location)
        SubElement(bar, "bar-style").text = style
        if repeat:
            SubElement(bar, "repeat", direction=repeat)

    def _remark(self, measure: Element) -> None:
        """The doubts about the next event, as a text."""
        for doubt in self.marks:
            if doubt.index == self.place:
                _write_words(measure, f"? {doubt.what}")

    def _rests(self, event: MultiRest, measure: Element) -> Element:
        """Measures of rest under one sign; returns the last one, which is still open."""
        style = SubElement(_attributes(measure), "measure-style")
        SubElement(style, "multiple-rest").text = str(event.count)
        for order in range(event.count):
            measure = self._new() if order else measure
            self._sound(measure, Rest("whole"), measure_rest=True)
        return measure

    def _signature(self, measure: Element, event: Event) -> None:
        if isinstance(event, Meter) and not _is_meter(event):
            _write_words(measure, f"? time signature {event.count}/{event.unit}")
            return
        attributes = _attributes(measure)
        match event:
            case Clef():
                clef = SubElement(attributes, "clef")
                SubElement(clef, "sign").text = event.shape
                SubElement(clef, "line").text = str(event.line)
            case Key():
                SubElement(SubElement(attributes, "key"), "fifths").text = str(event.fifths)
            case Meter():
                time = SubElement(attributes, "time", {"symbol": _SIGNS[event.sign]} if event.sign else {})
                SubElement(time, "beats").text = str(event.count)
                SubElement(time, "beat-type").text = str(event.unit)
        attributes[:] = sorted(attributes, key=lambda child: _ORDER[child.tag])

    def _sound(
        self, measure: Element, event: Note | Rest, measure_rest: bool = False, beams: Sequence[str] = ()
    ) -> None:
        """A note or rest; the children in the schema's order."""
        note = SubElement(measure, "note")
        held = False
        if isinstance(event, Note):
            held = self._pitch(note, event)
        else:
            SubElement(note, "rest", {"measure": "yes"} if measure_rest else {})
            self.tied = None
        if not (isinstance(event, Note) and event.grace):
            length = self.full if measure_rest else duration(event)
            SubElement(note, "duration").text = str(int(4 * _DIVISIONS * length))
        ties = ["stop"] * held + ["start"] * getattr(event, "tied", False)
        for kind in ties:
            SubElement(note, "tie", type=kind)
        SubElement(note, "voice").text = "1"
        if not measure_rest:
            SubElement(note, "type").text = _TYPES[event.value]
            for _ in range(event.dots):
                SubElement(note, "dot")
        if name := getattr(event, "accidental", ""):
            SubElement(note, "accidental").text = _ACCIDENTALS.get(name, name)
        for level, kind in enumerate(beams, 1):
            SubElement(note, "beam", number=str(level)).text = kind
        if ties or event.fermata:
            notations = SubElement(note, "notations")
            for kind in ties:
                SubElement(notations, "tied", type=kind)
            if event.fermata:
                SubElement(notations, "fermata", type="upright")

    def _pitch(self, note: Element, event: Note) -> bool:
        """Writes grace and pitch; whether a tie ends here."""
        if event.grace:
            SubElement(note, "grace", {"slash": "yes"} if event.slashed else {})
        pitch = SubElement(note, "pitch")
        SubElement(pitch, "step").text = event.step
        if event.alter:
            SubElement(pitch, "alter").text = str(event.alter)
        SubElement(pitch, "octave").text = str(event.octave)
        if event.grace:  # a tie leads over grace notes
            return False
        before, self.tied = self.tied, event if event.tied else None
        return before is not None and (before.step, before.octave) == (event.step, event.octave)


def _is_meter(event: Event) -> bool:
    """Whether it is a time signature that notation programs take."""
    return isinstance(event, Meter) and event.unit in _UNITS


def _attributes(measure: Element) -> Element:
    """The measure's last element if it is `attributes`, else a new one."""
    last = measure[-1] if len(measure) else None
    return last if last is not None and last.tag == "attributes" else SubElement(measure, "attributes")


def _write_words(measure: Element, text: str) -> None:
    direction = SubElement(measure, "direction", placement="above")
    SubElement(SubElement(direction, "direction-type"), "words").text = text


def to_mxl(events: Sequence[Event], title: str = "") -> bytes:
    """The events as compressed MusicXML: a zip with its container and the document."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("META-INF/container.xml", _CONTAINER), ("score.musicxml", to_musicxml(events, title))):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def write_musicxml(path: str | Path, events: Sequence[Event], title: str = "") -> None:
    """Writes the events as MusicXML, compressed where the name ends in .mxl; whole or not at all."""
    compressed = Path(path).suffix.lower() == ".mxl"
    write_bytes(path, (to_mxl if compressed else to_musicxml)(events, title))
