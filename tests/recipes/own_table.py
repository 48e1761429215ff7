"""Learn a table of numbers with the GAN of gan_adam.py, and write new, fake rows.

The table: a text file, a row a line, the numbers with commas, semicolons, tabs or
spaces between them; a first line without numbers is the header. In a file with ; or
tabs 1,5 is read as 1.5. From MATLAB: writematrix(x, "table.csv"). A cell that is not a
number, or is missing, ends the program in one line that names its row and column.

    python tests/recipes/own_table.py table.csv --out fake.csv --plot fake.png

The columns are scaled to 0..1, the networks are 20-128-columns and columns-128-1, and
the fake rows are scaled back. They have the header and the separator of the table. Each
number has as many digits after the point as its column has, so columns of whole numbers
stay whole. A constant column stays as it is. But for rounding, no fake number lies
outside of the column's minimum and maximum (with --scale max: of 0 and the maximum).

The loop is the one of gan_adam.py, with three changes: beta1 is 0.5 in Adam (the
original has 0.9, with which wine below is 51 % off); the fake rows come from the
average of the generator's weights over some 2000 steps (--average 1: the last weights,
as in the original); and the gradient is the right one (--gradient matlab puts the
original's bug back; iris and wine came out as well with it).

For settings as in many copies of the MATLAB script (all rows as one batch, noise in
0..1, columns divided by their maximum, small layers), which end in mode collapse on
the three tables below (in one line):

    python tests/recipes/own_table.py table.csv --batch-size all --noise-from 0
        --scale max --noise-size 5 --hidden 15

With the default settings, seeds 0, 1 and 2, on three tables that scikit-learn has; it
takes 10 to 20 seconds on one core. "Off" is by how much the fake rows are farthest off
in any column: means as a part of the scale 0..1, deviations, correlations. "Near" is
the share of real rows that have a fake row near them, see covered().

    table          rows  columns   mean off       deviation off  correlation off  near
    iris            150        4   0.01 to 0.05    -6 to  -9 %   0.09 to 0.12   76..91 %
    wine            178       13   0.02 to 0.03   -12 to -17 %   0.17 to 0.25      99 %
    breast cancer   569       30   0.01           -19 to -31 %   0.18 to 0.21   98..99 %

So the fake rows vary somewhat less than the real ones, most of all in columns with a
few large numbers. With --noise-from 0 alone all three end in mode collapse (seed 0).
"""

import argparse
import copy
import csv
import math
import os
import sys
import time

import numpy as np
from PIL import Image, ImageDraw

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

import gan_adam as gan

csv.field_size_limit(2**31 - 1)  # a longer cell would be an error of its own


def main(opt):
    """Read the table, train, write the fake rows, compare them with the real ones."""
    table = read_table(opt.table)
    real, low, span = scale(table["numbers"], opt.scale)
    generator = train(real, opt)
    rows = max(opt.rows or len(real), len(real))  # as many as real ones, to compare
    noise = gan.unifrnd(opt.noise_from, 1, rows, opt.noise_size)
    generator = gan.nnff(generator, noise)
    fake = generator["layers"][-1]["a"]  # (rows, columns that vary), in 0..1
    if not np.isfinite(fake).all():
        fail("the training ran away to infinity; try lower learning rates", 1)
    numbers = np.repeat(table["numbers"][:1], rows, axis=0)  # of constant columns
    varies = span > 0
    numbers[:, varies] = low[varies] + span[varies] * fake
    compare(table, numbers, real, fake, varies)
    if opt.plot:
        draw(opt.plot, real, fake)
    write_table(opt.out, table, numbers[: opt.rows or len(real)])


