"""MJSynth's annotation files."""

import pytest

from data_tools.errors import UserError
from data_tools.readers import open_reader
from data_tools.readers.mjsynth import MjsynthReader
from data_tools.sample import CorruptSample


@pytest.fixture
def mjsynth(tmp_path, png_of):
    """A corner of MJSynth as it is unpacked."""
    (tmp_path / "2425" / "1").mkdir(parents=True)
    (tmp_path / "2425" / "1" / "115_Lube_2.jpg").write_bytes(png_of("Lube", kind="JPEG"))
    (tmp_path / "2425" / "1" / "114_SPENCERIAN_3.jpg").write_bytes(b"")
    (tmp_path / "lexicon.txt").write_text("aardvark\nabacus\nlube\nspencerian\n")

    def make(*lines: str, name: str = "annotation_train.txt"):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
        return tmp_path / name

    return make


def why(reader, index: int = 0) -> str:
    with pytest.raises(CorruptSample) as raised:
        reader[index]
    return raised.value.why


def test_the_word_is_the_lexicons_in_the_case_of_the_file_name(mjsynth):
    reader = MjsynthReader(mjsynth("./2425/1/115_Lube_2.jpg 2", "./2425/1/115_Lube_2.jpg 1"))
    assert reader[0].text == "Lube" and reader[0].key == "./2425/1/115_Lube_2.jpg"
    assert reader[1].text == "abacus" and reader.text(1) == "abacus"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("./2425/1/114_SPENCERIAN_3.jpg 3", "empty"),
        ("./2425/1/9_gone_1.jpg 1", "missing"),
        ("./2425/1/115_Lube_2.jpg 4", "not one of lexicon.txt"),
        ("./2425/1/115_Lube_2.jpg -1", "not one of lexicon.txt"),
        ("./2425/1/115_Lube_2.jpg two", "not one of lexicon.txt"),
        ("./2425/1/115_Lube_2.jpg ²", "not one of lexicon.txt"),
        ("./2425/1/115_Lube_2.jpg", "no label"),
        ("../../../../../etc/hostname 1", "leads out"),
        ("/etc/hostname 1", "leads out"),
    ],
)
def test_hostile_and_broken_lines_are_bad_samples_not_crashes(mjsynth, line, reason):
    reader = MjsynthReader(mjsynth("./2425/1/115_Lube_2.jpg 2", line))
    assert reason in why(reader, 1) and reader[0].text == "Lube"


def test_a_folder_with_one_annotation_file_is_enough_with_several_one_must_be_named(mjsynth, tmp_path):
    one = mjsynth("./2425/1/115_Lube_2.jpg 2")
    assert open_reader(tmp_path)[0].text == open_reader(one)[0].text == "Lube"
    mjsynth("./2425/1/115_Lube_2.jpg 2", name="annotation_val.txt")
    with pytest.raises(UserError, match=r"annotation_train\.txt, annotation_val\.txt"):
        open_reader(tmp_path)


def test_a_missing_lexicon_and_a_binary_annotation_file_are_named(mjsynth, tmp_path):
    path = mjsynth("./2425/1/115_Lube_2.jpg 2")
    path.write_bytes(b"\0\1\2\3" * 100)
    with pytest.raises(UserError, match=r"annotation_train.txt: is not a text file"):
        MjsynthReader(path)
    mjsynth("./2425/1/115_Lube_2.jpg 2")
    (tmp_path / "lexicon.txt").unlink()
    with pytest.raises(UserError, match=r"lexicon\.txt: is missing"):
        MjsynthReader(path)
