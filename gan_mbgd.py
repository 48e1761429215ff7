"""Train a small fully connected GAN on MNIST: backpropagation by hand, plain descent.

A GAN, a generative adversarial network, is two networks that learn from each other:
the generator makes images from noise, the discriminator tells them from real ones.

A NumPy port of gan_mbgd.m, github.com/jonzhaocn/Simple-GAN-Base-on-Matlab at commit
f6f788de96a69d2e815aebf2977d28d220ad6c81, (c) 2018 Jon Zhao, BSD-2-Clause. It computes
what the original computes in a fresh MATLAB, bugs included: the same random numbers
and the same formulas in the same order, equal but for rounding. It is not a framework:
other activations need other formulas.

    python gan_mbgd.py [--help]

A comment "MATLAB: ..." says what the original, or MATLAB itself, does at this place
where the Python line alone does not show it. Rows and layers count from 0 here, so
layers[0] is the input; e and t count from 1 as in MATLAB. Networks are dicts that are
changed in place and returned. Matrices are column-major, as in MATLAB, but for the
images as loaded (train_x, images_real). The original has no flags, checkpoints,
progress, single precision or exact gradient: they are new.

Glossary
    B       the batch size: a step takes B real images and makes B fake ones
    z       a layer's values before its activation, (rows, outputs)
    a       its values after the activation; layers[0]["a"] is the input
    logits  the discriminator's last z: above 0 says real, below 0 says fake
    w       a layer's weights, (inputs, outputs)
    b       its biases, (1, outputs)
    d       its residual: the derivative of each row's own loss with respect to z,
            but for the bug in delta_sigmoid_cross_entropy
    dw, db  the derivatives with respect to w and b that follow from d, and are means
            over the rows
    c_loss  the generator's loss: low where fake images are taken for real ones
    d_loss  the discriminator's loss: low where it tells both kinds apart
    e, t    the number of the epoch, and of the batch in it
"""

# for uv and pipx, which install what a script needs (PEP 723); Python skips it
# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.24", "scipy>=1.10", "pillow>=9.4"]
# ///

import argparse
import contextlib
import errno
import hashlib
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings

HERE = os.path.dirname(os.path.realpath(__file__))
NAME = os.path.basename(__file__)
try:
    import numpy as np
    from PIL import Image
    from scipy.io import loadmat, savemat
except ImportError as error:
    hint = "python -m pip install -r requirements.txt"
    reason = " ".join(str(error).split())  # in one line
    raise SystemExit(f"{NAME}: {reason}; install what it needs: {hint}") from None

EPOCH = 100  # passes over the images; it learns slowly
BATCH_SIZE = 60  # real images a step; IMAGES_NUM must be a multiple of it
IMAGES_NUM = 60000  # all training images of MNIST
LEARNING_RATE = 0.01  # plain descent bears larger steps than Adam


@np.errstate(all="ignore")  # MATLAB: Inf and NaN raise no warning
def main(opt):
    """Train as the flags `opt` say, see options(); the script part of the original.

    Returns the trained generator and discriminator.
    """
    # ----------- load the data
    # (images_num, 784) in 0..255, pixels column by column
    # MATLAB: four lines do this, and the division by 255 that is in the loop here
    train_x = load_train_x(opt.data, opt.images_num, opt.batch_size)
    # ----------- define the models
    rng(opt.seed)  # MATLAB: not called; a fresh MATLAB starts as after rng(0)
    generator = nnsetup([100, 512, 784], opt.precision)
    discriminator = nnsetup([784, 512, 1], opt.precision)
    # ----------- start training
    batch_size = opt.batch_size
    epoch = opt.epoch
    images_num = opt.images_num
    batch_num = math.ceil(images_num / batch_size)
    learning_rate = opt.learning_rate

    # not in the original: what a --resume file brings, and the choice of the gradient
    e_done = 0  # epochs finished before
    c_losses = []  # of every step
    d_losses = []
    if opt.resume:
        e_done, losses = resume(opt, generator, discriminator, train_x)
        c_losses, d_losses = losses
    if e_done >= epoch:
        done = f"{opt.resume} has {e_done} epochs already"
        print_message(f"{done}; name a higher --epoch")
        return generator, discriminator
    delta = delta_sigmoid_cross_entropy
    if opt.gradient == "exact":
        delta = delta_exact

    # create the folder
    os.makedirs(opt.pics, exist_ok=True)
    checksum = checksum_of(train_x)
    # a first checkpoint, so that a path that cannot be written fails before training
    save_checkpoint(opt, e_done, generator, discriminator, c_losses, d_losses, checksum)
    # what show_progress() keeps from step to step
    progress = {"start": time.perf_counter(), "steps": 0, "diverged": False}
    for e in range(e_done + 1, epoch + 1):
        kk = randperm(images_num) - 1  # MATLAB: no - 1, as its rows count from 1
        for t in range(1, batch_num + 1):
            # prepare the data
            rows = kk[(t - 1) * batch_size : t * batch_size]
            # (B, 784), double even where train_x is uint8
            images_real = train_x[rows] / 255
            noise = unifrnd(-1, 1, batch_size, 100).astype(opt.precision)  # (B, 100)
            # MATLAB: ones(...) and zeros(...) stand where they are used
            ones = np.ones((batch_size, 1), opt.precision)
            zeros = np.zeros((batch_size, 1), opt.precision)
            # start training
            # ----------- update the generator, the discriminator stays fixed
            generator = nnff(generator, noise)
            images_fake = generator["layers"][-1]["a"]  # (B, 784)
            discriminator = nnff(discriminator, images_fake)
            logits_fake = discriminator["layers"][-1]["z"]  # (B, 1)
            # MATLAB: computes dw and db of the fixed network too, and never reads them
            discriminator = nnbp_d(
                discriminator, logits_fake, ones, delta, derivatives=False
            )
            generator = nnbp_g(generator, discriminator)
            generator = nnapplygrade(generator, learning_rate)
            # ----------- update the discriminator, the generator stays fixed
            generator = nnff(generator, noise)
            images_fake = generator["layers"][-1]["a"]  # (B, 784)
            images = vertcat(images_fake, images_real)  # (2B, 784)
            discriminator = nnff(discriminator, images)
            logits = discriminator["layers"][-1]["z"]  # (2B, 1)
            labels = vertcat(zeros, ones)  # (2B, 1)
            discriminator = nnbp_d(discriminator, logits, labels, delta)
            discriminator = nnapplygrade(discriminator, learning_rate)
            # ----------- print the losses
            # MATLAB: computes both losses in an epoch's last batch only
            c_loss = sigmoid_cross_entropy(logits[:batch_size], ones)
            d_loss = sigmoid_cross_entropy(logits, labels)
            c_losses.append(c_loss)
            d_losses.append(d_loss)
            show_progress(progress, epoch, e, batch_num, t, c_loss, d_loss)
            if t == batch_num:  # MATLAB: two ifs with this condition
                print(f'c_loss:"{format_f(c_loss)}",d_loss:"{format_f(d_loss)}"')
                path = f"{opt.pics}/epoch_{e}_t_{t}.png"
                try:
                    save_images(images_fake, [4, 4], path)
                    print(f"save_sample:{path}", flush=True)
                finally:  # even where the picture cannot be written
                    save_checkpoint(
                        opt, e, generator, discriminator, c_losses, d_losses, checksum
                    )
    return generator, discriminator


