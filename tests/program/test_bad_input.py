"""Bad flags or images, damaged files, little memory: one clear line, status 2."""

import os
import struct
import sys

import numpy as np
import pytest
from conftest import (
    ONE,
    assert_refused,
    run_script,
    small_run_flags,
    status_and_output,
)
from scipy.io import savemat
from scipy.sparse import csc_matrix


@pytest.mark.parametrize(
    "flag, bad",
    [
        ("--epoch", "0 -3 1.5 nan inf x 1e3".split() + [""]),
        ("--batch-size", "0 15 -60 60.5 nan many".split()),
        ("--images-num", "0 -60 -1 61 nan 6000.5 70000020 all".split()),
        ("--learning-rate", "0 -0.1 nan inf -inf 1e999 fast".split()),
        ("--seed", "-1 4294967296 0.5 nan now".split()),
        ("--precision", ["half", "", "Double"]),
        ("--gradient", ["right", "MATLAB"]),
        ("--no-such-flag", ["1"]),
        ("--resume", ["run.mat"]),
        ("--epo", ["3"]),
        ("--checkpoint", ["", ".", "none/", os.devnull]),
        ("--pics", ["", __file__]),
        ("--data", [""]),
    ],
)
def test_bad_values(one, flag, bad, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in bad:
        assert_refused(one, [f"{flag}={value}"], [flag], capsys)
    assert os.listdir(tmp_path) == []


def test_edges_of_the_flags(one):
    """The last values that are taken."""
    flags = {"--epoch": 1, "--batch-size": 16, "--images-num": 16, "--seed": 2**32 - 1}
    opt = one.options([str(x) for pair in flags.items() for x in pair])
    assert (opt.epoch, opt.batch_size, opt.images_num) == (1, 16, 16)
    assert one.options(["--learning-rate", "1.7e308"]).learning_rate == 1.7e308


def test_places_that_cannot_be_written(one, small_data, capsys, tmp_path, monkeypatch):
    """They fail before training if they can, named as they were typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    flags = small_run_flags(small_data)
    for bad in "none/run.mat", "file/run.mat":
        assert_refused(one, [*flags, "--checkpoint", bad], [f" {bad}:"], capsys)
    assert_refused(one, [*flags, "--pics", "file/pics"], ["file/pics"], capsys)
    assert os.listdir(tmp_path) == ["file"]
    # a picture: the program does not say that it was saved
    os.makedirs("epoch_1_t_10.png")
    status, said = status_and_output(one, [*flags, "--pics", "."], capsys)
    assert (status, said.err.count("\n")) == (2, 1)
    assert "./epoch_1_t_10.png: " in said.err and "Errno" not in said.err
    assert "c_loss" in said.out and "save_sample" not in said.out


# -------------------------------------------------------------------------- the images

IMAGES = np.random.RandomState(2).randint(0, 256, (120, 784)).astype(np.uint8)
BAD_IMAGES = [
    IMAGES[:, :783],
    IMAGES.reshape(120, 28, 28),
    IMAGES[:60],
    csc_matrix(IMAGES.astype(float)),
    IMAGES + 1j,
    "text",
    {"a": 1.0},
    np.array([[1.0, "cell"]], object),
    IMAGES > 100,
    IMAGES / 255,
    np.where(IMAGES == IMAGES.max(), np.nan, IMAGES),
    np.where(IMAGES == 255, 255.5, IMAGES),
    IMAGES - 0.5,
    np.zeros((120, 784)),
]


def test_bad_images(one, capsys, tmp_path):
    """One line, whatever is wrong with the images or with their file."""
    file = tmp_path / "bad.mat"
    flags = ["--data", file, "--images-num", 120]
    for variables in [{"other": IMAGES}, *({"train_x": x} for x in BAD_IMAGES)]:
        savemat(file, variables)
        assert_refused(one, flags, [file, "train_x"], capsys)
    for content in b"", b"no .mat file at all" * 50, b"MATLAB 5.0 MAT-file", bytes(500):
        file.write_bytes(content)
        assert_refused(one, flags, [file], capsys)
    for bad in tmp_path / "missing.mat", tmp_path:
        assert_refused(one, ["--data", bad], [bad], capsys)


@pytest.mark.parametrize("kind", ["uint8", "int16", "single", "double"])
def test_images_of_any_class(one, kind, tmp_path):
    """uint8 stays so; numbers that are not whole are double(train_x), to the bit."""
    kinds = {"single": np.float32, "double": np.float64}
    images = IMAGES.astype(kinds.get(kind, kind))
    savemat(tmp_path / "images.mat", {"train_x": images})
    whole = one.load_train_x(str(tmp_path / "images.mat"), 60)
    expected = IMAGES[:60].reshape(60, 28, 28).transpose(0, 2, 1).reshape(60, 784)
    np.testing.assert_array_equal(whole, expected)
    assert whole.dtype == np.uint8
    if kind in kinds:
        images = images * kinds[kind](0.7)
        savemat(tmp_path / "images.mat", {"train_x": images})
        found = one.load_train_x(str(tmp_path / "images.mat"), 60) / 255
        images = images.astype(float)[:60].reshape(60, 28, 28).transpose(0, 2, 1)
        np.testing.assert_array_equal(found, images.reshape(60, 784) / 255)
        assert found.dtype == np.float64


# ----------------------------------------------------------------------- damaged files


def test_damaged_data(one, small_data, capsys, tmp_path):
    """A byte is another: refused with one line, or it loads the right pictures."""
    with open(small_data, "rb") as f:
        content = f.read()
    right = one.load_train_x(small_data, 160)
    file = tmp_path / "damaged.mat"
    refused = 0
    # most of them where the file says what comes next
    for at in [*range(120, 200), *range(200, len(content), len(content) // 40)]:
        file.write_bytes(content[:at] + bytes([content[at] ^ 64]) + content[at + 1 :])
        try:
            found = one.load_train_x(str(file), 160)
            np.testing.assert_array_equal(found, right)
        except SystemExit as end:
            refused += 1
            said = capsys.readouterr().err
            assert end.code == 2 and said.count("\n") == 1 and str(file) in said
    assert refused > 60


LITTLE_MEMORY = [  # gigabytes, flags, a word of the line
    (2, ["--images-num", 60, "--data", "train_x.mat"], "train_x.mat"),
    (2, ["--images-num", 60, "--checkpoint", "script.mat"], "script.mat"),
    (1, ["--batch-size", 60000, "--epoch", 1], "memory"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
@pytest.mark.parametrize("memory, flags, word", LITTLE_MEMORY)
def test_little_memory(memory, flags, word, tmp_path):
    """For a file that declares gigabytes, or for all images in one batch: one line."""
    import resource

    for name in "train_x", "script":
        savemat(tmp_path / f"{name}.mat", {name: IMAGES[:1]})
        content = bytearray((tmp_path / f"{name}.mat").read_bytes())
        content[160:168] = struct.pack("<2i", 2**30, 784)  # the matrix's sizes
        content[188:192] = struct.pack("<i", 2**31 - 8)  # how many bytes it takes
        (tmp_path / f"{name}.mat").write_bytes(content)
    limits = (memory * 10**9, memory * 10**9)
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, limits)}
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # one thread takes less
    end = run_script(ONE, *flags, cwd=tmp_path, env=env, **limit)
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr.count("\n") == 1 and word in end.stderr
