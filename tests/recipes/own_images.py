"""Make a file for --data of gan_adam.py and gan_mbgd.py from a folder of pictures.

    python tests/recipes/own_images.py FOLDER out.mat

The pictures are all png, jpg, bmp, gif and tif files that lie in FOLDER itself, but not
hidden ones, whose names begin with a dot, such as ._x.png. They go into the file in the
order of their names, 2.png before 10.png. Of an animation the first picture is taken.

Each is made grey, made smaller or larger until its longer side is 28 pixels, and put
into the middle of 28 x 28 black ones; what was transparent becomes background. As in
MNIST, black is 0, the background. For dark ink on white paper give --invert.

out.mat has train_x, N x 784 uint8 with the pixels row by row, as mnist_uint8.mat has
it. In MATLAB, imshow(reshape(train_x(1, :), 28, 28)') shows the first picture. At the
end the program prints the command that trains on the file. 16 pictures are the least;
some thousands, all of the same kind, are needed for good samples.
"""

import argparse
import os
import re
import sys

import numpy as np
from PIL import Image, ImageOps
from scipy.io import savemat

SIZE = 28  # pixels, of each side
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")


def main(opt):
    """Read all pictures of the folder, write the file, say how to train on it."""
    files = [file.name for file in os.scandir(opt.folder) if file.is_file()]
    names = sorted(filter(is_picture, files), key=natural)
    if len(names) < 16:
        found = f"{opt.folder}: has {len(names)} pictures"
        fail(f"{found} ({' '.join(ENDINGS)}); the training needs at least 16")
    train_x = np.zeros((len(names), SIZE * SIZE), np.uint8)
    for i, name in enumerate(names):
        picture = read_picture(os.path.join(opt.folder, name), opt.invert)
        train_x[i] = picture.reshape(-1)  # row by row
        show_progress(f"picture {i + 1}/{len(names)}")
    show_progress("")
    savemat(opt.out, {"train_x": train_x}, appendmat=False, do_compression=True)
    print(f"{opt.out}: {len(names)} pictures, {names[0]} .. {names[-1]}")
    if train_x.mean() > 127:
        print("they are mostly white, but MNIST's background is black:")
        flags = "without --invert, with" if opt.invert else "with --invert"
        print(f"run it again {flags} --force if the background should be black")
    batch_size = best_batch_size(len(names))
    images_num = len(names) // batch_size * batch_size
    print("train on them:")
    sizes = f"--images-num {images_num} --batch-size {batch_size}"
    print(f'python gan_adam.py --data "{opt.out}" {sizes}')


def is_picture(name):
    """Whether a file of this name is read."""
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def natural(name):
    """What to sort names by, so that 2.png comes before 10.png."""
    parts = re.split("([0-9]+)", name.lower())
    parts[1::2] = [int(number) for number in parts[1::2]]
    return parts, name


def read_picture(path, invert):
    """The picture at `path` as MNIST has one: (28, 28) uint8, [row, column]."""
    try:
        with Image.open(path) as picture:
            grey = make_grey(picture, 255 if invert else 0)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        fail(f"{path}: cannot be read as a picture; mend it or take it away")
    if invert:
        grey = ImageOps.invert(grey)
    scale = SIZE / max(grey.size)
    width = max(1, round(scale * grey.width))
    height = max(1, round(scale * grey.height))
    small = grey.resize((width, height), Image.LANCZOS)
    square = Image.new("L", (SIZE, SIZE), 0)
    square.paste(small, ((SIZE - width) // 2, (SIZE - height) // 2))
    return np.asarray(square)


def make_grey(picture, background):
    """The picture in 256 greys, upright, with `background` where it is transparent."""
    picture = ImageOps.exif_transpose(picture)  # a photograph taken sideways
    if picture.mode.startswith("I") or picture.mode == "F":
        # numbers in 0..65535, but some programs write them in 0..255 or in 0..1
        numbers = np.nan_to_num(np.asarray(picture, float), posinf=0, neginf=0)
        most = 65535
        if numbers.max() <= 1:
            most = 1
        elif numbers.max() <= 255:
            most = 255
        numbers = numbers.clip(0, most) / most
        return Image.fromarray(np.rint(255 * numbers).astype(np.uint8))
    layers = picture.convert("RGBA")
    paper = Image.new("RGBA", layers.size, (background, background, background, 255))
    return Image.alpha_composite(paper, layers).convert("L")


def best_batch_size(images_num):
    """The batch size in 16..60 that leaves out the fewest pictures, and is largest."""
    best = 16
    for size in range(16, 61):
        if images_num % size <= images_num % best and size <= images_num:
            best = size
    return best


def options(argv=None):
    """The flags, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.error = lambda message: fail(f"{message}; see --help")
    parser.add_argument("folder", metavar="FOLDER", help="where the pictures are")
    parser.add_argument("out", metavar="out.mat", help="the file for --data")
    text = "make black white and white black: for dark ink on white paper"
    parser.add_argument("--invert", action="store_true", help=text)
    text = "replace out.mat if it exists"
    parser.add_argument("--force", action="store_true", help=text)
    opt = parser.parse_args(argv)
    if not os.path.isdir(opt.folder):
        fail(f"{opt.folder}: is not a folder")
    if not opt.out.lower().endswith(".mat"):
        fail(f"{opt.out}: the name must end in .mat")
    if os.path.exists(opt.out) and not opt.force:
        fail(f"{opt.out}: already exists; name another file, or give --force")
    if not os.path.isdir(os.path.dirname(os.path.abspath(opt.out))):
        fail(f"{opt.out}: its folder does not exist")
    return opt


def show_progress(line):
    """On a terminal, show `line` in the place of the line shown before."""
    if sys.stderr.isatty():
        print(f"\r{line:40}", end="\r", file=sys.stderr, flush=True)


def fail(message, status=2):
    """End the program with one line on standard error."""
    show_progress("")
    print(f"own_images: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # not in Jupyter, Spyder or IDLE
        sys.stdout.reconfigure(errors="backslashreplace")  # for names in any alphabet
    try:
        main(options())
    except KeyboardInterrupt:
        fail("stopped; nothing was written", 130)
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror}")
