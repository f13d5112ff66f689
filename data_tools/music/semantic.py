"""PrIMuS's semantic encoding: what the symbols mean (`note-Bb4_quarter.`, `keySignature-EbM`, `tie`, `barline`).

Source: Calvo-Zaragoza and Rizo 2018, section 3; the examples published with PrIMuS. Beams are not part of it, nor is
the kind of a bar line. A note is named by its own drawing: the accidental before it or else the key signature. That an
accidental holds to the bar line is a rule of notation (`notation.as_sounding`), not of the encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from data_tools.music.notation import (
    ACCIDENTALS,
    KEY_NAMES,
    SHARPS,
    VALUES,
    Barline,
    Clef,
    Event,
    Key,
    Meter,
    MultiRest,
    MusicError,
    Note,
    Rest,
    as_sounding,
    close_by_meter,
    drawn_alter,
    key_alter,
    with_accidentals,
)

READINGS = ("notation", "primus")
"""What the names of notes say (`parse`): what is drawn, or already what sounds."""

_ALTER_TEXT = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
_TEXT_ALTER = {text: alter for alter, text in _ALTER_TEXT.items()}
_VALUE = rf"(?P<value>{'|'.join(VALUES)})(?P<dots>\.{{0,3}})(?P<fermata>_fermata)?"
_NOTE = re.compile(rf"(?P<grace>grace)?note-(?P<step>[A-G])(?P<alter>bb|b|##|#|)(?P<octave>[0-9])_{_VALUE}")
_REST = re.compile(rf"rest-{_VALUE}")
_CLEF = re.compile(r"clef-([GCF])([1-5])")
_KEY = re.compile(r"keySignature-([A-G][b#]?)M")
_METER = re.compile(r"timeSignature-(?:([0-9]{1,3})/([0-9]{1,3})|(C/?))")
_MULTIREST = re.compile(r"multirest-([0-9]{1,4})")  # the longest of the corpus has 1,111 measures


def encode(events: Iterable[Event]) -> list[str]:
    """Events -> symbols; notes by their drawn accidental or the key, the closing bar line as it is in `events`."""
    result: list[str] = []
    fifths = 0
    for event in events:
        fifths = event.fifths if isinstance(event, Key) else fifths
        result.append(_symbol(event, fifths))
        if isinstance(event, Note) and event.tied:
            result.append("tie")
    return result


def _symbol(event: Event, fifths: int) -> str:
    match event:
        case Note():
            length = event.value + "." * event.dots + ("_fermata" if event.fermata else "")
            kind = "gracenote" if event.grace else "note"
            return f"{kind}-{event.step}{_ALTER_TEXT[drawn_alter(event, fifths)]}{event.octave}_{length}"
        case Rest():
            return f"rest-{event.value}{'.' * event.dots}{'_fermata' if event.fermata else ''}"
        case Barline():
            return "barline"
        case Clef():
            return f"clef-{event.shape}{event.line}"
        case Key():
            return f"keySignature-{KEY_NAMES[event.fifths + 7]}M"
        case Meter():
            return f"timeSignature-{event.sign or f'{event.count}/{event.unit}'}"
        case MultiRest():
            return f"multirest-{event.count}"


def parse(symbols: Sequence[str], accidentals: str = "notation") -> list[Event]:
    """Symbols -> events, without beams; `encode(parse(symbols))` gives symbols back in both readings.

    `accidentals` "notation": a name says what is drawn (an accidental where it differs from the key), and what is drawn
    holds to the bar line: note-F#4 note-F4 are two F sharps. "primus": a name says what sounds, and accidentals are
    drawn where a reader needs them: an F sharp and an F.

    Raises MusicError for a symbol that is none of the encoding, named with its place (1, 2, …). A `tie` binds the note
    before it (bar lines between are allowed); one without a note before it is dropped, as a listener would.
    """
    events = _events(symbols)
    fifths = 0
    for place, event in enumerate(events):
        fifths = event.fifths if isinstance(event, Key) else fifths
        if isinstance(event, Note) and event.alter != key_alter(fifths, event.step):
            events[place] = replace(event, accidental=ACCIDENTALS[event.alter])
    return as_sounding(events) if accidentals == "notation" else with_accidentals(events)


def close(symbols: Sequence[str]) -> list[str]:
    """Symbols with a closing `barline` exactly where the last measure is complete (`notation.close_by_meter`)."""
    events = _events(symbols)
    closed = close_by_meter(events)
    missing = len(closed) - len(events)
    return list(symbols)[: len(symbols) + min(0, missing)] + ["barline"] * missing


def _events(symbols: Sequence[str]) -> list[Event]:
    events: list[Event] = []
    for place, symbol in enumerate(symbols, 1):
        if symbol == "tie":
            if events and isinstance(events[-1], Note):
                events[-1] = replace(events[-1], tied=True)
            continue
        event = _event(symbol)
        if event is None:
            raise MusicError(f"symbol {place}, {symbol!r}: not a semantic symbol")
        events.append(event)
    return events


def _event(symbol: str) -> Event | None:
    if symbol == "barline":
        return Barline()
    if found := _NOTE.fullmatch(symbol):
        alter, octave = _TEXT_ALTER[found["alter"]], int(found["octave"])
        dots, grace, fermata = len(found["dots"]), bool(found["grace"]), bool(found["fermata"])
        return Note(found["step"], alter, octave, found["value"], dots, grace, fermata)
    if found := _REST.fullmatch(symbol):
        return Rest(found["value"], len(found["dots"]), bool(found["fermata"]))
    if found := _CLEF.fullmatch(symbol):
        return Clef(found[1], int(found[2]))
    if (found := _KEY.fullmatch(symbol)) and found[1] in KEY_NAMES:
        return Key(KEY_NAMES.index(found[1]) - 7)
    if found := _METER.fullmatch(symbol):
        return _meter(found)
    if (found := _MULTIREST.fullmatch(symbol)) and int(found[1]) > 0:
        return MultiRest(int(found[1]))
    return None


def _meter(found: re.Match) -> Meter | None:
    if found[3]:
        return Meter(4, 4, "C") if found[3] == "C" else Meter(2, 2, "C/")
    count, unit = int(found[1]), int(found[2])
    return Meter(count, unit) if count and unit else None


def kind(symbol: str) -> str:
    """What error rates are told by: note, gracenote, rest, multirest, clef, key, meter, barline, tie or other."""
    head = symbol.split("-", 1)[0]
    return {"keySignature": "key", "timeSignature": "meter"}.get(head, head) if _known_head(head) else "other"


def _known_head(head: str) -> bool:
    return head in ("note", "gracenote", "rest", "multirest", "clef", "keySignature", "timeSignature", "barline", "tie")


def parts(symbol: str) -> frozenset[str]:
    """What a symbol is put together from: of a note its place, name, pitch and length, of a number its digits, of a
    signature its accidentals. Symbols that share a part look, or sound, alike in it.
    """
    match _event(symbol):
        case Note() as note:
            name, kind = f"{note.step}{_ALTER_TEXT[note.alter]}", "gracenote" if note.grace else "note"
            pitch = {f"pitch {name}{note.octave}", f"place {note.step}{note.octave}", f"name {name}"}
            return frozenset(pitch | _length_parts(kind, note))
        case Rest() as rest:
            return frozenset(_length_parts("rest", rest))
        case Clef() as clef:
            return frozenset((f"clef {clef.shape}", f"clef on line {clef.line}"))
        case Key() as key:
            return frozenset(
                f"{key_alter(key.fifths, step):+} {step}" for step in SHARPS if key_alter(key.fifths, step)
            )
        case Meter() as meter if not meter.sign:
            return frozenset((f"{meter.count}/", f"/{meter.unit}"))
        case MultiRest() as silence:
            return frozenset(f"{digit}e{power}" for power, digit in enumerate(reversed(str(silence.count))))
        case _:
            return frozenset()


def _length_parts(kind: str, event: Note | Rest) -> set[str]:
    length = {f"{kind} {event.value}", f"{kind} {event.value}{event.dots * '.'}"}
    dotted = {f"{kind} dots {event.dots}"} if event.dots else set()
    return length | dotted | ({"fermata"} if event.fermata else set())


def file_text(symbols: Iterable[str]) -> str:
    """Symbols as PrIMuS writes them: a tab after each."""
    return "".join(f"{symbol}\t" for symbol in symbols)
