"""Compare what MATLAB (or Octave) computed with what gan_adam.py or gan_mbgd.py computes.

    python tests/matlab/compare_matlab.py RECORD.mat [--checkpoint RUN.mat] [--plot FILE.png]
    python tests/matlab/compare_matlab.py --pictures DIR1 DIR2
    python tests/matlab/compare_matlab.py --logs FILE1 FILE2

RECORD.mat comes from tests/matlab/record_run.m. Without --checkpoint the script is run first, with
the record's settings. Exit status: 0 equal to rounding, 1 different, 2 bad input.

Equal means: losses within 1e-9 (relative) at every step, and weights within 1e-9. gan_adam is
chaotic: rounding errors of 1e-16 stay small for some 200 steps, then grow about tenfold every 40.
So its long runs need to stay below ENVELOPE only.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.io import loadmat

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLOSE = 1e-9  # the limit for losses (relative) and for weights
ENVELOPE = (1e-12, 200, 50)  # gan_adam: the limit so many steps long, then x10 every 50 steps
WEIGHTS_FACTOR = 1000  # gan_adam: weights may differ by so many times the limit of the last step
PICTURE = 1  # grey levels that the rounding to uint8 may make of any difference
SETTINGS = ("seed", "epoch", "images_num", "batch_size", "learning_rate")
SIZES = {"generator": (100, 512, 784), "discriminator": (784, 512, 1)}
MARKS = (1, 50, 200, 600, 1000)  # steps up to which the largest difference is told
COLOURS = {"c_loss": ((242, 169, 140), (192, 57, 18)), "d_loss": ((142, 187, 232), (17, 85, 160))}


def fail(message):
    """End the program with `message` as its one line on standard error, status 2."""
    print(f"{os.path.basename(__file__)}: {message}".replace("\n", " "), file=sys.stderr)
    raise SystemExit(2)


# ------------------------------------------------------------------------ records and checkpoints


def load(file):
    """The variables of the .mat `file` as a dict, structs as dicts; fails on anything else."""
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if f.read(10) in (b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n\0\0"):
                fail(f"{file}: is a v7.3 file; save it with '-v7'")
            return loadmat(f, simplify_cells=True)
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror})")
    except Exception:  # scipy raises almost anything on a damaged file
        fail(f"{file}: is damaged or no .mat file")


def numbers(x, what):
    """`x` as an array of doubles; ValueError when it holds anything but real numbers."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiu":
        raise ValueError(f"{what} holds no real numbers")
    return x.astype(float)


def whole(x, low, what):
    """`x` as an int of at least `low`; else ValueError."""
    x = numbers(x, what)
    if x.size != 1 or not np.isfinite(x).all() or x.item() != int(x.item()) or x.item() < low:
        raise ValueError(f"{what} must be a whole number from {low} on")
    return int(x.item())


def weights(workspace):
    """The w and b of both networks in `workspace`: a dict, 'generator 2 w' -> array.

    Layers count from 1 as in MATLAB, so 2 is the first with weights.
    """
    found = {}
    for net, sizes in SIZES.items():
        layers = workspace[net]["layers"]
        for i in 1, 2:
            for name, rows in ("w", sizes[i - 1]), ("b", 1):
                what = f"{net} {i + 1} {name}"
                x = numbers(layers[i][name], what)
                if x.size != rows * sizes[i]:
                    raise ValueError(f"{what} must be {rows} x {sizes[i]}")
                found[what] = x.reshape(rows, sizes[i])
    return found


def losses(workspace):
    """c_loss and d_loss of every step: a dict of two arrays (steps,)."""
    return {k: np.ravel(numbers(workspace[k], k)) for k in ("c_loss", "d_loss")}


