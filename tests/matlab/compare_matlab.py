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
import sys
import tempfile

import compare_printed
import numpy as np
from checkpoints import (
    LOSSES,
    NETWORKS,
    PIXELS,
    ROOT,
    SCRIPTS,
    fail,
    load_variables,
    network_fields,
    number,
    numbers,
    read_checkpoint,
    read_network,
    read_settings,
    text,
    whole_number,
)

DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
FACTOR = 30  # Octave's records need up to 3, see README.md beside this file
FLOOR = 1e-14  # rounding is never taken to be less than this, relative
CHAOS = 1e-3  # where rounding may make a larger difference, nothing can be told
LAST_BIT = 2.0**-52  # of a number, relative
SETTINGS = ("seed", "images_num", "batch_size", "learning_rate")
RECORD_NAMES = [*SETTINGS, *LOSSES, *NETWORKS, "script", "producer", "first", "epoch"]
RECORD_NAMES += ["complete", "images_check", "images_fake"]
COLOURS = {"c_loss": ("#f2a98c", "#c03912"), "d_loss": ("#8ebbe8", "#1155a0")}


def compare_record(opt):
    """Compare the record opt.thing with the port; returns the exit status."""
    record = read_record(opt.thing)
    start = read_start(record, opt)
    check_images(record, opt.data)
    print_settings(record)
    port = run_port(record, opt.data, start)
    result = judge(record, opt.data, start, port)
    print_epochs(record, port)
    print_steps(result)
    print_final(result)
    print(result["sentence"])
    if opt.plot:  # last, so that what goes wrong with it costs no verdict
        plot(record, port, result, opt.plot)
    return result["status"]


def judge(record, data, start, port):
    """Compare the record with the run `port`: a dict of what is printed and drawn.

    losses: name -> difference at each step. final: name of an array -> difference, or
    None where the record broke off. loss_limit, final_limits: what rounding may make of
    these. And status and sentence.
    """
    steps = record["c_loss"].size
    total = total_steps(record)
    result = {"losses": loss_differences(port, record, steps), "final": None}
    if steps == total:
        result["final"] = final_differences(port, record)
    limit, final_limits = limits(record, data, start, port)
    result |= {"loss_limit": limit, "final_limits": final_limits}
    status, sentence = verdict(**result, total=total)
    return result | {"status": status, "sentence": sentence}


def verdict(losses, final, loss_limit, final_limits, total):
    """The exit status and the sentence that says it, see judge().

    total: the steps that the record has, or would have if it had not broken off.
    """
    chaos = first_above(loss_limit, CHAOS)
    judged = chaos - 1 if chaos else loss_limit.size
    for step in range(judged):
        for name in LOSSES:
            if losses[name][step] > loss_limit[step]:
                return 1, (
                    f"different: {name} of step {step + 1} by {losses[name][step]:.1e},"
                    f" where rounding makes up to {loss_limit[step]:.1e}"
                )
    so_far = f"equal up to step {judged} of {total}"
    if chaos:
        return 3, (
            f"{so_far}; beyond it rounding alone may make too large differences: "
            "a record of record_from.m, from a checkpoint, shows later steps"
        )
    if final is None:
        return 3, f"{so_far}; there the recorded run broke off"
    worst = worst_first(final, final_limits)[0]
    if times_its_limit(final[worst], final_limits[worst]) > 1:
        return 1, (
            f"different: {worst} after the last step by {final[worst]:.1e}, "
            f"where rounding makes up to {final_limits[worst]:.1e}"
        )
    unknown = [name for name in final if final_limits[name] > CHAOS]
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

    Where the script fails, so does this.
    """
    gan = importlib.import_module(record["script"])
    epochs = math.ceil(record["c_loss"].size / steps_an_epoch(record))
    flags = [f"--epoch={record['first'] + epochs}", f"--data={data}"]
    flags += [f"--{name.replace('_', '-')}={record[name]}" for name in SETTINGS]
    chance = np.random.RandomState(rounding)
    kept = {}

    def last_bit(shape):
        return LAST_BIT * chance.randint(-1, 2, shape)

    def nnsetup(architecture, *more):
        net = "generator" if architecture[-1] == PIXELS else "discriminator"
        return original["nnsetup"](record[net]["architecture"], *more)

    def unifrnd(a, b, m, n):
        noise_width = record["generator"]["architecture"][0]
        return original["unifrnd"](a, b, m, noise_width)

    def begin(opt, train_x, generator, discriminator):
        kept["run"] = original["begin"](opt, train_x, generator, discriminator)
        kept["run"]["diverged"] = True  # no line about it: the record may be so too
        if start:
            go_on_from(start, gan, opt, kept["run"], generator, discriminator)
        if rounding:
            for layer in generator["layers"][1:] + discriminator["layers"][1:]:
                for name in "w", "b":
                    x = layer[name]
                    layer[name] = x * (1 + last_bit(x.shape))
        return kept["run"]

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
    original = {name: getattr(gan, name) for name in changed}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.callback(vars(gan).update, original)
        vars(gan).update(changed)
        nets = gan.main(gan.options([*flags, f"--pics={folder}"]))
    result = {"script": record["script"], **dict(zip(NETWORKS, nets, strict=True))}
    result["images_fake"] = result["generator"]["layers"][-1]["a"]
    return result | {name: np.array(kept["run"][name]) for name in LOSSES}


def go_on_from(start, gan, opt, run, generator, discriminator):
    """Take the state of the checkpoint `start`, but none of its settings."""
    opt.checkpoint = start["file"]  # for the message if beta1, say, is another
    gan.fill_network(opt, generator, start["generator"])
    gan.fill_network(opt, discriminator, start["discriminator"])
    opt.checkpoint = None
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


def loss_differences(one, other, steps):
    """How far two runs are apart at each step: loss's name -> (steps,)."""
    return {
        name: relative_difference(one[name][:steps], other[name][:steps])
        for name in LOSSES
    }


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
        for name in network_fields(gan):
            arrays[f"{net}.{name}"] = np.array([float(run[net][name])])
        for i, layer in enumerate(run[net]["layers"][1:], 2):
            for name in gan.LAYER_STATE:
                arrays[f"{net}.layers{{{i}}}.{name}"] = layer[name]
    return arrays


