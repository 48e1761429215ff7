"""Compare what MATLAB (or Octave) computed with what the port computes.

    python tests/matlab/compare_matlab.py RECORD.mat
    python tests/matlab/compare_matlab.py RECORD.mat --data mnist_uint8.mat
    python tests/matlab/compare_matlab.py RECORD.mat --from CHECKPOINT.mat
    python tests/matlab/compare_matlab.py RECORD.mat --checkpoint RUN.mat
    python tests/matlab/compare_matlab.py RECORD.mat --plot FILE.png

RECORD.mat comes from record_run.m or, with --from, from record_from.m. The port runs
with the record's settings and layer sizes. With --checkpoint a finished run of the port
is compared instead.

How far rounding alone moves two runs apart is measured: the port runs twice more, with
its sums in another order and its start changed in the last bit. The record may differ
by FACTOR times as much as these runs do.

Exit status: 0 equal, 1 different, 2 bad input, 3 equal as far as can be told.

compare_outputs.py, beside this file, compares pictures and printed lines.
"""

import argparse
import contextlib
import hashlib
import importlib
import io
import math
import os
import re
import sys
import tempfile
import warnings
from decimal import Decimal

import numpy as np
from scipy.io import loadmat

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
FACTOR = 30  # Octave's records need up to 3, see README.md beside this file
FLOOR = 1e-14  # rounding is never taken to be less than this, relative
CHAOS = 1e-3  # where rounding may make a larger difference, nothing can be told
PIXELS = 784  # of an image
LAST_BIT = 2.0**-52  # of a number, relative
SETTINGS = ("seed", "images_num", "batch_size", "learning_rate")
NETWORKS = ("generator", "discriminator")
LOSSES = ("c_loss", "d_loss")
LAYER_FIELDS = {
    "gan_adam": ("w", "b", "w_m", "w_v", "b_m", "b_v"),
    "gan_mbgd": ("w", "b"),
}
NETWORK_FIELDS = {"gan_adam": ("t", "beta1", "beta2", "epsilon"), "gan_mbgd": ()}
CHECKPOINT_NAMES = (
    *SETTINGS,
    *LOSSES,
    *NETWORKS,
    "e",
    "precision",
    "gradient",
    "images_sha256",
)
RECORD_NAMES = (
    *SETTINGS,
    *LOSSES,
    *NETWORKS,
    "script",
    "producer",
    "first",
    "epoch",
    "complete",
    "printed",
    "images_check",
    "images_fake",
)
THEIR_COLOURS = {"c_loss": "#f2a98c", "d_loss": "#8ebbe8"}
OUR_COLOURS = {"c_loss": "#c03912", "d_loss": "#1155a0"}


def fail(message):
    """End the program with `message` as its one line on standard error, status 2."""
    line = f"{os.path.basename(__file__)}: {message}".replace("\n", " ")
    print(line, file=sys.stderr)
    raise SystemExit(2)


# ------------------------------------------------------------ records and checkpoints


def load_variables(file, names):
    """The variables of the .mat `file` among `names`: a dict, structs as dicts.

    No other variable is looked at, so the file may hold strings, tables and so on.
    """
    kind = "is not a .mat file as MATLAB's save makes with '-v7'"
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = f.read(128)[124:]  # what stands before is free text
            if version in (b"\x00\x02IM", b"\x02\x00MI"):
                fail(f"{file}: {kind}, but with '-v7.3'; save it anew with '-v7'")
            if version not in (b"\x00\x01IM", b"\x01\x00MI"):
                fail(f"{file}: {kind}")
            return loadmat(f, variable_names=names, simplify_cells=True)
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror or 'it is damaged'})")
    except Exception:  # scipy raises almost anything on a damaged file
        fail(f"{file}: cannot be read (it is damaged)")


def need(saved, name, label):
    """saved[name]; ValueError if it is missing."""
    if name not in saved:
        raise ValueError(f"{label} is missing")
    return saved[name]


def numbers(saved, name, shape=None, label=None):
    """saved[name] as an array of doubles, of `shape` if given; else ValueError."""
    label = label or name
    x = np.asarray(need(saved, name, label))
    if x.dtype.kind not in "fiu":
        raise ValueError(f"{label} must be real numbers")
    if shape and x.squeeze().shape != tuple(n for n in shape if n != 1):
        raise ValueError(f"{label} must be {' x '.join(map(str, shape))}")
    return x.astype(float).reshape(shape or -1)


