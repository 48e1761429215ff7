"""The programs of this folder, run as a user runs them, and what they compute."""

import ast
import hashlib
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import DATA, OCTAVE, POSIX, ROOT, TESTS, load_tool, octave
from PIL import Image
from scipy.io import loadmat, savemat

import gan_adam

RECIPES = os.path.join(TESTS, "recipes")
PROGRAMS = ["digits", "losses", "pictures", "matlab_random"]
ADAM = pytest.mark.parametrize("golden_run", ["gan_adam"], indirect=True)


@pytest.fixture(scope="module")
def trained(golden_run, tmp_path_factory):
    """A folder as after a run with --checkpoint run.mat: that file, and ./pics."""
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copy(golden_run.checkpoint, folder / "run.mat")
    shutil.copytree(golden_run.pics, folder / "pics")
    for e in range(3, 13):  # ten more epochs, made up: shuffled names would show
        Image.new("L", (112, 112), e).save(folder / "pics" / f"epoch_{e}_t_100.png")
    # what macOS, a viewer and the user leave there
    for name in "._epoch_1_t_100.png", "Thumbs.db", "epoch_2_t_100 copy.png", "a.png":
        (folder / "pics" / name).write_bytes(b"no picture")
    return folder


def run(program, *flags, cwd, options=("-W", "error"), **more):
    """Run a program of this folder in the folder `cwd`; the ended process."""
    if not os.path.isabs(program):
        program = os.path.join(RECIPES, f"{program}.py")
    command = [sys.executable, *options, program, *map(str, flags)]
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.run(command, cwd=cwd, text=True, timeout=170, **more)


def output(program, *flags, cwd):
    """What a program prints; it must not complain."""
    end = run(program, *flags, cwd=cwd)
    assert (end.returncode, end.stderr) == (0, "")
    return end.stdout


def assert_refused(program, flags, word, cwd, **more):
    """Status 2, one line with the program's name and `word`, nothing written."""
    before = sorted(os.listdir(cwd))
    end = run(program, *flags, cwd=cwd, **more)
    assert (end.returncode, end.stdout) == (2, ""), end.stderr
    assert end.stderr.count("\n") == 1 and word in end.stderr, end.stderr
    assert end.stderr.startswith(f"{program}.py: ")
    assert sorted(os.listdir(cwd)) == before


# ------------------------------------------------------------------- all the programs


@POSIX
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_link_and_no_docstrings(name, tmp_path):
    """Started by a symbolic link, with python -OO."""
    os.symlink(os.path.join(RECIPES, f"{name}.py"), tmp_path / "link.py")
    end = run(str(tmp_path / "link.py"), "--help", cwd=tmp_path, options=["-OO"])
    assert (end.returncode, end.stderr) == (0, "") and "link.py" in end.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_bad_flags(name, tmp_path):
    assert_refused(name, ["a", "--nonsense"], "--nonsense", tmp_path)
    if name != "matlab_random":
        assert_refused(name, [], "required", tmp_path)
        assert_refused(name, ["not_here"], "not_here", tmp_path)


@ADAM
def test_bad_input(trained, small_data, tmp_path):
    train_x = loadmat(small_data)["train_x"]
    savemat(tmp_path / "labels.mat", {"train_y": np.ones((320, 10))})
    for name, train_y in ("nine", np.ones((320, 9))), ("text", "no numbers"):
        found = {"train_x": train_x, "train_y": train_y}
        savemat(tmp_path / f"{name}.mat", found)
    for folder, size in ("small", 28), ("empty", 0):
        (tmp_path / folder).mkdir()
        picture = tmp_path / folder / "epoch_1_t_1.png"
        picture.write_bytes(b"")
        if size:
            Image.new("L", (size, size)).save(picture)
    run_mat = trained / "run.mat"
    pics = trained / "pics"
    picture = "small/epoch_1_t_1.png"
    for flag, values in (
        ("--count", [0, 10001]),
        ("--seed", [-1, 2**32]),
        ("--data", ["nowhere.mat", "labels.mat", "nine.mat", "text.mat"]),
    ):
        for value in values:
            word = value if flag == "--data" else flag
            assert_refused("digits", [run_mat, flag, value], word, tmp_path)
    for name, file in ("digits", run_mat), ("pictures", pics):
        assert_refused(name, [file, "--out", picture], picture, tmp_path)
    for name in "digits", "losses":
        for file in picture, small_data:
            assert_refused(name, [file], file, tmp_path)
    for folder in ".", "small", "empty":
        word = "." if folder == "." else os.path.join(folder, "epoch_1_t_1.png")
        assert_refused("pictures", [folder], word, tmp_path)


