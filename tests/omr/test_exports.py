"""What was read must open in notation programs, sound right, and be checked at a glance."""

import zipfile
from random import Random
from xml.etree import ElementTree

import numpy as np
import pytest

from data_tools.music import mei, semantic
from data_tools.music.notation import Barline, Clef, Meter, MusicError, Note, doubts
from data_tools.scores import RenderedScores
from data_tools.scores.grammar import compose
from omr.engrave import beneath, engraved, stacked
from omr.midi import perform, to_midi
from omr.musicxml import to_musicxml, to_mxl, write_musicxml
from tests.omr.midi_reader import heard
from tests.omr.musicxml_reader import read_musicxml

PLAIN = (
    "clef-C1 keySignature-EbM timeSignature-2/4 multirest-3 barline rest-quarter rest-eighth note-Bb4_eighth tie "
    "barline note-Bb4_quarter. gracenote-A4_sixteenth note-G4_eighth_fermata barline note-Eb5_quarter"
)


def events_of(text: str):
    return semantic.parse(text.split())


def opened(events):
    """The events as music21, a notation program's library, opens their MusicXML."""
    import music21

    return music21.converter.parse(to_musicxml(events), format="musicxml", forceSource=True)


def heard_names(events) -> list[tuple]:
    return [(note.step, note.alter, note.octave) for note in events if isinstance(note, Note)]


def test_music_survives_musicxml():
    for seed in range(25):
        symbols = semantic.encode(compose(Random(f"round {seed}")))
        for reading in semantic.READINGS:
            events = semantic.parse(symbols, reading)
            again = read_musicxml(to_musicxml(events))
            assert semantic.encode(again) == symbols and heard_names(again) == heard_names(events)


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
            assert heard(to_midi(semantic.parse(symbols, "primus"))) == [
                (pitch, round(lasts, 3)) for pitch, lasts in expected
            ]
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
    score = opened(events_of("clef-G2 timeSignature-4/4 note-C4_eighth barline note-C4_whole_fermata"))
    first, last = score.parts[0].getElementsByClass("Measure")
    assert first.paddingLeft == 3.5 and last.rightBarline.type == "none"
    assert first.number == 0 and last.number == 1
    assert b'<fermata type="upright"' in to_musicxml(events_of("clef-G2 note-C4_whole_fermata"))


BAR = "note-C4_quarter note-D4_quarter barline "


def measures_of(text: str) -> list:
    """The `measure` elements of what is exported."""
    return list(ElementTree.fromstring(to_musicxml(events_of(text))).iter("measure"))


def test_measures_are_numbered_from_the_first_whole_one():
    """Notation programs count bars by these numbers; a pick-up is none."""
    text = f"clef-G2 timeSignature-2/4 note-C4_quarter barline {BAR}multirest-3 barline {BAR}"
    numbers = [(measure.get("number"), measure.get("implicit")) for measure in measures_of(text)]
    assert numbers == [("0", "yes"), *((str(n), None) for n in range(1, 6))]
    whole = f"clef-G2 timeSignature-2/4 {BAR}note-C4_quarter"
    assert [measure.get("number") for measure in measures_of(whole)] == ["1", "2"]
    assert measures_of("clef-G2 timeSignature-2/4 note-C4_quarter")[0].get("implicit") is None


@pytest.mark.parametrize(
    ("kind", "style", "repeats"),
    [
        ("dbl", "light-light", []),
        ("end", "light-heavy", []),
        ("rptend", "light-heavy", ["backward"]),
        ("rptstart", "heavy-light", ["forward"]),
        ("rptboth", "light-heavy", ["backward", "forward"]),
    ],
)
def test_kinds_of_bar_lines(kind, style, repeats):
    """One bar line in the picture is one in the export, with its kind, and adds no measure."""
    note = Note("C", 0, 4, "half")
    events = [Clef("G", 2), Meter(2, 4), note, Barline(kind), note, Barline()]
    measures = list(ElementTree.fromstring(to_musicxml(events)).iter("measure"))
    assert len(measures) == 2
    styles = [bar.text for measure in measures for bar in measure.iter("bar-style")]
    assert style in styles and [r.get("direction") for m in measures for r in m.iter("repeat")] == repeats
    assert len(list(opened(events).parts[0].getElementsByClass("Measure"))) == 2


def test_compressed_musicxml_is_a_zip_with_its_container(tmp_path):
    events = events_of(PLAIN)
    write_musicxml(tmp_path / "tune.mxl", events)
    write_musicxml(tmp_path / "tune.musicxml", events)
    assert (tmp_path / "tune.musicxml").read_bytes().startswith(b"<?xml")
    with zipfile.ZipFile(tmp_path / "tune.mxl") as archive:
        root = ElementTree.fromstring(archive.read("META-INF/container.xml")).find("rootfiles/rootfile")
        assert archive.read(root.get("full-path")) == (tmp_path / "tune.musicxml").read_bytes()
    assert to_mxl(events) == to_mxl(events)
    import music21

    assert len(music21.converter.parse(tmp_path / "tune.mxl").recurse().notes) == 5


def meta(content: bytes) -> list[tuple[float, str, tuple]]:
    """(quarters from the start, kind, values) of a MIDI file's signatures and tempo, by music21's reader."""
    import music21

    score = music21.converter.parse(content, format="midi", quantizePost=False)
    kinds = ("TimeSignature", "KeySignature", "MetronomeMark")
    found = [
        (e.getOffsetInHierarchy(score), e.classes[0], e)
        for kind in kinds
        for e in score.recurse().getElementsByClass(kind)
    ]
    return [(float(at), kind, element) for at, kind, element in found]


