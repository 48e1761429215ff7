"""Build mnist_uint8.mat from MNIST's four IDX files, plain or gzipped.

    python data/make_mnist_mat.py FOLDER [OUT.mat]

FOLDER holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte
and t10k-labels-idx1-ubyte, each with or without .gz; names with a dot, as in
train-images.idx3-ubyte, are found too. OUT is mnist_uint8.mat beside this script.
The files' MD5 sums must be those of MNIST. OUT holds, all uint8,

    train_x 60000x784   test_x 10000x784   a row an image, pixels row by row, 0 black
    train_y 60000x10    test_y 10000x10    one-hot, column k+1 the digit k

with the images in the order of the file of that name that the original's users have,
the one of DeepLearnToolbox: see matlab_order(). Ends with status 2 and one line on
standard error, and writes nothing, when a file is missing or is not MNIST's.
"""

import gzip
import hashlib
import io
import os
import sys
import zlib

import numpy as np
from scipy.io import savemat

FILES = {  # variable: file, its MD5 sum when unpacked
    "train_x": ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
    "train_y": ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    "test_x": ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
    "test_y": ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
}
SHA256 = {  # variable: the sum of its rows in the order of DeepLearnToolbox's file
    "train_x": "8e0259aaab97fb5a5acb26f4ad08bca21027e2593f06a18df3cdde6dd951c6f2",
    "train_y": "da4c103be54196ec52ef7d317ea38cef60edf0f074fe44344b4ba84a310ff1e2",
    "test_x": "9d77a6689fd2b1ebcebcd86cc1f632979d12b9895d96d80406b32abcb5d105ae",
    "test_y": "1d771e3e25f912a4ee6c9637f1658f932bd675dc75779ea473b950362ca337f2",
}
PAIRS_DRAWN_BEFORE = 213_377_645  # of 32-bit words; a rand, or a plain randn, takes one
HEADER = b"MATLAB 5.0 MAT-file, MNIST, made by data/make_mnist_mat.py"


def main(argv):
    """Build the file that the command line `argv` asks for; returns the exit status."""
    if not 1 <= len(argv) <= 2 or argv[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    here = os.path.dirname(os.path.abspath(__file__))
    out = argv[1] if len(argv) == 2 else os.path.join(here, "mnist_uint8.mat")
    idx = {name: read_idx(argv[0], *FILES[name]) for name in FILES}
    train_digits, test_digits = labels(idx["train_y"]), labels(idx["test_y"])
    train_order, test_order = matlab_order(train_digits, test_digits)
    variables = {
        "train_x": images(idx["train_x"])[train_order],
        "train_y": one_hot(train_digits)[train_order],
        "test_x": images(idx["test_x"])[test_order],
        "test_y": one_hot(test_digits)[test_order],
    }
    for name, rows in variables.items():
        if hashlib.sha256(rows.tobytes()).hexdigest() != SHA256[name]:
            fail(f"{name}: came out in another order, SHA-256 is not {SHA256[name]}")
    try:
        with open(out, "wb") as f:
            f.write(mat_file(variables))
    except OSError as error:
        fail(f"{out}: cannot be written ({error.strerror})")
    sizes = [f"{name} {len(rows)}x{rows.shape[1]}" for name, rows in variables.items()]
    print(f"{out}: " + ", ".join(sizes))
    return 0


def matlab_order(train_labels, test_labels):
    """Which of MNIST's images are the rows of DeepLearnToolbox's file, in its order.

    Takes the labels in MNIST's own order, (60000,) and (10000,); returns two arrays of
    indices into it.

    It was sorted by digit and then shuffled by MATLAB: data/README.md says how, and
    what that rests on. MATLAB's randperm(n) sorts n uniform numbers.
    """
    # NumPy's MT19937 with the seed of a fresh MATLAB
    stream = np.random.RandomState(5489)
    for left in range(PAIRS_DRAWN_BEFORE, 0, -(2**21)):  # together they are 1.7 GB
        stream.bytes(8 * min(left, 2**21))
    orders = []
    for digits in train_labels, test_labels:
        by_digit = np.argsort(digits, kind="stable")
        randperm = np.argsort(stream.random_sample(len(digits)), kind="stable")
        orders.append(by_digit[randperm])
    return orders


def read_idx(folder, name, md5):
    """The bytes of the IDX file `name` in `folder`, unpacked, checked against `md5`."""
    names = [name, name.replace("-idx", ".idx")]
    paths = [os.path.join(folder, x + end) for end in ("", ".gz") for x in names]
    found = [path for path in paths if os.path.isfile(path)]
    if not found:
        fail(f"{folder}: has no {name}, with or without .gz")
    path = found[0]
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as f:
            idx = f.read()
    except (OSError, EOFError, zlib.error) as error:
        fail(f"{path}: cannot be read ({error})")
    if hashlib.md5(idx).hexdigest() != md5:
        fail(f"{path}: is not MNIST's {name}, its MD5 sum is not {md5}")
    return idx


def fail(message):
    """End the program: one line on standard error, status 2."""
    print(f"make_mnist_mat.py: {message}", file=sys.stderr)
    raise SystemExit(2)


def images(idx):
    """The images of an IDX file, after its header of 16 bytes: (count, 784) uint8."""
    return np.frombuffer(idx, np.uint8, offset=16).reshape(-1, 784)


def labels(idx):
    """The labels of an IDX file, after its header of 8 bytes: (count,) uint8."""
    return np.frombuffer(idx, np.uint8, offset=8)


def one_hot(digits):
    """Labels 0..9, (count,), as (count, 10) uint8: 1 in the digit's column."""
    return (digits[:, None] == np.arange(10)).astype(np.uint8)


def mat_file(variables):
    """The bytes of a .mat file, the same in every run: its header has no date."""
    mat = io.BytesIO()
    savemat(mat, variables, do_compression=True)
    mat.seek(0)
    mat.write(HEADER.ljust(116))
    return mat.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
