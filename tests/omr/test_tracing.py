"""A staff that bends or blurs must be followed to its end, and no staff seen where there is none."""

import numpy as np

from omr.tracing import trace

COLUMNS = np.arange(640)


def drawn(tops: list[np.ndarray], space: float, sharpness: float = 1.0, ink: float = 0.3) -> np.ndarray:
    """(200, 640): five blurred lines below each path of highest lines."""
    rows = np.arange(200)[:, None]
    dark = np.zeros((200, 640))
    for top in tops:
        for line in range(5):
            dark += ink * np.exp(-(((rows - top - line * space) * sharpness) ** 2))
    return dark


def test_a_bent_staff_is_followed():
    top = 60 + 12 * np.sin(COLUMNS / 90)
    (staff,) = trace(drawn([top], 7.0))
    assert abs(staff.space - 7) < 0.15
    assert np.abs(staff.rows - np.interp(staff.columns, COLUMNS, top)).max() < 1.0
    assert staff.columns[0] < 40 and staff.columns[-1] > 600


def test_faint_blurred_lines_in_noise():
    noise = np.random.default_rng(0).normal(0, 0.05, (200, 640))
    (staff,) = trace((drawn([80 + 0.03 * COLUMNS], 5.0, 0.7, 0.15) + noise).clip(0, 1))
    assert abs(staff.space - 5) < 0.15


def test_two_staves_come_from_top_to_bottom():
    staves = trace(drawn([120 - 0.02 * COLUMNS, 30 + 0.02 * COLUMNS], 8.0))
    assert [round(staff.rows[0] / 30) for staff in staves] == [1, 4]


def test_no_staff_is_seen_in_noise_stripes_or_nothing():
    rng = np.random.default_rng(1)
    four = drawn([50 + 0 * COLUMNS], 9.0) - drawn([86 + 0 * COLUMNS], 60.0)
    for dark in (rng.random((200, 640)), np.zeros((200, 640)), np.zeros((5, 640)), np.zeros((200, 10)), four.clip(0)):
        assert trace(dark) == []
