"""Events of one staff of common Western notation, and the arithmetic on them: durations, staff positions, accidentals.

Every encoding (`semantic`, `agnostic`, `mei`) is a way to write or read a list of these events, so that two encodings
of the same events cannot drift apart. A staff position is an integer: 0 is the lowest line, 1 the space above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

STEPS = "CDEFGAB"
SHARPS, FLATS = "FCGDAEB", "BEADGCF"
VALUES: dict[str, Fraction] = {
    "quadruple_whole": Fraction(4),
    "double_whole": Fraction(2),
    "whole": Fraction(1),
    "half": Fraction(1, 2),
    "quarter": Fraction(1, 4),
    "eighth": Fraction(1, 8),
    "sixteenth": Fraction(1, 16),
    "thirty_second": Fraction(1, 32),
    "sixty_fourth": Fraction(1, 64),
    "hundred_twenty_eighth": Fraction(1, 128),
}
"""PrIMuS's names of note values, as parts of a whole note."""

ALTERS = {"double_flat": -2, "flat": -1, "natural": 0, "sharp": 1, "double_sharp": 2}
ACCIDENTALS = {alter: name for name, alter in ALTERS.items()}
KEY_NAMES = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
"""Major keys from seven flats to seven sharps: `KEY_NAMES[fifths + 7]`."""

_MIDDLE = {"C": 28, "F": 24, "G": 32}  # C4, F3, G4 as steps above C0: what stands on the clef's line
# The lowest sharp / flat position that engravers use: each accidental of a signature lies in the octave above it.
_SHARP_FLOOR = {"G1": 1, "G2": 3, "C1": 0, "C2": 2, "C3": 2, "C4": 2, "C5": 1, "F3": 1, "F4": 1, "F5": 3}
_FLAT_FLOOR = {"G1": -1, "G2": 1, "C1": 0, "C2": 0, "C3": 0, "C4": 2, "C5": 1, "F3": 1, "F4": -1, "F5": 3}


class MusicError(ValueError):
    """Symbols or a file that cannot be understood as one staff of music; the message is one line."""


@dataclass(frozen=True)
class Clef:
    """`shape` G, C or F on staff line `line`, 1 the lowest."""

    shape: str
    line: int


@dataclass(frozen=True)
class Key:
    """A key signature of `fifths` sharps (positive) or flats (negative)."""

    fifths: int


@dataclass(frozen=True)
class Meter:
    """A time signature; `sign` is "C" or "C/" when it is drawn as one, else empty."""

    count: int
    unit: int
    sign: str = ""


@dataclass(frozen=True)
class Note:
    """A note: `step` C…B, `alter` as it sounds (-1 flat, 1 sharp), `octave` (4 begins at middle C), `value` of VALUES.

    `accidental` is the one drawn before it, if any (a name of ALTERS); `beam` is "", "start", "middle" or "end";
    `tied` says that a tie leads to the next note; `slashed` that a grace note's stem is crossed.
    """

    step: str
    alter: int
    octave: int
    value: str
    dots: int = 0
    grace: bool = False
    fermata: bool = False
    tied: bool = False
    accidental: str = ""
    beam: str = ""
    slashed: bool = False


@dataclass(frozen=True)
class Rest:
    """A rest; it may stand within a beam."""

    value: str
    dots: int = 0
    fermata: bool = False
    beam: str = ""


@dataclass(frozen=True)
class MultiRest:
    """`count` measures of rest under one sign."""

    count: int


@dataclass(frozen=True)
class Barline:
    """A bar line; `kind` as in MEI (single, dbl, end, rptstart, rptend, rptboth): the encodings know one kind only."""

    kind: str = "single"


Event = Clef | Key | Meter | Note | Rest | MultiRest | Barline


def duration(event: Event) -> Fraction:
    """Length in whole notes; grace notes and everything that is no note or rest: 0."""
    if isinstance(event, Rest) or (isinstance(event, Note) and not event.grace):
        return _length(event.value, event.dots)
    return Fraction(0)


@cache
def _length(value: str, dots: int) -> Fraction:
    return VALUES[value] * (2 - Fraction(1, 2**dots))


def position(clef: Clef, step: str, octave: int) -> int:
    """Staff position of a pitch under `clef`."""
    return STEPS.index(step) + 7 * octave - _MIDDLE[clef.shape] + 2 * (clef.line - 1)


def pitch_at(clef: Clef, place: int) -> tuple[str, int]:
    """(step, octave) at a staff position: the inverse of `position`."""
    octave, step = divmod(place + _MIDDLE[clef.shape] - 2 * (clef.line - 1), 7)
    return STEPS[step], octave


