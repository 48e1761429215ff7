"""What the tests share: both scripts as modules, as programs, and one run of each to look at."""

import contextlib
import importlib
import io
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
sys.path[:0] = [ROOT, TESTS, os.path.join(TESTS, "matlab")]
SCRIPTS = ["gan_adam", "gan_mbgd"]
OCTAVE = pytest.mark.skipif(not shutil.which("octave"), reason="GNU Octave is not installed")


@pytest.fixture(params=SCRIPTS)
def gan(request):
    """Each script in turn, imported."""
    return importlib.import_module(request.param)


@pytest.fixture(scope="session", params=SCRIPTS)
def golden_run(request, tmp_path_factory):
    """A run of each script with the settings of the golden records, kept for all tests.

    gan the module, out what it printed, pics its folder, checkpoint its file, and images_fake
    (60, 784), the last batch that it handed to save_images.
    """
    folder = tmp_path_factory.mktemp(request.param)
    gan = importlib.import_module(request.param)
    run = SimpleNamespace(gan=gan, pics=str(folder / "pics"), checkpoint=str(folder / "run.mat"))
    save_images = gan.save_images

    def keep_images(images, count, path):
        run.images_fake = images.copy()
        save_images(images, count, path)

    flags = ["--images-num", "6000", "--epoch", "2", "--seed", "0"]
    gan.save_images = keep_images
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            gan.main(gan.options([*flags, "--pics", run.pics, "--checkpoint", run.checkpoint]))
    finally:
        gan.save_images = save_images
    run.out = out.getvalue()
    return run


def run_script(name, *flags, cwd, **more):
    """Run a script as a program in the folder `cwd`; the finished process, with its output."""
    command = [sys.executable, os.path.join(ROOT, f"{name}.py"), *map(str, flags)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=170, **more)


def octave(code, folder):
    """Run Octave code in `folder`; stops the test with Octave's words when that fails."""
    command = ["octave", "--no-gui", "--quiet", "--norc", "--no-history", "--eval", code]
    end = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert end.returncode == 0, end.stderr
