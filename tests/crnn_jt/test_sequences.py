"""Ways in which a feature map becomes a sequence: the refiner must find the values where the definition puts them."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import ops
from crnn_jt.sequences import CHANNELS, COLUMNS, GRID

FEATURES = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
DEFINITIONS = {  # (N, C, H, W) -> the steps of the second image
    COLUMNS: [FEATURES[1, :, :, column].ravel() for column in range(5)],
    CHANNELS: [FEATURES[1, channel].ravel() for channel in range(3)],
    GRID: [FEATURES[1, :, row, column] for row in range(4) for column in range(5)],
}


@pytest.mark.parametrize("way", DEFINITIONS, ids=lambda way: way.name)
def test_steps_and_features(way):
    """Columns: channel first, then row; the grid: row by row."""
    sequence = ops.numpy(way.to_sequence(ops.array(FEATURES)))
    assert sequence.shape == (way.steps(3, 4, 5), 2, way.features(3, 4, 5))
    np.testing.assert_array_equal(sequence[:, 1], np.stack(DEFINITIONS[way]))


def test_only_columns_leave_the_width_open():
    """A narrow image of a padded batch must find its own steps first and its features unchanged."""
    assert [way.open_width for way in DEFINITIONS] == [True, False, False]
    assert COLUMNS.steps(3, 4, np.array([5, 2])).tolist() == [5, 2]
