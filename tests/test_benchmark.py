"""benchmark.py ends well and its report makes sense; how fast anything is, no test can say."""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, SCRIPTS

BENCHMARK = os.path.join(ROOT, "tests", "tools", "benchmark.py")


def run(*flags, **more):
    """Run benchmark.py; what it prints."""
    command = [sys.executable, BENCHMARK, *map(str, flags)]
    end = subprocess.run(command, capture_output=True, text=True, timeout=170, **more)
    assert end.returncode == 0, end.stdout + end.stderr
    return end.stdout


def test_quick():
    out = run("--quick")
    tables = [[x.strip("| ").split(" | ") for x in t.splitlines()] for t in out.split("\n\n")[1:4]]
    for rows in tables:
        assert len({len(row) for row in rows}) == 1
        for row in rows[2:]:
            low, high = map(float, re.search(r"([\d.]+) - ([\d.]+)", " ".join(row)).groups())
            assert 0 < low <= high
            assert float(row[-1]) > 0.9  # of the floor; or MB
    steps, batches, programs = ([row[0] for row in rows[2:]] for rows in tables)
    assert steps == [f"{s} {x}" for s in SCRIPTS for x in ("step", "floor") * 2]
    assert batches == programs == SCRIPTS


@pytest.mark.parametrize("name", ["torch", "jax"])
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_others(name, precision, script):
    pytest.importorskip(name, reason=f"{name} is not installed")
    data = os.path.join(ROOT, "data", "mnist_uint8.mat")
    out = run("--worker", name, script, precision, 60, 3, 1, data, input="\n")
    named, timed = map(json.loads, out.splitlines())
    assert named["name"]
    assert timed["step"] > 0