def read_record(file):
    """A file from record_run.m, checked: a dict of settings, script, producer, losses, weights
    images_fake (batch_size, 784) and who (short for the producer). Fails with what is wrong."""
    saved, record = load(file), {}
    try:
        record["script"], record["producer"] = str(saved["script"]), str(saved["producer"])
        record["who"] = "Octave" if "Octave" in record["producer"] else "MATLAB"
        if record["script"] not in ("gan_adam", "gan_mbgd"):
            raise ValueError(f"script must be gan_adam or gan_mbgd, not {record['script']}")
        for name in SETTINGS[:4]:
            record[name] = whole(saved[name], {"seed": 0, "batch_size": 16}.get(name, 1), name)
        if record["seed"] >= 2**32:
            raise ValueError("seed must be below 2^32")
        rate = numbers(saved["learning_rate"], "learning_rate")
        if rate.size != 1 or not 0 < rate.item() < math.inf:
            raise ValueError("learning_rate must be a number above 0")
        record["learning_rate"] = rate.item()
        record["losses"], record["weights"] = losses(saved), weights(saved)
        if record["images_num"] % record["batch_size"]:
            raise ValueError("images_num is no multiple of batch_size")
        steps = record["epoch"] * record["images_num"] // record["batch_size"]
        for name, x in record["losses"].items():
            if x.size != steps:
                raise ValueError(f"{name} must have {steps} entries, one a step, but has {x.size}")
        fake = record["images_fake"] = numbers(saved["images_fake"], "images_fake")
        if fake.shape != (record["batch_size"], 784):
            raise ValueError(f"images_fake must be {record['batch_size']} x 784")
    except KeyError as error:
        fail(f"{file}: is no record of record_run.m: {error.args[0]} is missing")
    except (LookupError, TypeError, ValueError) as error:
        fail(f"{file}: is no record of record_run.m: {error}")
    return record


def read_checkpoint(file):
    """A checkpoint of a script: a dict of settings, script, losses and weights. Fails as above."""
    saved, run = load(file), {}
    try:
        run["losses"], run["weights"] = losses(saved), weights(saved)
        run["script"] = "gan_adam" if "t" in saved["generator"] else "gan_mbgd"
        for name in SETTINGS:
            run[name] = numbers(saved["e" if name == "epoch" else name], name).item()
        run["precision"], run["gradient"] = str(saved["precision"]), str(saved["gradient"])
    except KeyError as error:
        fail(f"{file}: is no checkpoint: {error.args[0]} is missing")
    except (LookupError, TypeError, ValueError) as error:
        fail(f"{file}: is no checkpoint: {error}")
    return run


def run_script(record, folder):
    """Run the record's script with the record's settings; returns what read_checkpoint() does.

    The checkpoint and the pictures go to `folder`. Where the script fails, so does this; the
    script's own line on standard error says why.
    """
    checkpoint = os.path.join(folder, "run.mat")
    command = [sys.executable, os.path.join(ROOT, record["script"] + ".py")]
    for name in SETTINGS:
        command += ["--" + name.replace("_", "-"), repr(record[name])]
    command += ["--checkpoint", checkpoint, "--pics", folder]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(2)
    return read_checkpoint(checkpoint)


# ---------------------------------------------------------------------------------- comparing


