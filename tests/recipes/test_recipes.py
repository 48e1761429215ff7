"""The programs of this folder, run as a user runs them, and what they compute."""

import ast
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import DATA, OCTAVE, ROOT, TESTS, load_tool, octave
from PIL import Image
from scipy.io import loadmat, savemat

import gan_adam

RECIPES = os.path.join(TESTS, "recipes")
PROGRAMS = ["digits", "pictures", "losses", "matlab_random"]
ADAM = pytest.mark.parametrize("golden_run", ["gan_adam"], indirect=True)
with open(os.path.join(TESTS, "matlab", "matlab_numbers.json"), encoding="utf-8") as f:
    SAVED = json.load(f)


@pytest.fixture(scope="module")
def trained(golden_run, tmp_path_factory):
    """A folder as after a run with --checkpoint run.mat: that file, and ./pics."""
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copy(golden_run.checkpoint, folder / "run.mat")
    shutil.copytree(golden_run.pics, folder / "pics")
    # ten more epochs, made up: shuffled names would show
    for e in range(3, 13):
        grid = Image.new("L", (112, 112), e)
        grid.save(folder / "pics" / f"epoch_{e}_t_100.png")
    # what macOS, a viewer and the user leave there
    for name in "._epoch_1_t_100.png", "Thumbs.db", "epoch_2_t_100 copy.png", "a.png":
        (folder / "pics" / name).write_bytes(b"no picture")
    return folder


def run_program(program, *flags, cwd, more_path=""):
    """Run a program of this folder in the folder `cwd`; the finished process."""
    command = [sys.executable, "-W", "error", program, *map(str, flags)]
    env = {**os.environ, "PYTHONPATH": more_path}
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=170
    )


def output(name, *flags, cwd):
    """What a program of this folder prints; it must not complain."""
    end = run_program(os.path.join(RECIPES, f"{name}.py"), *flags, cwd=cwd)
    assert (end.returncode, end.stderr) == (0, "")
    return end.stdout


def assert_refused(name, flags, words, cwd, more_path=""):
    """Status 2, one line with all the words, nothing printed, nothing written."""
    before = sorted(os.listdir(cwd))
    program = os.path.join(RECIPES, f"{name}.py")
    end = run_program(program, *flags, cwd=cwd, more_path=more_path)
    assert (end.returncode, end.stdout) == (2, ""), end.stderr
    assert end.stderr.count("\n") == 1 and end.stderr.split(".py: ")[0] in (
        name,
        "gan_adam",
        "gan_mbgd",
    )
    assert all(word in end.stderr for word in words), end.stderr
    assert sorted(os.listdir(cwd)) == before


# ------------------------------------------------------------------- all the programs


@pytest.mark.parametrize("name", PROGRAMS)
def test_help(name, tmp_path):
    """--help is the docstring, with its lines, and the flags."""
    with open(os.path.join(RECIPES, f"{name}.py"), encoding="utf-8") as f:
        doc = ast.get_docstring(ast.parse(f.read()))
    said = output(name, "--help", cwd=tmp_path)
    assert doc in said and "usage" in said and not os.listdir(tmp_path)


@pytest.mark.parametrize("name", PROGRAMS)
def test_unknown_flags(name, tmp_path):
    assert_refused(name, ["a", "--nonsense"], ["--nonsense", "see --help"], tmp_path)


@pytest.mark.parametrize("name", PROGRAMS[:3])
def test_missing_input(name, tmp_path):
    assert_refused(name, [], ["see --help"], tmp_path)
    assert_refused(name, ["not_here"], ["not_here", "cannot be read"], tmp_path)


