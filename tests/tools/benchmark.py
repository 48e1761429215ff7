"""Measure how fast both scripts train: python tests/tools/benchmark.py > report.md

How to read the report: a time is the median of all rounds, then the fastest and the slowest
round; a ratio is taken in each round anew, and its median is shown. Where other programs took
more than a few percent of the cores, only a report with --threads 1 is worth anything.

All contestants are processes of their own that stay alive. In each round each of them runs a
burst of training steps, one after the other, so that what the machine does besides hits all
alike. The scripts run their own main(), unchanged: a step lasts from one call of unifrnd to the
next. The floor is a step's eleven large matrix products and nothing else, into arrays that
exist already, column- or row-major, whichever is faster; it is measured right after each burst,
in the same process. PyTorch, JAX and Octave, where they are installed, do the same work with as
many threads; Octave runs the original scripts in the folder that GAN_MATLAB_DIR names, in bursts
of an eighth of the steps, since with a slow BLAS it would take most of the time.
"""

import argparse
import contextlib
import importlib
import importlib.util
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import scipy
from scipy.io import savemat

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = ["gan_adam", "gan_mbgd"]
IMAGES = 60000
OCTAVE_IMAGES = 6000  # as doubles all 60000 take 1 GB while they are loaded
LIMIT = 150  # seconds after which no further round begins
PATIENCE = 100  # seconds until a contestant that does not answer is stopped


# ------------------------------------------------------------------------------- what a step does


def floor_step(precision, batch, order):
    """A function that computes the large matrix products of one step, arrays in `order`."""

    def matrix(m, n):
        return np.asarray(np.random.RandomState(0).rand(m, n), precision, order)

    x, w2, w3, v2 = matrix(batch, 100), matrix(100, 512), matrix(512, 784), matrix(784, 512)
    h, o, e = matrix(batch, 512), matrix(batch, 784), matrix(batch, 512)
    g, hh, dw2, dw3 = matrix(batch, 784), matrix(batch, 512), matrix(100, 512), matrix(512, 784)
    images, d, dv2 = matrix(2 * batch, 784), matrix(2 * batch, 512), matrix(784, 512)

    def step():
        np.matmul(x, w2, out=h)  # update of the generator: forward
        np.matmul(h, w3, out=o)
        np.matmul(o, v2, out=e)
        np.matmul(e, v2.T, out=g)  # and back
        np.matmul(g, w3.T, out=hh)
        np.matmul(h.T, g, out=dw3)
        np.matmul(x.T, hh, out=dw2)
        np.matmul(x, w2, out=h)  # update of the discriminator: forward
        np.matmul(h, w3, out=o)
        np.matmul(images, v2, out=d)
        np.matmul(images.T, d, out=dv2)  # and back

    return step