def limits(record, data, start, port):
    """What rounding may make of a difference: of a loss up to each step, of each array.

    port: the run of the port with the record's settings.
    """
    steps = record["c_loss"].size
    of_losses = np.full(steps, FLOOR)
    of_final = dict.fromkeys(final_arrays(port), FLOOR)
    for rounding in 1, 2:
        other = run_port(record, data, start, rounding)
        losses = loss_differences(port, other, steps)
        of_losses = np.maximum(of_losses, np.maximum(*losses.values()))
        for name, x in final_differences(port, other).items():
            of_final[name] = max(of_final[name], x)
    of_losses = FACTOR * np.maximum.accumulate(of_losses)
    return of_losses, {name: FACTOR * x for name, x in of_final.items()}


def times_its_limit(difference, limit):
    """How many times its limit a difference is; 0 where nothing can be told."""
    return difference / limit if limit <= CHAOS else 0.0


def worst_first(final, final_limits):
    """The names of the final arrays, the one farthest beyond its limit first."""

    def badness(name):
        return times_its_limit(final[name], final_limits[name])

    return sorted(final, key=badness, reverse=True)


def first_above(x, limit):
    """The first step, from 1 on, at which `x` is above `limit`; 0 if there is none."""
    above = np.flatnonzero(x > limit)
    return int(above[0]) + 1 if above.size else 0


# --------------------------------------------------------- the record, before any run


def read_record(file):
    """A record of record_run.m or record_from.m, checked; fails with what is wrong.

    A dict with script, SETTINGS, producer, first (the epoch before the first one),
    epoch (the last one), c_loss and d_loss (steps,), generator and discriminator in the
    script's own form, images_fake, images_check and file (its name).
    """
    saved = load_variables(file, RECORD_NAMES)
    try:
        record = check_record(saved)
    except ValueError as error:
        fail(f"{file}: is not a record of record_run.m: {error}")
    return record | {"file": os.path.basename(file)}


