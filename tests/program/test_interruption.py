"""Kills, Ctrl-C, full disks, places that cannot be written: nothing saved is lost."""

import contextlib
import os
import random
import re
import shlex
import signal
import stat
import subprocess
import time

import numpy as np
import pytest
from conftest import (
    ONE,
    POSIX,
    SCRIPTS,
    assert_refused,
    run_script,
    small_run_flags,
    start,
    status_and_output,
)
from PIL import Image
from scipy.io import loadmat


@pytest.mark.parametrize("name", ONE)
def test_killed_at_any_moment(name, small_data, tmp_path):
    """kill -9, mostly while saving, which is most of such a short epoch."""
    chance, file = random.Random(5), tmp_path / "run.mat"
    resumed = 0
    for _ in range(4):
        done = loadmat(file, variable_names=["e"])["e"].item() if file.exists() else 0
        flags = small_run_flags(small_data, "--epoch", 1000, "--checkpoint", "run.mat")
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
    assert resumed and loadmat(file)["c_loss"].shape == (
        loadmat(file)["e"].item() * 10,
        1,
    )


@POSIX
@pytest.mark.parametrize("name", ONE)
def test_ctrl_c(name, small_data, tmp_path):
    """One line with the epoch reached and how to go on; status 130."""
    flags = small_run_flags(small_data, "--epoch", 1000, "--checkpoint", "run.mat")
    # a shell's background jobs ignore SIGINT, and so would what they start
    heed = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    }
    process = start(name, flags, tmp_path, **heed)
    for _ in range(3):
        process.stdout.readline()  # the third line is the second epoch's: one is saved
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    e = int(loadmat(tmp_path / "run.mat", variable_names=["e"])["e"].item())
    assert process.returncode == 130 and err.count("\n") == 1
    assert f"after epoch {e}" in err and "--resume run.mat" in err


def interrupt(name, flags, cwd, lines, seconds=0.0):
    """Start a script and Ctrl-C it `seconds` after it printed so many lines.

    Returns what it said.
    """
    heed = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    }
    process = start(name, flags, cwd, **heed)
    for _ in range(lines):
        process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.count("\n") == 1, err
    return err


def go_on(said, cwd, *more):
    """Run the command that a stopped script named, word for word, in a shell."""
    command = said.split("go on with: ")[1].strip()
    end = subprocess.run(
        " ".join([command, *more]), shell=True, cwd=cwd, capture_output=True, text=True
    )
    assert (end.returncode, end.stderr) == (0, ""), end.stderr


@POSIX
@pytest.mark.parametrize("name", ONE)
def test_cut_at_any_moment(name, small_data, tmp_path):
    """Gone on with by the command it printed, over and over: as if never stopped."""
    chance = random.Random(3)
    file = "my run (1)$.mat"
    flags = small_run_flags(small_data, "--seed", 4, "--checkpoint", file)
    said = interrupt(name, [*flags, "--epoch", 10**6], tmp_path, 1, 0)
    for lines in 1, 2, 3, 4:
        words = shlex.split(said.split("go on with: ")[1])
        said = interrupt(name, words[2:], tmp_path, lines, chance.uniform(0, 0.2))
    assert said.count("--resume") == 1
    e = int(re.search(r"after epoch (\d+)", said)[1])
    assert e == loadmat(tmp_path / file)["e"].item() >= 2
    go_on(said, tmp_path, f"--epoch {e + 2}")
    (tmp_path / "uncut").mkdir()
    assert (
        run_script(name, *flags, "--epoch", e + 2, cwd=tmp_path / "uncut").returncode
        == 0
    )
    cut, uncut = (loadmat(folder / file) for folder in (tmp_path, tmp_path / "uncut"))
    assert cut["e"] == uncut["e"] == e + 2
    for k in "c_loss", "d_loss", "rng_state":
        np.testing.assert_array_equal(cut[k], uncut[k])
    w = [x["generator"]["layers"][0, 0][0, 2]["w"][0, 0] for x in (cut, uncut)]
    np.testing.assert_array_equal(*w)


