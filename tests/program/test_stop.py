"""Ctrl-C, kills: one line says what is saved, and the same command goes on."""

import os
import random
import signal
import sys
import time

import numpy as np
import pytest
from conftest import (
    ONE,
    POSIX,
    run_script,
    small_run_flags,
    start,
    status_and_output,
    sums_of,
)
from PIL import Image
from scipy.io import loadmat


def epochs_in(file):
    """How many epochs a checkpoint has; 0 if there is no file."""
    return int(loadmat(file, variable_names=["e"])["e"].item()) if file.exists() else 0


def assert_whole(folder):
    """The checkpoint can be read, and so can the pictures of all its epochs.

    A later picture may be cut: going on makes it anew.
    """
    saved = loadmat(folder / "run.mat")
    e = int(saved["e"].item())
    assert saved["c_loss"].shape == (10 * e, 1)
    assert np.isfinite(saved["generator"]["layers"][0, 0][0, 2]["w"][0, 0]).all()
    for k in range(1, e + 1):
        with Image.open(folder / "pics" / f"epoch_{k}_t_10.png") as picture:
            picture.load()
            assert picture.size == (112, 112)


def test_killed_at_any_moment(small_data, tmp_path):
    """kill -9 over and over, the same command each time: as the uncut run, to the bit.

    Saving is most of such a short epoch, so most kills fall into it.
    """
    chance = random.Random(5)
    cut = tmp_path / "cut"
    uncut = tmp_path / "uncut"
    cut.mkdir()
    uncut.mkdir()
    flags = small_run_flags(small_data, "--checkpoint", "run.mat")
    for _ in range(4):
        before = epochs_in(cut / "run.mat")
        process = start(ONE, [*flags, "--epoch", 10**6], cut)
        for _ in range(3):
            process.stdout.readline()  # the third line is the second epoch's
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        _, err = process.communicate()
        went_on = f"{ONE}.py: run.mat: going on after epoch {before}\n"
        assert err == (went_on if before else "")
        assert epochs_in(cut / "run.mat") > before
        assert_whole(cut)
    # no litter grows: what a kill in the middle of saving leaves has one name
    litter = set(os.listdir(cut)) - {"run.mat", "pics"}
    assert litter <= {"run.mat.part"}
    e = epochs_in(cut / "run.mat") + 2
    for folder in cut, uncut:
        assert run_script(ONE, *flags, "--epoch", e, cwd=folder).returncode == 0
        assert sorted(os.listdir(folder)) == ["pics", "run.mat"]
        assert len(os.listdir(folder / "pics")) == e
    assert sums_of(cut) == sums_of(uncut)


@POSIX
def test_ctrl_c(small_data, tmp_path):
    """One line that says what the same command will do; status 130."""
    flags = small_run_flags(small_data, "--epoch", 10**6)
    for more in [], ["--checkpoint", "run.mat"]:
        process = start(ONE, [*flags, *more], tmp_path)
        for _ in range(3):
            process.stdout.readline()  # the third line is the second epoch's
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130 and err.count("\n") == 1
        words = f"after epoch {epochs_in(tmp_path / 'run.mat')} " if more else "--check"
        assert err.startswith(f"{ONE}.py: stopped") and words in err
    assert_whole(tmp_path)


@pytest.mark.usefixtures("small_networks")
def test_ctrl_c_in_a_console(one, small_data, tmp_path, capsys, monkeypatch):
    """In any batch, also before the first epoch is saved: the console goes on."""
    file = tmp_path / "run.mat"
    flags = small_run_flags(small_data, "--epoch", 3, "--pics", tmp_path)
    unifrnd = one.unifrnd
    handler = signal.getsignal(signal.SIGINT)
    for batches, words in (12, "--checkpoint FILE"), (5, "no epoch"), (17, "epoch 1"):
        calls = []

        def press(*arguments, calls=calls, batches=batches):
            calls.append(1)
            if len(calls) > batches:
                raise KeyboardInterrupt
            return unifrnd(*arguments)

        if batches != 12:
            flags += ["--checkpoint", file]
        with monkeypatch.context() as patch:
            patch.setattr(one, "unifrnd", press)
            patch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
            status, said = status_and_output(one, flags, capsys)
        assert status == 130 and said.err.count("\n") == 1 and words in said.err
        assert signal.getsignal(signal.SIGINT) is handler
    # while it saves the second epoch: the first is what there is to go on from
    with monkeypatch.context() as patch:
        patch.setattr(one, "flush_to_disk", interrupted)
        status, said = status_and_output(one, flags, capsys)
    assert status == 130 and "epoch 1 " in said.err and epochs_in(file) == 1
    # before it has read the file
    with monkeypatch.context() as patch:
        patch.setattr(one, "settings_of", interrupted)
        status, said = status_and_output(one, flags, capsys)
    assert status == 130 and said.err.count("\n") == 1 and "epoch" not in said.err
    assert status_and_output(one, flags, capsys)[0] == 0
    assert epochs_in(file) == 3


def interrupted(*_):
    """Ctrl-C comes just now."""
    raise KeyboardInterrupt