def torch_step(script, precision, batch, train_x, threads):
    """A training step in PyTorch, eager, and the words that name it."""
    import torch

    torch.set_num_threads(threads)
    dtype = {"double": torch.float64, "single": torch.float32}[precision]
    train_x = torch.from_numpy(train_x)

    def network(inputs, outputs, *last):
        linear = torch.nn.Linear(inputs, 512), torch.nn.Linear(512, outputs)
        for layer in linear:
            torch.nn.init.normal_(layer.weight, std=0.02)
            torch.nn.init.normal_(layer.bias, std=0.02)
        return torch.nn.Sequential(linear[0], torch.nn.ReLU(), linear[1], *last).to(dtype)

    generator, discriminator = network(100, 784, torch.nn.Sigmoid()), network(784, 1)
    rule, rate = (torch.optim.Adam, 1e-3) if script == "gan_adam" else (torch.optim.SGD, 1e-2)
    update_g = rule(generator.parameters(), lr=rate, fused=True)
    update_d = rule(discriminator.parameters(), lr=rate, fused=True)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    ones = torch.ones(batch, 1, dtype=dtype)
    labels = torch.cat([0 * ones, ones])
    batches = torch.randperm(len(train_x)).split(batch)
    t = 0

    def step():
        nonlocal t
        real = train_x[batches[t]].to(dtype) / 255
        t = (t + 1) % (len(train_x) // batch)
        noise = torch.empty(batch, 100, dtype=dtype).uniform_(-1, 1)
        discriminator.requires_grad_(False)  # the fixed network's gradients are not computed
        update_g.zero_grad()
        cross_entropy(discriminator(generator(noise)), ones).backward()
        update_g.step()
        discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = generator(noise)
        update_d.zero_grad()
        logits = discriminator(torch.cat([fake, real]))
        loss = cross_entropy(logits, labels)
        loss.backward()
        update_d.step()
        return cross_entropy(logits[:batch].detach(), ones).item(), loss.item()

    return step, f"PyTorch {torch.__version__}, eager, fused updates"


def jax_step(script, precision, batch, train_x, threads):
    """A training step in JAX, compiled as a whole, and the words that name it."""
    os.environ["NPROC"] = str(threads)  # the size of its thread pool
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", precision == "double")
    dtype = {"double": jnp.float64, "single": jnp.float32}[precision]
    rate = {"gan_adam": 1e-3, "gan_mbgd": 1e-2}[script]
    ones = jnp.ones((batch, 1), dtype)
    labels = jnp.concatenate([0 * ones, ones])

    def network(inputs, outputs):
        draw, sizes = np.random.RandomState(0).normal, [(inputs, 512), (512, outputs)]
        return [jnp.asarray(draw(0, 0.02, s), dtype) for m, n in sizes for s in [(m, n), (1, n)]]

    def forward(net, x):
        w1, b1, w2, b2 = net
        return jnp.maximum(x @ w1 + b1, 0) @ w2 + b2

    def cross_entropy(z, y):
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))

    def loss_g(g, d, noise):
        return cross_entropy(forward(d, jax.nn.sigmoid(forward(g, noise))), ones)

    def loss_d(d, images):
        logits = forward(d, images)
        return cross_entropy(logits, labels), cross_entropy(logits[:batch], ones)

    def update(net, m, v, t, gradient):
        if script == "gan_mbgd":
            return [w - rate * dw for w, dw in zip(net, gradient, strict=True)], m, v
        lr = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = [0.9 * a + 0.1 * dw for a, dw in zip(m, gradient, strict=True)]
        v = [0.999 * a + 0.001 * dw * dw for a, dw in zip(v, gradient, strict=True)]
        net = [w - lr * a / (jnp.sqrt(b) + 1e-8) for w, a, b in zip(net, m, v, strict=True)]
        return net, m, v

    def train(state, train_x, rows):
        g, d, t, key = state
        t = t + 1
        key, once = jax.random.split(key)
        real = train_x[rows].astype(dtype) / 255
        noise = jax.random.uniform(once, (batch, 100), dtype, -1, 1)
        g = update(*g, t, jax.grad(loss_g)(g[0], d[0], noise))
        fake = jax.nn.sigmoid(forward(g[0], noise))
        value = jax.value_and_grad(loss_d, has_aux=True)
        losses, gradient = value(d[0], jnp.concatenate([fake, real]))
        return (g, update(*d, t, gradient), t, key), losses

    def moments(net):
        zeros = script == "gan_adam" and net or []
        return net, [0 * w for w in zeros], [0 * w for w in zeros]

    state = moments(network(100, 784)), moments(network(784, 1)), dtype(0), jax.random.key(0)
    train = jax.jit(train, donate_argnums=0)
    kk = np.random.RandomState(0).permutation(len(train_x)).astype(np.int32)
    train_x = jnp.asarray(train_x)
    t = 0

    def step():
        nonlocal state, t
        state, losses = train(state, train_x, kk[t : t + batch])
        t = (t + batch) % len(kk)
        return [float(loss) for loss in losses]

    step()  # which compiles it
    return step, f"JAX {jax.__version__}, jit"