def number(saved, name, label=None):
    """saved[name] as a float; else ValueError."""
    return numbers(saved, name, (1, 1), label).item()


def whole_number(saved, name, low):
    """saved[name] as an int of at least `low`; else ValueError."""
    x = numbers(saved, name)
    if x.size != 1 or not low <= x[0] < math.inf or x[0] % 1:
        raise ValueError(f"{name} must be a whole number from {low} on")
    return int(x[0])


def text(saved, name):
    """saved[name], a row of characters, as a str; else ValueError."""
    x = need(saved, name, name)
    if isinstance(x, np.ndarray) and x.dtype.kind == "U" and x.size == 0:
        return ""  # MATLAB's ''
    if not isinstance(x, str):
        raise ValueError(f"{name} must be a row of characters")
    return x


def read_settings(saved):
    """The settings and losses that records and checkpoints have in common: a dict."""
    found = {
        "seed": whole_number(saved, "seed", 0),
        "images_num": whole_number(saved, "images_num", 1),
        "batch_size": whole_number(saved, "batch_size", 1),
        "learning_rate": number(saved, "learning_rate"),
    }
    if found["seed"] >= 2**32:
        raise ValueError("seed must be below 2^32")
    if not 0 < found["learning_rate"] < math.inf:
        raise ValueError("learning_rate must be above 0")
    if found["batch_size"] < 16:
        raise ValueError("batch_size must be at least 16")
    if found["images_num"] % found["batch_size"]:
        raise ValueError("images_num must be a multiple of batch_size")
    found["losses"] = {name: numbers(saved, name) for name in LOSSES}
    if found["losses"]["c_loss"].size != found["losses"]["d_loss"].size:
        raise ValueError("c_loss and d_loss must have the same length")
    return found


def read_architecture(struct, net):
    """The layer sizes of the network named `net`: a list of ints; else ValueError."""
    label = f"{net}.architecture"
    sizes = numbers(struct, "architecture", label=label)
    if sizes.size < 2 or not np.all((sizes >= 1) & (sizes % 1 == 0)):
        raise ValueError(f"{label} must be at least two whole numbers from 1 on")
    sizes = [int(n) for n in sizes]
    if net == "generator" and sizes[-1] != PIXELS:
        raise ValueError(f"{label} must end with {PIXELS}, the pixels of an image")
    if net == "discriminator" and (sizes[0] != PIXELS or sizes[-1] != 1):
        raise ValueError(f"{label} must begin with {PIXELS} and end with 1")
    return sizes


def read_networks(saved, script):
    """The layer sizes and the arrays of both networks: two dicts; else ValueError.

    {"generator": [100, 512, 784], ...} and {"generator.layers{2}.w": array, ...}, with
    MATLAB's names: layer 1 is the input.
    """
    architectures = {}
    arrays = {}
    for net in NETWORKS:
        struct = need(saved, net, net)
        if not isinstance(struct, dict):
            raise ValueError(f"{net} must be a struct")
        if ("t" in struct) != (script == "gan_adam"):
            raise ValueError(f"{net} is not one of {script}")
        for name in NETWORK_FIELDS[script]:
            label = f"{net}.{name}"
            arrays[label] = numbers(struct, name, (1, 1), label)
        sizes = read_architecture(struct, net)
        architectures[net] = sizes
        layers = need(struct, "layers", f"{net}.layers")
        if not isinstance(layers, (list, np.ndarray)) or len(layers) != len(sizes):
            raise ValueError(f"{net}.layers must be a cell array of {len(sizes)}")
        for i in range(1, len(sizes)):
            layer = f"{net}.layers{{{i + 1}}}"
            if not isinstance(layers[i], dict):
                raise ValueError(f"{layer} must be a struct")
            for name in LAYER_FIELDS[script]:
                rows = sizes[i - 1] if name[0] == "w" else 1
                label = f"{layer}.{name}"
                arrays[label] = numbers(layers[i], name, (rows, sizes[i]), label)
    return architectures, arrays