def sigmoid(x):
    """The sigmoid activation, elementwise."""
    return 1 / (1 + np.exp(-x))


def relu(x):
    """The rectifier, elementwise."""
    return np.fmax(x, 0)  # MATLAB: max(NaN, 0) is 0; np.maximum(NaN, 0) is NaN


def delta_relu(x):
    """The derivative of relu with respect to x, elementwise: 1 where x > 0, else 0."""
    return (x > 0).astype(x.dtype)  # MATLAB: max(x, 0), then 1 where that is above 0


def sigmoid_cross_entropy(logits, labels):
    """The cross entropy loss: the mean over n rows, a float.

    logits, before the sigmoid, and labels are both (n, 1).
    """
    # https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits
    result = np.fmax(logits, 0) - logits * labels + np.log(1 + np.exp(-np.abs(logits)))
    return float(result.mean())


def delta_sigmoid_cross_entropy(logits, labels):
    """The derivative of each row's cross entropy with respect to its logit; all (n, 1).

    With the original's bug. For a logit z and a label y, sigmoid(z) - y is right. This
    gives it where z < 0, but -y where z = 0, and 2 - sigmoid(z) - y where z > 0.
    """
    temp1 = np.fmax(logits, 0)
    temp1[temp1 > 0] = 1
    temp2 = logits.copy()  # MATLAB: assigning copies
    temp2[temp2 > 0] = -1
    temp2[temp2 < 0] = 1  # MATLAB: turns the -1 just set into 1: the bug, kept
    temp3 = np.exp(-np.abs(logits))  # MATLAB: written twice in the next line
    return temp1 - labels + temp3 / (1 + temp3) * temp2


def nnsetup(architecture, precision="double"):
    """Build a network with layers of the sizes `architecture`, and draw its w and b.

    precision: "double" or "single", of all arrays. Returns the network, a dict. Its
    "layers" is a list of dicts, one a layer.
    """
    nn = {"architecture": architecture, "layers_count": len(architecture)}
    # [100, 512, 784] has 3 layers: the input of 100, then two with weights of 100*512
    # and 512*784 (the original calls them hidden); the output is the last layer's a
    nn["layers"] = [{} for _ in architecture]
    for i in range(1, nn["layers_count"]):
        m, n = architecture[i - 1], architecture[i]
        layer = nn["layers"][i]
        layer["w"] = normrnd(0, 0.02, m, n).astype(precision)
        layer["b"] = normrnd(0, 0.02, 1, n).astype(precision)
    return nn


def nnff(nn, x):
    """Feed `x`, (rows, inputs), forward through the network.

    Sets z and a, (rows, outputs), of each layer but the input; returns nn.
    """
    layers = nn["layers"]
    layers[0]["a"] = x
    for i in range(1, nn["layers_count"]):
        input = layers[i - 1]["a"]
        w = layers[i]["w"]
        b = layers[i]["b"]
        layers[i]["z"] = mtimes(input, w) + b  # MATLAB: repmat(b, size(input, 1), 1)
        if i != nn["layers_count"] - 1:
            layers[i]["a"] = relu(layers[i]["z"])
        else:
            layers[i]["a"] = sigmoid(layers[i]["z"])
    return nn


