"""Compare what MATLAB (or Octave) computed with what gan_adam.py or gan_mbgd.py computes.

    python tests/matlab/compare_matlab.py RECORD.mat [--plot FILE.png]
    python tests/matlab/compare_matlab.py RECORD.mat --from CHECKPOINT.mat
    python tests/matlab/compare_matlab.py RECORD.mat --checkpoint RUN.mat
    python tests/matlab/compare_matlab.py --pictures DIR1 DIR2
    python tests/matlab/compare_matlab.py --logs FILE1 FILE2

RECORD.mat comes from record_run.m or, with --from, from record_from.m. The port runs with the
record's settings, or its finished run is read from RUN.mat. How far rounding alone parts two runs
is measured: the port runs twice more, its sums in another order and its start changed in the last
bit. By FACTOR times what these runs differ by, the record may differ too.

Exit status: 0 equal, 1 different, 2 bad input, 3 equal as far as can be told.
"""

import argparse
import contextlib
import importlib
import io
import math
import os
import re
import sys
import tempfile
import warnings

import numpy as np
from PIL import Image
from scipy.io import loadmat, whosmat

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "data", "mnist_uint8.mat")
FACTOR = 30  # genuine records need up to 3, see README.md beside this
FLOOR = 1e-14  # rounding is never taken to be less, relative
CHAOS = (
    1e-3  # where rounding may make more than that of a difference, nothing can be told
)
SETTINGS = ("seed", "images_num", "batch_size", "learning_rate")
SIZES = {"generator": (100, 512, 784), "discriminator": (784, 512, 1)}
FIELDS = {"gan_adam": ("w", "b", "w_m", "w_v", "b_m", "b_v"), "gan_mbgd": ("w", "b")}
MARKS = (
    1,
    10,
    50,
    100,
    200,
    400,
    600,
    800,
    1000,
    1500,
    2000,
)  # steps that the table shows
CLASSES = ("double", "single", "uint8", "uint32", "char", "struct")  # what can be ours
COLOURS = {
    "c_loss": ("#f2a98c", "#c03912"),
    "d_loss": ("#8ebbe8", "#1155a0"),
}  # theirs, ours


def fail(message):
    """End the program with `message` as its one line on standard error, status 2."""
    print(
        f"{os.path.basename(__file__)}: {message}".replace("\n", " "), file=sys.stderr
    )
    raise SystemExit(2)


# ------------------------------------------------------------------------ records and checkpoints


def load(file):
    """The variables of the .mat `file` as a dict, structs as dicts; fails on anything else."""
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if f.read(19) != b"MATLAB 5.0 MAT-file":
                raise ValueError("no .mat file as MATLAB's save makes with '-v7'")
            held = whosmat(f)  # before loading: a file can claim much
            for name, shape, kind in held:
                if math.prod(shape) > 10**8 or kind not in CLASSES:
                    raise ValueError(f"{name} is a {kind}, or too large")
            return loadmat(f, variable_names=[x[0] for x in held], simplify_cells=True)
    except Exception as error:  # scipy raises almost anything on a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        fail(f"{file}: cannot be read: {reason}")


def numbers(saved, name, shape=None):
    """saved[name] as an array of doubles, of `shape` if given; else ValueError."""
    x = np.asarray(saved[name])
    if x.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds no real numbers")
    if shape and x.squeeze().shape != tuple(n for n in shape if n != 1):
        raise ValueError(f"{name} must be {' x '.join(map(str, shape))}")
    return x.astype(float).reshape(shape or -1)


def whole(saved, name, low):
    """saved[name] as an int of at least `low`; else ValueError."""
    x = numbers(saved, name)
    if x.size != 1 or not low <= x[0] < math.inf or x[0] % 1:
        raise ValueError(f"{name} must be a whole number from {low} on")
    return int(x[0])