def read_record(file):
    """A record of record_run.m or record_from.m, checked; fails with what is wrong.

    A dict with the settings and file (its name), script, producer, who ("MATLAB" or
    "Octave"), epochs_before and last_epoch, losses (name -> (steps,)), architectures,
    final (arrays after the last step, images_fake too), complete (False if it broke
    off), printed and images_check (both None in older records).
    """
    saved = load_variables(file, RECORD_NAMES)
    try:
        script = text(saved, "script")
        if script not in LAYER_FIELDS:
            raise ValueError(f"script must be gan_adam or gan_mbgd, not {script}")
        record = read_settings(saved)
        record["file"] = os.path.basename(file)
        record["script"] = script
        record["producer"] = printable(text(saved, "producer"))
        record["who"] = "Octave" if "Octave" in record["producer"] else "MATLAB"
        before = whole_number(saved, "first", 0) if "first" in saved else 0
        record["epochs_before"] = before
        record["last_epoch"] = whole_number(saved, "epoch", before + 1)
        record["complete"] = "complete" not in saved or bool(number(saved, "complete"))
        record["printed"] = text(saved, "printed") if "printed" in saved else None
        record["images_check"] = None
        if "images_check" in saved:
            record["images_check"] = numbers(saved, "images_check", (1, 2))[0]
        steps = record["losses"]["c_loss"].size
        total = total_steps(record)
        if steps < 1 or steps > total or (record["complete"] and steps != total):
            few = "" if record["complete"] else "1 to "
            raise ValueError(f"c_loss must have {few}{total} entries, one a step")
        record["architectures"], record["final"] = read_networks(saved, script)
        shape = (record["batch_size"], PIXELS)
        record["final"]["images_fake"] = numbers(saved, "images_fake", shape)
    except ValueError as error:
        fail(f"{file}: is not a record of record_run.m to compare: {error}")
    return record


def read_checkpoint(file):
    """A checkpoint of the port, checked: a dict; fails with what is wrong.

    With the settings, precision, gradient and file (its name), script, epochs_before
    (always 0), last_epoch, losses, architectures, final (the arrays) and images_sha256
    (None in older checkpoints).
    """
    saved = load_variables(file, CHECKPOINT_NAMES)
    try:
        checkpoint = read_settings(saved)
        generator = need(saved, "generator", "generator")
        has_t = isinstance(generator, dict) and "t" in generator
        script = "gan_adam" if has_t else "gan_mbgd"
        checkpoint["file"] = os.path.basename(file)
        checkpoint["script"] = script
        checkpoint["precision"] = text(saved, "precision")
        checkpoint["gradient"] = text(saved, "gradient")
        checkpoint["images_sha256"] = None
        if "images_sha256" in saved:
            checkpoint["images_sha256"] = text(saved, "images_sha256")
        checkpoint["epochs_before"] = 0
        checkpoint["last_epoch"] = whole_number(saved, "e", 0)
        networks = read_networks(saved, script)
        checkpoint["architectures"], checkpoint["final"] = networks
    except ValueError as error:
        fail(f"{file}: is not a checkpoint of the port: {error}")
    return checkpoint


def steps_an_epoch(record):
    """How many steps an epoch has."""
    return record["images_num"] // record["batch_size"]


def total_steps(record):
    """How many steps the record has, or would have if it had not broken off."""
    return (record["last_epoch"] - record["epochs_before"]) * steps_an_epoch(record)


def printable(line):
    """`line` without control characters, which could confuse a terminal."""
    return "".join(c if c.isprintable() else "?" for c in line)


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


# ------------------------------------------------------------------- runs of the port


def mtimes_backwards(a, b):
    """a * b, each sum from its last term to its first."""
    # copies: NumPy before 2.3 multiplies reversed views without BLAS, ten times slower
    return np.matmul(a[:, ::-1].copy(), b[::-1].copy(), order="F")


def mtimes_in_halves(a, b):
    """a * b, each sum in two halves."""
    half = a.shape[1] // 2
    first = np.matmul(a[:, :half], b[:half], order="F")
    return first + np.matmul(a[:, half:], b[half:], order="F")


