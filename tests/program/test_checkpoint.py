"""--checkpoint and --resume: the file's form; a run cut in two equals the uncut one."""

import os

import numpy as np
import pytest
from conftest import SCRIPTS, run_script, status_and_output
from scipy.io import loadmat, savemat

SMALL = ["--images-num", 320, "--batch-size", 32]  # 10 steps an epoch


def test_form_of_the_file(golden_run):
    """The original's structs, all doubles: MATLAB's 0.9^t fails for an integer t."""
    gan, mat = golden_run.gan, loadmat(golden_run.checkpoint)
    with open(golden_run.checkpoint, "rb") as f:
        assert f.read(19) == b"MATLAB 5.0 MAT-file"
    for name, sizes in ("generator", [100, 512, 784]), ("discriminator", [784, 512, 1]):
        nn = mat[name]
        fields = ("architecture", "layers_count", *gan.NET_STATE, "layers")
        assert nn.shape == (1, 1) and nn.dtype.names == fields
        assert all(nn[k][0, 0].dtype == np.float64 for k in fields[:-1])
        assert nn["architecture"][0, 0].tolist() == [sizes] and nn["layers_count"][
            0, 0
        ] == [[3]]
        layers = nn["layers"][0, 0]
        assert layers.shape == (1, 3) and layers.dtype == object
        assert layers[0, 0].dtype.names == ("a",)
        for i in 1, 2:
            layer = layers[0, i]
            assert layer.shape == (1, 1) and layer.dtype.names == gan.LAYER_STATE
            for k in gan.LAYER_STATE:
                rows = sizes[i - 1] if k[0] == "w" else 1
                assert layer[k][0, 0].shape == (rows, sizes[i])
                assert layer[k][0, 0].dtype == np.float64
    if gan.__name__ == "gan_adam":
        g = mat["generator"]
        assert [g[k][0, 0].item() for k in gan.NET_STATE] == [200, 0.9, 0.999, 1e-8]
    rate = {"gan_adam": 0.001, "gan_mbgd": 0.01}[gan.__name__]
    settings = {
        "e": 2,
        "batch_size": 60,
        "images_num": 6000,
        "learning_rate": rate,
        "seed": 0,
    }
    for k, value in settings.items():
        assert (
            mat[k].dtype == np.float64
            and mat[k].shape == (1, 1)
            and mat[k].item() == value
        )
    assert mat["precision"].tolist() == ["double"] and mat["gradient"].tolist() == [
        "matlab"
    ]
    assert mat["rng_state"].shape == (625, 1) and mat["rng_state"].dtype == np.uint32


def test_rng_state_is_matlabs(golden_run, tmp_path):
    """After rng(0): 5489 first, position 624; then as many numbers on as were drawn."""
    gan = golden_run.gan
    gan.rng(0)
    seeded = gan.stream.get_state()
    # the words that MT19937's init_genrand(5489) gives
    assert (seeded[1][0], seeded[1][1], seeded[2]) == (5489, 1301868182, 624)
    state = loadmat(golden_run.checkpoint)["rng_state"].ravel()
    gan.nnsetup([100, 512, 784]), gan.nnsetup([784, 512, 1])
    for _ in range(2):
        gan.randperm(6000)
        for _ in range(100):
            gan.unifrnd(-1, 1, 60, 100)
    now = gan.stream.get_state()
    np.testing.assert_array_equal(state, [*now[1], now[2]])


def state_of(file):
    """All variables of a checkpoint, nested structs flattened to name: array."""
    flat = {}

    def walk(name, x):
        if x.dtype.names:
            for k in x.dtype.names:
                walk(f"{name}.{k}", x[0, 0][k])
        elif x.dtype == object:
            for i, item in enumerate(x.ravel()):
                walk(f"{name}{{{i}}}", item)
        else:
            flat[name] = x

    for k, x in loadmat(file).items():
        if k[0] != "_":
            walk(k, x)
    return flat


def assert_same(file, other):
    a, b = state_of(file), state_of(other)
    assert a.keys() == b.keys() and len(a) > 15
    for k in a:
        assert a[k].dtype == b[k].dtype, k
        np.testing.assert_array_equal(a[k], b[k], err_msg=k)  # to the bit