def nnbp_d(nn, y_h, y, delta=delta_sigmoid_cross_entropy, derivatives=True):
    """Backpropagation of the discriminator, after nnff has set each layer's z and a.

    It takes the derivative with respect to each parameter. Another structure (other
    activations and so on) needs another function; changing only the layer sizes needs
    no change here. To update w and b one needs the derivatives of the final loss with
    respect to them; the residuals come up on the way there.

    y_h: the logits, (rows, 1). y: the labels, (rows, 1). delta: the function that makes
    the last layer's residual from these two. Sets d and, if `derivatives`, dw and db of
    each layer but the input; returns nn.
    """
    # d is the residual: the derivative of the final loss, here of each row's own, with
    # respect to a layer's values before the activation, z; by the chain rule, worked
    # out by hand
    layers = nn["layers"]
    n = nn["layers_count"] - 1  # the last layer  MATLAB: counts from 1, so no - 1
    # the residual of the last layer
    layers[n]["d"] = delta(y_h, y)
    for i in range(n - 1, 0, -1):
        d = layers[i + 1]["d"]
        w = layers[i + 1]["w"]
        z = layers[i]["z"]
        # a layer's residual is a derivative with respect to its z: the residual of the
        # layer after it, times that layer's w, times the derivative of the activation
        layers[i]["d"] = mtimes(d, w.T) * delta_relu(z)
    if not derivatives:
        return nn
    # the residuals give the derivatives of the loss with respect to weights and biases
    for i in range(1, n + 1):
        d = layers[i]["d"]
        a = layers[i - 1]["a"]
        # dw is the derivative with respect to this layer's weights
        layers[i]["dw"] = mtimes(a.T, d) / d.shape[0]
        layers[i]["db"] = d.mean(axis=0, keepdims=True)
    return nn


def nnbp_g(g_net, d_net):
    """Backpropagation of the generator g_net through the discriminator d_net.

    nnff must have set z and a of g_net, and nnbp_d the d of d_net. Sets d, dw and db of
    each layer of g_net but the input; returns g_net.
    """
    layers = g_net["layers"]
    n = g_net["layers_count"] - 1  # the last layer
    a = layers[n]["a"]
    # the generator's loss comes from logits_fake (the original's comment: label_fake),
    # that is from images_fake fed through the discriminator; so here both networks can
    # be seen as one network. The residual of g_net's last layer is the residual of
    # d_net's second layer, here layers[1], times its w (the original's comment forgets
    # w), times a * (1 - a)
    d = d_net["layers"][1]["d"]
    w = d_net["layers"][1]["w"]
    layers[n]["d"] = mtimes(d, w.T) * (a * (1 - a))
    for i in range(n - 1, 0, -1):
        d = layers[i + 1]["d"]
        w = layers[i + 1]["w"]
        z = layers[i]["z"]
        # a layer's residual is a derivative with respect to its z: the residual of the
        # layer after it, times that layer's w, times the derivative of the activation
        layers[i]["d"] = mtimes(d, w.T) * delta_relu(z)
    # the residuals give the derivatives of the loss with respect to weights and biases
    for i in range(1, n + 1):
        d = layers[i]["d"]
        a = layers[i - 1]["a"]
        # dw is the derivative with respect to this layer's weights
        layers[i]["dw"] = mtimes(a.T, d) / d.shape[0]
        layers[i]["db"] = d.mean(axis=0, keepdims=True)
    return g_net


def nnapplygrade(nn, learning_rate):
    """Apply the gradients: update each layer's w and b by one step of plain descent.

    nnbp_d or nnbp_g must have set dw and db. Returns nn.
    """
    for layer in nn["layers"][1:]:
        dw = layer["dw"]
        db = layer["db"]
        layer["w"] = layer["w"] - learning_rate * dw
        layer["b"] = layer["b"] - learning_rate * db
    return nn


def save_images(images, count, path):
    """Save the first images as a grid, to look at what the generator makes.

    images: (n, 784) in 0..1. count: [row, col], the size of the grid. path: the PNG
    file. Raises IndexError if there are fewer than row*col images.
    """
    row, col = count
    I = np.zeros((row * 28, col * 28))
    for i in range(row):
        for j in range(col):
            r_s = i * 28
            c_s = j * 28
            index = i * col + j
            pic = images[index].reshape(28, 28, order="F")
            I[r_s : r_s + 28, c_s : c_s + 28] = pic
    imwrite(I, path)


# --------------------------------------------------------- functions that MATLAB brings

stream = np.random.RandomState(5489)  # MATLAB: one stream for rand, randn and randperm


def mtimes(a, b):
    """MATLAB's a*b of matrices; the result is column-major.

    All of the networks are, since NumPy is slow where both orders meet in one formula.
    """
    return np.matmul(a, b, order="F")


def vertcat(a, b):
    """MATLAB's [a;b] of matrices; the result is column-major."""
    # MATLAB: single and double together are single; here the class of a counts
    result = np.empty((len(a) + len(b), a.shape[1]), a.dtype, order="F")
    return np.concatenate([a, b], out=result)


def format_f(x):
    """The text that MATLAB's fprintf prints of the number x for %f."""
    return f"{x:f}".replace("nan", "NaN").replace("inf", "Inf")


def imwrite(I, path):
    """MATLAB's imwrite of a double image in 0..1: uint8(255*I), in a PNG file."""
    grey = (255 * I).clip(0, 255)
    grey[np.isnan(grey)] = 0  # MATLAB: uint8(NaN) is 0
    whole = np.floor(grey)
    whole[grey - whole >= 0.5] += 1  # MATLAB: uint8(0.5) is 1, halves go up
    picture = Image.fromarray(whole.astype(np.uint8))
    write_atomically(path, lambda f: picture.save(f, "png"))


def rng(seed):
    """Seed the stream with a whole number in 0..2^32-1."""
    stream.seed(seed or 5489)  # MATLAB: 0 stands for 5489


def rand(m, n):
    """Uniform numbers in 0..1, (m, n)."""
    m, n = max(m, 0), max(n, 0)  # MATLAB: a negative size is 0
    return stream.random_sample(m * n).reshape(m, n, order="F")


def unifrnd(a, b, m, n):
    """Uniform numbers in a..b, (m, n)."""
    if a > b:
        a = math.nan  # MATLAB: then all numbers are NaN
    return (a / 2 + b / 2) + (b / 2 - a / 2) * (2 * rand(m, n) - 1)


