"""ruff has nothing to say, neither on lint nor on format."""

import subprocess
import sys

import pytest
from conftest import ROOT

pytest.importorskip("ruff", reason="ruff is not installed: pip install -r tests/requirements.txt")


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff(command):
    end = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert end.returncode == 0, end.stdout + end.stderr