def parted(a, b, relative):
    """The elementwise difference of two arrays of one shape, 0 where both are the same or NaN.

    Relative to the larger of the two if `relative`; infinite where only one is finite.
    """
    with np.errstate(all="ignore"):
        x = np.abs(a - b)
        if relative:
            x /= np.maximum(np.abs(a), np.abs(b))
    x[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
    x[np.isnan(x)] = np.inf
    return x


def limits(script, steps):
    """How far the losses may part by rounding alone at each of so many steps: (steps,)."""
    if script != "gan_adam":
        return np.full(steps, CLOSE)
    start, calm, tenfold = ENVELOPE
    growth = np.maximum(np.arange(1, steps + 1) - calm, 0) / tenfold
    return start * 10.0 ** np.minimum(growth, 300)


def first_above(x, limit):
    """The first step, from 1 on, at which `x` is above `limit`; 0 if it never is."""
    above = np.flatnonzero(x > limit)
    return int(above[0]) + 1 if above.size else 0


def verdict(record, run, loss, weight, picture):
    """Returns (exit status, sentence) for the differences of the losses at each step (relative),
    of the weights (the largest) and of the picture (grey levels, or None)."""
    names = [*SETTINGS, "script"]
    told = [f"{k} is {record[k]} here and {run[k]} there" for k in names if record[k] != run[k]]
    wanted = {"precision": "double", "gradient": "matlab"}
    told += [f"the run has {k} {run[k]}" for k in wanted if run[k] != wanted[k]]
    if told:
        return 1, f"different: {', '.join(told)}"
    if max(loss.max(), weight) <= CLOSE and (picture or 0) <= PICTURE:
        return 0, "equal to rounding: losses and weights within 1e-9"
    allowed = limits(record["script"], loss.size)
    step = first_above(loss, allowed)
    if step:
        return 1, f"different: the losses of step {step} part by more than rounding can explain"
    most = max(CLOSE, WEIGHTS_FACTOR * allowed[-1] if record["script"] == "gan_adam" else 0)
    if weight > most:
        return (
            1,
            f"different: a weight parts by {weight:.1e}, where rounding gives up to {most:.0e}",
        )
    if most == CLOSE and (picture or 0) > PICTURE:
        return 1, f"different: the picture parts by {picture} grey levels, the weights do not"
    step = first_above(loss, CLOSE)
    after = f"after step {step - 1}" if step else "at the end"
    return 0, (
        f"equal to rounding; Adam's chaos parts the runs {after}: their differences begin at "
        "rounding's size and grow step by step, as those of any two runs with other roundings do"
    )


def grid(images):
    """The script's picture of the first 16 rows of `images` (n, 784), 0..1: (112, 112) uint8."""
    tiles = images[:16].reshape(4, 4, 28, 28)  # row, column, and a tile's own column and row
    grey = np.nan_to_num(tiles.transpose(0, 3, 1, 2).reshape(112, 112) * 255, nan=0).clip(0, 255)
    return np.floor(grey + 0.5).astype(np.uint8)


def read_picture(file):
    """The grey levels of a picture file: (rows, columns) int, 0..255. 16 bits are rounded to 8."""
    try:
        with Image.open(file) as picture:
            if picture.mode.startswith("I"):
                return np.floor(np.asarray(picture).astype(float) / 257 + 0.5).astype(int)
            return np.asarray(picture.convert("L")).astype(int)
    except Exception as error:  # Pillow raises almost anything on a damaged file
        fail(f"{file}: is no picture ({error})")


def compare_record(opt):
    """Print the tables for opt.record, with opt.checkpoint or a new run; returns the status."""
    record = read_record(opt.record)
    picture = None
    with tempfile.TemporaryDirectory() as folder:
        if opt.checkpoint:
            run = read_checkpoint(opt.checkpoint)
        else:
            run = run_script(record, folder)
            batches = record["images_num"] // record["batch_size"]
            ours = read_picture(os.path.join(folder, f"epoch_{record['epoch']}_t_{batches}.png"))
            picture = np.abs(ours - grid(record["images_fake"]))
    steps = min(x.size for x in (*record["losses"].values(), *run["losses"].values()))
    if steps == 0:
        fail(f"{opt.checkpoint}: has no losses")
    theirs, ours = ({k: v[:steps] for k, v in x["losses"].items()} for x in (record, run))
    print(f"{record['script']}: {record['producer']} and Python, " + settings_line(record))
    print_epochs(theirs, ours, record["images_num"] // record["batch_size"], record["who"])
    each = {k: parted(theirs[k], ours[k], True) for k in theirs}
    loss = np.maximum(*each.values())
    for limit in 1e-9, 1e-6:
        print(
            f"losses part by more than {limit:.0e}: "
            + (f"at step {first_above(loss, limit)}" if first_above(loss, limit) else "never")
        )
    marks = [x for x in MARKS if x < steps] + [steps]
    print("largest relative difference of a loss, up to step")
    print("  " + "  ".join(f"{x}: {loss[:x].max():.0e}" for x in marks))
    weight = {k: parted(x, run["weights"][k], False).max() for k, x in record["weights"].items()}
    for name, x in weight.items():
        print(f"largest difference of {name:17} {x:.1e}")
    if picture is None:
        print("pictures: not compared, a checkpoint has none")
    else:
        print(f"last picture: {pixels(picture)}")
    if opt.plot:
        plot(theirs, ours, each, record["who"], record["script"], opt.plot)
    most = None if picture is None else int(picture.max())
    status, sentence = verdict(record, run, loss, max(weight.values()), most)
    print(sentence)
    return status


def settings_line(record):
    """The record's settings in words."""
    return ", ".join(f"{k} {record[k]}" for k in SETTINGS)


def print_epochs(theirs, ours, batches, who):
    """Print what both programs print after each epoch of so many batches; `who` names theirs."""
    heads = f"c_loss {who}", "Python", f"d_loss {who}", "Python"
    print("epoch  {:>14} {:>12}  {:>14} {:>12}".format(*heads))
    for k in range(batches - 1, len(theirs["c_loss"]), batches):
        c, d = ((theirs[x][k], ours[x][k]) for x in ("c_loss", "d_loss"))
        print(f"{k // batches + 1:5}  {c[0]:14f} {c[1]:12f}  {d[0]:14f} {d[1]:12f}")


def pixels(difference):
    """A difference of pictures in words."""
    return (
        f"largest difference {difference.max()} grey levels, "
        f"{np.count_nonzero(difference)} of {difference.size} pixels differ"
    )


def compare_pictures(first, second):
    """Compare the .png files of the same name in two folders; returns the status."""
    names = []
    for folder in first, second:
        try:
            names.append({x for x in os.listdir(folder) if x.lower().endswith(".png")})
        except OSError as error:
            fail(f"{folder}: cannot be read ({error.strerror})")
    both = sorted(names[0] & names[1], key=lambda x: [int(n) for n in re.findall(r"\d+", x)])
    if not both:
        fail(f"{first} and {second}: have no .png file of the same name")
    most = 0
    for name in both:
        a, b = (read_picture(os.path.join(folder, name)) for folder in (first, second))
        if a.shape != b.shape:
            print(f"{name}: sizes differ, {a.shape} and {b.shape}")
            most = math.inf
        else:
            print(f"{name}: {pixels(np.abs(a - b))}")
            most = max(most, int(np.abs(a - b).max()))
    for folder, only in (first, names[0] - names[1]), (second, names[1] - names[0]):
        if only:
            print(f"only in {folder}: {len(only)} pictures, not compared")
    print("equal to rounding" if most <= PICTURE else "different: by more than 1 grey level")
    return int(most > PICTURE)


def read_log(file):
    """The losses that a run printed: (epochs, 2) floats."""
    try:
        with open(file, encoding="utf-8", errors="replace") as f:
            found = re.findall(r'c_loss:"([^"\n]*)",d_loss:"([^"\n]*)"', f.read())
        values = np.array([[float(x) for x in line] for line in found])
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror})")
    except ValueError as error:
        fail(f"{file}: has a loss that is no number: {error}")
    if not len(values):
        fail(f'{file}: has no line like c_loss:"0.5",d_loss:"0.5"')
    return values


