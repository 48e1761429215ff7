"""Compare what MATLAB (or Octave) computed with what the port computes.

    python tests/matlab/compare_matlab.py RECORD.mat
    python tests/matlab/compare_matlab.py RECORD.mat --from CHECKPOINT.mat
    python tests/matlab/compare_matlab.py --script gan_mbgd LOG [OURS]
    python tests/matlab/compare_matlab.py --script gan_mbgd FOLDER [OURS]

RECORD.mat comes from record_run.m or, with --from, from record_from.m. The port runs
with the record's settings and layer sizes. LOG is what the original printed, FOLDER
where its pictures are; OURS is the same of the port, which runs where OURS is missing.
For these two see compare_printed.py, beside this file.

How far rounding alone moves a record is measured: the port runs twice more, with
its sums in another order and its start changed in the last bit. The record may differ
by FACTOR times as much as these runs do.

Exit status: 0 equal, 1 different, 2 bad input, 3 equal as far as can be told.
"""

import argparse
import contextlib
import importlib
import io
import math
import os
import tempfile
from unittest import mock

import checkpoints
import compare_printed
import numpy as np
from checkpoints import LOSSES, NETWORKS, PIXELS, ROOT, SCRIPTS, fail
from compare_printed import SETTINGS, flag, port_options

DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
FACTOR = 30  # Octave's records need up to 3, see README.md beside this file
FLOOR = 1e-14  # rounding is never taken to be less than this, relative
CHAOS = 1e-3  # where rounding may make a larger difference, nothing can be told
LAST_BIT = 2.0**-52  # of a number, relative
RECORD_NAMES = [*SETTINGS, *LOSSES, *NETWORKS, "script", "producer", "first", "epoch"]
RECORD_NAMES += ["images_check", "images_fake"]


def compare_record(opt):
    """Compare the record opt.thing with the port; returns the exit status."""
    record = read_record(opt.thing)
    start = read_start(record, opt)
    check_images(record, opt.data)
    print_settings(record)
    port = run_port(record, opt.data, start)
    loss_limit, final_limits = limits(record, opt.data, start, port)
    losses = loss_differences(port, record)
    print_losses(record, port, losses, loss_limit)
    final = None
    if record["c_loss"].size == record["total"]:
        final = compare_final(port, record, final_limits)
        print_final(final)
    status, sentence = verdict(losses, loss_limit, final, record["total"])
    print(sentence)
    if opt.plot:  # last, so that what goes wrong with it costs no verdict
        plot(record, port, losses, loss_limit, opt.plot)
    return status


def verdict(losses, loss_limit, final, total):
    """The exit status and the sentence that says it.

    losses: name -> difference at each step. loss_limit: what rounding may make of it.
    final: as of compare_final(), or None where the record broke off. total: the steps
    that the record has, or would have.
    """
    apart = "different: {} by {:.1e}, where rounding makes up to {:.1e}"
    told = np.append(np.flatnonzero(loss_limit > CHAOS), loss_limit.size)[0]
    for step in range(told):
        for name in LOSSES:
            difference, limit = losses[name][step], loss_limit[step]
            if difference > limit:
                where = f"{name} of step {step + 1}"
                return 1, apart.format(where, difference, limit)
    so_far = f"equal up to step {told} of {total}"
    if told < loss_limit.size:
        return 3, (
            f"{so_far}; beyond it rounding alone may make too large differences: "
            "a record of record_from.m, from a checkpoint, shows later steps"
        )
    if final is None:
        return 3, f"{so_far}; there the recorded run broke off"
    name, difference, limit = final[0]
    if limit <= CHAOS and difference > limit:
        return 1, apart.format(f"{name} after the last step", difference, limit)
    unknown = [name for name, _, limit in final if limit > CHAOS]
    if unknown:
        return 3, (
            f"{so_far}; of the final state nothing can be told in {len(unknown)} of "
            f"{len(final)} arrays, {unknown[0]} the first"
        )
    return 0, f"equal: {total} steps and the final state, as far as rounding goes"


# ------------------------------------------------------------------- runs of the port


