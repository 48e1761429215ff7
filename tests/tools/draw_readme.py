"""Draw the README's two pictures.

    python tests/tools/draw_readme.py bug OUT.png
    python tests/tools/draw_readme.py grids OUT.png PICTURE.png...

`bug`: the original's derivative of the loss with respect to a logit z and the right
one, for both labels, from gan_adam's own functions. `grids`: the given pictures,
112x112, side by side and twice as large, each under its folder's name.
"""

import os
import sys

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, f"{os.path.dirname(os.path.realpath(__file__))}/../..")
import gan_adam as gan

WIDE, HIGH, EDGE = 380, 300, 40  # of one panel, and its margins, in pixels


def panel(draw, left, label):
    """Draw one panel at x = `left`: the derivatives for `label`, with z in -4..4."""

    def at(z, value):
        x = left + EDGE + (z + 4) / 8 * (WIDE - 2 * EDGE)
        return x, HIGH - EDGE - (value + 1.1) / 3.2 * (HIGH - 2 * EDGE)

    for value in (-1, 0, 1, 2):
        draw.line([at(-4, value), at(4, value)], fill="lightgrey")
        draw.text((left + 16, at(0, value)[1] - 6), f"{value:2d}", fill="black")
    for z in range(-4, 5, 2):
        draw.line([at(z, -1.1), at(z, 2.1)], fill="lightgrey")
        draw.text((at(z, 0)[0] - 6, HIGH - EDGE + 6), f"{z:2d}", fill="black")
    draw.text((left + WIDE // 2 - 60, 12), f"label y = {label}", fill="black")
    draw.text((left + WIDE - 30, HIGH - 20), "z", fill="black")
    z = np.linspace(-4, 4, 801)[:, None]  # (801, 1), 0 in the middle
    y = np.full_like(z, label)
    right, original = gan.delta_exact(z, y), gan.delta_sigmoid_cross_entropy(z, y)
    for side in z[:, 0] < 0, z[:, 0] > 0:  # the original jumps at 0
        points = zip(z[side, 0], original[side, 0], strict=True)
        draw.line([at(*p) for p in points], fill="firebrick", width=4)
    draw.line(
        [at(*p) for p in zip(z[:, 0], right[:, 0], strict=True)],
        fill="steelblue",
        width=2,
    )
    x, middle = at(0, original[400, 0])
    draw.ellipse([x - 4, middle - 4, x + 4, middle + 4], fill="firebrick")
    draw.text((left + EDGE + 8, 30), "the original", fill="firebrick")
    draw.text((left + EDGE + 8, 44), "right: sigmoid(z) - y", fill="steelblue")


def bug(out):
    """Write the two curves for both labels to `out`."""
    picture = Image.new("RGB", (2 * WIDE, HIGH), "white")
    for label in 0, 1:
        panel(ImageDraw.Draw(picture), label * WIDE, label)
    picture.save(out)


def grids(out, paths):
    """Write the grids in `paths` to `out`, side by side, their folders' names above."""
    size, gap, head = 224, 8, 18
    sheet = Image.new("L", (len(paths) * (size + gap) - gap, size + head), 255)
    for k, path in enumerate(paths):
        left = k * (size + gap)
        with Image.open(path) as grid:
            sheet.paste(
                grid.resize((size, size), Image.Resampling.NEAREST), (left, head)
            )
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
        ImageDraw.Draw(sheet).text((left + 2, 3), name, fill=0)
    sheet.save(out, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "bug":
        bug(sys.argv[2])
    elif len(sys.argv) > 3 and sys.argv[1] == "grids":
        grids(sys.argv[2], sys.argv[3:])
    else:
        raise SystemExit(__doc__ or "draw_readme.py: bug OUT.png, or grids OUT.png ...")