def compare_logs(first, second):
    """Compare the losses printed in two console logs, epoch by epoch; returns the status."""
    a, b = read_log(first), read_log(second)
    n = min(len(a), len(b))
    difference = parted(a[:n], b[:n], False)
    print(f"{'epoch':>5}  {'c_loss 1':>12} {'c_loss 2':>12}  {'d_loss 1':>12} {'d_loss 2':>12}")
    for e in range(n):
        print(f"{e + 1:5}  {a[e, 0]:12f} {b[e, 0]:12f}  {a[e, 1]:12f} {b[e, 1]:12f}")
    if len(a) != len(b):
        print(f"only {n} epochs are in both: {first} has {len(a)}, {second} has {len(b)}")
    step = first_above(difference.max(axis=1), 1.5e-6)  # the last digit may round either way
    if not step:
        print("equal to rounding")
        return 0
    print(
        f"different: from epoch {step} on. gan_adam's printed losses part by rounding alone after "
        "700 to 1000 steps; record_run.m tells whether it is that"
    )
    return 1


# ---------------------------------------------------------------------------------- the plot


def plot(theirs, ours, each, who, script, file):
    """Draw the losses of both (top) and their relative difference (bottom): a PNG of 900x600.

    `theirs`, `ours`, `each`: c_loss and d_loss, and their differences, at every step; `who`
    names theirs.
    """
    big = Image.new("RGB", (1800, 1200), "white")  # drawn twice as large, for smooth lines
    draw = ImageDraw.Draw(big)
    steps = len(theirs["c_loss"])
    x = np.arange(1, steps + 1)
    values = np.concatenate([*theirs.values(), *ours.values()])
    values = values[np.isfinite(values)]
    top = nice_ticks(0, float(values.max()) if values.size else 1)
    low, high = -17, 0
    write(draw, 150, 26, f"{script}: losses", 30, "lm")
    write(draw, 150, 646, "their difference, relative (below 1e-17: drawn at 1e-17)", 30, "lm")
    write(draw, 960, 1180, "step", 26, "mm")
    box = (150, 60, 1770, 560)
    axes(draw, box, (1, steps), (0, top[-1]), [(v, f"{v:g}") for v in top])
    for name in COLOURS:
        curve(draw, box, (1, steps), (0, top[-1]), x, theirs[name], COLOURS[name][0], 12)
        curve(draw, box, (1, steps), (0, top[-1]), x, ours[name], COLOURS[name][1], 4)
    pens = [(0, 12, who), (1, 4, "Python")]
    key(draw, 1770, 26, [(f"{k} {w}", COLOURS[k][i], size) for k in COLOURS for i, size, w in pens])
    box = (150, 680, 1770, 1110)
    marks = [(v, f"1e{v}" if v else "1") for v in range(-16, 1, 4)]
    axes(draw, box, (1, steps), (low, high), marks)
    for name in COLOURS:
        y = np.log10(np.clip(each[name], 10.0**low, 1))
        curve(draw, box, (1, steps), (low, high), x, y, COLOURS[name][1], 4)
    key(draw, 1770, 646, [(k, COLOURS[k][1], 4) for k in COLOURS])
    try:
        big.resize((900, 600), Image.Resampling.LANCZOS).save(file, "png")
    except OSError as error:
        fail(f"--plot {file}: cannot be written ({error.strerror})")


