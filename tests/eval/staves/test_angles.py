"""The figures of staves read from any angle must count each staff once, and the same staves as they lie."""

from types import SimpleNamespace

import numpy as np

from data_tools.errors import UserError
from eval.staves import angles


def test_each_staff_counts_once_with_the_reading_nearest_to_it():
    tally = angles.Tally()
    tally.add([["a", "b"], ["c", "d", "e"]], [["c", "d", "x"], ["a", "b"], ["z"]])
    tally.add([["a"]], [])
    assert tally.figures() == {"staves": 3, "spare": 1, "found": 66.67, "exact": 33.33, "ser": 33.33}


def test_sheets_are_the_same_flat_and_turned_and_pages_come_last():
    sheets = list(angles.compose_sheets(3, 2, 1))
    assert [len(sheet.labels) > 1 for sheet in sheets] == [False, False, True]
    flat, turned, again = (
        np.asarray(photograph(sheets[0], np.random.default_rng(1)))
        for photograph in (angles.photograph_flat, angles.photograph_turned, angles.photograph_turned)
    )
    assert flat.shape[::-1] == sheets[0].picture.size and turned.shape != flat.shape
    assert np.array_equal(turned, again), "one seed, one picture"


def test_pictures_without_a_staff_are_staves_that_were_not_found():
    def read_page(picture):
        raise UserError("no staff was found in the picture")

    found = angles.measure_angles(SimpleNamespace(read_page=read_page), 3, 1, 0)
    assert found["staves, turned"] == {"staves": 1, "spare": 0, "found": 0.0, "exact": 0.0, "ser": 100.0}
