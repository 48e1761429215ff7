"""save_images, pixel by pixel, as MATLAB's imwrite of a double writes it."""

import numpy as np
from PIL import Image


def test_grid_of_asymmetric_pictures(gan, tmp_path):
    """Every pixel of a 2x3 grid of pictures that each flip and transpose changes."""
    images = (np.arange(7 * 784) % 251).reshape(7, 784) / 255  # the 7th is not shown
    path = tmp_path / "grid.png"
    gan.save_images(images, [2, 3], str(path))
    picture = Image.open(path)
    assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (84, 56))
    grid = np.asarray(picture)
    for index in range(6):
        for c in range(28):
            for r in range(28):
                # MATLAB: reshape(images(index,:), 28, 28)(r, c)
                # is images(index, c*28 + r)
                at = grid[index // 3 * 28 + r, index % 3 * 28 + c]
                assert at == (index * 784 + c * 28 + r) % 251


def test_rounding(gan, tmp_path):
    """uint8(255*I): halves go up, what is outside 0..255 is cut, NaN is 0."""
    halves = [0.5, 2.5, 127.5, 254.5]
    assert [255 * (x / 255) for x in halves] == halves
    for value, grey in (
        (0.5 / 255, 1),  # 0.5 and 2.5 go up, where rounding to even would go down
        (2.5 / 255, 3),
        (127.5 / 255, 128),
        (0.4999999999999999 / 255, 0),
        (1.4999999 / 255, 1),
        (254.5 / 255, 255),
        (-0.3, 0),
        (1.7, 255),
        (np.nan, 0),
        (np.inf, 255),
        (-np.inf, 0),
    ):
        gan.imwrite(np.array([[0.0, value]]), str(tmp_path / "one.png"))
        # closed again, as Windows cannot replace an open file
        with Image.open(tmp_path / "one.png") as picture:
            assert np.asarray(picture)[0].tolist() == [0, grey], value


def test_sixteen_pictures_of_a_run(golden_run):
    """The file holds the first 16 images_fake, upright.

    A digit's ink is in rows, not columns.
    """
    grid = np.asarray(Image.open(f"{golden_run.pics}/epoch_2_t_100.png"))
    assert grid.shape == (112, 112)
    for index, image in enumerate(golden_run.images_fake[:16]):
        tile = grid[index // 4 * 28 :, index % 4 * 28 :][:28, :28]
        expected = np.floor(255 * image + 0.5).reshape(28, 28).T
        np.testing.assert_array_equal(tile, expected)