@pytest.mark.parametrize("name", SCRIPTS)
def test_cut_in_two(name, tmp_path):
    """Losses, weights, moments, random state, output, pictures: the same to the bit."""
    flags = [*SMALL, "--seed", 9, "--learning-rate", 0.003]
    save = ["--pics", "pics", "--checkpoint", "run.mat"]
    for folder in "whole", "cut":
        os.mkdir(tmp_path / folder)
    whole = run_script(name, *flags, *save, "--epoch", 3, cwd=tmp_path / "whole")
    first = run_script(name, *flags, *save, "--epoch", 1, cwd=tmp_path / "cut")
    # the stored settings apply: no flag is said again
    rest = run_script(
        name, *save, "--resume", "run.mat", "--epoch", 3, cwd=tmp_path / "cut"
    )
    assert [x.returncode for x in (whole, first, rest)] == [0, 0, 0], rest.stderr
    assert first.stdout + rest.stdout == whole.stdout
    assert_same(tmp_path / "whole/run.mat", tmp_path / "cut/run.mat")
    assert loadmat(tmp_path / "cut/run.mat")["c_loss"].shape == (30, 1)
    pictures = sorted(os.listdir(tmp_path / "whole/pics"))
    assert pictures == [f"epoch_{e}_t_10.png" for e in (1, 2, 3)]
    for x in pictures:
        both = [
            (tmp_path / folder / "pics" / x).read_bytes() for folder in ("whole", "cut")
        ]
        assert both[0] == both[1]


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("again", ["", "precision", "all"])
def test_cut_in_two_with_flags(gan, again, tmp_path, capsys):
    """In single precision, said once, or again, or the whole line.

    --seed 9 begins nothing anew.
    """
    flags = [*SMALL, "--seed", 9, "--learning-rate", 0.003, "--precision", "single"]
    said = {"": [], "precision": flags[-2:], "all": flags}[again]
    save = ["--pics", tmp_path / "pics", "--checkpoint"]
    for words in (
        [*flags, *save, tmp_path / "whole.mat", "--epoch", 3],
        [*flags, *save, tmp_path / "cut.mat", "--epoch", 1],
        [
            *said,
            *save,
            tmp_path / "cut.mat",
            "--resume",
            tmp_path / "cut.mat",
            "--epoch",
            3,
        ],
    ):
        gan.rng(77)  # what the run before left behind
        assert status_and_output(gan, words, capsys)[0] == 0
    assert_same(tmp_path / "whole.mat", tmp_path / "cut.mat")


@pytest.mark.usefixtures("small_networks")
def test_batch_size_may_change(gan, tmp_path, capsys):
    """The losses of all steps stay, however many an epoch had, and the file resumes."""
    file = small_run(gan, tmp_path)
    (tmp_path / "again").mkdir()
    flags = ["--checkpoint", file, "--resume", file, "--pics", str(tmp_path / "pics")]
    gan.main(gan.options([*flags, "--batch-size", "16", "--epoch", "3"]))
    gan.main(gan.options([*flags, "--images-num", "64", "--epoch", "4"]))
    mat = loadmat(file)
    assert mat["c_loss"].shape == mat["d_loss"].shape == (10 + 10 + 20 + 4, 1)
    assert (mat["e"], mat["steps"], mat["batch_size"]) == (4, 44, 16)
    assert np.isfinite(mat["c_loss"]).all()
    # also where the file does not say how many steps there were, and the flags are
    # other ones
    old = {
        k: x
        for k, x in loadmat(small_run(gan, tmp_path / "again")).items()
        if k != "steps"
    }
    savemat(tmp_path / "old.mat", {k: x for k, x in old.items() if k[0] != "_"})
    flags = [
        "--resume",
        str(tmp_path / "old.mat"),
        "--images-num",
        "64",
        "--epoch",
        "3",
    ]
    new = str(tmp_path / "new.mat")
    gan.main(
        gan.options([*flags, "--checkpoint", new, "--pics", str(tmp_path / "pics")])
    )
    assert loadmat(new)["c_loss"].shape == (20 + 2, 1)


def small_run(gan, folder, *flags):
    """Two epochs in this process; the checkpoint's path."""
    file = str(folder / "run.mat")
    flags = [
        *SMALL,
        "--epoch",
        2,
        "--pics",
        folder / "pics",
        *flags,
        "--checkpoint",
        file,
    ]
    gan.main(gan.options(list(map(str, flags))))
    return file


