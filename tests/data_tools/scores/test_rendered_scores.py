"""Rendered scores: same seed, same bytes; labels that fit; readers of what was written."""

import json
import os
from collections import Counter
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from PIL import Image

from data_tools.__main__ import COMMANDS
from data_tools.cli import main
from data_tools.errors import UserError
from data_tools.music import semantic
from data_tools.music.notation import Barline, Clef, Key, Meter, MusicError, Note, Rest, close_by_meter, key_alter
from data_tools.readers.primus import PrimusReader, is_primus
from data_tools.sample import CorruptSample
from data_tools.scores import PaeScores, Recipe, RenderedScores, engraving, pae
from data_tools.scores.camera import CameraRecipe, photograph
from data_tools.scores.grammar import compose

PAE = """@start:one
@clef:C-1
@keysig:bBE
@timesig:c
@data:'4A+/A6{GFEF}gG4E/=/=3/{8A6bBA}4C/
@end

two\t%G-2$xF@c '4GABG/2A2B//
bad\t%G-2@c '4GAhello
trill\t%G-2@c '4GtAGA/
"""


def run(*arguments) -> int:
    return main("data_tools", "", COMMANDS, ["scores", *map(str, arguments)])


def test_sample_depends_on_seed_and_index_alone():
    recipe = Recipe(look="varied", frame="staff", staff_space=7, camera=0.5)
    long, short = RenderedScores(5, 1000, recipe), RenderedScores(5, 3, recipe)
    for index in (2, 0):
        one, other = long[index], short[index]
        assert one.text == other.text and one.image.tobytes() == other.image.tobytes()
    assert RenderedScores(6, 3, recipe)[0].text != short[0].text


def test_an_easy_start_grows_to_the_usual_incipits():
    """A fresh model sees a measure first; afterwards nothing differs from a recipe without the easy start."""
    easy, usual = RenderedScores(4, 200, Recipe(ease_in=100, camera=1)), RenderedScores(4, 200, Recipe(camera=1))
    lengths = [[len(reader.text(index).split()) for index in range(20)] for reader in (easy, usual)]
    assert sum(lengths[0]) < 0.6 * sum(lengths[1])
    assert easy[0].image.tobytes() == easy.picture(easy.score(0), 0).tobytes()  # no camera yet
    assert easy.text(150) == usual.text(150) and easy[150].image.tobytes() == usual[150].image.tobytes()
    with pytest.raises(UserError, match="ease_in is -1"):
        Recipe(ease_in=-1)


def test_even_shares_let_rare_clefs_and_keys_be_learned():
    """As the catalogue has them, two of ten clefs are three quarters of the music."""
    scores = RenderedScores(4, 200, Recipe(even=1.0))
    first = [scores.score(index).semantic[:2] for index in range(200)]
    clefs, keys = Counter(clef for clef, _ in first), {key for _, key in first if key.startswith("keySignature")}
    assert len(clefs) == 10 and min(clefs.values()) > 4 and len(keys) >= 11
    with pytest.raises(UserError, match=r"even is 1\.5"):
        Recipe(even=1.5)


def test_even_shares_bring_what_is_misread():
    """Notes that an accidental earlier in the measure alters were most of what a trained model missed."""
    held = []
    for even in (0.0, 0.4):
        scores, count = RenderedScores(4, 150, Recipe(even=even)), 0
        for index in range(150):
            events = scores.score(index).events
            key = next((event.fifths for event in events if isinstance(event, Key)), 0)
            notes = [event for event in events if isinstance(event, Note) and not event.accidental]
            count += sum(note.alter != key_alter(key, note.step) for note in notes)
        held.append(count)
    assert held[1] > 1.5 * held[0]


