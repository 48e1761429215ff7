"""Compare what two runs left behind: their pictures, or the losses that they printed.

    python tests/matlab/compare_outputs.py --pictures DIR1 DIR2
    python tests/matlab/compare_outputs.py --logs FILE1 FILE2
    python tests/matlab/compare_outputs.py --logs FILE1 FILE2 --script gan_adam

Each may come from MATLAB, from Octave or from the port. Pictures are compared where
both folders have a file of the same name.

A log is what a run printed: lines like c_loss:"0.5",d_loss:"0.6". Where it has lines
save_sample:./pics/epoch_1_t_1000.png, these say where an epoch ends: the last losses
before them count. Without them, each line of losses is an epoch.

After many steps rounding alone makes the losses and the pictures of two runs different.
How many steps a picture was made after is in its name. Neither pictures nor logs say
which script made them: --script does.

Exit status: 0 equal, 1 different, 2 bad input, 3 equal as far as can be told.
"""

import argparse
import math
import os
import re
import sys

import numpy as np
from PIL import Image

# Rounding alone may change a printed loss after so many steps. Measured with all 60,000
# images, batches of 60, seed 0: gan_adam after some 800 steps, gan_mbgd after some 5500
STEPS_BEFORE_ROUNDING = {"gan_adam": 700, "gan_mbgd": 5000}
STEPS_AN_EPOCH = 1000  # of 60,000 images in batches of 60
LAST_DIGIT = 1.5e-6  # a printed loss may differ by 1 in its sixth decimal


def fail(message):
    """End the program with `message` as its one line on standard error, status 2."""
    line = f"{os.path.basename(__file__)}: {message}".replace("\n", " ")
    print(line, file=sys.stderr)
    raise SystemExit(2)


# ----------------------------------------------------------------------------- pictures


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


def picture_names(folder):
    """The names of the .png files in a folder: a set.

    Not those that begin with ._: macOS leaves such files beside pictures.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        fail(f"{folder}: cannot be read ({error.strerror})")
    return {
        name
        for name in names
        if name.lower().endswith(".png") and not name.startswith("._")
    }


def numbers_in(name):
    """The whole numbers in a file's name, to sort epoch_10 after epoch_9."""
    return [int(digits) for digits in re.findall(r"[0-9]+", name)]


def compare_picture(name, first, second):
    """Print how far apart two folders' pictures `name` are; returns the largest.

    It is infinite where their sizes differ.
    """
    a = read_picture(os.path.join(first, name))
    b = read_picture(os.path.join(second, name))
    if a.shape != b.shape:
        sizes = [f"{x.shape[1]} x {x.shape[0]}" for x in (a, b)]
        print(f"{name}: sizes differ, {sizes[0]} and {sizes[1]} pixels")
        return math.inf
    difference = np.abs(a - b)
    largest = int(difference.max())
    count = np.count_nonzero(difference)
    print(
        f"{name}: largest difference {largest} grey levels, "
        f"{count} of {difference.size} pixels differ"
    )
    return largest


def compare_pictures(first, second, script):
    """Compare the .png files of two folders; returns the exit status."""
    in_first = picture_names(first)
    in_second = picture_names(second)
    both = sorted(in_first & in_second, key=numbers_in)
    if not both:
        fail(f"{first} and {second}: have no .png file of the same name")
    differences = [compare_picture(name, first, second) for name in both]
    if max(differences) > 1:
        status, sentence = verdict_on_pictures(both, differences, script)
        print(sentence)
        return status
    for folder, missing in (
        (first, in_second - in_first),
        (second, in_first - in_second),
    ):
        if missing:
            name = min(missing, key=numbers_in)
            print(f"missing in {folder}: {len(missing)}, {name} the first")
    if in_first != in_second:
        print(f"equal in the {len(both)} pictures that both have; others are missing")
        return 3
    print(
        f"equal: {len(both)} pictures, within the 1 grey level that rounding may make"
    )
    return 0


def verdict_on_pictures(names, differences, script):
    """The exit status and the sentence for pictures of which some are different."""
    equal = []
    for name, difference in zip(names, differences, strict=True):
        match = re.fullmatch(r"epoch_([0-9]+)_t_([0-9]+)\.png", name)
        if difference == math.inf or (difference > 1 and not match):
            return 1, f"different: {name} by more than 1 grey level"
        if difference > 1:
            epoch = int(match[1])
            steps = epoch * int(match[2])  # a picture is of an epoch's last step
            break
        if match:
            equal.append(int(match[1]))
    epoch_before = equal[-1] if equal else None
    return verdict_on_difference(epoch, epoch_before, steps, script)


# --------------------------------------------------------------------------------- logs


def read_text(file):
    """The text of a file in UTF-8, or in UTF-16 as PowerShell's > writes it."""
    try:
        with open(file, "rb") as f:
            content = f.read()
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror})")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    if b"c\0_\0l\0o\0s\0s" in content:
        return content.decode("utf-16-le", "replace")
    return content.decode("utf-8", "replace")


