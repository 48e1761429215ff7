"""What the tests share: both scripts, made-up data, and one run of each script.

The scripts are here as modules and as programs.
"""

import contextlib
import hashlib
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

# most tests' networks are small, and programs run beside each other:
# threads would only wait
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from scipy.io import loadmat, savemat

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
MATLAB = os.path.join(TESTS, "matlab")
sys.path[:0] = [ROOT, TESTS, MATLAB]
DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
SCRIPTS = ["gan_adam", "gan_mbgd"]
ONE = "gan_adam"  # for what is the same text in both scripts, see test_style.py
OCTAVE_PROGRAM = shutil.which("octave")
OCTAVE = pytest.mark.skipif(not OCTAVE_PROGRAM, reason="GNU Octave is not installed")
POSIX = pytest.mark.skipif(os.name != "posix", reason="what POSIX systems have")


def load_tool(path):
    """The program at `path` in this repository as a module, anew."""
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=SCRIPTS)
def gan(request):
    """Each script in turn, imported."""
    return importlib.import_module(request.param)


@pytest.fixture
def one():
    """One script, imported: for what is the same text in both."""
    return importlib.import_module(ONE)


@pytest.fixture(scope="session", params=SCRIPTS)
def golden_run(request, tmp_path_factory):
    """A run of each script with the settings of the golden records, kept for all tests.

    gan the module, out what it printed, pics its folder, checkpoint its file, and
    images_fake (60, 784), the last batch that it handed to save_images.
    """
    folder = tmp_path_factory.mktemp(request.param)
    gan = importlib.import_module(request.param)
    run = SimpleNamespace(
        gan=gan, pics=f"{folder}/pics", checkpoint=f"{folder}/run.mat"
    )
    save_images = gan.save_images

    def keep_images(images, count, path):
        run.images_fake = images.copy()
        save_images(images, count, path)

    flags = ["--images-num", "6000", "--epoch", "2", "--pics", run.pics]
    opt = gan.options([*flags, "--checkpoint", run.checkpoint])
    with pytest.MonkeyPatch.context() as patch, io.StringIO() as out:
        patch.setattr(gan, "save_images", keep_images)
        with contextlib.redirect_stdout(out):
            gan.main(opt)
        run.out = out.getvalue()
    return run


def last_noise(gan):
    """The noise of the last batch of golden_run, (60, 100), drawn once more.

    The stream is then where the run left it.
    """
    gan.rng(0)
    gan.nnsetup([100, 512, 784]), gan.nnsetup([784, 512, 1])
    for _ in range(2):
        gan.randperm(6000)
        for _ in range(100):
            noise = gan.unifrnd(-1, 1, 60, 100)
    return noise


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A .mat file with 400 made-up pictures: the path."""
    file = tmp_path_factory.mktemp("data") / "small.mat"
    images = np.random.RandomState(1).randint(0, 256, (400, 784)).astype(np.uint8)
    images[:, :300] = 0
    savemat(file, {"train_x": images}, do_compression=True)
    return str(file)


@pytest.fixture
def small_networks(monkeypatch):
    """Both scripts' networks get 24 numbers in the middle layer, not 512.

    So their files have a 20th of the size.
    """
    for name in SCRIPTS:
        gan = importlib.import_module(name)
        monkeypatch.setattr(gan, "nnsetup", smaller(gan.nnsetup))


def smaller(nnsetup):
    """nnsetup, but for the size of the middle layer."""

    def setup(architecture, *precision):
        first, _, last = architecture
        return nnsetup([first, 24, last], *precision)

    return setup


def run_script(name, *flags, cwd, **more):
    """Run a script as a program in the folder `cwd`; the ended process.

    What it printed is in its stdout and stderr.
    """
    more = {"capture_output": True, "text": True, "timeout": 170, **more}
    return subprocess.run(command_of(name, flags), cwd=cwd, **more)


def start(name, flags, cwd, **more):
    """Start a script as a program, its output in pipes; Ctrl-C can stop it."""
    if os.name == "posix":
        # a shell's background jobs ignore SIGINT, and so would what they start
        handler = signal.default_int_handler
        more["preexec_fn"] = lambda: signal.signal(signal.SIGINT, handler)
    pipe = subprocess.PIPE
    more = {"stdout": pipe, "stderr": pipe, "text": True, **more}
    return subprocess.Popen(command_of(name, flags), cwd=cwd, **more)


def command_of(name, flags):
    """The command that runs the script, or another program of the repository."""
    return [sys.executable, os.path.join(ROOT, f"{name}.py"), *map(str, flags)]


def small_run_flags(small_data, *more):
    """Flags of a run with 10 steps an epoch."""
    flags = ["--data", small_data, "--images-num", 160, "--batch-size", 16, *more]
    return [str(x) for x in flags]


def status_and_output(gan, flags, capsys):
    """Run in this process: the exit status, and what capsys captured (out, err)."""
    capsys.readouterr()
    try:
        gan.program(gan.options([str(x) for x in flags]))
        status = 0
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr()


def assert_refused(gan, flags, words, capsys):
    """Status 2, no output, one line with all `words`; returns it.

    Before a line about a flag stands how to call the program.
    """
    status, said = status_and_output(gan, flags, capsys)
    assert (status, said.out) == (2, ""), said
    *usage, line = said.err.splitlines()
    assert not usage or usage[0].startswith(f"usage: {gan.NAME}"), said.err
    assert line.startswith(gan.NAME) and all(str(x) in line for x in words), said.err
    assert "Errno" not in line  # a reason in words
    return line


def sums_of(folder):
    """The checksum of each file in a folder, but for the time in a .mat file's head."""
    sums = {}
    for path in folder.rglob("*"):
        if path.is_file():
            head = 128 if path.suffix == ".mat" else 0
            name = str(path.relative_to(folder))
            sums[name] = hashlib.sha256(path.read_bytes()[head:]).hexdigest()
    return sums


def variables_of(file):
    """The variables of a .mat file, structs as dicts and cell arrays as lists."""
    found = loadmat(file, simplify_cells=True)
    return {name: x for name, x in found.items() if name[0] != "_"}


def octave(code, folder, path=MATLAB):
    """What Octave prints for `code` in `folder`, with `path` on its path.

    Fails unless Octave ends well and prints nothing on standard error.
    """
    end = octave_process(f"addpath('{path}'); {code}", folder)
    assert (end.returncode, end.stderr) == (0, ""), end.stdout + end.stderr
    return end.stdout


def octave_process(code, folder):
    """Run Octave code in `folder`; the finished process, with its output."""
    flags = ["--no-gui", "--quiet", "--norc", "--no-history", "--eval", code]
    more = {"capture_output": True, "text": True, "timeout": 300}
    return subprocess.run([OCTAVE_PROGRAM, *flags], cwd=folder, **more)


def tracked_files():
    """The paths that git tracks, with / in every system.

    Outside of a checkout the test is skipped.
    """
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    end = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True)
    if end.returncode or not end.stdout:
        pytest.skip("not a git checkout")
    return end.stdout.decode("utf-8").rstrip("\0").split("\0")