def run_port(record, data, checkpoint=None, rounding=0):
    """Run the port with the record's settings and layer sizes: a dict of losses, final.

    data: the file of images. checkpoint: the file to go on from. rounding: 0 for the
    port as it is; 1 and 2 sum products in another order and change the starting weights
    and each db in the last bit, at random.

    Where the script fails, so does this.
    """
    gan = importlib.import_module(record["script"])
    epochs = math.ceil(record["losses"]["c_loss"].size / steps_an_epoch(record))
    flags = [f"--epoch={record['epochs_before'] + epochs}", f"--data={data}"]
    flags += [f"--{name.replace('_', '-')}={record[name]}" for name in SETTINGS]
    if checkpoint:
        flags.append(f"--resume={checkpoint}")
    chance = np.random.RandomState(rounding)
    result = {}
    losses_before = []  # one number: how many there were before the first step

    def last_bit(shape):
        return LAST_BIT * chance.randint(-1, 2, shape)

    def nnsetup(architecture, *more):
        net = "generator" if architecture[-1] == PIXELS else "discriminator"
        return original["nnsetup"](record["architectures"][net], *more)

    def unifrnd(a, b, m, n):
        noise_width = record["architectures"]["generator"][0]
        return original["unifrnd"](a, b, m, noise_width)

    def save_images(images, count, path):
        result["images_fake"] = images.copy()

    def save_checkpoint(opt, e, generator, discriminator, c_losses, d_losses, *more):
        if not losses_before:
            losses_before.append(len(c_losses))
            if rounding:
                for layer in generator["layers"][1:] + discriminator["layers"][1:]:
                    for name in "w", "b":
                        x = layer[name]
                        layer[name] = x * (1 + last_bit(x.shape))
        start = losses_before[0]
        result["losses"] = {
            "c_loss": np.array(c_losses[start:]),
            "d_loss": np.array(d_losses[start:]),
        }
        networks = {"generator": generator, "discriminator": discriminator}
        _, result["final"] = read_networks(networks, record["script"])

    def nnapplygrade(nn, learning_rate):
        for layer in nn["layers"][1:]:
            # db is a mean: its rounding is of the size of its terms
            terms = np.abs(layer["d"]).mean(axis=0, keepdims=True)
            layer["db"] = layer["db"] + terms * last_bit(terms.shape)
        return original["nnapplygrade"](nn, learning_rate)

    changed = {
        "nnsetup": nnsetup,
        "unifrnd": unifrnd,
        "save_images": save_images,
        "save_checkpoint": save_checkpoint,
    }
    if rounding:
        changed["mtimes"] = mtimes_backwards if rounding == 1 else mtimes_in_halves
        changed["nnapplygrade"] = nnapplygrade
    original = {name: getattr(gan, name) for name in changed}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.callback(vars(gan).update, original)
        vars(gan).update(changed)
        gan.main(gan.options([*flags, f"--pics={folder}"]))
    result["final"]["images_fake"] = result.pop("images_fake")
    return result


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
        name: relative_difference(
            one["losses"][name][:steps], other["losses"][name][:steps]
        )
        for name in LOSSES
    }


def final_differences(one, other):
    """How far two runs are apart after the last step: array's name -> the largest."""
    return {
        name: float(relative_difference(x, other["final"][name], 1e-3).max())
        for name, x in one["final"].items()
    }


def limits(record, data, checkpoint, steps, port):
    """What rounding may make of a difference: of a loss up to each step, of each array.

    port: the run of the port with the record's settings.
    """
    of_losses = np.full(steps, FLOOR)
    of_final = dict.fromkeys(port["final"], FLOOR)
    for rounding in 1, 2:
        other = run_port(record, data, checkpoint, rounding)
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


def verdict(losses, loss_limit, final, final_limits, total):
    """The exit status and the sentence that says it.

    losses: name -> difference at each step. final: name -> difference, or None where
    only losses are compared. The limits: what rounding may make of them. total: the
    steps of the record.
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
        return 3, f"{so_far} in the losses; nothing else was compared"
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


# ------------------------------------------------------------------- the printed lines


def format_f(x):
    """The text that MATLAB's fprintf, and the port, print of a number for %f."""
    return f"{x:f}".replace("nan", "NaN").replace("inf", "Inf")


def port_lines(record):
    """The lines that the port prints where it has the record's losses."""
    each = steps_an_epoch(record)
    lines = []
    for e in range(record["epochs_before"] + 1, record["last_epoch"] + 1):
        step = (e - record["epochs_before"]) * each - 1
        c_loss = format_f(record["losses"]["c_loss"][step])
        d_loss = format_f(record["losses"]["d_loss"][step])
        lines.append(f'c_loss:"{c_loss}",d_loss:"{d_loss}"')
        lines.append(f"save_sample:./pics/epoch_{e}_t_{each}.png")
    return lines


def prints(word, value):
    """Whether `word`, say 0.358400, is `value` rounded to the digits that it has."""
    if not math.isfinite(value):
        return word.lower() == str(value)
    try:
        last_digit = Decimal(word).as_tuple().exponent
        return abs(float(word) - value) <= 0.51 * 10.0**last_digit
    except (ArithmeticError, TypeError, ValueError):  # not a number, NaN or Inf
        return False


