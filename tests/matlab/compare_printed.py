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
from pathlib import Path
from unittest import mock

import numpy as np
from checkpoints import fail
from PIL import Image

SETTINGS = ("seed", "images_num", "batch_size", "learning_rate")  # flags of the scripts
# Rounding alone may change a printed loss after so many steps. Measured with all 60,000
# images, batches of 60, seed 0: gan_adam after some 800 steps, gan_mbgd after some 5500
STEPS_BEFORE_ROUNDING = {"gan_adam": 700, "gan_mbgd": 5000}
DECIMALS = 7  # of a loss count: what comes after them rounding may change
GREY_LEVELS = 1  # by so much rounding may change a pixel
LOSS_LINE = r'c_loss:"([^"\n]*)",d_loss:"([^"\n]*)"'
NUMBER = r"[-+]?([0-9]+\.?[0-9]*(e[-+]?[0-9]{1,3})?|nan|inf)"
PICTURE = r"epoch_([1-9][0-9]*)_t_([1-9][0-9]*)\.png"


def compare(opt):
    """Compare opt.thing with opt.ours, or with a run of the port; the exit status."""
    if not opt.script:
        fail(f"{opt.thing}: is no record (.mat); of which script is it? give --script")
    gan = importlib.import_module(opt.script)
    names = (*SETTINGS, "data")
    given = {x: vars(opt)[x] for x in names if vars(opt)[x] is not None}
    flags = port_options(gan, given)
    steps = flags.images_num // flags.batch_size  # of an epoch
    limit = STEPS_BEFORE_ROUNDING[opt.script]
    last_told = limit // steps  # the last such epoch
    read = read_folder if os.path.isdir(opt.thing) else read_log
    theirs = read(opt.thing, steps)
    if min(theirs) > last_told:
        fail(
            f"{opt.thing}: nothing can be told: it begins with step "
            f"{min(theirs) * steps}, and rounding may decide after some {limit}. Let "
            "MATLAB record each step instead: addpath tests/matlab; "
            f"record_run('{opt.script}.m', 'record.mat', {flags.seed}, 2, 6000)"
        )
    with tempfile.TemporaryDirectory() as folder:
        ours = opt.ours
        if not ours:
            flags.epoch = min(last_told, max(theirs))
            log = run_port(gan, flags, folder)
            ours = log if read is read_log else folder
        return verdict(opt, theirs, read(ours, steps), steps, last_told)


def verdict(opt, theirs, ours, steps, last_told):
    """Compare, and print the verdict; returns the exit status.

    theirs, ours: epoch -> what read_log() or read_folder() found. steps: of an epoch.
    last_told: the last epoch that counts.
    """
    both = [e for e in sorted(theirs.keys() & ours.keys()) if e <= last_told]
    if not both:
        fail(f"{opt.thing} and {opt.ours}: have no epoch in common")
    compare_epochs = compare_pictures if os.path.isdir(opt.thing) else compare_losses
    wrong, how = compare_epochs({e: (theirs[e], ours[e]) for e in both})
    if wrong:
        if wrong == min(theirs):
            print("are seed, images_num, batch_size, learning_rate those of the run?")
        step = f"epoch {wrong} (step {wrong * steps})"
        print(f"different: from {step} on, too early for rounding")
        return 1
    rest = sorted((theirs.keys() | ours.keys()) - set(both))
    if not rest:
        print(f"equal: {len(both)} epochs, {how}")
        return 0
    why = f"only in one of both: epoch {', '.join(map(str, rest[:9]))}"
    if rest[0] > last_told:
        limit = STEPS_BEFORE_ROUNDING[opt.script]
        why = f"in {opt.script} rounding may decide after some {limit} steps"
    print(f"equal up to epoch {both[-1]}, {how}; {why}")
    return 3


# --------------------------------------------------------------------------- the port


def flag(name):
    """The script's flag for a setting: --images-num for images_num."""
    return f"--{name.replace('_', '-')}"