@ADAM
def test_bad_input(trained, small_data, tmp_path):
    run = trained / "run.mat"
    shutil.copy(trained / "pics" / "epoch_1_t_100.png", tmp_path / "file")
    for flags, words in (
        ([run, "--count", 0], ["--count", "1..10000"]),
        ([run, "--count", 10001], ["--count", "1..10000"]),
        ([run, "--seed", -1], ["--seed", "0..4294967295"]),
        ([run, "--out", "file"], ["--out file", "not a folder"]),
        ([run, "--out", "file/out"], ["--out file/out", "cannot be made"]),
        ([run, "--data", "nowhere.mat"], ["nowhere.mat", "cannot be read"]),
        ([run, "--data", small_data], [small_data, "320"]),
        ([small_data], [small_data, "no struct generator"]),
        ([tmp_path / "file"], ["file", "-v7"]),
    ):
        assert_refused("digits", flags, words, tmp_path)
    for name in "digits", "losses":
        assert_refused(name, [small_data], [small_data], tmp_path)
    savemat(tmp_path / "last.mat", {"c_loss": 0.5, "d_loss": 0.25})
    assert_refused("losses", ["last.mat"], ["two steps"], tmp_path)
    assert_refused("pictures", ["."], ["has no pictures"], tmp_path)
    pics = tmp_path / "pics"
    pics.mkdir()
    for size, words in ((28, 28), ["28 x 28"]), (None, ["can be read"]):
        picture = pics / "epoch_1_t_1.png"
        picture.write_bytes(b"")
        if size:
            Image.new("L", size).save(picture)
        assert_refused("pictures", ["pics"], words, tmp_path)


def test_data_without_labels(golden_run, tmp_path):
    """The images alone are enough for training and samples, not for counting."""
    images = loadmat(DATA, variable_names=["train_x"])["train_x"][:6000]
    savemat(tmp_path / "images.mat", {"train_x": images})
    flags = [golden_run.checkpoint, "--data", "images.mat", "--count", 30]
    said = output("digits", *flags, cwd=tmp_path).splitlines()
    assert said == [
        "digits.png: 24 digits; samples.mat: 30",
        "images.mat has no train_y, so no digits are counted",
    ]
    by_hand = samples_by_hand(golden_run.gan, golden_run.checkpoint, 30)
    found = loadmat(tmp_path / "samples.mat")["images"]
    np.testing.assert_allclose(found, by_hand, rtol=0, atol=1e-12)
    savemat(tmp_path / "images.mat", {"train_x": images, "train_y": np.ones((5, 2))})
    assert_refused("digits", flags, ["images.mat", "train_y"], tmp_path)


# ------------------------------------------------------------------------- digits.py


def samples_by_hand(gan, checkpoint, count=1000, seed=2026):
    """The samples of digits.py, (count, 784)."""
    opt = gan.options(["--resume", str(checkpoint)])
    generator = gan.nnsetup([100, 512, 784])
    discriminator = gan.nnsetup([784, 512, 1])
    train_x = gan.load_train_x(opt.data, opt.images_num)
    gan.resume(opt, generator, discriminator, train_x)
    gan.rng(seed)
    noise = gan.unifrnd(-1, 1, count, 100)
    return gan.nnff(generator, noise)["layers"][-1]["a"]


