"""Bad flags, bad data, damaged files, too little memory: one clear line, nothing read wrong."""

import contextlib
import os
import random
import signal
import sys
import zlib

import numpy as np
import pytest
from conftest import SCRIPTS, assert_refused, run_script
from scipy.io import savemat


@pytest.mark.parametrize(
    "flag, bad",
    [
        ("--epoch", "0 -3 1.5 nan inf x 1e3".split() + [""]),
        ("--batch-size", "0 15 -60 60.5 nan many".split()),
        ("--images-num", "0 -1 61 nan 6000.5 70000020 all".split()),
        ("--learning-rate", "0 -0.1 nan inf -inf 1e999 fast".split()),
        ("--seed", "-1 4294967296 0.5 nan now".split()),
        ("--precision", ["half", "", "Double"]),
        ("--gradient", ["right", "MATLAB"]),
        ("--no-such-flag", ["1"]),
        ("--epo", ["3"]),
    ],
)
def test_bad_values(gan, flag, bad, capsys, tmp_path):
    for value in bad:
        assert_refused(gan, [f"{flag}={value}"], [flag], capsys, tmp_path)


def test_bad_data_files(gan, capsys, tmp_path):
    x = np.zeros((60, 784), np.uint8)
    files = {
        "train_x": {"other": x},  # no variable of that name
        "N x 784 uint8": {"train_x": x[:, :783]},
        "uint8": {"train_x": np.full((60, 784), np.nan)},
        "N x 784": {"train_x": x.reshape(60, 28, 28)},
        "--images-num 120": {"train_x": x},
        "has no train_x": {"train_x": {"a": 1.0}},
        "train_x of N": {"train_x": "text"},
        "of N x 784 uint8": {"train_x": np.array([[1.0, "a"]], object)},
    }
    file = tmp_path / "bad.mat"
    for words, variables in files.items():
        savemat(file, variables)
        flags = ["--data", file, "--images-num", 120]
        assert_refused(gan, flags, ["--data", str(file), words], capsys, tmp_path)
    for content in b"", b"no .mat file at all" * 50, b"MATLAB 5.0 MAT-file", bytes(500):
        file.write_bytes(content)
        assert_refused(gan, ["--data", file], ["--data", str(file)], capsys, tmp_path)
    missing = tmp_path / "missing.mat"
    words = ["--data", str(missing), "No such file", "make_mnist_mat.py"]
    assert_refused(gan, ["--data", missing], words, capsys, tmp_path)
    assert_refused(gan, ["--data", tmp_path], ["--data"], capsys, tmp_path)
    assert_refused(gan, ["--resume", missing], ["--resume", str(missing)], capsys, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory works in Linux only")
@pytest.mark.parametrize("name", SCRIPTS)
def test_out_of_memory(name, tmp_path):
    """All images in one batch take gigabytes; one thread, since each takes memory of its own."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))

    flags = ["--batch-size", 60000, "--epoch", 1]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    end = run_script(name, *flags, cwd=tmp_path, env=env, preexec_fn=limit)
    assert end.returncode == 2 and end.stdout == ""
    assert end.stderr.count("\n") == 1 and "memory" in end.stderr


def damaged_copies(content, count, seed):
    """`count` copies of the bytes: cut short, with flipped bytes, or with zeros in a stretch."""
    chance = random.Random(seed)
    for k in range(count):
        copy = bytearray(content)
        if k % 3 == 0:
            del copy[chance.randrange(len(copy)) :]
        elif k % 3 == 1:
            # every other time where the file says what comes next
            end = 300 if k % 2 else len(copy)
            for _ in range(chance.choice([1, 1, 4])):
                copy[chance.randrange(end)] ^= 1 << chance.randrange(8)
        else:
            at = chance.randrange(len(copy))
            copy[at : at + 16] = bytes(len(copy[at : at + 16]))
        yield bytes(copy)


@contextlib.contextmanager
def at_most(seconds):
    """Fail when the block takes longer."""

    def too_long(*_):
        raise AssertionError(f"took more than {seconds} s")

    if os.name != "posix":
        yield
        return
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def test_damaged_data(gan, small_data, capsys, tmp_path):
    """120 copies: each is refused with one line, or loads the right pictures."""
    with open(small_data, "rb") as f:
        content = f.read()
    right, file, refused = gan.load_train_x(small_data, 160), tmp_path / "damaged.mat", 0
    for copy in damaged_copies(content, 120, seed=1):
        file.write_bytes(copy)
        with at_most(20):
            try:
                np.testing.assert_array_equal(gan.load_train_x(str(file), 160), right)
            except SystemExit as end:
                refused += 1
                assert end.code == 2 and capsys.readouterr().err.count("\n") == 1
    assert refused > 60  # a flip in the header's text does no harm


def test_damaged_checkpoints(gan, capsys, tmp_path):
    """120 copies of a checkpoint of small networks: refused, or loaded as they were saved."""
    file = str(tmp_path / "run.mat")
    nets = [gan.nnsetup([5, 7, 4]), gan.nnsetup([4, 6, 1])]
    opt = gan.options(["--checkpoint", file])
    opt.e = 2
    gan.rng(3)
    gan.save_checkpoint(opt, *nets, [1.0, 2.0], [3.0, 4.0])
    drawn = gan.rand(1, 5)
    with open(file, "rb") as f:
        content = f.read()
    refused = 0
    for copy in damaged_copies(content, 120, seed=2):
        with open(file, "wb") as f:
            f.write(copy)
        new = [gan.nnsetup([5, 7, 4]), gan.nnsetup([4, 6, 1])]
        with at_most(20):
            try:
                opt = gan.options(["--resume", file])
                losses = gan.resume(opt, *new)
            except SystemExit as end:
                refused += 1
                assert end.code == 2 and capsys.readouterr().err.count("\n") == 1
                continue
        assert losses == ([1.0, 2.0], [3.0, 4.0]) and opt.e == 2
        np.testing.assert_array_equal(gan.rand(1, 5), drawn)
        for mine, saved in zip(new, nets, strict=True):
            for a, b in zip(mine["layers"][1:], saved["layers"][1:], strict=True):
                for k in gan.LAYER_STATE:
                    np.testing.assert_array_equal(a[k], b[k])
    assert refused > 60


def test_checksums_guard_the_checkpoint(golden_run):
    """Every variable is compressed, so that zlib's checksum finds flipped bytes."""
    with open(golden_run.checkpoint, "rb") as f:
        content = f.read()
    at, count = 128, 0
    while at < len(content):
        kind, size = np.frombuffer(content[at : at + 8], "<u4").tolist()
        assert kind == 15  # miCOMPRESSED
        zlib.decompress(content[at + 8 : at + 8 + size])
        at, count = at + 8 + size, count + 1
    assert count == 12 and at == len(content)
