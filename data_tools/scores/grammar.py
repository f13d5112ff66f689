"""Incipits of real notational practice, composed from a seed, as a catalogue of 17th to 19th century music has them.

The shares below are set by hand after what the RISM catalogue and PrIMuS (its vocabularies, its examples) show: treble
and soprano clefs, few sharps and flats, common time first, 10 to 60 symbols, measures that add up, the last one often
cut where the incipit ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import accumulate, pairwise
from random import Random

from data_tools.music import agnostic, semantic, vocabulary
from data_tools.music.notation import (
    ACCIDENTALS,
    SHARPS,
    VALUES,
    Barline,
    Clef,
    Event,
    Key,
    Meter,
    MultiRest,
    Note,
    Rest,
    as_sounding,
    duration,
    key_alter,
    pitch_at,
    position,
    with_accidentals,
)

Weighted = dict

CLEFS: Weighted = {
    Clef("G", 2): 54,
    Clef("C", 1): 20,
    Clef("F", 4): 11,
    Clef("C", 4): 5,
    Clef("C", 3): 5,
    Clef("G", 1): 1.2,
    Clef("F", 3): 1,
    Clef("C", 2): 1.2,
    Clef("C", 5): 0.3,
    Clef("F", 5): 0.3,
}
FIFTHS: Weighted = {
    0: 26,
    1: 14,
    2: 15,
    -1: 15,
    -2: 12,
    -3: 7,
    3: 6.5,
    4: 2.4,
    -4: 1.4,
    5: 0.4,
    -5: 0.4,
    6: 0.15,
    -6: 0.15,
}


@dataclass(frozen=True)
class Time:
    """A time signature, its beat, which table of rhythms fits and how far that table's note values are shifted."""

    meter: Meter
    beat: Fraction
    table: str
    shift: int = 0


def _time(
    count: int, unit: int, sign: str = "", beat: Fraction | None = None, table: str = "simple", shift: int = 0
) -> Time:
    return Time(Meter(count, unit, sign), beat or Fraction(1, unit), table, shift)


_Q, _H, _E, _DQ = Fraction(1, 4), Fraction(1, 2), Fraction(1, 8), Fraction(3, 8)
TIMES: Weighted = {
    _time(4, 4, "C"): 34,
    _time(2, 2, "C/", _Q): 7,
    _time(2, 2, "C/", _H, shift=-1): 4,
    _time(3, 4): 17,
    _time(2, 4): 14,
    _time(6, 8, beat=_DQ, table="compound"): 7,
    _time(3, 8, beat=_DQ, table="compound"): 6.5,
    _time(4, 4): 2.5,
    _time(3, 2, shift=-1): 2,
    _time(2, 2, shift=-1): 1,
    _time(12, 8, beat=_DQ, table="compound"): 1,
    _time(6, 4, beat=2 * _DQ, table="compound", shift=-1): 0.7,
    _time(3, 1, shift=-2): 0.5,
    _time(4, 2, shift=-1): 0.5,
    _time(2, 1, shift=-2): 0.2,
    _time(9, 8, beat=_DQ, table="compound"): 0.4,
    _time(2, 8, shift=1): 0.2,
    _time(4, 8, shift=1): 0.2,
    _time(5, 4): 0.1,
    _time(6, 16, beat=Fraction(3, 16), table="compound", shift=1): 0.1,
    _time(9, 4, beat=2 * _DQ, table="compound", shift=-1): 0.1,
    _time(12, 16, beat=Fraction(3, 16), table="compound", shift=1): 0.05,
}