def test_labels_close_as_primus_or_as_drawn():
    """A network learns the bar line that it sees; a corpus of PrIMuS's kind has it by arithmetic."""
    primus, drawn = (RenderedScores(4, 60, Recipe(barline=barline)) for barline in ("primus", "drawn"))
    pairs = [(primus.score(index), drawn.score(index)) for index in range(60)]
    ends = Counter((one.semantic[-1] == "barline", other.semantic[-1] == "barline") for one, other in pairs)
    assert len(ends) == 4, "complete or not, each with and without a bar line in its picture"
    for one, other in pairs:
        assert one.mei == other.mei and one.events == other.events and other.semantic == semantic.encode(one.events)
        assert one.semantic == semantic.encode(close_by_meter(one.events))
    with pytest.raises(UserError, match="barline is 'no'"):
        Recipe(barline="no")


def test_signs_without_a_symbol_change_pictures_alone():
    """Genuine incipits have trills, which their labels leave out."""
    plain, signed = RenderedScores(4, 6), RenderedScores(4, 6, Recipe(signs=1.0))
    changed = 0
    for index in range(6):
        one, other = plain[index], signed[index]
        assert one.text == other.text and one.extra == other.extra
        changed += one.image.tobytes() != other.image.tobytes()
        assert other.image.tobytes() == signed[index].image.tobytes()
    assert changed >= 4
    with pytest.raises(UserError, match="signs is 2"):
        Recipe(signs=2)


def test_what_genuine_incipits_have_is_composed():
    """Unmeasured incipits, bar lines of all kinds, slashed grace notes, clefs within a measure, silent measures."""
    found = Counter()
    for seed in range(400):
        events = compose(Random(seed), even=0.4)
        bars = [event.kind for event in events if isinstance(event, Barline)]
        found.update(bars or ["unmeasured"])
        found.update("slashed" if event.slashed else "grace" for event in events if getattr(event, "grace", False))
        pairs = list(pairwise(events))
        found["clef within"] += sum(isinstance(a, Note) and isinstance(b, Clef) for a, b in pairs)
        found["silent"] += sum(isinstance(a, Barline) and b == Rest("whole") for a, b in pairs)
        found["sixty_fourth"] += any(getattr(event, "value", "") == "sixty_fourth" for event in events)
        found["double_whole"] += any(getattr(event, "value", "") == "double_whole" for event in events)
    bars = ["single", "dbl", "end", "rptstart", "rptend", "rptboth", "unmeasured", "silent"]
    notes = ["slashed", "grace", "clef within", "sixty_fourth", "double_whole"]
    assert all(found[kind] >= 3 for kind in bars + notes), found


def test_label_is_semantic_and_the_other_encoding_comes_along():
    sample, other = RenderedScores(1, 2)[1], RenderedScores(1, 2, Recipe(encoding="agnostic"))[1]
    assert sample.text.startswith("clef-") and sample.extra["agnostic"] == other.text
    assert semantic.parse(sample.text.split()) and other.extra["semantic"] == sample.text


def test_primus_look_is_two_shades_cropped_to_the_ink():
    image = RenderedScores(1, 1)[0].image
    ink = np.asarray(image) < 128
    assert sorted(shade for _, shade in image.getcolors()) == [57, 255]
    assert ink[0].any() and ink[-1].any() and ink[:, 0].any() and ink[:, -1].any()
    lines = np.flatnonzero(ink.mean(axis=1) > 0.95)
    assert set(np.diff(lines[np.diff(lines, prepend=-9) > 1])) == {18}