@pytest.mark.usefixtures("small_networks")
def test_flags_override_what_is_stored(gan, tmp_path, capsys):
    file = small_run(gan, tmp_path)
    opt = gan.options(["--resume", file])
    assert (opt.batch_size, opt.images_num, opt.epoch) == (32, 320, 100)
    flags = ["--batch-size", "16", "--learning-rate", "0.5", "--epoch", "7"]
    opt = gan.options(["--resume", file, *flags])
    assert (opt.batch_size, opt.images_num, opt.learning_rate, opt.epoch) == (
        16,
        320,
        0.5,
        7,
    )
    # --seed starts the stream anew
    opt = gan.options(["--resume", file, "--seed", "3"])
    train_x = gan.load_train_x(opt.data, opt.images_num)
    gan.resume(opt, gan.nnsetup([100, 24, 784]), gan.nnsetup([784, 24, 1]), train_x)
    drawn = gan.rand(1, 3)
    gan.rng(3)
    np.testing.assert_array_equal(drawn, gan.rand(1, 3))


@pytest.mark.usefixtures("small_networks")
def test_every_seed_is_resumed(gan, tmp_path):
    """The largest too."""
    file = small_run(gan, tmp_path, "--seed", 2**32 - 1)
    opt = gan.options(["--resume", file, "--epoch", "3", "--pics", str(tmp_path)])
    assert opt.seed == 2**32 - 1
    gan.main(opt)


@pytest.mark.usefixtures("small_networks")
def test_nothing_left_to_do(gan, tmp_path, capsys):
    """Already at --epoch: says so, exit 0, nothing trained or written."""
    file = small_run(gan, tmp_path)
    with open(file, "rb") as f:
        before = f.read()
    status, said = status_and_output(
        gan, ["--resume", file, "--epoch", 2, "--checkpoint", file], capsys
    )
    assert (status, said.out) == (0, "")
    assert said.err.count("\n") == 1 and "2 epochs" in said.err
    with open(file, "rb") as f:
        assert f.read() == before


def matlab_workspace(file, out, **more):
    """A workspace as the original leaves it, made from our checkpoint.

    As by save('workspace.mat','generator','discriminator','e'), with the fields
    z a d dw db that the original's functions leave in the layers.
    """
    mat = loadmat(file, simplify_cells=True)
    for name in "generator", "discriminator":
        sizes = mat[name]["architecture"].astype(int)
        layers = np.empty((1, 3), object)
        layers[0, 0] = {"a": np.ones((32, sizes[0]))}
        for i in 1, 2:
            layer = dict(mat[name]["layers"][i])
            for k in layer:
                rows = sizes[i - 1] if k[0] == "w" else 1
                layer[k] = np.reshape(layer[k], (rows, sizes[i]))
            extra = {k: np.ones((32, sizes[i])) for k in "zad"}
            layers[0, i] = {
                **layer,
                **extra,
                "dw": np.ones((sizes[i - 1], sizes[i])),
                "db": 1.0,
            }
        mat[name]["layers"] = layers
        mat[name]["architecture"] = mat[name]["architecture"].astype(float)
    savemat(
        out, {k: mat[k] for k in ("generator", "discriminator")} | {"e": 2.0} | more
    )


@pytest.mark.usefixtures("small_networks")
def test_workspace_of_the_original(gan, tmp_path, capsys):
    """It resumes without our variables: the stream is --seed's, old losses are NaN."""
    file, out = small_run(gan, tmp_path), str(tmp_path / "workspace.mat")
    matlab_workspace(file, out)
    capsys.readouterr()
    new = str(tmp_path / "new.mat")
    flags = ["--resume", out, "--epoch", "3", "--seed", "4", *map(str, SMALL)]
    gan.main(
        gan.options([*flags, "--checkpoint", new, "--pics", str(tmp_path / "pics")])
    )
    mat = loadmat(new)
    assert mat["e"] == 3 and mat["c_loss"].shape == (30, 1)
    assert np.isnan(mat["c_loss"][:20]).all() and np.isfinite(mat["c_loss"][20:]).all()
    # the same step by step: the checkpoint's networks, and a stream that starts from 4
    matlab = str(tmp_path / "same.mat")
    flags = ["--resume", file, "--epoch", "3", "--seed", "4"]
    gan.main(
        gan.options([*flags, "--checkpoint", matlab, "--pics", str(tmp_path / "pics")])
    )
    np.testing.assert_array_equal(mat["d_loss"][20:], loadmat(matlab)["d_loss"][20:])


