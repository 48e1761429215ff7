"""The two scripts as a pair, what they may import, what the repository holds, ruff."""

import ast
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, SCRIPTS, tracked_files


@pytest.mark.parametrize(
    "command, ending",
    [
        ("ruff check", ".py"),
        ("ruff format --check", ".py"),
        ("miss_hit.mh_lint --single", ".m"),  # real MATLAB's syntax, not Octave's
    ],
)
def test_linters(command, ending):
    """They have nothing to say of what git tracks."""
    module, *flags = command.split()
    pytest.importorskip(module.split(".")[0], reason="see tests/requirements.txt")
    files = [x for x in tracked_files() if x.endswith(ending)]
    command = [sys.executable, "-m", module, *flags, *files]
    end = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert end.returncode == 0, end.stdout + end.stderr


# -------------------------------------------------------------------- the two as a pair


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


DIFFER = [  # how the lines begin that may differ outside the functions
    '"""Train a small',
    "A NumPy port of gan_",
    "    python gan_",
    "    _m, _v  Adam's",
    '    nn["t"] how',
    'SCRIPT = "gan_',
    "EPOCH = 100  #",
    "LEARNING_RATE = 0.0",
    "LAYER_STATE = ",
]


def test_shared_text():
    """Both scripts have the same functions in the same order.

    All but two are the same text.
    """
    (adam, rest_adam), (mbgd, rest_mbgd) = parts("gan_adam"), parts("gan_mbgd")
    assert list(adam) == list(mbgd)
    assert {k for k in adam if adam[k] != mbgd[k]} == {"nnsetup", "nnapplygrade"}
    # nnsetup: the same but for Adam's fields; nnapplygrade is each one's own
    ours, theirs = (x["nnsetup"].splitlines() for x in (adam, mbgd))
    assert set(theirs) < set(ours)
    of_adam = r'what Adam needs|nn\["|layer\["[wb]_[mv]"'
    assert all(re.search(of_adam, x) for x in ours if x not in theirs)
    # outside the functions: lines that say what the script is, and what differs
    rests = [rest.splitlines() for rest in (rest_adam, rest_mbgd)]
    differ = set(rests[0]) ^ set(rests[1])
    assert all(x.startswith(tuple(DIFFER)) for x in differ), differ
    kept = [[x for x in rest if x not in differ] for rest in rests]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("name", SCRIPTS)
def test_requirements(name):
    """The standard library, numpy, scipy and pillow; both places name the same."""
    text = source(name)
    names = set(re.findall(r"^ *(?:import|from) (\w+)", text, re.MULTILINE))
    assert names - set(sys.stdlib_module_names) == {"numpy", "scipy", "PIL"}
    with open(os.path.join(ROOT, "requirements.txt"), encoding="utf-8") as f:
        required = f.read().split()
    header = re.search(r"# dependencies = \[(.*)\]", text)[1]
    assert re.findall(r'"(.*?)"', header) == required and len(required) == 3


def test_top_level():
    """The files and folders that the design names, dot files apart."""
    top = {path.split("/")[0] for path in tracked_files() if path[0] != "."}
    design = "data pics tests requirements.txt README.md LICENSE"
    assert top <= {"gan_adam.py", "gan_mbgd.py", *design.split()}
