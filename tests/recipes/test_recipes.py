"""Each of the README's recipes, run as it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys
from code import InteractiveConsole

import numpy as np
import pytest
from conftest import OCTAVE, ROOT, octave
from PIL import Image
from scipy.io import loadmat, savemat

import gan_adam

with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
    README = f.read()
RECIPES = dict(
    re.findall(r"<!-- recipe: (\w+) -->\n```python\n(.*?)```", README, re.DOTALL)
)
ADAM = pytest.mark.parametrize(
    "golden_run", ["gan_adam"], indirect=True
)  # the recipes' script


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
    return folder


def recipe_output(name, folder, change=None, more=""):
    """What a recipe prints; with (old, new) text changed, and more code at its end."""
    code = RECIPES[name]
    if change:
        assert code.count(change[0]) == 1
        code = code.replace(*change)
    env = {**os.environ, "PYTHONPATH": ROOT, "MPLBACKEND": "Agg"}
    command = [sys.executable, "-W", "error", "-c", code + more]
    end = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )
    assert (end.returncode, end.stderr) == (0, "")
    return end.stdout


def test_recipes_are_found():
    names = {"digits", "table", "pictures", "losses", "random"}
    assert set(RECIPES) == names and README.count("```python") == len(names)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_can_be_pasted(name):
    """At >>> a loop ends with an empty line; without one, what follows is a syntax error."""
    errors = []
    console = InteractiveConsole()
    console.runcode = lambda compiled: None
    console.showsyntaxerror = lambda *_, **__: errors.append(console.buffer)
    more = [console.push(line) for line in (RECIPES[name] + "\n").splitlines()]
    assert not errors and not console.push("")
    assert len(more) > 3


def test_recipe_random(tmp_path):
    """It prints what the README says behind each line, which MATLAB shows with four decimals."""
    said = [
        re.findall(r"-?[\d.]+", x)
        for x in re.findall(r"print.*  # (.*)", RECIPES["random"])
    ]
    assert [len(x) for x in said] == [3, 4, 8]
    text = recipe_output("random", tmp_path)
    printed = [float(x) for x in re.findall(r"-?[\d.]+", text)]
    assert [f"{x:.4f}" for x in printed[:7]] == sum(said[:2], [])
    assert [f"{x:.0f}" for x in printed[7:]] == said[2]


def samples_by_hand(folder):
    """The thousand samples of the recipe `digits`, (1000, 784)."""
    opt = gan_adam.options(["--resume", str(folder / "run.mat")])
    generator, discriminator = (
        gan_adam.nnsetup([100, 512, 784]),
        gan_adam.nnsetup([784, 512, 1]),
    )
    train_x = gan_adam.load_train_x(opt.data, opt.images_num)
    gan_adam.resume(opt, generator, discriminator, train_x)
    gan_adam.rng(2026)
    return gan_adam.nnff(generator, gan_adam.unifrnd(-1, 1, 1000, 100))["layers"][-1][
        "a"
    ]


def counts(out):
    """What the recipe `digits` printed, (10,)."""
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == list("0123456789")
    found = np.array([int(row[1]) for row in rows])
    bars = [len(row[2]) if len(row) > 2 else 0 for row in rows]
    assert bars == (found // 10).tolist()
    return found


@ADAM
def test_recipe_digits(trained):
    """The picture and the .mat file are the generator's; all samples are counted, as by hand."""
    found = counts(recipe_output("digits", trained))
    by_hand = samples_by_hand(trained)
    with Image.open(trained / "digits.png") as digits:
        assert digits.size == (12 * 28, 5 * 28) and digits.getextrema()[1] > 200
        value = int(255 * by_hand[13, 2 * 28 + 5] + 0.5)
        assert digits.getpixel((28 + 2, 28 + 5)) == value
    images = loadmat(trained / "samples.mat")["images"]
    assert images.shape == (1000, 784) and images.dtype == np.float64
    # two processes may round differently
    np.testing.assert_allclose(images, by_hand, rtol=0, atol=1e-12)
    assert (
        images.max() > 0.8 and np.ptp(images, axis=0).max() > 0.05
    )  # no two are the same
    assert found.sum() == 1000
    train_x = (
        gan_adam.load_train_x(os.path.join(ROOT, "data", "mnist_uint8.mat"), 10000)
        / 255
    )
    train_y = loadmat(os.path.join(ROOT, "data", "mnist_uint8.mat"))["train_y"][:10000]
    nearest = np.zeros(10, int)
    for sample in by_hand[::50]:
        five = np.argsort(((train_x - sample) ** 2).sum(axis=1))[:5]
        nearest[train_y[five].sum(axis=0).argmax()] += 1
    # after two epochs most are alike
    assert found.max() > 500 and found.argmax() == nearest.argmax()


@ADAM
@OCTAVE
def test_recipe_digits_in_octave(trained):
    """reshape(images(1,:), 28, 28) is the picture that save_images writes."""
    savemat(trained / "samples.mat", {"images": samples_by_hand(trained)})
    octave(
        "load('samples.mat'); I = reshape(images(1,:), 28, 28); save('-v7', 'I.mat', 'I')",
        trained,
    )
    I = loadmat(trained / "I.mat")["I"]
    gan_adam.save_images(samples_by_hand(trained), [1, 1], str(trained / "first.png"))
    with Image.open(trained / "first.png") as picture:
        grey = np.asarray(picture).astype(float)
    assert np.abs(255 * I - grey).max() < 0.51 and np.abs(255 * I.T - grey).max() > 20


