"""Kills, Ctrl-C, full disks, places that cannot be written: nothing saved is lost."""

import os
import random
import signal
import time

import pytest
from conftest import POSIX, SCRIPTS, assert_refused, run_script, start, tiny
from PIL import Image
from scipy.io import loadmat


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_killed_at_any_moment(name, small_data, tmp_path):
    """kill -9, mostly while saving, which is most of such a short epoch."""
    chance, file = random.Random(5), tmp_path / "run.mat"
    resumed = 0
    for _ in range(4):
        done = loadmat(file, variable_names=["e"])["e"].item() if file.exists() else 0
        flags = tiny(small_data, "--epoch", 1000, "--checkpoint", "run.mat")
        flags += ["--resume", "run.mat"] if done else []
        process = start(name, flags, tmp_path)
        first = process.stdout.readline()
        if not done:  # the third line is the second epoch's: one is saved
            process.stdout.readline(), process.stdout.readline()
        time.sleep(chance.uniform(0, 1.5))
        process.kill()
        out, err = process.communicate()
        assert first.startswith("c_loss") and err == ""
        if done:  # it went on right behind the last finished epoch
            resumed += 1
            assert f"epoch_{int(done) + 1}_t_10.png" in out
        for picture in os.listdir(tmp_path / "pics"):
            if picture.endswith(".png"):
                with Image.open(tmp_path / "pics" / picture) as image:
                    image.load()
                    assert image.size == (112, 112)
    assert resumed and loadmat(file)["c_loss"].shape == (loadmat(file)["e"].item() * 10, 1)


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_ctrl_c(name, small_data, tmp_path):
    """One line with the epoch reached and how to go on; status 130."""
    flags = tiny(small_data, "--epoch", 1000, "--checkpoint", "run.mat")
    # a shell's background jobs ignore SIGINT, and so would what they start
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    process = start(name, flags, tmp_path, **heed)
    for _ in range(3):
        process.stdout.readline()  # the third line is the second epoch's: one is saved
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    e = int(loadmat(tmp_path / "run.mat", variable_names=["e"])["e"].item())
    assert process.returncode == 130 and err.count("\n") == 1
    assert f"after epoch {e}" in err and "--resume run.mat" in err


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_disk_full(name, small_data, tmp_path):
    """A limit on the size of files stands in for it: the older checkpoint stays whole."""
    import resource  # of POSIX systems only

    flags = tiny(small_data, "--epoch", 2, "--checkpoint", "run.mat")
    assert run_script(name, *flags, cwd=tmp_path).returncode == 0
    before = (tmp_path / "run.mat").read_bytes()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails with an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    process = start(name, [*flags, "--resume", "run.mat", "--epoch", 4], tmp_path, preexec_fn=limit)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and err.count("\n") == 1
    assert "run.mat" in err and "cannot be written" in err
    assert (tmp_path / "run.mat").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["pics", "run.mat"]  # nothing half written is left


def test_places_that_cannot_be_written(gan, small_data, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    flags = ["--data", small_data, "--images-num", 160, "--batch-size", 16]
    for bad in tmp_path / "none" / "run.mat", tmp_path, tmp_path / "file" / "run.mat":
        assert_refused(gan, [*flags, "--checkpoint", bad], [str(bad)], capsys, tmp_path)
    for bad in tmp_path / "file", tmp_path / "file" / "pics":
        end = run_script(gan.__name__, *flags, "--pics", bad, cwd=tmp_path)
        assert (end.returncode, end.stdout) == (2, "")
        assert end.stderr.count("\n") == 1 and str(bad) in end.stderr


def test_data_are_not_overwritten(gan, small_data, capsys, tmp_path):
    """A --checkpoint that is the --data file, by another name or through a link."""
    with open(small_data, "rb") as f:
        before = f.read()
    link = tmp_path / "link.mat"
    names = [small_data, os.path.join(os.path.dirname(small_data), ".", "small.mat")]
    if os.name == "posix":
        link.symlink_to(small_data)
        names.append(str(link))
    for name in names:
        flags = ["--data", small_data, "--images-num", 160, "--batch-size", 16, "--epoch", 1]
        assert_refused(gan, [*flags, "--checkpoint", name], [name, "--data"], capsys, tmp_path)
    with open(small_data, "rb") as f:
        assert f.read() == before
