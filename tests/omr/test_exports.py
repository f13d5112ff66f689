"""What was read must open in notation programs, sound right, and be checked at a glance."""

import io
from random import Random

import numpy as np
import pytest

from data_tools.music import semantic
from data_tools.music.notation import MusicError
from data_tools.scores import RenderedScores
from data_tools.scores.grammar import compose
from omr.engrave import beneath, engraved, stacked
from omr.midi import perform, to_midi
from omr.musicxml import from_musicxml, to_musicxml, to_score

PLAIN = (
    "clef-C1 keySignature-EbM timeSignature-2/4 multirest-3 barline rest-quarter rest-eighth note-Bb4_eighth tie "
    "barline note-Bb4_quarter. gracenote-A4_sixteenth note-G4_eighth_fermata barline note-Eb5_quarter"
)


def events_of(text: str):
    return semantic.parse(text.split())


def heard(content: bytes) -> list[tuple[int, float]]:
    """(pitch, quarters) of a MIDI file's notes in order, read by music21's MIDI reader alone."""
    import music21

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


def test_music_survives_musicxml():
    for seed in range(25):
        symbols = semantic.encode(compose(Random(f"round {seed}")))
        again = from_musicxml(to_musicxml(semantic.parse(symbols)))
        assert semantic.encode(again) == symbols


def test_music_is_heard_as_written():
    """Pitches and lengths of the MIDI file are those of the symbols, computed here from their text alone."""
    quarters = {"quadruple_whole": 16, "double_whole": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 0.5}
    quarters |= {"sixteenth": 0.25, "thirty_second": 0.125, "sixty_fourth": 0.0625}
    checked = 0
    for seed in range(40):
        symbols = semantic.encode(compose(Random(f"midi {seed}")))
        if any(symbol.startswith("gracenote") for symbol in symbols):
            continue  # they take time from others
        expected, tied = [], False
        for symbol in symbols:
            if symbol == "tie":
                tied = True
            if not symbol.startswith("note-"):
                continue
            name, _, length = symbol[5:].replace("_fermata", "").partition("_")
            pitch = 12 * (int(name[-1]) + 1) + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[name[0]]
            pitch += name.count("#") - name.count("b")
            lasts = quarters[length.rstrip(".")] * (2 - 0.5 ** length.count("."))
            if tied:
                expected[-1] = (pitch, expected[-1][1] + lasts)
            else:
                expected.append((pitch, lasts))
            tied = False
        if expected:
            assert heard(to_midi(semantic.parse(symbols))) == [(pitch, round(lasts, 3)) for pitch, lasts in expected]
            checked += 1
    assert checked > 20


def test_rests_count_and_grace_notes_borrow_their_time():
    sounds = perform(events_of(PLAIN))
    assert [sound.pitch for sound in sounds] == [70, 69, 67, 75]
    assert float(sounds[0].start) == 3 * 0.5 + 0.375 and float(sounds[0].length) == 0.125 + 0.375
    assert float(sounds[1].length + sounds[2].length) == 0.125
    assert heard(to_midi(events_of(PLAIN)))[0] == (70, 2.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("note-C4_quarter note-D4_half", "no clef before the first note"),
        (
            "clef-G2 timeSignature-3/4 note-C4_half. barline note-C4_half barline note-C4_half. barline",
            "instead of 3/4",
        ),
        ("clef-G2 timeSignature-2/48 note-C4_half barline", "2/48"),
        ("clef-G2 clef-F4 tie note-C4_half tie barline barline multirest-2 note-C4_half multirest-1", "beside a multi"),
        ("clef-G2 note-C4_half timeSignature-3/4 keySignature-DM note-C#4_quarter", ""),
    ],
)
def test_wrong_music_is_exported_and_the_place_is_marked(text, why):
    content = to_musicxml(events_of(text)).decode()
    assert "<note" in content and why in content
    assert to_midi(events_of(text))[:4] == b"MThd"
    assert engraved(events_of(text)).width > 30


def test_no_music_at_all_still_exports():
    for text in ("", "barline", "clef-G2 keySignature-DM"):
        events = events_of(text)
        assert to_midi(events)[:4] == b"MThd" and b"score-partwise" in to_musicxml(events)
        sheet = beneath(RenderedScores(1, 1)[0].image, events)
        assert np.asarray(sheet).min() < 100
    with pytest.raises(MusicError):
        engraved([])


def test_upright_fermata_and_pick_up():
    score = to_score(events_of("clef-G2 timeSignature-4/4 note-C4_eighth barline note-C4_whole_fermata"))
    first, last = score.parts[0].getElementsByClass("Measure")
    assert first.paddingLeft == 3.5 and last.rightBarline.type == "none"
    assert b'<fermata type="upright"' in to_musicxml(events_of("clef-G2 note-C4_whole_fermata"))


@pytest.mark.parametrize("content", [b"", b"<", b"<score-partwise/>", b"\xff\xfe\x00"])
def test_foreign_musicxml_is_one_line(content):
    with pytest.raises(MusicError) as caught:
        from_musicxml(content)
    assert "\n" not in str(caught.value)


def test_what_was_read_stands_beneath_the_picture():
    sample = RenderedScores(4, 1)[0]
    sheet = beneath(sample.image, events_of(sample.text))
    assert sheet.width == sample.image.width and sheet.height > 1.8 * sample.image.height
    assert stacked([sheet, sheet]).height > 2 * sheet.height
