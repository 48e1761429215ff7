"""The programs of this folder, run as a user runs them, and what they compute."""

import inspect
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import DATA, POSIX, ROOT, TESTS, load_tool, run_script
from PIL import Image
from scipy.io import loadmat, savemat

import gan_adam

RECIPES = os.path.join(TESTS, "recipes")
ADAM = pytest.mark.parametrize("golden_run", ["gan_adam"], indirect=True)


@pytest.fixture(scope="module")
def trained(golden_run, small_data, tmp_path_factory):
    """A folder as after a run with --checkpoint run.mat, and some bad input."""
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copy(golden_run.checkpoint, folder / "run.mat")
    shutil.copytree(golden_run.pics, folder / "pics")
    for e in range(3, 13):  # ten more epochs, made up: shuffled names would show
        Image.new("L", (112, 112), e).save(folder / "pics" / f"epoch_{e}_t_100.png")
    # what macOS, a viewer and the user leave there
    for name in "._epoch_1_t_100.png", "Thumbs.db", "epoch_2_t_100 copy.png", "a.png":
        (folder / "pics" / name).write_bytes(b"no picture")
    shutil.copy(small_data, folder / "data.mat")
    (folder / "text").write_bytes(b"")
    (folder / "数.csv").write_bytes(b"1,-2\n3,4\n")
    for name in "samples.mat", "losses.png", "training.gif":  # no file can be there
        (folder / "taken" / name).mkdir(parents=True)
    for name, mode, size in ("small", "L", 28), ("deep", "I;16", 112), ("bad", "L", 0):
        (folder / name).mkdir()
        (folder / name / "epoch_1_t_1.png").write_bytes(b"")
        if size:
            Image.new(mode, (size, size)).save(folder / name / "epoch_1_t_1.png")
    return folder


def output(program, *flags, cwd):
    """What a program of this folder prints in the folder `cwd`, without complaint."""
    end = run_script(f"tests/recipes/{program}", *flags, cwd=cwd)
    assert (end.returncode, end.stderr) == (0, "")
    return end.stdout


# ------------------------------------------------------------------- all the programs


@pytest.mark.parametrize(
    "command, word",
    [
        ("digits ../run.mat --nonsense", "--nonsense"),
        ("digits ../run.mat --count 59", "--count"),
        ("digits ../run.mat --count 10001", "--count"),
        ("digits ../run.mat", "samples.mat"),
        ("digits ../data.mat", "../data.mat"),
        ("losses ../run.mat --nonsense", "--nonsense"),
        ("losses ../run.mat", "losses.png"),
        ("losses ../text", "../text"),
        ("pictures ../pics --nonsense", "--nonsense"),
        ("pictures ../pics", "training.gif"),
        ("pictures ../text", "../text"),
        ("pictures ../taken", "../taken"),
        ("pictures ../small", os.path.join("small", "epoch_1_t_1.png")),
        ("pictures ../deep", os.path.join("deep", "epoch_1_t_1.png")),
        ("pictures ../bad", os.path.join("bad", "epoch_1_t_1.png")),
    ],
)
@ADAM
def test_bad_input(command, word, trained):
    """Status 2, one line with the program's name and the word, nothing written."""
    program, *flags = command.split()
    taken = trained / "taken"
    before = sorted(os.listdir(taken))
    end = run_script(f"tests/recipes/{program}", *flags, cwd=taken)
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr.count("\n") == 1 and word in end.stderr, end.stderr
    assert end.stderr.startswith(f"{program}.py: ")
    assert sorted(os.listdir(taken)) == before


@POSIX
@pytest.mark.parametrize(
    "command",
    ["digits run.mat", "losses run.mat", "pictures pics", "own_table 数.csv --steps=1"],
)
@ADAM
def test_nobody_reads(command, trained, tmp_path, monkeypatch):
    """As with | head: it ends quietly; by a symbolic link, -OO, a name beyond ASCII."""
    program, file, *flags = command.split()
    if program == "losses":
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    (tmp_path / "link.py").symlink_to(os.path.join(RECIPES, f"{program}.py"))
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-OO", "link.py", trained / file, *flags]
    with os.fdopen(writing, "w") as nowhere:
        more = {"stdout": nowhere, "stderr": subprocess.PIPE, "text": True}
        end = subprocess.run(words, cwd=tmp_path, **more)
    assert (end.returncode, end.stderr) == (1, "")


# ------------------------------------------------------------------------- digits.py


def samples_by_hand(file, count):
    """The samples of digits.py, (count, 784), from what the file has."""
    _, *layers = loadmat(file, simplify_cells=True)["generator"]["layers"]
    gan_adam.rng(2026)
    a = gan_adam.unifrnd(-1, 1, count, len(layers[0]["w"]))
    for layer in layers:
        z = a @ layer["w"] + layer["b"]
        a = np.maximum(z, 0)
    return 1 / (1 + np.exp(-z))


