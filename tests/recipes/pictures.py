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


def main():
    """Read all pictures, then write both files."""
    flags = read_flags()
    grids = [read_grid(file) for file in picture_files(flags.pics)]
    frames = [Image.fromarray(x.repeat(3, axis=0).repeat(3, axis=1)) for x in grids]
    rows = Image.fromarray(np.vstack([samples_in_a_row(x) for x in grids[::5]]))
    # 0.3 seconds a picture, again and again
    how = {"append_images": frames[1:], "save_all": True, "duration": 300, "loop": 0}
    save(flags.out, "training.gif", lambda file: frames[0].save(file, **how))
    save(flags.out, "training.png", lambda file: rows.save(file))
    print(f"pictures in training.gif: {len(grids)}")
    print(f"rows in training.png: {len(grids[::5])}")


def read_flags():
    """The flags of the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = fail  # one line
    parser.add_argument("pics", metavar="DIR", help="the folder with the pictures")
    text = "folder for the two files, made when missing (default: current folder)"
    parser.add_argument("--out", default=".", metavar="DIR", help=text)
    return parser.parse_args()


def picture_files(folder):
    """The pictures of a training, in the order of the epochs: a list of paths."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        fail(f"{folder}: cannot be read ({error.strerror})")
    found = []
    for name in names:
        match = re.fullmatch(r"epoch_([0-9]+)_t_([0-9]+)\.png", name)
        if match:
            found.append((int(match[1]), int(match[2]), os.path.join(folder, name)))
    if not found:
        fail(f"{folder}: has no pictures such as epoch_1_t_1000.png")
    return [file for _, _, file in sorted(found)]


def read_grid(file):
    """The grey levels of a picture of 4 x 4 samples: (112, 112) uint8.

    Octave's imwrite makes 16 bits of them; they become 8 again.
    """
    try:
        with Image.open(file) as picture:
            if picture.mode.startswith("I"):
                levels = (np.asarray(picture).astype(int) + 128) // 257  # rounded
                grid = levels.astype(np.uint8)
            else:
                grid = np.array(picture.convert("L"))
    except Exception:  # Pillow raises almost anything on a damaged file
        fail(f"{file}: is not a picture that can be read")
    if grid.shape != (112, 112):
        fail(f"{file}: has {grid.shape} pixels, but must have (112, 112)")
    return grid


def samples_in_a_row(grid):
    """The 16 samples of a grid side by side, (28, 448)."""
    samples = grid.reshape(4, 28, 4, 28)  # row of samples, y, column of samples, x
    return samples.transpose(1, 0, 2, 3).reshape(28, 448)


def save(folder, name, write):
    """Let `write` fill a file in the folder; where it cannot, the program ends."""
    file = os.path.join(folder, name)
    try:
        os.makedirs(folder, exist_ok=True)
        write(file)
    except OSError as error:
        fail(f"--out: {file} cannot be written ({error.strerror or error})")


def fail(message):
    """End the program with `message` in one line, status 2."""
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"{os.path.basename(__file__)}: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
