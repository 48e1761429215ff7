"""The .mat files that MATLAB users bring: workspaces, streams, images, strings."""

import shutil
import struct

import numpy as np
import pytest
from conftest import assert_refused, status_and_output
from scipy.io import loadmat, savemat

pytestmark = pytest.mark.usefixtures("small_networks")


def train(gan, folder, capsys, *flags):
    """Train on 160 images, 10 steps an epoch; the lines on standard error."""
    flags = [*flags, "--pics", folder / "pics", "--batch-size", 16]
    status, said = status_and_output(gan, [*flags, "--images-num", 160], capsys)
    assert status == 0, said.err
    return said.err.splitlines()


def checkpoint(gan, small_data, folder, capsys, epochs=2, *flags):
    """The path of a checkpoint after so many epochs, and its variables."""
    file = folder / f"epochs_{epochs}.mat"
    flags = ["--data", small_data, "--epoch", epochs, "--checkpoint", file, *flags]
    train(gan, folder, capsys, *flags)
    return file, variables_of(file)


def variables_of(file):
    """The variables of a .mat file, in a form that savemat takes again."""
    return {name: x for name, x in loadmat(file).items() if name[0] != "_"}


def assert_goes_on_equal(file, expected):
    """The file has the losses, the stream and the weights of the variables expected."""
    found = variables_of(file)
    for name in "c_loss", "d_loss", "rng_state":
        np.testing.assert_array_equal(found[name], expected[name])
    for name in "generator", "discriminator":
        for i in 1, 2:
            w = [x[name]["layers"][0, 0][0, i]["w"][0, 0] for x in (found, expected)]
            np.testing.assert_array_equal(*w)


# --------------------------------------------------- variables of MATLAB's class string


def element(kind, content):
    """An element of a v5 .mat file: its type, its size, its content."""
    head = struct.pack("<II", kind, len(content))
    return head + content + bytes(-len(content) % 8)


def short_element(kind, content):
    """An element of at most 4 bytes."""
    return struct.pack("<HH4s", kind, len(content), content)


def string_variable(name):
    """The bytes of a variable of MATLAB's class string, as its save writes them."""
    flags = element(6, struct.pack("<II", 17, 0))  # class 17: opaque
    words = element(1, name) + short_element(1, b"MCOS") + element(1, b"string")
    sizes = element(5, struct.pack("<ii", 6, 1)) + struct.pack("<II", 1, 0)
    values = element(6, struct.pack("<6I", 0xDD000000, 2, 1, 1, 1, 1))
    handle = element(14, element(6, struct.pack("<II", 13, 0)) + sizes + values)
    return element(14, flags + words + handle)


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_string_variable_beside_ours(gan, place, small_data, tmp_path, capsys):
    """It changes nothing, neither in the images nor in a checkpoint."""
    file, _ = checkpoint(gan, small_data, tmp_path, capsys, 1)
    _, uncut = checkpoint(gan, small_data, tmp_path, capsys, 2)
    data = tmp_path / "data.mat"
    shutil.copy(small_data, data)
    for path in file, data:
        content = path.read_bytes()
        string = string_variable(b"remark")
        if place == "first":
            path.write_bytes(content[:128] + string + content[128:])
        else:
            path.write_bytes(content + string)
    flags = ["--resume", file, "--data", data, "--checkpoint", file, "--epoch", 2]
    assert train(gan, tmp_path, capsys, *flags) == []
    assert_goes_on_equal(file, uncut)


# --------------------------------------------------------------------- MATLAB's streams


def test_the_struct_of_rng(gan, small_data, tmp_path, capsys):
    """rng_state = rng, and s.State as uint32 or double: the stream goes on the same."""
    file, saved = checkpoint(gan, small_data, tmp_path, capsys, 1)
    _, uncut = checkpoint(gan, small_data, tmp_path, capsys, 2)
    words = saved["rng_state"]
    matlab = {"Type": "twister", "Seed": np.uint32(0), "State": words}
    forms = [matlab, matlab | {"State": words.astype(float)}, words.astype(float)]
    forms += [words.T, words.astype(np.int64)]
    for form in forms:
        savemat(file, saved | {"rng_state": form})
        new = tmp_path / "new.mat"
        flags = ["--data", small_data, "--resume", file, "--checkpoint", new]
        assert train(gan, tmp_path, capsys, *flags, "--epoch", 2) == []
        assert_goes_on_equal(new, uncut)
        new.unlink()