def randperm(n):
    """The numbers 1..n in random order, (n,)."""
    # MATLAB: the indices that sort n numbers of rand
    return np.argsort(rand(1, n)[0], kind="stable") + 1


def normrnd(mu, sigma, m, n):
    """Normal numbers with mean `mu` and standard deviation `sigma`, (m, n)."""
    if sigma < 0:
        sigma = math.nan  # MATLAB: then all numbers are NaN
    return randn(m, n) * sigma + mu


def randn(m, n):
    """Standard normal numbers, (m, n), from MATLAB's ziggurat.

    Marsaglia and Tsang, J. Stat. Software 5(8), 2000: 256 strips, one on the other,
    cover the bell curve. A trial takes a pair of 32-bit words: 8 bits choose a strip,
    53 give x, a horizontal position in it. If the whole height of the strip is below
    the curve at x, x is the value. If not, further pairs decide.
    """
    m, n = max(m, 0), max(n, 0)  # MATLAB: a negative size is 0
    edges = read_edges()
    heights = np.exp(-edges * edges / 2)  # of the curve at the edges
    values = []
    while len(values) < m * n:
        # a value takes one pair or more, so this many pairs are never too many
        pairs = m * n - len(values)
        words = stream.randint(0, 2**32, (pairs, 2), dtype=np.uint32)
        first, second = words[:, 0], words[:, 1]
        strip = (second >> 24).astype(int) + 1  # 1..256
        place = ((first >> 3) * 2.0**24 + (second & 0xFFFFFF)) * 2.0**-52 - 1  # -1..1
        x = place * edges[strip]
        at_once = (np.abs(x) <= edges[strip - 1]).tolist()
        uniform = uniform_numbers(first, second).tolist()
        strip = strip.tolist()
        x = x.tolist()
        unused = iter(range(pairs))  # indices of pairs; each is taken once
        for k in unused:
            if at_once[k]:
                values.append(x[k])
            elif strip[k] < 256:  # where the curve cuts the strip: a height decides
                low = heights[strip[k]]
                high = heights[strip[k] - 1]
                height = low + next_uniform(uniform, unused) * (high - low)
                if height < math.exp(-x[k] * x[k] / 2):
                    values.append(x[k])
            else:  # in the lowest strip, beyond r, which is edges[255]
                distance = tail(edges[255], uniform, unused)
                values.append(math.copysign(distance, x[k]))
    return np.array(values).reshape(m, n, order="F")


def uniform_numbers(first, second):
    """The numbers in 0..1, (n,), that rand makes of the words first, second, (n,)."""
    return ((first >> 5) * 2.0**26 + (second >> 6)) * 2.0**-53


def next_uniform(uniform, unused):
    """The next number of rand: of the next unused pair, or of a new one.

    uniform: a list, a number a pair. unused: an iterator over the indices of pairs.
    """
    k = next(unused, None)
    if k is None:
        return stream.random_sample()
    return uniform[k]


def tail(r, uniform, unused):
    """A normal number, a float, beyond r; Marsaglia's method for the tail."""
    while True:
        # both logarithms are below 0; the factor is 1 / r
        dx = math.log(next_uniform(uniform, unused)) * 0.273661237329758
        y = math.log(next_uniform(uniform, unused))
        if -2 * y > dx * dx:
            return r - dx


def read_edges():
    """The edges of the strips, (257,): 0 to r, then the width of the lowest strip."""
    with open(f"{HERE}/data/randn_edges.txt", encoding="latin-1") as f:
        numbers = re.findall(r"^[\d.]+$", f.read(), re.MULTILINE)
    if len(numbers) != 257:
        fail(f"{f.name}: does not have the 257 edges that randn needs")
    return np.array(numbers, float)


# ----------------------------------------------------------------- not in the original


def delta_exact(logits, labels):
    """The right derivative of each row's cross entropy, for --gradient exact.

    It has the form of delta_sigmoid_cross_entropy: logits, labels and result (n, 1).
    """
    return sigmoid(logits) - labels


# ------------------------------------------------------------------------ reading files


def load_mat(flag, file, names, hint):
    """Those of the variables `names` that the .mat `file` has, as a dict by name.

    Structs are dicts too; SciPy's own entries, such as "__header__", come along. Where
    that fails, the program ends with one line: the flag that named the file, the file,
    the reason, and `hint`.
    """
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # the header is 124 bytes of any text, and 4 bytes that say the format
            form = f.read(128)[124:]
            if form not in (b"\x00\x01IM", b"\x01\x00MI"):
                fail(
                    f"{flag} {file}: is not a file of MATLAB's save with '-v7'; {hint}"
                )
            # only our variables: SciPy cannot read every class that others may have
            return loadmat(f, variable_names=names, simplify_cells=True)
    except OSError as error:
        reason = error.strerror or "it is damaged"
    except MemoryError:
        reason = "the memory is too small"
    except Exception:  # SciPy raises almost anything on a damaged file
        reason = "it is damaged"
    fail(f"{flag} {file}: cannot be read ({reason}); {hint}")


