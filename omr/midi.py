"""Events of a staff -> what is heard -> a MIDI file, by way of music21."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from data_tools.files import write_bytes
from data_tools.music.notation import Event, Meter, MultiRest, Note, duration

_PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_GRACE = Fraction(1, 32)
"""How long a grace note sounds, in whole notes, at most; it takes its time from the note that follows."""


@dataclass(frozen=True)
class Sound:
    """One sound: when it begins and how long it lasts, in whole notes; its MIDI pitch (60 is middle C)."""

    start: Fraction
    length: Fraction
    pitch: int
    grace: bool = False


def perform(events: Iterable[Event]) -> list[Sound]:
    """What is heard: tied notes are one sound, grace notes take their time from the note that follows."""
    sounds: list[Sound] = []
    graces: list[Note] = []
    now, full, held = Fraction(0), Fraction(1), False
    for event in events:
        if isinstance(event, Meter):
            full = Fraction(event.count, event.unit)
        elif isinstance(event, MultiRest):
            now += event.count * full
        elif isinstance(event, Note) and event.grace:
            graces.append(event)
        elif isinstance(event, Note):
            length, pitch = duration(event), midi_pitch(event)
            if held and sounds and sounds[-1].pitch == pitch:
                sounds[-1] = replace(sounds[-1], length=sounds[-1].length + length)
            else:
                sounds += _with_graces(graces, now, length, pitch)
            graces, held = [], event.tied
        now += duration(event)
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
    import music21

    part = music21.stream.Part()
    part.insert(0, music21.tempo.MetronomeMark(number=tempo))
    for sound in perform(events):
        part.insert(4 * sound.start, music21.note.Note(sound.pitch, quarterLength=4 * sound.length))
    return music21.midi.translate.streamToMidiFile(part).writestr()


def write_midi(path: str | Path, events: Iterable[Event]) -> None:
    """Writes the events as a MIDI file, whole or not at all."""
    write_bytes(path, to_midi(events))
