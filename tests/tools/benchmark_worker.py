"""A contestant of benchmark.py in its own process: trains, prints one line of JSON.

    python benchmark_worker.py script|torch|jax gan_adam|gan_mbgd double|single
        STEPS THREADS

It tells its `name`, the `times` at which the steps began, and for a script the `floor`.
Nothing is imported but what the contestant needs itself.
"""

import importlib
import json
import os
import sys
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
B = 60  # the batch size
WARM = 5  # steps at the start of a burst that do not count

# ---------------------------------------------------------------------- the contestants
# Each trains `steps` steps; returns its name and the times at which the steps began.


def train_script(script, precision, steps, threads):
    """The script itself, unchanged but for a unifrnd that looks at the clock."""
    gan = importlib.import_module(script)
    unifrnd, times = gan.unifrnd, []

    def unifrnd_with_clock(*sizes):
        times.append(time.perf_counter())
        if len(times) > steps:
            raise StopIteration
        return unifrnd(*sizes)

    gan.unifrnd = unifrnd_with_clock
    try:
        gan.main(
            gan.options(
                ["--precision", precision, "--epoch", "1000000", "--data", DATA]
            )
        )
    except StopIteration:
        return f"{script}, {precision}", times


def train_torch(script, precision, steps, threads):
    """PyTorch, eager, with fused updates; saves its last pictures."""
    import torch

    gan = importlib.import_module(script)  # for its data and its pictures
    torch.set_num_threads(threads)
    torch.set_default_dtype(
        {"double": torch.float64, "single": torch.float32}[precision]
    )

    def network(inputs, outputs, *last):
        linear = torch.nn.Linear(inputs, 512), torch.nn.Linear(512, outputs)
        for layer in linear:
            torch.nn.init.normal_(layer.weight, std=0.02)
            torch.nn.init.normal_(layer.bias, std=0.02)
        return torch.nn.Sequential(linear[0], torch.nn.ReLU(), linear[1], *last)

    generator, discriminator = network(100, 784, torch.nn.Sigmoid()), network(784, 1)
    rule, rate = (
        (torch.optim.Adam, 1e-3) if script == "gan_adam" else (torch.optim.SGD, 1e-2)
    )
    update_g = rule(generator.parameters(), lr=rate, fused=True)
    update_d = rule(discriminator.parameters(), lr=rate, fused=True)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    ones = torch.ones(B, 1)
    labels = torch.cat([0 * ones, ones])
    train_x = torch.from_numpy(gan.load_train_x(DATA, 60000))
    batches = torch.randperm(60000).reshape(-1, B)
    times = [time.perf_counter()]
    for t in range(steps):
        real = train_x[batches[t % len(batches)]] / 255
        noise = torch.empty(B, 100).uniform_(-1, 1)
        discriminator.requires_grad_(
            False
        )  # the fixed network's gradients are not computed
        update_g.zero_grad()
        cross_entropy(discriminator(generator(noise)), ones).backward()
        update_g.step()
        discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = generator(noise)
        update_d.zero_grad()
        logits = discriminator(torch.cat([fake, real]))
        d_loss = cross_entropy(logits, labels)
        d_loss.backward()
        update_d.step()
        losses = cross_entropy(logits[:B].detach(), ones).item(), d_loss.item()
        times.append(time.perf_counter())
    assert np.isfinite(losses).all() and fake.dtype == torch.get_default_dtype()
    gan.save_images(fake.numpy(), [4, 4], "torch.png")
    return f"PyTorch {torch.__version__}, eager, fused updates", times