@ADAM
def test_recipe_digits_knows_real_ones(trained):
    """Fed with a thousand test digits it counts them right, and knows nine in ten."""
    sample = 'samples = generator["layers"][-1]["a"]'
    real = (
        'test = loadmat(opt.data, variable_names=["test_x", "test_y"]); '
        # three digits only, so that the counts differ; in MATLAB's pixel order
        'these = np.isin(test["test_y"].argmax(axis=1), [1, 7, 4]).nonzero()[0][:1000]; '
        'samples = test["test_x"][these].reshape(-1, 28, 28).transpose(0, 2, 1)'
        ".reshape(-1, 784) / 255"
    )
    more = (
        '\nright = test["test_y"].argmax(axis=1)[these]\nprint((drawn == right).mean())'
    )
    *table, known = recipe_output("digits", trained, (sample, real), more).splitlines()
    found = counts("\n".join(table))
    assert float(known) > 0.9
    test_y = loadmat(os.path.join(ROOT, "data", "mnist_uint8.mat"))["test_y"].argmax(
        axis=1
    )
    right = np.bincount(test_y[np.isin(test_y, [1, 4, 7])][:1000], minlength=10)
    # one in ten may be taken for another digit
    assert np.abs(found - right).max() < 100 and right[[1, 4, 7]].min() > 250


@ADAM
def test_recipe_pictures(trained):
    assert not recipe_output("pictures", trained)
    with Image.open(trained / "training.gif") as film:
        assert film.n_frames == 12 and film.size == (336, 336)
        for e in range(3, 13):  # in the order of the epochs
            film.seek(e - 1)
            assert abs(film.convert("L").getpixel((5, 5)) - e) <= 1
    sheet = Image.open(trained / "training.png")
    assert sheet.size == (16 * 28, 3 * 28)  # epochs 1, 6 and 11
    assert [sheet.getpixel((100, 28 * r + 9)) for r in (1, 2)] == [6, 11]
    grid = Image.open(trained / "pics" / "epoch_1_t_100.png")
    fifth = sheet.crop((4 * 28, 0, 5 * 28, 28))
    assert fifth.tobytes() == grid.crop((0, 28, 28, 56)).tobytes()


def means_deviations_correlations(out):
    """What the recipe `table` printed, for the real rows and the fake ones."""
    words = re.sub(r"\s+", " ", out)
    numbers = r"(real|fake) {} \[?([^\]a-z]*)"
    found = []
    for what in "means", "deviations", "correlation of first and last column":
        pairs = re.findall(numbers.format(what), words)
        assert [x for x, _ in pairs] == ["real", "fake"]
        found.append([np.array(x.split(), float) for _, x in pairs])
    return found


def test_recipe_table(tmp_path):
    """The generator has learnt the columns' means, how wide they are, and how they go together."""
    out = recipe_output("table", tmp_path)
    means, deviations, correlations = means_deviations_correlations(out)
    # what the data were made of: 0.2/sqrt(3) and 0.05 of noise; -0.0133/(0.0133 + 0.0025)
    np.testing.assert_allclose(means[0], np.linspace(0.3, 0.7, 12), atol=0.01)
    np.testing.assert_allclose(
        deviations[0], 0.126, atol=0.006
    )  # clipped a little at 0 and 1
    assert abs(correlations[0] + 0.84) < 0.02
    # other seeds end within 0.04, 0.8 to 1.1 times, -0.95; without training, all means are 0.5
    np.testing.assert_allclose(means[1], means[0], atol=0.08)
    assert np.all(deviations[1] > 0.5 * deviations[0]) and np.all(deviations[1] < 0.2)
    assert correlations[1] < -0.8


def test_recipe_table_would_fail(tmp_path):
    """A generator that is not updated does not pass for one that has learnt."""
    change = "generator = gan.nnapplygrade(generator, 0.0001)", "pass"
    means, deviations, _ = means_deviations_correlations(
        recipe_output("table", tmp_path, change)
    )
    assert np.abs(means[1] - means[0]).max() > 0.15 and deviations[1].max() < 0.05


@ADAM
def test_recipe_losses(trained):
    """Both curves are the checkpoint's, under their names, and are in the picture."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    more = (
        "\nimport json\nlines = plt.gca().lines\n"
        "print(json.dumps([[x.get_label(), x.get_ydata().ravel().tolist()] for x in lines]))"
    )
    drawn = json.loads(recipe_output("losses", trained, more=more))
    run = loadmat(trained / "run.mat")
    assert [name for name, _ in drawn] == ["c_loss", "d_loss"]
    for name, values in drawn:
        assert values == run[name].ravel().tolist()
    with Image.open(trained / "losses.png") as picture:
        assert picture.size == (900, 400)
        colours = {colour[:3] for _, colour in picture.getcolors(10**6)}
    # a blue and an orange, the curves' colours, however thin the lines
    assert any(b > r + 60 for r, _, b in colours) and any(
        r > b + 60 for r, _, b in colours
    )
