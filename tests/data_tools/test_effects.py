"""Effects do what their numbers say: renderers, augmentation and the scores' camera all stand on them."""

import numpy as np
import pytest
from PIL import Image

from data_tools import effects

PICTURE = np.random.default_rng(3).integers(0, 256, (24, 40), dtype=np.uint8)


def test_a_mesh_of_its_own_places_moves_nothing_and_a_moved_one_moves_all():
    image = Image.fromarray(PICTURE)
    x, y = np.array([0, 13, 40]), np.array([0, 10, 24])
    places = np.stack(np.meshgrid(x, y), axis=-1).astype(float)
    for moved in (0, 5):
        mesh = effects.grid_mesh(x, y, places - [moved, 0])
        bent = np.asarray(image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR))
        assert np.array_equal(bent[1:-1, moved + 1 : -1], PICTURE[1:-1, 1 : -1 - moved])


def test_light_grows_along_its_angle_and_a_shadow_ends_at_its_edge():
    grey = np.full((20, 30), 100, np.float32)
    slope = effects.shade_slope(grey, 0.0, 0.5)
    assert (np.diff(slope, axis=1) > 0).all() and slope.min() >= 50 and slope.max() <= 150
    edge = effects.shade_edge(grey, 0.0, 0.0, 50.0, 0.2)
    assert edge[:, :13] == pytest.approx(80, abs=1) and edge[:, 17:] == pytest.approx(120, abs=1)
    assert effects.add_highlight(grey, 0, 0, 4, 50).max() == pytest.approx(150, abs=1)
    assert effects.add_glare(grey, (10, 5), (3, 4), 0.0, 90)[5, 10] == pytest.approx(190)
    assert effects.light_field(np.full((2, 3), 0.7), 30, 20) == pytest.approx(0.7)


@pytest.mark.parametrize("shape", [(25, 31), (25, 31, 3)])
def test_noise_has_its_amount_and_its_grain(shape):
    grey = np.full(shape, 100, np.float32)
    fine, coarse = (effects.add_noise(grey, np.random.default_rng(1), 8.0, coarse) for coarse in (False, True))
    assert fine.std() == pytest.approx(8, rel=0.1) and coarse.std() == pytest.approx(8, rel=0.2)
    assert np.array_equal(coarse[:24:2], coarse[1:25:2]) and not np.array_equal(fine[:24:2], fine[1:25:2])


def test_motion_smears_in_its_direction_alone_and_jpeg_loses_little():
    stripes = Image.fromarray(np.repeat(PICTURE[:, :1], 40, axis=1))  # the same all along x
    assert np.abs(np.asarray(effects.blur_motion(stripes, 0.0, 5.0), int) - np.asarray(stripes)).max() <= 1
    assert np.asarray(effects.blur_motion(stripes, np.pi / 2, 5.0)).std() < 0.7 * np.asarray(stripes).std()
    smooth = Image.fromarray(PICTURE).resize((80, 48))
    loss = [np.abs(np.asarray(effects.compress(smooth, q), int) - np.asarray(smooth)).mean() for q in (20, 95)]
    assert loss[1] < 3 < loss[0]