@pytest.mark.usefixtures("small_networks")
def test_workspace_of_the_other_script(tmp_path, capsys):
    import gan_adam
    import gan_mbgd

    for mine, other in (gan_adam, gan_mbgd), (gan_mbgd, gan_adam):
        (tmp_path / mine.__name__).mkdir()
        file = small_run(mine, tmp_path / mine.__name__)
        status, said = status_and_output(
            other, ["--resume", file, "--epoch", 3], capsys
        )
        assert (status, said.out) == (2, "")
        assert (
            said.err.count("\n") == 1
            and "other script" in said.err
            and file in said.err
        )


def with_layer(network, **values):
    """A copy of the struct `network`, other values in the first layer with weights."""
    layers = np.empty((1, 3), object)
    layers[0] = [
        network["layers"][0],
        network["layers"][1] | values,
        network["layers"][2],
    ]
    return network | {"layers": layers}


def foreign_files(gan, whole):
    """Variants of a checkpoint's variables `whole` that make no checkpoint.

    Yields pairs of what is wrong and the variables.
    """
    generator = whole["generator"]
    w = generator["layers"][1]["w"]
    state = whole["rng_state"]

    def other_generator(**values):
        return {"generator": with_layer(generator, **values)}

    yield "no networks", {"e": 3.0}
    yield "no e", {k: v for k, v in whole.items() if k != "e"}
    for what, variables in {
        "a number for a network": {"generator": 1.0},
        "another architecture": other_generator(w=w[:, :-1]),
        "networks swapped": {
            "generator": whole["discriminator"],
            "discriminator": generator,
        },
        "no layers": {
            "generator": {k: v for k, v in generator.items() if k != "layers"}
        },
        "text for e": {"e": "two"},
        "infinite e": {"e": np.inf},
        "no number for e": {"e": np.nan},
        "nothing for e": {"e": np.zeros((0, 0))},
        "complex e": {"e": 2j},
        "e before the first epoch": {"e": -3.0},
        "half an epoch": {"e": 1.5},
        "e beyond all bounds": {"e": 1e300},
        "e that takes gigabytes": {"e": 5e7},
        "a broken stream": {"rng_state": np.arange(10)},
        "a short stream": {"rng_state": state[:624]},
        "a stream beyond its end": {
            "rng_state": np.append(state[:624], np.uint32(10**6))
        },
        "an infinite stream": {"rng_state": np.append(state[:624], np.inf)},
        "a stream of doubles": {"rng_state": state * 1.5},
        "a weight that is no real number": other_generator(w=1j * w),
        "a text for a weight": other_generator(w="text"),
        "a transposed weight": other_generator(w=w.T),
        "a weight that is not finite": other_generator(w=np.full(w.shape, np.inf)),
        "weights that are all zero": other_generator(w=0 * w),
        "a bias of another length": other_generator(b=generator["layers"][1]["b"][:-1]),
        "a broken setting": {"batch_size": 3.5},
        "NaN for a setting": {"learning_rate": np.nan},
        "nothing for a setting": {"images_num": np.zeros((0, 0))},
        "two values for a setting": {"images_num": np.ones(2)},
        "a cell for a setting": {"precision": np.array(["double", 1.0], object)},
        "another word for a setting": {"precision": "half"},
        "text for losses": {"c_loss": "text"},
        "losses of another length": {"c_loss": np.ones((3, 1))},
        "losses of two lengths": {"d_loss": np.ones((19, 1))},
        "one loss of two": {"d_loss": 1.0},
    }.items():
        yield what, whole | variables
    if gan.__name__ == "gan_adam":
        for k, value in (
            *(("t", x) for x in (-1.0, np.nan, np.inf, "two", np.ones(3))),
            *(("beta1", 1.0), ("beta2", 1.5), ("beta2", -0.1)),
            *(("epsilon", np.nan), ("epsilon", -1.0), ("epsilon", np.inf)),
        ):
            yield f"{k} {value}", whole | {"generator": generator | {k: value}}
        yield "a moment of another shape", whole | other_generator(w_m=0.0)
        yield (
            "a moment that is not finite",
            whole | other_generator(w_v=np.full(w.shape, np.nan)),
        )
        layers = generator["layers"][1]
        lacking = {k: v for k, v in layers.items() if k != "b_v"}
        cells = np.empty((1, 3), object)
        cells[0] = [generator["layers"][0], lacking, generator["layers"][2]]
        yield "no b_v", whole | {"generator": generator | {"layers": cells}}


