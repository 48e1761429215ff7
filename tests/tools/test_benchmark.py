"""benchmark.py ends well and its report makes sense.

How fast anything is, no test can say.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, SCRIPTS
from PIL import Image

TOOLS = os.path.join(ROOT, "tests", "tools")
sys.path.append(TOOLS)
import benchmark  # noqa: E402 as soon as it can be found
import benchmark_worker  # noqa: E402


def run(tool, *words, cwd):
    """Run a tool; what it prints."""
    command = [sys.executable, os.path.join(TOOLS, tool), *map(str, words)]
    end = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=170)
    assert end.returncode == 0, end.stdout + end.stderr
    return end.stdout


def cells(table):
    """A Markdown table: its head, and its rows by their first cells.

    The numbers are without their ±.
    """
    head, _, *rows = [line[2:-2].split(" | ") for line in table.splitlines()]
    assert all(len(row) == len(head) for row in rows)
    return head, {name: [x.partition(" ±")[0] for x in row] for name, *row in rows}


def test_quick(tmp_path):
    """Every row is there for both scripts; every number is one, and in its unit."""
    out = run(
        "benchmark.py",
        "--quick",
        "--rounds",
        1,
        "--steps",
        3,
        "--threads",
        1,
        cwd=tmp_path,
    )
    machine, table, left_out = out.split("\n\n")
    assert (
        f"numpy {np.__version__}" in machine
        and "1 rounds, bursts of 3 steps" in machine
    )
    assert "PyTorch, JAX, Octave" in left_out
    head, rows = cells(table)
    assert head == ["", "NumPy (the port)", "its floor"]
    for script in SCRIPTS:
        for precision in "double", "single":
            step, floor = map(float, rows.pop(f"{script}, {precision}: ms a step"))
            assert 0.1 < floor and 0.1 < step < 10_000  # milliseconds, not seconds
        # seconds, not milliseconds; of an interpreter that has to load NumPy
        assert 0.05 < float(rows.pop(f"{script}: s to the first step")[0]) < 60
        assert 0.05 < float(rows.pop(f"{script}: s to the first picture")[0]) < 60
        # an interpreter with NumPy takes more than 30 MB
        peak = rows.pop(f"{script}: peak memory, MB")[0]
        assert os.name != "posix" or 30 < float(peak) < 1000
    assert 50 < float(rows.pop("packages on disk, MB")[0]) < 2000 and not rows
    assert os.listdir(tmp_path) == []


def test_table():
    """Medians, spans and names are right for made-up measurements; gaps stay empty."""
    bursts, programs = {}, {}
    for script in SCRIPTS:
        for kind, name, steps in (
            ("script", script, [6, 9, 20]),
            ("jax", "J 1.0", [3, 9, 5]),
        ):
            rounds = [
                {"name": name, "step": x, "floor": x / 3, "start": x / 4} for x in steps
            ]
            bursts[kind, script, "double"] = rounds
        programs["script", script] = [
            {"seconds": x, "peak": 100 + x} for x in (12.5, 11, 14)
        ]
    table = benchmark.table(bursts, programs)
    assert (
        "| gan_adam, double: ms a step | 9.00 ±7.00 | 3.00 ±2.33 | 5.00 ±3.00 |"
        in table
    )
    head, rows = cells(table)
    assert head == ["", "NumPy (the port)", "its floor", "J 1.0"] and len(rows) == 9
    assert rows["gan_mbgd: s to the first step"] == ["2.25", "", ""]
    assert rows["gan_mbgd: s to the first picture"] == ["12.5", "", ""]
    assert rows["gan_mbgd: peak memory, MB"] == ["112", "", ""]
    assert [*rows][-1] == "packages on disk, MB"


def test_warm_up_does_not_count():
    slow, fast = [1.0] * benchmark_worker.WARM, [0.002] * 4
    assert benchmark_worker.step_ms(np.cumsum([0, *slow, *fast])) == pytest.approx(2)


def test_products_are_those_of_a_step(gan, monkeypatch):
    """The floor's list is what the script multiplies.

    A product less would be a lower floor.
    """
    multiplied, mtimes = [], gan.mtimes

    def listed(a, b):
        multiplied.append((*a.shape, b.shape[1]))
        return mtimes(a, b)

    monkeypatch.setattr(gan, "mtimes", listed)
    generator, discriminator = gan.nnsetup([100, 512, 784]), gan.nnsetup([784, 512, 1])
    for update in "generator", "discriminator":
        fake = gan.nnff(generator, np.zeros((60, 100)))["layers"][-1]["a"]
        images = fake if update == "generator" else np.zeros((120, 784))
        gan.nnff(discriminator, images)
        logits = discriminator["layers"][-1]["z"]
        gan.nnbp_d(
            discriminator, logits, 0 * logits, derivatives=update == "discriminator"
        )
        if update == "generator":
            gan.nnbp_g(generator, discriminator)
    large = [x for x in multiplied if 1 not in x]  # those with one column take no time
    assert sorted(large) == sorted(benchmark_worker.PRODUCTS)


def test_installed_size(tmp_path, monkeypatch):
    """Made-up packages: one needs another and a missing one.

    It needs a third as an extra only.
    """
    needs = {
        "first": ["Sec_ond>=1", "third; extra == 'more'", "missing"],
        "sec-ond": ["first"],
    }
    for name, megabytes in ("first", 2), ("sec-ond", 3), ("third", 5):
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (tmp_path / f"{name}.bin").write_bytes(bytes(megabytes * 10**6))
        (info / "METADATA").write_text(
            f"Name: {name}\nVersion: 1.0\n"
            + "".join(f"Requires-Dist: {x}\n" for x in needs.get(name, []))
        )
        (info / "RECORD").write_text(f"{name}.bin,,\nno_longer_there.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert benchmark.installed_mb("first") == pytest.approx(5, abs=0.01)
    assert benchmark.installed_mb("third", "first") == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize("kind", ["torch", "jax"])
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_others(kind, precision, script, tmp_path):
    pytest.importorskip(kind, reason=f"{kind} is not installed")
    answer = json.loads(
        run("benchmark_worker.py", kind, script, precision, 7, 1, cwd=tmp_path)
    )
    assert answer["name"].startswith(benchmark.NAMES[kind])
    assert len(answer["times"]) == 8 and np.all(np.diff(answer["times"]) > 0)
    if kind == "torch":
        with Image.open(tmp_path / "torch.png") as picture:
            assert picture.size == (112, 112)


@pytest.mark.skipif(
    not benchmark.is_here("octave"), reason="no Octave or no GAN_MATLAB_DIR"
)
@pytest.mark.parametrize("script", SCRIPTS)
def test_octave(script):
    answer = benchmark.burst("octave", script, "double", 8, 1)
    assert answer["name"].startswith("Octave ") and answer["step"] > 0
