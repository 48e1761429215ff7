"""The tools run. How fast anything is, no test can say."""

import os
import sys
from types import SimpleNamespace

import pytest
from conftest import OCTAVE_PROGRAM, SCRIPTS, load_tool, run_script
from matlab_original import original
from PIL import Image


def test_benchmark(tmp_path):
    """A row for each script and precision; the original where it is here; in ms."""
    flags = ["--rounds", 1, "--steps", 3]
    end = run_script("tests/tools/benchmark", *flags, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir(tmp_path) == []
    _, _, *rows = [
        [x.strip() for x in line[1:-1].split("|")] for line in end.stdout.splitlines()
    ]
    kinds = [f"{script}, {p}" for script in SCRIPTS for p in ("double", "single")]
    assert [row[0] for row in rows] == kinds
    with_octave = OCTAVE_PROGRAM and original()
    for kind, *cells in rows:
        assert bool(cells[1]) == bool(with_octave and "double" in kind)
        for cell in filter(None, cells):
            ms, half = map(float, cell.split(" ±"))
            assert 0.1 < ms < 10_000 and half == 0  # not seconds; one round


def test_a_step(monkeypatch):
    """Neither the time until the first picture counts nor a single slow epoch."""
    benchmark = load_tool("tests/tools/benchmark.py")
    clock = iter([0.6, 0.7, 1.5, 1.6, 1.7])  # seconds
    monkeypatch.setattr(benchmark, "time", SimpleNamespace(perf_counter=clock.__next__))
    command = [sys.executable, "-c", "print('save_sample\\n' * 5)"]
    assert benchmark.step_ms(lambda *_: command, "", 2) == pytest.approx(50)


def test_draw_readme(tmp_path):
    """Without words it says how it is called."""
    pytest.importorskip("matplotlib")
    Image.new("L", (112, 112)).save(tmp_path / "grid.png")
    grids = ["grids", "b.png", "grid.png", "grid.png"]
    for words, size in (["bug", "a.png"], (760, 300)), (grids, (456, 242)):
        end = run_script("tests/tools/draw_readme", *words, cwd=tmp_path)
        assert (end.returncode, end.stderr) == (0, "")
        with Image.open(tmp_path / words[1]) as picture:
            assert picture.size == size
    end = run_script("tests/tools/draw_readme", cwd=tmp_path)
    assert end.returncode == 1 and "grids" in end.stderr