def test_streams_of_other_kinds(gan, small_data, tmp_path, capsys):
    """One line that says which forms are taken."""
    file, saved = checkpoint(gan, small_data, tmp_path, capsys, 1)
    words = saved["rng_state"]

    def of_type(name, state):
        return {"Type": name, "Seed": np.uint32(0), "State": state}

    for form in (
        np.full((35, 1), 0.25),  # v5uniform
        np.array([[1.0], [2.0]]),  # v5normal
        0.0,  # a seed
        5489.0,  # v4
        np.arange(7, dtype=np.uint32).reshape(-1, 1),  # philox
        np.arange(17, dtype=np.uint32).reshape(-1, 1),  # threefry
        of_type("v5uniform", np.full((35, 1), 0.25)),
        of_type("v4", 5489.0),
        of_type("philox", np.arange(7, dtype=np.uint32)),
        of_type("combRecursive", np.arange(12, dtype=np.uint32)),
        of_type("threefry", words),
        of_type("twister", 5.0),
        of_type("twister", "text"),
        {"Type": "twister", "Seed": 0.0},
        {"State": words},
        words + 0.5,
        words - 2.0**32,
        words + 2.0**32,  # each word is beyond 32 bits
        np.append(words[:624].astype(float), np.nan),
        np.append(words[:624], np.uint32(625)),
        words * 1j,
        "shuffle",
    ):
        savemat(file, saved | {"rng_state": form})
        said = [
            "rng_state",
            "twister",
            "s = rng; rng_state = s.State",
            "625",
            str(file),
        ]
        flags = ["--resume", file, "--data", small_data]
        assert_refused(gan, flags, said, capsys, tmp_path)
        status, refused = status_and_output(gan, flags, capsys)
        for internal in "numpy", "dtype", "array", "<class", "Error", "None":
            assert internal not in refused.err.replace(str(tmp_path), "")


# ----------------------------------------------- workspaces saved after MATLAB's Ctrl-C


def matlab_workspace(saved, file, **more):
    """Save a workspace as MATLAB has it: without old losses and most settings."""
    kept = ["generator", "discriminator", "e", "batch_size", "images_num"]
    savemat(file, {name: saved[name] for name in kept} | more)


def set_adams_t(saved, steps):
    """Set the steps that Adam has made in both networks."""
    for name in "generator", "discriminator":
        saved[name]["t"][0, 0][:] = steps


def test_stopped_within_an_epoch(gan, small_data, tmp_path, capsys):
    """e is 3 and t is 4 of 10: one line says so, and 24 losses are NaN."""
    _, saved = checkpoint(gan, small_data, tmp_path, capsys, 2)
    is_adam = gan.__name__ == "gan_adam"
    forms = {"t": {"e": 3.0, "t": 4.0}}
    if is_adam:
        set_adams_t(saved, 24)
        forms["Adam's t"] = {"e": 3.0}
    for what, more in forms.items():
        file = tmp_path / "matlab.mat"
        new = tmp_path / "new.mat"
        matlab_workspace(saved, file, c_loss=0.5, d_loss=0.25, **more)
        flags = ["--data", small_data, "--resume", file, "--checkpoint", new]
        lines = train(gan, tmp_path, capsys, *flags, "--epoch", 4)
        stopped = [x for x in lines if "was stopped" in x]
        assert len(stopped) == 1, what
        assert "epoch 3 was stopped after batch 4 of 10" in stopped[0]
        assert "epoch 4" in stopped[0] and str(file) in stopped[0]
        assert all("lacks some settings" in x for x in lines if x not in stopped)
        assert len(lines) == 2
        found = variables_of(new)
        assert (found["e"].item(), found["steps"].item()) == (4, 34)
        for name in "c_loss", "d_loss":
            assert found[name].shape == (34, 1)
            assert np.isnan(found[name][:24]).all()
            assert np.isfinite(found[name][24:]).all()
        flags = ["--data", small_data, "--resume", new, "--checkpoint", new]
        assert train(gan, tmp_path, capsys, *flags, "--epoch", 5) == []
        again = variables_of(new)
        assert again["c_loss"].shape == (44, 1)
        np.testing.assert_array_equal(again["c_loss"][:34], found["c_loss"])
        assert np.isfinite(again["c_loss"][34:]).all()
        new.unlink()


