"""The README keeps its word: its recipes run, its flags, files and tests exist."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, tracked_files
from PIL import Image

import gan_adam

with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
    README = f.read()
ADAM = pytest.mark.parametrize("golden_run", ["gan_adam"], indirect=True)  # the recipes' script
RECIPES = dict(re.findall(r"<!-- recipe: (\w+) -->\n```python\n(.*?)```", README, re.DOTALL))


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


def run_recipe(name, folder):
    env = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-W", "error", "-c", RECIPES[name]]
    end = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert (end.returncode, end.stdout, end.stderr) == (0, "", "")


def test_recipes_are_found():
    assert set(RECIPES) == {"digits", "animation", "rows", "losses"}
    assert README.count("```python") == len(RECIPES)


@ADAM
def test_recipe_digits(trained):
    """Fed with the last batch's noise it would give the last picture; here, 60 new digits."""
    run_recipe("digits", trained)
    digits = Image.open(trained / "digits.png")
    assert digits.size == (12 * 28, 5 * 28) and digits.getextrema()[1] > 200
    # they are the generator's: the same by hand
    opt = gan_adam.options(["--resume", str(trained / "run.mat")])
    nets = gan_adam.nnsetup([100, 512, 784]), gan_adam.nnsetup([784, 512, 1])
    gan_adam.resume(opt, *nets)
    gan_adam.rng(2026)
    images = gan_adam.nnff(nets[0], gan_adam.unifrnd(-1, 1, 60, 100))["layers"][-1]["a"]
    value = int(255 * images[13, 2 * 28 + 5] + 0.5)
    assert digits.getpixel((28 + 2, 28 + 5)) == value


@ADAM
def test_recipe_animation(trained):
    run_recipe("animation", trained)
    with Image.open(trained / "training.gif") as film:
        assert film.n_frames == 12 and film.size == (336, 336)
        for e in range(3, 13):  # in the order of the epochs
            film.seek(e - 1)
            assert abs(film.convert("L").getpixel((5, 5)) - e) <= 1


@ADAM
def test_recipe_rows(trained):
    run_recipe("rows", trained)
    sheet = Image.open(trained / "training.png")
    assert sheet.size == (16 * 28, 3 * 28)  # epochs 1, 6 and 11
    assert [sheet.getpixel((100, 28 * r + 9)) for r in (1, 2)] == [6, 11]
    grid = Image.open(trained / "pics" / "epoch_1_t_100.png")
    fifth = sheet.crop((4 * 28, 0, 5 * 28, 28))
    assert fifth.tobytes() == grid.crop((0, 28, 28, 56)).tobytes()


@ADAM
def test_recipe_losses(trained):
    run_recipe("losses", trained)
    with Image.open(trained / "losses.png") as picture:
        colours = {colour for _, colour in picture.getcolors(10**5)}
    assert picture.size == (900, 400) and {(178, 34, 34), (70, 130, 180)} <= colours


def test_flags():
    """Each flag is in the table with its default."""
    rows = re.findall(r"^\| `--([a-z-]+) \w+` \| ([^|]+) \|", README, re.MULTILINE)
    flags = vars(gan_adam.options([]))
    assert {x.replace("-", "_") for x, _ in rows} == flags.keys() - {"e", "saved"}
    for name, shown in rows:
        default = flags[name.replace("-", "_")]
        if name == "data":
            default = "data/mnist_uint8.mat"
        assert str("none" if default is None else default) in shown, name


def test_ci_runs_the_test_command():
    with open(os.path.join(ROOT, ".ci", "run"), encoding="utf-8") as f:
        last = f.read().splitlines()[-1]
    assert f"```sh\n{last}\n```" in README and "pytest tests" in last


def test_what_it_names_exists():
    """Every picture, every linked or named file, every test."""
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        with Image.open(os.path.join(ROOT, path)) as picture:
            picture.load()
        assert os.path.getsize(os.path.join(ROOT, path)) < 100_000
    for path in re.findall(r"(?:tests|data)/[\w/]+\.(?:py|m|mat)\b", README):
        assert os.path.exists(os.path.join(ROOT, path)), path
    tests = ""
    for name in os.listdir(os.path.join(ROOT, "tests")):
        if name.startswith("test_"):
            assert name.endswith(".py")
            with open(os.path.join(ROOT, "tests", name), encoding="utf-8") as f:
                tests += f"\n{name}\n{f.read()}"
    for name in re.findall(r"`(?:test_\w+\.py::)?(test_\w\w+?)`", README):
        assert f"def {name}(" in tests, name
    for name in re.findall(r"`(test_\w+\.py)", README):
        assert f"\n{name}\n" in tests, name
    for anchor in re.findall(r"\]\(#(.*?)\)", README):
        titles = re.findall(r"^##+ (.*)$", README, re.MULTILINE)
        slugs = [re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in titles]
        assert anchor in slugs, anchor


def test_pictures_are_shown():
    """Every tracked picture is in the README."""
    shown = set(re.findall(r"!\[.*?\]\((pics/.*?)\)", README))
    assert {x for x in tracked_files() if x.startswith("pics/")} == shown


def test_functions():
    """Every function that the table names is in the script, and the original's are all named."""
    table = README[README.index("| `.m` | `.py` |") : README.index("## Backpropagation")]
    named = set(re.findall(r"`(\w+)`", table)) - {"m", "py"}
    assert named and all(hasattr(gan_adam, x) for x in named)
    original = "sigmoid relu delta_relu sigmoid_cross_entropy delta_sigmoid_cross_entropy nnsetup"
    assert set((original + " nnff nnbp_d nnbp_g nnapplygrade save_images").split()) <= named