def wrong_losses(record):
    """The first printed losses that no step of the record has, in order; else None."""
    c_losses = record["losses"]["c_loss"]
    d_losses = record["losses"]["d_loss"]
    step = 0
    pattern = r'c_loss:"([^"\n]*)",d_loss:"([^"\n]*)"'
    for found in re.finditer(pattern, record["printed"]):
        c_word, d_word = found.groups()
        while step < c_losses.size:
            if prints(c_word, c_losses[step]) and prints(d_word, d_losses[step]):
                break
            step += 1
        if step == c_losses.size:
            return found[0]
    return None


def remark_on_printed(record):
    """What is special in the lines that the record's script printed: words, or None."""
    if record["printed"] is None or not record["complete"]:
        return None
    wrong = wrong_losses(record)
    if wrong:
        return f"the script printed losses that are not those of its steps: {wrong}"
    expected = port_lines(record)
    printed = [line.rstrip("\r") for line in record["printed"].split("\n")]
    printed = [] if printed == [""] else printed
    if printed == expected:
        return None
    if not printed:
        return "the script printed nothing"
    k = 0
    while k < min(len(printed), len(expected)) and printed[k] == expected[k]:
        k += 1
    theirs = printable(printed[k])[:80] if k < len(printed) else "no line"
    ours = expected[k] if k < len(expected) else "no line"
    return (
        f"the script printed other lines: first, as line {k + 1}, {theirs} "
        f"where {record['script']}.py has {ours}"
    )


# ---------------------------------------------------------------------- the comparison


def other_settings(record, run, names):
    """In which settings a checkpoint is not like the record: a list of words."""
    words = []
    for name in names:
        if record[name] != run[name]:
            words.append(
                f"{name} is {record[name]} in {record['file']} "
                f"and {run[name]} in {run['file']}"
            )
    for net in NETWORKS:
        theirs = record["architectures"][net]
        ours = run["architectures"][net]
        if theirs != ours:
            words.append(
                f"{net}.architecture is {theirs} in {record['file']} "
                f"and {ours} in {run['file']}"
            )
    for name, needed in ("precision", "double"), ("gradient", "matlab"):
        if run[name] != needed:
            words.append(f"{name} must be {needed}, and is {run[name]}")
    return words


def check_start(record, opt):
    """The checkpoint that the record began from, or None; fails if it is another."""
    if not opt.start:
        if record["epochs_before"]:
            fail(
                f"{opt.record}: begins after epoch {record['epochs_before']}; "
                "give --from CHECKPOINT.mat"
            )
        return None
    start = read_checkpoint(opt.start)
    names = ("script", "seed", "batch_size", "learning_rate")
    words = other_settings(record, start, names)
    if start["last_epoch"] != record["epochs_before"]:
        words.append(
            f"it is of epoch {start['last_epoch']}, not {record['epochs_before']}"
        )
    if words:
        fail(f"--from {opt.start}: is not where the record began: {', '.join(words)}")
    return start


def check_finished_run(record, opt):
    """The finished run opt.checkpoint, or None; fails if it cannot be compared."""
    if not opt.checkpoint:
        return None
    run = read_checkpoint(opt.checkpoint)
    words = other_settings(record, run, ("script", *SETTINGS))
    if words:
        fail(f"--checkpoint {opt.checkpoint}: is another run: {', '.join(words)}")
    if unknown_steps(record, run) == shared_steps(record, run):
        fail(f"--checkpoint {opt.checkpoint}: has no losses to compare")
    return run


def check_images(record, checkpoint, data):
    """Fail unless `data` holds the images of the record and of its checkpoint."""
    gan = importlib.import_module(record["script"])
    images = gan.load_train_x(data, record["images_num"])
    sums = record["images_check"]
    if sums is not None and not np.array_equal(images_check(images), sums):
        fail(
            f"the record's images are not those of {data}; "
            "give the mnist_uint8.mat it was recorded with by --data FILE"
        )
    if checkpoint is None or checkpoint["images_sha256"] is None:
        return
    if checkpoint["images_num"] != record["images_num"]:
        images = gan.load_train_x(data, checkpoint["images_num"])
    if hashlib.sha256(images.tobytes()).hexdigest() != checkpoint["images_sha256"]:
        fail(
            f"the images of {checkpoint['file']} are not those of {data}; "
            "give the mnist_uint8.mat it was trained on by --data FILE"
        )


