"""What a run shows: closed output, warnings, console encoding, the progress line, help."""

import os
import subprocess
import sys

import pytest
from conftest import POSIX, ROOT, SCRIPTS, ended, run_script, start, tiny


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_output_closed_early(name, small_data, tmp_path):
    """As with | head -1: no traceback, no word, and it ends."""
    process = start(name, tiny(small_data, "--epoch", 1000), tmp_path)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_output_that_cannot_be_written(name, small_data, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full on this system")
    command = [sys.executable, os.path.join(ROOT, f"{name}.py"), *map(str, tiny(small_data))]
    with open("/dev/full", "w") as full:
        end = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert end.returncode != 0 and "Traceback" not in end.stderr


def test_divergence(gan, small_data, capsys, tmp_path):
    """Goes on as MATLAB does, prints its NaN, and warns once."""
    flags = ["--epoch", 2, "--learning-rate", 1.7e308, "--pics", tmp_path / "pics"]
    status, said = ended(gan, tiny(small_data, *flags), capsys)
    assert status == 0
    lines = said.out.splitlines()
    word = {"gan_adam": "NaN", "gan_mbgd": "Inf"}[gan.__name__]  # as the original printed in Octave
    assert len(lines) == 4 and lines[2] == f'c_loss:"{word}",d_loss:"{word}"'
    assert said.err.count("\n") == 1 and "the loss is Inf" in said.err  # Inf comes first


def test_no_warning_reaches_the_screen(gan, small_data, tmp_path):
    """exp overflows in sigmoid long before the loss is NaN; MATLAB says nothing."""
    flags = tiny(small_data, "--epoch", 1, "--learning-rate", 1000)
    end = run_script(gan.__name__, *flags, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_console_without_unicode(name, small_data, tmp_path):
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    flags = tiny(small_data, "--epoch", 1, "--pics", "数字")
    end = run_script(name, *flags, cwd=tmp_path, env=env)
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir(tmp_path / "数字") == ["epoch_1_t_10.png"]


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_progress_on_a_terminal(name, small_data, tmp_path):
    """One line, rewritten in place, gone at the end; standard output is as ever."""
    import pty

    parent, child = pty.openpty()
    command = [sys.executable, os.path.join(ROOT, f"{name}.py")]
    command += map(str, tiny(small_data, "--epoch", 3))
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=child)
    out = process.stdout.read().decode()
    process.wait(timeout=60)
    os.close(child)
    shown = os.read(parent, 10**6).decode()
    os.close(parent)
    assert out.count("c_loss") == 3 and "\r" not in out
    assert "\n" not in shown and "epoch 1/3 batch 2/10 c_loss" in shown
    assert "s/epoch" in shown and shown.endswith("\r")
    assert shown.count("epoch ") <= 3 + 3 * 4  # a few times a second at most


def test_help_fits_a_screen(gan, tmp_path):
    end = run_script(gan.__name__, "--help", cwd=tmp_path, env={**os.environ, "COLUMNS": "80"})
    assert end.returncode == 0 and end.stderr == ""
    lines = end.stdout.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 80
    for name, (default, _, _) in gan.SETTINGS.items():
        assert f"--{name.replace('_', '-')} " in end.stdout
        if name != "data" and default is not None:
            assert f"({default})" in " ".join(end.stdout.split())
