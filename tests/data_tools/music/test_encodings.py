"""The encodings must be PrIMuS's own, and all of them must say the same music."""

from pathlib import Path
from random import Random

import pytest

from data_tools.music import agnostic, mei, semantic, vocabulary
from data_tools.music.notation import (
    Barline,
    Clef,
    Key,
    Meter,
    MultiRest,
    MusicError,
    Note,
    Rest,
    doubts,
    with_accidentals,
)
from data_tools.scores.grammar import compose

EXAMPLE = Path(__file__).parents[4] / "shared/data/primus_example"


if EXAMPLE.exists():  # an optional development folder

    def test_example_is_reproduced_symbol_for_symbol():
        stem = EXAMPLE / "000051652-1_2_1"
        events = mei.parse(stem.with_suffix(".mei").read_text())
        assert semantic.file_text(semantic.encode(events)) == stem.with_suffix(".semantic").read_text()
        assert semantic.file_text(agnostic.encode(events)) == stem.with_suffix(".agnostic").read_text()
        for encoding in vocabulary.ENCODINGS:
            assert list(vocabulary.load(encoding)) == (EXAMPLE / f"vocabulary_{encoding}.txt").read_text().split()


OLDER_MEI = """<?xml version="1.0" encoding="UTF-8"?>
<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="4.0.0"><meiHead/><music><body><mdiv><score>
<scoreDef key.sig="1f" meter.sym="cut"><staffGrp><staffDef clef.shape="C" clef.line="3" n="1" lines="5"/></staffGrp>
</scoreDef><section><measure right="single"><staff n="1"><layer n="1"><multiRest num="8"/></layer></staff></measure>
<measure right="single"><staff n="1"><layer n="1"><rest dur="2"/><note dots="1" dur="4" oct="3" pname="b" tie="i"/>
<note dur="8" oct="4" pname="c" grace="acc"/><note dur="8" oct="3" pname="a"><accid accid="f"/></note></layer></staff>
</measure></section></score></mdiv></body></music></mei>"""


def test_mei_of_verovio_2_as_primus_has_it():
    """Signature, tie and grace as attributes; a complete last measure has its bar line."""
    events = mei.parse(OLDER_MEI)
    assert " ".join(semantic.encode(events)) == (
        "clef-C3 keySignature-FM timeSignature-C/ multirest-8 barline rest-half note-Bb3_quarter. tie "
        "gracenote-C4_eighth note-Ab3_eighth barline"
    )
    assert " ".join(agnostic.encode(events)) == (
        "clef.C-L3 accidental.flat-S2 metersign.C/-L3 digit.8-S5 multirest-L3 barline-L1 rest.half-L3 note.quarter-S2 "
        "dot-S2 slur.start-S2 gracenote.eighth-L3 slur.end-L2 accidental.flat-L2 note.eighth-L2 barline-L1"
    )


def test_vocabularies_have_the_published_sizes():
    assert len(vocabulary.load("semantic")) == 1781 and len(vocabulary.load("agnostic")) == 758
    assert vocabulary.unknown("semantic", ["barline", "note-H4_half", "tie"]) == ["note-H4_half"]


def test_published_conventions():
    """Fermata first, end of a tie before the accidental, dots in the space, start of a tie last, `rest.whole` on L4."""
    events = [
        Clef("G", 2),
        Key(-2),
        Meter(2, 2, "C/"),
        MultiRest(12),
        Barline(),
        Rest("whole", fermata=True),
        Barline(),
        Note("B", 0, 4, "quarter", dots=1, tied=True, accidental="natural"),
        Note("B", 0, 4, "eighth", fermata=True),
        Note("C", 0, 5, "sixteenth", grace=True),
        Note("A", 0, 3, "eighth", beam="start"),
        Note("F", 1, 4, "sixteenth", accidental="sharp", beam="middle"),
        Note("G", 0, 4, "sixteenth", beam="end"),
        Barline(),
    ]
    drawn = (
        "clef.G-L2 accidental.flat-L3 accidental.flat-S4 metersign.C/-L3 digit.1-S5 digit.2-S5 multirest-L3 barline-L1 "
        "fermata.above-S6 rest.whole-L4 barline-L1 accidental.natural-L3 note.quarter-L3 dot-S3 slur.start-L3 "
        "fermata.above-S6 slur.end-L3 note.eighth-L3 gracenote.sixteenth-S3 note.beamedRight1-L-1 accidental.sharp-S1 "
        "note.beamedBoth2-S1 note.beamedLeft2-L2 barline-L1"
    )
    assert " ".join(agnostic.encode(events)) == drawn
    meant = (
        "clef-G2 keySignature-BbM timeSignature-C/ multirest-12 barline rest-whole_fermata barline note-B4_quarter. "
        "tie note-B4_eighth_fermata gracenote-C5_sixteenth note-A3_eighth note-F#4_sixteenth note-G4_sixteenth barline"
    )
    assert " ".join(semantic.encode(events)) == meant
    assert agnostic.parse(agnostic.encode(events)) == events
    assert mei.parse(mei.write(events)) == events