def load_train_x(file, images_num, batch_size=1):
    """The first images of the .mat `file`, turned from row by row to column by column.

    Returns (images_num, 784) in 0..255, uint8, or double if the file has numbers that
    are not whole. A file that cannot be used ends the program; if it has too few
    images, the line names a number that would fit, a multiple of `batch_size`.
    """
    hint = "data/make_mnist_mat.py builds it"
    variables = load_mat("--data", file, ["train_x"], hint)
    if "train_x" not in variables:
        fail(f"--data {file}: has no train_x; {hint}")
    train_x = variables["train_x"]
    found = matlab_class(train_x)
    if not is_real(train_x) or train_x.ndim != 2 or train_x.shape[1] != 784:
        fail(f"--data {file}: train_x is {found}, but must be N x 784 numbers; {hint}")
    rows = len(train_x)
    if rows < images_num:
        asked = f"--images-num {images_num} asks for more rows"
        fits = rows // batch_size * batch_size
        way_out = f"--images-num {fits} fits" if fits else f"a batch has {batch_size}"
        fail(f"--data {file}: train_x is {found}, {asked}; {way_out}")
    train_x = as_pixels(train_x[:images_num])
    if train_x is None:  # MATLAB: takes any numbers
        fail(f"--data {file}: train_x must have numbers in 0..255, 0 for black; {hint}")
    # MATLAB: reshape, permute, reshape, to the same end: pixels column by column
    train_x = train_x.reshape(images_num, 28, 28)
    train_x = train_x.transpose(0, 2, 1)  # (image, column, row)
    return np.ascontiguousarray(train_x).reshape(images_num, 784)


def as_pixels(x):
    """The numbers x as uint8, or double if not all are whole; None beyond 0..255."""
    if x.dtype == np.uint8:
        return x
    if not ((x >= 0) & (x <= 255)).all():  # NaN is not
        return None
    whole = x.astype(np.uint8)
    return whole if (whole == x).all() else x.astype(float)


def is_real(x):
    """Whether a variable that load_mat read is an array of real numbers."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "fiub"


def matlab_class(x):
    """A variable's size and class in MATLAB's words: 60000 x 784 uint8."""
    x = np.asarray(x)
    if x.dtype.kind == "O":
        return "a struct or a cell"
    if x.dtype.kind in "US":
        return "a text"
    names = {"float64": "double", "float32": "single", "bool": "logical"}
    sizes = " x ".join(map(str, x.shape or (1, 1)))
    return f"{sizes} {names.get(x.dtype.name, x.dtype.name)}"


def checksum_of(train_x):
    """The SHA-256 sum that tells these training images from others: 64 digits."""
    return hashlib.sha256(train_x.tobytes()).hexdigest()


# ---------------------------------------------------------------------- the checkpoint

# what the file keeps of a network and of its layers; gan_adam.py has more, but the
# functions below are the same text in both scripts
NET_STATE = ()
LAYER_STATE = ("w", "b")
# the settings that it keeps, and their values where neither it nor a flag says another
SETTINGS = {
    "batch_size": BATCH_SIZE,
    "images_num": IMAGES_NUM,
    "learning_rate": LEARNING_RATE,
    "seed": 0,
    "precision": "double",
    "gradient": "matlab",
}


def save_checkpoint(opt, e, generator, discriminator, c_losses, d_losses, checksum):
    """Write the file opt.checkpoint, if that is set, with all that resume() reads.

    Those are variables of the original after epoch e, in its names, and some more; the
    losses are those of every step, checksum is checksum_of() the training images.
    """
    if not opt.checkpoint:
        return
    state = stream.get_state(legacy=False)["state"]
    workspace = {
        "e": float(e),
        "steps": float(len(c_losses)),
        "batch_size": float(opt.batch_size),
        "images_num": float(opt.images_num),
        "learning_rate": opt.learning_rate,
        "seed": float(opt.seed),
        "precision": opt.precision,
        "gradient": opt.gradient,
        "c_loss": np.reshape(c_losses, (-1, 1)),  # of every step
        "d_loss": np.reshape(d_losses, (-1, 1)),
        # MATLAB: s = rng; s.State, 624 words and how many of them are used
        "rng_state": np.append(state["key"], np.uint32(state["pos"])).reshape(-1, 1),
        "images_sha256": checksum,
        "discriminator": network_struct(discriminator),
        "generator": network_struct(generator),
    }
    # compressed: then the file has checksums, so that damage to it is noticed
    write_atomically(
        opt.checkpoint, lambda f: savemat(f, workspace, do_compression=True)
    )


def network_struct(nn):
    """The network as savemat takes it, so that MATLAB loads the original's struct."""
    struct = {}
    for field in ("architecture", "layers_count", *NET_STATE):
        struct[field] = np.array(nn[field], float)
    struct["layers"] = [{"a": []}]  # layers{1}, the input
    for layer in nn["layers"][1:]:
        struct["layers"].append({field: layer[field] for field in LAYER_STATE})
    return struct


def write_atomically(path, write):
    """Write the file `path`: all of it, or else leave what was there before.

    write: a function that fills the open file that it is given. An error of the disk
    ends the program.
    """
    target = os.path.realpath(path)  # a symbolic link stays one
    part = f"{target}.{os.urandom(4).hex()}.part"  # another run may write there too
    try:
        with open(part, "xb") as f:
            write(f)
            f.flush()
            flush_to_disk(f)
        replace_file(part, target)
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror})")
    finally:
        with contextlib.suppress(OSError):
            os.remove(part)  # not there any more unless something went wrong


