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
    halves = [0.5, 2.5, 127.5, 254.5]  # where rounding to even would go down
    below = [0.4999999999999999, 1.4999999]
    numbers = [x / 255 for x in halves + below]
    assert [255 * x for x in numbers[:5]] == halves + below[:1]
    numbers += [-0.3, 1.7, np.nan, np.inf, -np.inf]
    gan.imwrite(np.array([numbers]), str(tmp_path / "one.png"))
    with Image.open(tmp_path / "one.png") as picture:
        grey = np.asarray(picture)[0].tolist()
    assert grey == [1, 3, 128, 255, 0, 1, 0, 255, 0, 255, 0]