def shared_steps(record, run):
    """How many steps the record and a run have in common."""
    return min(record["losses"]["c_loss"].size, run["losses"]["c_loss"].size)


def unknown_steps(record, finished_run):
    """Of how many of the first common steps a finished run has no losses.

    A run that went on from a MATLAB workspace does not know the losses before.
    """
    steps = shared_steps(record, finished_run)
    known = np.flatnonzero(~np.isnan(finished_run["losses"]["c_loss"][:steps]))
    return int(known[0]) if known.size else steps


def prepare(opt):
    """Read and check all files, before anything runs.

    Returns the record and the finished run, which is None without opt.checkpoint.
    """
    record = read_record(opt.record)
    start = check_start(record, opt)
    finished_run = check_finished_run(record, opt)
    check_images(record, start or finished_run, opt.data)
    return record, finished_run


def judge(record, finished_run, opt):
    """Run the port and compare: a dict of all that is to be printed or drawn.

    It has run (the port's), run_name, steps (how many are compared), unknown (how many
    of the first ones the finished run has no losses of), losses and loss_limit, final
    and final_limits, status, sentence and remark.
    """
    new_run = run_port(record, opt.data, opt.start)
    run = finished_run or new_run
    steps = shared_steps(record, run)
    unknown = unknown_steps(record, finished_run) if finished_run else 0
    loss_limit, final_limits = limits(record, opt.data, opt.start, steps, new_run)
    losses = loss_differences(run, record, steps)
    for x in losses.values():
        x[:unknown] = 0
    final = None
    total = total_steps(record)
    last_epoch = run.get("last_epoch", record["last_epoch"])
    if steps == total and last_epoch == record["last_epoch"]:
        final = final_differences(run, record)
    status, sentence = verdict(losses, loss_limit, final, final_limits, total)
    if status == 3 and not record["complete"]:
        sentence += "; the recorded run broke off"
    if unknown and status != 1:
        sentence += f"; the losses of the first {unknown} steps were not compared"
    return {
        "run": run,
        "run_name": run.get("file", f"{record['script']}.py"),
        "steps": steps,
        "unknown": unknown,
        "losses": losses,
        "loss_limit": loss_limit,
        "final": final,
        "final_limits": final_limits,
        "status": status,
        "sentence": sentence,
        "remark": None if status == 1 else remark_on_printed(record),
    }


def compare(opt):
    """Compare opt.record with the port; returns the exit status."""
    record, finished_run = prepare(opt)
    print_settings(record)
    comparison = judge(record, finished_run, opt)
    print_epochs(record, comparison)
    print_steps(comparison)
    print_final(comparison)
    print(comparison["sentence"])
    if comparison["remark"]:
        print(f"remark: {comparison['remark']}")
    if opt.plot:  # last, so that what goes wrong with it costs no verdict
        plot(record, comparison, opt.plot)
    return comparison["status"]


# --------------------------------------------------------------------- what is printed


def print_settings(record):
    """Print what is compared, and with which settings."""
    words = [f"epoch {record['epochs_before'] + 1}..{record['last_epoch']}"]
    words += [f"{name} {record[name]}" for name in SETTINGS]
    script = record["script"]
    print(f"{script}: {record['producer']} and {script}.py, {', '.join(words)}")
    sizes = [
        f"{net} {'-'.join(map(str, record['architectures'][net]))}" for net in NETWORKS
    ]
    print(f"layer sizes: {', '.join(sizes)}", flush=True)