def port_options(gan, settings):
    """The script's own options, a Namespace; what is wrong in them takes one line.

    settings: name -> value, of those that are not the script's own.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return gan.options([f"{flag(name)}={x}" for name, x in settings.items()])
    except SystemExit:
        fail(said.getvalue().splitlines()[-1])


def run_port(gan, flags, folder):
    """Run the script into `folder`, its pictures too; returns the path of its log.

    There the losses have more decimals than count.
    """
    print(f"running {gan.__name__}.py: {flags.epoch} epochs", flush=True)
    flags.pics = folder
    log = os.path.join(folder, "port.log")
    with (
        mock.patch.object(gan, "format_f", "{:.17f}".format),
        open(log, "w", encoding="utf-8", errors="backslashreplace") as f,
        contextlib.redirect_stdout(f),
    ):
        gan.main(flags)
    return log


# --------------------------------------------------------------------------------- logs


def read_log(file, steps):
    """The losses printed at the end of each epoch: epoch -> [c_loss, d_loss], Decimals.

    steps: how many an epoch has.
    """
    text = read_text(file)
    has_pictures = re.search(PICTURE, text)
    epochs = {}
    losses = None  # the last ones since the last picture
    for found in re.finditer(f"{LOSS_LINE}|{PICTURE}", text):
        if found[1] is not None:
            words = found.group(1, 2)
            if not all(re.fullmatch(NUMBER, word, re.IGNORECASE) for word in words):
                fail(f"{file}: has losses that are not two numbers: {found[0]}")
            losses = [Decimal(word) for word in words]
            if not has_pictures:
                epochs[len(epochs) + 1] = losses
            continue
        epoch, t = int(found[3]), int(found[4])
        if t == steps:
            if losses is None:
                fail(f"{file}: must have the losses of an epoch before {found[0]}")
            if epoch <= max(epochs, default=0):
                after = f"{found[0]} after epoch {max(epochs)}"
                fail(f"{file}: has more than one run: {after}; keep one of them")
            epochs[epoch] = losses
        losses = None
    if not epochs and has_pictures:
        no_such_pictures(file, steps)
    if not epochs:
        fail(f'{file}: is no log with lines like c_loss:"0.5",d_loss:"0.6"')
    return epochs


def read_text(file):
    """The text of a file in UTF-8, or in UTF-16 as PowerShell's > writes it."""
    content = Path(file).read_bytes()
    utf_16 = b"c\0_\0l\0o\0s\0s" in content
    return content.decode("utf-16-le" if utf_16 else "utf-8", "replace")


def compare_losses(pairs):
    """Print both runs' losses; the first epoch that differs, or None, and how equal."""
    row = "{:>5}  {:>14} {:>12}  {:>14} {:>12}"
    print(row.format("epoch", "c_loss, theirs", "ours", "d_loss, theirs", "ours"))
    how = "to the last digit that both have"
    wrong = None
    for epoch, (theirs, ours) in pairs.items():
        shown = []
        for a, b in zip(theirs, ours, strict=True):
            unit = max(last_digit(a), last_digit(b))
            both = [f"{x:.{max(0, -unit.adjusted())}f}" for x in (a, b)]
            shown += both
            if not same_number(a, b):
                wrong = wrong or epoch
            elif both[0] != both[1]:
                how = "as far as the digits tell"
        print(row.format(epoch, *shown))
    return wrong, how


def same_number(a, b):
    """Whether a and b may be one number, rounded to the digits that they have.

    So they must be equal where they have as many digits.
    """
    if not (a.is_finite() and b.is_finite()):
        return str(a) == str(b)
    return abs(a - b) < (last_digit(a) + last_digit(b)) / 2


def last_digit(x):
    """What 1 in the last digit of x is worth, of those that count."""
    exponent = x.as_tuple().exponent if x.is_finite() else -DECIMALS
    return Decimal(10) ** max(exponent, -DECIMALS)


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


def compare_pictures(pairs):
    """Print how far apart; the first epoch that differs, or None, and how equal."""
    wrong = None
    for epoch, files in pairs.items():
        a, b = map(read_picture, files)
        if a.shape != b.shape:
            fail(f"{files[0]}: has another size than {files[1]}")
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
                return (np.asarray(picture).astype(int) + 128) // 257
            return np.asarray(picture.convert("L")).astype(int)
    except Exception:  # Pillow raises almost anything on a damaged file
        fail(f"{file}: is not a picture that can be read")