OCTAVE = """1;
function tick()
  persistent times = [];
  times(end + 1) = time();
  if numel(times) == 1
    blas = [regexp(version('-blas'), 'OpenBLAS [0-9.]+', 'match'), {version('-blas')}]{1};
    printf('{"name": "Octave %s, %s"}\\n', version(), blas);
  elseif numel(times) == 1 + WARM + STEPS
    printf('{"step": %.9f}\\n', 1000 * median(diff(times(1 + WARM:end))));
  else
    return
  end
  fflush(stdout);
  if isempty(fread(stdin, 1)) exit(0); end
  times = time();
end
function x = normrnd(mu, sigma, m, n)
  x = randn(m, n) * sigma + mu;
end
function x = unifrnd(a, b, m, n)
  x = (a + b) / 2 + (b - a) / 2 * (2 * rand(m, n) - 1);
end
"""


def octave_program(source, steps):
    """The original's text `source` for Octave: fewer images, no pictures, bursts as in bursts()."""
    for pattern, text in (
        (r"^cl(ear|c);", ""),
        (r"\b60000\b", str(OCTAVE_IMAGES)),
        (r"^( *)epoch *=.*", "epoch = 1000000;"),
        (r"^( *)save_images\(.*", ""),
        (r"^( *)for t *= *1:batch_num", r"\g<0> tick();"),
    ):
        source, count = re.subn(pattern, text, source, flags=re.M)
        if not count:
            raise ValueError(f"the original has no {pattern}")
    script, word, functions = source.partition("\nfunction ")
    hook = OCTAVE.replace("WARM", str(warm_up(steps))).replace("STEPS", str(steps))
    return hook + word + functions + "\n" + script + "\n"


# ----------------------------------------------------------------------------------------- workers