def test_staff_frame_puts_every_staff_in_the_same_place():
    heights, places = set(), set()
    for index in range(4):
        image = RenderedScores(3, 4, Recipe(look="varied", frame="staff", staff_space=8))[index].image
        dark = (255 - np.asarray(image, np.float32)).sum(axis=1)
        heights.add(image.height)
        places.add(int(np.argmax(dark[: image.height // 2 + 8])) // 8)
    assert heights == {round(13.7 * 8)}


def test_every_clef_and_pace_is_composed_in_plausible_shares():
    clefs = Counter(next(event for event in compose(Random(seed)) if isinstance(event, Clef)) for seed in range(300))
    lengths = [len(semantic.encode(compose(Random(seed)))) for seed in range(100)]
    assert clefs[Clef("G", 2)] > 120 and len(clefs) >= 6
    assert 20 < np.median(lengths) < 36 and max(lengths) < 90


def test_camera_keeps_the_music_visible_and_depends_on_the_generator_alone():
    clean = RenderedScores(1, 1)[0].image
    one, other = (photograph(clean, np.random.default_rng(3)) for _ in range(2))
    assert one.tobytes() == other.tobytes() and one.mode == "L"
    assert one.tobytes() != photograph(clean, np.random.default_rng(4)).tobytes()
    assert np.asarray(one).std() > 5
    still = CameraRecipe(margin=0, rotation=0, shear=0, wave=0, swirl=0, perspective=0, shade=0, blur=0, noise=0)
    same = photograph(clean, np.random.default_rng(0), still)
    assert same.size == clean.size
    assert np.corrcoef(np.asarray(same).ravel(), np.asarray(clean).ravel())[0, 1] > 0.9


def test_same_corpus_on_any_number_of_workers(tmp_path):
    for workers in (0, 2):
        assert run("--n", 20, "--out", tmp_path / str(workers), "--seed", 4, "--camera", "--workers", workers) == 0
    files = [sorted(p.relative_to(tmp_path / w) for p in (tmp_path / w).rglob("*.*")) for w in ("0", "2")]
    assert files[0] == files[1] and len(files[0]) == 20 * 5
    assert all((tmp_path / "0" / p).read_bytes() == (tmp_path / "2" / p).read_bytes() for p in files[0])


def test_written_corpus_reads_as_primus(tmp_path, capsys):
    assert run("--n", 3, "--out", tmp_path / "c", "--camera", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"out": str(tmp_path / "c"), "n": 3, "skipped": {}}
    assert is_primus(tmp_path / "c") and not is_primus(tmp_path / "c" / "s0-000000001" / "s0-000000001.png")
    fresh = RenderedScores(0, 3)
    reader, camera = PrimusReader(tmp_path / "c"), PrimusReader(tmp_path / "c", encoding="agnostic", camera=True)
    for index in range(3):
        assert reader[index].text == fresh[index].text and reader[index].extra == fresh[index].extra
        assert reader[index].image.convert("L").tobytes() == fresh[index].image.tobytes()
        assert (
            camera[index].text == fresh[index].extra["agnostic"]
            and camera[index].image.size != reader[index].image.size
        )


def test_a_flat_folder_is_read_as_folders_are(tmp_path):
    """Some copies of the corpus hold all files in one folder."""
    run("--n", 3, "--out", tmp_path / "c")
    (tmp_path / "flat").mkdir()
    for file in (tmp_path / "c").rglob("*.*"):
        file.rename(tmp_path / "flat" / file.name)
    reader, fresh = PrimusReader(tmp_path / "flat"), RenderedScores(0, 3)
    assert is_primus(tmp_path / "flat") and len(reader) == 3
    assert [reader[index].text for index in range(3)] == [fresh[index].text for index in range(3)]
    assert reader[1].image.convert("L").tobytes() == fresh[1].image.tobytes()


def test_split_files_choose_scores_and_name_missing_ones(tmp_path):
    run("--n", 3, "--out", tmp_path / "c")
    (tmp_path / "c" / "train.txt").write_text("s0-000000003\n./Data/s0-000000001.png\nnothere\n")
    reader = PrimusReader(tmp_path / "c", split="train")
    assert [reader[0].key, reader[1].key] == ["s0-000000003", "s0-000000001"] and len(reader) == 3
    with pytest.raises(CorruptSample, match="nothere: the score's folder is missing"):
        reader[2]
    with pytest.raises(UserError, match="no such split file"):
        PrimusReader(tmp_path / "c", split="validation")


def test_broken_scores_are_named(tmp_path):
    run("--n", 2, "--out", tmp_path / "c")
    one = tmp_path / "c" / "s0-000000001" / "s0-000000001"
    one.with_suffix(".semantic").write_bytes(b"\xff\xfe")
    (tmp_path / "c" / "s0-000000002" / "s0-000000002.png").write_bytes(b"\x89PNG")
    reader = PrimusReader(tmp_path / "c")
    for index, why in ((0, "semantic encoding is missing"), (1, "cannot be decoded")):
        with pytest.raises(CorruptSample, match=why):
            reader[index]
    with pytest.raises(UserError, match="no PrIMuS score"):
        PrimusReader(tmp_path / "c" / "s0-000000001")


def test_interrupted_corpus_is_resumed(tmp_path):
    run("--n", 2, "--out", tmp_path / "c")
    assert run("--n", 4, "--out", tmp_path / "c") == 2
    assert run("--n", 4, "--out", tmp_path / "c", "--resume") == 0
    assert len(PrimusReader(tmp_path / "c")) == 4


def test_lmdb_holds_both_encodings(tmp_path):
    import lmdb

    assert run("--n", 3, "--out", tmp_path / "x.lmdb", "--look", "varied", "--frame", "staff", "--staff-space", 7) == 0
    with lmdb.open(str(tmp_path / "x.lmdb"), readonly=True, lock=False) as environment, environment.begin() as records:
        fresh = RenderedScores(0, 3, Recipe("varied", "staff", 7.0))[2]
        assert records.get(b"label-000000003").decode() == fresh.text
        assert records.get(b"agnostic-000000003").decode() == fresh.extra["agnostic"]


def test_plaine_and_easie_files(tmp_path, caplog):
    (tmp_path / "x.pae").write_text(PAE)
    assert run("--pae", tmp_path / "x.pae", "--out", tmp_path / "c") == 0
    reader = PrimusReader(tmp_path / "c")
    assert [reader[index].key for index in range(len(reader))] == ["one", "two"]
    assert reader[1].text == (
        "clef-G2 keySignature-GM timeSignature-C note-G4_quarter note-A4_quarter note-B4_quarter note-G4_quarter "
        "barline note-A4_half note-B4_half barline"
    )
    assert "tie barline note-A4_quarter note-G4_sixteenth" in reader[0].text and "multirest-1 barline" in reader[0].text
    assert "bad: Plaine & Easie" in caplog.text and "trill: <trill> is not covered" in caplog.text


def pae_file(tmp_path, content: str) -> list:
    (tmp_path / "x.pae").write_text(content)
    return pae.read(tmp_path / "x.pae")


def test_incipits_of_one_id_are_numbered(tmp_path):
    """Before, the second one was lost without a word."""
    line = "%G-2$xF@c '4GABC//\n"
    found = pae_file(tmp_path, f"1001\t{line}1001\t{line}1001-2\t{line}{line}")
    assert [incipit.key for incipit in found] == ["1001", "1001-3", "1001-2", "x-4"]
    assert run("--pae", tmp_path / "x.pae", "--out", tmp_path / "c") == 0
    assert len(PrimusReader(tmp_path / "c")) == 4


def test_an_id_becomes_a_safe_name(tmp_path):
    """RISM's ids have slashes (D-Dl/1001): no folder, and never one outside."""
    line = "%G-2$xF@c '4GABC//\n"
    found = pae_file(tmp_path, f"D-Dl/1001\t{line}../../up\t{line}D-Dl_1001\t{line}")
    assert [incipit.key for incipit in found] == ["D-Dl_1001", "_._.._up", "D-Dl_1001-2"]
    assert run("--pae", tmp_path / "x.pae", "--out", tmp_path / "c") == 0
    assert sorted(os.listdir(tmp_path / "c")) == sorted(incipit.key for incipit in found)


def test_wrapped_data_are_read_to_their_end(tmp_path):
    head = "@clef:G-2\n@keysig:xF\n@timesig:4/4\n"
    (one,) = pae_file(tmp_path, f"{head}@data:'4GABC/\n''1C/\n%C-1\n'1G//\n")
    assert " ".join(semantic.encode(pae.events(one.text))).endswith(
        "note-C5_whole barline clef-C1 note-G4_whole barline"
    )
    two = pae_file(tmp_path, f"{head}@data:'4GABC/\n@3/4 '4GAB//\n@end\nb\t%G-2@c '1G//\n%G-2@c '1A//\n")
    assert [len(pae.events(incipit.text)) for incipit in two] == [13, 4, 4]
    alone = "%G-2@c '4GA\nBC//\n# a remark\n%G-2@c '1G//\n7\t%G-2@c '1A//\n@clef: G-2\n@timesig: c\n@data: '1B//\n"
    assert [len(pae.events(incipit.text)) for incipit in pae_file(tmp_path, alone)] == [7, 4, 4, 4]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_incipits_are_read_as_any_text(encoding, tmp_path):
    (tmp_path / "x.pae").write_bytes("@start:Müller\r@clef:G-2\r@timesig:c\r@data:'1G//\r".encode(encoding))
    (one,) = pae.read(tmp_path / "x.pae")
    assert one.key == "Müller" and len(pae.events(one.text)) == 4


@pytest.mark.parametrize(
    ("text", "fifths"),
    [
        ("xF", 1),
        ("x[F]C", 2),
        ("[xFC]", 2),
        ("xFxC", 2),
        ("$bBE", -2),
        ("bEB", -2),
        ("xFCGDAEB", 7),
        ("n", 0),
        ("", 0),
        ("xFbB", None),
        ("xC", None),
        ("#F", None),
    ],
)
def test_key_signatures_in_every_form(text, fifths, tmp_path):
    """Brackets (what an editor added) made the whole signature vanish."""
    record = f"@clef:G-2\n@keysig:{text}\n@timesig:c\n@data:'4GABC/${text or 'n'}@3/4 '4GAB//\n"
    (incipit,) = pae_file(tmp_path, record)
    if fifths is None:
        with pytest.raises(MusicError, match="key signature"):
            pae.events(incipit.text)
        return
    keys = [event.fifths for event in pae.events(incipit.text) if isinstance(event, Key)]
    assert set(keys) == ({fifths} if fifths else set())
    assert sum(isinstance(event, Meter) for event in pae.events(incipit.text)) == 2


def test_one_line_incipits_with_spaces_between_their_signs(tmp_path):
    (one,) = pae_file(tmp_path, "%G-2 $xF @c '4GABC//\n")
    assert semantic.encode(pae.events(one.text))[:3] == ["clef-G2", "keySignature-GM", "timeSignature-C"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--n", "0", "--out", "x"], "--n"),
        (["--n", "2", "--out", "x", "--pae", "y"], "--n"),
        (["--n", "2", "--out", "x", "--look", "odd"], "look is 'odd'"),
        (["--n", "2", "--out", "x", "--staff-space", "0.5"], "staff_space"),
        (["--pae", "nothere.pae", "--out", "x"], "nothere.pae: cannot be read"),
        (["--n", "2", "--out", "/proc/nothere/x"], "/proc/nothere/x: cannot be written"),
    ],
)
def test_mistakes_are_one_line(arguments, why, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert why in error and "\n" not in error and not os.listdir(tmp_path)


def test_empty_and_foreign_files(tmp_path):
    for content in (b"", b"\xff\xff", b"hello\n"):
        (tmp_path / "x.pae").write_bytes(content)
        with pytest.raises(UserError, match=r"x\.pae"):
            PaeScores([tmp_path / "x.pae"])
    with pytest.raises(MusicError):
        engraving.engrave("<mei>")


def test_palette_is_kept_for_two_shades(tmp_path):
    run("--n", 1, "--out", tmp_path / "c")
    path = tmp_path / "c" / "s0-000000001" / "s0-000000001.png"
    with Image.open(path) as image:
        assert image.mode in ("P", "1") and path.stat().st_size < 12_000
