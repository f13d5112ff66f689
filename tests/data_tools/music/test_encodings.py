"""The encodings must be PrIMuS's own, and all of them must say the same music."""

import re
from dataclasses import replace
from itertools import takewhile
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
    as_sounding,
    close_by_meter,
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


@pytest.mark.parametrize("encoding", ["x-none", "utf-32", "shift_jis", "", "\0"])
def test_mei_that_names_no_encoding_of_xml_is_one_line(encoding):
    content = OLDER_MEI.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode()
    with pytest.raises(MusicError, match="not a readable MEI file") as raised:
        mei.parse(content)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_mei_in_another_encoding_is_read(encoding):
    content = OLDER_MEI.replace("UTF-8", encoding.removesuffix("-sig")).encode(encoding)
    assert mei.parse(content) == mei.parse(OLDER_MEI)


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
        "tie note-Bb4_eighth_fermata gracenote-C5_sixteenth note-A3_eighth note-F#4_sixteenth note-G4_sixteenth barline"
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


SIGNS = {"sharp": "#", "flat": "b", "natural": "", "double_sharp": "##", "double_flat": "bb"}
KEYS = {
    "#": ("FCGDAEB", ["G", "D", "A", "E", "B", "F#", "C#"]),
    "b": ("BEADGCF", ["F", "Bb", "Eb", "Ab", "Db", "Gb", "Cb"]),
}


class Listener:
    """An independent reading of agnostic symbols as semantic ones, symbol for symbol.

    Without a time signature the last sign of a key may look like the first note's accidental: only then `signs` says
    how many the key has.
    """

    def __init__(self, signs: int | None = None) -> None:
        self.signs, self.said = signs, []
        self.base, self.key = 0, {}
        self.pending, self.digits, self.fermata = [], [], ""

    def hear(self, symbols: list[str]) -> list[str]:
        for at, symbol in enumerate(symbols):
            head, letter, number = re.fullmatch(r"(.+)-([LS])(-?\d+)", symbol).groups()
            height = 2 * int(number) - (letter == "L") - 1
            kind, _, detail = head.partition(".")
            if kind not in ("accidental", "note", "gracenote"):
                self.signature(len(self.pending))
            dots = "." * sum(1 for _ in takewhile(lambda later: later.startswith("dot-"), symbols[at + 1 :]))
            self.take(kind, detail, height, f"{letter}{number}", dots)
        return self.said

    def take(self, kind: str, detail: str, height: int, place: str, dots: str) -> None:
        match kind:
            case "clef":
                clef = f"{detail}{place[1:]}"
                self.base = "CDEFGAB".index(BOTTOM[clef][0]) + 7 * int(BOTTOM[clef][1])
                self.said.append(f"clef-{clef}")
            case "accidental":
                self.pending.append((self.base + height, SIGNS[detail]))
            case "note" | "gracenote":
                self.note(kind, detail, self.base + height, dots)
            case "rest":
                self.said.append(f"rest-{detail}{dots}{self.fermata}")
            case "digit" | "metersign" | "multirest":
                self.number(kind, detail, place)
            case "barline":
                self.said.append("barline")
            case "slur" if detail == "start":
                self.said.append("tie")
        self.fermata = "_fermata" if kind == "fermata" else self.fermata * (kind in ("slur", "accidental"))

    def signature(self, count: int) -> None:
        """Takes the first `count` accidentals that wait as the key."""
        signs, self.pending = self.pending[:count], self.pending[count:]
        if signs:
            order, names = KEYS[signs[0][1]]
            steps = ["CDEFGAB"[height % 7] for height, _ in signs]
            assert steps == list(order[:count]) and len({sign for _, sign in signs}) == 1, "no key has these signs"
            self.key = dict.fromkeys(order[:count], signs[0][1])
            self.said.append(f"keySignature-{names[count - 1]}M")
        self.signs = None if self.said[1:] else self.signs

    def note(self, kind: str, detail: str, height: int, dots: str) -> None:
        if self.pending:
            own = self.pending[-1][0] == height
            self.signature(len(self.pending) - own if self.signs is None else self.signs)
        octave, step = divmod(height, 7)
        name = "CDEFGAB"[step]
        sign = self.key.get(name, "")  # whatever stood before an earlier note of the measure, or of a tie
        if self.pending:
            ((place, sign),) = self.pending
            assert place == height, "an accidental that belongs to no note"
            self.pending = []
        length = LENGTHS[detail[-1]] if detail.startswith("beamed") else detail
        self.said.append(f"{kind}-{name}{sign}{octave}_{length}{dots}{self.fermata}")

    def number(self, kind: str, detail: str, place: str) -> None:
        self.digits += [detail] * (kind == "digit")
        if kind == "digit" and place != "L2":
            return
        said = f"timeSignature-{'/'.join(self.digits) or detail}"
        self.said.append(f"multirest-{''.join(self.digits)}" if kind == "multirest" else said)
        self.digits = []


def signs_of(meant: list[str]) -> int:
    """How many signs the first key of semantic symbols has."""
    key = next((symbol[13:-1] for symbol in meant if symbol.startswith("keySignature-")), "C")
    return next((names.index(key) + 1 for _, names in KEYS.values() if key in names), 0)


def test_semantic_and_agnostic_say_the_same():
    """Each of 500 incipits: an independent reader of the agnostic symbols hears the semantic ones, every one of them:
    clef, key, time signature, pitch, duration, rests, grace notes, ties, fermatas, bar lines.
    """
    free = 0
    for seed in range(500):
        events = compose(Random(seed))
        meant, drawn = semantic.encode(events), agnostic.encode(events)
        body = next(event for event in events if not isinstance(event, Clef | Key))
        free += not isinstance(body, Meter)
        listener = Listener(None if isinstance(body, Meter) else signs_of(meant))
        assert listener.hear(drawn) == meant, f"seed {seed}"
    assert free >= 10, "music without a time signature is compared too"


