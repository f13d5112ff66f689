"""Which images count decides what a figure means."""

import pytest

from data_tools.errors import UserError
from eval.words import protocols


@pytest.mark.parametrize(
    "protocol, set_name, label, kept",
    [
        ("paper", "IIIT5K", "no", True),
        ("paper", "SVT", "A1!", True),
        ("paper", "IC03", "no", False),
        ("paper", "IC03_860", "No.1", False),
        ("paper", "evaluation/IC13_857", "Door", True),
        ("paper", "IIIT5K", "?!", False),
        ("report-2021", "IIIT5K", "no", False),
        ("report-2021", "IC03", "No.1", True),
        ("parseq", "IC03", "no", True),
        ("parseq", "IC15_2077", "x" * 26, False),
    ],
)
def test_each_protocol_keeps_the_labels_it_says(protocol, set_name, label, kept):
    assert protocols.get_protocol(protocol).keeps(set_name, label) is kept


@pytest.mark.parametrize(
    "name, family",
    [("IIIT5k_3000", "IIIT5K"), ("evaluation/SVTP", "SVTP"), ("SVT", "SVT"), ("CUTE80", "CUTE80"), ("mine", "mine")],
)
def test_sets_are_known_by_the_names_people_give_them(name, family):
    assert protocols.find_family(name) == family


def test_unknown_names_are_one_line_that_lists_the_known():
    with pytest.raises(UserError, match=r"--protocol nope.*report-2021"):
        protocols.get_protocol("nope")
    with pytest.raises(UserError, match=r"--lexicons 51.*50k-exact"):
        protocols.choose_columns(protocols.get_protocol("paper"), "none,51")


def test_columns_that_a_protocol_lacks_are_named_and_the_rest_goes_on():
    names, refused = protocols.choose_columns(protocols.get_protocol("parseq"), "none,50,none")
    assert names == ["none"]
    assert refused == ["50: the protocol parseq has no such column"]


def test_published_figures_are_those_of_table_1():
    paper, report = protocols.PUBLISHED
    assert paper.accuracy["IC03", "50k"] == 95.5
    assert report.accuracy["IIIT5K", "none"] == 79.3
    assert report.images["IIIT5K"] == 2566
    assert len(paper.accuracy) == len(report.accuracy) == 10


def test_ten_sets_are_known_by_their_folders_and_every_image_counts():
    mindocr = protocols.get_protocol("mindocr")
    assert mindocr.keeps("evaluation/IC13_857", "?!") and mindocr.keeps("IC03_860", "no")
    names = [mindocr.name_of(f"evaluation/{name}") for name in ("IC13_857", "IC13_1015", "IIIT5k_3000", "SVT")]
    (row,) = protocols.list_published(mindocr)
    assert [row.accuracy[name, "none"] for name in names] == [96.48, 94.90, 95.83, 92.36]
    assert len(row.accuracy) == 10 and sum(row.images.values()) == 12067
    assert round(sum(row.accuracy.values()) / 10, 2) == 91.35