@ADAM
@pytest.mark.parametrize("name", PROGRAMS[:3])
def test_output_that_fails(name, trained, tmp_path):
    """Nobody reads it, as with | head: quiet. The disk is full: the file is named."""
    if name == "losses":
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    file = trained / ("pics" if name == "pictures" else "run.mat")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nowhere:
        end = run(name, file, cwd=tmp_path, stdout=nowhere)
    assert (end.returncode, end.stderr) == (1, "")
    resource = pytest.importorskip("resource", reason="limits of POSIX systems")
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))}
    end = run(name, file, cwd=tmp_path, **limit)
    assert (end.returncode, end.stdout) == (2, "")
    first = {"digits": "digits.png", "losses": "losses.png", "pictures": "training.gif"}
    said = end.stderr.splitlines()[-1]
    assert said.startswith(f"{name}.py: ") and first[name] in said


@POSIX
@pytest.mark.parametrize("name", PROGRAMS[:3])
def test_ctrl_c(name, tmp_path):
    """While it waits for its input, a pipe: one line, status 130."""
    pipe = tmp_path / "epoch_1_t_1.png"
    os.mkfifo(pipe)
    command = [sys.executable, os.path.join(RECIPES, f"{name}.py")]
    command.append(tmp_path if name == "pictures" else pipe)
    program = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs ignore SIGINT, and so would what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while program.poll() is None:
        try:
            writing = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # it has not opened the pipe yet
            time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    os.close(writing)
    assert (program.returncode, said) == (130, f"{name}.py: stopped\n")


# ------------------------------------------------------------------------- digits.py


def samples_by_hand(file, count, seed=2026):
    """The samples of digits.py, (count, 784), from what the file has."""
    _, *layers = loadmat(file, simplify_cells=True)["generator"]["layers"]
    gan_adam.rng(seed)
    a = gan_adam.unifrnd(-1, 1, count, len(layers[0]["w"]))
    for layer in layers:
        z = a @ layer["w"] + layer["b"]
        a = np.maximum(z, 0)
    return 1 / (1 + np.exp(-z))


def samples_of(folder, by_hand):
    """Those that it saved; two processes may round differently."""
    images = loadmat(folder / "samples.mat")["images"]
    np.testing.assert_allclose(images, by_hand, rtol=0, atol=1e-12)
    return images


def sha256_of_images(count):
    """The checksum in a checkpoint of a training on so many images."""
    return hashlib.sha256(gan_adam.load_train_x(DATA, count).tobytes()).hexdigest()


