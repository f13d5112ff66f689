"""Events of a staff -> what is heard -> a standard MIDI file (format 0; MIDI 1.0 specification, RP-001).

The file says tempo, time signatures and keys where they stand, so that a sequencer's bars are the score's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from data_tools.files import write_bytes
from data_tools.music.notation import Event, Key, Meter, Note, timeline

_PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_GRACE = Fraction(1, 32)
"""How long a grace note sounds, in whole notes, at most; it takes its time from the note that follows."""
_TICKS = 960  # a quarter note
_LOUD = 80


@dataclass(frozen=True)
class Sound:
    """One sound: when it begins and how long it lasts, in whole notes; its MIDI pitch (60 is middle C)."""

    start: Fraction
    length: Fraction
    pitch: int
    grace: bool = False


def perform(events: Iterable[Event]) -> list[Sound]:
    """What is heard: tied notes are one sound, grace notes take their time from the note that follows.

    A tie binds a note to the next one if that has its pitch and no rest lies between; grace notes before the second
    one sound, and so it begins anew.
    """
    sounds: list[Sound] = []
    graces: list[Note] = []
    held: int | None = None  # the pitch that a tie leads from
    for start, event, length in timeline(events):
        if isinstance(event, Note) and event.grace:
            graces.append(event)
        elif isinstance(event, Note):
            pitch = midi_pitch(event)
            if held == pitch and not graces:
                sounds[-1] = replace(sounds[-1], length=sounds[-1].length + length)
            else:
                sounds += _with_graces(graces, start, length, pitch)
            graces, held = [], pitch if event.tied else None
        elif length:  # a rest
            held = None
    return sounds


def _with_graces(graces: Sequence[Note], start: Fraction, length: Fraction, pitch: int) -> list[Sound]:
    each = min(_GRACE, length / (2 * len(graces))) if graces else Fraction(0)
    short = [Sound(start + order * each, each, midi_pitch(note), True) for order, note in enumerate(graces)]
    return [*short, Sound(start + len(graces) * each, length - len(graces) * each, pitch)]


def midi_pitch(note: Note) -> int:
    """60 for C4."""
    return 12 * (note.octave + 1) + _PITCHES[note.step] + note.alter


def to_midi(events: Iterable[Event], tempo: float = 80.0) -> bytes:
    """The events as a standard MIDI file; `tempo` in quarter notes a minute."""
    events = list(events)
    beat = round(60_000_000 / tempo)
    messages = [(0, 0, b"\xff\x51\x03" + beat.to_bytes(3, "big"))]  # (tick, order at one tick, message)
    for start, event, _ in timeline(events):
        if content := _signature(event):
            messages.append((_ticks(start), 1, content))
    for sound in perform(events):
        pitch = min(max(sound.pitch, 0), 127)
        messages.append((_ticks(sound.start + sound.length), 2, bytes((0x80, pitch, 0))))
        messages.append((_ticks(sound.start), 3, bytes((0x90, pitch, _LOUD))))
    end = max((_ticks(start + length) for start, _, length in timeline(events)), default=0)
    track, now = b"", 0
    for tick, _, message in [*sorted(messages, key=lambda message: message[:2]), (end, 4, b"\xff\x2f\x00")]:
        track += _delta(tick - now) + message
        now = tick
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def _signature(event: Event) -> bytes:
    """The message of a time signature (whose unit is a power of two, as MIDI wants) or key; empty for other events."""
    if isinstance(event, Key):
        return b"\xff\x59\x02" + struct.pack("bB", event.fifths, 0)
    if isinstance(event, Meter) and event.count < 256 and event.unit & (event.unit - 1) == 0:
        return b"\xff\x58\x04" + bytes((event.count, event.unit.bit_length() - 1, 24, 8))
    return b""


def _ticks(time: Fraction) -> int:
    return round(4 * _TICKS * time)


def _delta(ticks: int) -> bytes:
    """A variable-length quantity: seven bits a byte, all but the last with the highest bit set."""
    result = bytes((ticks & 0x7F,))
    while ticks := ticks >> 7:
        result = bytes((ticks & 0x7F | 0x80,)) + result
    return result


def write_midi(path: str | Path, events: Iterable[Event]) -> None:
    """Writes the events as a MIDI file, whole or not at all."""
    write_bytes(path, to_midi(events))