def print_epochs(record, comparison):
    """Print what both programs print after each epoch."""
    run = comparison["run"]
    ours = comparison["run_name"]
    steps = comparison["steps"]
    if "file" in run:
        print(f"{ours} and {record['file']} share {steps} steps")
    if comparison["unknown"]:
        print(f"{ours} has no losses of the first {comparison['unknown']} of them")
    who = record["who"]
    row = "{:>5}  {:>14} {:>12}  {:>14} {:>12}"
    print(row.format("epoch", f"c_loss {who}", ours, f"d_loss {who}", ours))
    each = steps_an_epoch(record)
    for step in range(each, steps + 1, each):
        words = [str(record["epochs_before"] + step // each)]
        for name in LOSSES:
            words.append(f"{record['losses'][name][step - 1]:f}")
            words.append(f"{run['losses'][name][step - 1]:f}")
        print(row.format(*words))


def table_steps(last):
    """The steps that the table of losses shows, up to the `last`."""
    steps = [1, 10, 50, 100, 200, 400, 600, 800, 1000, 1500]
    steps += range(2000, 10000, 500)
    steps += range(10000, last, 10000)
    return [step for step in steps if step < last] + [last]


def print_steps(comparison):
    """Print how far the losses are apart, beside what rounding may make of it."""
    largest = np.maximum(*comparison["losses"].values())
    largest = np.maximum.accumulate(largest)
    limit = comparison["loss_limit"]
    print("losses: largest difference up to a step, and what rounding may make of it")
    print("    step  difference  rounding")
    for step in table_steps(largest.size):
        x = min(largest[step - 1], 1)
        print(f"{step:8}  {x:10.0e}  {min(limit[step - 1], 1):8.0e}")


def print_final(comparison):
    """Print the same of the arrays after the last step, the worst ones first."""
    final = comparison["final"]
    limit = comparison["final_limits"]
    if final is None:
        return
    print("final state: largest difference, and what rounding may make of it")
    print(f"  {'the worst first':26}  difference  rounding")
    for name in worst_first(final, limit)[:5]:
        x = min(final[name], 1)
        print(f"  {name:26}  {x:10.0e}  {min(limit[name], 1):8.0e}")


def plot(record, comparison, file):
    """Draw both runs' losses, and below their difference and its limit: a PNG file."""
    try:
        import matplotlib
    except ImportError:
        fail("--plot needs matplotlib: python -m pip install matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    count = comparison["steps"]
    steps = np.arange(1, count + 1)
    figure, (top, bottom) = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True)
    style = {"marker": "."} if count == 1 else {}
    for name in LOSSES:
        theirs = record["losses"][name][:count]
        ours = comparison["run"]["losses"][name][:count]
        difference = np.clip(comparison["losses"][name], 1e-17, 1)
        label = f"{name} {record['who']}"
        top.plot(
            steps, theirs, color=THEIR_COLOURS[name], linewidth=4, label=label, **style
        )
        label = f"{name} {comparison['run_name']}"
        top.plot(
            steps, ours, color=OUR_COLOURS[name], linewidth=1, label=label, **style
        )
        bottom.semilogy(steps, difference, color=OUR_COLOURS[name], label=name, **style)
    limit = np.clip(comparison["loss_limit"], 1e-17, 1)
    bottom.semilogy(steps, limit, color="black", label="rounding, at most")
    top.legend(ncols=2, fontsize="small")
    bottom.legend(fontsize="small")
    bottom.set(xlabel="step", ylabel="relative difference", ylim=(1e-17, 2))
    programs = f"{record['producer']} and {comparison['run_name']}"
    top.set(ylabel="loss", title=f"{record['script']}: {programs}")
    figure.tight_layout()
    try:
        figure.savefig(file, format="png", dpi=100)
    except OSError as error:
        fail(f"--plot {file}: cannot be written ({error.strerror})")
    pyplot.close(figure)


# ------------------------------------------------------------------------- the program


def options(argv=None):
    """Read the command line; fails where it is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="compare_outputs.py compares pictures and printed lines.",
        allow_abbrev=False,
    )
    parser.error = fail
    parser.add_argument(
        "record", metavar="RECORD.mat", help="from record_run.m or record_from.m"
    )
    parser.add_argument(
        "--data",
        default=DATA,
        metavar="FILE",
        help="the mnist_uint8.mat the record was made with (default: the one in data/)",
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="CHECKPOINT.mat",
        help="where record_from.m began",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="RUN.mat",
        help="a finished run of the port, instead of a new one",
    )
    parser.add_argument(
        "--plot",
        metavar="FILE.png",
        help="draw the losses and their difference (needs matplotlib)",
    )
    opt = parser.parse_args(argv)
    if opt.checkpoint and opt.start:
        fail("give --from or --checkpoint, not both")
    if opt.plot and not os.path.isdir(os.path.dirname(opt.plot) or "."):
        fail(f"--plot {opt.plot}: its folder is missing")
    return opt


def main(argv=None):
    """The program, with the words of the command line; returns its exit status."""
    return compare(options(argv))


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # names in any alphabet
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.path.insert(0, ROOT)
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 2
    except OSError as error:  # the disk is full, say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail(f"{error.filename or 'output'}: {error.strerror}")
    sys.exit(status)
