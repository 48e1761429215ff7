"""Make new digits from a checkpoint of gan_adam.py or gan_mbgd.py.

    python tests/recipes/digits.py run.mat

It writes two files here, in the place of older ones of these names:

    digits.png   a grid of the first 60
    samples.mat  all of them, for MATLAB: images, N x 784, in 0..1. There
                 load('samples.mat'); imshow(reshape(images(1,:), 28, 28))

After a training on data/mnist_uint8.mat it prints how many there are of each digit: a
sample counts as what the training image nearest to it shows. Of real test digits that
names more than nine in ten correctly.
"""

import argparse
import hashlib
import os
import sys

import numpy as np
from scipy.cluster.vq import vq
from scipy.io import savemat

sys.path.insert(0, f"{os.path.dirname(os.path.realpath(__file__))}/../matlab")
from checkpoints import fail, program, read_checkpoint  # which finds gan_adam

import gan_adam as gan

SEED = 2026  # other digits for another number
GRID = [5, 12]  # of digits.png
KNOWN = 10000  # so many training images are compared with the samples
DATA = f"{gan.HERE}/data/mnist_uint8.mat"


def main():
    """Draw the digits, save them, and count them."""
    flags = read_flags()
    checkpoint = read_checkpoint(flags.checkpoint)
    samples = draw_samples(checkpoint["generator"], flags.count)
    try:
        savemat("samples.mat", {"images": samples})
    except OSError as error:
        fail(f"samples.mat: cannot be written ({error})")
    gan.save_images(samples, GRID, "digits.png")
    print(f"digits.png: 60 digits; samples.mat: {len(samples)}")
    train_x = gan.load_train_x(DATA, 60000)
    trained_on = train_x[: checkpoint["images_num"]]
    if hashlib.sha256(trained_on).hexdigest() != checkpoint["images_sha256"]:
        print("not counted: the training had other images than data/mnist_uint8.mat")
    else:
        print_counts(name_digits(samples, train_x[:KNOWN] / 255))


def read_flags():
    """The flags of the command line, checked."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = fail  # one line
    parser.add_argument("checkpoint", help="the file, such as run.mat")
    text = "how many digits (default: 1000)"
    parser.add_argument("--count", type=int, default=1000, metavar="N", help=text)
    flags = parser.parse_args()
    if not 60 <= flags.count <= 10000:  # the most need 1 GB
        fail("--count must be in 60..10000")
    return flags


@np.errstate(over="ignore")  # exp of more than 709, for a pixel of 0
def draw_samples(generator, count):
    """New digits of the generator: (count, 784) in 0..1, pixels column by column."""
    gan.rng(SEED)
    noise = gan.unifrnd(-1, 1, count, generator["architecture"][0])
    return gan.nnff(generator, noise)["layers"][-1]["a"]


def name_digits(samples, images):
    """The digit that each sample shows, (n,): that of the nearest of the images.

    images: the first training images, (m, 784) in 0..1 as the samples are.
    """
    train_y = gan.load_mat(DATA, ["train_y"], "see data/README.md")["train_y"]
    nearest, _ = vq(samples, images)
    return train_y[nearest].argmax(axis=1)


def print_counts(named):
    """Print how many there are of each digit, and a bar: a # for each hundredth."""
    for digit, count in enumerate(np.bincount(named, minlength=10)):
        print(f"{digit} {count:4d} {'#' * (100 * count // len(named))}")


if __name__ == "__main__":
    gan.fail = fail  # so that what gan says of a file names this program
    program(main)
