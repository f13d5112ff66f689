"""The figures by kind must tell a wrong pitch from a wrong duration."""

from omr.metrics import errors_by_kind, features, scores

TEXT = "clef-G2 keySignature-DM timeSignature-3/4 note-D5_half rest-quarter barline gracenote-C5_eighth note-D5_half."
TRUTH = TEXT.split()


def rates(reading: str) -> dict[str, int]:
    found = errors_by_kind([reading.split()], [TRUTH])
    return {name: values["errors"] for name, values in found.items() if values["errors"]}


def test_each_mistake_counts_for_its_kind():
    right = " ".join(TRUTH)
    assert rates(right) == {}
    assert rates(right.replace("note-D5_half ", "note-E5_half ")) == {"pitch": 1}
    assert rates(right.replace("note-D5_half ", "note-D5_quarter ")) == {"duration": 1}
    assert rates(right.replace("rest-quarter", "rest-half")) == {"duration": 1}
    assert rates(right.replace("rest-quarter ", "")) == {"duration": 1, "rest": 1}
    assert rates(right.replace("clef-G2", "clef-C1").replace("DM", "GM").replace("3/4", "C")) == {
        "clef": 1,
        "key": 1,
        "meter": 1,
    }
    assert rates(right + " barline") == {"barline": 1}
    assert rates(right.replace("gracenote", "note")) == {"duration": 1}


def test_rates_are_shares_of_the_references():
    both = scores([TRUTH, TRUTH[:-1]], [TRUTH, TRUTH])
    assert both["n"] == 2 and both["sequence_accuracy"] == 50.0 and abs(both["ser"] - 100 / 16) < 1e-9
    assert both["kinds"]["pitch"] == {"n": 6, "errors": 1, "rate": 100 / 6}
    assert scores([], [])["n"] == 0 and errors_by_kind([["barline"]], [[]])["barline"]["errors"] == 1


def test_every_kind_has_features():
    assert features("multirest-3") == {"multirest": "multirest-3"} and features("tie") == {"tie": "tie"}
    assert features("nonsense") == {}