def check_record(saved):
    """What read_record() returns, of the variables of the file; else ValueError."""
    record = {"script": text(saved, "script"), **read_settings(saved)}
    if record["script"] not in SCRIPTS:
        raise ValueError(f"script must be {' or '.join(SCRIPTS)}")
    producer = text(saved, "producer")  # control characters could confuse a terminal
    record["producer"] = "".join(c if c.isprintable() else "?" for c in producer)
    record["first"] = whole_number(saved, "first", 0)
    record["epoch"] = whole_number(saved, "epoch", record["first"] + 1)
    total = total_steps(record)
    steps = record["c_loss"].size
    few = total if number(saved, "complete") else 1  # where it broke off
    if not few <= steps <= total:
        raise ValueError(f"c_loss must have {few} to {total} entries, one a step")
    record["images_check"] = numbers(saved, "images_check", (1, 2))[0]
    for net in NETWORKS:
        record[net] = read_network(saved, net, record["script"], finite=False)
    shape = (record["batch_size"], PIXELS)
    record["images_fake"] = numbers(saved, "images_fake", shape)
    return record


def read_start(record, opt):
    """The checkpoint that the record began from, or None; fails if it is another."""
    file = vars(opt)["from"]
    if not file:
        if record["first"]:
            fail(f"{opt.thing}: begins after epoch {record['first']}; give --from FILE")
        return None
    start = read_checkpoint(file)
    as_recorded = {name: record[name] for name in ("script", *SETTINGS)}
    del as_recorded["images_num"]  # record_from.m may take fewer
    as_recorded |= {"e": record["first"], "precision": "double", "gradient": "matlab"}
    for name, x in as_recorded.items():
        if start[name] != x:
            fail(f"--from {file}: {name} is {start[name]}; the record needs {x}")
    for net in NETWORKS:
        theirs = record[net]["architecture"]
        ours = start[net]["architecture"]
        if ours != theirs:
            fail(f"--from {file}: {net} has {ours}; the record needs {theirs}")
    return start | {"file": file}


def check_images(record, data):
    """Fail unless `data` holds the images of the record."""
    gan = importlib.import_module(record["script"])
    images = gan.load_train_x(data, record["images_num"])
    if not np.array_equal(images_check(images), record["images_check"]):
        fail(
            f"the record's images are not those of {data}; "
            "give the mnist_uint8.mat it was recorded with by --data FILE"
        )


def images_check(images):
    """The two sums with which record_run.m tells images from others: (2,).

    images: (n, 784), pixels column by column, as the port's load_train_x gives them.
    """
    images = images.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, PIXELS)
    of_pixels = images.sum(axis=0, dtype=float)
    of_images = images.sum(axis=1, dtype=float)
    pixels = np.arange(1, PIXELS + 1)
    rows = np.arange(1, len(images) + 1)
    return np.array([of_pixels @ pixels, rows @ of_images])


def steps_an_epoch(record):
    """How many steps an epoch has."""
    return record["images_num"] // record["batch_size"]


def total_steps(record):
    """How many steps the record has, or would have if it had not broken off."""
    return (record["epoch"] - record["first"]) * steps_an_epoch(record)


# --------------------------------------------------------------------- what is printed


def print_settings(record):
    """Print what is compared, and with which settings."""
    words = [f"epoch {record['first'] + 1}..{record['epoch']}"]
    words += [f"{name} {record[name]}" for name in SETTINGS]
    script = record["script"]
    print(f"{script}: {record['producer']} and {script}.py, {', '.join(words)}")
    sizes = [
        f"{net} {'-'.join(map(str, record[net]['architecture']))}" for net in NETWORKS
    ]
    print(f"layer sizes: {', '.join(sizes)}", flush=True)