def warm_up(steps):
    """How many steps at the start of a burst do not count."""
    return max(3, steps // 10)


def bursts(name, steps, after=dict):
    """A function to call as each step begins: it trains a burst of `steps` for each line read.

    It answers with a line of JSON: at first the contestant's `name`, then a burst's median time
    in ms with what `after` says. The process ends where its input ends.
    """
    warm, times, out = warm_up(steps), [], sys.stdout

    def tick():
        times.append(time.perf_counter())
        if len(times) == 1 and name:
            answer = {"name": name}
        elif len(times) == 1 + warm + steps:
            answer = {"step": 1000 * float(np.median(np.diff(times[warm:])))} | after()
        else:
            return
        print(json.dumps(answer), file=out, flush=True)
        if not sys.stdin.readline():
            raise SystemExit
        times[:] = [time.perf_counter()]

    return tick


def time_steps(step, steps):
    """The median time in ms of one call of `step`, after a few that do not count."""
    times = []
    for _ in range(warm_up(steps) + steps + 1):
        times.append(time.perf_counter())
        step()
    return 1000 * float(np.median(np.diff(times[warm_up(steps) :])))


def work(kind, script, precision, batch, steps, threads, data):
    """Be the contestant `kind`: a script itself with the floor, torch or jax."""
    batch, steps = int(batch), int(steps)
    sys.path.insert(0, ROOT)
    gan = importlib.import_module(script)
    if kind == "script":
        floors = [floor_step(precision, batch, order) for order in "CF"]
        name = f"{script}, {precision}, batch size {batch}"
        half = max(3, steps // 2)
        tick = bursts(name, steps, lambda: {"floor": min(time_steps(f, half) for f in floors)})
        unifrnd = gan.unifrnd

        def unifrnd_and_tick(*sizes):
            tick()
            return unifrnd(*sizes)

        gan.unifrnd = unifrnd_and_tick
        flags = f"--epoch 1000000 --batch-size {batch} --images-num {IMAGES // batch * batch}"
        with tempfile.TemporaryDirectory() as pics, open(os.devnull, "w") as nowhere:
            flags = [*flags.split(), "--precision", precision, "--data", data, "--pics", pics]
            with contextlib.redirect_stdout(nowhere):
                gan.main(gan.options(flags))
    train_x = gan.load_train_x(data, IMAGES)
    make = {"torch": torch_step, "jax": jax_step}[kind]
    step, name = make(script, precision, batch, train_x, int(threads))
    tick = bursts(name, steps)
    while True:
        tick()
        step()


# a script as a program: prints when its first step begins and, a few steps on, its memory's peak
PROGRAM = """
import sys, time
path, steps, *flags = sys.argv[1:]
sys.argv = [path, *flags]
gan = {"__name__": "gan", "__file__": path}
exec(compile(open(path, encoding="utf-8").read(), path, "exec"), gan)
unifrnd, times = gan["unifrnd"], []
def unifrnd_and_stop(*sizes):
    times.append(time.time())
    if len(times) <= int(steps):
        return unifrnd(*sizes)
    try:
        peak = [x.split()[1] for x in open("/proc/self/status") if x.startswith("VmHWM")][0]
    except OSError:
        peak = "nan"
    print(times[0], peak)
    raise SystemExit
gan["unifrnd"] = unifrnd_and_stop
gan["run"]()
"""


def run_program(script, steps, data):
    """Seconds from a program's start to its first step, and its peak memory in MB."""
    with tempfile.TemporaryDirectory() as pics:
        path = os.path.join(ROOT, f"{script}.py")
        flags = ["--epoch", "1", "--images-num", str(IMAGES), "--data", data, "--pics", pics]
        start = time.time()
        out = subprocess.run(
            [sys.executable, "-c", PROGRAM, path, str(steps), *flags],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    first, peak = out.split()
    return float(first) - start, float(peak) * 1024 / 1e6


# ------------------------------------------------------------------------------------ the referee


def cores():
    """The number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count()


def start(contestant, steps, threads, folder, data):
    """Start a contestant (kind, script, precision, batch); a dict on its process."""
    kind, script, precision, batch = contestant
    steps = max(3, steps * 60 // batch)
    if kind == "octave":
        steps = max(3, steps // 8)
        path = os.path.join(folder, f"{script}.m")
        original = os.path.join(os.environ["GAN_MATLAB_DIR"], f"{script}.m")
        with open(original, encoding="latin-1") as f, open(path, "w", encoding="latin-1") as g:
            g.write(octave_program(f.read(), steps))
        command = [shutil.which("octave-cli"), "--no-init-file", "--quiet", path]
    else:
        values = [kind, script, precision, str(batch), str(steps), str(threads), data]
        command = [sys.executable, os.path.abspath(__file__), "--worker", *values]
    errors = open(os.path.join(folder, "-".join(map(str, contestant)) + ".txt"), "w+")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors, "text": True}
    limit = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], str(threads))
    process = subprocess.Popen(command, cwd=folder, env=os.environ | limit, **pipes)
    return {"process": process, "errors": errors, "rounds": [], "name": None}


def answer(worker):
    """The next answer of a worker, a dict; None if it has ended, which worker["fault"] explains."""
    late = threading.Timer(PATIENCE, worker["process"].kill)
    late.start()
    try:
        for line in worker["process"].stdout:
            if line.startswith("{"):
                return json.loads(line)
    finally:
        late.cancel()
    worker["errors"].seek(0)
    worker["fault"] = (worker["errors"].read().strip().splitlines() or ["it said nothing"])[-1]
    return None


def compete(contestants, rounds, steps, threads, data):
    """Let all contestants run `rounds` bursts, in turn; a dict of workers with their rounds."""
    with tempfile.TemporaryDirectory() as folder:
        if any(kind == "octave" for kind, *_ in contestants):
            images = np.random.RandomState(0).randint(0, 256, (OCTAVE_IMAGES, 784), np.uint8)
            savemat(os.path.join(folder, "mnist_uint8.mat"), {"train_x": images})
        workers = {}
        try:
            for contestant in contestants:
                workers[contestant] = start(contestant, steps, threads, folder, data)
            for worker in workers.values():
                worker["name"] = (answer(worker) or {}).get("name")
            began = time.monotonic()
            for i in range(rounds):
                if i > 2 and time.monotonic() - began > LIMIT:
                    break
                print(f"round {i + 1} of {rounds}", file=sys.stderr)
                order = list(workers.values())
                for worker in order if i % 2 else order[::-1]:
                    if "fault" in worker:
                        continue
                    time.sleep(0.1)  # until the threads of the one before have gone to sleep
                    with contextlib.suppress(BrokenPipeError):
                        worker["process"].stdin.write("\n")
                        worker["process"].stdin.flush()
                    result = answer(worker)
                    if result:
                        worker["rounds"].append(result)
        finally:
            for worker in workers.values():
                with contextlib.suppress(BrokenPipeError):
                    worker["process"].stdin.close()
                worker["process"].stdout.close()
                worker["process"].wait()
                worker["errors"].close()
    return workers


def absent(kind):
    """Why the contestant `kind` cannot take part; None if it can."""
    if kind == "octave":
        if not shutil.which("octave-cli"):
            return "Octave: not installed"
        folder = os.environ.get("GAN_MATLAB_DIR")
        if not folder:
            return "Octave: GAN_MATLAB_DIR does not say where the original scripts are"
        missing = [s for s in SCRIPTS if not os.path.isfile(os.path.join(folder, f"{s}.m"))]
        return f"Octave: GAN_MATLAB_DIR has no {missing[0]}.m" if missing else None
    name = {"torch": "PyTorch", "jax": "JAX"}[kind]
    return None if importlib.util.find_spec(kind) else f"{name}: not installed"


def find_data(folder):
    """The file with the MNIST images or, where there is none, one of noise made in `folder`."""
    data = os.path.join(ROOT, "data", "mnist_uint8.mat")
    if not os.path.isfile(data):
        data = os.path.join(folder, "noise.mat")
        random = np.random.RandomState(0)
        images = random.randint(0, 256, (IMAGES, 784), np.uint8)
        savemat(data, {"train_x": images}, do_compression=True)
    return data


# -------------------------------------------------------------------------------------- the report


def machine(threads):
    """One line on the machine and the libraries."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((x.split(":")[1].strip() for x in f if x.startswith("model name")), cpu)
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        blas = f"{blas['name']} {blas['version']}"
    except (TypeError, KeyError):  # numpy before 1.25
        blas = "BLAS unknown"
    return (
        f"{cpu}, {cores()} cores, threads: {threads}, {platform.system()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, "
        f"{blas}, {time.strftime('%Y-%m-%d')}"
    )


def processor_time():
    """Seconds that all processors have been busy but for this process and its ended children."""
    try:
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system, _, _, *more = map(int, f.readline().split()[1:9])
    except OSError:
        return math.nan
    return (user + nice + system + sum(more)) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def table(head, rows):
    """Print a Markdown table; the columns of numbers, all those after the words, go right."""
    words = sum(not re.match(r"[\d.]", cell) for cell in rows[0]) if rows else len(head)
    print("\n| " + " | ".join(head) + " |")
    print("|" + "|".join([" --- "] * words + [" ---: "] * (len(head) - words)) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def spread(values, digits=2):
    """Two cells: the median of `values`, and the least and the greatest of them."""
    low, middle, high = (f"{q(values):.{digits}f}" for q in (np.min, np.median, np.max))
    return middle, f"{low} - {high}"


def ratio(a, b):
    """A cell: the median of the rounds' ratios a/b."""
    return f"{np.median(np.divide(a, b)):.2f}"


def report(rounds, steps, threads, quick):
    """Measure everything and print the report; 1 if a script failed, else 0."""
    main = [("script", s, p, 60) for s in SCRIPTS for p in ("double", "single")]
    large = [] if quick else [("script", s, "double", b) for s in SCRIPTS for b in (240, 960)]
    notes = ["PyTorch, JAX, Octave and larger batches: left out by --quick"]
    contestants = main
    if not quick:
        whys = {kind: absent(kind) for kind in ("torch", "jax", "octave")}
        kinds, notes = [k for k in whys if not whys[k]], [w for w in whys.values() if w]
        contestants = [
            (kind, *which)
            for _, *which in main
            for kind in ("script", *kinds)
            if kind != "octave" or which[1] == "double"
        ] + large
    with tempfile.TemporaryDirectory() as folder:
        data = find_data(folder)
        busy, began = processor_time(), time.monotonic()
        workers = compete(contestants, rounds, steps, threads, data)
        runs = range(1 if quick else 3)
        programs = [[run_program(s, 20 if quick else 100, data) for s in SCRIPTS] for _ in runs]
        others = (processor_time() - busy) / (time.monotonic() - began) / os.cpu_count()
    took = {c: [r["step"] for r in w["rounds"]] for c, w in workers.items() if "fault" not in w}
    for c, worker in workers.items():
        if "fault" in worker:
            notes.append(f"{' '.join(map(str, c))}: failed: {worker['fault']}")
    done = max(len(worker["rounds"]) for worker in workers.values())
    print(f"{machine(threads)}; {done} rounds, bursts of {steps} steps", end="")
    print("" if math.isnan(others) else f"; other programs took {max(others, 0):.0%} of the cores")

    rows = []
    for c in main:
        if c in took:
            floor = [r["floor"] for r in workers[c]["rounds"]]
            rows.append([f"{c[1]} step", c[2], *spread(took[c]), ratio(took[c], floor)])
            rows.append([f"{c[1]} floor", c[2], *spread(floor), "1.00"])
    table(["what", "precision", "median ms", "min - max", "ratio to floor"], rows)

    rows = []
    for c in contestants:
        ours = ("script", *c[1:])
        if c[0] != "script" and c in took and ours in took:
            cells = [c[1], c[2], workers[c]["name"], *spread(took[c])]
            rows.append([*cells, ratio(took[ours], took[c])])
    if rows:
        table(["step of", "precision", "in", "median ms", "min - max", "ours / theirs"], rows)

    rows = []
    for c in sorted([*main, *large], key=lambda c: (c[1], c[3])):
        if c in took and c[2] == "double":
            floor = [r["floor"] for r in workers[c]["rounds"]]
            pace = spread(np.divide(1000 * c[3], took[c]), 0)
            rows.append([c[1], c[2], str(c[3]), *pace, ratio(took[c], floor)])
    table(["script", "precision", "batch size", "images/s", "min - max", "ratio to floor"], rows)

    rows = []
    for s, results in zip(SCRIPTS, zip(*programs, strict=True), strict=True):
        seconds, peaks = zip(*results, strict=True)
        rows.append([s, *spread(seconds), f"{np.median(peaks):.0f}"])
    table(["program", "s to its first step", "min - max", "peak memory, MB"], rows)
    for note in notes:
        print(f"\n{note}")
    return int(any(c[0] == "script" and c not in took for c in contestants))


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", metavar="N", type=int, help="rounds (9)")
    parser.add_argument("--steps", metavar="N", type=int, help="steps in a burst (40)")
    parser.add_argument("--threads", metavar="N", type=int, help="threads (one for each core)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 5 steps, one thread")
    parser.add_argument("--worker", nargs=7, help=argparse.SUPPRESS)
    opt = parser.parse_args()
    if opt.worker:
        return work(*opt.worker)
    values = [opt.rounds, opt.steps, opt.threads]
    for i, default in enumerate([2, 5, 1] if opt.quick else [9, 40, cores()]):
        values[i] = default if values[i] is None else values[i]
    if min(values) < 1:
        parser.error("--rounds, --steps and --threads must be at least 1")
    return report(*values, opt.quick)


if __name__ == "__main__":
    sys.exit(main())
