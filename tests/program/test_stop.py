"""Ctrl-C, kills: one line says what is saved, and the same command goes on."""

import os
import signal
import time

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
    for k in range(1, e + 1):
        with Image.open(folder / "pics" / f"epoch_{k}_t_10.png") as picture:
            picture.load()
            assert picture.size == (112, 112)


def test_killed_at_any_moment(small_data, tmp_path):
    """kill -9 over and over, the same command each time: as the uncut run, to the bit.

    Saving is most of such a short epoch, so most kills fall into it.
    """
    cut, uncut = tmp_path / "cut", tmp_path / "uncut"
    cut.mkdir()
    uncut.mkdir()
    flags = small_run_flags(small_data, "--checkpoint", "run.mat")
    for seconds in 0.05, 0.1, 0.2, 0.25:
        before = epochs_in(cut / "run.mat")
        process = start(ONE, [*flags, "--epoch", 10**6], cut)
        for _ in range(3):
            process.stdout.readline()  # the third line is the second epoch's
        time.sleep(seconds)
        process.kill()
        _, err = process.communicate()
        went_on = f"{ONE}.py: run.mat: going on after epoch {before}\n"
        assert err == (went_on if before else "")
        assert epochs_in(cut / "run.mat") > before
        assert_whole(cut)
    # no litter grows: what a kill in the middle of saving leaves has one name
    assert set(os.listdir(cut)) <= {"run.mat", "pics", "run.mat.part"}
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


# the function in whose call Ctrl-C comes, after how many calls; with --checkpoint or
# without; words of the last line; epochs that are saved then. An epoch has 10 batches
STOPS = [
    ("unifrnd", 12, False, "--checkpoint FILE", 0),
    ("unifrnd", 5, True, "anew", 0),
    ("unifrnd", 17, True, "after epoch 1 ", 1),
    ("flush_to_disk", 0, True, "after epoch 1 ", 1),  # while it saves the second
    ("settings_of", 0, True, "not begun", 1),  # before it has read the file
]


@pytest.mark.usefixtures("small_networks")
def test_ctrl_c_in_a_console(one, small_data, tmp_path, capsys, monkeypatch):
    """At any moment, one after the other on one file: the console goes on."""
    file = tmp_path / "run.mat"
    flags = small_run_flags(small_data, "--epoch", 3, "--pics", tmp_path)
    saving = [*flags, "--checkpoint", file]
    for name, calls, saves, word, e in STOPS:
        function, left = getattr(one, name), iter(range(calls))

        def press(*arguments, function=function, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return function(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(one, name, press)
            status, said = status_and_output(one, saving if saves else flags, capsys)
        assert status == 130 and word in said.err.splitlines()[-1]
        assert epochs_in(file) == e
    assert status_and_output(one, saving, capsys)[0] == 0
    assert epochs_in(file) == 3