# Rhythms of one or more beats: note values as MEI writes them, r for rests. The three weights are for slow, moving and
# fast music. "simple" has a quarter as its beat, "compound" a dotted quarter.
_RHYTHMS: dict[str, dict[str, tuple[float, float, float]]] = {
    "simple": {
        "4": (30, 26, 12),
        "8 8": (10, 26, 16),
        "2": (24, 8, 4),
        "4. 8": (10, 9, 2),
        "8. 16": (4, 8, 6),
        "16 16 16 16": (1, 5, 24),
        "8 16 16": (1, 6, 14),
        "16 16 8": (0.5, 2.5, 5),
        "r4": (7, 6, 3),
        "r8 8": (2, 5, 3),
        "8 r8": (0.5, 2, 1.5),
        "2.": (7, 1.5, 0.5),
        "1": (8, 1, 0.5),
        "r2": (4, 2, 1),
        "8 4 8": (1, 3, 1),
        "r8 8 8 8": (1, 4, 2),
        "4. 16 16": (1, 2, 2),
        "16 8 16": (0.1, 0.6, 0.8),
        "r16 16 16 16": (0.1, 0.6, 3),
        "8 r16 16": (0.2, 0.8, 0.8),
        "8.. 32": (0.3, 0.8, 0.8),
        "4.. 16": (0.5, 0.8, 0.3),
        "16. 32 16. 32": (0.1, 0.3, 0.9),
        "8 32 32 32 32": (0.05, 0.2, 0.8),
        "16 16 32 32 32 32": (0.02, 0.1, 0.7),
        "32 32 32 32 32 32 32 32": (0.02, 0.05, 0.9),
        "8. 32 32": (0.2, 0.6, 0.9),
        "16 32 32 8": (0.02, 0.15, 0.4),
        "r4. 8": (0.6, 0.8, 0.3),
        "r1": (1.5, 0.4, 0.2),
        "8. 64 64 64 64": (0.01, 0.05, 0.2),
        "16. 64 64 8": (0.02, 0.1, 0.3),
        "8.. 64 64": (0.02, 0.1, 0.3),
        "16. 64 64 16. 64 64": (0.01, 0.05, 0.2),
        "r8. 16": (0.1, 0.5, 0.4),
        "8 r4 8": (0.05, 0.2, 0.1),
    },
    "compound": {
        "4.": (20, 10, 4),
        "4 8": (22, 20, 6),
        "8 8 8": (8, 30, 20),
        "8. 16 8": (6, 10, 4),
        "8 16 16 8": (0.3, 2, 3),
        "8 8 16 16": (0.5, 3, 5),
        "16 16 16 16 16 16": (0.3, 2, 14),
        "4 16 16": (1, 3, 3),
        "16 16 8 8": (0.3, 2, 3),
        "8 16 16 16 16": (0.2, 1.5, 5),
        "16 16 16 16 8": (0.2, 1, 3),
        "8 4": (2, 3, 1),
        "r4.": (3, 2, 1),
        "r4 8": (2, 3, 1),
        "r8 8 8": (1, 3, 2),
        "4 r8": (3, 3, 1),
        "8 r4": (0.5, 1.5, 1),
        "8 8 r8": (0.5, 1, 0.5),
        "2.": (10, 2, 1),
        "8. 32 32 8": (0.2, 0.4, 0.6),
        "16. 64 64 8 8": (0.02, 0.1, 0.3),
    },
}
_MEI_VALUES = dict(zip(("1", "2", "4", "8", "16", "32", "64", "128"), list(VALUES)[2:]))
_NAMES = list(VALUES)
_STEPS: Weighted = {0: 13, 1: 25, -1: 29, 2: 10, -2: 9, 3: 4.5, -3: 3, 4: 2.2, -4: 2, 5: 0.9, -5: 0.6, 7: 1.3, -7: 1.2}
_FIGURES: Weighted = {
    (1,) * 8: 4,
    (-1,) * 8: 5,
    (2, 2, 1, -1): 2,
    (-2, -2, -1, 1): 1,
    (1, -1) * 4: 3,
    (-1, 1) * 4: 3,
    (2, -1) * 4: 1,
}
_GRACES: Weighted = {
    ("eighth",): 60,
    ("sixteenth",): 22,
    ("quarter",): 7,
    ("sixteenth",) * 2: 6,
    ("thirty_second",) * 2: 3,
    ("half",): 0.5,
    ("thirty_second",): 4,
    ("sixteenth",) * 3: 2,
}
_COMPLETE_ENDS: Weighted = {"single": 70, "": 17, "dbl": 7, "end": 3, "rptend": 3}
_CUT_ENDS: Weighted = {"": 84, "single": 9, "dbl": 4, "end": 2, "rptend": 1}
_INNER_BARS: Weighted = {"dbl": 45, "rptend": 20, "rptstart": 20, "rptboth": 12, "end": 3}
"""Which bar line is drawn at the end of an incipit whose last measure is complete, or is not, and now and then between
measures ("" none). Of 30 genuine incipits 18 are complete: 15 end in a bar line, one in a double one, two in none."""