@ADAM
def test_digits(trained, tmp_path):
    """Both files are the generator's; all samples are counted, as by hand."""
    said = output("digits", trained / "run.mat", cwd=tmp_path)
    images = loadmat(tmp_path / "samples.mat")["images"]
    by_hand = samples_by_hand(trained / "run.mat", 1000)
    # two processes may round differently
    np.testing.assert_allclose(images, by_hand, rtol=0, atol=1e-12)
    with Image.open(tmp_path / "digits.png") as picture:
        assert picture.size == (12 * 28, 5 * 28)
        for i, j in (0, 0), (1, 1), (4, 11):
            values = 255 * images[12 * i + j].reshape(28, 28).T
            tile = picture.crop((28 * j, 28 * i, 28 * j + 28, 28 * i + 28))
            assert np.abs(np.asarray(tile) - values).max() < 0.51
    rows = [line.split() for line in said.splitlines()[1:]]
    assert [row[0] for row in rows] == list("0123456789")
    found = np.array([int(row[1]) for row in rows])
    assert [len("".join(row[2:])) for row in rows] == (found // 10).tolist()  # bars
    known = gan_adam.load_train_x(DATA, 10000) / 255
    named = load_tool("tests/recipes/digits.py").name_digits(images, known)
    assert found.max() > 500  # after two epochs most are alike
    assert np.abs(found - np.bincount(named, minlength=10)).sum() <= 4  # rounding


@ADAM
def test_digits_of_other_layers_and_images(trained, tmp_path):
    """Layers of the file's sizes; exp that overflows; not counted."""
    saved = loadmat(trained / "run.mat", simplify_cells=True)
    saved = {name: x for name, x in saved.items() if name[0] != "_"}
    saved["images_sha256"] = "0" * 64
    saved["generator"] = gan_adam.nnsetup([5, 12, 15, 784])
    saved["generator"]["layers"][0] = {"a": []}
    saved["generator"]["layers"][-1]["w"] *= 1e7  # exp is Inf above 709
    savemat(tmp_path / "other.mat", saved)
    said = output("digits", "other.mat", "--count", 60, cwd=tmp_path)
    assert "\n0 " not in said and "mnist_uint8.mat" in said
    images = loadmat(tmp_path / "samples.mat")["images"]
    with np.errstate(over="ignore"):
        expected = samples_by_hand(tmp_path / "other.mat", 60)
    # what rounding changes in z is larger with larger weights
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-5)
    assert 0 == images.min() < images.max() == 1
    (tmp_path / "digits.png").unlink()
    (tmp_path / "digits.png").mkdir()
    end = run_script("tests/recipes/digits", "other.mat", cwd=tmp_path)
    assert end.returncode == 2 and end.stderr.startswith("digits.py: digits.png: ")


def test_digits_knows_real_ones():
    """Of a thousand real test digits it names more than nine in ten correctly."""
    images = gan_adam.load_train_x(DATA, 10000) / 255
    test = loadmat(DATA, variable_names=["test_x", "test_y"])
    right = test["test_y"][:1000].argmax(axis=1)  # shuffled: some hundred of each
    rows = test["test_x"][:1000].reshape(-1, 28, 28)
    samples = rows.transpose(0, 2, 1).reshape(-1, 784) / 255  # in MATLAB's pixel order
    named = load_tool("tests/recipes/digits.py").name_digits(samples, images)
    assert named.shape == (1000,) and (named == right).mean() > 0.9


# ----------------------------------------------------------- pictures.py, losses.py


@ADAM
def test_pictures(trained, tmp_path):
    """In the order of the epochs; the first, sixth and eleventh; all 16 samples."""
    said = output("pictures", trained / "pics", cwd=tmp_path)
    assert "12" in said and "3" in said
    with Image.open(tmp_path / "training.gif") as film:
        assert film.n_frames == 12 and film.size == (336, 336)
        assert film.info["loop"] == 0 and film.info["duration"] == 300
        for e in range(3, 13):
            film.seek(e - 1)
            assert abs(film.convert("L").getpixel((5, 5)) - e) <= 1
    with Image.open(trained / "pics" / "epoch_1_t_100.png") as picture:
        rows = np.vsplit(np.array(picture), 4)
    samples = np.hstack([sample for row in rows for sample in np.hsplit(row, 4)])
    others = [np.full((28, 16 * 28), e) for e in (6, 11)]
    with Image.open(tmp_path / "training.png") as picture:
        np.testing.assert_array_equal(picture, np.vstack([samples, *others]))


