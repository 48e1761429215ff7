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
import os
import sys

import numpy as np
from scipy.io import savemat

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../..")
import gan_adam
import gan_mbgd

NAME = os.path.basename(__file__)
KNOWN = 10000  # so many training images are compared with the samples
NEAREST = 5  # so many of them vote


def main():
    """Draw the digits, save them, and count them."""
    flags = read_flags()
    gan, opt, generator = load_generator(flags.checkpoint, flags.data)
    images, labels = load_known(gan, opt.data)
    samples = draw_samples(gan, opt, generator, flags.count, flags.seed)
    save(gan, samples, flags.out)
    if labels is None:
        print(f"{opt.data} has no train_y, so no digits are counted")
    else:
        print_counts(name_digits(samples, images, labels))


def read_flags():
    """The flags of the command line, checked."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = lambda message: fail(f"{message}; see --help")
    parser.add_argument("checkpoint", help="the file, such as run.mat")
    text = "how many digits (default: 1000)"
    parser.add_argument("--count", type=int, default=1000, metavar="N", help=text)
    text = "other digits for another number (default: 2026)"
    parser.add_argument("--seed", type=int, default=2026, metavar="N", help=text)
    text = "folder for the two files, made when missing (default: current folder)"
    parser.add_argument("--out", default=".", metavar="DIR", help=text)
    text = "the images of the training (default: data/mnist_uint8.mat)"
    parser.add_argument("--data", metavar="FILE", help=text)
    flags = parser.parse_args()
    if not 1 <= flags.count <= 10000:
        fail("--count must be in 1..10000")
    if not 0 <= flags.seed < 2**32:
        fail("--seed must be in 0..4294967295")
    if os.path.exists(flags.out) and not os.path.isdir(flags.out):
        fail(f"--out {flags.out}: is not a folder")
    return flags


def load_generator(checkpoint, data):
    """The script that wrote the checkpoint, its flags, and the trained generator."""
    hint = "--checkpoint of gan_adam.py or gan_mbgd.py makes such a file"
    names = ["generator", "discriminator"]
    saved = gan_adam.load_mat("checkpoint", checkpoint, names, hint)
    gan = gan_adam
    if isinstance(saved.get("generator"), dict) and "t" not in saved["generator"]:
        gan = gan_mbgd  # only Adam counts its steps, in t
    words = [f"--resume={checkpoint}"]
    if data is not None:
        words.append(f"--data={data}")
    opt = gan.options(words)
    generator = gan.nnsetup(layer_sizes(saved, "generator"), opt.precision)
    discriminator = gan.nnsetup(layer_sizes(saved, "discriminator"), opt.precision)
    if generator["architecture"][-1] != 784:
        fail(f"checkpoint {checkpoint}: its generator does not make 28x28 images")
    train_x = gan.load_train_x(opt.data, opt.images_num)
    gan.resume(opt, generator, discriminator, train_x)
    return gan, opt, generator


def layer_sizes(saved, name):
    """The sizes of a saved network's layers: those of its w, or else the original's."""
    usual = {"generator": [100, 512, 784], "discriminator": [784, 512, 1]}[name]
    try:
        layers = saved[name]["layers"]
        sizes = [np.size(layers[1]["w"]) // np.size(layers[1]["b"])]
        sizes += [np.size(layer["b"]) for layer in layers[1:]]
    except (LookupError, TypeError, ZeroDivisionError):
        return usual  # resume() says what is wrong with the file
    return sizes


def load_known(gan, data):
    """Training images, (n, 784) in 0..1, and the digits that they show, (n,).

    Both are None where the file has no train_y, such as one of own_images.py.
    """
    hint = "data/make_mnist_mat.py builds it"
    train_y = gan.load_mat("--data", data, ["train_y"], hint).get("train_y")
    if train_y is None:
        return None, None
    if not gan.is_real(train_y) or train_y.ndim != 2 or train_y.shape[1] != 10:
        fail(f"--data {data}: train_y must be N x 10 numbers, 1 for the digit; {hint}")
    labels = train_y[:KNOWN].argmax(axis=1)
    images = gan.load_train_x(data, len(labels)) / 255
    return images, labels


def draw_samples(gan, opt, generator, count, seed):
    """New digits of the generator: (count, 784) in 0..1, pixels column by column."""
    gan.rng(seed)
    width = generator["architecture"][0]
    noise = gan.unifrnd(-1, 1, count, width).astype(opt.precision)
    with np.errstate(over="ignore"):  # exp of a single above 88, for a pixel of 0
        generator = gan.nnff(generator, noise)
    return generator["layers"][-1]["a"]


def save(gan, samples, folder):
    """Write digits.png and samples.mat into the folder, and say so."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        fail(f"--out {folder}: cannot be made ({error.strerror})")
    columns = min(12, len(samples))
    rows = min(5, len(samples) // columns)
    gan.save_images(samples, [rows, columns], os.path.join(folder, "digits.png"))
    file = os.path.join(folder, "samples.mat")
    gan.write_atomically(file, lambda f: savemat(f, {"images": samples}))
    print(f"digits.png: {rows * columns} digits; samples.mat: {len(samples)}")


def name_digits(samples, images, labels):
    """The digit that each sample shows, (n,), by the training images nearest to it."""
    lengths = (images**2).sum(axis=1)
    named = []
    for start in range(0, len(samples), 1000):  # all at once may need too much memory
        some = samples[start : start + 1000]
        # |sample - image|^2 without |sample|^2, which is the same for all images
        distances = lengths - 2 * some @ images.T  # (samples, images)
        nearest = np.argsort(distances, axis=1)[:, :NEAREST]
        for votes in labels[nearest]:
            named.append(np.bincount(votes, minlength=10).argmax())
    return np.array(named)


def print_counts(named):
    """Print how many there are of each digit, and a bar: a # for each hundredth."""
    for digit in range(10):
        count = int((named == digit).sum())
        bar = "#" * (100 * count // len(named))
        print(f"{digit} {count:4d} {bar}".rstrip())


def fail(message):
    """End the program with `message` in one line, status 2."""
    line = f"{NAME}: {message}".replace("\n", " ")
    print(line, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"{NAME}: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