def pick(rng: Random, weights: Weighted, even: float = 0.0):
    """One of the keys, as often as its weight says; with `even` towards 1, each more nearly as often."""
    return rng.choices(list(weights), [weight ** (1 - even) for weight in weights.values()])[0]


@cache
def rhythms(table: str, shift: int, pace: int) -> list[tuple[tuple[Rest, ...], Fraction, float]]:
    """(rhythm, its length, its weight) at a pace of 0, 1 or 2: all as rests, `beam` "note" where a note sounds."""
    result = []
    for text, weights in _RHYTHMS[table].items():
        parts = [_part(token, shift) for token in text.split()]
        if all(part is not None for part in parts):
            result.append((tuple(parts), sum(map(duration, parts), Fraction(0)), weights[pace]))
    return result


@cache
def fitting(
    table: str, shift: int, pace: int, left: Fraction
) -> tuple[list[tuple[tuple[Rest, ...], Fraction]], list[float]]:
    """(rhythm, its length) of those not longer than `left`, and the running sum of their weights."""
    found = [choice for choice in rhythms(table, shift, pace) if choice[1] <= left]
    return [choice[:2] for choice in found], list(accumulate(weight for *_, weight in found))


def _part(token: str, shift: int) -> Rest | None:
    rest, token = token.startswith("r"), token.lstrip("r")
    dots = token.count(".")
    place = _NAMES.index(_MEI_VALUES[token.rstrip(".")]) + shift
    return Rest(_NAMES[place], dots, beam="" if rest else "note") if 0 <= place < len(_NAMES) else None


def compose(rng: Random, length: float = 1.0, even: float = 0.0) -> list[Event]:
    """Events of one incipit; every symbol of both its encodings is in PrIMuS's vocabularies. `length` is the share of
    the usual number of symbols, from 0 (a measure) to 1; `even` makes rare clefs, keys and meters more frequent, from 0
    (as in the catalogue) to 1 (each as often), and with them what recognisers misread: chromatic notes, and those that
    come again in their measure without an accidental or are tied, multi-measure rests of all numbers, grace notes,
    ledger lines.
    """
    for _ in range(200):
        events = _Composer(rng, even).compose(length)
        if not (
            vocabulary.unknown("semantic", semantic.encode(events))
            or vocabulary.unknown("agnostic", agnostic.encode(events))
        ):
            return events
    raise RuntimeError("200 incipits in a row had symbols beyond the vocabularies")