def train_jax(script, precision, steps, threads):
    """JAX, each step compiled as a whole."""
    os.environ["NPROC"] = str(threads)  # the size of its thread pool
    import jax
    import jax.numpy as jnp
    from jax.example_libraries import optimizers

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", precision == "double")
    ones = jnp.ones((B, 1), {"double": "float64", "single": "float32"}[precision])
    labels = jnp.concatenate([0 * ones, ones])
    rule = optimizers.adam(1e-3) if script == "gan_adam" else optimizers.sgd(1e-2)
    start, update, values = rule
    random = np.random.RandomState(0)

    def network(inputs, outputs):
        shapes = (inputs, 512), (1, 512), (512, outputs), (1, outputs)
        return start(
            [jnp.asarray(random.normal(0, 0.02, x), ones.dtype) for x in shapes]
        )

    def forward(net, x):
        w1, b1, w2, b2 = net
        return jnp.maximum(x @ w1 + b1, 0) @ w2 + b2

    def cross_entropy(z, y):
        return jnp.mean(jnp.logaddexp(0, z) - z * y)

    def loss_g(g, d, noise):
        return cross_entropy(forward(d, jax.nn.sigmoid(forward(g, noise))), ones)

    def loss_d(d, images):
        logits = forward(d, images)
        return cross_entropy(logits, labels), cross_entropy(logits[:B], ones)

    def train(g, d, t, key, train_x, rows):
        key, once = jax.random.split(key)
        real = train_x[rows].astype(ones.dtype) / 255
        noise = jax.random.uniform(once, (B, 100), ones.dtype, -1, 1)
        g = update(t, jax.grad(loss_g)(values(g), values(d), noise), g)
        images = jnp.concatenate([jax.nn.sigmoid(forward(values(g), noise)), real])
        losses, gradient = jax.value_and_grad(loss_d, has_aux=True)(values(d), images)
        return g, update(t, gradient, d), t + 1, key, losses

    train = jax.jit(train, donate_argnums=range(4))
    state = network(100, 784), network(784, 1), 0 * ones[0, 0], jax.random.key(0)
    train_x = jnp.asarray(importlib.import_module(script).load_train_x(DATA, 60000))
    batches = random.permutation(60000).reshape(-1, B)
    *state, _ = train(*state, train_x, batches[-1])  # which compiles it
    times = [time.perf_counter()]
    for t in range(steps):
        *state, losses = train(*state, train_x, batches[t % len(batches)])
        losses = [float(loss) for loss in losses]
        times.append(time.perf_counter())
    assert np.isfinite(losses).all() and values(state[0])[0].dtype == ones.dtype
    return f"JAX {jax.__version__}, jit", times


# ---------------------------------------------------------------------------- the floor

# a step's products, (m, k) times (k, n): the generator's update forward and back, then
# the discriminator's forward and back
PRODUCTS = [(B, 100, 512), (B, 512, 784), (B, 784, 512)]
PRODUCTS += [(B, 512, 784), (B, 784, 512), (512, B, 784), (100, B, 512)]
PRODUCTS += [(B, 100, 512), (B, 512, 784), (2 * B, 784, 512), (784, 2 * B, 512)]


def floor_ms(precision, steps):
    """The ms of a step's products alone, column- or row-major, whichever is faster."""
    medians = []
    for order in "CF":
        ins, outs, times = {}, {}, []  # matrices of the same shape are one
        for m, k, n in PRODUCTS:
            ins[m, k], ins[k, n] = (
                np.ones(x, precision, order) for x in ((m, k), (k, n))
            )
            outs[m, n] = np.ones((m, n), precision, order)
        for _ in range(WARM + steps + 1):
            times.append(time.perf_counter())
            for m, k, n in PRODUCTS:
                np.matmul(ins[m, k], ins[k, n], out=outs[m, n])
        medians.append(step_ms(times))
    return min(medians)


def step_ms(times):
    """The median step in ms, from the times at which the steps began."""
    return 1000 * float(np.median(np.diff(times[WARM:])))


def work(kind, script, precision, steps, threads):
    """Be a contestant, in a process of its own: prints one line of JSON."""
    sys.path.insert(0, ROOT)
    train = {"script": train_script, "torch": train_torch, "jax": train_jax}[kind]
    name, times = train(script, precision, int(steps), int(threads))
    floor = floor_ms(precision, int(steps)) if kind == "script" else None
    print(json.dumps({"name": name, "times": times, "floor": floor}))


if __name__ == "__main__":
    work(*sys.argv[1:])
