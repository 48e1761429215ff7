"""Make a file for --data of gan_adam.py and gan_mbgd.py from a folder of pictures.

    python tests/recipes/own_images.py FOLDER out.mat

It takes the .png, .jpg and .bmp files of FOLDER itself, 2.png before 10.png, and says
what it left out. No scale is guessed: a picture with more than 8 bits, transparent
places, several frames, or of another kind ends the program with its name. To convert
one in MATLAB, where white is what its white is, 1, 255, 4095 or 65535:

    imwrite(uint8(double(imread('a.tif')) * 255 / white), 'a.png')

Each picture is turned upright, made grey, made as large as fits, and put into the
middle of 28 x 28 black ones. As in MNIST, black is 0, the background: for dark ink on
white paper give --invert; what is mostly white then is refused.

out.mat has train_x, N x 784 uint8 with the pixels row by row, as mnist_uint8.mat has
it. In MATLAB, imshow(reshape(train_x(1, :), 28, 28)') shows the first picture. The last
line is the command that trains. 16 pictures are the least; some thousands, all of the
same kind, are needed for good samples.
"""

import argparse
import collections
import os
import re
import sys

import numpy as np
from PIL import Image, ImageOps
from scipy.io import savemat

if "__file__" not in globals():
    raise SystemExit("own_images.py: not in a cell; use %run own_images.py")
sys.path.insert(0, f"{os.path.dirname(os.path.realpath(__file__))}/../matlab")
from checkpoints import fail, program

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
OTHERS = (".gif", ".tif", ".tiff", ".webp", ".heic")  # pictures to convert first
GREY_OR_COLOURS = ("1", "L", "LA", "P", "RGB", "RGBA")  # Pillow's names


def main(opt):
    """Read all pictures of the folder, write the file, say how to train on it."""
    names, left_out = names_of(opt.folder)
    if len(names) < 16:
        found = f"{len(names)} .png, .jpg and .bmp files, left out: {left_out}"
        fail(f"{opt.folder}: needs 16 pictures, has {found}")
    files = [os.path.join(opt.folder, name) for name in names]
    train_x = np.array([read_picture(file, opt.invert) for file in files])
    if train_x.max() <= 1:
        fail(f"{opt.folder}: all pictures are black, or have 1 for white, not 255")
    if train_x.mean() > 127:
        flag = "leave out --invert" if opt.invert else "give --invert"
        fail(f"{opt.folder}: mostly white, but MNIST's background is black; {flag}")
    try:
        with open(opt.out, "xb") as f:  # x: never in the place of another
            savemat(f, {"train_x": train_x}, do_compression=True)
    except OSError as error:
        fail(f"{opt.out}: cannot be written ({error.strerror})")
    print(f"{opt.out}: {len(names)} pictures, {names[0]} .. {names[-1]}")
    print(f"left out: {left_out}")
    print_command(opt.out, len(names))


def print_command(out, images_num):
    """Print the command that trains, and how many pictures it leaves out."""
    sizes = range(min(60, images_num), 15, -1)
    batch_size = min(sizes, key=lambda size: images_num % size)
    unused = images_num % batch_size
    if unused:
        print(f"whole batches: the last {unused} pictures are not trained on")
    base = out[: -len(".mat")]
    files = f'--data "{out}" --pics "{base}_pics" --checkpoint "{base}_run.mat"'
    numbers = f"--images-num {images_num - unused} --batch-size {batch_size}"
    print(f"python gan_adam.py {files} {numbers}")


def names_of(folder):
    """The names of the pictures, in order, and in words what else the folder has."""
    names = []
    left_out = collections.Counter()
    for file in os.scandir(folder):
        ending = os.path.splitext(file.name)[1].lower()
        if file.is_dir():
            left_out["subfolders"] += 1
        elif file.name.startswith("."):
            left_out["hidden"] += 1
        elif ending in ENDINGS:
            names.append(file.name)
        elif ending in OTHERS:
            fail(f"{file.path}: is not .png, .jpg or .bmp; convert it, see --help")
        else:
            left_out[ending or "without an ending"] += 1
    words = [f"{count} {what}" for what, count in sorted(left_out.items())]
    return sorted(names, key=natural), ", ".join(words) or "nothing"


def natural(name):
    """What to sort names by, so that 2.png comes before 10.png."""
    return re.sub("[0-9]+", lambda number: number[0].zfill(20), name.lower()), name


def read_picture(path, invert):
    """The picture at `path` as MNIST has one: (784,) uint8, row by row."""
    try:
        with Image.open(path, formats=["PNG", "JPEG", "BMP"]) as picture:
            refuse_other_kinds(path, picture)
            grey = ImageOps.exif_transpose(picture).convert("RGB").convert("L")
        if invert:
            grey = ImageOps.invert(grey)
        return np.ravel(ImageOps.pad(grey, (28, 28), Image.LANCZOS))
    except Exception:  # Pillow raises almost anything on a damaged file
        fail(f"{path}: cannot be read as PNG, JPEG or BMP; mend it or take it away")


def refuse_other_kinds(path, picture):
    """End the program if white, or what is transparent, would have to be guessed."""
    with open(path, "rb") as f:
        depth = f.read(25)[24]  # of a PNG; Pillow hides 16 bits of colours
    if picture.format == "PNG" and depth > 8:
        fail(f"{path}: has 16 bits a channel, not 8; convert it, see --help")
    if picture.mode not in GREY_OR_COLOURS:
        fail(f"{path}: is {picture.mode}, not grey or RGB; convert it")
    if picture.format == "PNG" and getattr(picture, "is_animated", False):
        fail(f"{path}: is animated; save one picture of it")
    if max(picture.size) > 28 * min(picture.size):
        fail(f"{path}: is too long and thin for 28 x 28 pixels")
    if picture.convert("RGBA").getextrema()[3][0] < 255:
        fail(f"{path}: is transparent in places; save it without, on its background")


def options():
    """The flags, checked."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = lambda message: fail(f"{message}; see --help")
    parser.add_argument("folder", metavar="FOLDER", help="where the pictures are")
    parser.add_argument("out", metavar="out.mat", help="the file for --data")
    text = "make black white and white black: for dark ink on white paper"
    parser.add_argument("--invert", action="store_true", help=text)
    opt = parser.parse_args()
    if not opt.out.lower().endswith(".mat"):
        fail(f"{opt.out}: the name must end in .mat")
    if os.path.lexists(opt.out) or not os.path.isdir(os.path.dirname(opt.out) or "."):
        fail(f"{opt.out}: must be a new file, in a folder that exists")
    return opt


if __name__ == "__main__":
    program(lambda: main(options()))