def run_port(record, data, start=None, rounding=0):
    """Run the port with the record's settings and layer sizes: a dict.

    It has of a record: script, c_loss and d_loss (steps,), generator, discriminator and
    images_fake. data: the file of images. start: the checkpoint to go on from, or None.
    rounding: 0 for the port as it is; 1 and 2 sum products in another order and change
    the starting weights and each db in the last bit, at random.
    """
    gan = importlib.import_module(record["script"])
    original = dict(vars(gan))
    chance = np.random.RandomState(rounding)

    def last_bit(shape):
        return LAST_BIT * chance.randint(-1, 2, shape)

    def nnsetup(architecture, *more):
        net = "generator" if architecture[-1] == PIXELS else "discriminator"
        return original["nnsetup"](record[net]["architecture"], *more)

    def unifrnd(a, b, m, n):
        noise_width = record["generator"]["architecture"][0]
        return original["unifrnd"](a, b, m, noise_width)

    def begin(opt, train_x, generator, discriminator):
        run = original["begin"](opt, train_x, generator, discriminator)
        run["diverged"] = True  # no line about it: the record may be so too
        if start:
            go_on_from(start, gan, run, generator, discriminator)
        if rounding:
            for layer in generator["layers"][1:] + discriminator["layers"][1:]:
                for name in "w", "b":
                    layer[name] = layer[name] * (1 + last_bit(layer[name].shape))
        return run

    def nnapplygrade(nn, learning_rate):
        for layer in nn["layers"][1:]:
            # db is a mean: its rounding is of the size of its terms
            terms = np.abs(layer["d"]).mean(axis=0, keepdims=True)
            layer["db"] = layer["db"] + terms * last_bit(terms.shape)
        return original["nnapplygrade"](nn, learning_rate)

    changed = {"nnsetup": nnsetup, "unifrnd": unifrnd, "begin": begin}
    if rounding:
        changed["mtimes"] = mtimes_backwards if rounding == 1 else mtimes_in_halves
        changed["nnapplygrade"] = nnapplygrade
    settings = {name: record[name] for name in SETTINGS}
    steps = record["c_loss"].size
    epochs = math.ceil(steps / (record["images_num"] // record["batch_size"]))
    with (
        mock.patch.multiple(gan, **changed),
        contextlib.redirect_stdout(io.StringIO()),
        tempfile.TemporaryDirectory() as pics,
    ):
        more = {"epoch": record["first"] + epochs, "data": data, "pics": pics}
        opt = port_options(gan, settings | more)
        nets = gan.main(opt)
    result = {"script": record["script"], **dict(zip(NETWORKS, nets, strict=True))}
    result["images_fake"] = result["generator"]["layers"][-1]["a"]
    return result | {name: np.array(opt.run[name][:steps]) for name in LOSSES}


def go_on_from(start, gan, run, generator, discriminator):
    """Take the state of the checkpoint `start`, but none of its settings."""
    named = argparse.Namespace(checkpoint="--from")  # where beta1, say, is another
    gan.fill_network(named, generator, start["generator"])
    gan.fill_network(named, discriminator, start["discriminator"])
    *words, used = start["rng_state"].tolist()
    gan.stream.set_state(("MT19937", words, used))
    run["e"] = start["e"]


def mtimes_backwards(a, b):
    """a * b, each sum from its last term to its first."""
    # copies: NumPy before 2.3 multiplies reversed views without BLAS, ten times slower
    return np.matmul(a[:, ::-1].copy(), b[::-1].copy(), order="F")


def mtimes_in_halves(a, b):
    """a * b, each sum in two halves."""
    half = a.shape[1] // 2
    first = np.matmul(a[:, :half], b[:half], order="F")
    return first + np.matmul(a[:, half:], b[half:], order="F")


# -------------------------------------------------------------------------- differences


def relative_difference(a, b, small=0.0):
    """The difference of two arrays relative to their size, elementwise.

    0 where both are NaN, infinite where only one is finite. Numbers below `small` times
    the largest count as that large.
    """
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(a), np.abs(b))
        largest = size[np.isfinite(size)].max(initial=0)
        x = np.abs(a - b) / np.maximum(size, small * largest)
    x[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
    x[np.isnan(x)] = np.inf
    return x


def loss_differences(one, other):
    """How far two runs are apart at each step: loss's name -> (steps,)."""
    return {name: relative_difference(one[name], other[name]) for name in LOSSES}


def final_differences(one, other):
    """How far two runs are apart after the last step: array's name -> the largest."""
    theirs = final_arrays(other)
    return {
        name: float(relative_difference(x, theirs[name], 1e-3).max())
        for name, x in final_arrays(one).items()
    }


def final_arrays(run):
    """What a run, or a record, has after its last step: name -> array.

    The names are MATLAB's, as generator.layers{2}.w: layer 1 is the input.
    """
    gan = importlib.import_module(run["script"])
    arrays = {"images_fake": run["images_fake"]}
    for net in NETWORKS:
        for name in checkpoints.network_fields(gan):
            arrays[f"{net}.{name}"] = np.array([float(run[net][name])])
        for i, layer in enumerate(run[net]["layers"][1:], 2):
            for name in gan.LAYER_STATE:
                arrays[f"{net}.layers{{{i}}}.{name}"] = layer[name]
    return arrays


def limits(record, data, start, port):
    """What rounding may make of a difference: of a loss up to each step, of each array.

    port: the run of the port with the record's settings.
    """
    runs = [run_port(record, data, start, rounding) for rounding in (1, 2)]
    losses = [x for run in runs for x in loss_differences(port, run).values()]
    largest = np.maximum.accumulate(np.max(losses, axis=0))
    one, other = (final_differences(port, run) for run in runs)
    of_final = {x: FACTOR * max(one[x], other[x], FLOOR) for x in one}
    return FACTOR * np.maximum(largest, FLOOR), of_final


def compare_final(port, record, limits):
    """Of each array after the last step (name, difference, limit), the worst first."""
    differences = final_differences(port, record)
    rows = [(name, x, limits[name]) for name, x in differences.items()]

    def badness(row):
        _, difference, limit = row
        return difference / limit if limit <= CHAOS else 0.0

    return sorted(rows, key=badness, reverse=True)


# --------------------------------------------------------- the record, before any run


def read_record(file):
    """A record of record_run.m or record_from.m, checked; fails with what is wrong.

    A dict with script, SETTINGS, producer, first (the epoch before the first one),
    epoch (the last one), total (the steps up to its end), c_loss and d_loss (steps,),
    shorter where the run broke off, generator and discriminator in the script's own
    form, images_fake and images_check.
    """
    saved = checkpoints.load_variables(file, RECORD_NAMES)
    try:
        script = checkpoints.text(saved, "script", SCRIPTS)
        record = {"script": script, **checkpoints.read_settings(saved)}
        # what is not ASCII could confuse, or stop, a terminal
        record["producer"] = ascii(checkpoints.text(saved, "producer"))
        record["first"] = checkpoints.whole_number(saved, "first", 0)
        record["epoch"] = checkpoints.whole_number(saved, "epoch", record["first"] + 1)
        steps = record["images_num"] // record["batch_size"]  # of an epoch
        total = record["total"] = (record["epoch"] - record["first"]) * steps
        if not 1 <= record["c_loss"].size <= total:  # fewer where it broke off
            raise ValueError(f"c_loss must have 1 to {total} entries, one a step")
        record["images_check"] = checkpoints.numbers(saved, "images_check", (1, 2))[0]
        for net in NETWORKS:
            record[net] = checkpoints.read_network(saved, net, script, finite=False)
        shape = (record["batch_size"], PIXELS)
        record["images_fake"] = checkpoints.numbers(saved, "images_fake", shape)
    except ValueError as error:
        fail(f"{file}: is not a record of record_run.m: {error}")
    return record


def read_start(record, opt):
    """The checkpoint that the record began from, or None; fails if it is another."""
    if not opt.start:
        if record["first"]:
            fail(f"{opt.thing}: begins after epoch {record['first']}; give --from FILE")
        return None
    start = checkpoints.read_checkpoint(opt.start)
    # not images_num, record_from.m may take fewer
    needed = ("script", "seed", "batch_size", "learning_rate")
    needed = {name: record[name] for name in needed}
    needed |= {"e": record["first"], "precision": "double", "gradient": "matlab"}
    needed |= {net: record[net]["architecture"] for net in NETWORKS}
    found = start | {net: start[net]["architecture"] for net in NETWORKS}
    for name, x in needed.items():
        if found[name] != x:
            fail(f"--from {opt.start}: {name} is {found[name]}; the record needs {x}")
    return start


def check_images(record, data):
    """Fail unless `data` holds the images of the record, by record_run.m's two sums."""
    gan = importlib.import_module(record["script"])
    images = gan.load_train_x(data, record["images_num"])  # pixels column by column
    images = images.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, PIXELS)
    of_pixels = images.sum(axis=0, dtype=float) @ np.arange(1, PIXELS + 1)
    of_images = images.sum(axis=1, dtype=float) @ np.arange(1, len(images) + 1)
    if [of_pixels, of_images] != record["images_check"].tolist():
        fail(
            f"the record's images are not those of {data}; "
            "give the mnist_uint8.mat it was recorded with by --data FILE"
        )


# --------------------------------------------------------------------- what is printed


def print_settings(record):
    """Print what is compared, and with which settings."""
    script = record["script"]
    epochs = f"epoch {record['first'] + 1}..{record['epoch']}"
    print(f"{script}: {record['producer']} and {script}.py, {epochs}")
    print(", ".join(f"{name} {record[name]}" for name in SETTINGS))
    for net in NETWORKS:
        print(f"{net} {record[net]['architecture']}", flush=True)


def print_losses(record, port, losses, limit):
    """Print both runs' losses and their difference: of some steps, each epoch's last.

    The difference is the largest so far. Above 1 it is printed as 1.
    """
    print("losses, the largest difference up to a step, what rounding may make of it:")
    row = "{:>6}  {:>14} {:>12}  {:>14} {:>12}  {:>10} {:>8}"
    theirs_and_ours = ("c_loss, theirs", "ours", "d_loss, theirs", "ours")
    print(row.format("step", *theirs_and_ours, "difference", "rounding"))
    largest = np.maximum.accumulate(np.maximum(*losses.values()))
    each = record["images_num"] // record["batch_size"]
    for step in sorted({1, 10, 100, largest.size, *range(each, largest.size, each)}):
        if step > largest.size:
            break
        both = [f"{x[name][step - 1]:f}" for name in LOSSES for x in (record, port)]
        apart = [f"{min(x[step - 1], 1):.0e}" for x in (largest, limit)]
        print(row.format(step, *both, *apart))


def print_final(final):
    """Print the same of the arrays after the last step, the worst ones of them."""
    print("final state, the nearest to its limit first:")
    for name, difference, limit in final[:5]:
        print(f"  {name:<28}  {min(difference, 1):>8.0e}  {min(limit, 1):>8.0e}")


def plot(record, port, losses, limit, file):
    """Draw both runs' losses, and below their difference and its limit: a PNG file."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        fail("--plot needs matplotlib: python -m pip install matplotlib")
    steps = np.arange(1, limit.size + 1)
    figure = Figure(figsize=(9, 6))
    top, bottom = figure.subplots(2, 1, sharex=True)
    for name, colour in zip(LOSSES, ("red", "blue"), strict=True):
        top.plot(steps, record[name], colour, lw=5, alpha=0.3, label=f"{name}, theirs")
        top.plot(steps, port[name], colour, label=f"{name}, ours")
        bottom.semilogy(steps, np.clip(losses[name], 1e-17, 1), colour, label=name)
    bottom.semilogy(steps, np.clip(limit, 1e-17, 1), "black", label="rounding, at most")
    top.set(title=f"{record['script']}: {record['producer']}, the port", ylabel="loss")
    bottom.set(xlabel="step", ylabel="relative difference")
    top.legend()
    bottom.legend()
    figure.savefig(file, format="png")


# ------------------------------------------------------------------------- the program


def options(argv=None):
    """Read the command line; fails where it is wrong."""
    parser = argparse.ArgumentParser(
        description="Compare what MATLAB computed with what the port computes.",
        allow_abbrev=False,
    )
    parser.error = fail
    add = parser.add_argument
    add("thing", metavar="THING", help="a record (.mat), a log, a folder of pictures")
    add("ours", nargs="?", metavar="OURS", help="the port's; else the port runs")
    add("--data", metavar="FILE", default=DATA, help="the images")
    add("--from", dest="start", metavar="FILE", help="where record_from.m began")
    add("--plot", metavar="FILE.png", help="a record's losses (needs matplotlib)")
    add("--script", choices=SCRIPTS, help="what made the log or the pictures")
    for name in SETTINGS:
        add(flag(name), metavar="N", help="of a log or pictures: as the script ran")
    opt = parser.parse_args(argv)
    opt.is_record = opt.thing.lower().endswith(".mat")
    of_others = [opt.ours, opt.script, *(vars(opt)[name] for name in SETTINGS)]
    if opt.is_record and any(x is not None for x in of_others):
        fail(f"{opt.thing}: is a record; it takes only --data, --from and --plot")
    if not opt.is_record and (opt.start or opt.plot):
        fail(f"{opt.thing}: is no record (.mat); it takes no --from and no --plot")
    return opt


def main(argv=None):
    """Compare as the command line says; returns the exit status."""
    opt = options(argv)
    return compare_record(opt) if opt.is_record else compare_printed.compare(opt)


if __name__ == "__main__":
    checkpoints.program(main)