def flush_to_disk(f):
    """Have the system write the file f to its disk; some network drives cannot."""
    try:
        os.fsync(f.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def replace_file(part, target):
    """Rename `part` to `target`, with patience.

    Windows refuses it while a virus scanner, OneDrive or a viewer has the target open.
    """
    for seconds in 0.1, 0.2, 0.4, 0.8, 1.6, 3.2:
        try:
            os.replace(part, target)
            return
        except OSError as error:
            # 5: access denied, 32: used by another program
            if getattr(error, "winerror", None) not in (5, 32):
                raise
            time.sleep(seconds)
    os.replace(part, target)


# -------------------------------------------------------------------------- resuming


def resume(opt, generator, discriminator, train_x):
    """Go on from the file opt.resume: fill both networks and set the stream.

    Returns how many epochs are done, counting one that Ctrl-C cut short in MATLAB, and
    (c_losses, d_losses), two lists with the losses of all steps. A workspace that
    MATLAB saved has few of them, and may lack the stream: then NaN stands for the
    losses, and the stream starts from opt.seed. A file that cannot be used ends the
    program.
    """
    names = ["e", "t", "steps", "c_loss", "d_loss", "rng_state", "images_sha256"]
    names += ["generator", "discriminator", *SETTINGS]
    saved = load_mat("--resume", opt.resume, names, "--checkpoint makes such a file")
    try:
        check_images(opt, saved, train_x)
        check_script(opt, saved)
        e = saved_number(opt, saved, "e")
        steps = saved_steps(opt, saved, e)
        losses = saved_losses(opt, saved, steps)
        for name, nn in ("generator", generator), ("discriminator", discriminator):
            read_network(opt, name, nn, saved, losses)
        set_stream(opt, saved)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        refuse(opt, f"it is not a workspace of {NAME}")
    missing = [f"{name} {getattr(opt, name)}" for name in SETTINGS if name not in saved]
    if missing:
        print_message(f"{opt.resume} lacks some settings; using {', '.join(missing)}")
    return e, losses


def refuse(opt, reason):
    """End the program with a line that says why the --resume file cannot be used."""
    fail(f"--resume {opt.resume}: {reason}")


def check_images(opt, saved, train_x):
    """End the program if the run used other images, as far as the file says."""
    if "images_sha256" not in saved:
        return
    images_num = saved_number(opt, saved, "images_num")
    if images_num != opt.images_num:
        all_images = load_mat("--data", opt.data, ["train_x"], "")["train_x"]
        if images_num <= len(all_images):
            train_x = load_train_x(opt.data, images_num)
    if checksum_of(train_x) != saved["images_sha256"]:
        refuse(
            opt, f"it was trained on other images than --data {opt.data}; name its own"
        )


def check_script(opt, saved):
    """End the program if a network is missing, or is one of the other script."""
    for name in "generator", "discriminator":
        if not isinstance(saved.get(name), dict):
            refuse(opt, f"it is not a workspace of {NAME}: it has no struct {name}")
        # only Adam's networks have t
        if ("t" in saved[name]) != ("t" in NET_STATE):
            refuse(opt, f"it is not a workspace of {NAME}, but of the other script")


def saved_number(opt, saved, name):
    """A whole number in 0..2^32-1 that the file has, or else that opt has."""
    value = saved.get(name, getattr(opt, name, None))
    value = np.asarray(value)
    if value.size != 1 or not is_real(value) or not 0 <= value < 2**32 or value % 1:
        refuse(opt, f"it is not a workspace of {NAME}: {name} must be a whole number")
    return int(value.item())


def saved_steps(opt, saved, e):
    """How many steps were made by the run that saved the file in or after epoch e."""
    batch_num = saved_batch_num(opt, saved)
    if "steps" in saved:
        steps = saved_number(opt, saved, "steps")
    else:
        steps = steps_in_matlab(opt, saved, e, batch_num)
    # damaged: an epoch without a step, or far more steps than anybody trains
    if not e - 1 <= steps <= 10**8:
        refuse(opt, f"it is not a workspace of {NAME}: {e} epochs in {steps} steps")
    return steps


def steps_in_matlab(opt, saved, e, batch_num):
    """How many steps a run in MATLAB had made when its workspace was saved in epoch e.

    Prints a line if Ctrl-C stopped epoch e early, or if e and the steps do not fit.
    """
    if "t" in saved:  # the batch that MATLAB was at
        steps = (e - 1) * batch_num + saved_number(opt, saved, "t")
    elif "t" in NET_STATE:  # Adam counts its updates, one a step
        steps = saved_number(opt, saved["discriminator"], "t")
    else:
        steps = e * batch_num
    t = steps - (e - 1) * batch_num
    if e and 0 <= t < batch_num:
        stopped = f"epoch {e} was stopped after batch {t} of {batch_num}"
        print_message(f"{opt.resume}: {stopped}; going on with epoch {e + 1}")
    elif steps != e * batch_num:
        asked = f"{e} epochs of {batch_num} batches, but {steps} steps were made"
        why = "its images_num or batch_size was different"
        print_message(f"{opt.resume}: {asked}; {why}")
    return steps


def saved_batch_num(opt, saved):
    """How many batches an epoch had."""
    batch_size = saved_number(opt, saved, "batch_size")
    if batch_size < 1:
        refuse(opt, f"it is not a workspace of {NAME}: batch_size must be above 0")
    return math.ceil(saved_number(opt, saved, "images_num") / batch_size)


def saved_losses(opt, saved, steps):
    """The lists c_losses and d_losses, a number a step."""
    losses = [np.ravel(saved.get(name, math.nan)) for name in ("c_loss", "d_loss")]
    if losses[0].size == losses[1].size == 1 and steps != 1:
        # MATLAB: has the last ones only, if any
        return [[math.nan] * steps, [math.nan] * steps]
    for x in losses:
        if x.size != steps or not is_real(x):
            refuse(
                opt, f"c_loss and d_loss must have a number for each of {steps} steps"
            )
    return [x.astype(float).tolist() for x in losses]


def read_network(opt, net, nn, saved, losses):
    """Fill the network `nn` from the file's struct of the name `net`.

    saved: the variables of the file; losses: what saved_losses() made of them. A struct
    that cannot be used ends the program.
    """
    struct = saved[net]
    for field in NET_STATE:
        nn[field] = float(struct[field])
        if not 0 <= nn[field] < (math.inf if field == "t" else 1):
            refuse(opt, f"{net}.{field} must not be {nn[field]}")
    if len(struct["layers"]) != len(nn["layers"]):
        refuse(opt, f"{net} must have {len(nn['layers'])} layers")
    for i in range(1, len(nn["layers"])):
        layer = nn["layers"][i]
        for field in LAYER_STATE:
            name = f"{net}.layers{{{i + 1}}}.{field}"
            x = np.asarray(struct["layers"][i][field])
            # SciPy drops a size of 1, and MATLAB stores whole numbers as integers
            if not is_real(x) or x.squeeze().shape != layer[field].squeeze().shape:
                sizes = " x ".join(map(str, layer[field].shape))
                refuse(opt, f"{name} must be {sizes} numbers")
            if not np.isfinite(x).all():
                refuse(opt, f"{name} has NaN or Inf: {divergence(opt, saved, losses)}")
            # random weights are never all 0: such an array is not of a trained network
            if field == "w" and not x.any():
                refuse(opt, f"{name} must not be all 0")
            layer[field][:] = x.reshape(layer[field].shape)


def divergence(opt, saved, losses):
    """What is known of a run that has diverged, in words."""
    finite = np.flatnonzero(np.isfinite(losses).all(axis=0))
    if not finite.size:
        return "the training diverged; go on from an earlier checkpoint"
    # the last step whose losses are finite may have spoilt the arrays
    steps_back = len(losses[0]) - int(finite[-1])
    epochs_back = math.ceil(steps_back / saved_batch_num(opt, saved))
    e = saved_number(opt, saved, "e") - epochs_back
    diverged = f"the training diverged in epoch {e + 1}"
    if e < 1:
        return f"{diverged}; begin anew with a lower --learning-rate"
    return f"{diverged}; go on from a checkpoint of epoch {e} or earlier"


def set_stream(opt, saved):
    """Set the stream as saved; seed it if it was not, or if --seed is another seed."""
    rng(opt.seed)
    if "rng_state" not in saved or opt.seed != saved.get("seed", opt.seed):
        return
    state = saved["rng_state"]
    if isinstance(state, dict):  # MATLAB: rng_state = rng
        is_twister = str(state.get("Type")) == "twister"
        state = state.get("State") if is_twister else None
    state = np.ravel(state)
    if not is_twister_state(state):
        refuse(
            opt,
            "rng_state must be of MATLAB's twister: s = rng; rng_state = s.State, "
            "625 numbers, or rng_state = rng",
        )
    stream.set_state(("MT19937", state[:-1].astype(np.uint32), int(state[-1])))


def is_twister_state(state):
    """Whether an array can be 624 words, not all 0, and a count of the used ones."""
    if not is_real(state) or state.size != 625:
        return False
    is_word = (state >= 0) & (state < 2**32) & (state % 1 == 0)
    return is_word.all() and state[:-1].any() and state[-1] <= 624


# ------------------------------------------------------------------ what the user sees


def show_progress(progress, epoch, e, batch_num, t, c_loss, d_loss):
    """Warn once of a loss that is Inf or NaN; on a terminal, show how far training is.

    progress: a dict, changed here: "start" is the time before the first step, "steps"
    the number of steps since then, "diverged" whether the warning was given.
    """
    progress["steps"] += 1
    if not math.isfinite(c_loss + d_loss) and not progress["diverged"]:
        progress["diverged"] = True
        loss = format_f(c_loss + d_loss)
        print_message(f"epoch {e}, batch {t}: loss {loss}; training goes on")
    seconds_a_step = (time.perf_counter() - progress["start"]) / progress["steps"]
    if t == batch_num:
        show_line("")
    elif progress["steps"] % math.ceil(0.3 / seconds_a_step) == 0:  # 3 times a second
        steps_left = (epoch - e + 1) * batch_num - t
        minutes, seconds = divmod(round(seconds_a_step * steps_left), 60)
        show_line(
            f"epoch {e}/{epoch} batch {t}/{batch_num} "
            f"c_loss {c_loss:.3f} d_loss {d_loss:.3f} "
            f"{seconds_a_step * batch_num:.1f} s/epoch {minutes}:{seconds:02} left"
        )


def terminal_width():
    """The columns of the terminal that standard error is; 0 if it is not a terminal."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (AttributeError, OSError, ValueError):  # a console's own stream, or a file
        return 0


def show_line(line):
    """On a terminal, show `line` in the place of the line shown before."""
    width = terminal_width() - 1
    if width > 0:
        blank = " " * width
        print(f"\r{blank}\r{line[:width]}", end="", file=sys.stderr, flush=True)


def print_message(message):
    """Print a line on standard error that names the script."""
    show_line("")
    message = message.replace("\n", " ")
    print(f"{NAME}: {message}", file=sys.stderr, flush=True)


def fail(message):
    """End the program with `message` in one line, status 2."""
    print_message(message)
    raise SystemExit(2)


# ------------------------------------------------------------------------- the program


def options(argv=None):
    """Return the flags in the list `argv`, or the command line's, as a Namespace.

    Settings that no flag names are those of the --resume file, or else the defaults. A
    value that cannot be used ends the program.
    """
    opt = argument_parser().parse_args(argv)
    if "" in (opt.data, opt.pics, opt.checkpoint, opt.resume):
        fail("--data, --pics, --checkpoint and --resume must not be empty")
    saved = {}
    if opt.resume:
        hint = "--checkpoint makes such a file"
        saved = load_mat("--resume", opt.resume, list(SETTINGS), hint)
    for name, default in SETTINGS.items():
        if getattr(opt, name) is None:
            value = default
            if name in saved:
                value = saved_setting(opt, saved, name)
            setattr(opt, name, value)
    check_flags(opt)
    return opt


def argument_parser():
    """The argparse.ArgumentParser of the flags, with their help."""
    parser = argparse.ArgumentParser(
        description=f"{NAME}: see README.md. With --resume, the settings of that file "
        "take the place of the defaults, but for --epoch, --data and --pics.",
        epilog="Two runs at once are faster with OPENBLAS_NUM_THREADS=1 set for both.",
        allow_abbrev=False,
    )
    parser.error = lambda message: fail(f"{message}; see --help")
    original = parser.add_argument_group("the original's variables")
    original.add_argument(
        "--epoch",
        type=int,
        metavar="N",
        default=EPOCH,
        help=f"passes over the images, in all (default: {EPOCH})",
    )
    original.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help=f"real images a step; as many fake (default: {BATCH_SIZE})",
    )
    original.add_argument(
        "--images-num",
        type=int,
        metavar="N",
        help=f"train on the first N images (default: {IMAGES_NUM})",
    )
    original.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help=f"step of an update (default: {LEARNING_RATE})",
    )
    new = parser.add_argument_group("the port's own")
    new.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="MATLAB's rng(N); a fresh MATLAB has 0 (default: 0)",
    )
    new.add_argument(
        "--precision",
        choices=["double", "single"],
        metavar="P",
        help="double, or single for speed (default: double)",
    )
    new.add_argument(
        "--gradient",
        choices=["matlab", "exact"],
        metavar="G",
        help="matlab, or exact without the bug (default: matlab)",
    )
    new.add_argument(
        "--data",
        metavar="FILE",
        default=f"{HERE}/data/mnist_uint8.mat",
        help="the images (default: data/mnist_uint8.mat beside the script)",
    )
    new.add_argument(
        "--pics",
        metavar="DIR",
        default="./pics",
        help="folder for the pictures (default: ./pics)",
    )
    new.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="save the workspace here after every epoch",
    )
    new.add_argument(
        "--resume",
        metavar="FILE",
        help="go on from a checkpoint; to save, give both flags",
    )
    return parser


def saved_setting(opt, saved, name):
    """A setting of the --resume file, as the flag would give it."""
    value = saved[name]
    if isinstance(SETTINGS[name], str):
        return str(value)
    if isinstance(SETTINGS[name], int):
        return saved_number(opt, saved, name)
    value = np.asarray(value)
    if value.size != 1 or not is_real(value) or not 0 < value < math.inf:
        refuse(opt, f"{name} must be a finite number above 0")
    return float(value.item())


def check_flags(opt):
    """End the program if a flag's value cannot be used."""
    if opt.epoch < 1:
        fail("--epoch must be at least 1")
    if opt.images_num < 1:
        fail("--images-num must be at least 1")
    if opt.batch_size < 16:  # MATLAB: save_images stops with an index error
        fail("--batch-size must be at least 16, for the 4x4 pictures")
    if opt.images_num % opt.batch_size:  # MATLAB: an index error in the last batch
        fits = opt.images_num // opt.batch_size * opt.batch_size
        fail(
            f"--images-num {opt.images_num} must be a multiple of --batch-size "
            f"{opt.batch_size}, such as {fits or opt.batch_size}"
        )
    if not 0 < opt.learning_rate < math.inf:
        fail("--learning-rate must be finite and above 0")
    if not 0 <= opt.seed < 2**32:
        fail("--seed must be in 0..4294967295")
    if opt.precision not in ("double", "single"):
        fail("--precision must be double or single")
    if opt.gradient not in ("matlab", "exact"):
        fail("--gradient must be matlab or exact")
    if os.path.isfile(opt.pics):
        fail(f"--pics {opt.pics}: is not a folder")
    if opt.checkpoint and os.path.exists(opt.checkpoint):
        if not opt.resume or not os.path.samefile(opt.checkpoint, opt.resume):
            exists = f"--checkpoint {opt.checkpoint}: already exists"
            fail(f"{exists}; add --resume to go on from it, or name another")


def run():
    """Run main() as a program: Ctrl-C and errors of files or memory end in one line."""
    prepare_streams()
    opt = None
    try:
        opt = options()
        return main(opt)
    except KeyboardInterrupt:
        # a second Ctrl-C would cut the line short
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        print_message(f"stopped; {what_is_saved(opt)}")
        signal.signal(signal.SIGINT, handler)  # a console goes on after this
        raise SystemExit(130) from None
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except MemoryError:
        fail("the memory is too small for this --batch-size or --images-num")
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror}")