@ADAM
def test_losses(trained, tmp_path, monkeypatch):
    """Both curves are the checkpoint's, under their names, and are in the picture."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    # a window that cannot be opened, which it must not need
    monkeypatch.setenv("MPLBACKEND", "module://nowhere")
    said = output("losses", trained / "run.mat", cwd=tmp_path)
    assert "200" in said
    with Image.open(tmp_path / "losses.png") as picture:
        assert picture.size == (900, 400)
    losses = load_tool("tests/recipes/losses.py")
    axes = losses.draw(losses.read_losses(str(trained / "run.mat"))).axes[0]
    saved = loadmat(trained / "run.mat")
    assert axes.get_legend() and axes.get_xlabel()
    assert [line.get_label() for line in axes.lines] == ["c_loss", "d_loss"]
    for line in axes.lines:
        assert line.get_xdata().tolist() == list(range(1, 201))
        assert line.get_ydata().tolist() == saved[line.get_label()].ravel().tolist()


def test_what_losses_refuses(monkeypatch, capsys):
    """A workspace of MATLAB's, which has the last losses alone; no matplotlib."""
    losses = load_tool("tests/recipes/losses.py")
    made_up = {"c_loss": np.array([math.nan, 1, 2]), "d_loss": np.array([1, 2, 3])}
    monkeypatch.setattr(losses, "read_checkpoint", lambda file: made_up)
    assert losses.read_losses("run.mat") == made_up
    made_up["c_loss"][1] = math.nan
    with pytest.raises(SystemExit):
        losses.read_losses("run.mat")
    assert "run.mat: c_loss" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SystemExit):
        losses.draw(made_up)
    assert "pip install matplotlib" in capsys.readouterr().err


# ------------------------------------------------------------------- matlab_random.py


@pytest.fixture
def matlab():
    """The file as a module, anew."""
    return load_tool("tests/recipes/matlab_random.py")


def test_generator_is_word_for_word(matlab):
    """gan_adam.py's, but for names; tests/numerics/test_random.py has its numbers."""
    renamed = {"rng": "seed_stream", "rand": "uniform_matrix", "randn": "normal_matrix"}
    for name in [*renamed, "uniform_numbers", "next_uniform", "tail"]:
        new = renamed.get(name, name)
        expected = inspect.getsource(getattr(gan_adam, name))
        expected = expected.replace(f"def {name}(", f"def {new}(")
        expected = expected.replace('f"{HERE}/data/randn_edges.txt"', "edges_file()")
        assert inspect.getsource(getattr(matlab, new)) == expected, name


def test_a_copy_needs_its_table_alone(tmp_path):
    """Beside it, as MATLAB; without it, the file is named. NumPy is all it imports."""
    shutil.copy(os.path.join(RECIPES, "matlab_random.py"), tmp_path)
    code = "import sys; from matlab_random import *; rng(0); print(randn()); "
    code += "assert not {'scipy', 'PIL', 'matplotlib'} & {*sys.modules}"
    command = [sys.executable, "-c", code]
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert end.returncode == 1 and str(tmp_path / "randn_edges.txt") in end.stderr
    shutil.copy(os.path.join(ROOT, "data", "randn_edges.txt"), tmp_path)
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert end.stdout.startswith("0.537667139546") and end.returncode == 0


def draw(matlab, call, seed=5):
    """What a call such as rand(2, 3) gives after rng(seed)."""
    matlab.rng(seed)
    return eval(call, {**vars(matlab), "np": np, "nan": math.nan, "inf": math.inf})


SIZES = """3: 3, 3; [3]: 3, 3; 2, 3: 2, 3; [2, 3]: 2, 3; (2, 3): 2, 3; 1: 1, 1;
    np.array([2, 3]): 2, 3; 2, np.int64(3): 2, 3; 2, 3, 4: 2, 3, 4; 0: 0, 0;
    2, 3, 1, 1: 2, 3; -2, 3: 0, 3; 3, -1: 3, 0; -1: 0, 0; []: 0, 0"""


@pytest.mark.parametrize(
    "start", ["rand(", "randn(", "randi(7, ", "unifrnd(-3, 0.7, ", "normrnd(2, 0.3, "]
)
def test_sizes(matlab, start):
    """Every form of a size gives the script's numbers, column by column."""

    def script(m, n):
        if "randi" in start:  # the script has none
            return 1 + np.floor(7 * draw(gan_adam, f"rand({m}, {n})"))
        return draw(gan_adam, f"{start}{m}, {n})")

    for form in SIZES.split(";"):
        size, shape = form.split(": ")
        shape = tuple(map(int, shape.split(",")))
        x = draw(matlab, f"{start}{size.strip()})")
        expected = script(shape[0], math.prod(shape[1:])).reshape(shape, order="F")
        assert x.shape == shape and x.flags.f_contiguous
        np.testing.assert_array_equal(x, expected)
        # no more numbers were drawn than these
        assert matlab.rand() == gan_adam.rand(1, 1)
    number = draw(matlab, f"{start.removesuffix(', ')})")
    assert type(number) in (int, float) and number == script(1, 1)[0, 0]