def read_state(saved, script):
    """Both networks in a workspace: 'generator 2 w' -> array, 't' -> how many updates.

    Layers count from 1 as in MATLAB, so 2 is the first with weights.
    """
    state = {}
    for net, sizes in SIZES.items():
        if ("t" in saved[net]) != (script == "gan_adam"):
            raise ValueError(f"{net} is not one of {script}")
        for k in ("t", "beta1", "beta2", "epsilon") if script == "gan_adam" else ():
            state[f"{net} {k}"] = numbers(saved[net], k, (1, 1))
        for i in 1, 2:
            for name in FIELDS[script]:
                shape = (sizes[i - 1] if name[0] == "w" else 1, sizes[i])
                try:
                    state[f"{net} {i + 1} {name}"] = numbers(
                        saved[net]["layers"][i], name, shape
                    )
                except ValueError as error:
                    raise ValueError(f"{net} {i + 1} {error}") from None
    return state


def read_workspace(file, record):
    """A record, or else a checkpoint, checked: a dict; fails with what is wrong.

    It has name (the file's), script, epoch (the last), first (the epoch it began behind), SETTINGS,
    losses (name -> (steps,)), state and, of a record, who, producer, complete, images_fake
    (batch_size, 784), printed and images_check (both None in older records).
    """
    saved, what = load(file), "record of record_run.m" if record else "checkpoint"
    found = {"name": os.path.basename(file)}
    try:
        for name in SETTINGS[:3]:
            found[name] = whole(saved, name, {"seed": 0, "batch_size": 16}.get(name, 1))
        found["learning_rate"] = numbers(saved, "learning_rate", (1, 1)).item()
        if not 0 < found["learning_rate"] < math.inf or found["seed"] >= 2**32:
            raise ValueError("learning_rate must be above 0, and seed below 2^32")
        if found["images_num"] % found["batch_size"]:
            raise ValueError("images_num is no multiple of batch_size")
        found["losses"] = {k: numbers(saved, k) for k in ("c_loss", "d_loss")}
        if record:
            found["script"], found["producer"] = (
                str(saved["script"]),
                str(saved["producer"]),
            )
            if found["script"] not in FIELDS:
                raise ValueError(
                    f"script must be gan_adam or gan_mbgd, not {found['script']}"
                )
            found["who"] = "Octave" if "Octave" in found["producer"] else "MATLAB"
            found["first"] = whole(saved, "first", 0) if "first" in saved else 0
            found["epoch"] = whole(saved, "epoch", found["first"] + 1)
            found["complete"] = "complete" not in saved or bool(saved["complete"])
            found["printed"] = str(saved["printed"]) if "printed" in saved else None
            check = (
                numbers(saved, "images_check", (1, 2))
                if "images_check" in saved
                else None
            )
            found["images_check"] = check
            epochs = found["epoch"] - found["first"]
            steps = epochs * found["images_num"] // found["batch_size"]
            for name, x in found["losses"].items():
                if x.size != steps and (found["complete"] or x.size > steps):
                    raise ValueError(
                        f"{name} must have {steps} entries, one a step, not {x.size}"
                    )
        else:
            found["script"] = "gan_adam" if "t" in saved["generator"] else "gan_mbgd"
            found["first"], found["epoch"] = 0, whole(saved, "e", 0)
            found["precision"], found["gradient"] = (
                str(saved["precision"]),
                str(saved["gradient"]),
            )
        if len({x.size for x in found["losses"].values()}) > 1:
            raise ValueError("c_loss and d_loss must have the same length")
        found["state"] = read_state(saved, found["script"])
        if record:
            shape = (found["batch_size"], 784)
            found["state"]["images_fake"] = numbers(saved, "images_fake", shape)
    except KeyError as error:
        fail(f"{file}: is no {what}: {error.args[0]} is missing")
    except (LookupError, TypeError, ValueError) as error:
        fail(f"{file}: is no {what}: {error}")
    return found


# ------------------------------------------------------------------------------- runs of the port