BOTTOM = {
    "C1": "C4",
    "C2": "A3",
    "C3": "F3",
    "C4": "D3",
    "C5": "B2",
    "F3": "B2",
    "F4": "G2",
    "F5": "E2",
    "G1": "G4",
    "G2": "E4",
}
LENGTHS = {
    "1": "eighth",
    "2": "sixteenth",
    "3": "thirty_second",
    "4": "sixty_fourth",
    "5": "hundred_twenty_eighth",
    "0": "quarter",
}


def heard(symbols: list[str]) -> list[str]:
    """An independent reading of agnostic symbols as semantic notes, rests, bar lines."""
    steps, result, clef, accidentals, ties = "CDEFGAB", [], "", {}, {}
    key, pending, fermata = {}, [], ""
    for at, symbol in enumerate(symbols):
        head, _, place = symbol.replace("--", "-~").partition("-")
        height = {"L": 2, "S": 2}[place[0]] * int(place[1:].replace("~", "-")) - (place[0] == "L") - 1
        if head.startswith("clef."):
            clef = f"{head[5:]}{place[1:]}"
            base = steps.index(BOTTOM[clef][0]) + 7 * int(BOTTOM[clef][1])
        elif head.startswith("accidental."):
            sign = {"sharp": "#", "flat": "b", "natural": ""}[head[11:]]
            pending.append((height, sign))
        elif head.startswith(("note.", "gracenote.")):
            octave, step = divmod(base + height, 7)
            name = steps[step]
            if pending and pending[-1][0] == height:
                accidentals[height] = pending.pop()[1]
                alter = accidentals[height]
            else:
                alter = ties.get(height, accidentals.get(height, key.get(name, "")))
            length = head.partition(".")[2]
            length = LENGTHS[length[-1]] if length.startswith("beamed") else length
            dots = sum(1 for _ in iter_dots(symbols, at))
            result.append(f"{head.partition('.')[0]}-{name}{alter}{octave}_{length}{'.' * dots}{fermata}")
            ties, fermata = {}, ""
            if at + dots + 1 < len(symbols) and symbols[at + dots + 1].startswith("slur.start"):
                ties = {height: alter}
        elif head.startswith("rest."):
            dots = sum(1 for _ in iter_dots(symbols, at))
            result.append(f"rest-{head[5:]}{'.' * dots}{fermata}")
            fermata = ""
        elif head == "barline":
            result.append("barline")
            accidentals = {}
        elif head == "fermata.above":
            fermata = "_fermata"
        if pending and not head.startswith("accidental."):
            key = {steps[(base + height) % 7]: sign for height, sign in pending}
            pending = []
    return result


def iter_dots(symbols, at):
    for symbol in symbols[at + 1 :]:
        if not symbol.startswith("dot-"):
            return
        yield symbol


def test_semantic_and_agnostic_say_the_same():
    """An independent reader of the agnostic symbols hears the semantic ones: pitch, clef, key, duration."""
    for seed in range(150):
        events = compose(Random(seed))
        first = agnostic.encode(events)
        if not any(symbol.startswith(("digit", "metersign")) for symbol in first):
            continue  # without a time signature a signature's last sign may look like a note's accidental
        kept = [symbol for symbol in semantic.encode(events) if symbol.startswith(("note", "grace", "rest", "barline"))]
        assert heard(first) == kept, f"seed {seed}"


def test_composed_music_survives_every_encoding():
    for seed in range(150):
        events = compose(Random(seed))
        assert agnostic.parse(agnostic.encode(events)) == events
        assert mei.parse(mei.write(events)) == events
        again = semantic.parse(semantic.encode(events))
        assert semantic.encode(with_accidentals(again)) == semantic.encode(events)
        assert not doubts(events), "measures must add up"
        assert not vocabulary.unknown("semantic", semantic.encode(events))
        assert not vocabulary.unknown("agnostic", agnostic.encode(events))