BAD_CALLS = {
    "rand({})": """2.5; "single"; 2, 3, "single"; [2, 3], 4; [[2, 3]]; nan; None; 2j""",
    "unifrnd({})": "'a', 1; [1, 2], 3; 1, 2j; 2, 1",
    "normrnd({})": "'a', 1; 3, [1, 2]; np.zeros(2), 3; 1, 2j; 0, -1",
    "randi({})": """0; [2, 1]; 2.5; [1.5, 3]; [1, 2, 3]; 'a'; inf; nan; []; 2**53;
        [-2**52, 2**52 - 1]""",
    "randperm({})": "-1; 2.5; 'a'; [1, 2]; nan",
    "rng({})": """-1; 2**32; 1.5; 'shuffle'; [1, 2]; nan; 0, 'philox';
        {'Type': 'philox'}; {'Type': 'twister'}; np.zeros(2); np.array(5);
        np.zeros((2, 1), [('Type', object)]); rng() | {'Type': 'v5uniform'};
        rng() | {'State': rng()['State'][1:]}; rng() | {'State': [0] * 624 + [624]};
        rng() | {'State': np.append(rng()['State'][:-1], 625)};
        rng() | {'State': rng()['State'] - 0.5}; rng() | {'Seed': -1};
        rng() | {'State': rng()['State'] + 2.0**32}; rng() | {'Seed': 2**32};
        rng() | {'State': rng()['State'].astype(str)}; rng() | {'Seed': nan}""",
}


@pytest.mark.parametrize("call", BAD_CALLS)
def test_refused_calls(matlab, call):
    """TypeError or ValueError; the stream is as before."""
    expected = str(draw(matlab, "rng()"))
    for arguments in BAD_CALLS[call].split(";"):
        with pytest.raises((TypeError, ValueError)):
            draw(matlab, call.format(arguments.strip()))
        assert str(matlab.rng()) == expected


def test_edges(matlab):
    """randi has its whole range and nothing beyond; randperm(n) is a row."""
    x = draw(matlab, "randi([5, 9], 100, 20)")
    np.testing.assert_array_equal(x, 5 + np.floor(draw(matlab, "rand(100, 20)") * 5))
    assert x.dtype.kind == "i"
    assert matlab.randi(1) == 1 and matlab.randi([-4, -4]) == -4
    assert draw(matlab, "randperm(8)", 0).tolist() == [[6, 3, 7, 8, 5, 1, 2, 4]]
    assert matlab.randperm(0).shape == (1, 0) and matlab.randperm(1).tolist() == [[1]]
    assert matlab.unifrnd(3, 3) == 3 and matlab.normrnd(3, 0) == 3
    for name in "unifrnd", "normrnd":  # all digits of a double
        expected = draw(matlab, f"{name}(-0.10000000149011612, 0.699999988079071)")
        found = draw(matlab, f"{name}(np.float32(-0.1), np.float32(0.7))")
        assert float(found) == expected


def test_state_comes_back(matlab, tmp_path):
    """rng(s) goes on from s, also as loadmat gives it; drawing does not change s."""
    matlab.rng(77)
    for drawn in 0, 1, 311, 312, 1000:
        matlab.randn(1, drawn)
        s = matlab.rng()
        assert s["Type"] == "twister" and s["Seed"] == 77
        assert s["State"].dtype == np.uint32 and s["State"].shape == (625, 1)
        savemat(tmp_path / "s.mat", {"s": s, "double": s | {"Seed": 77.0}})
        saved = loadmat(tmp_path / "s.mat")
        simple = loadmat(tmp_path / "s.mat", simplify_cells=True)["s"]
        expected = matlab.randn(1, 500).tolist()
        for state in s, saved["s"], saved["double"], saved["s"][0, 0], simple:
            matlab.rng(1)
            matlab.rng(state)
            assert matlab.rng()["Seed"] == 77
            assert matlab.randn(1, 500).tolist() == expected


def test_rng(matlab):
    """It starts as a fresh MATLAB; rng returns the state of before."""
    fresh = matlab.rng()
    start = matlab.rand(1, 9).tolist()
    for seed in [0], ["default"], [0, "twister"], [fresh], [np.uint8(0)]:
        matlab.rng(3)
        matlab.rand(3)
        before = matlab.rng(*seed)
        assert before["Seed"] == 3 and before["State"][624, 0] == 18
        assert matlab.rng()["Seed"] == 0 and matlab.rand(1, 9).tolist() == start
    matlab.rng(2**32 - 1)
    assert matlab.rand(1, 9).tolist() != start
