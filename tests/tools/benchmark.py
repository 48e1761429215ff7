"""Measure both scripts: python tests/tools/benchmark.py > report.md

How to read the report: a number is the median of all rounds, and ± half of what they
span. Where other programs ran besides, which the load tells, only a report with
--threads 1 is worth anything.

In each round every contestant is a new process that trains a burst of steps, one
process after the other, so that what the machine does besides hits all alike. The
scripts run their own main(), unchanged: a step lasts from one call of unifrnd to the
next. The floor is a step's eleven large matrix products and nothing else, measured
right after the burst, in the same process. PyTorch, JAX and Octave, where they are
installed, do the same work with at most as many threads; Octave runs the original
scripts in the folder that GAN_MATLAB_DIR names.

The first picture is that of `python gan_adam.py --epoch 1`, and of the same work in
PyTorch, whole programs from their start to their end; the memory is what they took at
their peak. The packages are those that a program needs, and what these need.
"""

import argparse
import importlib.util
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
from benchmark_worker import ROOT, WARM, B, step_ms
from scipy.io import savemat

SCRIPTS = ["gan_adam", "gan_mbgd"]
NAMES = {"torch": "PyTorch", "jax": "JAX", "octave": "Octave"}
PACKAGES = {"script": ["numpy", "scipy", "pillow"], "torch": ["torch"]}

# --------------------------------------------------------------- the original in Octave

OCTAVE = """
times(end + 1) = time();
blas = [regexp(version('-blas'), 'OpenBLAS [0-9.]+', 'match'), {version('-blas')}]{1};
printf('{"name": "Octave %s, %s", ', version(), blas);
printf('"times": [%s]}\\n', sprintf('%.6f, ', times)(1:end - 2));
"""
STATISTICS = """1;
function x = normrnd(mu, sigma, m, n) x = randn(m, n) * sigma + mu; end
function x = unifrnd(a, b, m, n) x = (a + b) / 2 + \
(b - a) / 2 * (2 * rand(m, n) - 1); end
"""


def octave_command(script, steps, folder):
    """The command that lets Octave run the original on made-up data.

    It trains an epoch of `steps` steps.
    """
    with open(
        os.path.join(os.environ["GAN_MATLAB_DIR"], f"{script}.m"), encoding="utf-8"
    ) as f:
        source = f.read()
    for pattern, text in (
        (r"^clear;", "times = [];"),
        (r"\b60000\b", str(B * steps)),
        (r"^ *epoch *=.*", "epoch = 1;"),
        (r"^ *for t *= *1:batch_num", r"\g<0> times(end + 1) = time();"),
    ):
        source, count = re.subn(pattern, text, source, flags=re.MULTILINE)
        assert count, f"{script}.m has no {pattern}"
    commands, functions = source.split("\nfunction ", 1)
    path = os.path.join(folder, "original.m")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{STATISTICS}function {functions}\n{commands}\n{OCTAVE}")
    images = np.random.RandomState(0).randint(0, 256, (B * steps, 784), np.uint8)
    savemat(os.path.join(folder, "mnist_uint8.mat"), {"train_x": images})
    return ["octave-cli", "--no-init-file", "--no-history", "--quiet", path]


# --------------------------------------------------------------------- the measurements


def run(command, folder, threads):
    """Run a program: what it printed, its start, its seconds, its peak memory in MB.

    The memory is NaN in Windows. The clock is the same for all processes.
    """
    limits = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], str(threads))
    pipe, peak, start = subprocess.PIPE, np.nan, time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | limits, stdout=pipe, text=True
    ) as process:
        out = process.stdout.read()
        if hasattr(os, "wait4"):
            _, process.returncode, usage = os.wait4(process.pid, 0)
            peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
        if process.wait():
            raise SystemExit(f"this failed: {command}")
    return out, start, time.perf_counter() - start, peak


def worker(*values):
    """The command that starts a contestant."""
    path = os.path.join(ROOT, "tests", "tools", "benchmark_worker.py")
    return [sys.executable, path, *map(str, values)]