def unmarked(event):
    """The event without what the agnostic encoding lacks: a bar line's kind, a grace note's slash."""
    event = Barline() if isinstance(event, Barline) else event
    return replace(event, slashed=False) if isinstance(event, Note) else event


def test_composed_music_survives_every_encoding():
    for seed in range(150):
        events = compose(Random(seed))
        assert agnostic.parse(agnostic.encode(events)) == [unmarked(event) for event in events]
        assert mei.parse(mei.write(events)) == events
        for reading in semantic.READINGS:
            again = semantic.parse(semantic.encode(events), reading)
            assert semantic.encode(again) == semantic.encode(events) and as_sounding(again) == again
            assert with_accidentals(again) == again, "every accidental that a reader needs is drawn"
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
    events = mei.parse(text)
    assert [event.alter for event in events if isinstance(event, Note)] == [1, 1]
    assert semantic.encode(events)[2:] == ["note-C4_quarter", "tie", "note-C4_quarter_fermata", "barline"]


def sounds(text: str, reading: str) -> str:
    """Steps and alterations of the notes of semantic symbols, as they sound."""
    notes = [event for event in semantic.parse(text.split(), reading) if isinstance(event, Note)]
    return " ".join(f"{note.step}{'b#'[note.alter > 0] * abs(note.alter)}" for note in notes)


def test_what_is_drawn_holds_to_the_bar_line():
    """A label names each note by its own drawing; a musician, or a MIDI file, must hear the accidental hold."""
    text = "clef-G2 keySignature-FM note-F#4_half note-F4_half note-F5_half note-B4_half tie barline note-B4_half"
    assert sounds(text, "notation") == "F# F# F B B"
    assert sounds(text, "primus") == "F# F F B B"
    drawn = [event.accidental for event in semantic.parse(text.split(), "primus") if isinstance(event, Note)]
    assert drawn == ["sharp", "natural", "", "natural", "natural"]
    tied = "clef-G2 note-F#4_half tie barline note-F4_half note-F4_half barline"
    assert sounds(tied, "notation") == "F# F# F"


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("clef-G2 timeSignature-3/4 note-C4_half. barline note-C4_half.", True),
        ("clef-G2 timeSignature-3/4 note-C4_half. barline note-C4_half barline", False),
        ("clef-G2 timeSignature-C/ note-C4_whole note-C4_whole barline", False),
        ("clef-G2 timeSignature-C/ note-C4_half timeSignature-3/2 note-C4_whole", True),
        ("clef-G2 timeSignature-3/8 rest-whole", True),
        ("clef-G2 timeSignature-3/8 multirest-4", True),
        ("clef-G2 timeSignature-2/4 gracenote-C4_half note-C4_half", True),
    ],
)
def test_primus_closes_a_complete_measure(text, closed):
    """Whatever the picture shows: 111 of 111 genuine labels have the last bar line by arithmetic."""
    symbols = text.split()
    body = symbols[:-1] if symbols[-1] == "barline" else symbols
    for drawn in (body, [*body, "barline"]):
        assert semantic.encode(close_by_meter(semantic.parse(drawn))) == body + ["barline"] * closed


def test_without_a_meter_the_bar_line_stays_as_drawn():
    for text in ("clef-G2 note-C4_half", "clef-G2 note-C4_half barline", "", "barline"):
        assert semantic.encode(close_by_meter(semantic.parse(text.split()))) == text.split()


if (DEVELOPMENT := Path(__file__).parents[4] / "shared/data/primus_dev").exists():

    def test_genuine_labels_obey_both_conventions():
        """Encoded again they stay as they are: the closing bar line by arithmetic, names by drawing."""
        for path in DEVELOPMENT.glob("*.semantic"):
            symbols = path.read_text().split()
            for reading in semantic.READINGS:
                assert semantic.encode(close_by_meter(semantic.parse(symbols, reading))) == symbols, path.name


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
    assert found("clef-G2 timeSignature-3/8 rest-whole barline note-C4_quarter. barline rest-whole barline") == []
    assert found("clef-G2 timeSignature-2/4 note-C4_half note-C4_half note-C4_whole") == [], "unmeasured"
    assert found("clef-G2 timeSignature-2/4 note-C4_half. barline") == [
        "measure 1: lasts 3/4 of a whole note instead of 1/2"
    ]
    assert found("clef-G2 multirest-3 rest-half") == ["measure 1: notes beside a multi-measure rest"]


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("note-F#4_eighth.", "note-F#4_half", {"pitch F#4", "place F4", "name F#"}),
        ("note-Bb3_eighth", "note-B3_eighth_fermata", {"place B3", "note eighth"}),
        ("rest-half._fermata", "note-C4_half._fermata", {"fermata"}),
        ("gracenote-C4_eighth", "note-D4_eighth", set()),
        ("clef-C1", "clef-C3", {"clef C"}),
        ("timeSignature-6/8", "timeSignature-3/8", {"/8"}),
        ("timeSignature-C", "timeSignature-C/", set()),
        ("keySignature-EbM", "keySignature-BbM", {"-1 B", "-1 E"}),
        ("multirest-12", "multirest-17", {"1e1"}),
        ("multirest-1", "multirest-10", set()),
        ("barline", "nonsense", set()),
    ],
)
def test_parts_are_what_symbols_share(one, other, common):
    """What training lets rare symbols learn from frequent ones."""
    assert semantic.parts(one) & semantic.parts(other) == common
