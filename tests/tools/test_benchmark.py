"""The tools run. How fast anything is, no test can say."""

import os
import subprocess
import sys

import pytest
from conftest import POSIX, ROOT, SCRIPTS, load_tool
from PIL import Image

TOOLS = os.path.join(ROOT, "tests", "tools")


def run(program, *words, cwd):
    """Run a program of Python without docstrings and asserts; the ended process."""
    command = [sys.executable, "-OO", str(program), *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=170)


def test_benchmark(tmp_path):
    """A row for each script and precision; all contestants that are here; in ms."""
    program = os.path.join(TOOLS, "benchmark.py")
    flags = ["--rounds", 1, "--steps", 3, "--threads", 1]
    end = run(program, *flags, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir(tmp_path) == []
    table = [x for x in end.stdout.splitlines() if x.startswith("| ")]
    head, _, *rows = [[x.strip() for x in line[1:-1].split("|")] for line in table]
    benchmark = load_tool("tests/tools/benchmark.py")
    others = ["Octave"] * benchmark.octave_is_here()
    assert head[1] == "the port"
    assert [x.split()[0] for x in head[2:]] == others
    kinds = [(script, p) for script in SCRIPTS for p in ("double", "single")]
    assert [tuple(row[0].split(", ")) for row in rows] == kinds
    for name, *cells in rows:
        for column, cell in zip(head[1:], cells, strict=True):
            if "Octave" in column and "single" in name:
                assert cell == ""
                continue
            ms, half = map(float, cell.split(" ±"))
            assert 0.1 < ms < 10_000 and 0 <= half < 10_000  # not seconds


def test_warm_up_does_not_count():
    """Neither do single slow steps."""
    benchmark = load_tool("tests/tools/benchmark.py")
    seconds = [1.0] * benchmark.WARM + [0.002, 0.002, 5, 0.002]
    times = [0.0]
    for x in seconds:
        times.append(times[-1] + x)
    assert benchmark.step_ms(times) == pytest.approx(2)


@POSIX
def test_draw_readme(tmp_path):
    """Also by a symbolic link; without words it says how it is called."""
    os.symlink(os.path.join(TOOLS, "draw_readme.py"), tmp_path / "draw.py")
    for words, size in (["bug", "a.png"], (760, 300)), (["grids", "b.png"], (456, 242)):
        if words[0] == "grids":
            Image.new("L", (112, 112)).save(tmp_path / "grid.png")
            words += ["grid.png", "grid.png"]
        end = run("draw.py", *words, cwd=tmp_path)
        assert (end.returncode, end.stderr) == (0, "")
        with Image.open(tmp_path / words[1]) as picture:
            assert picture.size == size
    end = run("draw.py", cwd=tmp_path)
    assert end.returncode == 1 and "grids" in end.stderr
