"""The order of the images in data/mnist_uint8.mat: as in the file the article links to.

tests/matlab/mnist_order.json says what it rests on; data/make_mnist_mat.py builds it.
"""

import hashlib
import json
import os

import numpy as np
import pytest
from conftest import DATA, TESTS, load_tool
from scipy.io import loadmat

with open(os.path.join(TESTS, "matlab", "mnist_order.json"), encoding="utf-8") as f:
    ORDER = json.load(f)
NAMES = ("train_x", "train_y", "test_x", "test_y")


@pytest.fixture(scope="module")
def committed():
    """The variables of the committed file, and the digits of its rows."""
    mat = loadmat(DATA, variable_names=NAMES)
    mat["train_digits"] = mat["train_y"].argmax(axis=1)  # (60000,)
    mat["test_digits"] = mat["test_y"].argmax(axis=1)  # (10000,)
    return mat


@pytest.fixture(scope="module")
def places(committed):
    """Where each row stands among all images sorted by digit: two index arrays."""
    # labels that are sorted already stay in place
    labels = [np.sort(committed[f"{part}_digits"]) for part in ("train", "test")]
    order = load_tool("data/make_mnist_mat.py").matlab_order(*labels)
    return dict(zip(("train", "test"), order, strict=True))


def sha256(x):
    """The checksum of an array's bytes, row by row."""
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()


def test_the_sums_of_the_committed_file(committed):
    """Images and labels are in place, pixels row by row; and nothing else is there."""
    sums = ORDER["sha256_of_rows_in_order"]
    assert load_tool("data/make_mnist_mat.py").SHA256 == sums
    for name in NAMES:
        assert committed[name].dtype == np.uint8
        assert sha256(committed[name]) == sums[name]
    assert [k for k in loadmat(DATA) if k[0] != "_"] == list(NAMES)
    assert committed["train_digits"][:20].tolist() == ORDER["first_train_labels"]
    assert committed["test_digits"][:10].tolist() == ORDER["first_test_labels"]


def test_the_rows_that_matlab_wrote_in_2020(committed):
    """A file cut to the first 200 and 50 rows: the same bytes."""
    for name in NAMES:
        rows = committed[name][: 200 if name.startswith("train") else 50]
        assert sha256(rows) == ORDER["cut_file_sha256"][name]


def test_the_shuffle(committed, places, monkeypatch):
    """All 70,000 labels stand where MATLAB's two randperm put them.

    One pair of random words off, most labels are others.
    """
    digits = committed["train_digits"], committed["test_digits"]
    for labels, place in zip(digits, places.values(), strict=True):
        np.testing.assert_array_equal(np.sort(labels)[place], labels)
    tool = load_tool("data/make_mnist_mat.py")
    monkeypatch.setattr(tool, "PAIRS_DRAWN_BEFORE", tool.PAIRS_DRAWN_BEFORE + 1)
    others = tool.matlab_order(*map(np.sort, digits))
    for labels, place in zip(digits, others, strict=True):
        assert (np.sort(labels)[place] == labels).mean() < 0.5


def test_within_a_digit_images_stay_in_mnists_order(committed, places):
    """Of two images of a digit, the one first in MNIST is first when sorted, too.

    So it is with all 350 images of which MATLAB's files tell the place in MNIST: the
    first 200 and the first 50 of the file of 2020, and a batch of the file of 2013.
    Were it left to chance, with none of the ten digits.
    """
    for part, rows, name in (
        ("train", range(200), "cut_file_train_x_in_mnist"),
        ("test", range(50), "cut_file_test_x_in_mnist"),
        ("train", ORDER["nn_mat_last_batch_in_order"], "nn_mat_last_batch_in_mnist"),
    ):
        digits = committed[f"{part}_digits"][rows]
        sorted_places, in_mnist = places[part][rows], np.array(ORDER[name])
        assert len(in_mnist) == len(rows)
        for digit in range(10):
            ours, mnists = sorted_places[digits == digit], in_mnist[digits == digit]
            np.testing.assert_array_equal(np.argsort(ours), np.argsort(mnists))
