"""What compare_matlab.py does with a log and with a folder of pictures.

A log is any text with lines like c_loss:"0.5",d_loss:"0.6". Where it also has lines
like save_sample:./pics/epoch_1_t_1000.png, these say where an epoch ends: the last
losses before them count. Without them, each line of losses is an epoch. Of a folder
only the pictures epoch_*_t_*.png count, whose t is an epoch's last step.

After many steps rounding alone makes the losses and the pictures of two runs different.
From there on nothing is told, and the port is not run so far.
"""

import contextlib
import importlib
import io
import os
import re
import tempfile
from decimal import Decimal

import numpy as np
from checkpoints import fail
from PIL import Image

# Rounding alone may change a printed loss after so many steps. Measured with all 60,000
# images, batches of 60, seed 0: gan_adam after some 800 steps, gan_mbgd after some 5500
STEPS_BEFORE_ROUNDING = {"gan_adam": 700, "gan_mbgd": 5000}
DECIMALS = 7  # of a loss count: what comes after them rounding may change
ALL_DECIMALS = 17  # of a loss of the port, where it runs here
GREY_LEVELS = 1  # by so much rounding may change a pixel
LOSSES = r'c_loss:"([^"\n]*)",d_loss:"([^"\n]*)"'
NUMBER = r"[-+]?([0-9]+\.?[0-9]*(e[-+]?[0-9]{1,3})?|nan|inf)"
PICTURE = r"epoch_([1-9][0-9]*)_t_([1-9][0-9]*)\.png"


def compare(opt):
    """Compare opt.thing with opt.ours, or with a run of the port; the exit status."""
    if not opt.script:
        fail(f"{opt.thing}: does not say which script made it; give --script")
    gan = importlib.import_module(opt.script)
    flags = port_flags(gan, opt)
    steps = flags.images_num // flags.batch_size  # of an epoch
    last_told = STEPS_BEFORE_ROUNDING[opt.script] // steps  # the last such epoch
    is_folder = os.path.isdir(opt.thing)
    read = read_folder if is_folder else read_log
    differences = differences_of_pictures if is_folder else differences_of_losses
    theirs = read(opt.thing, steps)
    with tempfile.TemporaryDirectory() as folder:
        ours = opt.ours
        if not ours:
            if min(theirs) > last_told:
                nothing_told(opt, min(theirs) * steps)
            flags.epoch = min(last_told, max(theirs))
            log = run_port(gan, flags, folder)
            ours = folder if is_folder else log
        ours = read(ours, steps)
        if not theirs.keys() & ours.keys():
            fail(f"{opt.thing} and {opt.ours}: have no epoch in common")
        wrong, how = differences(theirs, ours)
    return verdict(opt, theirs, ours, wrong, how, steps)


def verdict(opt, theirs, ours, wrong, how, steps):
    """Print the verdict; returns the exit status.

    theirs, ours: dicts, of which the epochs are the keys. wrong: the first epoch that
    differs, or None. how: words that say how equal the others are.
    """
    limit = STEPS_BEFORE_ROUNDING[opt.script]
    if wrong and wrong * steps <= limit:
        step = wrong * steps
        if wrong == min(theirs):
            print("are seed, images_num, batch_size, learning_rate those of the run?")
        print(f"different: from epoch {wrong} (step {step}) on, too early for rounding")
        return 1
    both = theirs.keys() & ours.keys()
    if not wrong and theirs.keys() == ours.keys():
        print(f"equal: {len(both)} epochs, {how}")
        return 0
    last = max([e for e in both if not wrong or e < wrong], default=None)
    if last is None:
        nothing_told(opt, wrong * steps)
    only_one = sorted(theirs.keys() ^ ours.keys())
    missing = min(only_one, default=wrong)
    if (wrong or missing) * steps > limit:
        why = f"in {opt.script} rounding may decide after some {limit} steps"
    else:
        which = ", ".join(map(str, only_one[:9]))
        why = f"only in one of both: epoch {which}"
    print(f"equal up to epoch {last}, {how}; {why}")
    return 3


def nothing_told(opt, step):
    """End the program where rounding may decide before the first step that is known."""
    limit = STEPS_BEFORE_ROUNDING[opt.script]
    fail(
        f"{opt.thing}: nothing can be told: it begins with step {step}, and in "
        f"{opt.script} rounding may decide after some {limit}. Let MATLAB record each "
        "step instead: addpath tests/matlab; "
        f"record_run('{opt.script}.m', 'record.mat', {opt.seed or 0}, 2, 6000)"
    )


# --------------------------------------------------------------------------- the port


def port_flags(gan, opt):
    """The script's own options, a Namespace; what is wrong in them takes one line."""
    names = ("data", "images_num", "batch_size", "seed", "learning_rate")
    given = {name: vars(opt)[name] for name in names if vars(opt)[name] is not None}
    flags = [f"--{name.replace('_', '-')}={x}" for name, x in given.items()]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return gan.options(flags)
    except SystemExit:
        fail(said.getvalue().splitlines()[-1])


def run_port(gan, flags, folder):
    """Run the script into `folder`, its pictures too; returns the path of its log.

    There the losses have all their digits.
    """
    print(f"running {gan.__name__}.py: {flags.epoch} epochs", flush=True)
    flags.pics = folder
    log = os.path.join(folder, "port.log")
    format_f = gan.format_f
    gan.format_f = lambda x: f"{x:.{ALL_DECIMALS}f}"
    try:
        with open(log, "w", encoding="utf-8", errors="backslashreplace") as f:
            with contextlib.redirect_stdout(f):
                gan.main(flags)
    finally:
        gan.format_f = format_f
    return log


# --------------------------------------------------------------------------------- logs