def test_stopped_at_either_end_of_an_epoch(gan, small_data, tmp_path, capsys):
    """In the first epoch; and after the last batch, when nothing was stopped."""
    _, saved = checkpoint(gan, small_data, tmp_path, capsys, 1)
    file = tmp_path / "matlab.mat"
    for e, t in (1, 1), (1, 9), (2, 10):
        set_t = {"e": float(e), "t": float(t)}
        if gan.__name__ == "gan_adam":
            set_adams_t(saved, (e - 1) * 10 + t)
        matlab_workspace(saved, file, **set_t)
        new = tmp_path / f"new_{e}_{t}.mat"
        flags = ["--data", small_data, "--resume", file, "--checkpoint", new]
        lines = train(gan, tmp_path, capsys, *flags, "--epoch", e + 1)
        assert ("was stopped" in "".join(lines)) == (t < 10)
        losses = variables_of(new)["d_loss"].ravel()
        assert np.isnan(losses).tolist() == [True] * ((e - 1) * 10 + t) + [False] * 10


def test_stopped_before_the_first_update(small_data, tmp_path, capsys):
    """Adam's t is 0: no step was made, so no loss is unknown."""
    import gan_adam as gan

    _, saved = checkpoint(gan, small_data, tmp_path, capsys, 1)
    set_adams_t(saved, 0)
    matlab_workspace(saved, tmp_path / "matlab.mat", e=1.0)
    new = tmp_path / "new.mat"
    flags = ["--data", small_data, "--resume", tmp_path / "matlab.mat"]
    lines = train(gan, tmp_path, capsys, *flags, "--checkpoint", new, "--epoch", 2)
    assert "stopped after batch 0 of 10" in lines[0]
    losses = variables_of(new)["d_loss"]
    assert losses.shape == (10, 1) and np.isfinite(losses).all()


# ------------------------------------------------------------------------ diverged runs


@pytest.mark.parametrize("epochs", [1, 2])
def test_checkpoint_of_a_diverged_run(gan, epochs, small_data, tmp_path, capsys):
    """At this rate no weight is a number after the first steps."""
    flags = ["--data", small_data, "--epoch", epochs, "--learning-rate", 1.7e308]
    file = tmp_path / "run.mat"
    train(gan, tmp_path, capsys, *flags, "--checkpoint", file)
    said = ["diverged in epoch 1", "NaN or Inf", "layers{2}.", "--learning-rate"]
    flags = ["--resume", file, "--data", small_data, "--epoch", 9]
    assert_refused(gan, flags, [*said, str(file)], capsys, tmp_path)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_one_number_that_is_none(gan, number, small_data, tmp_path, capsys):
    """The line names the array, and the last checkpoint that can be good."""
    file, saved = checkpoint(gan, small_data, tmp_path, capsys, 3)
    flags = ["--resume", file, "--data", small_data, "--epoch", 9]
    for net, i, field in ("generator", 1, "w"), ("discriminator", 2, "b"):
        array = saved[net]["layers"][0, 0][0, i][field][0, 0]
        kept = array[0, 0]
        array[0, 0] = number
        name = f"{net}.layers{{{i + 1}}}.{field} "
        for finite, epoch in (30, 2), (21, 2), (20, 1), (11, 1), (10, 0), (0, None):
            losses = np.full((30, 1), np.nan)
            losses[:finite] = saved["c_loss"][:finite]
            savemat(file, saved | {"c_loss": losses})
            said = [name, "diverged", str(file)]
            if epoch is None:
                said.append("go on from an earlier checkpoint")
            elif epoch == 0:
                said.append("in epoch 1; begin anew")
            else:
                said.append(f"in epoch {epoch + 1}; ")
                said.append(f"a checkpoint of epoch {epoch} or earlier")
            assert_refused(gan, flags, said, capsys, tmp_path)
        array[0, 0] = kept
    # the same file without it goes on
    savemat(file, saved)
    train(gan, tmp_path, capsys, *flags[:-1], 4)


# ------------------------------------------------------------------ headers and classes