def counts(out):
    """What digits.py printed, (10,), after it named its files."""
    files, *lines = out.splitlines()
    assert files.startswith("digits.png: ") and "; samples.mat: " in files
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows] == list("0123456789")
    found = np.array([int(row[1]) for row in rows])
    bars = [len(row[2]) if len(row) > 2 else 0 for row in rows]
    assert bars == (100 * found // found.sum()).tolist()
    return found


def test_digits(golden_run, trained):
    """Both files are the generator's; all samples are counted, as by hand."""
    found = counts(output("digits", "run.mat", cwd=trained))
    by_hand = samples_by_hand(golden_run.gan, trained / "run.mat")
    with Image.open(trained / "digits.png") as digits:
        assert digits.size == (12 * 28, 5 * 28) and digits.getextrema()[1] > 100
        value = int(255 * by_hand[13, 2 * 28 + 5] + 0.5)
        assert abs(digits.getpixel((28 + 2, 28 + 5)) - value) <= 1
    images = loadmat(trained / "samples.mat")["images"]
    assert images.shape == (1000, 784) and images.dtype == np.float64
    # two processes may round differently
    np.testing.assert_allclose(images, by_hand, rtol=0, atol=1e-12)
    # no two are the same
    assert images.max() > 0.4 and np.ptp(images, axis=0).max() > 0.01
    assert found.sum() == 1000
    train_x = gan_adam.load_train_x(DATA, 10000) / 255
    train_y = loadmat(DATA)["train_y"][:10000]
    nearest = np.zeros(10, int)
    for sample in by_hand[::50]:
        five = np.argsort(((train_x - sample) ** 2).sum(axis=1))[:5]
        nearest[train_y[five].sum(axis=0).argmax()] += 1
    # after two epochs most are alike
    assert found.max() > 500 and found.argmax() == nearest.argmax()


@ADAM
def test_digits_flags(golden_run, tmp_path):
    """--count, --seed, --out and --data do what their help says."""
    by_hand = samples_by_hand(gan_adam, golden_run.checkpoint, 7, 3)
    shutil.copy(DATA, tmp_path / "own.mat")
    flags = ["--count", 7, "--seed", 3, "--out", "a/b", "--data", "own.mat"]
    out = output("digits", golden_run.checkpoint, *flags, cwd=tmp_path)
    assert counts(out).sum() == 7
    assert sorted(os.listdir(tmp_path)) == ["a", "own.mat"]
    images = loadmat(tmp_path / "a" / "b" / "samples.mat")["images"]
    np.testing.assert_allclose(images, by_hand, rtol=0, atol=1e-12)
    with Image.open(tmp_path / "a" / "b" / "digits.png") as digits:
        assert digits.size == (7 * 28, 28)


def test_digits_of_other_layer_sizes(tmp_path):
    """Those of the checkpoint, for noise of another width too."""
    gan_adam.rng(1)
    generator = gan_adam.nnsetup([5, 12, 15, 784])
    discriminator = gan_adam.nnsetup([784, 9, 1])
    flags = ["--images-num", "60", "--checkpoint", str(tmp_path / "run.mat")]
    opt = gan_adam.options(flags)
    checksum = gan_adam.checksum_of(gan_adam.load_train_x(DATA, 60))
    gan_adam.save_checkpoint(opt, 0, generator, discriminator, [], [], checksum)
    output("digits", "run.mat", "--count", 30, cwd=tmp_path)
    images = loadmat(tmp_path / "samples.mat")["images"]
    gan_adam.rng(2026)
    noise = gan_adam.unifrnd(-1, 1, 30, 5)
    by_hand = gan_adam.nnff(generator, noise)["layers"][-1]["a"]
    np.testing.assert_allclose(images, by_hand, rtol=0, atol=1e-12)
    # no images of 28 x 28
    table = gan_adam.nnsetup([5, 12, 4])
    opt = gan_adam.options([*flags[:3], str(tmp_path / "table.mat")])
    gan_adam.save_checkpoint(opt, 0, table, discriminator, [], [], checksum)
    assert_refused("digits", ["table.mat"], ["table.mat", "28x28"], tmp_path)


@pytest.mark.parametrize("name", ["digits", "pictures", "losses"])
def test_nobody_reads_the_output(name, trained, tmp_path):
    """As with | head: it ends quietly."""
    if name == "losses":
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    file = "pics" if name == "pictures" else "run.mat"
    command = [sys.executable, os.path.join(RECIPES, f"{name}.py"), trained / file]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nowhere:
        end = subprocess.run(
            command, cwd=tmp_path, stdout=nowhere, stderr=subprocess.PIPE, text=True
        )
    assert (end.returncode, end.stderr) == (1, "")


@ADAM
@OCTAVE
def test_digits_in_octave(golden_run, tmp_path):
    """reshape(images(1,:), 28, 28) is the first digit of the picture."""
    output("digits", golden_run.checkpoint, "--count", 12, cwd=tmp_path)
    I = "load('samples.mat'); I = reshape(images(1,:), 28, 28);"
    octave(f"{I} save('-v7', 'I.mat', 'I')", tmp_path)
    I = loadmat(tmp_path / "I.mat")["I"]
    with Image.open(tmp_path / "digits.png") as picture:
        grey = np.asarray(picture).astype(float)[:, :28]
    assert np.abs(255 * I - grey).max() < 0.51 and np.abs(255 * I.T - grey).max() > 20


def test_digits_knows_real_ones():
    """Of a thousand real test digits it names nine in ten correctly."""
    digits = load_tool("tests/recipes/digits.py")
    images, labels = digits.load_known(gan_adam, DATA)
    test = loadmat(DATA, variable_names=["test_x", "test_y"])
    right = test["test_y"].argmax(axis=1)
    these = np.arange(1000)  # shuffled, so some hundred of each
    assert np.bincount(right[these]).min() > 80
    # in MATLAB's pixel order
    rows = test["test_x"][these].reshape(-1, 28, 28)
    samples = rows.transpose(0, 2, 1).reshape(-1, 784) / 255
    # more than a thousand are named in two parts
    samples = np.concatenate([samples, samples[:300]])
    these = np.concatenate([these, these[:300]])
    named = digits.name_digits(samples, images, labels)
    assert named.shape == (1300,)
    for part in slice(0, 1000), slice(1000, 1300):
        assert (named[part] == right[these[part]]).mean() > 0.9


# ----------------------------------------------------------- pictures.py, losses.py


@ADAM
def test_pictures(trained):
    out = output("pictures", "pics", cwd=trained)
    assert out == "pictures in training.gif: 12\nrows in training.png: 3\n"
    with Image.open(trained / "training.gif") as film:
        assert film.n_frames == 12 and film.size == (336, 336)
        assert film.info["loop"] == 0 and film.info["duration"] == 300
        for e in range(3, 13):  # in the order of the epochs
            film.seek(e - 1)
            assert abs(film.convert("L").getpixel((5, 5)) - e) <= 1
    with Image.open(trained / "training.png") as picture:
        sheet = picture.copy()
    assert sheet.size == (16 * 28, 3 * 28)  # epochs 1, 6 and 11
    assert [sheet.getpixel((100, 28 * r + 9)) for r in (1, 2)] == [6, 11]
    with Image.open(trained / "pics" / "epoch_1_t_100.png") as picture:
        grid = picture.copy()
    for sample in range(16):
        left, top = sample % 4 * 28, sample // 4 * 28
        ours = sheet.crop((sample * 28, 0, sample * 28 + 28, 28))
        assert ours.tobytes() == grid.crop((left, top, left + 28, top + 28)).tobytes()


@ADAM
def test_pictures_of_octave(trained, tmp_path):
    """Its imwrite makes 16 bits of what is 8 bits in MATLAB."""
    with Image.open(trained / "pics" / "epoch_1_t_100.png") as picture:
        grid = np.asarray(picture)
    wide = Image.fromarray(grid.astype(np.uint16) * 257)
    wide.save(tmp_path / "epoch_1_t_100.png")
    output("pictures", ".", "--out", "wide", cwd=tmp_path)
    output("pictures", trained / "pics", "--out", "usual", cwd=tmp_path)
    with Image.open(tmp_path / "wide" / "training.png") as picture:
        row = picture.crop((0, 0, 448, 28)).tobytes()
    with Image.open(tmp_path / "usual" / "training.png") as picture:
        assert row == picture.crop((0, 0, 448, 28)).tobytes()


@ADAM
def test_pictures_of_one_epoch(trained, tmp_path):
    """The folder may be called by any path, and --out makes its own."""
    pics = tmp_path / "pics"
    pics.mkdir()
    shutil.copy(trained / "pics" / "epoch_1_t_100.png", pics)
    out = output("pictures", pics, "--out", "film", cwd=tmp_path)
    assert out == "pictures in training.gif: 1\nrows in training.png: 1\n"
    assert sorted(os.listdir(tmp_path / "film")) == ["training.gif", "training.png"]


def test_losses(trained):
    """Both curves are the checkpoint's, under their names, and are in the picture."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    assert output("losses", "run.mat", cwd=trained) == "steps in losses.png: 200\n"
    losses = load_tool("tests/recipes/losses.py")
    figure = losses.draw(losses.read_losses(str(trained / "run.mat")))
    run = loadmat(trained / "run.mat")
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == ["c_loss", "d_loss"]
    for line in lines:
        assert line.get_xdata().tolist() == list(range(1, 201))
        assert line.get_ydata().tolist() == run[line.get_label()].ravel().tolist()
    with Image.open(trained / "losses.png") as picture:
        assert picture.size == (900, 400)
        colours = {colour[:3] for _, colour in picture.getcolors(10**6)}
    # a blue and an orange, the curves' colours, however thin the lines
    assert any(b > r + 60 for r, _, b in colours)
    assert any(r > b + 60 for r, _, b in colours)


@ADAM
def test_losses_without_matplotlib(trained, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError", encoding="ascii")
    words = ["matplotlib", "python -m pip install matplotlib"]
    run = trained / "run.mat"
    assert_refused("losses", [run], words, tmp_path, more_path=str(tmp_path))


# ------------------------------------------------------------------- matlab_random.py


@pytest.fixture
def matlab():
    """The file as a module, anew."""
    return load_tool("tests/recipes/matlab_random.py")


def functions(path):
    """The text of each function in a file, by name, from def on."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    nodes = [x for x in ast.parse(text).body if isinstance(x, ast.FunctionDef)]
    return {node.name: ast.get_source_segment(text, node) for node in nodes}


def test_generator_is_word_for_word():
    """The generator's functions are gan_adam.py's, but for three names and a path."""
    original = functions(os.path.join(ROOT, "gan_adam.py"))
    path = os.path.join(RECIPES, "matlab_random.py")
    copy = functions(path)
    renamed = {"rng": "seed_stream", "rand": "uniform_matrix", "randn": "normal_matrix"}
    same = ["uniform_numbers", "next_uniform", "tail", "read_edges"]
    for name in [*renamed, *same]:
        new = renamed.get(name, name)
        text = original[name].replace(f"def {name}(", f"def {new}(", 1)
        if name == "read_edges":
            there = 'f"{HERE}/data/randn_edges.txt"'
            assert text.count(there) == 1
            text = text.replace(there, "edges_file()")
        assert copy[new] == text, name
    with open(path, encoding="utf-8") as f:
        ours = f.read().splitlines()
    with open(os.path.join(ROOT, "gan_adam.py"), encoding="utf-8") as f:
        theirs = f.read().splitlines()
    stream = [x for x in theirs if x.startswith("stream = ")]
    assert len(stream) == 1 and stream[0] in ours


def test_numpy_alone():
    """It imports the standard library and numpy."""
    with open(os.path.join(RECIPES, "matlab_random.py"), encoding="utf-8") as f:
        tree = ast.parse(f.read())
    names = set()
    for node in ast.walk(tree):
        assert not isinstance(node, ast.ImportFrom)
        if isinstance(node, ast.Import):
            names |= {x.name for x in node.names}
    assert names - set(sys.stdlib_module_names) == {"numpy"}


def test_self_check(tmp_path):
    """Beside its table it says equal; beside another one different, or a line."""
    said = output("matlab_random", cwd=tmp_path)
    assert said.splitlines()[-1] == "equal"
    for text in "0.8147 0.9058 0.1270", "0.5377 1.8339 -2.2588", "6 3 5 1 2 4":
        assert said.count(f"MATLAB {text}  here {text}\n") == 1
    program = str(tmp_path / "matlab_random.py")
    shutil.copy(os.path.join(RECIPES, "matlab_random.py"), program)
    end = run_program(program, cwd=tmp_path)
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr.count("\n") == 1 and "randn_edges.txt must be" in end.stderr
    table = tmp_path / "randn_edges.txt"
    shutil.copy(os.path.join(ROOT, "data", "randn_edges.txt"), table)
    end = run_program(program, cwd=ROOT)
    assert (end.returncode, end.stdout, end.stderr) == (0, said, "")
    lines = table.read_text(encoding="ascii").splitlines()
    numbers = [k for k, line in enumerate(lines) if line[0] != "%"]
    for k in numbers[1:]:
        lines[k] = f"{float(lines[k]) * 1.01:.15f}"
    table.write_text("\n".join(lines), encoding="ascii")
    end = run_program(program, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (1, "")
    assert end.stdout.splitlines()[-1] == "different"
    table.write_text("1\n2\n", encoding="ascii")
    end = run_program(program, cwd=tmp_path)
    assert end.returncode == 2 and "257 edges" in end.stderr


def known(name):
    """The numbers of one_stream_2808 of that name, (m, n)."""
    for found, shape, values in SAVED["one_stream_2808"]["values"]:
        if found == name:
            numbers = [float.fromhex(x) for x in values]
            return np.reshape(numbers, shape, order="F")
    raise AssertionError(name)


def assert_equal(found, name):
    """All numbers are MATLAB's to the bit; a number alone is a Python number."""
    expected = known(name)
    if not isinstance(found, np.ndarray):
        assert type(found) in (int, float) and expected.shape == (1, 1)
        found = np.array([[found]])
    assert found.shape == expected.shape, name
    assert found.flags.f_contiguous
    np.testing.assert_array_equal(found, expected, err_msg=name)


def test_one_stream_of_matlab(matlab):
    """rng(2808), then every function in MATLAB's own call forms."""
    names = [x[0] for x in SAVED["one_stream_2808"]["values"]]
    matlab.rng(2808)
    calls = {
        "randn": [
            lambda: matlab.randn(),
            lambda: matlab.randn(3, 2),
            lambda: matlab.randn([5, 1]),
        ],
        "rand": [
            lambda: matlab.rand(),
            lambda: matlab.rand((2, 4)),
            lambda: matlab.rand(4, 1),
        ],
        "normal": [
            lambda: matlab.normrnd(0, 1),
            lambda: matlab.normrnd(2, 0.5, 3, 2),
        ],
        "uniform": [
            lambda: matlab.unifrnd(-1, 1),
            lambda: matlab.unifrnd(0, 5, [2, 3]),
        ],
        "randi": [
            lambda: matlab.randi(10),
            lambda: matlab.randi(100, 3),
        ],
        "randperm": [lambda: matlab.randperm(10)],
    }
    for name in names:
        if name == "normal_1":
            matlab.rand(1, 18)  # MATLAB: poissrnd, which takes as many pairs
        assert_equal(calls[name.split("_")[0]].pop(0)(), name)
    assert len(names) == 13 and not any(calls.values())


def test_many_normal_numbers_of_matlab(matlab):
    """The 1000 and the 51,000, known by their checksums; the latter in three sizes."""
    matlab.rng(1234)
    x = matlab.randn(1, 1000)
    sha256 = hashlib.sha256(x.astype("<f8").tobytes(order="F")).hexdigest()
    assert sha256 == SAVED["floridyn"]["sha256"]
    matlab.rng(0)
    y = matlab.randn(100, 10)[:, None, :] + matlab.randn(100, 50, 10)
    sha256 = hashlib.sha256(y.astype("<f8").tobytes(order="F")).hexdigest()
    assert sha256 == SAVED["ccnorm"]["sha256"]


@pytest.mark.parametrize("name", ["rand", "randn", "randi", "unifrnd", "normrnd"])
def test_sizes(matlab, name):
    """Every form of a size gives the same numbers in MATLAB's order."""
    first = {"randi": [7], "unifrnd": [-1, 1], "normrnd": [2, 3]}.get(name, [])

    def draw(*sizes):
        matlab.rng(5)
        return getattr(matlab, name)(*first, *sizes)

    column = draw(24, 1)
    assert column.shape == (24, 1) and len(np.unique(column)) > 4
    for sizes, shape in (
        ((3,), (3, 3)),
        (([3],), (3, 3)),
        ((2, 3), (2, 3)),
        (([2, 3],), (2, 3)),
        ((np.array([[2, 3]]),), (2, 3)),
        ((2.0, np.int64(3)), (2, 3)),
        ((1,), (1, 1)),
        ((1, 1), (1, 1)),
        ((2, 3, 4), (2, 3, 4)),
        ((2, 3, 1, 1), (2, 3)),
        ((-2, 3), (0, 3)),
        ((3, -1), (3, 0)),
        ((-1,), (0, 0)),
        ((0,), (0, 0)),
        (([],), (0, 0)),
    ):
        x = draw(*sizes)
        assert x.shape == shape and x.flags.f_contiguous, sizes
        expected = column[: x.size, 0].tolist()
        assert x.ravel(order="F").tolist() == expected
        # no more numbers were drawn than these
        after = matlab.rand()
        if name != "randn" and name != "normrnd":
            matlab.rng(5)
            matlab.rand(1, x.size)
            assert matlab.rand() == after
    number = draw()
    assert type(number) in (int, float) and number == column[0, 0]
    state = matlab.rng()["State"].tolist()
    for sizes in (
        (2.5,),
        ("single",),
        (2, 3, "single"),
        ([2, 3], 4),
        (math.nan,),
        (2, math.inf),
        (2, [3, 4]),
        (None,),
        (2j,),
    ):
        with pytest.raises(ValueError, match=f"{name}: a size must be whole numbers"):
            getattr(matlab, name)(*first, *sizes)
    assert matlab.rng()["State"].tolist() == state


def test_rng_gives_the_state_before(matlab):
    """before = rng(0); ...; rng(before), as in MATLAB."""
    matlab.rng(7)
    before = matlab.rng(0)
    assert before["Seed"] == 7 and before["State"][624] == 624
    matlab.rand(3)
    used = matlab.rng(before)
    assert used["Seed"] == 0 and used["State"][624] == 18
    drawn = matlab.rand(2)
    matlab.rng("default")
    matlab.rng(7)
    np.testing.assert_array_equal(drawn, matlab.rand(2))


def test_one_number_in_an_array_is_a_number(matlab):
    """[5] is 5, and so is a 1 x 1 matrix that loadmat read."""
    for one in [5], np.array([[5]]), np.array([[5.0]]):
        matlab.rng(one)
        found = [matlab.randperm(one), matlab.rand(one, [3]), matlab.randn(2, one)]
        matlab.rng(5)
        expected = [matlab.randperm(5), matlab.rand(5, 3), matlab.randn(2, 5)]
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_array_equal(x, y)


def test_randi(matlab):
    """Whole numbers of the whole range, and nothing beyond it."""
    matlab.rng(3)
    u = matlab.rand(100, 20)
    matlab.rng(3)
    x = matlab.randi([5, 9], 100, 20)
    np.testing.assert_array_equal(x, 5 + np.floor(u * 5))
    assert x.dtype.kind == "i" and set(x.ravel().tolist()) == {5, 6, 7, 8, 9}
    assert set(matlab.randi([-1, 1], 9).ravel().tolist()) == {-1, 0, 1}
    assert matlab.randi(1) == 1 and type(matlab.randi([4, 4])) is int
    for limits in 0, [2, 1], 2.5, [1, 2, 3], "a", math.inf, math.nan, 2**53, []:
        with pytest.raises(ValueError, match="randi: "):
            matlab.randi(limits)


def test_randperm(matlab):
    """A row; randperm(n, k) and what is no number of things are refused."""
    matlab.rng(0)
    assert matlab.randperm(8).tolist() == [[6, 3, 7, 8, 5, 1, 2, 4]]
    assert matlab.randperm(0).shape == (1, 0) and matlab.randperm(1).tolist() == [[1]]
    with pytest.raises(ValueError, match=r"randperm\(n, k\) is not covered"):
        matlab.randperm(5, 2)
    for n in -1, 2.5, "a", [1, 2], math.nan:
        with pytest.raises(ValueError, match="n must be a whole number"):
            matlab.randperm(n)


def test_parameters(matlab):
    """Illegal ones give NaN and take their numbers all the same; arrays go by place."""
    for draw, legal, illegal in (
        (matlab.unifrnd, (1, 2), (2, 1)),
        (matlab.normrnd, (0, 1), (0, -1)),
    ):
        matlab.rng(4)
        assert np.isnan(draw(*illegal, 2, 3)).all() and math.isnan(draw(*illegal))
        after = matlab.rand()
        matlab.rng(4)
        assert not np.isnan(draw(*legal, 2, 3)).any() and draw(*legal) is not None
        assert matlab.rand() == after
        assert math.isnan(draw(math.nan, 1))
        with pytest.raises(ValueError, match="real numbers"):
            draw("a", 1)
        for sizes in (), (3, 3):
            with pytest.raises(ValueError, match="do not fit"):
                draw([1, 2], [1, 2, 3], *sizes)
    assert math.isnan(matlab.unifrnd(-math.inf, math.inf))
    assert matlab.unifrnd(3, 3) == 3 and matlab.normrnd(3, 0) == 3
    matlab.rng(6)
    x = matlab.randn(2, 2)
    u = matlab.rand(1, 3)
    matlab.rng(6)
    sigma = np.array([[1.0, 2.0], [-1.0, 4.0]])
    y = matlab.normrnd(5, sigma)
    assert math.isnan(y[1, 0])
    np.testing.assert_array_equal(np.isnan(y), sigma < 0)
    np.testing.assert_array_equal(y[sigma > 0], (x * sigma + 5)[sigma > 0])
    z = matlab.unifrnd([0, 2, 9], 4)
    np.testing.assert_array_equal(
        z[0, :2], [2 + 2 * (2 * u[0, 0] - 1), 2 * u[0, 1] + 2]
    )
    assert z.shape == (1, 3) and math.isnan(z[0, 2])


def test_same_numbers_as_the_script(matlab):
    """What both have in common is the same to the bit."""
    matlab.rng(9)
    gan_adam.rng(9)
    for name, first in ("unifrnd", (-3, 0.7)), ("normrnd", (0.1, 0.02)), ("rand", ()):
        ours = getattr(matlab, name)(*first, 60, 7)
        np.testing.assert_array_equal(ours, getattr(gan_adam, name)(*first, 60, 7))
    np.testing.assert_array_equal(matlab.randperm(999)[0], gan_adam.randperm(999))


# ------------------------------------------------------------------ the state, and rng


@pytest.mark.parametrize("saved", SAVED["states"], ids=lambda x: x["source"].split()[0])
def test_saved_states(matlab, saved):
    """s = rng is, word for word, what MATLAB saved."""
    matlab.rng(saved["seed"])
    matlab.rand(1, saved["pairs_drawn"])
    s = matlab.rng()
    assert s["Type"] == "twister" and s["Seed"] == saved["seed"]
    assert s["State"].dtype == np.uint32 and s["State"].shape == (625, 1)
    assert s["State"][624, 0] == saved["position"]
    sha256 = hashlib.sha256(s["State"].astype("<u4").tobytes()).hexdigest()
    assert sha256 == saved["sha256_of_State"]


def draw_some(matlab):
    """Some numbers of every kind; they leave the stream within its 624 words."""
    numbers = [matlab.rand(3, 5), matlab.randn(70, 6), matlab.randi(9, 4)]
    return np.concatenate([x.ravel() for x in numbers])


@pytest.mark.parametrize("form", ["dict", "file"])
def test_state_comes_back(matlab, tmp_path, form):
    """rng(s) goes on from s, also read from a file; drawing does not change s."""
    matlab.rng(77)
    for drawn in 0, 1, 311, 312, 1000:
        matlab.randn(1, drawn)
        s = matlab.rng()
        if form == "file":
            savemat(tmp_path / "s.mat", {"s": s})
            s = loadmat(tmp_path / "s.mat", simplify_cells=True)["s"]
        expected = draw_some(matlab)
        matlab.rng(1)
        matlab.rng(s)
        assert matlab.rng()["Seed"] == 77
        np.testing.assert_array_equal(draw_some(matlab), expected)


@OCTAVE
def test_state_of_a_matlab_file(matlab, tmp_path):
    """A struct as MATLAB's save writes it: doubles or uint32, and a column."""
    words = " ".join(map(str, np.random.RandomState(8).get_state()[1]))
    octave(
        f"s.Type = 'twister'; s.Seed = 8; s.State = uint32([{words} 624]'); "
        "save('-v7', 's.mat', 's')",
        tmp_path,
    )
    matlab.rng(loadmat(tmp_path / "s.mat", simplify_cells=True)["s"])
    found = draw_some(matlab)
    assert matlab.rng()["Seed"] == 8
    matlab.rng(8)
    np.testing.assert_array_equal(draw_some(matlab), found)


def test_rng(matlab):
    """It starts as a fresh MATLAB; rng returns the state of before."""
    fresh = matlab.rng()
    assert fresh["Seed"] == 0
    start = draw_some(matlab).tolist()
    for arguments in (
        (0,),
        ("default",),
        (0.0,),
        (0, "twister"),
        (fresh,),
        (np.uint8(0),),
    ):
        matlab.rng(3)
        assert matlab.rng(*arguments)["Seed"] == 3  # that of before
        assert matlab.rng()["Seed"] == 0
        assert draw_some(matlab).tolist() == start
    matlab.rng(2**32 - 1)
    assert draw_some(matlab).tolist() != start
    before = matlab.rng()
    for arguments in (
        (-1,),
        (2**32,),
        (1.5,),
        ("shuffle",),
        ([1, 2],),
        (math.nan,),
        (0, "philox"),
        ({"Type": "philox"},),
        ({"Type": "twister"},),
        ({**fresh, "State": fresh["State"][1:]},),
        ({**fresh, "State": fresh["State"] * 0},),
        ({**fresh, "State": np.append(fresh["State"][:-1], 625)},),
        ({**fresh, "State": fresh["State"] - 0.5},),
        ({**fresh, "Seed": -1},),
    ):
        with pytest.raises(ValueError, match="rng: "):
            matlab.rng(*arguments)
    assert matlab.rng()["Seed"] == before["Seed"]
    assert matlab.rng()["State"].tolist() == before["State"].tolist()
