"""Show a training as an animation and as one picture.

    python tests/recipes/pictures.py pics

pics is the folder that gan_adam.py, gan_mbgd.py or the MATLAB script filled with
pictures: epoch_1_t_1000.png and so on. Other files in it do not matter. It writes two
files, in the place of older ones of these names:

    training.gif   the animation, a picture for each epoch, three times as large
    training.png   a row for every fifth epoch, from the first on: its 16 samples
"""

import argparse
import os
import re
import sys

import numpy as np
from PIL import Image

NAME = os.path.basename(__file__)


def main():
    """Read all pictures, then write both files."""
    flags = read_flags()
    grids = []
    for name in picture_names(flags.pics):
        grids.append(read_grid(os.path.join(flags.pics, name)))
    save_animation(grids, os.path.join(flags.out, "training.gif"))
    save_rows(grids[::5], os.path.join(flags.out, "training.png"))
    print(f"pictures in training.gif: {len(grids)}")
    print(f"rows in training.png: {len(grids[::5])}")


def read_flags():
    """The flags of the command line, checked."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = lambda message: fail(f"{message}; see --help")
    parser.add_argument("pics", metavar="DIR", help="the folder with the pictures")
    text = "folder for the two files, made when missing (default: current folder)"
    parser.add_argument("--out", default=".", metavar="DIR", help=text)
    return parser.parse_args()


def picture_names(folder):
    """The names of the pictures of a training, sorted by the epoch: a list."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        fail(f"{folder}: cannot be read ({error.strerror})")
    numbers = {}
    for name in names:
        match = re.fullmatch(r"epoch_([0-9]+)_t_([0-9]+)\.png", name)
        if match:
            numbers[name] = [int(match[1]), int(match[2])]
    if not numbers:
        fail(f"{folder}: has no pictures such as epoch_1_t_1000.png")
    return sorted(numbers, key=numbers.get)


def read_grid(file):
    """The grey levels of a picture of 4 x 4 samples: (112, 112) uint8.

    Octave writes 16 bits; they are rounded to 8.
    """
    try:
        with Image.open(file) as picture:
            if picture.mode.startswith("I"):
                levels = np.asarray(picture).astype(float) / 257
                picture = Image.fromarray(np.floor(levels + 0.5).astype(np.uint8))
            grid = np.array(picture.convert("L"))
    except Exception:  # Pillow raises almost anything on a damaged file
        fail(f"{file}: is not a picture that can be read")
    if grid.shape != (112, 112):
        sizes = " x ".join(map(str, grid.shape))
        fail(f"{file}: has {sizes} pixels, but must have 112 x 112")
    return grid


def save_animation(grids, file):
    """Write the animation: three tenths of a second a picture, again and again."""
    frames = []
    for grid in grids:
        large = grid.repeat(3, axis=0).repeat(3, axis=1)
        frames.append(Image.fromarray(large))
    write(
        file, frames[0], save_all=True, append_images=frames[1:], duration=300, loop=0
    )


def save_rows(grids, file):
    """Write a picture with a row for each grid: its 16 samples side by side."""
    rows = []
    for grid in grids:
        samples = []
        for top in range(0, 112, 28):
            for left in range(0, 112, 28):
                samples.append(grid[top : top + 28, left : left + 28])
        rows.append(np.hstack(samples))  # (28, 448)
    write(file, Image.fromarray(np.vstack(rows)))


def write(file, picture, **how):
    """Save a picture; what cannot be written ends the program."""
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        picture.save(file, **how)
    except OSError as error:
        fail(f"{file}: cannot be written ({error.strerror})")


def fail(message):
    """End the program with `message` in one line, status 2."""
    line = f"{NAME}: {message}".replace("\n", " ")
    print(line, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"{NAME}: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