def test_any_header_text(gan, small_data, tmp_path, capsys):
    """Bytes 125 to 128 tell a v5 file; before them any words may be."""
    file, _ = checkpoint(gan, small_data, tmp_path, capsys, 1)
    data = tmp_path / "data.mat"
    shutil.copy(small_data, data)
    kept = file.read_bytes(), data.read_bytes()
    for words in b"Matlab 5.0 MAT-file", b"My data", b"MATLAB 7.3 of a friend", b"":
        for path, content in zip((file, data), kept, strict=True):
            path.write_bytes(words.ljust(116) + bytes(8) + content[124:])
        flags = ["--resume", file, "--data", data, "--epoch", 2]
        assert train(gan, tmp_path, capsys, *flags) == []


def test_other_forms_of_file(gan, small_data, tmp_path, capsys):
    """v7.3, v4, texts, pictures and empty files: a line that names -v7."""
    file = tmp_path / "other.mat"
    v73 = b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(124) + b"\x00\x02IM"
    savemat(tmp_path / "v4.mat", {"train_x": np.ones((320, 784))}, format="4")
    v4 = (tmp_path / "v4.mat").read_bytes()
    for content in v73 + bytes(900), v4, b"MATLAB 5.0 MAT-file", b"text\n" * 99, b"":
        file.write_bytes(content)
        flags = ["--resume", file, "--data", small_data]
        assert_refused(gan, flags, ["-v7", str(file), "--resume"], capsys, tmp_path)
        flags = ["--data", file]
        assert_refused(gan, flags, ["-v7", str(file), "--data"], capsys, tmp_path)


@pytest.mark.parametrize("kind", ["float64", "float32", "int16", "uint16", ">f8"])
def test_whole_numbers_of_any_class(gan, kind, small_data, tmp_path, capsys):
    """They train as uint8 does, to the bit."""
    _, expected = checkpoint(gan, small_data, tmp_path, capsys, 1)
    other = tmp_path / "other.mat"
    savemat(other, {"train_x": loadmat(small_data)["train_x"].astype(kind)})
    (tmp_path / "other").mkdir()
    file, _ = checkpoint(gan, other, tmp_path / "other", capsys, 1)
    assert_goes_on_equal(file, expected)
    assert variables_of(file)["images_sha256"] == expected["images_sha256"]


@pytest.mark.parametrize("precision", ["double", "single"])
def test_numbers_that_are_not_whole(
    gan, precision, small_data, tmp_path, capsys, monkeypatch
):
    """They are used as they are, columns first, divided by 255 as double(x)/255 is."""
    numbers = np.random.RandomState(2).uniform(0, 255, (160, 784))
    data = tmp_path / "data.mat"
    savemat(data, {"train_x": numbers})
    columns = numbers.reshape(160, 28, 28).transpose(0, 2, 1).reshape(160, 784)
    np.testing.assert_array_equal(gan.load_train_x(str(data), 160), columns)
    savemat(tmp_path / "single.mat", {"train_x": numbers.astype(np.float32)})
    singles = gan.load_train_x(str(tmp_path / "single.mat"), 160)
    assert singles.dtype == float  # MATLAB: double(train_x)
    np.testing.assert_array_equal(singles, columns.astype(np.float32))
    assert gan.checksum_of(columns) != gan.checksum_of(np.floor(columns))
    trained_on = []

    def keep_real(a, b):
        if a.shape[1] == b.shape[1] == 784:
            trained_on.append(b.copy())
        return vertcat(a, b)

    vertcat = gan.vertcat
    monkeypatch.setattr(gan, "vertcat", keep_real)
    flags = ["--data", data, "--epoch", 1, "--precision", precision]
    train(gan, tmp_path, capsys, *flags)
    trained_on = np.concatenate(trained_on)
    order = np.lexsort(trained_on.T), np.lexsort(columns.T)
    np.testing.assert_array_equal(trained_on[order[0]], columns[order[1]] / 255)


def test_numbers_beyond_0_to_255(gan, tmp_path, capsys):
    data = tmp_path / "data.mat"
    for bad in -1.0, 255.5, 256.0, np.nan, np.inf, -0.001:
        numbers = np.ones((320, 784))
        numbers[7, 77] = bad
        savemat(data, {"train_x": numbers})
        flags = ["--data", data, "--images-num", 160, "--batch-size", 16]
        assert_refused(gan, flags, ["0..255", str(data)], capsys, tmp_path)


