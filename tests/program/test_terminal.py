"""What a run shows: closed output, warnings, console encoding, progress line, help."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import (
    ONE,
    POSIX,
    ROOT,
    run_script,
    small_run_flags,
    start,
    status_and_output,
)


@POSIX
@pytest.mark.parametrize("name", ONE)
def test_output_closed_early(name, small_data, tmp_path):
    """As with | head -1: no traceback, no word, and it ends."""
    process = start(name, small_run_flags(small_data, "--epoch", 1000), tmp_path)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1


@pytest.mark.parametrize("name", ONE)
def test_output_that_cannot_be_written(name, small_data, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full on this system")
    command = [
        sys.executable,
        os.path.join(ROOT, f"{name}.py"),
        *map(str, small_run_flags(small_data)),
    ]
    with open("/dev/full", "w") as full:
        end = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert end.returncode != 0 and "Traceback" not in end.stderr


def product(a, b):
    """a*b, added up from the first term to the last, whatever the BLAS does."""
    result = np.zeros((a.shape[0], b.shape[1]), order="F")
    for k in range(a.shape[1]):
        result = result + a[:, k : k + 1] * b[k : k + 1]
    return result


def test_divergence(gan, small_data, capsys, tmp_path, monkeypatch):
    """Goes on as MATLAB does, prints its NaN, and warns once.

    Where a sum passes the largest number, its order decides between NaN and Inf: with
    OpenBLAS 0.3.31 the words are Octave's, with 0.3.34 gan_mbgd's are NaN. Hence ours.
    """
    monkeypatch.setattr(gan, "mtimes", product)
    flags = ["--epoch", 2, "--learning-rate", 1.7e308, "--pics", tmp_path / "pics"]
    status, said = status_and_output(gan, small_run_flags(small_data, *flags), capsys)
    assert status == 0
    lines = said.out.splitlines()
    # as the original printed in Octave
    word = {"gan_adam": "NaN", "gan_mbgd": "Inf"}[gan.__name__]
    assert len(lines) == 4 and lines[2] == f'c_loss:"{word}",d_loss:"{word}"'
    # Inf comes first
    assert said.err.count("\n") == 1 and ": loss Inf; training" in said.err


def test_no_warning_reaches_the_screen(gan, small_data, tmp_path):
    """exp overflows in sigmoid long before the loss is NaN; MATLAB says nothing."""
    flags = small_run_flags(small_data, "--epoch", 1, "--learning-rate", 1000)
    end = run_script(gan.__name__, *flags, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")


@pytest.mark.parametrize("name", ONE)
def test_a_console_without_unicode(name, small_data, tmp_path):
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    flags = small_run_flags(small_data, "--epoch", 1, "--pics", "数字")
    end = run_script(name, *flags, cwd=tmp_path, env=env)
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir(tmp_path / "数字") == ["epoch_1_t_10.png"]


class Terminal:
    """A pseudo-terminal of so many columns as the standard error of a script."""

    def __init__(self, name, flags, cwd, columns):
        import fcntl
        import pty
        import struct
        import termios

        self.parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        command = [sys.executable, os.path.join(ROOT, f"{name}.py"), *map(str, flags)]
        heed = {
            "preexec_fn": lambda: signal.signal(
                signal.SIGINT, signal.default_int_handler
            )
        }
        self.process = subprocess.Popen(
            command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=child, **heed
        )
        os.close(child)
        self.shown = ""

    def read_until(self, words):
        """Read on until `words`, or None for the end, came up."""
        while words is None or words not in self.shown:
            try:
                part = os.read(self.parent, 10**5)
            except OSError:  # Linux's way to say that the other end is closed
                part = b""
            if not part:
                assert words is None, self.shown
                break
            self.shown += part.decode()


def screen(shown, columns):
    """The lines that a terminal with so many columns shows after `shown`."""
    lines, column = [""], 0
    for letter in shown:
        if letter == "\r":
            column = 0
        elif letter == "\n":
            lines.append("")
        else:
            if column == columns:  # the line is full
                lines.append("")
                column = 0
            lines[-1] = (
                lines[-1][:column].ljust(column) + letter + lines[-1][column + 1 :]
            )
            column += 1
    return [x.rstrip() for x in lines]


@POSIX
@pytest.mark.parametrize("columns", [80, 30])
@pytest.mark.parametrize("name", ONE)
def test_progress_on_a_terminal(name, columns, small_data, tmp_path):
    """One line, rewritten in place, as wide as the terminal, gone at the end."""
    terminal = Terminal(
        name, small_run_flags(small_data, "--epoch", 40), tmp_path, columns
    )
    terminal.read_until(" batch ")
    terminal.read_until(None)
    assert terminal.process.wait(timeout=60) == 0
    os.close(terminal.parent)
    shown = terminal.shown
    assert "\n" not in shown and screen(shown, columns) == [""]
    lines = {x.strip() for x in shown.split("\r")} - {""}
    line = r"epoch \d+/40 batch \d/10 c_loss \d\.\d{3} d_loss \d\.\d{3} "
    line += r"\d+\.\d s/epoch \d+:\d\d left"
    whole = re.compile(line if columns > 79 else r"epoch \d+/40 batch \d/10 c_lo.*")
    assert lines and all(whole.fullmatch(x) and len(x) < columns for x in lines), lines


def test_progress_line_of_a_default_run(gan, monkeypatch):
    """Even its longest fits 80 columns."""
    said = []
    monkeypatch.setattr(gan, "show_line", said.append)
    start = gan.time.perf_counter() - 99_500 * 0.0151
    shown = {"start": start, "steps": 99_500, "diverged": False}
    for t in range(1, 100):
        gan.show_progress(shown, 100, 100, 1000, t, 2.5, 2.5)
    assert said and max(map(len, said)) < 80 and "s/epoch" in said[0]


@POSIX
@pytest.mark.parametrize("name", ONE)
def test_nothing_stays_behind(name, small_data, tmp_path):
    """After Ctrl-C there is its one line."""
    terminal = Terminal(
        name, small_run_flags(small_data, "--epoch", 10**6), tmp_path, 80
    )
    terminal.read_until(" batch ")
    terminal.process.send_signal(signal.SIGINT)
    terminal.read_until(None)
    assert terminal.process.wait(timeout=60) == 130
    os.close(terminal.parent)
    assert screen(terminal.shown, 80) == [
        f"{name}.py: stopped; this run wrote no checkpoint",
        "",
    ]


@POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(gan, closed, small_data, tmp_path):
    """--help ends well, and training trains."""
    command = f'"{sys.executable}" "{ROOT}/{gan.__name__}.py"'
    flags = " ".join(map(str, small_run_flags(small_data, "--epoch", 1)))
    for words in "--help", flags:
        end = subprocess.run(
            f"{command} {words} {closed}",
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert end.returncode == 0 and end.stderr == ""
    assert os.listdir(tmp_path / "pics") == ["epoch_1_t_10.png"]


def test_without_docstrings(gan, tmp_path):
    """python -OO strips them."""
    command = [
        sys.executable,
        "-OO",
        os.path.join(ROOT, f"{gan.__name__}.py"),
        "--help",
    ]
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (end.returncode, end.stderr) == (0, "") and "--epoch" in end.stdout


def test_help_fits_a_screen(gan, tmp_path):
    end = run_script(
        gan.__name__, "--help", cwd=tmp_path, env={**os.environ, "COLUMNS": "80"}
    )
    assert end.returncode == 0 and end.stderr == ""
    lines = end.stdout.splitlines()
    assert len(lines) <= 32 and max(map(len, lines)) <= 80
    text = " ".join(end.stdout.split())
    for name, default in vars(gan.options([])).items():
        assert f"--{name.replace('_', '-')} " in text
        if name != "data" and default is not None:
            assert f"(default: {default})" in text
