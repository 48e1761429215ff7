"""The README keeps its word: its recipes run, its flags, files and tests exist."""

import os
import re

from conftest import ROOT, TESTS, tracked_files
from PIL import Image

import gan_adam

READMES = ["README.md", "tests/README.md", "tests/matlab/README.md"]


def text_of(path):
    """The text of a file of the repository."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def test_flags():
    """Each flag in a README is one of a program here; --resume is gone everywhere."""
    programs = [text_of(x) for x in tracked_files() if x.endswith(".py")]
    known = set(re.findall(r'"(--[a-z-]+)"', "".join(programs)))
    named = [x for r in READMES for x in re.findall(r" `?(--[a-z][a-z-]+)", text_of(r))]
    assert len(named) > 20 and set(named) <= known, set(named) - known


README = text_of("README.md")


def test_ci_runs_the_test_command():
    last = text_of(".ci/run").splitlines()[-1]
    assert f"```sh\n{last}\n```" in README and "pytest -n 2 tests" in last


def test_what_it_names_exists():
    """Every picture, every linked or named file, every test."""
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        with Image.open(os.path.join(ROOT, path)) as picture:
            picture.load()
        assert os.path.getsize(os.path.join(ROOT, path)) < 100_000
    records = text_of("tests/matlab/README.md")
    both = "".join(map(text_of, READMES))
    for path in re.findall(r"(?:tests|data)/[\w/]+\.(?:py|m|mat|json|md)\b", both):
        assert os.path.exists(os.path.join(ROOT, path)), path
    tests = ""
    for path in tracked_files():
        name = path.rpartition("/")[2]
        if path.startswith("tests/") and name.startswith("test_"):
            assert name.endswith(".py")
            tests += f"\n{name}\n{text_of(path)}"
    for name in re.findall(r"`(?:test_\w+\.py::)?(test_\w\w+?)`", both):
        assert f"def {name}(" in tests, name
    for name in re.findall(r"`(test_\w+\.py)", both):
        assert f"\n{name}\n" in tests, name
    for path in re.findall(
        r"`(\w+\.(?:py|m|mat|json))`", records[: records.index("##")]
    ):
        assert os.path.exists(os.path.join(TESTS, "matlab", path)), path
    for anchor in re.findall(r"\]\(#(.*?)\)", README):
        titles = re.findall(r"^##+ (.*)$", README, re.MULTILINE)
        slugs = [re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in titles]
        assert anchor in slugs, anchor


def test_pictures_are_shown():
    """Every tracked picture is in the README."""
    shown = set(re.findall(r"!\[.*?\]\((pics/.*?)\)", README))
    assert {x for x in tracked_files() if x.startswith("pics/")} == shown


def test_functions():
    """Every function named is in the script, and the original's are all there."""
    start = README.index("Each function of the original has its namesake")
    end = README.index("## Backpropagation")
    named = re.findall(r"`(\w+)`", README[start:end])
    original = """sigmoid relu delta_relu sigmoid_cross_entropy nnsetup nnff nnbp_d
        delta_sigmoid_cross_entropy nnbp_g nnapplygrade save_images"""
    assert named and all(hasattr(gan_adam, x) for x in named + original.split())