def key_alter(fifths: int, step: str) -> int:
    """What a key signature does to a step: -1, 0 or 1."""
    if fifths >= 0:
        return int(step in SHARPS[:fifths])
    return -int(step in FLATS[:-fifths])


def drawn_alter(note: Note, fifths: int) -> int:
    """The alteration that a note's own drawing says: its accidental or, without one, the key signature.

    PrIMuS's labels name notes by it: an accidental earlier in the measure, or a tie, does not count.
    """
    return ALTERS[note.accidental] if note.accidental else key_alter(fifths, note.step)


def key_positions(clef: Clef, fifths: int) -> list[int]:
    """Staff positions of a signature's accidentals, left to right, as engravers set them."""
    name = f"{clef.shape}{clef.line}"
    floor = (_SHARP_FLOOR if fifths > 0 else _FLAT_FLOOR).get(name, 1)
    steps = SHARPS[:fifths] if fifths > 0 else FLATS[:-fifths]
    return [floor + (position(clef, step, 0) - floor) % 7 for step in steps]


class Accidentals:
    """What each pitch sounds like as one reads along: signature, accidentals of the measure, ties across bar lines."""

    def __init__(self) -> None:
        self.fifths = 0
        self._measure: dict[tuple[str, int], int] = {}
        self._tied: tuple[str, int, int] | None = None

    def expected(self, step: str, octave: int, grace: bool = False) -> int:
        """The alteration of an unmarked note here."""
        if not grace and self._tied is not None and self._tied[:2] == (step, octave):
            return self._tied[2]
        return self._measure.get((step, octave), key_alter(self.fifths, step))

    def follow(self, event: Event) -> None:
        """Takes notice of an event that has been read."""
        if isinstance(event, Key):
            self.fifths = event.fifths
        elif isinstance(event, Barline):
            self._measure.clear()
        elif isinstance(event, Note):
            if event.accidental:
                self._measure[event.step, event.octave] = event.alter
            if not event.grace:  # a tie leads over grace notes
                self._tied = (event.step, event.octave, event.alter) if event.tied else None


def with_accidentals(events: Iterable[Event]) -> list[Event]:
    """The events with accidentals drawn where the reader needs them: for music known by sound (semantic) alone."""
    memory, result = Accidentals(), []
    for event in events:
        plain = isinstance(event, Note) and not event.accidental
        if plain and event.alter != memory.expected(event.step, event.octave, event.grace):
            event = replace(event, accidental=ACCIDENTALS[event.alter])
        memory.follow(event)
        result.append(event)
    return result


def as_sounding(events: Iterable[Event]) -> list[Event]:
    """The events with `alter` as heard, from what is drawn: an accidental holds to the bar line, and along a tie."""
    memory, result = Accidentals(), []
    for event in events:
        if isinstance(event, Note):
            held = memory.expected(event.step, event.octave, event.grace)
            event = replace(event, alter=ALTERS[event.accidental] if event.accidental else held)
        memory.follow(event)
        result.append(event)
    return result


def close_by_meter(events: Sequence[Event]) -> list[Event]:
    """The events with a closing bar line exactly where the last measure is complete, whatever was drawn.

    PrIMuS's labels have theirs so (111 of 111 genuine ones). Without a time signature nothing is changed.
    """
    content = list(events[:-1]) if events and isinstance(events[-1], Barline) else list(events)
    meters = [event for event in content if isinstance(event, Meter)]
    last = measures(content)[-1:]
    if not meters or not last or isinstance(content[-1], Barline):
        return list(events)
    complete = measure_duration(last[0], measure_length(meters[-1])) == measure_length(meters[-1])
    closing = [event for event in events[-1:] if isinstance(event, Barline)] or [Barline()]
    return content + closing * complete


def measures(events: Iterable[Event]) -> list[list[Event]]:
    """Events cut after each bar line; the last measure may lack one."""
    result: list[list[Event]] = [[]]
    for event in events:
        result[-1].append(event)
        if isinstance(event, Barline):
            result.append([])
    return result if result[-1] else result[:-1]


def measure_length(meter: Meter | None) -> Fraction | None:
    """Length of a full measure in whole notes; None without a time signature."""
    return None if meter is None else Fraction(meter.count, meter.unit)


def measure_duration(bar: Iterable[Event], full: Fraction | None) -> Fraction:
    """Length of a measure's notes and rests in whole notes, `full` being that of a full one.

    A multi-measure rest, and a whole rest that stands alone, last a full measure in any meter.
    """
    sounding = [event for event in bar if isinstance(event, MultiRest) or duration(event)]
    if full is not None and len(sounding) == 1 and is_measure_rest(sounding[0]):
        return full
    return sum(map(duration, sounding), Fraction(0))