def prepare_streams():
    """Let closed streams, and paths in any alphabet, do no harm."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # None where it was closed
    sys.stderr = sys.stderr or open(os.devnull, "w")
    if hasattr(sys.stdout, "reconfigure"):  # not in Jupyter, Spyder or IDLE
        sys.stdout.reconfigure(errors="backslashreplace")


def what_is_saved(opt):
    """After Ctrl-C: what is saved, and how to go on from there."""
    if not opt or not opt.checkpoint or not os.path.exists(opt.checkpoint):
        return "this run wrote no checkpoint"
    hint = "training stopped"
    e = load_mat("--checkpoint", opt.checkpoint, ["e"], hint)["e"]
    flags = sys.argv[1:]
    words = list(sys.orig_argv)
    go_on = "go on with"
    if words[-len(flags) :] != flags:  # started within Jupyter, Spyder or IDLE
        words = flags
        go_on = "go on with the flags"
    if opt.resume != opt.checkpoint:
        words = [*words, "--resume", opt.checkpoint]  # the last --resume counts
    command = shlex.join(words)
    if os.name != "posix":
        command = subprocess.list2cmdline(words)
    return f"saved after epoch {e:.0f}; {go_on}: {command}"


if __name__ == "__main__":
    # named, so that a console keeps both, as MATLAB's workspace does
    generator, discriminator = run()
