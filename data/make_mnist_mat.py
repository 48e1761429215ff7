"""Build mnist_uint8.mat from MNIST's four IDX files, plain or gzipped.

    python data/make_mnist_mat.py FOLDER [OUT.mat]

FOLDER holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
t10k-labels-idx1-ubyte, each with or without .gz; OUT is mnist_uint8.mat beside this script.
The files' MD5 sums must be those of MNIST. OUT holds, all uint8 and in MNIST's own order,

    train_x 60000x784   test_x 10000x784   a row an image, pixels row by row, 0 black
    train_y 60000x10    test_y 10000x10    one-hot, column k+1 the digit k

as the file of that name that DeepLearnToolbox shipped. Ends with status 2 and one line on
standard error when a file is missing or not MNIST's.
"""

import gzip
import hashlib
import io
import os
import sys

import numpy as np
from scipy.io import savemat

FILES = {  # variable: file, its MD5 sum when unpacked
    "train_x": ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
    "train_y": ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    "test_x": ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
    "test_y": ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
}
HEADER = b"MATLAB 5.0 MAT-file, MNIST, made by data/make_mnist_mat.py"


def read_idx(folder, name, md5):
    """The bytes of the IDX file `name` or `name`.gz in `folder`, checked against `md5`."""
    path = os.path.join(folder, name)
    try:
        if os.path.exists(path):
            with open(path, "rb") as f:
                idx = f.read()
        else:
            with gzip.open(path + ".gz", "rb") as f:
                idx = f.read()
    except (OSError, EOFError) as error:
        raise SystemExit(fail(f"{path}[.gz]: cannot be read ({error})")) from None
    if hashlib.md5(idx).hexdigest() != md5:
        raise SystemExit(fail(f"{path}: not MNIST's file, its MD5 sum is not {md5}"))
    return idx


def fail(message):
    """Print `message` on standard error; returns the exit status."""
    print(f"make_mnist_mat.py: error: {message}", file=sys.stderr)
    return 2


def images(idx):
    """An IDX file of images as (count, 784) uint8: behind 16 bytes of header, row by row."""
    return np.frombuffer(idx, np.uint8, offset=16).reshape(-1, 784)


def one_hot(idx):
    """An IDX file of labels as (count, 10) uint8: behind 8 bytes of header, a byte each."""
    return (np.frombuffer(idx, np.uint8, offset=8)[:, None] == np.arange(10)).astype(
        np.uint8
    )


def main(argv):
    if not 1 <= len(argv) <= 2 or argv[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    out = (
        argv[1]
        if len(argv) == 2
        else os.path.join(os.path.dirname(__file__), "mnist_uint8.mat")
    )
    variables = {}
    for name, (file, md5) in FILES.items():
        idx = read_idx(argv[0], file, md5)
        variables[name] = images(idx) if name.endswith("_x") else one_hot(idx)
    mat = io.BytesIO()
    savemat(mat, variables, do_compression=True)
    mat.seek(0)
    mat.write(
        HEADER.ljust(116)
    )  # in place of the date, so that every run gives the same file
    with open(out, "wb") as f:
        f.write(mat.getvalue())
    print(
        f"{out}: "
        + ", ".join(f"{k} {v.shape[0]}x{v.shape[1]}" for k, v in variables.items())
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