@pytest.mark.usefixtures("small_networks")
def test_other_foreign_files(gan, small_data, tmp_path, capsys):
    """Each lacks something, or has another form: one line, status 2, no traceback."""
    file = small_run(gan, tmp_path)
    capsys.readouterr()
    whole = loadmat(file, simplify_cells=True)
    # made-up images will do here; without a checksum any do
    whole = {k: v for k, v in whole.items() if k[0] != "_" and k != "images_sha256"}
    bad = str(tmp_path / "bad.mat")
    savemat(bad, whole)  # as it is it is accepted: 2 epochs are done
    flags = ["--resume", bad, "--pics", str(tmp_path / "none"), "--data", small_data]
    gan.main(gan.options([*flags, "--epoch", "2"]))
    assert "2 epochs" in capsys.readouterr().err
    for what, variables in foreign_files(gan, whole):
        savemat(bad, variables)
        with pytest.raises(SystemExit) as end:
            gan.main(gan.options(flags))
        said = capsys.readouterr()
        assert end.value.code == 2 and said.out == "", what
        assert said.err.count("\n") == 1 and len(said.err) < 300, what
    # a broken setting is one too where a flag takes its place
    savemat(bad, whole | {"batch_size": 0.0})
    status, said = status_and_output(gan, [*flags, "--batch-size", 32], capsys)
    assert status == 2 and said.err.count("\n") == 1 and "batch_size" in said.err
    # the file is named, not a flag that nobody gave
    for rate in np.nan, np.inf, 0.0, -1.0, "fast", np.ones(2):
        savemat(bad, whole | {"learning_rate": rate})
        status, said = status_and_output(gan, flags, capsys)
        assert status == 2 and said.err.count("\n") == 1
        assert f"--resume {bad}: learning_rate must" in said.err
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("small_networks")
def test_whole_numbers_are_numbers(gan, tmp_path, capsys):
    """MATLAB stores doubles that are whole as bytes, and as such SciPy reads them."""
    file = small_run(gan, tmp_path)
    mat = loadmat(file, simplify_cells=True)
    whole = {k: v for k, v in mat.items() if k[0] != "_"}
    zeros = np.zeros(24, np.uint8)
    savemat(
        tmp_path / "bytes.mat",
        whole | {"generator": with_layer(whole["generator"], b=zeros)},
    )
    opt = gan.options(["--resume", str(tmp_path / "bytes.mat")])
    generator, discriminator = gan.nnsetup([100, 512, 784]), gan.nnsetup([784, 512, 1])
    train_x = gan.load_train_x(opt.data, opt.images_num)
    gan.resume(opt, generator, discriminator, train_x)
    b = generator["layers"][1]["b"]
    assert b.shape == (1, 24) and b.dtype == np.float64 and not b.any()


@pytest.mark.usefixtures("small_networks")
def test_a_workspace_that_says_not_all(gan, tmp_path, capsys):
    """With a stream and one step's losses, as MATLAB leaves them; without settings."""
    file, out = small_run(gan, tmp_path), str(tmp_path / "workspace.mat")
    state = loadmat(file)["rng_state"]
    matlab_workspace(file, out, rng_state=state, c_loss=0.5, d_loss=0.25)
    capsys.readouterr()
    new = str(tmp_path / "new.mat")
    flags = ["--epoch", "3", "--pics", str(tmp_path / "pics")]
    gan.main(
        gan.options(["--resume", out, *flags, *map(str, SMALL), "--checkpoint", new])
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith(gan.__name__)
    for words in "images_num 320", "batch_size 32", "seed 0", "gradient matlab":
        assert words in said
    same = str(tmp_path / "same.mat")
    gan.main(gan.options(["--resume", file, *flags, "--checkpoint", same]))
    assert capsys.readouterr().err == ""
    new, same = loadmat(new), loadmat(same)
    assert np.isnan(new["c_loss"][:20]).all() and new["c_loss"].shape == (30, 1)
    np.testing.assert_array_equal(new["c_loss"][20:], same["c_loss"][20:])
    np.testing.assert_array_equal(new["rng_state"], same["rng_state"])


@pytest.mark.parametrize(
    "head", [b"MATLAB 7.3 MAT-file, Platform", b"\x89HDF\r\n\x1a\n\0\0\0"]
)
def test_v73_files(gan, tmp_path, head, capsys):
    file = tmp_path / "new.mat"
    file.write_bytes(head + bytes(2000))
    for flag in "--resume", "--data":
        status, said = status_and_output(gan, [flag, file], capsys)
        assert (status, said.out) == (2, "")
        assert said.err.count("\n") == 1 and "-v7" in said.err and flag in said.err