def run_port(record, checkpoint=None, rounding=0):
    """Run the record's script in this process: a dict of losses and state, images_fake among it.

    checkpoint: the file to go on from. rounding: 0 for the port as it is; 1 and 2 sum products in
    another order and change the starting weights and each db in the last bit, at random. Where the
    script fails, so does this; the script's own line on standard error says why.
    """
    gan = importlib.import_module(record["script"])
    epochs = record["first"] + math.ceil(
        len(record["losses"]["c_loss"]) / batches(record)
    )
    flags = [f"--epoch={max(epochs, record['first'] + 1)}", f"--data={DATA}"]
    flags += [f"--{k.replace('_', '-')}={record[k]}" for k in SETTINGS]
    if checkpoint:
        flags.append(f"--resume={checkpoint}")
    chance, result, saves = np.random.RandomState(rounding), {}, []

    def keep_images(images, count, path):
        result["images_fake"] = images.copy()

    def keep_state(opt, generator, discriminator, c_losses, d_losses):
        if not saves:  # before the first step
            saves.append(len(c_losses))
            for layer in (
                (*generator["layers"][1:], *discriminator["layers"][1:])
                if rounding
                else ()
            ):
                for k in "w", "b":
                    layer[k] *= 1 + 2.0**-52 * chance.randint(-1, 2, layer[k].shape)
        result["losses"] = {
            "c_loss": np.array(c_losses[saves[0] :]),
            "d_loss": np.array(d_losses[saves[0] :]),
        }
        nets = {"generator": generator, "discriminator": discriminator}
        result["state"] = read_state(nets, record["script"])

    def mtimes(a, b):
        if rounding == 1:
            # copies: NumPy before 2.3 multiplies reversed views without BLAS, ten times slower
            return np.matmul(a[:, ::-1].copy(), b[::-1].copy(), order="F")
        half = a.shape[1] // 2
        return np.matmul(a[:, :half], b[:half], order="F") + np.matmul(
            a[:, half:], b[half:]
        )

    def nnapplygrade(nn, learning_rate):
        for layer in nn["layers"][
            1:
        ]:  # db is a mean: its rounding is of the size of its terms
            terms = np.abs(layer["d"]).mean(axis=0, keepdims=True)
            layer["db"] += 2.0**-52 * terms * chance.randint(-1, 2, terms.shape)
        return old["nnapplygrade"](nn, learning_rate)

    new = {"save_images": keep_images, "save_checkpoint": keep_state}
    if rounding:
        new |= {"mtimes": mtimes, "nnapplygrade": nnapplygrade}
    old = {name: getattr(gan, name) for name in new}
    try:
        vars(gan).update(new)
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
        ):
            gan.main(gan.options([*flags, f"--pics={folder}"]))
    finally:
        vars(gan).update(old)
    result["state"]["images_fake"] = result.pop("images_fake")
    return result


def batches(record):
    """How many steps an epoch has."""
    return record["images_num"] // record["batch_size"]


def images_check(images_num):
    """Two sums that tell the first images from others, as record_run.m makes them: (1, 2)."""
    x = loadmat(DATA, variable_names=["train_x"])["train_x"][:images_num].astype(float)
    return np.array(
        [[x.sum(axis=0) @ np.arange(1, 785), np.arange(1, len(x) + 1) @ x.sum(axis=1)]]
    )


# ---------------------------------------------------------------------------------- comparing


