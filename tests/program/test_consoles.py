"""Jupyter, Spyder and IDLE: their streams and flags; a link; two runs in a process."""

import importlib.util
import io
import os
import runpy
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, SCRIPTS, small_run_flags, status_and_output
from scipy.io import loadmat

SMALL = ["--images-num", "320", "--batch-size", "32", "--epoch", "1"]


class Stream:
    """A console's stream: it has write and flush, and nothing else."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        """Nothing to do."""


class Console:
    """A console in place of the terminal that this process was started from."""

    started = ["python", "-m", "ipykernel_launcher", "-f", "kernel.json"]

    def __init__(self, gan, monkeypatch):
        self.gan = gan
        self.monkeypatch = monkeypatch

    def run(self, *flags):
        """What run() gives, or the exit status that it ends with."""
        self.out = Stream()
        self.err = Stream()
        words = [f"{self.gan.__name__}.py", *map(str, flags)]
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "argv", words)
            patch.setattr(sys, "orig_argv", self.started)
            patch.setattr(sys, "stdout", self.out)
            patch.setattr(sys, "stderr", self.err)
            try:
                return self.gan.run()
            except SystemExit as end:
                return end.code

    def press_ctrl_c(self, epoch, batches):
        """Have the next run's Ctrl-C come in this epoch, after so many batches."""
        asked = {"left": 10 * (epoch - 1) + batches}
        unifrnd = self.gan.unifrnd

        def count(*arguments):
            asked["left"] -= 1
            if asked["left"] < 0:
                asked["left"] = 10**9
                signal.raise_signal(signal.SIGINT)
            return unifrnd(*arguments)

        self.monkeypatch.setattr(self.gan, "unifrnd", count)


@pytest.fixture
def console(gan, small_networks, monkeypatch, tmp_path):
    """A console with each script, in a folder of its own; Ctrl-C raises there."""
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Console(gan, monkeypatch)
    signal.signal(signal.SIGINT, before)


def test_training_in_a_console(console, small_data, tmp_path):
    """It prints the losses, shows no progress line, and returns the networks."""
    generator, discriminator = console.run(*small_run_flags(small_data, "--epoch", 2))
    lines = console.out.text.splitlines()
    assert [x.split(":")[0] for x in lines] == ["c_loss", "save_sample"] * 2
    assert console.err.text == ""
    assert generator["layers"][-1]["w"].shape == (24, 784)
    assert discriminator["layers"][-1]["w"].shape == (24, 1)
    assert os.listdir(tmp_path) == ["pics"]


def test_help_in_a_console(console):
    assert console.run("--help") == 0
    assert "--checkpoint FILE" in console.out.text and console.err.text == ""


@pytest.mark.parametrize(
    "flags", [["--none"], ["--epoch", "x"], ["--data", "no.mat"], ["--epoch", "-3"]]
)
def test_bad_flags_in_a_console(console, flags, tmp_path):
    assert console.run(*flags) == 2
    assert console.out.text == "" and console.err.text.count("\n") == 1
    assert console.err.text.startswith(console.gan.__name__)
    assert flags[0] in console.err.text
    assert os.listdir(tmp_path) == []


def test_a_warning_in_a_console(console, small_data):
    """A diverged run's line reaches the console too."""
    flags = small_run_flags(small_data, "--epoch", 1, "--learning-rate", 1.7e308)
    console.run(*flags)
    assert console.err.text.count("\n") == 1 and "training goes on" in console.err.text


def test_ctrl_c_in_a_console(console, small_data):
    """The line names the flags to go on with; then Ctrl-C works as before."""
    flags = small_run_flags(small_data, "--epoch", 3, "--checkpoint", "my run.mat")
    console.press_ctrl_c(epoch=2, batches=4)
    assert console.run(*flags) == 130
    said = console.err.text
    assert said.count("\n") == 1 and "stopped; saved after epoch 1" in said
    words = [*map(str, flags), "--resume", "my run.mat"]
    assert said.strip().endswith(f"go on with the flags: {written(words)}")
    for name in Console.started:
        assert f" {name} " not in said
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # once more, in the run that goes on: --resume is there already
    console.press_ctrl_c(epoch=1, batches=5)
    assert console.run(*words) == 130
    assert console.err.text.strip().endswith(f"flags: {written(words)}")
    generator, _ = console.run(*words)
    assert loadmat("my run.mat")["e"].item() == 3
    w = loadmat("my run.mat", simplify_cells=True)["generator"]["layers"][2]["w"]
    np.testing.assert_array_equal(w, generator["layers"][2]["w"])


def written(words):
    """The words as the system's shell takes them."""
    if os.name != "posix":
        return subprocess.list2cmdline(words)
    return " ".join(f"'{x}'" if " " in x else x for x in words)


