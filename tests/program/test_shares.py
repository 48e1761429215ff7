"""Network drives and Windows' locked files: renames and flushes that fail."""

import errno
import os
import shutil
import time

import pytest
from conftest import small_run_flags, status_and_output
from PIL import Image
from scipy.io import loadmat

pytestmark = pytest.mark.usefixtures("small_networks")


def flags_of_a_run(small_data, folder):
    """The flags of a run of one epoch that writes a picture and a checkpoint."""
    flags = ["--pics", folder / "pics", "--checkpoint", folder / "run.mat"]
    return small_run_flags(small_data, "--epoch", 1, *flags)


def assert_whole(folder, e):
    """There are a checkpoint after epoch e, the pictures, and nothing half written."""
    assert loadmat(folder / "run.mat", variable_names=["e"])["e"].item() == e
    assert sorted(os.listdir(folder)) == ["pics", "run.mat"]
    pictures = [f"epoch_{i + 1}_t_10.png" for i in range(e)]
    assert os.listdir(folder / "pics") == pictures
    for name in pictures:
        with Image.open(folder / "pics" / name) as picture:
            assert picture.size == (112, 112)


def assert_failed(status, said, words, folder):
    """Status 2, one line with all the words, and nothing half written is left."""
    assert status == 2
    assert said.err.count("\n") == 1 and all(x in said.err for x in words), said.err
    for _, _, names in os.walk(folder):
        assert not [x for x in names if x.endswith(".part")]


class Locked:
    """An os.replace that fails as Windows' does: so many times for each new target."""

    def __init__(self, monkeypatch, winerror, times):
        self.replace = os.replace
        self.winerror = winerror
        self.times = times
        self.failed = {}
        self.slept = []
        monkeypatch.setattr(os, "replace", self)
        monkeypatch.setattr(time, "sleep", self.slept.append)

    def __call__(self, part, target):
        failed = self.failed.get(target, 0)
        if failed < self.times:
            self.failed[target] = failed + 1
            error = PermissionError(errno.EACCES, "Access is denied", part)
            error.winerror = self.winerror
            raise error
        self.replace(part, target)


@pytest.mark.parametrize("winerror", [5, 32])
@pytest.mark.parametrize("times", [1, 6])
def test_locked_for_a_while(
    gan, winerror, times, small_data, tmp_path, capsys, monkeypatch
):
    """As while a scanner reads the file: the run waits, and goes on without a word."""
    locked = Locked(monkeypatch, winerror, times)
    status, said = status_and_output(gan, flags_of_a_run(small_data, tmp_path), capsys)
    assert (status, said.err) == (0, "")
    assert len(locked.failed) == 2  # the checkpoint and the picture
    assert len(locked.slept) == 2 * times and all(x > 0 for x in locked.slept)
    assert 0 < sum(locked.slept[:times]) < 10
    assert_whole(tmp_path, 1)


def test_locked_for_ever(gan, small_data, tmp_path, capsys, monkeypatch):
    locked = Locked(monkeypatch, 5, 1000)
    status, said = status_and_output(gan, flags_of_a_run(small_data, tmp_path), capsys)
    file = str(tmp_path / "run.mat")
    assert_failed(status, said, [file, "cannot be written", "denied"], tmp_path)
    assert said.out == "" and not os.path.exists(file)
    assert 1 < sum(locked.slept) < 20  # seconds


def test_other_errors_are_not_waited_for(
    gan, small_data, tmp_path, capsys, monkeypatch
):
    """Such as a full disk: the line comes at once."""
    for winerror in 112, None:
        locked = Locked(monkeypatch, winerror, 1)
        status, said = status_and_output(
            gan, flags_of_a_run(small_data, tmp_path), capsys
        )
        assert_failed(status, said, ["run.mat", "cannot be written"], tmp_path)
        assert locked.slept == []


def failing_fsync(monkeypatch, number):
    """Make os.fsync fail with this errno; the list of its calls."""
    calls = []

    def fsync(file):
        calls.append(file)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_drives_that_cannot_flush(
    gan, number, small_data, tmp_path, capsys, monkeypatch
):
    calls = failing_fsync(monkeypatch, number)
    status, said = status_and_output(gan, flags_of_a_run(small_data, tmp_path), capsys)
    assert (status, said.err) == (0, "")
    assert len(calls) == 3  # two checkpoints and a picture
    assert_whole(tmp_path, 1)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_disks_that_fail(gan, number, small_data, tmp_path, capsys, monkeypatch):
    """What was not flushed is not taken for saved."""
    status, said = status_and_output(gan, flags_of_a_run(small_data, tmp_path), capsys)
    before = (tmp_path / "run.mat").read_bytes()
    failing_fsync(monkeypatch, number)
    flags = [*flags_of_a_run(small_data, tmp_path), "--resume", tmp_path / "run.mat"]
    status, said = status_and_output(gan, [*flags, "--epoch", 2], capsys)
    words = ["run.mat", "cannot be written", os.strerror(number)]
    assert_failed(status, said, words, tmp_path)
    assert (tmp_path / "run.mat").read_bytes() == before


def test_a_picture_that_cannot_be_written(
    gan, small_data, tmp_path, capsys, monkeypatch
):
    """The folder goes in the second epoch: one line, but the epoch is saved."""
    pics = tmp_path / "pics"
    save_images = gan.save_images

    def without_folder(images, count, path):
        if "epoch_2" in path:
            shutil.rmtree(pics)
            pics.write_text("not a folder")
        save_images(images, count, path)

    flags = [*flags_of_a_run(small_data, tmp_path), "--epoch", 4]
    with monkeypatch.context() as patch:
        patch.setattr(gan, "save_images", without_folder)
        status, said = status_and_output(gan, flags, capsys)
    assert_failed(status, said, ["epoch_2", "cannot be written"], tmp_path)
    assert said.out.count("save_sample") == 1 and said.out.count("c_loss") == 2
    found = loadmat(tmp_path / "run.mat", variable_names=["e", "c_loss"])
    assert found["e"].item() == 2 and found["c_loss"].shape == (20, 1)
    # and it goes on from there as if nothing had been
    pics.unlink()
    flags = [*flags, "--resume", tmp_path / "run.mat"]
    assert status_and_output(gan, [*flags, "--epoch", 3], capsys)[0] == 0
    (tmp_path / "uncut").mkdir()
    uncut = flags_of_a_run(small_data, tmp_path / "uncut")
    assert status_and_output(gan, [*uncut, "--epoch", 3], capsys)[0] == 0
    files = tmp_path / "run.mat", tmp_path / "uncut" / "run.mat"
    losses = [loadmat(file)["d_loss"].tolist() for file in files]
    assert losses[0] == losses[1]
