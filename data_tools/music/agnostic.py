"""PrIMuS's agnostic encoding: what is drawn where (`accidental.flat-L4`, `note.beamedRight1-S3`, `slur.start-L2`).

Positions: L1 … L5 are the staff lines from below, S1 the space above L1; L0, L6 … ledger lines. Symbols go from left to
right, those above each other from the top. Source: Calvo-Zaragoza and Rizo 2018, section 3, and the published examples:
fermata before its note, end of a tie before the accidental, dots behind the note in the space, start of a tie last.
All grace notes inside a beam are `beamedBoth`, as in the published vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from data_tools.music.notation import (
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
    key_positions,
    pitch_at,
    position,
)

_BEAMED = {"start": "beamedRight", "middle": "beamedBoth", "end": "beamedLeft"}
_PLACED = re.compile(r"(.+)-([LS])(-?\d+)")
_FLAGS = {value: max(0, place - 4) for place, value in enumerate(VALUES)}
_FLAGGED = {0: "quarter"} | {flags: value for value, flags in _FLAGS.items() if flags}


def place_text(place: int) -> str:
    """Staff position (0 the lowest line) -> L1, S1, L2 …"""
    return f"L{place // 2 + 1}" if place % 2 == 0 else f"S{(place + 1) // 2}"


def place_of(letter: str, number: int) -> int:
    """The inverse of `place_text`."""
    return 2 * (number - 1) if letter == "L" else 2 * number - 1


def encode(events: Iterable[Event]) -> list[str]:
    """Events -> symbols. Raises MusicError for a note or key before the first clef: it has no place on the staff."""
    writer = _Writer()
    for event in events:
        writer.add(event)
    return writer.symbols


class _Writer:
    def __init__(self) -> None:
        self.symbols: list[str] = []
        self.clef: Clef | None = None
        self.fifths = 0
        self.tied = False

    def add(self, event: Event) -> None:
        match event:
            case Note():
                self._note(event)
            case Rest():
                self._rest(event)
            case Barline():
                self.symbols.append("barline-L1")
            case Clef():
                self.clef = event
                self.symbols.append(f"clef.{event.shape}-L{event.line}")
            case Key():
                self._key(event)
            case Meter():
                signs = [f"digit.{event.count}-L4", f"digit.{event.unit}-L2"]
                self.symbols += [f"metersign.{event.sign}-L3"] if event.sign else signs
            case MultiRest():
                self.symbols += [f"digit.{digit}-S5" for digit in str(event.count)] + ["multirest-L3"]

    def _need_clef(self, what: str) -> Clef:
        if self.clef is None:
            raise MusicError(f"{what} before the first clef has no place on the staff")
        return self.clef

    def _note(self, note: Note) -> None:
        place = position(self._need_clef("a note"), note.step, note.octave)
        at = place_text(place)
        self.symbols += ["fermata.above-S6"] * note.fermata
        held = self.tied and not note.grace  # a tie leads over grace notes
        self.symbols += [f"slur.end-{at}"] * held
        self.symbols += [f"accidental.{note.accidental}-{at}"] * bool(note.accidental)
        self.symbols.append(f"{'gracenote' if note.grace else 'note'}.{_figure(note)}-{at}")
        self.symbols += [f"dot-{place_text(place | 1)}"] * note.dots
        self.symbols += [f"slur.start-{at}"] * note.tied
        self.tied = self.tied if note.grace else note.tied

    def _rest(self, rest: Rest) -> None:
        self.symbols += ["fermata.above-S6"] * rest.fermata
        self.symbols.append(f"rest.{rest.value}-{'L4' if rest.value == 'whole' else 'L3'}")
        self.symbols += ["dot-S3"] * rest.dots

    def _key(self, key: Key) -> None:
        clef = self._need_clef("a key signature")
        name, fifths = ("sharp" if key.fifths > 0 else "flat"), key.fifths
        if not fifths:
            name, fifths = "natural", self.fifths  # a change to no signature is drawn as naturals
        self.symbols += [f"accidental.{name}-{place_text(place)}" for place in key_positions(clef, fifths)]
        self.fifths = key.fifths


def _figure(note: Note) -> str:
    if not note.beam:
        return note.value
    side = "beamedBoth" if note.grace else _BEAMED[note.beam]
    return f"{side}{_FLAGS[note.value]}"


@dataclass(frozen=True)
class Glyph:
    """One drawn thing: `name` (note, clef, …), `detail` (quarter, G, …) and its staff position."""

    name: str
    detail: str
    place: int


def glyphs(symbols: Sequence[str]) -> list[Glyph]:
    """Symbols -> glyphs; raises MusicError for one that is none of the encoding, named with its place (1, 2, …)."""
    result = []
    for order, symbol in enumerate(symbols, 1):
        found = _PLACED.fullmatch(symbol)
        if found is None:
            raise MusicError(f"symbol {order}, {symbol!r}: not an agnostic symbol")
        name, _, detail = found[1].partition(".")
        result.append(Glyph(name, detail, place_of(found[2], int(found[3]))))
    return result


def parse(symbols: Sequence[str]) -> list[Event]:
    """Symbols -> events, as a musician reads the picture: clef and signature decide the pitches.

    Raises MusicError where the glyphs make no notation (a note before any clef, one digit of a time signature).
    """
    reader = _Reader(glyphs(symbols))
    while reader.at < len(reader.glyphs):
        reader.step()
    return reader.events


class _Reader:
    def __init__(self, drawn: list[Glyph]) -> None:
        self.glyphs, self.at, self.events = drawn, 0, []
        self.clef: Clef | None = None
        self.memory = Accidentals()
        self.fermata = False
        self.accidental = ""

    def _emit(self, event: Event) -> None:
        self.memory.follow(event)
        self.events.append(event)

    def step(self) -> None:
        glyph = self.glyphs[self.at]
        self.at += 1
        match glyph.name:
            case "clef":
                self.clef = Clef(glyph.detail, glyph.place // 2 + 1)
                self._emit(self.clef)
            case "accidental":
                self._accidental(glyph)
            case "digit":
                self._digits(glyph)
            case "metersign":
                self._emit(Meter(4, 4, "C") if glyph.detail == "C" else Meter(2, 2, "C/"))
            case "note" | "gracenote":
                self._note(glyph)
            case "rest":
                self._emit(Rest(glyph.detail, self._dots(), self._take_fermata()))
            case "barline":
                self._emit(Barline())
            case "fermata":
                self.fermata = True
            case "slur":
                self._tie(glyph)
            case _:
                raise MusicError(f"glyph {self.at}, {glyph.name!r}: out of place")

    def _take_fermata(self) -> bool:
        fermata, self.fermata = self.fermata, False
        return fermata

    def _dots(self) -> int:
        start = self.at
        while self.at < len(self.glyphs) and self.glyphs[self.at].name == "dot":
            self.at += 1
        return self.at - start

    def _tie(self, glyph: Glyph) -> None:
        notes = (i for i in reversed(range(len(self.events))) if isinstance(self.events[i], Note))
        last = next(notes, None)
        if glyph.detail == "start" and last is not None:
            self.events[last] = replace(self.events[last], tied=True)
            self.memory.follow(self.events[last])

    def _accidental(self, glyph: Glyph) -> None:
        run = [glyph]
        while self.at < len(self.glyphs) and self.glyphs[self.at].name == "accidental":
            run.append(self.glyphs[self.at])
            self.at += 1
        follower = self.glyphs[self.at] if self.at < len(self.glyphs) else None
        if (
            follower
            and not self._signature(run)
            and follower.name in ("note", "gracenote")
            and follower.place == run[-1].place
        ):
            self.accidental = run.pop().detail  # it stands before a note of its height; the others are a signature
        if run:
            sign = {"sharp": 1, "flat": -1, "natural": 0}.get(run[0].detail, 0)
            self._emit(Key(sign * min(7, len(run))))

    def _signature(self, run: list[Glyph]) -> bool:
        """Whether accidentals right behind the clef make up a whole signature."""
        fifths = len(run) if run[0].detail == "sharp" else -len(run)
        behind_clef = bool(self.events) and isinstance(self.events[-1], Clef) and len(run) < 8
        return behind_clef and [glyph.place for glyph in run] == key_positions(self.clef, fifths)

    def _digits(self, glyph: Glyph) -> None:
        if glyph.place == place_of("S", 5):
            text = glyph.detail
            while self.at < len(self.glyphs) and self.glyphs[self.at].name == "digit":
                text += self.glyphs[self.at].detail
                self.at += 1
            rest = self.at < len(self.glyphs) and self.glyphs[self.at].name == "multirest"
            if not rest or len(text) > 4 or not int(text):
                raise MusicError(f"glyph {self.at}: a number above the staff without its rest")
            self.at += 1
            self._emit(MultiRest(int(text)))
            return
        if self.at >= len(self.glyphs) or self.glyphs[self.at].name != "digit" or not int(self.glyphs[self.at].detail):
            raise MusicError(f"glyph {self.at}: half a time signature")
        self.at += 1
        self._emit(Meter(int(glyph.detail), int(self.glyphs[self.at - 1].detail)))

    def _note(self, glyph: Glyph) -> None:
        if self.clef is None:
            raise MusicError(f"glyph {self.at}: a note before the first clef")
        step, octave = pitch_at(self.clef, glyph.place)
        accidental, self.accidental = self.accidental, ""
        alter = ALTERS[accidental] if accidental else self.memory.expected(step, octave, glyph.name == "gracenote")
        beam = next((beam for beam, side in _BEAMED.items() if glyph.detail.startswith(side)), "")
        value = _FLAGGED[int(glyph.detail[len(_BEAMED[beam]) :])] if beam else glyph.detail
        fermata, grace = self._take_fermata(), glyph.name == "gracenote"
        self._emit(Note(step, alter, octave, value, self._dots(), grace, fermata, False, accidental, beam))
