"""Show a training as an animation and as one picture.

    python tests/recipes/pictures.py pics

pics is the folder that gan_adam.py, gan_mbgd.py or the MATLAB script filled with
pictures: epoch_1_t_1000.png and so on. Other files in it do not matter. It writes two
files here, in the place of older ones of these names:

    training.gif   the animation, a picture for each epoch, three times as large
    training.png   a row for every fifth epoch, from the first on: its 16 samples
"""

import argparse
import os
import re
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, f"{os.path.dirname(os.path.realpath(__file__))}/../matlab")
from checkpoints import fail, program


def main():
    """Read all pictures, then write both files."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = fail  # one line
    parser.add_argument("pics", metavar="DIR", help="the folder with the pictures")
    folder = parser.parse_args().pics
    grids = [read_grid(file) for file in picture_files(folder)]
    frames = [Image.fromarray(x.repeat(3, axis=0).repeat(3, axis=1)) for x in grids]
    rows = Image.fromarray(np.vstack([samples_in_a_row(x) for x in grids[::5]]))
    # 0.3 seconds a picture, again and again
    how = {"append_images": frames[1:], "save_all": True, "duration": 300, "loop": 0}
    try:
        frames[0].save("training.gif", **how)
        rows.save("training.png")
    except OSError as error:
        fail(f"training.gif, training.png: cannot be written ({error})")
    print(f"pictures in training.gif: {len(grids)}")
    print(f"rows in training.png: {len(grids[::5])}")


def picture_files(folder):
    """The pictures of a training, in the order of the epochs: a list of paths."""
    found = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        match = re.fullmatch(r"epoch_([0-9]+)_t_([0-9]+)\.png", name)
        if match:
            found[int(match[1]), int(match[2])] = os.path.join(folder, name)
    if not found:
        fail(f"{folder}: is no folder with pictures such as epoch_1_t_1000.png")
    return [found[epoch] for epoch in sorted(found)]


def read_grid(file):
    """The grey levels of a picture of 4 x 4 samples: (112, 112) uint8."""
    try:
        with Image.open(file) as picture:
            if (picture.mode, picture.size) != ("L", (112, 112)):  # Octave's: 16 bits
                fail(f"{file}: must be 112 x 112 pixels, grey, of 8 bits")
            return np.array(picture)
    except Exception:  # Pillow raises almost anything on a damaged file
        fail(f"{file}: is not a picture that can be read")


def samples_in_a_row(grid):
    """The 16 samples of a grid side by side, (28, 448)."""
    samples = grid.reshape(4, 28, 4, 28)  # row of samples, y, column of samples, x
    return samples.transpose(1, 0, 2, 3).reshape(28, 448)


if __name__ == "__main__":
    program(main)