def read_log(file):
    """The losses that a run printed: epoch -> {"losses", "steps"}.

    steps: how many the run had done by then; None where no line says it.
    """
    pattern = r'c_loss:"([^"\n]*)",d_loss:"([^"\n]*)"|epoch_([0-9]+)_t_([0-9]+)\.png'
    losses = None  # the last ones since the last picture
    printed = []
    epochs = {}
    last_picture = (0, 0)
    for found in re.finditer(pattern, read_text(file)):
        c_loss, d_loss = found.group(1, 2)
        if c_loss is not None:
            try:
                losses = [float(c_loss), float(d_loss)]
            except ValueError:
                fail(f"{file}: has losses that are not two numbers: {found[0]}")
            printed.append(losses)
            continue
        epoch, t = map(int, found.group(3, 4))
        if (epoch, t) <= last_picture:
            fail(
                f"{file}: has more than one run: "
                f"epoch {last_picture[0]} is followed by epoch {epoch}"
            )
        last_picture = (epoch, t)
        if losses:
            epochs[epoch] = {"losses": losses, "steps": epoch * t}
        losses = None
    if not printed:
        fail(f'{file}: has no line like c_loss:"0.5",d_loss:"0.6"')
    if last_picture == (0, 0):
        for epoch, losses in enumerate(printed, 1):
            epochs[epoch] = {"losses": losses, "steps": None}
    if not epochs:
        fail(f"{file}: has no losses before a save_sample line")
    return epochs


def same_losses(a, b):
    """Whether two pairs of printed losses are the same, to the last digit printed."""
    return np.allclose(a, b, rtol=0, atol=LAST_DIGIT, equal_nan=True)


def first_difference(a, b):
    """Print the losses of two logs; returns the first epoch that differs, or None."""
    row = "{:>5}  {:>12} {:>12}  {:>12} {:>12}"
    print(row.format("epoch", "c_loss 1", "c_loss 2", "d_loss 1", "d_loss 2"))
    wrong = None
    for epoch in sorted(a.keys() & b.keys()):
        first = a[epoch]["losses"]
        second = b[epoch]["losses"]
        words = [f"{x:f}" for x in (first[0], second[0], first[1], second[1])]
        print(row.format(epoch, *words))
        if wrong is None and not same_losses(first, second):
            wrong = epoch
    return wrong


def verdict_on_difference(epoch, epoch_before, steps, script):
    """The exit status and the sentence for runs that first differ at `epoch`.

    epoch_before: the last epoch that is equal, or None. steps: how many each had made
    by then, or None. script: which one made both, or None where that is not known.
    """
    place = f"epoch {epoch} ends with step {steps}"
    if steps is None:
        steps = epoch * STEPS_AN_EPOCH
        place = f"epoch {epoch} ends with step {steps}, if {STEPS_AN_EPOCH} an epoch"
    scripts = [script] if script else list(STEPS_BEFORE_ROUNDING)
    blurred = [name for name in scripts if steps > STEPS_BEFORE_ROUNDING[name]]
    if not blurred:
        return 1, f"different: from epoch {epoch} on ({place}), too early for rounding"
    told = "nothing can be told: rounding may decide"
    if epoch_before is not None:
        told = f"equal up to epoch {epoch_before}; beyond it rounding may decide"
    limits = [
        f"in {name} after some {STEPS_BEFORE_ROUNDING[name]} steps" for name in scripts
    ]
    sentence = f"{told}, {' and '.join(limits)} ({place})"
    for name in scripts:
        if name not in blurred:
            sentence += f"; if {name} made both, they are different: --script {name}"
    return 3, sentence


def compare_logs(first, second, script):
    """Compare the losses printed in two logs; returns the exit status."""
    a = read_log(first)
    b = read_log(second)
    both = sorted(a.keys() & b.keys())
    if not both:
        fail(f"{first} and {second}: have no epoch in common")
    wrong = first_difference(a, b)
    if wrong is not None:
        equal = [epoch for epoch in both if epoch < wrong]
        epoch_before = equal[-1] if equal else None
        known = [x[wrong]["steps"] for x in (a, b) if x[wrong]["steps"]]
        steps = min(known, default=None)
        status, sentence = verdict_on_difference(wrong, epoch_before, steps, script)
        print(sentence)
        return status
    if a.keys() != b.keys():
        print(
            f"equal in the {len(both)} epochs that both have: {first} has {len(a)}, "
            f"{second} has {len(b)}"
        )
        return 3
    print(f"equal: {len(both)} epochs, to the last digit printed")
    return 0


# -------------------------------------------------------------------------- the program


def options(argv=None):
    """Read the command line; fails unless it names exactly one thing to compare."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="compare_matlab.py compares a run of MATLAB with the port's.",
        allow_abbrev=False,
    )
    parser.error = fail
    parser.add_argument(
        "--pictures", nargs=2, metavar="DIR", help="compare two folders of pictures"
    )
    parser.add_argument(
        "--logs", nargs=2, metavar="FILE", help="compare what two runs printed"
    )
    parser.add_argument(
        "--script",
        choices=list(STEPS_BEFORE_ROUNDING),
        help="the script that made both",
    )
    opt = parser.parse_args(argv)
    if (opt.pictures is None) == (opt.logs is None):
        fail("give one of: --pictures DIR1 DIR2, --logs FILE1 FILE2")
    return opt


def main(argv=None):
    """The program, with the words of the command line; returns its exit status."""
    opt = options(argv)
    if opt.pictures:
        return compare_pictures(*opt.pictures, opt.script)
    return compare_logs(*opt.logs, opt.script)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # names in any alphabet
        sys.stdout.reconfigure(errors="backslashreplace")
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