@POSIX
@pytest.mark.parametrize("name", ONE)
def test_ctrl_c_names_only_what_is_there(name, small_data, tmp_path):
    """Before anything is saved; and in the first epoch of a resumed run.

    That one has --resume a.mat --checkpoint b.mat.
    """
    flags = small_run_flags(small_data)
    said = interrupt(name, [*flags, "--epoch", 10**6], tmp_path, 1)
    assert said == f"{name}.py: stopped; this run wrote no checkpoint\n"
    assert run_script(name, *flags, "--epoch", 2, "--checkpoint", "a.mat", cwd=tmp_path)
    more = ["--resume", "a.mat", "--checkpoint", "b.mat", "--epoch", 10**6]
    said = interrupt(name, [*flags, *more], tmp_path, 1)
    assert "after epoch 2" in said or "after epoch 3" in said
    go_on(said, tmp_path, "--epoch 5")
    a, b = (loadmat(tmp_path / f"{x}.mat")["e"].item() for x in "ab")
    assert (a, b) == (2, 5)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_checkpoint_is_not_replaced(name, small_data, tmp_path):
    """Not by the same command, nor by the other script, nor where MATLAB wrote it."""
    flags = small_run_flags(small_data, "--epoch", 1, "--checkpoint", "run.mat")
    assert run_script(name, *flags, cwd=tmp_path).returncode == 0
    (tmp_path / "record.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    (tmp_path / "other.mat").write_bytes((tmp_path / "run.mat").read_bytes())
    kept = {
        x: (tmp_path / x).read_bytes() for x in ("run.mat", "record.mat", "other.mat")
    }
    for script, *more in (
        (SCRIPTS[0],),
        (SCRIPTS[1],),
        (name, "--checkpoint", "record.mat"),
        (name, "--resume", "other.mat", "--epoch", 2),
    ):
        end = run_script(script, *flags, *more, cwd=tmp_path)
        assert (end.returncode, end.stdout) == (2, "")
        assert end.stderr.count("\n") == 1 and "already exists" in end.stderr
        assert {x: (tmp_path / x).read_bytes() for x in kept} == kept
    end = run_script(name, *flags, "--resume", "./run.mat", "--epoch", 2, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")


@pytest.mark.parametrize("name", ONE)
def test_two_runs_with_one_new_checkpoint(name, small_data, tmp_path):
    """It is there from the first moment on, so the second run sees it in time."""
    flags = small_run_flags(small_data, "--epoch", 10**6, "--checkpoint", "run.mat")
    first = start(name, flags, tmp_path)
    first.stdout.readline()
    end = run_script(name, *flags, cwd=tmp_path)
    first.kill()
    first.communicate()
    assert end.returncode == 2 and "already exists" in end.stderr


def test_runs_that_share_a_folder(small_data, tmp_path):
    """Two of each script, with the default ./pics: all end well and leave nothing."""
    flags = small_run_flags(small_data, "--epoch", 10)
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # four runs on two cores
    runs = [start(name, flags, tmp_path, env=env) for name in SCRIPTS * 2]
    for run in runs:
        assert run.communicate(timeout=120)[1] == "" and run.returncode == 0
    expected = {f"epoch_{e}_t_10.png" for e in range(1, 11)}
    assert set(os.listdir(tmp_path / "pics")) == expected
    for x in expected:
        with Image.open(tmp_path / "pics" / x) as picture:
            picture.load()


@POSIX
@pytest.mark.parametrize("name", ONE)
def test_links_and_devices(name, small_data, tmp_path):
    """A link stays one, its target is written; what is no regular file stays as is."""
    flags = small_run_flags(small_data, "--epoch", 1)
    (tmp_path / "disk").mkdir()
    (tmp_path / "run.mat").symlink_to("disk/target.mat")
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "run.mat.part").symlink_to("kept")
    assert (
        run_script(name, *flags, "--checkpoint", "run.mat", cwd=tmp_path).returncode
        == 0
    )
    more = ["--checkpoint", "run.mat", "--resume", "run.mat", "--epoch", 2]
    assert run_script(name, *flags, *more, cwd=tmp_path).returncode == 0
    assert os.readlink(tmp_path / "run.mat") == "disk/target.mat"
    assert loadmat(tmp_path / "disk" / "target.mat")["e"] == 2
    assert (tmp_path / "kept").read_text() == "kept"
    os.mkfifo(tmp_path / "pipe")
    for special in "/dev/null", "pipe", "disk":
        end = run_script(name, *flags, "--checkpoint", special, cwd=tmp_path)
        assert (end.returncode, end.stdout) == (2, "") and end.stderr.count("\n") == 1
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_empty_names(gan, capsys, tmp_path):
    """As from a shell's variable that is not set."""
    for flag in "--checkpoint", "--pics", "--data", "--resume":
        with pytest.raises(SystemExit) as end:
            gan.options([flag, ""])
        said = capsys.readouterr().err
        assert end.value.code == 2 and said.count("\n") == 1 and flag in said


@POSIX
@pytest.mark.parametrize("name", ONE)
def test_disk_full(name, small_data, tmp_path):
    """A limit on the size of files stands in for it: the old checkpoint stays whole."""
    import resource  # of POSIX systems only

    flags = small_run_flags(small_data, "--epoch", 2, "--checkpoint", "run.mat")
    assert run_script(name, *flags, cwd=tmp_path).returncode == 0
    before = (tmp_path / "run.mat").read_bytes()

    def limit():
        signal.signal(
            signal.SIGXFSZ, signal.SIG_IGN
        )  # so that writing fails with an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    process = start(
        name, [*flags, "--resume", "run.mat", "--epoch", 4], tmp_path, preexec_fn=limit
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and err.count("\n") == 1
    assert "run.mat" in err and "cannot be written" in err
    assert (tmp_path / "run.mat").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == [
        "pics",
        "run.mat",
    ]  # nothing half written is left


def test_places_that_cannot_be_written(gan, small_data, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    flags = [*small_run_flags(small_data), "--pics", tmp_path / "pics"]
    for bad in tmp_path / "none" / "run.mat", tmp_path, tmp_path / "file" / "run.mat":
        status, said = status_and_output(gan, [*flags, "--checkpoint", bad], capsys)
        assert (status, said.out) == (2, "")
        assert said.err.count("\n") == 1 and str(bad) in said.err
    assert sorted(os.listdir(tmp_path)) == ["file", "pics"] and not os.listdir(
        tmp_path / "pics"
    )
    for bad in tmp_path / "file", tmp_path / "file" / "pics":
        flags = [*small_run_flags(small_data), "--pics", bad, "--checkpoint", "run.mat"]
        end = run_script(gan.__name__, *flags, cwd=tmp_path)
        assert (end.returncode, end.stdout) == (2, "")
        assert end.stderr.count("\n") == 1 and str(bad) in end.stderr
    assert sorted(os.listdir(tmp_path)) == [
        "file",
        "pics",
    ]  # no checkpoint that is in the way


def test_data_are_not_overwritten(gan, small_data, capsys, tmp_path):
    """A --checkpoint that is the --data file, by another name or through a link."""
    with open(small_data, "rb") as f:
        before = f.read()
    link = tmp_path / "link.mat"
    names = [small_data, os.path.join(os.path.dirname(small_data), ".", "small.mat")]
    with contextlib.suppress(OSError):  # Windows lets few users make links
        link.symlink_to(small_data)
        names.append(str(link))
    for name in names:
        flags = [
            "--data",
            small_data,
            "--images-num",
            160,
            "--batch-size",
            16,
            "--epoch",
            1,
        ]
        assert_refused(
            gan,
            [*flags, "--checkpoint", name],
            [name, "already exists"],
            capsys,
            tmp_path,
        )
    with open(small_data, "rb") as f:
        assert f.read() == before