# ----------------------------------------------------------- going on with other images


def test_other_images(gan, small_data, tmp_path, capsys):
    """One line that names both files, also where --images-num is another."""
    file, _ = checkpoint(gan, small_data, tmp_path, capsys, 1)
    default = gan.options([]).data
    other = tmp_path / "other.mat"
    images = loadmat(small_data)["train_x"]
    images[159, 783] ^= 1
    savemat(other, {"train_x": images})
    few = tmp_path / "few.mat"
    savemat(few, {"train_x": images[:80]})
    size = ["--batch-size", 16, "--images-num"]
    for data, *more in (
        [default],
        [default, *size, 320],
        [other],
        [other, *size, 80],  # among the first 80 images nothing differs
        [other, *size, 320],
        [few, *size, 80],
    ):
        flags = ["--resume", file, "--data", data, *more]
        said = ["other images", f"--resume {file}", f"--data {data}"]
        assert_refused(gan, flags, said, capsys, tmp_path)
    said = ["other images", f"--resume {file}", f"--data {default}"]
    assert_refused(gan, ["--resume", file], said, capsys, tmp_path)


def test_the_same_images_elsewhere(gan, small_data, tmp_path, capsys):
    """A copy will do, in another class too, and with more or fewer of its images."""
    file, saved = checkpoint(gan, small_data, tmp_path, capsys, 1)
    copy = tmp_path / "copy.mat"
    savemat(copy, {"train_x": loadmat(small_data)["train_x"].astype(float)})
    for images_num in 160, 320, 80:
        flags = ["--resume", file, "--data", copy, "--epoch", 2, "--batch-size", 16]
        flags += ["--images-num", images_num, "--pics", tmp_path / "pics"]
        status, said = status_and_output(gan, flags, capsys)
        assert (status, said.err) == (0, "")
    # MATLAB's workspaces say nothing of the images
    matlab_workspace(saved, file)
    other = tmp_path / "other.mat"
    savemat(other, {"train_x": loadmat(small_data)["train_x"] // 2})
    flags = ["--resume", file, "--data", other, "--epoch", 2]
    lines = train(gan, tmp_path, capsys, *flags)
    assert len(lines) == 1 and "lacks some settings" in lines[0]


# ----------------------------------------------- arguments that MATLAB's functions take


def test_arguments_that_make_nan(gan):
    """unifrnd with a > b, normrnd with sigma < 0: all NaN, and as many are drawn."""
    for bad, good in (
        (lambda: gan.unifrnd(1, -1, 30, 7), lambda: gan.unifrnd(-1, 1, 30, 7)),
        (lambda: gan.normrnd(0, -1, 30, 7), lambda: gan.normrnd(0, 1, 30, 7)),
    ):
        gan.rng(3)
        numbers = bad()
        drawn_after = gan.rand(1, 4)
        assert numbers.shape == (30, 7) and np.isnan(numbers).all()
        gan.rng(3)
        assert np.isfinite(good()).all()
        np.testing.assert_array_equal(drawn_after, gan.rand(1, 4))
    # at the edges they are numbers
    assert (gan.unifrnd(2, 2, 3, 3) == 2).all() and (gan.normrnd(2, 0, 3, 3) == 2).all()


def test_sizes_that_are_0_or_below(gan):
    """A negative size is 0, and nothing is drawn."""
    draws = {
        "rand": gan.rand,
        "randn": gan.randn,
        "unifrnd": lambda m, n: gan.unifrnd(0, 1, m, n),
        "normrnd": lambda m, n: gan.normrnd(0, 1, m, n),
    }
    for name, draw in draws.items():
        for asked, shape in (
            ((1, 0), (1, 0)),
            ((0, 3), (0, 3)),
            ((-1, 3), (0, 3)),
            ((3, -2), (3, 0)),
            ((-2, -2), (0, 0)),
        ):
            gan.rng(3)
            assert draw(*asked).shape == shape, name
            drawn_after = gan.rand(1, 4)
            gan.rng(3)
            np.testing.assert_array_equal(drawn_after, gan.rand(1, 4))
    gan.rng(3)
    assert gan.randperm(0).shape == (0,)