def train(real, opt):
    """Train on the rows `real` (rows, columns), in 0..1; returns the mean generator."""
    rows, columns = real.shape
    batch_size = rows if opt.batch_size == "all" else min(int(opt.batch_size), rows)
    batch_num = rows // batch_size  # the rows left over have their turn another time
    gan.rng(opt.seed)
    generator = gan.nnsetup([opt.noise_size, opt.hidden, columns])
    discriminator = gan.nnsetup([columns, opt.hidden, 1])
    generator["beta1"] = opt.beta1
    discriminator["beta1"] = opt.beta1
    average = copy.deepcopy(generator)
    delta = gan.delta_exact
    if opt.gradient == "matlab":
        delta = gan.delta_sigmoid_cross_entropy
    ones = np.ones((batch_size, 1))
    labels = np.concatenate([0 * ones, ones])  # fake rows, then real ones
    begun = time.monotonic()
    shown = begun
    for step in range(1, opt.steps + 1):
        t = (step - 1) % batch_num
        if t == 0:
            kk = gan.randperm(rows) - 1
        rows_real = real[kk[t * batch_size : (t + 1) * batch_size]]
        noise = gan.unifrnd(opt.noise_from, 1, batch_size, opt.noise_size)
        # update the generator, the discriminator stays fixed
        generator = gan.nnff(generator, noise)
        discriminator = gan.nnff(discriminator, generator["layers"][-1]["a"])
        logits_fake = discriminator["layers"][-1]["z"]
        discriminator = gan.nnbp_d(
            discriminator, logits_fake, ones, delta, derivatives=False
        )
        generator = gan.nnbp_g(generator, discriminator)
        generator = gan.nnapplygrade(generator, opt.rate_generator)
        # update the discriminator, the generator stays fixed
        generator = gan.nnff(generator, noise)
        both = np.concatenate([generator["layers"][-1]["a"], rows_real])
        discriminator = gan.nnff(discriminator, both)
        logits = discriminator["layers"][-1]["z"]
        discriminator = gan.nnbp_d(discriminator, logits, labels, delta)
        discriminator = gan.nnapplygrade(discriminator, opt.rate_discriminator)
        # the average follows the generator; at first faster, to forget the start
        share = min(1, max(1 / opt.average, 10 / (step + 10)))
        for mean, layer in zip(average["layers"], generator["layers"], strict=True):
            if "w" in mean:  # the input layer has no weights
                mean["w"] += share * (layer["w"] - mean["w"])
                mean["b"] += share * (layer["b"] - mean["b"])
        if sys.stderr.isatty() and time.monotonic() > shown + 0.3:
            shown = time.monotonic()
            left = round((shown - begun) / step * (opt.steps - step))
            loss = gan.sigmoid_cross_entropy(logits, labels)
            line = f"step {step}/{opt.steps} d_loss {loss:.3f} {left} s left"
            print(f"\r{line:60}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(f"\r{'':60}", end="\r", file=sys.stderr, flush=True)
    return average


def read_table(path):
    """The table: its header (a line or None), separator, names, numbers and digits."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as f:
        text = f.read()  # letters of another encoding are written as they were read
    if "\0" in text or not text.strip():
        fail(f"{path}: is empty or not a text file (an Excel table: save it as CSV)")
    lines = text.split("\n")
    first = next(line for line in lines if line.strip())
    separator = next((x for x in ";\t," if x in first), " ")
    header = None
    names = None
    decimal_comma = False
    rows = []
    for i, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = split_line(line, separator)
        if names is None:
            names = [f"column {j}" for j in range(1, len(cells) + 1)]
            if not any(is_number(x.replace(",", ".")) for x in cells):
                header = line
                names = cells
                continue
        if separator in ";\t" and any("," in x for x in cells):
            decimal_comma = True
            cells = [x.replace(",", ".") for x in cells]
        if len(cells) != len(names):
            fail(f"{path}: line {i} has {len(cells)} cells, the first {len(names)}")
        for j, cell in enumerate(cells, 1):
            if not is_number(cell) or not math.isfinite(float(cell)):
                what = f"is {cell!r}, not a number" if cell else "is empty"
                fail(f"{path}: line {i} (row {len(rows) + 1}), column {j} {what}")
        rows.append(cells)
    if len(rows) < 2:
        fail(f"{path}: has {len(rows)} rows of numbers; at least 2 are needed")
    numbers = np.array(rows, float)
    span = np.ptp(numbers, axis=0)
    if not span.any() or not np.isfinite(span).all():
        fail(f"{path}: all columns are constant, or the numbers are too large")
    return {
        "header": header,
        "separator": separator,
        "decimal_comma": decimal_comma,
        "names": names,
        "numbers": numbers,
        "digits": [digits_of(list(x)) for x in zip(*rows, strict=True)],
    }


def split_line(line, separator):
    """The cells of a line of text; in a CSV file they may stand in quotes."""
    if separator == " ":
        return line.split()
    return [x.strip() for x in next(csv.reader([line], delimiter=separator))]


def is_number(cell):
    """Whether the text `cell` is a number."""
    try:
        float(cell)
        return True
    except ValueError:
        return False


def digits_of(cells):
    """How many digits after the point the fake numbers of a column get: as its cells.

    But no digits much finer than a millionth of the column's span.
    """
    digits = max(digits_after_point(x) for x in cells)
    span = np.ptp(np.array(cells, float))
    if span > 0:
        digits = min(digits, max(0, 6 - math.floor(math.log10(span))))
    return digits


def digits_after_point(cell):
    """How many digits the text `cell` has after its point: 2 in 1.25, 4 in 1.25e-2."""
    number, _, exponent = cell.lower().partition("e")
    return max(0, len(number.partition(".")[2]) - int(exponent or 0))


def scale(numbers, how):
    """The columns that vary, in 0..1 (x); low and span of all: low + span * x.

    span is 0 for a constant column.
    """
    low = numbers.min(axis=0)
    span = np.ptp(numbers, axis=0)
    if how == "max":
        below = np.flatnonzero((span > 0) & (low < 0))
        if below.size:
            column = below[0] + 1
            fail(f"column {column} has numbers below 0; use --scale minmax")
        low = np.zeros(len(span))
        span[span > 0] = numbers.max(axis=0)[span > 0]
    varies = span > 0
    return (numbers - low)[:, varies] / span[varies], low, span


def write_table(path, table, numbers):
    """Write `numbers` with the header, the separator and the digits of the table."""
    lines = [] if table["header"] is None else [table["header"]]
    for row in numbers:
        cells = [f"{x:.{n}f}" for x, n in zip(row, table["digits"], strict=True)]
        if table["decimal_comma"]:
            cells = [x.replace(".", ",") for x in cells]
        lines.append(table["separator"].join(cells))
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
        f.write("\n".join(lines) + "\n")
    print(f"{path}: {len(numbers)} fake rows")


def compare(table, numbers, real, fake, varies):
    """Print how well fake and real rows agree, column by column and at worst."""
    print(f"{'':24}{'mean':>10}{'':>10}{'deviation':>13}\n{'column':24}", end="")
    print(f"{'real':>10}{'fake':>10}{'real':>13}{'fake':>10}")
    for j, name in enumerate(table["names"]):
        columns = table["numbers"][:, j], numbers[:, j]
        means = [f"{x.mean():10.4g}" for x in columns]
        deviations = [f"{x.std():10.4g}" for x in columns]
        print(f"{name[:23]:24}{''.join(means)}   {''.join(deviations)}")
    names = [table["names"][j] for j in np.flatnonzero(varies)]
    apart = np.abs(fake.mean(axis=0) - real.mean(axis=0))
    j = apart.argmax()
    print("farthest apart are")
    print(f"  means: {apart[j]:.3f} of the scale, in {names[j]}")
    ratios = fake.std(axis=0) / real.std(axis=0)
    j = np.abs(ratios - 1).argmax()
    print(f"  deviations: {100 * ratios[j] - 100:+.0f} %, in {names[j]}")
    if len(names) > 1:
        r_real = correlations(real)
        r_fake = correlations(fake)
        apart = np.abs(r_fake - r_real)
        i, j = np.unravel_index(apart.argmax(), apart.shape)
        values = f"real {r_real[i, j]:.2f}, fake {r_fake[i, j]:.2f}"
        print(f"  correlations: {apart[i, j]:.2f}, of {names[i]}, {names[j]}: {values}")
    near = 100 * covered(real, fake)
    print(f"real rows with a fake row near them: {near:.0f} % (good: above 80 %)")
    spread = 100 * math.sqrt(fake.var(axis=0).sum() / real.var(axis=0).sum())
    print(f"spread of fake rows: {spread:.0f} % of the real ones' (good: 80..120 %)")
    if near < 50 or spread < 50 or ratios.min() < 0.3:
        print("MODE COLLAPSE: fake rows are too much alike; try the default settings,")
        print("another --seed, more --steps, a larger --hidden or --noise-size")


def correlations(rows):
    """The correlations of the columns; 0 for a column that does not vary."""
    return np.nan_to_num(np.corrcoef(rows.T))


def covered(real, fake):
    """The share of real rows that have a fake row near them; low in a mode collapse.

    Near is as near as the fifth real row, or 5 % of the scale. At most 1000 rows count.
    """
    real = real[:: math.ceil(len(real) / 1000)]
    fake = fake[: len(real)]
    found = 0
    for row in real:
        to_real = np.sqrt(((real - row) ** 2).sum(axis=1))
        to_fake = np.sqrt(((fake - row) ** 2).sum(axis=1))
        fifth = np.sort(to_real)[:6][-1]  # the first is the row itself
        found += to_fake.min() <= max(fifth, 0.05 * math.sqrt(len(row)))
    return found / len(real)


def draw(path, real, fake):
    """Draw each column's real (black) and fake (red) numbers, and both correlations."""
    columns = real.shape[1]
    picture = Image.new("RGB", (max(48 * columns, 500), 650), "white")
    pen = ImageDraw.Draw(picture)
    for rows, colour, left in ((real, "black", 4), (fake, "red", 26)):
        for i, row in enumerate(rows[:1000]):
            for j, value in enumerate(row):
                x = 48 * j + left + 7 * i % 18  # side by side, so that dots show
                y = 400 - 380 * value
                pen.rectangle((x, y, x + 1, y + 1), colour)
    text = (
        "above: columns in 0..1, real black, fake red; below: correlations, real, fake"
    )
    pen.text((4, 412), text, "black")
    for left, rows in ((4, real), (224, fake)):
        grey = 127.5 * (correlations(rows).reshape(columns, columns) + 1)
        square = Image.fromarray(grey.astype(np.uint8))
        picture.paste(square.resize((210, 210), Image.NEAREST), (left, 430))
    picture.save(path)
    print(f"{path}: real and fake columns")


def options(argv=None):
    """The flags, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.error = lambda message: fail(f"{message}; see --help")
    add = parser.add_argument

    def flag(name, default, metavar, text):
        text = f"{text} (default {default})"
        add(name, type=type(default), default=default, metavar=metavar, help=text)

    add("table", metavar="TABLE", help="the real rows, a text file")
    flag("--out", "fake.csv", "FILE", "the fake rows")
    add("--rows", type=int, metavar="N", help="fake rows (default: as many as real)")
    add("--plot", metavar="FILE.png", help="draw real and fake rows")
    add("--force", action="store_true", help="replace --out and --plot if they exist")
    flag("--steps", 20000, "N", "updates of each network")
    flag("--batch-size", "60", "N", "real rows a step, and as many fake ones; or: all")
    flag("--noise-size", 20, "N", "random numbers that make a fake row")
    flag("--noise-from", -1.0, "X", "they lie in X..1; many copies have 0")
    flag("--hidden", 128, "N", "size of both middle layers")
    flag("--rate-generator", 0.001, "X", "learning rate of the generator")
    flag("--rate-discriminator", 0.001, "X", "learning rate of the discriminator")
    flag("--beta1", 0.5, "X", "of Adam; the original has 0.9")
    flag("--average", 2000, "N", "average the generator over so many steps")
    flag("--seed", 0, "N", "another seed, other rows; as MATLAB's rng(N)")
    text = "minmax: columns to 0..1 (default); max: columns divided by their maximum"
    add("--scale", choices=["minmax", "max"], default="minmax", help=text)
    text = "exact: the right one (default); matlab: with the original's bug"
    add("--gradient", choices=["exact", "matlab"], default="exact", help=text)
    opt = parser.parse_args(argv)
    whole = [opt.steps, opt.noise_size, opt.hidden, opt.average]
    if opt.rows is not None:
        whole.append(opt.rows)
    if opt.batch_size != "all":
        if not opt.batch_size.isdecimal():
            fail(f"--batch-size {opt.batch_size}: must be a whole number, or all")
        whole.append(int(opt.batch_size))
    if min(whole) < 1:
        fail("--rows, --steps, --batch-size, sizes and --average must be at least 1")
    if not 0 < min(opt.rate_generator, opt.rate_discriminator):
        fail("--rate-generator and --rate-discriminator must be above 0")
    if not 0 <= opt.beta1 < 1 or not -1e6 <= opt.noise_from < 1:
        fail("--beta1 must be in 0..1, below 1, --noise-from in -1000000..1, below 1")
    if not 0 <= opt.seed < 2**32:
        fail("--seed must be in 0..4294967295")
    if opt.plot and os.path.abspath(opt.plot) == os.path.abspath(opt.out):
        fail("--out and --plot must be two files")
    if opt.plot and not opt.plot.lower().endswith(".png"):
        fail(f"--plot {opt.plot}: must end in .png")
    for path in (opt.out, opt.plot):
        if path and os.path.abspath(path) == os.path.abspath(opt.table):
            fail(f"{path}: is the table itself; name another file")
        if path and os.path.exists(path) and not opt.force:
            fail(f"{path}: already exists; name another file, or give --force")
        if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            fail(f"{path}: its folder does not exist")
    return opt


def fail(message, status=2):
    """End the program with one line on standard error."""
    if sys.stderr.isatty():
        print(f"\r{'':60}", end="\r", file=sys.stderr)  # in the place of the progress
    print(f"own_table: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # not in Jupyter, Spyder or IDLE
        sys.stdout.reconfigure(errors="backslashreplace")  # for letters of any header
    try:
        with np.errstate(all="ignore"):
            main(options())
    except KeyboardInterrupt:
        fail("stopped; nothing was written", 130)
    except MemoryError:
        fail("the memory is too small for this table, --rows or --hidden")
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror}")
