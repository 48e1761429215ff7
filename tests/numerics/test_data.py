"""data/mnist_uint8.mat, the tool that built it, and how the scripts read it."""

import gzip
import hashlib
import os

import numpy as np
import pytest
from conftest import DATA, load_tool, run_script
from scipy.io import loadmat


@pytest.fixture
def tool(monkeypatch):
    """make_mnist_mat.py as a module, with a shuffle that begins early in the stream."""
    tool = load_tool("data/make_mnist_mat.py")
    monkeypatch.setattr(tool, "PAIRS_DRAWN_BEFORE", 7)
    return tool


@pytest.fixture
def idx_files(tool, tmp_path, monkeypatch):
    """Four small IDX files, each of another form; their sums become the tool's.

    Returns what the .mat file must hold: the rows sorted by digit and shuffled as
    MATLAB would, variable by variable.
    """
    digits = {
        "train": np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], np.uint8),
        "test": np.array([2, 7, 1, 8, 2, 8, 1], np.uint8),
    }
    expected, known, sums = {}, {}, {}
    stream = np.random.RandomState(5489)
    stream.random_sample(7)  # the pairs that were drawn before
    for part in "train", "test":
        labels = digits[part]
        by_digit = sorted(range(len(labels)), key=lambda i: (labels[i], i))
        chance = stream.random_sample(len(labels))
        order = [by_digit[i] for i in np.argsort(chance)]
        images = np.arange(len(labels) * 784, dtype=np.uint32).reshape(-1, 784) * 7
        images = (images % 253).astype(np.uint8)
        one_hot = np.eye(10, dtype=np.uint8)[labels]
        for name, head, content, rows in (
            (f"{part}_x", [2051, len(labels), 28, 28], images, images),
            (f"{part}_y", [2049, len(labels)], labels, one_hot),
        ):
            idx = np.array(head, ">i4").tobytes() + content.tobytes()
            file = tool.FILES[name][0]
            known[name] = (file, hashlib.md5(idx).hexdigest())
            expected[name] = rows[order]
            sums[name] = hashlib.sha256(rows[order].tobytes()).hexdigest()
            if part == "test":
                file = file.replace("-idx", ".idx")
            if name[-1] == "y":
                file, idx = file + ".gz", gzip.compress(idx)
            (tmp_path / file).write_bytes(idx)
    monkeypatch.setattr(tool, "FILES", known)
    monkeypatch.setattr(tool, "SHA256", sums)
    return expected


def test_tool_builds_the_file(tool, idx_files, tmp_path, capsys, monkeypatch):
    """Beside itself where no OUT is named."""
    monkeypatch.setattr(tool, "__file__", str(tmp_path / "tool.py"))
    assert tool.main([str(tmp_path)]) == 0
    assert "train_x 12x784" in capsys.readouterr().out
    mat = loadmat(tmp_path / "mnist_uint8.mat")
    for name, x in idx_files.items():
        assert mat[name].dtype == np.uint8
        np.testing.assert_array_equal(mat[name], x)
    with open(tmp_path / "mnist_uint8.mat", "rb") as f:
        assert f.read(116) == tool.HEADER.ljust(116)  # SciPy's has a date


@pytest.mark.usefixtures("idx_files")
def test_tool_refuses(tool, tmp_path, monkeypatch, capsys):
    """Swapped, cut short, other bytes; an order that comes out wrong; a bad OUT."""

    def refused(word, out="out.mat"):
        with pytest.raises(SystemExit) as end:
            tool.main([str(tmp_path), str(tmp_path / out)])
        said = capsys.readouterr()
        assert end.value.code == 2 and said.out == "" and said.err.count("\n") == 1
        assert word in said.err and not (tmp_path / out).exists()

    labels = tmp_path / "t10k-labels.idx1-ubyte.gz"
    content = labels.read_bytes()
    others = [(tmp_path / "train-labels-idx1-ubyte.gz").read_bytes(), content[:-6]]
    others += [content[:10] + bytes(9) + content[19:], b"no gzip", b""]
    for other in [*others, gzip.compress(b"not MNIST")]:
        labels.write_bytes(other)
        refused("t10k-labels")
    labels.write_bytes(content)
    refused("out.mat", "none/out.mat")
    monkeypatch.setattr(tool, "PAIRS_DRAWN_BEFORE", 8)
    refused("another order")


def test_tool_as_a_program(tool, tmp_path, capsys):
    """A folder without the files; a wrong command line shows how to call it."""
    end = run_script("data/make_mnist_mat", tmp_path, "out.mat", cwd=tmp_path)
    assert end.returncode == 2 and end.stdout == ""
    assert end.stderr.count("\n") == 1 and "train-images-idx3-ubyte" in end.stderr
    assert os.listdir(tmp_path) == []
    for argv in [], ["--help"], ["a", "b", "c"]:
        assert tool.main(argv) == 2 and "make_mnist_mat.py" in capsys.readouterr().err


def test_columns_are_in_matlabs_pixel_order(gan):
    """train_x(k, c*28 + r) is the pixel in row r and column c of image k.

    So it is in the original.
    """
    rows = loadmat(DATA)["train_x"]
    train_x = gan.load_train_x(DATA, 300)
    assert train_x.shape == (300, 784) and train_x.dtype == np.uint8
    # the original's own three lines, in NumPy's terms
    matlab = rows.reshape(60000, 28, 28, order="F").transpose(0, 2, 1)
    np.testing.assert_array_equal(train_x, matlab.reshape(60000, 784, order="F")[:300])