class _Composer:
    def __init__(self, rng: Random, even: float) -> None:
        self.rng = rng
        self.clef = pick(rng, CLEFS, even)
        self.fifths = pick(rng, FIFTHS, even)
        self.time = pick(rng, TIMES, even)
        self.pace = rng.choices((0, 1, 2), (30, 45, 25))[0]
        self.free = rng.random() < 0.02  # no time signature at all
        self.unmeasured = rng.random() < 0.08  # a time signature, but no bar lines: 4 of 30 genuine incipits
        if self.unmeasured:
            meter = rng.choices((self.time.meter, Meter(2, 2, "C/"), Meter(4, 4, "C")), (30, 50, 20))[0]
            self.time = Time(meter, _H, "simple", rng.choices((0, -1, -2), (20, 55, 25))[0])
        vocal = self.clef.shape == "C"
        self.centre = rng.gauss(4.4, 1.3 + 2 * even)
        self.even = even
        self.span = rng.uniform(2.2, 3.6) if vocal else rng.uniform(2.6, 5.2)
        self.place = round(self.centre)
        self.beams = pick(rng, {"beat": 62, "none": 26 if vocal else 8, "some": 22 if vocal else 8})
        self.window = self.time.beat * (2 if self.pace < 2 and rng.random() < 0.25 else 1)
        self.chromatic = rng.choice((0, 0.01, 0.02, 0.05)) + 0.1 * even
        self.silent = 1 + 3 * even  # how many times as often as usual whole measures are silent
        self.long_rests = 0.3 + 0.5 * even
        self.graces = 0.09 if rng.random() < 0.16 + 0.3 * even else 0.0
        self.ties = 0.10 if rng.random() < 0.3 + 0.5 * even else 0.0
        self.slashed = rng.random() < 0.5
        self.redrawn = rng.random() < 0.6  # accidentals are drawn as in PrIMuS, where none holds
        self.minor = rng.random() < 0.33
        self.altered: dict[str, int] = {}  # steps of this measure that are not as in the signature
        self.figure: list[int] = []
        self.bars: list[tuple[Rest, ...]] = []

    def compose(self, length: float) -> list[Event]:
        rng = self.rng
        events: list[Event] = [self.clef]
        events += [Key(self.fifths)] * (self.fifths != 0)
        events += [] if self.free else [self.time.meter]
        goal = max(5, length * min(58, max(9, rng.lognormvariate(3.22, 0.36))))
        if rng.random() < 0.09 * self.silent:
            events += [*self._silence(), Barline()]
        elif rng.random() < 0.3 and not self.free:
            events += [*self._melody(self._upbeat()), Barline()]
        while len(events) < goal:
            events += self._measure(len(events) / goal)
        return self._finish(events)

    def _measure(self, progress: float) -> list[Event]:
        rng = self.rng
        if progress < 0.9 and rng.random() < 0.02 * self.silent:
            return [*self._silence(), Barline()]
        changes = self._change() if progress > 0.3 and rng.random() < 0.015 else []
        bar = self._rhythm()
        if rng.random() < 0.005 + 0.03 * self.even and (middle := self._middle(bar)):
            return [*changes, *self._melody(bar[:middle]), self._new_clef(), *self._melody(bar[middle:]), Barline()]
        return [*changes, *self._melody(bar), Barline()]

    def _middle(self, bar: Sequence[Rest]) -> int:
        """A place within the bar where a beat begins, if there is one: how many of its parts lie before it."""
        ends = list(accumulate(duration(part) for part in bar[:-1]))
        return self.rng.choice([place for place, end in enumerate(ends, 1) if end % self.time.beat == 0] or [0])

    def _new_clef(self) -> Clef:
        """Changes the clef; the melody goes on at its pitch where the new one allows."""
        old = self.clef
        self.clef = pick(self.rng, {clef: share for clef, share in CLEFS.items() if clef != old})
        step, octave = pitch_at(old, self.place)
        self.place = max(-1, min(9, position(self.clef, step, octave)))
        return self.clef

    def _silence(self) -> list[Event]:
        if self.unmeasured or self.rng.random() < 0.3:  # alone in its measure, it lasts that measure in any meter
            return [Rest("whole", fermata=self.rng.random() < 0.02)]
        if self.rng.random() < 1 - self.long_rests:
            return [MultiRest(self.rng.choice((1, 1, 1, 2, 2, 3, 4)))]
        if self.even and self.rng.random() < self.even:
            return [MultiRest(self.rng.randint(5, 60))]
        return [MultiRest(min(60, 1 + int(self.rng.expovariate(1 / 11))))]

    def _change(self) -> list[Event]:
        if self.rng.random() < 0.6:
            return [self._new_clef()]
        if self.free or self.unmeasured:
            return []
        others = {time: share for time, share in TIMES.items() if time.meter != self.time.meter}
        self.time, self.bars = pick(self.rng, others), []
        return [self.time.meter]

    def _rhythm(self) -> tuple[Rest, ...]:
        if self.bars and self.rng.random() < 0.38:
            return self.rng.choice(self.bars)
        meter = self.time.meter
        bar = self._fill(Fraction(4) if self.unmeasured else Fraction(meter.count, meter.unit))
        self.bars.append(bar)
        return bar

    def _fill(self, left: Fraction) -> tuple[Rest, ...]:
        bar: list[Rest] = []
        while left > 0:
            choices, shares = fitting(self.time.table, self.time.shift, self.pace, left)
            if not choices:  # what is left is shorter than any rhythm of this table
                return (*bar, *self._leftover(left))
            rhythm, length = self.rng.choices(choices, cum_weights=shares)[0]
            bar += rhythm
            left -= length
        return tuple(bar)

    def _leftover(self, left: Fraction) -> list[Rest]:
        for value, length in VALUES.items():
            for dots in (1, 0):
                if duration(Rest(value, dots)) == left:
                    return [Rest(value, dots, beam="note")]
            if length < left:
                return [Rest(value, beam="note"), *self._leftover(left - length)]
        return []

    def _upbeat(self) -> tuple[Rest, ...]:
        beat = self.time.beat
        length = self.rng.choice((beat, beat, beat / 2 if self.time.table == "simple" else beat / 3, beat / 2))
        length = length if length.denominator in (1, 2, 4, 8, 16) and length.numerator in (1, 3) else beat
        bar = self._fill(length) if length == beat else tuple(self._leftover(length))
        return bar if bar[-1].beam else (Rest(bar[0].value, bar[0].dots, beam="note"),)

    def _melody(self, bar: Sequence[Rest]) -> list[Event]:
        events: list[Event] = []
        self.altered.clear()
        starts, time = [], Fraction(0)
        for part in bar:
            if part.beam:
                events += self._graces()
            starts += [time] * (len(events) + 1 - len(starts))
            events.append(self._note(part) if part.beam else part)
            time += duration(part)
        return self._beam(events, starts)

    def _note(self, part: Rest) -> Note:
        step, octave = pitch_at(self.clef, self._next_place())
        return Note(step, self._alter(step), octave, part.value, part.dots)

    def _next_place(self) -> int:
        if not self.figure and self.rng.random() < 0.10:
            self.figure = list(pick(self.rng, _FIGURES))[: self.rng.randint(3, 8)]
        move = self.figure.pop(0) if self.figure else pick(self.rng, _STEPS)
        away = (self.place - self.centre) / self.span
        if abs(away) > 1 and move * away > 0 and self.rng.random() < 0.85:
            move, self.figure = -move, []
        self.place = max(-5, min(14, self.place + move))
        return self.place

    def _alter(self, step: str) -> int:
        if self.even and step in self.altered and self.rng.random() < 1.5 * self.even:
            return self.altered[step]
        usual = key_alter(self.fifths, step)
        alter = self._chromatic(step, usual)
        if alter != usual:
            self.altered[step] = alter
        return alter

    def _chromatic(self, step: str, usual: int) -> int:
        if self.minor and step == STEP_OF_LEADING[self.fifths] and self.rng.random() < 0.7:
            return usual + 1
        if self.rng.random() < self.chromatic:
            up = usual < 0 or (usual == 0 and self.rng.random() < (0.9 if step in "FCGD" else 0.2))
            return usual + (1 if up else -1)
        return usual

    def _graces(self) -> list[Event]:
        if self.rng.random() >= self.graces:
            return []
        values = pick(self.rng, _GRACES, self.even)
        start = self.place + self.rng.choice((1, 1, 1, -1, 2))
        pitches = [pitch_at(self.clef, start - order) for order in range(len(values))]
        return [
            Note(step, key_alter(self.fifths, step), octave, value, grace=True, slashed=self.slashed)
            for (step, octave), value in zip(pitches, values)
        ]

    def _beam(self, events: list[Event], starts: list[Fraction]) -> list[Event]:
        """Beams: neighbours shorter than a quarter within one beat, as the style of the incipit has them."""
        if self.beams == "none":
            return events
        groups: dict[int, list[int]] = {}
        group, beat = 0, None
        for i, event in enumerate(events):
            if isinstance(event, Note) and event.grace:
                continue
            flagged = isinstance(event, Note) and VALUES[event.value] < _Q
            if not flagged or starts[i] // self.window != beat:
                group += 1
            beat = starts[i] // self.window
            if flagged:
                groups.setdefault(group, []).append(i)
        for members in groups.values():
            if len(members) > 1 and (self.beams == "beat" or self.rng.random() < 0.5):
                _join(events, members)
        return events

    def _finish(self, events: list[Event]) -> list[Event]:
        """Cuts the last measure where the incipit ends, or not; then bar lines, ties, fermatas, accidentals."""
        rng = self.rng
        cut = self._cut(events) if rng.random() < 0.42 else events
        events = self._bar_lines(cut, _COMPLETE_ENDS if cut is events else _CUT_ENDS)
        self._tie(events)
        sounding = [
            i for i, event in enumerate(events) if isinstance(event, Note | Rest) and not getattr(event, "grace", 0)
        ]
        if sounding and rng.random() < 0.035 + 0.15 * self.even:
            at = rng.choice((sounding[-1], rng.choice(sounding)))
            events[at] = replace(events[at], fermata=True)
        draw = self._accidentals_of_primus if self.redrawn or self.unmeasured else with_accidentals
        return draw(_courtesy(rng, events, 0.05 + 0.4 * self.even))

    def _bar_lines(self, events: list[Event], ends: Weighted) -> list[Event]:
        """The kinds of bar lines, and which one closes the incipit, if any."""
        special = 0.3 if self.rng.random() < 0.1 else 0.0  # in one incipit of ten
        body = list(events[:-1] if isinstance(events[-1], Barline) else events)
        for place, event in enumerate(body):
            if isinstance(event, Barline) and self.rng.random() < special:
                body[place] = Barline(pick(self.rng, _INNER_BARS))
        last = pick(self.rng, ends, self.even / 2)
        if self.unmeasured:
            body = [event for event in body if not isinstance(event, Barline)]
            last = last if self.rng.random() < 0.2 else ""
        return [*body, *([Barline(last)] if last else [])]

    def _accidentals_of_primus(self, events: list[Event]) -> list[Event]:
        """Each note that is not as in the key has its own accidental, and nothing is drawn where one ends."""
        fifths, result = 0, []
        for event in events:
            fifths = event.fifths if isinstance(event, Key) else fifths
            if isinstance(event, Note) and event.alter != key_alter(fifths, event.step):
                event = replace(event, accidental=ACCIDENTALS[event.alter])
            result.append(event)
        return as_sounding(result)

    def _cut(self, events: list[Event]) -> list[Event]:
        bars = [i for i, event in enumerate(events[:-1]) if isinstance(event, Barline)]
        last = range((bars[-1] if bars else 0) + 1, len(events) - 1)
        ends = [i for i in last if isinstance(events[i], Note | Rest) and getattr(events[i], "beam", "") in ("", "end")]
        ends = [i for i in ends[:-1] if not getattr(events[i], "grace", False)]
        if not ends:
            return events
        return events[: self.rng.choice(ends) + 1]

    def _tie(self, events: list[Event]) -> None:
        notes = [i for i, event in enumerate(events) if isinstance(event, Note)]
        for here, there in pairwise(notes):
            between = events[here + 1 : there]
            if events[here].grace or events[there].grace or not all(isinstance(event, Barline) for event in between):
                continue
            altered = events[here].alter != key_alter(self.fifths, events[here].step)
            often = 1 + 5 * self.even * altered  # a tie carries an accidental over the bar line
            if self.rng.random() < self.ties * often * (2.5 if between else 0.5):
                step, alter, octave = events[here].step, events[here].alter, events[here].octave
                events[here] = replace(events[here], tied=True)
                events[there] = replace(events[there], step=step, alter=alter, octave=octave)


def _join(events: list[Event], members: list[int]) -> None:
    """Marks one beam; what lies between its notes (grace notes) lies within it."""
    for i in range(members[0], members[-1] + 1):
        beam = {members[0]: "start", members[-1]: "end"}.get(i, "middle")
        events[i] = replace(events[i], beam=beam)


def _courtesy(rng: Random, events: list[Event], share: float) -> list[Event]:
    """In a share of incipits, an accidental or two that the signature already says, as old sources have them."""
    names = {-1: "flat", 0: "natural", 1: "sharp"}
    if rng.random() >= share:
        return events
    plain = [
        i for i, event in enumerate(events) if isinstance(event, Note) and not event.accidental and abs(event.alter) < 2
    ]
    for i in rng.sample(plain, min(len(plain), rng.randint(1, 2))):
        events[i] = replace(events[i], accidental=names[events[i].alter])
    return events


STEP_OF_LEADING = {fifths: SHARPS[(fifths + 2) % 7] for fifths in range(-7, 8)}
"""The seventh step of the minor key of a signature: G of a minor, which is raised to lead to A."""
