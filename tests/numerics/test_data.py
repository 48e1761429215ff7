"""data/mnist_uint8.mat, the tool that built it, and how the scripts read it."""

import gzip
import hashlib
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from scipy.io import loadmat

DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
TOOL = os.path.join(ROOT, "data", "make_mnist_mat.py")


@pytest.fixture(scope="module")
def tool():
    """make_mnist_mat.py as a module."""
    spec = importlib.util.spec_from_file_location("make_mnist_mat", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_file_is_mnist(tool):
    """From its arrays the four IDX files come back with MNIST's own MD5 sums."""
    mat = loadmat(DATA)
    assert [k for k in mat if k[0] != "_"] == ["train_x", "train_y", "test_x", "test_y"]
    for name, (_, md5) in tool.FILES.items():
        x = mat[name]
        assert x.dtype == np.uint8 and x.shape[0] == (
            60000 if "train" in name else 10000
        )
        if name.endswith("_x"):
            header = np.array([2051, len(x), 28, 28], ">i4")
        else:
            assert x.shape[1] == 10 and (x.sum(axis=1) == 1).all()
            header, x = (
                np.array([2049, len(x)], ">i4"),
                x.argmax(axis=1).astype(np.uint8),
            )
        assert hashlib.md5(header.tobytes() + x.tobytes()).hexdigest() == md5


def idx_files(folder, tool, monkeypatch, packed):
    """Four small IDX files in `folder`, with their MD5 sums put into the tool."""
    sizes = {"train_x": 5, "train_y": 5, "test_x": 3, "test_y": 3}
    files, arrays = {}, {}
    for k, (name, n) in enumerate(sizes.items()):
        if name.endswith("_x"):
            arrays[name] = (
                (np.arange(n * 784) * (k + 1) % 255).astype(np.uint8).reshape(n, 784)
            )
            idx = np.array([2051, n, 28, 28], ">i4").tobytes() + arrays[name].tobytes()
        else:
            digits = (np.arange(n) * 3 % 10).astype(np.uint8)
            arrays[name] = np.eye(10, dtype=np.uint8)[digits]
            idx = np.array([2049, n], ">i4").tobytes() + digits.tobytes()
        file = tool.FILES[name][0]
        files[name] = (file, hashlib.md5(idx).hexdigest())
        path = folder / (file + ".gz" if packed else file)
        path.write_bytes(gzip.compress(idx) if packed else idx)
    monkeypatch.setattr(tool, "FILES", files)
    return arrays


@pytest.mark.parametrize("packed", [False, True])
def test_tool_builds_the_file(tool, tmp_path, monkeypatch, capsys, packed):
    arrays = idx_files(tmp_path, tool, monkeypatch, packed)
    assert tool.main([str(tmp_path), str(tmp_path / "out.mat")]) == 0
    assert "train_x 5x784" in capsys.readouterr().out
    mat = loadmat(tmp_path / "out.mat")
    for name, x in arrays.items():
        assert mat[name].dtype == np.uint8
        np.testing.assert_array_equal(mat[name], x)
    first = (tmp_path / "out.mat").read_bytes()
    tool.main([str(tmp_path), str(tmp_path / "out.mat")])
    assert (tmp_path / "out.mat").read_bytes() == first  # no date in it


def test_tool_refuses_other_files(tmp_path):
    for content in None, b"not MNIST":
        if content:
            (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
        command = [sys.executable, TOOL, str(tmp_path), str(tmp_path / "out.mat")]
        end = subprocess.run(command, capture_output=True, text=True)
        assert end.returncode == 2 and end.stdout == ""
        assert end.stderr.count("\n") == 1 and "train-images-idx3-ubyte" in end.stderr
    assert not (tmp_path / "out.mat").exists()


def test_columns_are_in_matlabs_pixel_order(gan):
    """train_x(k, c*28 + r) is the pixel in row r and column c of image k, as in the original."""
    rows = loadmat(DATA)["train_x"]
    train_x = gan.load_train_x(DATA, 300)
    assert train_x.shape == (300, 784) and train_x.dtype == np.uint8
    # the original's own three lines, in NumPy's terms
    matlab = rows.reshape(60000, 28, 28, order="F").transpose(0, 2, 1)
    np.testing.assert_array_equal(train_x, matlab.reshape(60000, 784, order="F")[:300])
    picture = train_x[0].reshape(28, 28, order="F")
    np.testing.assert_array_equal(picture, rows[0].reshape(28, 28))
    assert (picture != picture.T).any()
