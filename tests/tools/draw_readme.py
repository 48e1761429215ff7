"""Draw the README's two pictures.

    python tests/tools/draw_readme.py bug OUT.png
    python tests/tools/draw_readme.py grids OUT.png PICTURE.png...

`bug`: the original's derivative of the loss with respect to a logit z and the right
one, for both labels, from gan_adam's own functions; it needs matplotlib. `grids`: the
given pictures, 112x112, side by side and twice as large, each under its folder's name.
"""

import os
import sys

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, f"{os.path.dirname(os.path.realpath(__file__))}/../..")
import gan_adam as gan


def bug(out):
    """Write the two curves for both labels to `out`."""
    from matplotlib.figure import Figure

    figure = Figure((7.6, 3), layout="constrained")
    z = np.linspace(-4, 4, 801)[:, None]  # (801, 1), 0 in the middle
    for label, axes in enumerate(figure.subplots(1, 2, sharey=True)):
        y = np.full_like(z, label)
        original = gan.delta_sigmoid_cross_entropy(z, y)
        red = {"color": "firebrick", "linewidth": 3}
        axes.plot(z[:400], original[:400], label="the original", **red)
        axes.plot(z[400], original[400], "o", **red)  # it jumps at 0
        axes.plot(z[401:], original[401:], **red)
        axes.plot(z, gan.delta_exact(z, y), label="right: sigmoid(z) - y")
        axes.set(title=f"label y = {label}", xlabel="z")
        axes.grid(True)
        axes.legend()
    figure.supylabel("derivative")
    figure.savefig(out, dpi=100)


def grids(out, paths):
    """Write the grids in `paths` to `out`, side by side, their folders' names above."""
    size, gap, head = 224, 8, 18
    sheet = Image.new("L", (len(paths) * (size + gap) - gap, size + head), 255)
    for k, path in enumerate(paths):
        left = k * (size + gap)
        with Image.open(path) as grid:
            twice = grid.resize((size, size), Image.Resampling.NEAREST)
        sheet.paste(twice, (left, head))
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
        ImageDraw.Draw(sheet).text((left + 2, 3), name, fill=0)
    sheet.save(out, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "bug":
        bug(sys.argv[2])
    elif len(sys.argv) > 3 and sys.argv[1] == "grids":
        grids(sys.argv[2], sys.argv[3:])
    else:
        raise SystemExit(__doc__)