def nice_ticks(low, high, count=5):
    """About `count` round numbers from `low` to at least `high`: a list."""
    rough = max(high - low, 1e-12) / count
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= rough * 0.999)
    return [low + i * step for i in range(math.ceil((high - low) / step - 1e-9) + 1)] or [low, 1]


def place(box, xs, ys, x, y):
    """The point of values `x`, `y` in `box`, whose sides are the values `xs`, `ys`."""
    left, top, right, bottom = box
    px = left + (x - xs[0]) / max(xs[1] - xs[0], 1e-300) * (right - left)
    return px, bottom - (y - ys[0]) / max(ys[1] - ys[0], 1e-300) * (bottom - top)


def axes(draw, box, xs, ys, marks):
    """Draw both axes with ticks, labels and grey lines; `marks` are the (value, label) of y."""
    left, top, right, bottom = box
    for value, label in marks:
        y = place(box, xs, ys, xs[0], value)[1]
        draw.line((left, y, right, y), fill=(225, 225, 225), width=2)
        draw.line((left - 10, y, left, y), fill="black", width=2)
        write(draw, left - 18, y, label, 26, "rm")
    ticks = [v for v in nice_ticks(0, xs[1]) if xs[0] <= v <= xs[1] and v == int(v)]
    for value in [xs[0], *(v for v in ticks if v > xs[0] + (xs[1] - xs[0]) / 20)]:
        x = place(box, xs, ys, value, ys[0])[0]
        draw.line((x, bottom, x, bottom + 10), fill="black", width=2)
        write(draw, x, bottom + 28, f"{value:.0f}", 26, "mm")
    draw.line((left, top, left, bottom, right, bottom), fill="black", width=3)


def curve(draw, box, xs, ys, x, y, colour, width):
    """Draw the curve of `x`, `y`, with gaps where y is not finite and a dot for a lone point."""
    points, dot = [], width
    for a, b in [*zip(x, y, strict=True), (x[-1], math.nan)]:
        if np.isfinite(b):
            points.append(place(box, xs, ys, a, float(np.clip(b, *ys))))
        elif points:
            draw.line(points, fill=colour, width=width, joint="curve")
            (p, q) = points[0]
            if len(points) == 1:
                draw.ellipse((p - dot, q - dot, p + dot, q + dot), fill=colour)
            points = []


def key(draw, right, y, entries):
    """Draw the legend in one line that ends at (right, y): entries (text, colour, width)."""
    font = letters(26)
    for text, colour, width in reversed(entries):
        left = right - int(draw.textlength(text, font=font))
        write(draw, left, y, text, 26, "lm")
        draw.line((left - 64, y, left - 14, y), fill=colour, width=width)
        right = left - 100


def write(draw, x, y, text, size, anchor):
    """Write `text` at (x, y); `anchor` as Pillow's: l, m or r, and m for the middle height."""
    font = letters(size)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    x -= left + (right - left) * {"l": 0, "m": 0.5, "r": 1}[anchor[0]]
    draw.text((x, y - (top + bottom) / 2), text, fill="black", font=font)


def letters(size):
    """Pillow's own font in `size` pixels; before Pillow 10.1 it has one small size only."""
    try:
        return ImageFont.load_default(size)
    except (TypeError, ImportError):
        return ImageFont.load_default()


# ---------------------------------------------------------------------------------- the program


def options(argv=None):
    """Read the command line; fails unless it names exactly one thing to compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.error = fail
    parser.add_argument("record", nargs="?", metavar="RECORD.mat", help="from record_run.m")
    parser.add_argument("--checkpoint", metavar="RUN.mat", help="of a finished run, instead of one")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the losses and their difference")
    parser.add_argument(
        "--pictures", nargs=2, metavar="DIR", help="compare two folders of pictures"
    )
    parser.add_argument("--logs", nargs=2, metavar="FILE", help="compare two console logs")
    opt = parser.parse_args(argv)
    if sum(x is not None for x in (opt.record, opt.pictures, opt.logs)) != 1:
        fail("give one of: RECORD.mat, --pictures DIR1 DIR2, --logs FILE1 FILE2")
    if opt.record is None and (opt.checkpoint or opt.plot):
        fail("--checkpoint and --plot need RECORD.mat")
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
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
