"""Make new digits from a checkpoint of gan_adam.py or gan_mbgd.py.

    python tests/recipes/digits.py run.mat

It writes two files, in the place of older ones of these names, and prints how many
there are of each digit:

    digits.png   a grid of the first 60
    samples.mat  all of them, for MATLAB: images, N x 784, in 0..1. There
                 load('samples.mat'); imshow(reshape(images(1,:), 28, 28))

A sample counts as what most of the five training images nearest to it show. Of real
test digits that names more than nine in ten correctly.
"""

import argparse
import hashlib
import os
import sys

import numpy as np
from scipy.io import savemat

sys.path.insert(0, f"{os.path.dirname(os.path.realpath(__file__))}/../matlab")
import checkpoints  # which also lets Python find the next one

import gan_adam as gan

KNOWN = 10000  # so many training images are compared with the samples
NEAREST = 5  # so many of them vote

fail = checkpoints.fail


def main():
    """Draw the digits, save them, and count them."""
    flags = read_flags()
    checkpoint = checkpoints.read_checkpoint(flags.checkpoint)
    known = read_known(flags.data, checkpoint)
    samples = draw_samples(checkpoint["generator"], flags.count, flags.seed)
    columns = min(12, len(samples))
    grid = [min(5, len(samples) // columns), columns]
    save(flags.out, "digits.png", lambda file: gan.save_images(samples, grid, file))
    save(flags.out, "samples.mat", lambda file: savemat(file, {"images": samples}))
    print(f"digits.png: {grid[0] * grid[1]} digits; samples.mat: {len(samples)}")
    if known is None:
        why = f"{flags.data} has other images than the training, or no train_y"
        print(f"the digits are not counted: {why}")
    else:
        print_counts(name_digits(samples, *known))


def read_flags():
    """The flags of the command line, checked."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = fail  # one line
    parser.add_argument("checkpoint", help="the file, such as run.mat")
    text = "how many digits (default: 1000)"
    parser.add_argument("--count", type=int, default=1000, metavar="N", help=text)
    text = "other digits for another number (default: 2026)"
    parser.add_argument("--seed", type=int, default=2026, metavar="N", help=text)
    text = "folder for the two files, made when missing (default: current folder)"
    parser.add_argument("--out", default=".", metavar="DIR", help=text)
    text = "the images of the training (default: data/mnist_uint8.mat)"
    data = f"{gan.HERE}/data/mnist_uint8.mat"
    parser.add_argument("--data", default=data, metavar="FILE", help=text)
    flags = parser.parse_args()
    if not 1 <= flags.count <= 10000:
        fail("--count must be in 1..10000")
    if not 0 <= flags.seed < 2**32:
        fail("--seed must be in 0..4294967295")
    return flags


def read_known(file, checkpoint):
    """Training images, (n, 784) in 0..1, and the digits that they show, (n,).

    None where the file has no labels, as one of own_images.py, or other images than
    the training had.
    """
    train_y = checkpoints.load_variables(file, ["train_y"]).get("train_y")
    if train_y is None:
        return None
    if np.ndim(train_y) != 2 or train_y.shape[1] != 10:
        fail(f"--data {file}: train_y must be N x 10 numbers, 1 for the digit")
    train_x = gan.load_train_x(file, len(train_y))
    trained_on = train_x[: checkpoint["images_num"]]
    if hashlib.sha256(trained_on.tobytes()).hexdigest() != checkpoint["images_sha256"]:
        return None
    return train_x[:KNOWN] / 255, train_y[:KNOWN].argmax(axis=1)


@np.errstate(over="ignore")  # exp of more than 709, for a pixel of 0
def draw_samples(generator, count, seed):
    """New digits of the generator: (count, 784) in 0..1, pixels column by column."""
    gan.rng(seed)
    noise = gan.unifrnd(-1, 1, count, generator["architecture"][0])
    return gan.nnff(generator, noise)["layers"][-1]["a"]


def name_digits(samples, images, labels):
    """The digit that each sample shows, (n,), by the training images nearest to it."""
    lengths = (images**2).sum(axis=1)
    named = []
    # all at once may need too much memory
    for some in np.array_split(samples, len(samples) // 1000 + 1):
        # |sample - image|^2 without |sample|^2, which is the same for all images
        distances = lengths - 2 * some @ images.T  # (samples, images)
        nearest = np.argsort(distances, axis=1)[:, :NEAREST]
        for votes in labels[nearest]:
            named.append(np.bincount(votes).argmax())
    return np.array(named)


def print_counts(named):
    """Print how many there are of each digit, and a bar: a # for each hundredth."""
    for digit in range(10):
        count = int((named == digit).sum())
        bar = "#" * (100 * count // len(named))
        print(f"{digit} {count:4d} {bar}".rstrip())


def save(folder, name, write):
    """Let `write` fill a file in the folder; where it cannot, the program ends."""
    file = os.path.join(folder, name)
    try:
        os.makedirs(folder, exist_ok=True)
        write(file)
    except OSError as error:
        fail(f"--out: {file} cannot be written ({error.strerror or error})")


if __name__ == "__main__":
    gan.fail = fail  # so that what gan says of a file names this program
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"{os.path.basename(__file__)}: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
