"""--checkpoint: the file's form, going on by the same command, nothing lost."""

import errno
import os
import shutil
import struct
import time

import numpy as np
import pytest
from conftest import (
    POSIX,
    assert_refused,
    last_noise,
    small_run_flags,
    status_and_output,
    sums_of,
)
from scipy.io import loadmat, savemat


def test_form_of_the_file(golden_run):
    """The original's structs, all doubles: MATLAB's 0.9^t fails for an integer t."""
    gan, mat = golden_run.gan, loadmat(golden_run.checkpoint)
    with open(golden_run.checkpoint, "rb") as f:
        head = f.read(136)
    assert head.startswith(b"MATLAB 5.0 MAT-file")
    # a variable as it is: compressed it would be of kind 15, and 20 times as slow
    assert struct.unpack("<I", head[128:132]) == (14,)
    rate, adam = 0.01, {}
    if gan.__name__ == "gan_adam":
        rate, adam = 0.001, {"t": 200, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    settings = {"e": 2, "batch_size": 60, "images_num": 6000, "seed": 0}
    for name, value in (settings | {"learning_rate": rate}).items():
        assert_doubles(mat[name], [[value]])
    words = {"script": gan.__name__, "precision": "double", "gradient": "matlab"}
    assert {name: mat[name].item() for name in words} == words
    assert len(mat["images_sha256"].item()) == 64
    assert mat["c_loss"].shape == mat["d_loss"].shape == (200, 1)
    assert mat["rng_state"].shape == (625, 1) and mat["rng_state"].dtype == np.uint32
    for name, sizes in ("generator", [100, 512, 784]), ("discriminator", [784, 512, 1]):
        nn = mat[name][0, 0]
        assert nn.dtype.names == ("architecture", "layers_count", *adam, "layers")
        assert_doubles(nn["architecture"], [sizes])
        for field, value in ({"layers_count": 3} | adam).items():
            assert_doubles(nn[field], [[value]])
        assert nn["layers"].shape == (1, 3) and nn["layers"].dtype == object
        assert nn["layers"][0, 0].dtype.names == ("a",)
        for i in 1, 2:
            layer = nn["layers"][0, i][0, 0]
            assert layer.dtype.names == gan.LAYER_STATE
            for k in gan.LAYER_STATE:
                rows = sizes[i - 1] if k[0] == "w" else 1
                assert layer[k].shape == (rows, sizes[i])
                assert layer[k].dtype == np.float64


def assert_doubles(x, value):
    """x is this matrix, of doubles."""
    assert x.dtype == np.float64 and x.tolist() == value


def test_rng_state_is_matlabs(golden_run):
    """As many numbers on from rng(0) as the run has drawn: 624 words, the position."""
    last_noise(golden_run.gan)
    _, words, position = golden_run.gan.stream.get_state()[:3]
    state = loadmat(golden_run.checkpoint)["rng_state"].ravel()
    np.testing.assert_array_equal(state, [*words, position])


def flags_of(small_data, folder, *more):
    """The flags of a run with 10 steps an epoch, files in `folder`."""
    files = ["--pics", folder / "pics", "--checkpoint", folder / "run.mat"]
    return small_run_flags(small_data, *files, *more)


# ------------------------------------------------------------------------- it goes on


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize(
    "precision, batch_size, stops",
    [("double", 16, [1, 2, 3]), ("single", 16, [1, 2, 3]), ("double", 32, [30, 60])],
)
def test_cut_in_two(gan, precision, batch_size, stops, small_data, tmp_path, capsys):
    """Losses, weights, moments, stream, output, pictures: as the uncut run's."""
    more = ["--learning-rate", 0.003, "--precision", precision, "--seed", 2**32 - 1]
    more += ["--batch-size", batch_size]
    printed = {}
    for name, epochs in ("whole", stops[-1:]), ("cut", stops):
        (tmp_path / name).mkdir()
        printed[name] = ""
        for before, e in zip([0, *epochs], epochs, strict=False):
            gan.rng(77)  # what another run left behind
            flags = flags_of(small_data, tmp_path / name, *more, "--epoch", e)
            status, said = status_and_output(gan, flags, capsys)
            assert status == 0
            printed[name] += said.out.replace(str(tmp_path / name), "")
            if before:
                words = f"{gan.NAME}: {tmp_path / name / 'run.mat'}: going on after"
                assert said.err == f"{words} epoch {before}\n"
    assert printed["whole"] == printed["cut"]
    assert sums_of(tmp_path / "whole") == sums_of(tmp_path / "cut")
    assert len(os.listdir(tmp_path / "cut" / "pics")) == stops[-1]
    steps = stops[-1] * 160 // batch_size
    assert loadmat(tmp_path / "cut" / "run.mat")["c_loss"].shape == (steps, 1)


@pytest.fixture
def finished(one, small_networks, small_data, tmp_path, capsys):
    """The flags of a run of two epochs that is done, and the bytes of its file."""
    flags = flags_of(small_data, tmp_path, "--epoch", 2)
    assert status_and_output(one, flags, capsys)[0] == 0
    return flags, (tmp_path / "run.mat").read_bytes()


def test_a_finished_run_is_left_as_it_is(one, finished, tmp_path, capsys):
    """Whatever the other flags: status 0, one line, nothing written."""
    flags, before = finished
    shutil.rmtree(tmp_path / "pics")
    other = ["--seed", 3, "--learning-rate", 5, "--batch-size", 80, "--epoch", 1]
    for more in [], other, ["--gradient", "exact"], ["--precision", "single"]:
        status, said = status_and_output(one, [*flags, *more], capsys)
        assert (status, said.out) == (0, "")
        assert said.err.count("\n") == 1 and "run.mat has 2 epochs" in said.err
    assert os.listdir(tmp_path) == ["run.mat"]
    assert (tmp_path / "run.mat").read_bytes() == before
    # and a console gets the networks of the file
    generator, _ = one.main(one.options(flags))
    saved = loadmat(tmp_path / "run.mat", simplify_cells=True)
    w = saved["generator"]["layers"][2]["w"]
    np.testing.assert_array_equal(generator["layers"][2]["w"], w)
    # and its stream
    np.testing.assert_array_equal(one.stream.get_state()[1], saved["rng_state"][:-1])


def test_other_settings_are_refused(one, finished, tmp_path, capsys, monkeypatch):
    """One line with both values; also where the rate is another, which may change.

    And sizes or a beta1 that were edited in the script: not undone.
    """
    flags, before = finished
    flags += ["--epoch", 3, "--learning-rate", 0.5]
    for flag, value, words in (
        ("--batch-size", 80, "batch_size was 16, and is 80 now"),
        ("--images-num", 320, "images_num was 160, and is 320 now"),
        ("--seed", 2**32 - 1, "seed was 0, and is 4294967295 now"),
        ("--precision", "single", "precision was double, and is single now"),
        ("--gradient", "exact", "gradient was matlab, and is exact now"),
    ):
        assert_refused(one, [*flags, flag, value], ["run.mat", words], capsys)
    nnsetup = one.nnsetup
    for edited, words in (
        ({"beta1": 0.5}, "beta1 was 0.9, and is 0.5 now"),
        ({"architecture": [100, 25, 784]}, "was 100 24 784, and is 100 25 784 now"),
    ):
        monkeypatch.setattr(one, "nnsetup", lambda *x, new=edited: nnsetup(*x) | new)
        assert_refused(one, flags, ["run.mat", words], capsys)
    assert (tmp_path / "run.mat").read_bytes() == before


def test_another_rate_is_said_and_taken(one, finished, tmp_path, capsys):
    flags, _ = finished
    more = ["--epoch", 3, "--learning-rate", 0.5]
    status, said = status_and_output(one, [*flags, *more], capsys)
    assert status == 0
    assert "learning_rate was 0.001, and is 0.5 now" in said.err.splitlines()[0]
    assert "going on after epoch 2" in said.err.splitlines()[1]
    assert loadmat(tmp_path / "run.mat")["learning_rate"] == 0.5
    # the third epoch was trained with it: such a rate spoils the losses at once
    losses = loadmat(tmp_path / "run.mat")["c_loss"].ravel()
    assert losses[:20].max() < 5 < losses[20:].max()


def test_other_images(one, finished, small_data, tmp_path, capsys):
    """Refused; the same images as doubles, or under another name, are the same."""
    flags, before = finished
    images = loadmat(small_data)["train_x"]
    file = tmp_path / "moved.mat"
    savemat(file, {"train_x": images[::-1]})
    flags = [*flags, "--data", file, "--epoch", 3]
    assert_refused(one, flags, ["run.mat", "other images"], capsys)
    assert (tmp_path / "run.mat").read_bytes() == before
    savemat(file, {"train_x": images.astype(float)})
    assert status_and_output(one, flags, capsys)[0] == 0
    assert loadmat(tmp_path / "run.mat")["e"] == 3


# -------------------------------------------------------------- nothing saved is lost


@pytest.mark.usefixtures("small_networks")
def test_a_diverged_run_keeps_its_last_good_checkpoint(
    gan, small_data, tmp_path, capsys, monkeypatch
):
    """Inf or NaN in any array from the second epoch on: said once, never saved."""
    file = tmp_path / "run.mat"
    flags = flags_of(small_data, tmp_path, "--epoch", 4)
    end_epoch = gan.end_epoch
    for field in gan.LAYER_STATE:
        for net in 0, 1:

            def spoil(run, opt, e, *networks, net=net, field=field):
                if e == 2:
                    layer, bad = ((1, np.nan), (2, np.inf))[net]
                    networks[net]["layers"][layer][field][0, 0] = bad
                end_epoch(run, opt, e, *networks)

            file.unlink(missing_ok=True)
            with monkeypatch.context() as patch:
                patch.setattr(gan, "end_epoch", spoil)
                status, said = status_and_output(gan, flags, capsys)
            assert status == 0 and said.out.count("c_loss") == 4
            assert said.err.count("\n") == 1
            assert "epoch 2" in said.err and "stays at epoch 1" in said.err
            assert loadmat(file)["e"] == 1
    # the same command, when nothing spoils it, goes on from there
    assert status_and_output(gan, flags, capsys)[0] == 0
    assert loadmat(file)["e"] == 4


@pytest.mark.usefixtures("small_networks")
def test_two_runs_on_one_file(one, small_data, tmp_path, capsys, monkeypatch):
    """The other one saved meanwhile: this one says so and leaves the file as it is."""
    flags = flags_of(small_data, tmp_path, "--epoch", 3)
    file = tmp_path / "run.mat"
    save_images = one.save_images

    def other_run(images, count, path):
        save_images(images, count, path)
        if "epoch_2" in path:
            content = file.read_bytes()
            file.write_bytes(content[:100] + b"another time" + content[112:])

    with monkeypatch.context() as patch:
        patch.setattr(one, "save_images", other_run)
        status, said = status_and_output(one, flags, capsys)
    assert status == 2 and said.err.count("\n") == 1 and "run.mat" in said.err
    assert loadmat(file)["e"] == 1
    assert b"another time" in file.read_bytes()[:128]
    # a file that was moved away is written anew
    with monkeypatch.context() as patch:
        patch.setattr(one, "end_step", lambda *x: file.unlink(missing_ok=True))
        assert status_and_output(one, flags, capsys)[0] == 0
    assert loadmat(file)["e"] == 3
    # both save at once, and the other one is done first
    flags[-1] = 4
    with monkeypatch.context() as patch:
        patch.setattr(one, "replace_file", lambda *x: os.remove(x[0]) or os.replace(*x))
        status, said = status_and_output(one, flags, capsys)
    assert status == 2 and "run.mat" in said.err.splitlines()[-1]
    assert "another run" in said.err.splitlines()[-1]
    assert loadmat(file)["e"] == 3


@POSIX
@pytest.mark.usefixtures("small_networks")
def test_a_link_stays_one(one, small_data, tmp_path, capsys):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run.mat").symlink_to("disk/target.mat")
    for e in 1, 2:
        flags = flags_of(small_data, tmp_path, "--epoch", e)
        assert status_and_output(one, flags, capsys)[0] == 0
    assert os.readlink(tmp_path / "run.mat") == "disk/target.mat"
    assert loadmat(tmp_path / "disk" / "target.mat")["e"] == 2
    assert os.listdir(tmp_path / "disk") == ["target.mat"]


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("times", [6, 7])
def test_windows_locks(one, times, small_data, tmp_path, capsys, monkeypatch):
    """A scanner reads the file for a while: the run waits; for ever: it says so."""
    replace = os.replace
    failed = {}
    slept = []

    def locked(part, target):
        failed[target] = failed.get(target, 0) + 1
        if failed[target] <= times:
            raise PermissionError(errno.EACCES, "Access is denied", part)
        failed[target] = 0
        replace(part, target)

    monkeypatch.setattr(os, "replace", locked)
    monkeypatch.setattr(time, "sleep", slept.append)
    flags = flags_of(small_data, tmp_path, "--epoch", 1)
    status, said = status_and_output(one, flags, capsys)
    if times == 7:
        assert (status, said.out) == (2, "") and said.err.count("\n") == 1
        assert f"{tmp_path / 'run.mat'}: cannot be written" in said.err
        assert os.listdir(tmp_path) == [] and 5 < sum(slept) < 10  # seconds
    else:
        assert (status, said.err) == (0, "")
        assert len(failed) == 1 and len(slept) == 2 * times  # it is saved twice
        assert sorted(os.listdir(tmp_path)) == ["pics", "run.mat"]


def test_disks_that_fail(one, finished, tmp_path, capsys, monkeypatch):
    """Full: one line, nothing half written, and later it goes on.

    Also on network drives that cannot flush.
    """
    flags, before = finished
    file = tmp_path / "run.mat"
    failing = iter([errno.ENOSPC, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])

    def fsync(_):
        number = next(failing)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    status, said = status_and_output(one, [*flags, "--epoch", 3], capsys)
    line = said.err.splitlines()[-1]
    assert status == 2 and f"{file}: " in line
    assert f"({os.strerror(errno.ENOSPC)})" in line
    assert file.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["pics", "run.mat"]
    assert status_and_output(one, [*flags, "--epoch", 5], capsys)[0] == 0
    assert next(failing, None) is None and loadmat(file)["e"] == 5


# --------------------------------------------------------------------- files to refuse


def test_files_that_are_no_checkpoint(one, finished, small_data, tmp_path, capsys):
    """Other files, and one cut short anywhere: refused in a line, left as they are."""
    import gan_mbgd

    flags, content = finished
    file = tmp_path / "run.mat"
    file.unlink()
    assert status_and_output(gan_mbgd, flags, capsys)[0] == 0
    savemat(tmp_path / "workspace.mat", {"e": 3.0, "generator": {"t": 1.0}})
    with open(small_data, "rb") as f:
        contents = [f.read(), file.read_bytes()]
    contents += [(tmp_path / "workspace.mat").read_bytes()]
    contents += [b"MATLAB 7.3 MAT-file, Platform".ljust(124) + b"\x00\x02IM" + bytes(9)]
    contents += [b"# Created by Octave 7.3.0\n# name: e\n# type: scalar\n3\n"]
    contents += [b"\x89HDF\r\n\x1a\n" + bytes(2000), b"MATLAB 5.0 MAT-file, 2", b"e"]
    cuts = [1, 127, 128, 200, *range(300, len(content), len(content) // 40), -1]
    for bad in contents + [content[:size] for size in cuts]:
        file.write_bytes(bad)
        assert "()" not in assert_refused(one, [*flags, "--epoch", 3], [file], capsys)
        assert file.read_bytes() == bad
