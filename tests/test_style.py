"""The two scripts as a pair, what they may import, what the repository holds, and ruff."""

import ast
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, SCRIPTS, tracked_files


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff(command):
    """ruff has nothing to say of what git tracks, neither on lint nor on format."""
    pytest.importorskip(
        "ruff", reason="it is not installed: pip install -r tests/requirements.txt"
    )
    end = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            *command,
            *(x for x in tracked_files() if x.endswith(".py")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert end.returncode == 0, end.stdout + end.stderr


# ------------------------------------------------------------------------- the two as a pair


def source(name):
    with open(os.path.join(ROOT, f"{name}.py"), encoding="utf-8") as f:
        return f.read()


def parts(name):
    """The script's functions by name, and the text between them, comments included."""
    text = source(name)
    lines, functions, rest, end = text.splitlines(), {}, [], 0
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            rest += lines[end:start]
            functions[node.name] = "\n".join(lines[start : node.end_lineno])
            end = node.end_lineno
    return functions, "\n".join(rest + lines[end:])


def test_shared_text():
    """Both scripts have the same functions in the same order; all but two are the same text."""
    (adam, rest_adam), (mbgd, rest_mbgd) = parts("gan_adam"), parts("gan_mbgd")
    assert list(adam) == list(mbgd)
    assert {k for k in adam if adam[k] != mbgd[k]} == {"nnsetup", "nnapplygrade"}
    # nnsetup: the same but for Adam's fields; nnapplygrade is each one's own
    only = [
        x for x in adam["nnsetup"].splitlines() if x not in mbgd["nnsetup"].splitlines()
    ]
    assert all(
        re.search('is what Adam needs|are what Adam|nn\\["|layer\\["[wb]_[mv]"', x)
        for x in only
    )
    assert set(mbgd["nnsetup"].splitlines()) < set(adam["nnsetup"].splitlines())
    # outside the functions: the docstring, and the block that says so
    docs = [ast.get_docstring(ast.parse(source(name)), clean=False) for name in SCRIPTS]
    adam, mbgd = (
        x.replace(doc, "") for x, doc in zip((rest_adam, rest_mbgd), docs, strict=True)
    )
    blocks = [re.search(r"# -{98}\n(.*?)# -{98}\n", x, re.DOTALL) for x in (adam, mbgd)]
    assert adam.replace(blocks[0][0], "") == mbgd.replace(blocks[1][0], "")
    for block in blocks:
        names = re.findall(r"^(\w+) = ", block[1], re.MULTILINE)
        assert names == ["LEARNING_RATE", "NET_STATE", "LAYER_STATE"]
    # and in the docstring only what is said of the script and of Adam
    docs = [re.sub(r"gan_\w+\.(m|py)|[0-9a-f]{40}", "", x).split("\n\n") for x in docs]
    assert docs[0][1:3] == docs[1][1:3]


@pytest.mark.parametrize("name", SCRIPTS)
def test_imports(name):
    """Nothing but the standard library, numpy, scipy and PIL."""
    names = set()
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.Import):
            names |= {x.name.split(".")[0] for x in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
    assert names - set(sys.stdlib_module_names) == {"numpy", "scipy", "PIL"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_requirements_are_the_same_everywhere(name):
    with open(os.path.join(ROOT, "requirements.txt"), encoding="utf-8") as f:
        required = f.read().split()
    header = re.search(r"# dependencies = \[(.*)\]", source(name))[1]
    assert re.findall(r'"(.*?)"', header) == required and len(required) == 3


def test_top_level():
    """The files and folders that the design names, dot files apart."""
    top = {path.split("/")[0] for path in tracked_files()}
    design = {
        "gan_adam.py",
        "gan_mbgd.py",
        "data",
        "pics",
        "tests",
        "requirements.txt",
        "README.md",
        "LICENSE",
    }
    assert {x for x in top if x[0] != "."} <= design
