"""Measure a step of both scripts, in ms: python tests/tools/benchmark.py

It prints a table such as this one, of two cores of an AMD EPYC (Linux, Python 3.11.7,
numpy 2.4.6, Octave 7.3.0; gan_adam.m and gan_mbgd.m in the folder that GAN_MATLAB_DIR
names):

| ms a step | the port | Octave, the original |
| --- | ---: | ---: |
| gan_adam, double | 16.30 ±1.31 | 27.64 ±2.36 |
| gan_adam, single | 7.46 ±0.99 |  |
| gan_mbgd, double | 12.87 ±2.08 | 20.13 ±3.61 |
| gan_mbgd, single | 5.62 ±1.21 |  |

A number is the median of the rounds, and ± half of what they span; up to 1 % of it is
the picture that ends an epoch. That machine's speed drifted: in other hours a step of
gan_adam took 10 ms. So a row's columns are measured in turns, each time in a new
process; and where other programs run besides, only OPENBLAS_NUM_THREADS=1 is worth
anything. MATLAB was not measured.

`--precision single` of the scripts is for a quick look, not for comparing: its losses
agree with double's to 1e-4 for the first 50 steps.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy.io import savemat

ROOT = os.path.realpath(f"{os.path.dirname(os.path.realpath(__file__))}/../..")
MATLAB = os.environ.get("GAN_MATLAB_DIR", "nowhere")
WITH_OCTAVE = shutil.which("octave") and os.path.isfile(f"{MATLAB}/gan_adam.m")
EPOCHS = 5  # in a process; the first does not count


def main():
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description="Measure a step of both scripts.")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    text = "in an epoch, default: 50"
    parser.add_argument("--steps", type=int, default=50, help=text)
    opt = parser.parse_args()
    rows = {}  # the ms of each round, by row and column
    for _ in range(opt.rounds):
        for script in "gan_adam", "gan_mbgd":
            for precision in "double", "single":
                row = rows.setdefault(f"{script}, {precision}", ([], []))
                row[0].append(step_ms(the_port, script, opt.steps, precision))
                if WITH_OCTAVE and precision == "double":
                    row[1].append(step_ms(the_original, script, opt.steps))
    print("| ms a step | the port | Octave, the original |")
    print("| --- | ---: | ---: |")
    for name, (port, original) in rows.items():
        print(f"| {name} | {cell(port)} | {cell(original)} |")


def cell(ms):
    """The text of a cell."""
    return f"{np.median(ms):.2f} ±{np.ptp(ms) / 2:.2f}" if ms else ""


def step_ms(command_of, script, steps, *more):
    """A step in ms: the median over the epochs, from when their pictures were saved."""
    with tempfile.TemporaryDirectory() as folder:
        images = np.random.RandomState(0).randint(0, 256, (60 * steps, 784), np.uint8)
        savemat(f"{folder}/mnist_uint8.mat", {"train_x": images})
        command = command_of(script, steps, folder, *more)
        pipe = {"stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=folder, **pipe) as process:
            saved = [time.perf_counter() for x in process.stdout if "save_sample" in x]
    if process.returncode:
        raise SystemExit(f"benchmark.py: this failed: {command}")
    return 1000 * np.median(np.diff(saved)) / steps


def the_port(script, steps, folder, precision):
    """The command that trains with the port."""
    flags = f"--precision {precision} --epoch {EPOCHS} --images-num {60 * steps}"
    command = [sys.executable, f"{ROOT}/{script}.py", *flags.split()]
    return [*command, "--data", f"{folder}/mnist_uint8.mat"]


# what is not in Octave itself
TOOLBOX = """1;
function x = normrnd(mu, sigma, m, n) x = randn(m, n) * sigma + mu; end
function x = unifrnd(a, b, m, n) x = a + (b - a) * rand(m, n); end
"""


def the_original(script, steps, folder):
    """The command that lets Octave train with the original."""
    with open(f"{MATLAB}/{script}.m", encoding="utf-8") as f:
        source = f.read()
    for pattern, text in (
        (r"\b60000\b", str(60 * steps)),
        (r"^ *epoch *=.*", f"epoch = {EPOCHS};"),
        (r"^ *fprintf\('save_sample.*", r"\g<0> fflush(stdout);"),
    ):
        source, count = re.subn(pattern, text, source, flags=re.MULTILINE)
        if not count:
            raise SystemExit(f"benchmark.py: {script}.m has no {pattern}")
    commands, functions = source.split("\nfunction ", 1)
    with open(f"{folder}/original.m", "w", encoding="utf-8") as f:
        f.write(f"{TOOLBOX}function {functions}\n{commands}")
    return ["octave", "--no-gui", "--norc", "--no-history", "--quiet", "original.m"]


if __name__ == "__main__":
    main()