def counts(lines):
    """The numbers that digits.py printed, (10,); the bars must fit."""
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows] == list("0123456789")
    found = np.array([int(row[1]) for row in rows])
    bars = [len(row[2]) if len(row) > 2 else 0 for row in rows]
    assert bars == (100 * found // found.sum()).tolist()
    return found


@ADAM
def test_digits(trained):
    """Both files are the generator's; all samples are counted, as by hand."""
    found = counts(output("digits", "run.mat", cwd=trained).splitlines()[1:])
    images = samples_of(trained, samples_by_hand(trained / "run.mat", 1000))
    assert images.max() > 0.4 and np.ptp(images, axis=0).max() > 0.01  # they differ
    with Image.open(trained / "digits.png") as digits:
        assert digits.size == (12 * 28, 5 * 28)
        for i, j in (0, 0), (1, 1), (4, 11):
            values = 255 * images[12 * i + j].reshape(28, 28).T
            tile = digits.crop((28 * j, 28 * i, 28 * j + 28, 28 * i + 28))
            assert np.abs(np.asarray(tile) - values).max() < 0.51
    digits = load_tool("tests/recipes/digits.py")
    run_mat = {"images_num": 60, "images_sha256": sha256_of_images(60)}
    named = digits.name_digits(images, *digits.read_known(DATA, run_mat))
    assert found.max() > 500  # after two epochs most are alike
    assert np.abs(found - np.bincount(named, minlength=10)).sum() <= 4  # rounding


@ADAM
def test_digits_flags(trained, small_data, tmp_path):
    """--count, --seed, --out; --data of other images, or without labels."""
    run_mat = trained / "run.mat"
    flags = ["--count", 7, "--seed", 0, "--out", "a/b"]
    shutil.copy(DATA, tmp_path / "own.mat")
    said = output("digits", run_mat, *flags, "--data", "own.mat", cwd=tmp_path)
    assert counts(said.splitlines()[1:]).sum() == 7
    assert sorted(os.listdir(tmp_path)) == ["a", "own.mat"]
    samples_of(tmp_path / "a" / "b", samples_by_hand(run_mat, 7, 0))
    with Image.open(tmp_path / "a" / "b" / "digits.png") as digits:
        assert digits.size == (7 * 28, 28)
    found = loadmat(DATA, variable_names=["train_x", "train_y"])
    other = {name: found[name][:6000] for name in ("train_x", "train_y")}
    other["train_x"][5999, 300] ^= 1
    savemat(tmp_path / "own.mat", other)
    for data in "own.mat", small_data:
        flags = ["--count", 1, "--seed", 2**32 - 1, "--data", data]
        files, last = output("digits", run_mat, *flags, cwd=tmp_path).splitlines()
        assert "1" in files and data in last
        samples_of(tmp_path, samples_by_hand(run_mat, 1, 2**32 - 1))


@ADAM
def test_digits_of_other_layer_sizes(trained, tmp_path):
    """Those of the checkpoint, for noise of another width too; or no images."""
    saved = loadmat(trained / "run.mat", simplify_cells=True)
    saved = {name: x for name, x in saved.items() if name[0] != "_"}

    def save(sizes, factor=1):
        gan_adam.rng(1)
        saved["generator"] = gan_adam.nnsetup(sizes)
        saved["generator"]["layers"][0] = {"a": []}
        saved["generator"]["layers"][-1]["w"] *= factor
        savemat(tmp_path / "other.mat", saved)

    save([5, 12, 15, 784])
    output("digits", "other.mat", "--count", 30, cwd=tmp_path)
    samples_of(tmp_path, samples_by_hand(tmp_path / "other.mat", 30))
    save([100, 512, 784], 1e5)  # exp is Inf above 709
    output("digits", "other.mat", "--count", 30, cwd=tmp_path)
    images = loadmat(tmp_path / "samples.mat")["images"]
    assert 0 == images.min() < images.max() == 1
    save([5, 12, 4])
    assert_refused("digits", ["other.mat"], "other.mat", tmp_path)


def test_digits_knows_real_ones():
    """Of a thousand real test digits it names nine in ten correctly."""
    digits = load_tool("tests/recipes/digits.py")
    run_mat = {"images_num": 60, "images_sha256": sha256_of_images(60)}
    images, labels = digits.read_known(DATA, run_mat)
    test = loadmat(DATA, variable_names=["test_x", "test_y"])
    right = test["test_y"][:1300].argmax(axis=1)  # shuffled: some hundred of each
    rows = test["test_x"][:1300].reshape(-1, 28, 28)
    samples = rows.transpose(0, 2, 1).reshape(-1, 784) / 255  # in MATLAB's pixel order
    # more than a thousand are named in two parts
    named = digits.name_digits(samples, images, labels)
    assert named.shape == (1300,)
    for part in slice(0, 1000), slice(1000, 1300):
        assert (named[part] == right[part]).mean() > 0.9


# ----------------------------------------------------------- pictures.py, losses.py


@ADAM
def test_pictures(trained, tmp_path):
    """In the order of the epochs; the first, sixth and eleventh; all 16 samples."""
    said = output("pictures", trained / "pics", "--out", "film", cwd=tmp_path)
    assert "12" in said and "3" in said
    assert sorted(os.listdir(tmp_path / "film")) == ["training.gif", "training.png"]
    with Image.open(tmp_path / "film" / "training.gif") as film:
        assert film.n_frames == 12 and film.size == (336, 336)
        assert film.info["loop"] == 0 and film.info["duration"] == 300
        for e in range(3, 13):
            film.seek(e - 1)
            assert abs(film.convert("L").getpixel((5, 5)) - e) <= 1
    with Image.open(tmp_path / "film" / "training.png") as picture:
        sheet = picture.copy()
    assert sheet.size == (16 * 28, 3 * 28)
    assert [sheet.getpixel((100, 28 * r + 9)) for r in (1, 2)] == [6, 11]
    with Image.open(trained / "pics" / "epoch_1_t_100.png") as picture:
        grid = picture.copy()
    for sample in range(16):
        left, top = sample % 4 * 28, sample // 4 * 28
        ours = sheet.crop((sample * 28, 0, sample * 28 + 28, 28))
        assert ours.tobytes() == grid.crop((left, top, left + 28, top + 28)).tobytes()
    # one epoch; Octave's imwrite makes 16 bits of what is 8 bits in MATLAB
    wide = np.asarray(grid).astype(np.uint16) * 257
    Image.fromarray(wide).save(tmp_path / "epoch_1_t_100.png")
    output("pictures", ".", cwd=tmp_path)
    with Image.open(tmp_path / "training.png") as picture:
        assert picture.tobytes() == sheet.crop((0, 0, 448, 28)).tobytes()
    with Image.open(tmp_path / "training.gif") as film:
        assert film.n_frames == 1
    pictures = load_tool("tests/recipes/pictures.py")
    x = np.arange(112 * 112).reshape(112, 112) * 5  # rounded: halves do not occur
    Image.fromarray(x.astype(np.uint16)).save(tmp_path / "epoch_1_t_100.png")
    grid = pictures.read_grid(tmp_path / "epoch_1_t_100.png")
    np.testing.assert_array_equal(grid, np.round(x / 257))


@ADAM
def test_losses(trained, monkeypatch):
    """Both curves are the checkpoint's, under their names, and are in the picture."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    # a window that cannot be opened, which it must not need
    monkeypatch.setenv("MPLBACKEND", "module://nowhere")
    assert_refused("losses", ["run.mat", "--out", "run.mat"], "--out: run.mat", trained)
    assert "200" in output("losses", "run.mat", "--out", "a/b", cwd=trained)
    losses = load_tool("tests/recipes/losses.py")
    figure = losses.draw(losses.read_losses(str(trained / "run.mat")))
    saved = loadmat(trained / "run.mat")
    axes = figure.axes[0]
    assert axes.get_legend() and axes.get_xlabel()
    lines = axes.lines
    assert [line.get_label() for line in lines] == ["c_loss", "d_loss"]
    for line in lines:
        assert line.get_xdata().tolist() == list(range(1, 201))
        assert line.get_ydata().tolist() == saved[line.get_label()].ravel().tolist()
    with Image.open(trained / "a" / "b" / "losses.png") as picture:
        assert picture.size == (900, 400)
        colours = {colour[:3] for _, colour in picture.getcolors(10**6)}
    # a blue and an orange, the curves' colours, however thin the lines
    assert any(b > r + 60 for r, _, b in colours)
    assert any(r > b + 60 for r, _, b in colours)
    # of a workspace of MATLAB's the last is known, which is no curve
    made_up = {"c_loss": np.array([math.nan, 1, 2]), "d_loss": np.array([1, 2, 3])}
    monkeypatch.setattr(losses.checkpoints, "read_checkpoint", lambda file: made_up)
    assert losses.read_losses("a file") == made_up
    made_up["c_loss"][1] = math.nan
    with pytest.raises(SystemExit) as end:
        losses.read_losses("a file")
    assert end.value.code == 2


@ADAM
def test_losses_without_matplotlib(trained, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError", encoding="ascii")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    flags = [trained / "run.mat"]
    assert_refused("losses", flags, "pip install matplotlib", tmp_path, env=env)


# ------------------------------------------------------------------- matlab_random.py


@pytest.fixture
def matlab():
    """The file as a module, anew."""
    return load_tool("tests/recipes/matlab_random.py")


def text_and_functions(path):
    """The text of a file, and of each function in it by name, from def on."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    nodes = [x for x in ast.parse(text).body if isinstance(x, ast.FunctionDef)]
    return text, {node.name: ast.get_source_segment(text, node) for node in nodes}


def test_generator_is_word_for_word(matlab):
    """The generator's functions are gan_adam.py's, but for names and the table's path.

    So their numbers are the same; tests/numerics/test_random.py has MATLAB's. Beside
    the standard library the file needs numpy alone.
    """
    _, original = text_and_functions(os.path.join(ROOT, "gan_adam.py"))
    text, copy = text_and_functions(os.path.join(RECIPES, "matlab_random.py"))
    renamed = {"rng": "seed_stream", "rand": "uniform_matrix", "randn": "normal_matrix"}
    table = r' +with open\(f"\{HERE}/data/randn_edges.txt".*\n.*loadtxt.*\n'
    for name in [*renamed, "uniform_numbers", "next_uniform", "tail"]:
        new = renamed.get(name, name)
        expected = original[name].replace(f"def {name}(", f"def {new}(", 1)
        expected = re.sub(table, "    edges = read_edges()\n", expected)
        assert copy[new] == expected, name
    edges = np.loadtxt(os.path.join(ROOT, "data", "randn_edges.txt"), comments="%")
    np.testing.assert_array_equal(matlab.read_edges(), edges)
    imported = set(re.findall(r"^ *(?:import|from) (\w+)", text, re.MULTILINE))
    assert imported - {"matlab_random"} - set(sys.stdlib_module_names) == {"numpy"}


def test_self_check(tmp_path):
    """Beside its table it says equal; beside another one different, or a line."""
    said = output("matlab_random", cwd=tmp_path)
    for text in "0.8147 0.9058 0.1270", "0.5377 1.8339 -2.2588", "6 3 5 1 2 4":
        assert said.count(f"MATLAB {text}  here {text}\n") == 1
    program = tmp_path / "matlab_random.py"
    shutil.copy(os.path.join(RECIPES, "matlab_random.py"), program)
    table = tmp_path / "randn_edges.txt"
    with open(os.path.join(ROOT, "data", "randn_edges.txt"), encoding="ascii") as f:
        right = f.read()
    wrong = right.replace("\n0.", "\n0.0")
    for text, status in (None, 2), (right, 0), (wrong, 1), ("1\n2\n", 2):
        if text is not None:
            table.write_text(text, encoding="ascii")
        end = run(str(program), cwd=ROOT)
        assert end.returncode == status
        if status == 2:
            assert end.stdout == "" and end.stderr.count("\n") == 1
            assert "matlab_random.py: " in end.stderr and table.name in end.stderr
        else:
            assert end.stdout.splitlines()[-1] == ("different" if status else "equal")


def draw(matlab, call, seed=5):
    """What a call such as rand(2, 3) gives after rng(seed)."""
    matlab.rng(seed)
    return eval(call, {**vars(matlab), "np": np, "nan": math.nan, "inf": math.inf})


@pytest.mark.parametrize("name", ["rand", "randn", "randi", "unifrnd", "normrnd"])
def test_sizes(matlab, name):
    """Every form of a size gives the script's numbers, column by column."""
    first = {"randi": "7", "unifrnd": "-3, 0.7", "normrnd": "2, 0.3"}.get(name, "")

    def script(m, n):
        gan_adam.rng(5)
        if name == "randi":  # the script has none
            return 1 + np.floor(7 * gan_adam.rand(m, n))
        return draw(gan_adam, f"{name}({first}{', ' * bool(first)}{m}, {n})")

    forms = """3: 3, 3; [3]: 3, 3; 2, 3: 2, 3; [2, 3]: 2, 3; (2, 3): 2, 3; 1: 1, 1;
        np.array([[2, 3]]): 2, 3; 2.0, np.int64(3): 2, 3; 2, 3, 4: 2, 3, 4; 0: 0, 0;
        2, 3, 1, 1: 2, 3; -2, 3: 0, 3; 3, -1: 3, 0; -1: 0, 0; []: 0, 0"""
    for form in forms.split(";"):
        size, shape = form.split(": ")
        shape = tuple(map(int, shape.split(",")))
        x = draw(matlab, f"{name}({first}{', ' * bool(first)}{size.strip()})")
        expected = script(shape[0], math.prod(shape[1:])).reshape(shape, order="F")
        assert x.shape == shape and x.flags.f_contiguous
        np.testing.assert_array_equal(x, expected)
        # no more numbers were drawn than these
        assert matlab.rand() == gan_adam.rand(1, 1)
    number = draw(matlab, f"{name}({first})")
    assert type(number) in (int, float) and number == script(1, 1)[0, 0]


def test_refused_calls(matlab):
    """ValueError that names the function; the stream is as before."""
    sizes = (
        """2.5; "single"; 2, 3, "single"; [2, 3], 4; nan; 2, inf; 2, [3, 4]; None; 2j"""
    )
    calls = [f"{name}({x})" for name in ("rand", "randn") for x in sizes.split(";")]
    calls += [f"randi(7, {x})" for x in sizes.split(";")]
    for name in "unifrnd", "normrnd":
        calls += [f"{name}(1, 2, {x})" for x in sizes.split(";")]
        calls += [f"{name}('a', 1)", f"{name}([1, 2], [1, 2, 3])"]
        calls += [f"{name}([1, 2], [1, 2, 3], 3, 3)"]
    limits = "0; [2, 1]; 2.5; [1, 2, 3]; 'a'; inf; nan; 2**53; []; [-2**52, 2**52]"
    calls += [f"randi({x})" for x in limits.split(";")]
    calls += [f"randperm({x})" for x in "5, 2; -1; 2.5; 'a'; [1, 2]; nan".split(";")]
    seeds = "-1; 2**32; 1.5; 'shuffle'; [1, 2]; nan; 0, 'philox'; {'Type': 'philox'}"
    seeds += "; {'Type': 'twister'}; np.zeros((2, 1), [('Type', object)])"
    calls += [f"rng({x})" for x in seeds.split(";")]
    fresh = matlab.rng()
    for change in (
        {"State": fresh["State"][1:]},
        {"State": fresh["State"] * 0},
        {"State": np.append(fresh["State"][:-1], 625)},
        {"State": fresh["State"] - 0.5},
        {"State": fresh["State"] + 2.0**32},
        {"Seed": -1},
        {"Seed": 2**32},
    ):
        with pytest.raises(ValueError, match="rng: "):
            matlab.rng({**fresh, **change})
    for call in calls:
        with pytest.raises(ValueError, match=f"^{call.split('(')[0]}: "):
            draw(matlab, call)
        assert matlab.rng()["State"].tolist() == draw(matlab, "rng()")["State"].tolist()


def test_whole_numbers(matlab):
    """randi has its whole range and nothing beyond; randperm(n) is a row."""
    u = draw(matlab, "rand(100, 20)")
    x = draw(matlab, "randi([5, 9], 100, 20)")
    np.testing.assert_array_equal(x, 5 + np.floor(u * 5))
    assert x.dtype.kind == "i" and set(x.ravel().tolist()) == {5, 6, 7, 8, 9}
    assert matlab.randi(1) == 1 and type(matlab.randi([4, 4])) is int
    assert draw(matlab, "randperm(8)", 0).tolist() == [[6, 3, 7, 8, 5, 1, 2, 4]]
    assert matlab.randperm(0).shape == (1, 0) and matlab.randperm(1).tolist() == [[1]]
    # [5] is 5, and so is a 1 x 1 matrix that loadmat read
    for call in "randperm(8)", "rand(8, [3])", "randn(2, 8)":
        other = draw(matlab, call.replace("8", "np.array([[8.0]])"), np.array([[5]]))
        np.testing.assert_array_equal(other, draw(matlab, call, [5]))


def test_parameters(matlab):
    """Illegal ones give NaN and take their numbers all the same; arrays go by place."""
    for legal, illegal in (
        ("unifrnd(1, 2", "unifrnd(2, 1"),
        (
            "normrnd(0, 1",
            "normrnd(0, -1",
        ),
    ):
        assert np.isfinite(draw(matlab, f"{legal}, 2, 3)")).all()
        after = matlab.rand()
        assert np.isnan(draw(matlab, f"{illegal}, 2, 3)")).all()
        assert matlab.rand() == after
        for call in f"{illegal})", legal[:8] + "nan, 1)":
            assert math.isnan(draw(matlab, call))
    assert math.isnan(matlab.unifrnd(-math.inf, math.inf))
    assert matlab.unifrnd(3, 3) == 3 and matlab.normrnd(3, 0) == 3
    x = draw(matlab, "randn(2, 2)")
    u = matlab.rand(1, 3)
    y = draw(matlab, "normrnd(5, [[1, 2], [-1, 4]])")
    expected = x * [[1, 2], [math.nan, 4]] + 5
    np.testing.assert_array_equal(y, expected)
    z = matlab.unifrnd([0, 2, 9], 4)
    expected = [2 + 2 * (2 * u[0, 0] - 1), 3 + (2 * u[0, 1] - 1), math.nan]
    np.testing.assert_array_equal(z, [expected])


def draw_some(matlab):
    """Some numbers of every kind; they leave the stream within its 624 words."""
    numbers = [matlab.rand(3, 5), matlab.randn(70, 6), matlab.randi(9, 4)]
    return np.concatenate([x.ravel() for x in numbers])


def test_state_comes_back(matlab, tmp_path):
    """rng(s) goes on from s, also as loadmat gives it; drawing does not change s."""
    matlab.rng(77)
    for drawn in 0, 1, 311, 312, 1000:
        matlab.randn(1, drawn)
        s = matlab.rng()
        assert s["Type"] == "twister" and s["Seed"] == 77
        assert s["State"].dtype == np.uint32 and s["State"].shape == (625, 1)
        savemat(tmp_path / "s.mat", {"s": s})
        plain = loadmat(tmp_path / "s.mat")["s"]
        simple = loadmat(tmp_path / "s.mat", simplify_cells=True)["s"]
        expected = draw_some(matlab)
        for state in s, plain, plain[0, 0], simple:
            matlab.rng(1)
            matlab.rng(state)
            assert matlab.rng()["Seed"] == 77
            np.testing.assert_array_equal(draw_some(matlab), expected)


@OCTAVE
def test_state_of_a_matlab_file(matlab, tmp_path):
    """A struct as MATLAB's save writes it: doubles or uint32, and a column."""
    words = " ".join(map(str, np.random.RandomState(8).get_state()[1]))
    code = f"s.Type = 'twister'; s.Seed = 8; s.State = uint32([{words} 624]'); "
    octave(code + "save('-v7', 's.mat', 's')", tmp_path)
    matlab.rng(loadmat(tmp_path / "s.mat")["s"])
    found = draw_some(matlab)
    assert matlab.rng()["Seed"] == 8
    matlab.rng(8)
    np.testing.assert_array_equal(draw_some(matlab), found)


def test_rng(matlab):
    """It starts as a fresh MATLAB; rng returns the state of before."""
    fresh = matlab.rng()
    start = draw_some(matlab).tolist()
    for seed in [0], ["default"], [0.0], [0, "twister"], [fresh], [np.uint8(0)]:
        matlab.rng(3)
        matlab.rand(3)
        before = matlab.rng(*seed)
        assert before["Seed"] == 3 and before["State"][624, 0] == 18
        assert matlab.rng()["Seed"] == 0
        assert draw_some(matlab).tolist() == start
    matlab.rng(2**32 - 1)
    assert draw_some(matlab).tolist() != start