def parted(a, b, small=0.0):
    """The elementwise difference of two arrays relative to their size; 0 where both are NaN.

    Numbers below `small` times the largest count as that large. Infinite where only one is finite.
    """
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(a), np.abs(b))
        x = np.abs(a - b) / np.maximum(
            size, small * size[np.isfinite(size)].max(initial=0)
        )
    x[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
    x[np.isnan(x)] = np.inf
    return x


def apart(one, other, steps):
    """How far two runs are apart: losses, name -> (steps,), and final arrays, name -> number."""
    losses = {
        k: parted(one["losses"][k][:steps], other["losses"][k][:steps]) for k in COLOURS
    }
    arrays = {
        k: float(parted(x, other["state"][k], 1e-3).max())
        for k, x in one["state"].items()
    }
    return losses, arrays


def limits(record, checkpoint, steps, base=None):
    """What rounding may make of a difference: of a loss at each step (steps,), of each array.

    base: the port's run of the record, where it is there already.
    """
    base = base or run_port(record, checkpoint)
    loss, arrays = np.full(steps, FLOOR), dict.fromkeys(base["state"], FLOOR)
    for rounding in 1, 2:
        losses, states = apart(base, run_port(record, checkpoint, rounding), steps)
        loss = np.maximum(loss, np.maximum(*losses.values()))
        arrays = {k: max(x, states[k]) for k, x in arrays.items()}
    return FACTOR * np.maximum.accumulate(loss), {
        k: FACTOR * x for k, x in arrays.items()
    }


def first_above(x, limit):
    """The first step, from 1 on, at which `x` is above `limit`; 0 if it never is."""
    above = np.flatnonzero(x > limit)
    return int(above[0]) + 1 if above.size else 0


def verdict(losses, states, loss_limit, state_limits, total):
    """Returns (exit status, sentence).

    losses: name -> difference at each step; states: array's name -> difference, or None where only
    losses are compared; the limits: what rounding may make of them; total: the steps of the record.
    """
    judged = (first_above(loss_limit, CHAOS) or loss_limit.size + 1) - 1
    for step in range(judged):
        for name, x in losses.items():
            if x[step] > loss_limit[step]:
                return 1, (
                    f"different: {name} of step {step + 1} by {x[step]:.1e}, where rounding gives "
                    f"up to {loss_limit[step]:.1e}"
                )
    if judged < loss_limit.size:
        return 3, (
            f"equal up to step {judged} of {total}; beyond it rounding alone differs as much: "
            "record_from, from a checkpoint, judges later steps"
        )
    for name, x in (states or {}).items():
        if x > state_limits[name] and state_limits[name] <= CHAOS:
            return 1, (
                f"different: {name} after the last step by {x:.1e}, where rounding gives up to "
                f"{state_limits[name]:.1e}"
            )
    if states is None:
        return (
            3,
            f"equal up to step {judged} of {total} in the losses; nothing else was compared",
        )
    blurred = [name for name in states if state_limits[name] > CHAOS]
    if blurred or judged < total:
        why = (
            f"of {', '.join(blurred)} nothing can be told"
            if blurred
            else "the record ends there"
        )
        return 3, f"equal up to step {judged} of {total}; {why}"
    return 0, f"equal: {total} steps and the final state, as far as rounding goes"


def settings_apart(record, run):
    """In which settings a finished run is another one than the record's: a list of words."""
    names = [*SETTINGS, "script"]
    told = [
        f"{k} is {record[k]} in {record['name']} and {run[k]} in {run['name']}"
        for k in names
        if record[k] != run[k]
    ]
    wanted = {"precision": "double", "gradient": "matlab"}
    return told + [
        f"{run['name']} has {k} {run[k]}" for k in wanted if run[k] != wanted[k]
    ]


def printed_apart(record):
    """What is wrong with the lines that the record's script printed: words, or None.

    They must be those that the port prints for the record's own losses.
    """
    gan, lines, each = importlib.import_module(record["script"]), [], batches(record)
    for e in range(record["first"] + 1, record["epoch"] + 1):
        step = (e - record["first"]) * each - 1
        c_loss, d_loss = (gan.format_f(x[step]) for x in record["losses"].values())
        lines += [f'c_loss:"{c_loss}",d_loss:"{d_loss}"']
        lines += [f"save_sample:./pics/epoch_{e}_t_{each}.png"]
    printed = record["printed"].splitlines()
    for k, (a, b) in enumerate(zip(lines, printed, strict=False)):
        if a != b:
            return f"printed line {k + 1} is {b} there and {a} here"
    return (
        None
        if len(lines) == len(printed)
        else f"{len(printed)} printed lines, not {len(lines)}"
    )


def compare_record(opt):
    """Print the tables for opt.record and a run of the port; returns the exit status."""
    record = read_workspace(opt.record, True)
    if bool(record["first"]) != bool(opt.start) and not opt.start:
        fail(
            f"{opt.record}: begins behind epoch {record['first']}; give --from CHECKPOINT.mat"
        )
    if opt.start:
        start = read_workspace(opt.start, False)
        told = settings_apart(record, start | {"images_num": record["images_num"]})
        if start["epoch"] != record["first"]:
            told.append(f"it is of epoch {start['epoch']}, not {record['first']}")
        if told:
            fail(
                f"--from {opt.start}: is not where the record began: {', '.join(told)}"
            )
    here = f"{record['script']}.py"
    print(
        f"{record['script']}: {record['producer']} and {here}, {settings_line(record)}"
    )
    if record["images_check"] is not None:
        if (record["images_check"] != images_check(record["images_num"])).any():
            print(f"different: {record['who']} had other images than {DATA}")
            return 1
    total = (record["epoch"] - record["first"]) * batches(record)
    steps, skipped = len(record["losses"]["c_loss"]), 0
    base = None if opt.checkpoint else run_port(record, opt.start)
    run = base
    if opt.checkpoint:
        run = read_workspace(opt.checkpoint, False)
        here = run["name"]
        told = settings_apart(record, run)
        if told:
            print(f"different: {', '.join(told)}")
            return 1
        steps = min(steps, len(run["losses"]["c_loss"]))
        print(f"{here} and {record['name']} share {steps} steps")
        # a run that resumed from a MATLAB workspace does not know the losses before
        known = ~np.isnan(run["losses"]["c_loss"][:steps])
        skipped = int(np.argmax(known)) if known.any() else steps
        print(
            f"{here} knows no losses of the first {skipped} of them"
        ) if skipped else None
    if skipped >= steps:
        fail(f"{opt.checkpoint or opt.record}: has no losses to compare")
    loss_limit, state_limits = limits(record, opt.start, steps, base)
    losses, states = apart(run, record, steps)
    losses = {k: np.where(np.arange(steps) < skipped, 0, x) for k, x in losses.items()}
    if steps < total or run.get("epoch", record["epoch"]) != record["epoch"]:
        states = None
    print_epochs(record, run, steps, here)
    print_differences(losses, loss_limit, states, state_limits)
    if opt.plot:
        plot(record, run, losses, loss_limit, here, opt.plot)
    status, sentence = verdict(losses, states, loss_limit, state_limits, total)
    words = (
        printed_apart(record)
        if record["printed"] is not None and steps == total
        else None
    )
    if words:
        status, sentence = 1, f"different: {words}"
    if not record["complete"] and status == 3:
        sentence += "; the recorded run broke off"
    print(sentence)
    return status


def settings_line(record):
    """The record's settings in words."""
    epochs = f"epoch {record['first'] + 1}..{record['epoch']}"
    return ", ".join([epochs, *(f"{k} {record[k]}" for k in SETTINGS)])


def print_epochs(record, run, steps, here):
    """Print what both programs print after each epoch."""
    who, each = record["who"], batches(record)
    print(
        "epoch  {:>14} {:>12}  {:>14} {:>12}".format(
            f"c_loss {who}", here, f"d_loss {who}", here
        )
    )
    for k in range(each - 1, steps, each):
        c, d = ([x["losses"][name][k] for x in (record, run)] for name in COLOURS)
        e = record["first"] + k // each + 1
        print("{:5}  {:14f} {:12f}  {:14f} {:12f}".format(e, *c, *d))


def print_differences(losses, loss_limit, states, state_limits):
    """Print how far both are apart, beside what rounding may make of it."""
    largest = np.maximum.accumulate(np.maximum(*losses.values()))
    print(
        "largest difference of a loss, relative | what rounding may make of it, up to step"
    )
    marks = [x for x in MARKS if x < largest.size] + [largest.size]
    for x in marks:
        print(f"{x:6}  {largest[x - 1]:.0e} | {min(loss_limit[x - 1], 1):.0e}")
    if states is not None:
        print(
            "the same of the final state, those nearest to the limit or beyond it first"
        )
        for name in sorted(states, key=lambda k: -states[k] / state_limits[k])[:5]:
            print(f"  {name:21} {states[name]:.0e} | {min(state_limits[name], 1):.0e}")


# ---------------------------------------------------------------------------- pictures and logs


def read_picture(file):
    """The grey levels of a picture file: (rows, columns) int, 0..255. 16 bits are rounded to 8."""
    try:
        with Image.open(file) as picture:
            if picture.mode.startswith("I"):
                return np.floor(np.asarray(picture).astype(float) / 257 + 0.5).astype(
                    int
                )
            return np.asarray(picture.convert("L")).astype(int)
    except Exception as error:  # Pillow raises almost anything on a damaged file
        fail(f"{file}: is no picture ({error})")


def compare_pictures(first, second):
    """Compare the .png files of two folders; returns the status."""
    names = []
    for folder in first, second:
        try:
            names.append({x for x in os.listdir(folder) if x.lower().endswith(".png")})
        except OSError as error:
            fail(f"{folder}: cannot be read ({error.strerror})")
    both = sorted(
        names[0] & names[1], key=lambda x: [int(n) for n in re.findall(r"\d+", x)]
    )
    if not both:
        fail(f"{first} and {second}: have no .png file of the same name")
    most = 0
    for name in both:
        a, b = (read_picture(os.path.join(folder, name)) for folder in (first, second))
        if a.shape != b.shape:
            print(f"{name}: sizes differ, {a.shape} and {b.shape}")
            most = math.inf
        else:
            x = np.abs(a - b)
            print(f"{name}: largest difference {x.max()} grey levels, ", end="")
            print(f"{np.count_nonzero(x)} of {x.size} pixels differ")
            most = max(most, int(x.max()))
    if most > 1:
        print("different: by more than 1 grey level")
        return 1
    missing = [(first, names[1] - names[0]), (second, names[0] - names[1])]
    for folder, lacks in missing:
        if lacks:
            print(f"missing in {folder}: {len(lacks)}, {min(lacks)} the first by name")
    if names[0] != names[1]:
        print(
            f"equal in the {len(both)} pictures that are in both folders; others are missing"
        )
        return 3
    print(
        f"equal: {len(both)} pictures, within the 1 grey level that rounding may make"
    )
    return 0


def read_log(file):
    """The epochs and losses that a run printed: a list of (epoch, c_loss, d_loss)."""
    try:
        with open(file, "rb") as f:
            content = f.read()
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror})")
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"c\0_\0l\0o\0s\0s" in content
    text = content.decode(
        "utf-16" if content[:1] in b"\xff\xfe" else "utf-16-le", "replace"
    )
    text = text if wide else content.decode("utf-8", "replace")
    found = re.findall(
        r'c_loss:"([^"\n]*)",d_loss:"([^"\n]*)"|epoch_(\d+)_t_\d+\.png', text
    )
    epochs, losses = [], []
    for c_loss, d_loss, epoch in found:
        if epoch and losses:
            epochs.append((int(epoch), *losses))
            losses = []
        elif not epoch:
            try:
                losses = [float(c_loss), float(d_loss)]
            except ValueError as error:
                fail(f"{file}: has a loss that is no number: {error}")
    if not epochs:
        fail(
            f'{file}: has no line like c_loss:"0.5",d_loss:"0.5" with save_sample:... behind it'
        )
    numbers_ = [x[0] for x in epochs]
    if any(b <= a for a, b in zip(numbers_, numbers_[1:], strict=False)):
        fail(
            f"{file}: has more than one run: epoch {max(numbers_)} is followed by an earlier one"
        )
    return epochs


