"""What a MIDI file sounds like, by music21's MIDI reader: what the tests of exports compare with."""

from __future__ import annotations

import io

import music21


def heard(content: bytes) -> list[tuple[int, float]]:
    """(pitch, quarters) of a MIDI file's notes in order."""
    file = music21.midi.MidiFile()
    file.openFileLike(io.BytesIO(content))
    file.read()
    notes, open_notes = [], {}
    for track in file.tracks:
        now = 0
        for event in track.events:
            if event.isDeltaTime():
                now += event.time
            elif event.isNoteOn():
                open_notes.setdefault(event.pitch, []).append(now)
            elif event.isNoteOff():
                start = open_notes[event.pitch].pop(0)
                notes.append((start, event.pitch, (now - start) / file.ticksPerQuarterNote))
    assert not any(open_notes.values()), "a note never ends"
    return [(pitch, round(length, 3)) for _, pitch, length in sorted(notes)]
