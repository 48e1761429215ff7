"""Bad flags or data, damaged files, little memory: one clear line, nothing misread."""

import contextlib
import os
import random
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from conftest import (
    ONE,
    ROOT,
    assert_refused,
    run_script,
    small_run_flags,
    status_and_output,
)
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
        "has no train_x": {"other": x},
        "train_x is 60 x 783 uint8, but must be N x 784": {"train_x": x[:, :783]},
        "0..255": {"train_x": np.full((120, 784), np.nan)},
        "numbers in 0..255": {"train_x": np.full((120, 784), 256.0)},
        "0 for black": {"train_x": np.full((120, 784), -1.0)},
        "60 x 28 x 28 uint8": {"train_x": x.reshape(60, 28, 28)},
        "60 x 784 uint8, --images-num 120 asks for more rows; --images-num 60 fits": {
            "train_x": x
        },
        "40 x 784 uint8, --images-num 120 asks for more rows; a batch has 60": {
            "train_x": x[:40]
        },
        "is a struct or": {"train_x": np.zeros(900, [("a", float)])},
        "train_x is a struct": {"train_x": {"a": 1.0}},
        "a text": {"train_x": "text"},
        "or a cell": {"train_x": np.array([[1.0, "a"]], object)},
        "complex": {"train_x": x + 1j},
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
    assert_refused(
        gan, ["--resume", missing], ["--resume", str(missing)], capsys, tmp_path
    )


@pytest.mark.skipif(
    sys.platform != "linux", reason="the limit on memory works in Linux only"
)
@pytest.mark.parametrize("name", ONE)
def test_out_of_memory(name, tmp_path):
    """All images in one batch take gigabytes.

    There is one thread only, since each takes memory of its own.
    """
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))

    flags = ["--batch-size", 60000, "--epoch", 1]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    end = run_script(name, *flags, cwd=tmp_path, env=env, preexec_fn=limit)
    assert end.returncode == 2 and end.stdout == ""
    assert end.stderr.count("\n") == 1 and "memory" in end.stderr


def damaged_copies(content, count, seed):
    """`count` copies of the bytes: cut short, bytes flipped, or a stretch zeroed."""
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
    right, file, refused = (
        gan.load_train_x(small_data, 160),
        tmp_path / "damaged.mat",
        0,
    )
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
    """120 copies of small networks' checkpoint: refused, or loaded as it was saved."""
    file = str(tmp_path / "run.mat")
    nets = [gan.nnsetup([5, 7, 4]), gan.nnsetup([4, 6, 1])]
    opt = gan.options(["--checkpoint", file])
    gan.rng(3)
    train_x = np.zeros((60000, 784), np.uint8)
    checksum = gan.checksum_of(train_x)
    gan.save_checkpoint(opt, 2, *nets, [1.0, 2.0], [3.0, 4.0], checksum)
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
                done = gan.resume(opt, *new, train_x)
            except SystemExit as end:
                refused += 1
                assert end.code == 2 and capsys.readouterr().err.count("\n") == 1
                continue
        assert done == (2, [[1.0, 2.0], [3.0, 4.0]])
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
    assert count == 14 and at == len(content)


def mat_file(*variables, text=b"MATLAB 5.0 MAT-file"):
    """A .mat file of the given bytes behind its header of 128."""
    return text.ljust(124) + b"\x00\x01IM" + b"".join(variables)


def element(kind, content):
    """A data element of the format, padded to 8 bytes."""
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(kind, shape, name, *content, declared=None):
    """A matrix of class number `kind`: flags, shape, name and what follows."""
    parts = [
        element(6, struct.pack("<II", kind, 0)),
        element(5, struct.pack("<2i", *shape)),
    ]
    body = b"".join([*parts, element(1, name), *content])
    return struct.pack("<II", 14, len(body) if declared is None else declared) + body


def harmful_files():
    """Files that would take for ever or take gigabytes."""
    yield "version 4", struct.pack("<5i", 0, 1, 1, 0, 2) + b"e\0" + bytes(0)
    for kind, what in (6, "double"), (9, "uint8"):
        for name in b"train_x", b"c_loss", b"generator":
            big = matrix(kind, (2**30, 784), name, struct.pack("<II", 9, 2**31 - 8))
            yield f"declared {what} {name}", mat_file(big)
    zeros = bytes(10**7)
    packer = zlib.compressobj()
    head = matrix(6, (10**9 // 8 + 1, 1), b"c_loss", struct.pack("<II", 9, 10**9 + 8))
    packed = packer.compress(head)
    packed += b"".join(packer.compress(zeros) for _ in range(101)) + packer.flush()
    yield "compressed zeros", mat_file(element(15, packed))


@pytest.mark.skipif(
    sys.platform != "linux", reason="the limit on memory works in Linux only"
)
@pytest.mark.parametrize("name", ONE)
def test_harmful_files(name, tmp_path):
    """Each is one line and status 2, within a gigabyte; all in one process."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))

    files = []
    for k, (what, content) in enumerate(harmful_files()):
        files.append(f"bad{k} {what}.mat")
        (tmp_path / files[-1]).write_bytes(content)
    code = f"""
import sys
import {name} as gan
for file in sys.argv[1:]:
    for flag in "--data", "--resume":
        try:
            gan.main(gan.options(["--epoch", "1", flag, file]))
        except SystemExit as end:
            print(end.code)
"""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ROOT}
    command = [sys.executable, "-c", code, *files]
    end = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, preexec_fn=limit
    )
    assert end.returncode == 0 and end.stdout == "2\n" * 2 * len(files), (
        end.stdout + end.stderr
    )
    said = end.stderr.splitlines()
    for file, lines in zip(files, zip(said[::2], said[1::2], strict=True), strict=True):
        assert all(file in line for line in lines), (file, lines)


def test_messages_say_what_is_wrong(gan, small_data, capsys, tmp_path, monkeypatch):
    """A download cut short, too small a memory, a file for a folder, large numbers."""
    with open(small_data, "rb") as f:
        content = f.read()
    cut = tmp_path / "cut.mat"
    for size in 60, 150, len(content) // 2, len(content) - 1:
        cut.write_bytes(content[:size])
        status, said = status_and_output(
            gan, ["--data", cut, "--images-num", 60], capsys
        )
        assert status == 2 and "None" not in said.err and "()" not in said.err, size
    (tmp_path / "file").write_text("")
    status, said = status_and_output(
        gan, small_run_flags(small_data, "--pics", tmp_path / "file"), capsys
    )
    assert status == 2 and "--pics" in said.err and "not a folder" in said.err
    # an error says nothing of an older file: there is none
    flags = small_run_flags(small_data, "--checkpoint", tmp_path / "none" / "run.mat")
    assert "older" not in status_and_output(gan, flags, capsys)[1].err
    assert gan.options(["--epoch", str(2**53 + 1)]).epoch == 2**53 + 1

    def too_little(*_, **__):
        raise MemoryError("Unable to allocate 45 MiB")

    monkeypatch.setattr(gan, "loadmat", too_little)
    status, said = status_and_output(gan, small_run_flags(small_data), capsys)
    assert status == 2 and "damaged" not in said.err and "memory" in said.err