def compare_logs(first, second):
    """Compare the losses printed in two console logs, epoch by epoch; returns the status."""
    a, b = ({x[0]: x[1:] for x in read_log(file)} for file in (first, second))
    both = sorted(a.keys() & b.keys())
    print(
        f"{'epoch':>5}  {'c_loss 1':>12} {'c_loss 2':>12}  {'d_loss 1':>12} {'d_loss 2':>12}"
    )
    wrong = 0
    for e in both:
        print(f"{e:5}  {a[e][0]:12f} {b[e][0]:12f}  {a[e][1]:12f} {b[e][1]:12f}")
        x = np.abs(np.subtract(a[e], b[e]))
        x[np.isclose(a[e], b[e], rtol=0, atol=1.5e-6, equal_nan=True)] = (
            0  # the last digit
        )
        wrong = wrong or (e if x.any() else 0)
    if wrong:
        print(
            f"different: from epoch {wrong} on. gan_adam's printed losses part by rounding alone "
            "after 700 to 1000 steps; record_run.m and record_from.m tell whether it is that"
        )
        return 1
    if not both or a.keys() != b.keys():
        print(
            f"equal in the {len(both)} epochs that are in both: {first} has {len(a)}, "
            f"{second} has {len(b)}"
        )
        return 3
    print(f"equal: {len(both)} epochs, to the last digit printed")
    return 0


