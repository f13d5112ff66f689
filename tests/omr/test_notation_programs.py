"""What musicians do with the exports: open them in a notation program, here Debian's LilyPond, and play them."""

import shutil
import subprocess
from random import Random

import pytest

from data_tools.music.notation import Note
from data_tools.scores.grammar import compose
from omr.midi import to_midi
from omr.musicxml import write_musicxml
from tests.omr.midi_reader import heard

needs_lilypond = pytest.mark.skipif(
    not (shutil.which("musicxml2ly") and shutil.which("lilypond")), reason="Debian's package lilypond is not installed"
)


def without_graces(seed: str) -> list:
    """Composed events; grace notes are left out, whose time programs take from other notes each in its own way."""
    return [event for event in compose(Random(seed)) if not (isinstance(event, Note) and event.grace)]


@needs_lilypond
def test_lilypond_opens_what_was_written_and_plays_the_same_notes(tmp_path):
    """MusicXML, plain and compressed, through LilyPond to MIDI: each note with its pitch, length and ties."""
    scores = {f"{n}.{kind}": without_graces(f"lilypond {n}") for n in range(3) for kind in ("musicxml", "mxl")}
    for name, events in scores.items():
        write_musicxml(tmp_path / name, events)
        run(tmp_path, "musicxml2ly", "--midi", "--output", name.replace(".", "-"), name)
    engraved = sorted(tmp_path.glob("*.ly"))
    assert len(engraved) == len(scores)
    for path in engraved:  # as written: no note cut short, no repeat played
        path.write_text(path.read_text().replace("\\unfoldRepeats \\articulate", ""))
    run(tmp_path, "lilypond", "--loglevel=ERROR", "-dno-print-pages", *(path.name for path in engraved))
    for name, events in scores.items():
        (midi,) = tmp_path.glob(f"{name.replace('.', '-')}*.mid*")
        assert heard(midi.read_bytes()) == heard(to_midi(events)), name


def run(folder, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