def print_epochs(record, port):
    """Print what both programs print after each epoch."""
    row = "{:>5}  {:>14} {:>12}  {:>14} {:>12}"
    print(row.format("epoch", "c_loss, theirs", "ours", "d_loss, theirs", "ours"))
    each = steps_an_epoch(record)
    for step in range(each, record["c_loss"].size + 1, each):
        words = [str(record["first"] + step // each)]
        for name in LOSSES:
            words += [f"{x[name][step - 1]:f}" for x in (record, port)]
        print(row.format(*words))


def table_steps(last):
    """The steps that the table of losses shows, up to the `last`."""
    steps = [1, 10, 50, 100, 200, 400, 600, 800, 1000, 1500]
    steps += range(2000, 10000, 500)
    steps += range(10000, last, 10000)
    return [step for step in steps if step < last] + [last]


def print_steps(result):
    """Print how far the losses are apart, beside what rounding may make of it."""
    largest = np.maximum.accumulate(np.maximum(*result["losses"].values()))
    limit = result["loss_limit"]
    print("losses: largest difference up to a step, and what rounding may make of it")
    print_row("step", "difference", "rounding")
    for step in table_steps(largest.size):
        print_row(step, largest[step - 1], limit[step - 1])


def print_final(result):
    """Print the same of the arrays after the last step, the worst ones first."""
    final = result["final"]
    limit = result["final_limits"]
    if final is None:
        return
    print("final state: largest difference, and what rounding may make of it")
    print_row("the worst first", "difference", "rounding")
    for name in worst_first(final, limit)[:5]:
        print_row(name, final[name], limit[name])


def print_row(name, *numbers):
    """Print a row of the tables of differences; what is above 1 is 1."""
    cells = [x if isinstance(x, str) else f"{min(x, 1):.0e}" for x in numbers]
    print(f"  {name:<28}  {cells[0]:>10}  {cells[1]:>8}")


def plot(record, port, result, file):
    """Draw both runs' losses, and below their difference and its limit: a PNG file."""
    try:
        import matplotlib
    except ImportError:
        fail("--plot needs matplotlib: python -m pip install matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = np.arange(1, record["c_loss"].size + 1)
    figure, (top, bottom) = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True)
    for name in LOSSES:
        theirs, ours = COLOURS[name]
        top.plot(steps, record[name], theirs, lw=4, label=f"{name}, theirs")
        top.plot(steps, port[name][: steps.size], ours, lw=1, label=f"{name}, ours")
        difference = np.clip(result["losses"][name], 1e-17, 1)
        bottom.semilogy(steps, difference, ours, label=name)
    limit = np.clip(result["loss_limit"], 1e-17, 1)
    bottom.semilogy(steps, limit, "black", label="rounding, at most")
    top.set(ylabel="loss", title=f"{record['script']}: {record['producer']}, the port")
    bottom.set(xlabel="step", ylabel="relative difference", ylim=(1e-17, 2))
    for axes in top, bottom:
        axes.legend(fontsize="small")
    figure.savefig(file, format="png", dpi=100)
    pyplot.close(figure)


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
    text = "a log or a folder of the port; without it, the port runs"
    add("ours", nargs="?", metavar="OURS", help=text)
    text = "the images (default: data/mnist_uint8.mat)"
    add("--data", metavar="FILE", default=DATA, help=text)
    text = "of a record: the checkpoint where record_from.m began"
    add("--from", metavar="FILE", help=text)
    text = "of a record: draw the losses and their difference (needs matplotlib)"
    add("--plot", metavar="FILE.png", help=text)
    text = "which script made the log or the pictures"
    add("--script", choices=SCRIPTS, help=text)
    for name in SETTINGS:
        text = "of a log or pictures: as that script ran"
        add(f"--{name.replace('_', '-')}", metavar="N", help=text)
    opt = parser.parse_args(argv)
    if opt.plot and not os.path.isdir(os.path.dirname(opt.plot) or "."):
        fail(f"--plot {opt.plot}: its folder is missing")
    return opt


def main(argv=None):
    """The program, with the words of the command line; returns its exit status."""
    opt = options(argv)
    try:
        if is_mat_file(opt.thing):
            refuse(opt, "a record", ("ours", "script", *SETTINGS))
            return compare_record(opt)
        refuse(opt, "no record", ("from", "plot"))
        return compare_printed.compare(opt)
    except OSError as error:
        if not error.filename:
            raise
        fail(f"{error.filename}: {error.strerror}")


def is_mat_file(path):
    """Whether `path` is a .mat file by its name, or by bytes 125 to 128."""
    if os.path.isdir(path):
        return False
    with open(path, "rb") as f:
        form = f.read(128)[124:]
    has_form = b"\0" in form[:2] and form[2:] in (b"IM", b"MI")
    return has_form or path.lower().endswith(".mat")


def refuse(opt, kind, names):
    """Fail if one of these was given, which say nothing for this kind."""
    for name in names:
        if vars(opt)[name] is not None:
            flag = "OURS" if name == "ours" else f"--{name.replace('_', '-')}"
            fail(f"{opt.thing}: is {kind}, so {flag} says nothing")


def program():
    """Run main(): whatever stops it ends quietly or in one line; the exit status."""
    if hasattr(sys.stdout, "reconfigure"):  # names in any alphabet
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # of standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # nobody reads it any more
            return 2
        fail(f"output: {error.strerror}")


if __name__ == "__main__":
    sys.exit(program())