# ---------------------------------------------------------------------------------- the plot


def plot(record, run, losses, loss_limit, here, file):
    """Draw the losses of both, and their difference beside what rounding may make of it: a PNG."""
    try:
        import matplotlib
    except ImportError:
        fail("--plot needs matplotlib: python -m pip install matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = np.arange(1, loss_limit.size + 1)
    figure, (top, bottom) = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True)
    for name, (light, dark) in COLOURS.items():
        style = {"marker": "."} if steps.size == 1 else {}
        top.plot(
            steps,
            record["losses"][name][: steps.size],
            color=light,
            linewidth=4,
            **style,
        )
        top.plot(
            steps, run["losses"][name][: steps.size], color=dark, linewidth=1, **style
        )
        bottom.semilogy(
            steps, np.clip(losses[name], 1e-17, 1), color=dark, label=name, **style
        )
    bottom.semilogy(
        steps, np.clip(loss_limit, 1e-17, 1), color="black", label="rounding, at most"
    )
    names = [f"{k} {x}" for k in COLOURS for x in (record["who"], here)]
    top.legend(top.lines, names, ncols=2, fontsize="small")
    bottom.legend(fontsize="small")
    bottom.set(xlabel="step", ylabel="relative difference", ylim=(1e-17, 2))
    top.set(ylabel="loss", title=f"{record['script']}: {record['producer']} and {here}")
    figure.tight_layout()
    try:
        figure.savefig(file, format="png", dpi=100)
    except OSError as error:
        fail(f"--plot {file}: cannot be written ({error.strerror})")
    pyplot.close(figure)