def test_ctrl_c_in_a_program(console, small_data):
    """If the process was started with the flags, the line is the whole command."""
    flags = [
        *map(str, small_run_flags(small_data, "--epoch", 3)),
        "--checkpoint",
        "run.mat",
    ]
    console.started = ["python", "-X", "utf8", f"{console.gan.__name__}.py", *flags]
    console.press_ctrl_c(epoch=2, batches=0)
    assert console.run(*flags) == 130
    command = written([*console.started, "--resume", "run.mat"])
    assert console.err.text.strip().endswith(f"go on with: {command}")


def test_ctrl_c_without_a_checkpoint(console, small_data):
    console.press_ctrl_c(epoch=2, batches=0)
    assert console.run(*small_run_flags(small_data, "--epoch", 3)) == 130
    line = f"{console.gan.__name__}.py: stopped; this run wrote no checkpoint\n"
    assert console.err.text == line


# -------------------------------------------------------------------- missing packages


class Missing:
    """An importer that has none of a package."""

    def __init__(self, package, message):
        self.package = package
        self.message = message

    def find_spec(self, name, path=None, target=None):
        """Raise what Python raises where the package is not installed, or broken."""
        if name.split(".")[0] == self.package:
            raise ImportError(self.message)


@pytest.mark.parametrize("package", ["numpy", "scipy", "PIL"])
@pytest.mark.parametrize("lines", ["No module named {}", "\n\nREAD THIS\n\n{} fails\n"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_package_is_missing(name, lines, package, monkeypatch):
    """One line that says how to install all; of a broken package, too."""
    for module in list(sys.modules):
        if module.split(".")[0] == package:
            monkeypatch.delitem(sys.modules, module)
    finder = Missing(package, lines.format(package))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(os.path.join(ROOT, f"{name}.py"), run_name="__main__")
    # Python prints a text that SystemExit has, and gives status 1
    assert isinstance(end.value.code, str) and "\n" not in end.value.code
    assert end.value.code.startswith(f"{name}.py: ") and package in end.value.code
    assert "-r requirements.txt" in end.value.code
    assert end.value.__suppress_context__


# ------------------------------------------------------ where it is, how often it runs


def test_a_link_finds_the_data(gan, tmp_path):
    """A symbolic link in another folder, run as a program from a third."""
    link = tmp_path / "links" / "train.py"
    link.parent.mkdir()
    try:
        link.symlink_to(os.path.join(ROOT, f"{gan.__name__}.py"))
    except OSError:
        pytest.skip("this user may not make links")
    command = [sys.executable, str(link), *SMALL]
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (end.returncode, end.stderr) == (0, "")
    assert "save_sample:./pics/epoch_1_t_10.png" in end.stdout
    # as a module: its data are those of the script, not of the link's folder
    spec = importlib.util.spec_from_file_location("train", link)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert os.path.samefile(module.options([]).data, gan.options([]).data)


@pytest.mark.usefixtures("small_networks")
def test_twice_in_a_process(gan, small_data, tmp_path, capsys):
    """The same flags give the same, whatever ran before; the networks come back."""
    flags = [
        str(x) for x in small_run_flags(small_data, "--epoch", 2, "--pics", tmp_path)
    ]
    found = []
    for _ in range(2):
        networks = gan.main(gan.options(flags))
        arrays = [x[k] for nn in networks for x in nn["layers"][1:] for k in "wb"]
        found.append((capsys.readouterr().out, arrays, gan.rand(1, 3)))
        # another run between them
        status_and_output(gan, [*flags, "--seed", 5, "--precision", "single"], capsys)
    for one, other in zip(*found, strict=True):
        if isinstance(one, str):
            assert one == other and one.count("c_loss") == 2
        else:
            for x, y in zip(one, other, strict=True):
                np.testing.assert_array_equal(x, y)
    shapes = [x.shape for x in found[0][1]]
    sizes = [(100, 24), (1, 24), (24, 784), (1, 784)]
    assert shapes == [*sizes, (784, 24), (1, 24), (24, 1), (1, 1)]
    assert found[0][1][0] is not found[1][1][0]


def test_closed_streams_in_a_console(gan, small_networks, small_data, tmp_path):
    """pythonw.exe has no streams at all: the run trains all the same."""
    flags = [
        str(x) for x in small_run_flags(small_data, "--epoch", 1, "--pics", tmp_path)
    ]
    kept = sys.stdout, sys.stderr, sys.argv
    try:
        sys.stdout, sys.stderr = None, None
        sys.argv = ["gan.py", *flags]
        generator, _ = gan.run()
        for stream in sys.stdout, sys.stderr:
            assert isinstance(stream, io.TextIOBase)
            stream.close()
    finally:
        sys.stdout, sys.stderr, sys.argv = kept
    assert generator["layers_count"] == 3
    assert os.listdir(tmp_path) == ["epoch_1_t_10.png"]