@pytest.mark.parametrize(
    "symbols", [["note-H4_quarter"], ["clef-G2", "keySignature-XM"], ["timeSignature-3/0"], [""], ["multirest-0"]]
)
def test_foreign_semantic_symbols_are_named(symbols):
    with pytest.raises(MusicError, match=f"symbol {len(symbols)}"):
        semantic.parse(symbols)


@pytest.mark.parametrize(
    "text", ["note.quarter-L3", "clef.G-L2 hello", "clef.G-L2 digit.3-L4", "clef.G-L2 digit.3-S5 barline-L1"]
)
def test_agnostic_that_is_no_notation_is_refused(text):
    with pytest.raises(MusicError):
        agnostic.parse(text.split())


def test_every_vocabulary_symbol_parses():
    for symbol in vocabulary.load("semantic"):
        assert semantic.parse(["note-C4_half", symbol])
        assert semantic.kind(symbol) != "other"
    agnostic.glyphs(vocabulary.load("agnostic"))


def measure_of(inside: str, right: str = "") -> str:
    head = '<mei><music><body><mdiv><score><scoreDef meter.count="2" meter.unit="4">'
    staff = '<staffGrp><staffDef n="1" lines="5" clef.shape="G" clef.line="2"/></staffGrp></scoreDef><section>'
    measure = f'<measure{right}><staff n="1"><layer n="1">{inside}</layer></staff></measure>'
    return f"{head}{staff}{measure}</section></score></mdiv></body></music></mei>"


NOTE = '<note pname="c" oct="4" dur="4"/>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a readable MEI"),
        ("<mei><music>", "not a readable MEI"),
        ("<svg/>", "not an MEI"),
        (measure_of(f"<chord>{NOTE}</chord>"), "<chord>"),
        (measure_of(f"<tuplet>{NOTE}</tuplet>"), "<tuplet>"),
        (measure_of('<note pname="h" oct="4" dur="4"/>'), "pname='h'"),
        (measure_of('<note pname="c" oct="x" dur="4"/>'), "oct='x'"),
        (measure_of('<note pname="c" oct="4" dur="2048"/>'), "dur='2048'"),
        (measure_of('<note pname="c" oct="4" dur="4"><artic artic="stacc"/></note>'), "<artic>"),
        (measure_of(""), "without notes"),
        (measure_of(f"{NOTE}</layer><layer>{NOTE}"), "2 voices"),
        (measure_of(NOTE).replace('shape="G"', 'shape="TAB"'), "a clef 'TAB'"),
        (measure_of(NOTE).replace("</staff></measure>", "</staff><trill/></measure>"), "<trill>"),
    ],
)
def test_mei_beyond_the_encodings_is_named(text, why):
    with pytest.raises(MusicError, match=why) as caught:
        mei.parse(text)
    assert "\n" not in str(caught.value)


def test_last_barline_as_the_file_says_or_if_complete():
    def last(inside, right=""):
        return semantic.encode(mei.parse(measure_of(inside, right)))[-1]

    assert last(NOTE * 2) == "barline" and last(NOTE) == "note-C4_quarter"
    assert last(NOTE, ' right="end"') == "barline" and last(NOTE * 2, ' right="invis"') == "note-C4_quarter"


def test_control_events_and_gestural_accidentals_of_newer_mei():
    inside = NOTE.replace("/>", ' xml:id="a"><accid accid.ges="s"/></note>') + NOTE.replace("/>", ' xml:id="b"/>')
    text = measure_of(inside).replace(
        "</staff></measure>", '</staff><tie startid="#a" endid="#b"/><fermata startid="#b"/></measure>'
    )
    assert semantic.encode(mei.parse(text))[2:] == ["note-C#4_quarter", "tie", "note-C#4_quarter_fermata", "barline"]


def test_doubts_name_the_measure():
    def found(text):
        return [str(doubt) for doubt in doubts(semantic.parse(text.split()))]

    bar = "note-C4_half barline "
    assert found(f"clef-G2 timeSignature-2/4 {bar}{bar}{bar}") == []
    assert found(f"clef-G2 timeSignature-3/4 {bar}{bar}{bar}") == [
        "measure 2: lasts 1/2 of a whole note instead of 3/4"
    ]
    assert found(f"timeSignature-2/4 {bar}") == ["measure 1: no clef before the first note"]
    assert found("clef-G2 note-C4_half tie note-D4_half") == ["measure 1: a tie that leads to no note of its pitch"]
    assert found("clef-G2 multirest-3 rest-half") == ["measure 1: notes beside a multi-measure rest"]
