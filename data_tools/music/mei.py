"""MEI of one staff -> events, and events -> MEI that verovio engraves.

Covered: what PrIMuS's encodings can say (MEI 3 to 6, as verovio writes it from Plaine & Easie). Anything else that
would be seen or heard (chords, tuplets, trills, several staves or voices …) is a MusicError that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from xml.etree import ElementTree

from data_tools.music.notation import (
    ACCIDENTALS,
    ALTERS,
    VALUES,
    Accidentals,
    Barline,
    Clef,
    Event,
    Key,
    Meter,
    MultiRest,
    MusicError,
    Note,
    Rest,
    measure_duration,
    measure_length,
)

_DURATIONS = dict(zip(("long", "breve", "1", "2", "4", "8", "16", "32", "64", "128"), VALUES))
_VALUE_TEXT = {value: text for text, value in _DURATIONS.items()}
_ACCID = {"s": "sharp", "f": "flat", "n": "natural", "ss": "double_sharp", "x": "double_sharp", "ff": "double_flat"}
_ACCID_TEXT = {name: text for text, name in _ACCID.items()} | {"double_sharp": "x"}
_INVISIBLE = {"annot", "pb", "sb", "cb", "milestone", "label", "labelAbbr", "instrDef", "expansion"}
_NUMBER = re.compile("[1-9][0-9]{0,3}")
_ID = "{http://www.w3.org/XML/1998/namespace}id"


def parse(text: str | bytes) -> list[Event]:
    """MEI -> events; raises MusicError with one line for broken XML, or what the encodings do not cover."""
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise MusicError(f"not a readable MEI file ({error})") from error
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        element.tag = element.tag.rpartition("}")[2]
    scores = list(root.iter("score"))
    if root.tag != "mei" or len(scores) != 1:
        raise MusicError("not an MEI file with one score")
    return _Parser(scores[0]).events


class _Parser:
    def __init__(self, score: ElementTree.Element) -> None:
        self.events: list[Event] = []
        self.memory = Accidentals()
        self.meter: Meter | None = None
        self.open = False  # a measure has been read, its bar line not yet
        self.last_right: str | None = None
        self.marked: tuple[set[str], set[str]] = (
            set(),
            set(),
        )  # ids of the measure's tied notes, of those with fermata
        for child in score:
            self._part(child)
        if not any(isinstance(event, Note | Rest | MultiRest) for event in self.events):
            raise MusicError("an MEI file without notes or rests")
        self._last_barline()

    def _part(self, element: ElementTree.Element) -> None:
        if element.tag in ("scoreDef", "staffDef"):
            self._between()
        if element.tag == "scoreDef":
            self._definition(element)
        elif element.tag == "staffDef":
            self._signatures([element])
        elif element.tag in ("section", "ending"):
            for child in element:
                self._part(child)
        elif element.tag == "measure":
            self._measure(element)
        elif element.tag not in _INVISIBLE:
            raise _uncovered(element)

    def _between(self) -> None:
        """The bar line of the measure before, now that something follows it."""
        if self.open and self.last_right != "invis":
            self._emit(Barline(self.last_right or "single"))
        self.open = False

    def _definition(self, element: ElementTree.Element) -> None:
        staves = list(element.iter("staffDef"))
        if len(staves) > 1:
            raise MusicError(f"{len(staves)} staves; the encodings are of one")
        if staves and staves[0].get("lines", "5") != "5":
            raise MusicError(f"a staff of {staves[0].get('lines')} lines")
        if staves and "mensural" in staves[0].get("notationtype", ""):
            raise MusicError("mensural notation is not covered")
        self._signatures([element, *staves])

    def _signatures(self, elements: Sequence[ElementTree.Element]) -> None:
        for read in (_clef, _key, _meter):
            found = [event for element in elements for event in read(element)]
            if found and not (isinstance(found[-1], Key) and found[-1].fifths == self.memory.fifths == 0):
                self._emit(found[-1])

    def _emit(self, event: Event) -> None:
        self.memory.follow(event)
        self.meter = event if isinstance(event, Meter) else self.meter
        self.events.append(event)

    def _measure(self, measure: ElementTree.Element) -> None:
        self._between()
        self.open = True
        ties = {tie.get("startid", "").lstrip("#") for tie in measure.iter("tie")}
        fermatas = {mark.get("startid", "").lstrip("#") for mark in measure.iter("fermata")}
        self.marked = (ties, fermatas)
        for child in measure:
            if child.tag == "staff":
                layers = [layer for layer in child if layer.tag == "layer"]
                if len(layers) > 1:
                    raise MusicError(f"{len(layers)} voices in a measure; the encodings are of one")
                for layer in layers:
                    self._layer(layer)
            elif child.tag not in _INVISIBLE | {"tie", "fermata"}:
                raise _uncovered(child)
        self.last_right = measure.get("right")

    def _last_barline(self) -> None:
        """The last bar line, as the file says; if it does not, one behind a complete measure (as PrIMuS)."""
        if not self.open:
            return
        if self.last_right is None and self._last_measure_complete():
            self._emit(Barline())
        elif self.last_right not in (None, "invis"):
            self._emit(Barline(self.last_right))

    def _last_measure_complete(self) -> bool:
        full = measure_length(self.meter)
        last = list(takewhile(lambda event: not isinstance(event, Barline), reversed(self.events)))
        return full is None or measure_duration(last, full) >= full

    def _layer(self, layer: ElementTree.Element) -> None:
        for element in layer:
            match element.tag:
                case "beam":
                    self._beam(element)
                case "clef" | "keySig" | "meterSig":
                    for event in _own(element):
                        self._emit(event)
                case "multiRest":
                    self._emit(MultiRest(_whole(element, "num")))
                case "mRest":
                    self._emit(MultiRest(1))
                case _ if element.tag not in _INVISIBLE:
                    self._sounding(element, "")

    def _beam(self, beam: ElementTree.Element) -> None:
        inside = list(_unfold(beam))
        members = [i for i, element in enumerate(inside) if element.tag in ("note", "rest")]
        for i, element in enumerate(inside):
            if element.tag == "clef":
                self._layer_clef(element)
                continue
            place = "" if len(members) < 2 else {members[0]: "start", members[-1]: "end"}.get(i, "middle")
            self._sounding(element, place)

    def _layer_clef(self, element: ElementTree.Element) -> None:
        for event in _own(element):
            self._emit(event)

    def _sounding(self, element: ElementTree.Element, beam: str, grace: bool = False) -> None:
        match element.tag:
            case "note":
                self._note(element, beam, grace)
            case "rest":
                value, dots = _length(element)
                self._emit(Rest(value, dots, self._fermata(element), beam))
            case "graceGrp":
                for inner in element:
                    if inner.tag == "beam":
                        raise MusicError("a beam of grace notes is not covered")
                    self._sounding(inner, beam, True)
            case _:
                raise _uncovered(element)

    def _fermata(self, element: ElementTree.Element) -> bool:
        return "fermata" in element.attrib or element.get(_ID, "?") in self.marked[1]

    def _note(self, element: ElementTree.Element, beam: str, grace: bool) -> None:
        step, octave = element.get("pname", "").upper(), _whole(element, "oct")
        if step not in tuple("CDEFGAB"):
            raise MusicError(f"a note with pname={element.get('pname')!r}")
        unread = [child.tag for child in element if child.tag not in ("accid", "dot")] + ["artic"] * (
            "artic" in element.attrib
        )
        if unread:
            raise MusicError(f"<{unread[0]}> on a note is not covered")
        accidental, sounding = _accidental(element)
        grace = grace or "grace" in element.attrib
        alter = self.memory.expected(step, octave, grace) if sounding is None else sounding
        value, dots = _length(element)
        tied = element.get("tie", "")[:1] in ("i", "m") or element.get(_ID, "?") in self.marked[0]
        slashed = element.get("grace") == "unacc"
        note = Note(step, alter, octave, value, dots, grace, False, tied, accidental, beam, slashed)
        self._emit(replace(note, fermata=self._fermata(element)))


def _unfold(beam: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for element in beam:
        if element.tag == "graceGrp":
            for inner in element:
                inner.set("grace", inner.get("grace", "unknown"))
                yield inner
        elif element.tag not in _INVISIBLE:
            yield element


def _uncovered(element: ElementTree.Element) -> MusicError:
    return MusicError(f"<{element.tag}> is not covered by the encodings")


def _whole(element: ElementTree.Element, name: str) -> int:
    text = element.get(name, "")
    if not (text.isascii() and text.isdigit() and int(text) < 10_000):
        raise MusicError(f"<{element.tag}> with {name}={element.get(name)!r}")
    return int(text)


def _length(element: ElementTree.Element) -> tuple[str, int]:
    value = _DURATIONS.get(element.get("dur", ""))
    if value is None:
        raise MusicError(f"<{element.tag}> with dur={element.get('dur')!r} is not covered")
    dots = _whole(element, "dots") if "dots" in element.attrib else len(element.findall("dot"))
    if dots > 3:
        raise MusicError(f"<{element.tag}> with {dots} dots")
    return value, dots


def _accidental(element: ElementTree.Element) -> tuple[str, int | None]:
    """(name of the drawn accidental or "", alteration that the file states or None)."""
    drawn, sounding = "", None
    for source in (element, *element.findall("accid")):
        for name in ("accid", "accid.ges"):
            if name not in source.attrib:
                continue
            accidental = _ACCID.get(source.get(name, ""))
            if accidental is None:
                raise MusicError(f"an accidental {source.get(name)!r} is not covered")
            drawn = accidental if name == "accid" else drawn
            sounding = ALTERS[accidental]
    return drawn, sounding


def _own(element: ElementTree.Element) -> list[Event]:
    read = {"clef": _clef, "keySig": _key, "meterSig": _meter}[element.tag]
    wrapper = ElementTree.Element("staffDef")
    wrapper.append(element)
    return list(read(wrapper))


def _clef(element: ElementTree.Element) -> Iterator[Clef]:
    shapes = [(element.attrib, "clef.")] if "clef.shape" in element.attrib else []
    shapes += [(child.attrib, "") for child in element.findall("clef")]
    for attributes, prefix in shapes:
        shape, line = attributes.get(f"{prefix}shape"), attributes.get(f"{prefix}line")
        if shape not in ("G", "C", "F") or line not in ("1", "2", "3", "4", "5") or f"{prefix}dis" in attributes:
            raise MusicError(f"a clef {shape!r} on line {line!r} (or an octave clef) is not covered")
        yield Clef(shape, int(line))


def _key(element: ElementTree.Element) -> Iterator[Key]:
    texts = [element.attrib[name] for name in ("key.sig", "keysig") if name in element.attrib]
    texts += [child.get("sig", "0") for child in element.findall("keySig")]
    for text in texts:
        count, sign = text[:-1] or text, text[-1:]
        if text == "0":
            yield Key(0)
        elif sign in ("s", "f") and count in tuple("1234567"):
            yield Key(int(count) if sign == "s" else -int(count))
        else:
            raise MusicError(f"a key signature {text!r} is not covered")


def _meter(element: ElementTree.Element) -> Iterator[Meter]:
    found = []
    if "meter.sym" in element.attrib or "meter.count" in element.attrib:
        found.append(tuple(element.get(f"meter.{name}") for name in ("sym", "count", "unit")))
    found += [tuple(child.get(name) for name in ("sym", "count", "unit")) for child in element.findall("meterSig")]
    for sign, count, unit in found:
        if sign in ("common", "cut"):
            yield Meter(4, 4, "C") if sign == "common" else Meter(2, 2, "C/")
        elif sign is None and _NUMBER.fullmatch(count or "") and _NUMBER.fullmatch(unit or ""):
            yield Meter(int(count), int(unit))
        else:
            raise MusicError(f"a time signature {sign or ''} {count}/{unit} is not covered")


_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="4.0.0">'
    "<meiHead><fileDesc><titleStmt><title/></titleStmt><pubStmt/>"
    "</fileDesc></meiHead><music><body><mdiv><score>\n"
)
_TAIL = "</section></score></mdiv></body></music></mei>\n"


def write(events: Sequence[Event], sounding: bool = False) -> str:
    """Events -> MEI 4; `parse(write(events))` gives them back.

    Signatures before the first note make the staff's definition; of two in a row the last one counts. `sounding` adds
    what undrawn accidentals sound like, which verovio wants for MIDI.
    """
    start = next((i for i, event in enumerate(events) if not isinstance(event, Clef | Key | Meter)), len(events))
    head, body = events[:start], events[start:]
    last = {type(event): event for event in head}  # of two signatures in a row the last one counts
    clef = _clef_attributes(last[Clef], "clef.") if Clef in last else ""
    rest = "".join(_signature(last[kind]) for kind in (Key, Meter) if kind in last)
    staff = f'<staffGrp><staffDef n="1" lines="5"{clef}/></staffGrp>'
    return f"{_HEAD}<scoreDef{rest}>{staff}</scoreDef>\n<section>{_measures(body, sounding)}{_TAIL}"


def _signature(event: Key | Meter) -> str:
    if isinstance(event, Key):
        return f' key.sig="{_key_text(event)}"'
    sign = f' meter.sym="{"common" if event.sign == "C" else "cut"}"' if event.sign else ""
    return sign or f' meter.count="{event.count}" meter.unit="{event.unit}"'


def _key_text(key: Key) -> str:
    return "0" if not key.fifths else f"{abs(key.fifths)}{'s' if key.fifths > 0 else 'f'}"


def _clef_attributes(clef: Clef, prefix: str = "") -> str:
    return f' {prefix}shape="{clef.shape}" {prefix}line="{clef.line}"'


def _measures(events: Iterable[Event], sounding: bool) -> str:
    writer = _MeasureWriter(sounding)
    for event in events:
        writer.add(event)
    writer.close("invis")
    return "".join(writer.parts)


class _MeasureWriter:
    def __init__(self, sounding: bool) -> None:
        self.sounding = sounding
        self.parts: list[str] = []
        self.layer: list[str] = []
        self.changes: dict[type, str] = {}
        self.tied = False
        self.beamed = False

    def add(self, event: Event) -> None:
        match event:
            case Barline():
                self.close(event.kind)
            case Key() | Meter() if not self.layer:
                self.changes[type(event)] = _signature(event)
            case Key():
                self.layer.append(f'<keySig sig="{_key_text(event)}"/>')
            case Meter():
                self.layer.append(f"<meterSig{_signature(event).replace('meter.', '')}/>")
            case Clef():
                self.layer.append(f"<clef{_clef_attributes(event)}/>")
            case MultiRest():
                self.layer.append(f'<multiRest num="{event.count}"/>')
            case Note() | Rest():
                self._sounding(event)

    def _sounding(self, event: Note | Rest) -> None:
        self.layer += ["<beam>"] * (event.beam == "start")
        length = f'dur="{_VALUE_TEXT[event.value]}"' + (f' dots="{event.dots}"' if event.dots else "")
        mark = ' fermata="above"' if event.fermata else ""
        if isinstance(event, Note):
            self.layer.append(f"<note {length}{mark}{self._pitch(event)}")
            self.tied = self.tied if event.grace else event.tied
        else:
            self.layer.append(f"<rest {length}{mark}/>")
        self.layer += ["</beam>"] * (event.beam == "end")
        self.beamed = event.beam in ("start", "middle")

    def _pitch(self, note: Note) -> str:
        held = self.tied and not note.grace
        tie = {(True, True): "m", (True, False): "t", (False, True): "i"}.get((held, note.tied), "")
        text = f' oct="{note.octave}" pname="{note.step.lower()}"'
        text += f' grace="{"unacc" if note.slashed else "acc"}"' * note.grace + (f' tie="{tie}"' if tie else "")
        if note.accidental:
            return f'{text}><accid accid="{_ACCID_TEXT[note.accidental]}"/></note>'
        heard = f' accid.ges="{_ACCID_TEXT[ACCIDENTALS[note.alter]]}"' if self.sounding and note.alter else ""
        return f"{text}{heard}/>"

    def close(self, right: str) -> None:
        """Ends the measure; a beam that is still open ends with it."""
        if self.layer or right != "invis":
            self.layer += ["</beam>"] * self.beamed
            self.beamed = False
            change = f"<scoreDef{''.join(self.changes.values())}/>" if self.changes else ""
            inside = f'<staff n="1"><layer n="1">{"".join(self.layer)}</layer></staff>'
            self.parts.append(f'{change}<measure right="{right}">{inside}</measure>\n')
        self.layer, self.changes = [], {}