def read_log(file, steps):
    """The losses printed at the end of each epoch: epoch -> [c_loss, d_loss], Decimals.

    steps: how many an epoch has.
    """
    epochs = {}
    printed = []
    losses = None  # the last ones since the last picture
    last_picture = (0, 0)
    for found in re.finditer(f"{LOSSES}|{PICTURE}", read_text(file)):
        if found[1] is not None:
            words = found.group(1, 2)
            if not all(re.fullmatch(NUMBER, word, re.IGNORECASE) for word in words):
                fail(f"{file}: has losses that are not two numbers: {found[0]}")
            losses = [Decimal(word) for word in words]
            printed.append(losses)
            continue
        epoch, t = int(found[3]), int(found[4])
        if (epoch, t) <= last_picture:
            after = f"{found[0]} after epoch_{last_picture[0]}"
            fail(f"{file}: has more than one run: {after}; keep one of them")
        if t == steps and losses is None:
            fail(f"{file}: must have the losses of an epoch before {found[0]}")
        if t == steps:
            epochs[epoch] = losses
        losses = None
        last_picture = (epoch, t)
    if not printed:
        fail(f'{file}: is no log with lines like c_loss:"0.5",d_loss:"0.6"')
    if last_picture == (0, 0):
        return dict(enumerate(printed, 1))
    if len(printed) > len(epochs):
        others = len(printed) - len(epochs)
        print(f"{file}: {others} losses left out, not the last before a picture")
    return epochs or no_such_pictures(file, steps)


def read_text(file):
    """The text of a file in UTF-8, or in UTF-16 as PowerShell's > writes it."""
    with open(file, "rb") as f:
        content = f.read()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    if b"c\0_\0l\0o\0s\0s" in content:
        return content.decode("utf-16-le", "replace")
    return content.decode("utf-8", "replace")


def differences_of_losses(theirs, ours):
    """Print both runs' losses; the first epoch that differs, or None, and how equal."""
    row = "{:>5}  {:>14} {:>12}  {:>14} {:>12}"
    print(row.format("epoch", "c_loss, theirs", "ours", "d_loss, theirs", "ours"))
    how = "to the last digit printed"
    wrong = None
    for epoch in sorted(theirs.keys() & ours.keys()):
        pairs = list(zip(theirs[epoch], ours[epoch], strict=True))
        print(row.format(epoch, *[word for pair in pairs for word in words(*pair)]))
        if not all(same_number(*pair) for pair in pairs):
            wrong = wrong or epoch
        elif not wrong and not all(same_digits(*pair) for pair in pairs):
            how = "as far as the digits tell"
    return wrong, how


def words(a, b):
    """The numbers a and b as words, b with no more digits than a."""
    return str(a), str(b if not_finite(a, b) else b.quantize(max(last(a), last(b))))


def same_number(a, b):
    """Whether a and b may be one number, as far as the digits of both tell."""
    if not_finite(a, b):
        return str(a) == str(b)
    digits = [-x.as_tuple().exponent for x in (a, b)]
    if digits[0] == digits[1] < DECIMALS:
        return a == b  # both were rounded alike
    return abs(a - b) <= (last(a) + last(b)) / 2


def same_digits(a, b):
    """Whether a and b have the same digits, b rounded as a if it has all of them."""
    if a.is_finite() and b.as_tuple().exponent == -ALL_DECIMALS:
        return abs(a - b) <= last(a) / 2
    return str(a) == str(b)


def not_finite(a, b):
    """Whether a or b is NaN or infinite."""
    return not (a.is_finite() and b.is_finite())


def last(x):
    """What 1 in the last digit of x is worth, of those that count."""
    return Decimal(10) ** max(x.as_tuple().exponent, -DECIMALS)


# ----------------------------------------------------------------------------- pictures


def read_folder(folder, steps):
    """The pictures of each epoch's end, by their names: epoch -> path.

    steps: how many an epoch has.
    """
    epochs = {}
    for name in os.listdir(folder):
        found = re.fullmatch(PICTURE, name)
        if found and int(found[2]) == steps:
            epochs[int(found[1])] = os.path.join(folder, name)
    return epochs or no_such_pictures(folder, steps)


def no_such_pictures(place, steps):
    """End the program where no epoch ends with the steps that the flags say."""
    hint = "where an epoch has other steps, give --images-num and --batch-size"
    fail(f"{place}: has no epoch_*_t_{steps}.png; {hint}")


def differences_of_pictures(theirs, ours):
    """Print how far apart; the first epoch that differs, or None, and how equal."""
    wrong = None
    for epoch in sorted(theirs.keys() & ours.keys()):
        a, b = read_picture(theirs[epoch]), read_picture(ours[epoch])
        if a.shape != b.shape:
            sizes = " and ".join(f"{x.shape[1]} x {x.shape[0]}" for x in (a, b))
            fail(f"{theirs[epoch]}: cannot be compared, the sizes are {sizes}")
        difference = np.abs(a - b)
        largest = difference.max()
        count = np.count_nonzero(difference)
        print(f"epoch {epoch}: {count} pixels differ, by {largest} grey levels at most")
        if largest > GREY_LEVELS:
            wrong = wrong or epoch
    return wrong, f"within the {GREY_LEVELS} grey level that rounding may make"


def read_picture(file):
    """The grey levels of a picture file: (rows, columns) int, 0..255.

    16 bits are rounded to 8.
    """
    try:
        with Image.open(file) as picture:
            if picture.mode.startswith("I"):
                levels = np.asarray(picture).astype(float) / 257
                return np.floor(levels + 0.5).astype(int)
            return np.asarray(picture.convert("L")).astype(int)
    except Exception:  # Pillow raises almost anything on a damaged file
        fail(f"{file}: is not a picture that can be read")