# ---------------------------------------------------------------------------------- the program


def options(argv=None):
    """Read the command line; fails unless it names exactly one thing to compare."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], allow_abbrev=False
    )
    parser.error = fail
    add = parser.add_argument
    add(
        "record",
        nargs="?",
        metavar="RECORD.mat",
        help="from record_run.m or record_from.m",
    )
    add(
        "--from",
        dest="start",
        metavar="CHECKPOINT.mat",
        help="where record_from.m began",
    )
    add(
        "--checkpoint",
        metavar="RUN.mat",
        help="a finished run of the port, instead of a new one",
    )
    add(
        "--plot",
        metavar="FILE.png",
        help="draw the losses and their difference (matplotlib)",
    )
    add("--pictures", nargs=2, metavar="DIR", help="compare two folders of pictures")
    add("--logs", nargs=2, metavar="FILE", help="compare two console logs")
    opt = parser.parse_args(argv)
    if sum(x is not None for x in (opt.record, opt.pictures, opt.logs)) != 1:
        fail("give one of: RECORD.mat, --pictures DIR1 DIR2, --logs FILE1 FILE2")
    if opt.record is None and (opt.checkpoint or opt.plot or opt.start):
        fail("--from, --checkpoint and --plot need RECORD.mat")
    if opt.checkpoint and opt.start:
        fail("give --from or --checkpoint, not both")
    if opt.plot and not os.path.isdir(os.path.dirname(opt.plot) or "."):
        fail(f"--plot {opt.plot}: its folder is missing")
    return opt


def main(argv=None):
    """The program, with the words of the command line; returns its exit status."""
    opt = options(argv)
    if opt.pictures:
        return compare_pictures(*opt.pictures)
    if opt.logs:
        return compare_logs(*opt.logs)
    return compare_record(opt)


if __name__ == "__main__":
    sys.path.insert(0, ROOT)
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