def test_midi_has_signatures_and_tempo():
    """A sequencer's bars and keys must be the score's; before, all was 4/4 without a key."""
    text = f"clef-G2 keySignature-EbM timeSignature-3/4 note-C4_half. barline timeSignature-2/4 keySignature-DM {BAR}"
    found = meta(to_midi(events_of(text), tempo=90))
    meters = [(at, element.ratioString) for at, kind, element in found if kind == "TimeSignature"]
    keys = [(at, element.sharps) for at, kind, element in found if "Key" in kind]
    assert meters == [(0, "3/4"), (3, "2/4")] and keys == [(0, -3), (3, 2)]
    assert [element.number for _, kind, element in found if kind == "MetronomeMark"] == [90]


def test_of_two_signatures_in_a_row_the_last_counts_everywhere():
    text = f"clef-F4 clef-G2 timeSignature-3/4 keySignature-DM keySignature-CM timeSignature-2/4 {BAR}multirest-2"
    (first, *_) = measures_of(text)
    assert [beats.text for beats in first.iter("beats")] == ["2"] and [f.text for f in first.iter("fifths")] == ["0"]
    assert [sign.text for sign in first.iter("sign")] == ["G"]
    assert [element.ratioString for _, kind, element in meta(to_midi(events_of(text))) if kind == "TimeSignature"] == [
        "2/4"
    ]
    assert not doubts(events_of(text))


def test_a_tie_to_nothing_binds_nothing():
    """Before, a tie swallowed the next note of its pitch, whatever stood between."""
    for between in ("rest-quarter", "note-D4_quarter", "multirest-1 barline"):
        text = f"clef-G2 timeSignature-2/4 note-C4_quarter tie {between} note-C4_quarter note-C4_eighth"
        assert [sound.pitch for sound in perform(events_of(text))].count(60) == 3, between
        assert b'<tie type="stop"' not in to_musicxml(events_of(text))
    bound = "clef-G2 timeSignature-2/4 note-C4_half tie barline note-C4_quarter rest-quarter"
    assert [(sound.pitch, float(sound.length)) for sound in perform(events_of(bound))] == [(60, 0.75)]


def test_grace_notes_between_tied_notes_sound():
    text = "clef-G2 timeSignature-2/4 note-C4_quarter tie gracenote-D4_eighth gracenote-E4_eighth note-C4_quarter"
    assert [sound.pitch for sound in perform(events_of(text))] == [60, 62, 64, 60]


@pytest.mark.parametrize("meter", ["2/4", "3/8", "12/8", "3/2", "C/"])
def test_a_whole_rest_lasts_its_measure_everywhere(meter):
    """A whole rest alone in a measure is silence as long as the measure: what follows must not shift."""
    lasts = {"2/4": 2, "3/8": 1.5, "12/8": 6, "3/2": 6, "C/": 4}[meter]
    text = f"clef-G2 timeSignature-{meter} rest-whole barline note-C4_eighth"
    assert perform(events_of(text))[0].start * 4 == lasts
    assert measures_of(text)[0].find("note/rest").get("measure") == "yes"
    assert [
        float(note.getOffsetInHierarchy(part))
        for part in opened(events_of(text)).parts
        for note in part.recurse().notes
    ] == [lasts]
    assert not doubts(events_of(text))
    beside = "clef-G2 timeSignature-3/2 rest-whole rest-half barline"
    assert not doubts(events_of(beside)) and measures_of(beside)[0].find("note/rest").get("measure") is None


def test_values_longer_than_the_measure_stay_whole():
    """One note in the picture is one in every export; before, MusicXML cut it into tied ones."""
    text = "clef-G2 timeSignature-2/4 note-C4_double_whole note-D4_quarter barline note-E4_half barline"
    first, _ = measures_of(text)
    assert [kind.text for kind in first.iter("type")] == ["breve", "quarter"] and not list(first.iter("tie"))
    assert [float(4 * sound.start) for sound in perform(events_of(text))] == [0, 8, 9]


def test_beams_follow_the_beat():
    """Eighths under one beam each half measure, sixteenths hooked to their dotted eighth."""
    text = "clef-G2 timeSignature-2/4 note-C4_eighth. note-C4_sixteenth note-C4_eighth note-C4_quarter barline"
    notes = measures_of(text)[0].findall("note")
    assert [[beam.text for beam in note.iter("beam")] for note in notes] == [
        ["begin"],
        ["end", "backward hook"],
        [],
        [],
    ]


def test_grace_notes_keep_their_slash():
    events = [Clef("G", 2), Meter(2, 4), Note("D", 0, 4, "eighth", grace=True, slashed=True), Note("C", 0, 4, "half")]
    assert b'<grace slash="yes"' in to_musicxml(events) and mei.parse(mei.write(events)) == events


def test_what_was_read_stands_beneath_the_picture():
    sample = RenderedScores(4, 1)[0]
    sheet = beneath(sample.image, events_of(sample.text))
    assert sheet.width == sample.image.width and sheet.height > 1.8 * sample.image.height
    assert stacked([sheet, sheet]).height > 2 * sheet.height