def burst(kind, script, precision, steps, threads):
    """Let a contestant train: name, step and floor in ms, seconds to its first step."""
    with tempfile.TemporaryDirectory() as folder:
        command = worker(kind, script, precision, WARM + steps, threads)
        if kind == "octave":  # a slow BLAS would take most of the time
            command = octave_command(script, WARM + max(3, steps // 8), folder)
        out, start, _, _ = run(command, folder, threads)
    answer = json.loads(out.splitlines()[-1])
    times = answer.pop("times")
    return {**answer, "step": step_ms(times), "start": times[0] - start}


def whole_epoch(kind, script, steps, threads):
    """Train an epoch as a program: the seconds to its end and its peak memory in MB."""
    command = worker(kind, script, "double", steps, threads)
    if kind == "script":
        path = os.path.join(ROOT, f"{script}.py")
        command = [sys.executable, path, "--epoch", "1", "--images-num", str(B * steps)]
    with tempfile.TemporaryDirectory() as folder:
        _, _, seconds, peak = run(command, folder, threads)
    return {"seconds": seconds, "peak": peak}


def installed_mb(*names):
    """The MB on the disk of the installed packages `names` and of all they need."""
    from importlib import metadata

    needed, seen, size = list(names), set(), 0
    while needed:
        name = re.match(r"[\w.-]+", needed.pop())[0].lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed in other systems only
        paths = {str(package.locate_file(file)) for file in package.files}
        size += sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
        needed += [
            x for x in package.requires or [] if "extra" not in x.partition(";")[2]
        ]
    return size / 1e6


def is_here(kind):
    """Whether the contestant `kind` can take part."""
    if kind == "octave":
        original = os.path.join(
            os.environ.get("GAN_MATLAB_DIR", "nowhere"), "gan_adam.m"
        )
        return bool(shutil.which("octave-cli") and os.path.isfile(original))
    return kind == "script" or importlib.util.find_spec(kind) is not None


# --------------------------------------------------------------------------- the report


def machine(threads):
    """One line on the machine and the libraries."""
    import scipy

    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            cpu = re.search(r"model name\s*: (.*)|$", f.read())[1] or cpu
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{cpu}, {os.cpu_count()} cores, load before {load}, threads: {threads}, "
        f"{platform.system()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, "
        f"scipy {scipy.__version__}, {time.strftime('%Y-%m-%d')}"
    )


def table(bursts, programs):
    """The report's Markdown table: a row for each quantity, a column per contestant.

    Of (kind, script, precision) -> burst() of each round and (kind, script) ->
    whole_epoch().
    """
    names, rows = {"script": "NumPy (the port)", "floor": "its floor"}, {}

    def enter(row, column, values, digits=0):
        half = (max(values) - min(values)) / 2
        cell = f"{np.median(values):.{digits}f} ±{half:.{digits}f}"
        rows.setdefault(row, {})[column] = cell

    for (kind, script, precision), rounds in bursts.items():
        names.setdefault(kind, rounds[0]["name"])
        row = f"{script}, {precision}: ms a step"
        enter(row, kind, [x["step"] for x in rounds], 2)
        if kind == "script":
            enter(row, "floor", [x["floor"] for x in rounds], 2)
    for (kind, script), rounds in programs.items():
        start = [x["start"] for x in bursts[kind, script, "double"]]
        enter(f"{script}: s to the first step", kind, start, 2)
        enter(
            f"{script}: s to the first picture", kind, [x["seconds"] for x in rounds], 1
        )
        enter(f"{script}: peak memory, MB", kind, [x["peak"] for x in rounds])
    disk = {kind: f"{installed_mb(*PACKAGES[kind]):.0f}" for kind, _ in programs}
    rows["packages on disk, MB"] = disk
    lines = [["", *names.values()], ["---"] + ["---:"] * len(names)]
    lines += [
        [row, *(cells.get(kind, "") for kind in names)] for row, cells in rows.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(rounds, steps, threads, quick):
    """Measure everything and print the report."""
    print(machine(threads), end="")
    print(f"; {rounds} rounds, bursts of {steps} steps")
    kinds = ["script"] if quick else [k for k in ("script", *NAMES) if is_here(k)]
    bursts, programs = {}, {}
    for i in range(rounds):
        print(f"round {i + 1} of {rounds}", file=sys.stderr)
        for script in SCRIPTS:
            for precision in "double", "single":
                for kind in kinds[::-1] if i % 2 else kinds:
                    if kind != "octave" or precision == "double":
                        result = burst(kind, script, precision, steps, threads)
                        bursts.setdefault((kind, script, precision), []).append(result)
            for kind in [k for k in kinds if k in ("script", "torch") and i < 3]:
                result = whole_epoch(kind, script, 10 if quick else 1000, threads)
                programs.setdefault((kind, script), []).append(result)
    print(f"\n{table(bursts, programs)}")
    left_out = [name for kind, name in NAMES.items() if kind not in kinds]
    if left_out:
        print(f"\nLeft out, by --quick or as not installed here: {', '.join(left_out)}")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="5")
    parser.add_argument("--steps", type=int, default=40, help="in a burst; 40")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="one for each core"
    )
    parser.add_argument(
        "--quick", action="store_true", help="the scripts only, 600 images"
    )
    opt = parser.parse_args()
    if min(opt.rounds, opt.steps, opt.threads) < 1:
        parser.error("--rounds, --steps and --threads must be at least 1")
    report(opt.rounds, opt.steps, opt.threads, opt.quick)


if __name__ == "__main__":
    main()