def is_measure_rest(event: Event) -> bool:
    """Whether the event, alone in its measure, is silence as long as that measure."""
    return isinstance(event, MultiRest) or (isinstance(event, Rest) and event.value == "whole" and not event.dots)


def timeline(events: Iterable[Event]) -> Iterator[tuple[Fraction, Event, Fraction]]:
    """(when it begins, event, how long it lasts), in whole notes; of two signatures of a kind in a row the last one.

    Rests of whole measures last as long as the time signature says, a whole note where there is none.
    """
    now, full = Fraction(0), Fraction(1)
    for bar in measures(settle_signatures(events)):
        alone = sum(isinstance(event, MultiRest) or duration(event) > 0 for event in bar) == 1
        for event in bar:
            full = Fraction(event.count, event.unit) if isinstance(event, Meter) else full
            silent = isinstance(event, MultiRest) or (alone and is_measure_rest(event))
            length = full * getattr(event, "count", 1) if silent else duration(event)
            yield now, event, length
            now += length


def settle_signatures(events: Iterable[Event]) -> list[Event]:
    """The events with only the last of several clefs, keys or meters that stand together: it is the one that counts."""
    result: list[Event] = []
    together: dict[type, Event] = {}
    for event in events:
        if isinstance(event, Clef | Key | Meter):
            together.pop(type(event), None)
            together[type(event)] = event
            continue
        result += [*together.values(), event]
        together.clear()
    return [*result, *together.values()]


@dataclass(frozen=True)
class Doubt:
    """A place where the music is not as it should be: the measure (1, 2, …), the event's index, what is wrong."""

    measure: int
    index: int
    what: str

    def __str__(self) -> str:
        return f"measure {self.measure}: {self.what}"


def doubts(events: Sequence[Event]) -> list[Doubt]:
    """What a musician would find wrong: no clef before the first note, measures that do not add up, dangling ties.

    The first and the last measure may be incomplete (pick-up, end of the incipit) but not too long; longer
    music without a bar line in it is unmeasured.
    """
    found: list[Doubt] = []
    bars, start, meter, clef = measures(events), 0, None, False
    for number, bar in enumerate(bars, 1):
        for offset, event in enumerate(bar):
            meter = event if isinstance(event, Meter) else meter
            clef = clef or isinstance(event, Clef)
            if not clef and isinstance(event, Note | Rest | MultiRest):
                found.append(Doubt(number, start + offset, "no clef before the first note"))
                clef = True
        full = measure_length(meter)
        short = number in (1, len(bars))
        problem = _wrong_length(bar, None if len(bars) == 1 and _is_unmeasured(bar, full) else full, short)
        if problem:
            found.append(Doubt(number, start + len(bar) - 1, problem))
        found += [Doubt(number, start + offset, what) for offset, what in _loose_ties(events, start, len(bar))]
        start += len(bar)
    return sorted(found, key=lambda doubt: doubt.index)


def _is_unmeasured(bar: list[Event], full: Fraction | None) -> bool:
    """Whether music that is one measure has no measures: longer than one, with a bar line at most at its end."""
    length = measure_duration(bar, full)
    return full is not None and length > full * (2 if isinstance(bar[-1], Barline) else 1)


def _wrong_length(bar: list[Event], full: Fraction | None, may_be_short: bool) -> str:
    length = measure_duration(bar, full)
    sounding = any(isinstance(event, Note | Rest) for event in bar)
    if any(isinstance(event, MultiRest) for event in bar):
        return "notes beside a multi-measure rest" if sounding else ""
    if full is None or length == full or (may_be_short and length < full):
        return ""
    return f"lasts {length} of a whole note instead of {full}" if sounding else "an empty measure"


def _is_grace(event: Event) -> bool:
    return isinstance(event, Note) and event.grace


def _loose_ties(events: Sequence[Event], start: int, size: int) -> list[tuple[int, str]]:
    loose = []
    for offset in range(size):
        event = events[start + offset]
        if not (isinstance(event, Note) and event.tied):
            continue
        behind = events[start + offset + 1 :]
        following = (later for later in behind if isinstance(later, Note | Rest | MultiRest) and not _is_grace(later))
        after = next(following, None)
        if not (isinstance(after, Note) and (after.step, after.octave) == (event.step, event.octave)):
            loose.append((offset, "a tie that leads to no note of its pitch"))
    return loose
