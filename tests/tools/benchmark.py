"""Measure a step of both scripts, in ms: python tests/tools/benchmark.py

It prints a table such as this one, of two cores of an AMD EPYC (Linux, Python 3.11.7,
numpy 2.4.6; gan_adam.m and gan_mbgd.m in the folder that GAN_MATLAB_DIR names):

| ms a step | the port | Octave 7.3.0, the original |
| --- | ---: | ---: |
| gan_adam, double | 14.58 ±1.05 | 32.42 ±2.48 |
| gan_adam, single | 6.88 ±0.26 |  |
| gan_mbgd, double | 10.44 ±0.49 | 18.28 ±1.33 |
| gan_mbgd, single | 4.90 ±0.19 |  |

A number is the median of the rounds, and ± half of what they span. That machine's speed
drifted: in other hours a step of gan_adam took 10 ms. So a row's columns are measured
in turns, each burst of steps in a new process; and where other programs run besides,
only --threads 1 is worth anything. MATLAB was not measured.

`--precision single` of the scripts is for a quick look, not for comparing: its losses
agree with double's to 1e-4 for the first 50 steps.
"""

import argparse
import contextlib
import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy.io import savemat

FILE = os.path.realpath(__file__)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(FILE)))
DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
MATLAB = os.environ.get("GAN_MATLAB_DIR", "nowhere")
B = 60  # the batch size
WARM = 5  # steps at the start of a burst that do not count


def main():
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description="Measure a step of both scripts.")
    parser.add_argument("--rounds", type=int, default=5, help="5")
    parser.add_argument("--steps", type=int, default=40, help="in a burst; 40")
    cores = os.cpu_count()
    parser.add_argument("--threads", type=int, default=cores, help="one for each core")
    opt = parser.parse_args()
    if min(opt.rounds, opt.steps, opt.threads) < 1:
        parser.error("--rounds, --steps and --threads must be at least 1")
    print(machine(), f"threads: {opt.threads}", sep=", ", flush=True)
    kinds = ["script"] + ["octave"] * octave_is_here()
    rows = {}  # the ms by row, then by column, of each round
    for i in range(opt.rounds):
        for script in "gan_adam", "gan_mbgd":
            for precision in "double", "single":
                row = rows.setdefault(f"{script}, {precision}", {})
                for kind in kinds[::-1] if i % 2 else kinds:
                    if kind != "octave" or precision == "double":
                        column, ms = burst(kind, script, precision, opt)
                        row.setdefault(column, []).append(ms)
    print_table(rows)


def machine():
    """The machine and the libraries, in words."""
    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            cpu = re.search(r"model name\s*: (.*)|$", f.read())[1] or cpu
    return (
        f"{cpu}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}"
    )


def octave_is_here():
    """Whether the original can run in Octave."""
    original = os.path.join(MATLAB, "gan_adam.m")
    return bool(shutil.which("octave-cli")) and os.path.isfile(original)


def burst(kind, script, precision, opt):
    """Let a contestant train in a process of its own: its column, and ms a step."""
    limits = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    env = os.environ | dict.fromkeys(limits, str(opt.threads))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, FILE, "worker", script, precision]
        command.append(str(WARM + opt.steps))
        if kind == "octave":  # a slow BLAS would take most of the time
            command = octave_command(script, WARM + max(3, opt.steps // 8), folder)
        end = subprocess.run(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True
        )
    if end.returncode:
        raise SystemExit(f"benchmark.py: this failed: {command}")
    return json.loads(end.stdout.splitlines()[-1])


def print_table(rows):
    """Print the Markdown table of rows[row][column], a list of ms."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    print("\n| ms a step |", " | ".join(columns), "|")
    print("| --- |", " | ".join(["---:"] * len(columns)), "|")
    for name, row in rows.items():
        cells = []
        for ms in (row.get(column, []) for column in columns):
            half = (max(ms) - min(ms)) / 2 if ms else 0
            cells.append(f"{np.median(ms):.2f} ±{half:.2f}" if ms else "")
        print(f"| {name} |", " | ".join(cells), "|")


# --------------------------------------------------------------------- the contestants


def step_ms(times):
    """The median step in ms, from the times at which the steps began."""
    return 1000 * float(np.median(np.diff(times[WARM:])))


def train_script(script, precision, steps):
    """Train with a unifrnd that looks at the clock; print the column and ms a step."""
    sys.path.insert(0, ROOT)
    gan = importlib.import_module(script)
    unifrnd = gan.unifrnd
    times = []

    def unifrnd_with_clock(*sizes):
        times.append(time.perf_counter())
        if len(times) > int(steps):
            raise StopIteration
        return unifrnd(*sizes)

    gan.unifrnd = unifrnd_with_clock
    flags = ["--precision", precision, "--epoch", "1000000", "--data", DATA]
    with contextlib.suppress(StopIteration):
        gan.main(gan.options(flags))
    print(json.dumps(["the port", step_ms(times)]))


# normrnd and unifrnd are not in Octave itself
OCTAVE = """1;
function x = normrnd(mu, sigma, m, n) x = randn(m, n) * sigma + mu; end
function x = unifrnd(a, b, m, n) x = a + (b - a) * rand(m, n); end
function {functions}
{commands}
times(end + 1) = time();
ms = 1000 * median(diff(times({warm} + 1:end)));
printf('["Octave %s, the original", %.6f]\\n', version(), ms);
"""


def octave_command(script, steps, folder):
    """The command that lets Octave train the original on made-up data, one epoch."""
    with open(os.path.join(MATLAB, f"{script}.m"), encoding="utf-8") as f:
        source = f.read()
    for pattern, text in (
        (r"^clear;", "times = [];"),
        (r"\b60000\b", str(B * steps)),
        (r"^ *epoch *=.*", "epoch = 1;"),
        (r"^ *for t *= *1:batch_num", r"\g<0> times(end + 1) = time();"),
    ):
        source, count = re.subn(pattern, text, source, flags=re.MULTILINE)
        if not count:
            raise SystemExit(f"benchmark.py: {script}.m has no {pattern}")
    commands, functions = source.split("\nfunction ", 1)
    path = os.path.join(folder, "original.m")
    with open(path, "w", encoding="utf-8") as f:
        f.write(OCTAVE.format(commands=commands, functions=functions, warm=WARM))
    images = np.random.RandomState(0).randint(0, 256, (B * steps, 784), np.uint8)
    savemat(os.path.join(folder, "mnist_uint8.mat"), {"train_x": images})
    return ["octave-cli", "--no-init-file", "--no-history", "--quiet", path]


if __name__ == "__main__":
    try:
        train_script(*sys.argv[2:]) if sys.argv[1:2] == ["worker"] else main()
    except KeyboardInterrupt:
        print("benchmark.py: stopped", file=sys.stderr)
        sys.exit(130)
