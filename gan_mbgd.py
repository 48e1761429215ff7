"""Train a small fully connected GAN on MNIST: backpropagation by hand, plain descent.

A GAN, a generative adversarial network, is two networks that learn from each other:
the generator makes images from noise, the discriminator tells them from real ones.

A NumPy port of gan_mbgd.m, github.com/jonzhaocn/Simple-GAN-Base-on-Matlab at commit
f6f788de96a69d2e815aebf2977d28d220ad6c81, (c) 2018 Jon Zhao, BSD-2-Clause. It computes
what the original computes in a fresh MATLAB, bugs included: the same random numbers
and the same formulas in the same order, equal but for rounding. It is not a framework:
other activations need other formulas.

    python gan_mbgd.py --checkpoint run.mat  # later the same command goes on

It needs data/mnist_uint8.mat and data/randn_edges.txt beside it.

A comment "MATLAB: ..." says what the original, or MATLAB itself, does where the Python
line alone does not show it; "new" marks what the original does not have.
Rows and layers count from 0 here, so layers[0] is the input and layers[-1] the last
layer; e and t count from 1. Functions change the network that they are given, and
return it. mtimes(a, b) is MATLAB's a*b.

Glossary
    B       the batch size: a step takes B real images and makes B fake ones
    z, a    a layer's values before and after its activation, (rows, outputs)
    logits  the discriminator's last z: above 0 says real, below 0 says fake
    w, b    a layer's weights, (inputs, outputs), and its biases, (1, outputs)
    d       its residual: the derivative of each row's own loss with respect to z,
            but for the bug in delta_sigmoid_cross_entropy
    dw, db  the derivatives with respect to w and b that follow from d: means over rows
    c_loss  the generator's loss: low where fake images are taken for real ones
    d_loss  the discriminator's loss: low where it tells both kinds apart
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
import sys
import time
import warnings

import numpy as np
from PIL import Image
from scipy.io import loadmat, savemat

SCRIPT = "gan_mbgd"  # the mark of its checkpoints, also where the file is renamed
if "__file__" not in globals():
    raise SystemExit(f"it cannot run pasted into a cell; type: %run {SCRIPT}.py")
HERE = os.path.dirname(os.path.realpath(__file__))
NAME = os.path.basename(__file__)

# the original's settings: edit them here, or use the flags
EPOCH = 100  # passes over the images; digits show from the third or fourth on
BATCH_SIZE = 60  # real images a step; IMAGES_NUM must be a multiple of it
IMAGES_NUM = 60000  # all training images of MNIST
LEARNING_RATE = 0.01


@np.errstate(all="ignore")  # MATLAB: Inf and NaN raise no warning
def main(opt):
    """Train as the flags `opt` say, see options(); the script part of the original.

    Returns the trained generator and discriminator; if the file opt.checkpoint has all
    epochs already, the networks of that file.
    """
    # ----------- load the data
    # (images_num, 784) in 0..255  MATLAB: divides by 255 here, and not in the loop
    train_x = load_train_x(opt.data, opt.images_num)
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
    # MATLAB: both stand where they are used
    ones = np.ones((batch_size, 1), opt.precision)
    zeros = np.zeros((batch_size, 1), opt.precision)

    # new: the right gradient if asked for, and a checkpoint to go on from
    delta = delta_exact if opt.gradient == "exact" else delta_sigmoid_cross_entropy
    run = begin(opt, train_x, generator, discriminator)
    if run["e"] >= epoch:  # nothing is left to do
        return generator, discriminator
    # create the folder
    os.makedirs(opt.pics, exist_ok=True)
    for e in range(run["e"] + 1, epoch + 1):
        kk = randperm(images_num) - 1  # MATLAB: no - 1, as its rows count from 1
        for t in range(1, batch_num + 1):
            # prepare the data
            rows = kk[(t - 1) * batch_size : t * batch_size]
            images_real = (train_x[rows] / 255).astype(opt.precision)  # (B, 784)
            noise = unifrnd(-1, 1, batch_size, 100).astype(opt.precision)  # (B, 100)
            # start training
            # ----------- update the generator, the discriminator stays fixed
            generator = nnff(generator, noise)
            images_fake = generator["layers"][-1]["a"]  # (B, 784)
            discriminator = nnff(discriminator, images_fake)
            logits_fake = discriminator["layers"][-1]["z"]  # (B, 1)
            discriminator = nnbp_d(discriminator, logits_fake, ones, delta)
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
            end_step(run, opt, e, t, batch_num, c_loss, d_loss)  # new: keeps both
            if t == batch_num:  # MATLAB: two ifs with this condition
                print(f'c_loss:"{format_f(c_loss)}",d_loss:"{format_f(d_loss)}"')
                path = f"{opt.pics}/epoch_{e}_t_{t}.png"
                save_images(images_fake, [4, 4], path)
                print(f"save_sample:{path}", flush=True)
        end_epoch(run, opt, e, generator, discriminator)  # new: saves the checkpoint
    return generator, discriminator


def load_train_x(file, images_num):
    """The first images of the .mat `file`: (images_num, 784), pixels column by column.

    In 0..255: uint8, or double if not all numbers are whole. A file without such images
    ends the program.
    """
    hint = "see data/README.md"
    train_x = load_mat(file, ["train_x"], hint)["train_x"]
    is_real = isinstance(train_x, np.ndarray) and train_x.dtype.kind in "iuf"
    if not is_real or train_x.shape[1:] != (784,) or len(train_x) < images_num:
        need = f"at least {images_num} rows (--images-num) of 784 numbers"
        kind = getattr(train_x, "dtype", type(train_x).__name__)
        fail(f"{file}: train_x must be {need}, is {np.shape(train_x)} {kind}; {hint}")
    train_x = train_x[:images_num]
    low = train_x.min()
    high = train_x.max()
    # MATLAB: takes any numbers; images in 0..1 would train as black ones
    if not (low >= 0 and 1 < high <= 255):
        need = "in 0..255 and above 1 somewhere"
        fail(f"{file}: train_x must be {need}, is in {low:g}..{high:g}; {hint}")
    whole = train_x.astype(np.uint8)  # of an eighth of the size
    train_x = whole if (whole == train_x).all() else train_x.astype(float)
    # MATLAB: reshape, permute, reshape, to the same end
    train_x = train_x.reshape(images_num, 28, 28).transpose(0, 2, 1)
    return train_x.reshape(images_num, 784)


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

    logits: before the sigmoid. With the original's bug: for a logit z and a label y,
    sigmoid(z) - y is right. This gives it where z < 0, but -y where z = 0, and
    2 - sigmoid(z) - y where z > 0.
    """
    # The loss is max(z, 0) - z * y + log(1 + temp3), with temp3 = exp(-abs(z)). Its
    # derivative, term by term: temp1, which is 1 where z > 0 and else 0; then -y; then
    # that of temp3, over 1 + temp3. It is -temp3 where z > 0, and temp3 where z < 0, so
    # temp3 / (1 + temp3) * temp2 is right if temp2 is -1 where z > 0 and 1 where z < 0.
    temp1 = np.fmax(logits, 0)
    temp1[temp1 > 0] = 1
    temp2 = logits.copy()  # MATLAB: assigning copies
    temp2[temp2 > 0] = -1
    temp2[temp2 < 0] = 1  # MATLAB: turns the -1 just set into 1: the bug, kept
    temp3 = np.exp(-np.abs(logits))  # MATLAB: has no temp3, but this twice
    return temp1 - labels + temp3 / (1 + temp3) * temp2


def nnsetup(architecture, precision="double"):
    """Build a network with layers of the sizes `architecture`, and draw its w and b.

    precision (new): "double" or "single", of all arrays. Returns the network, a dict.
    Its "layers" is a list of dicts, one a layer.
    """
    nn = {"architecture": architecture, "layers_count": len(architecture)}
    # say the structure is [100, 512, 784]: 3 layers, the input layer of 100 and two
    # hidden layers, with weights of 100*512 and 512*784; the output is the last layer's
    # a, its values after the activation
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
    n = nn["layers_count"] - 1  # the last layer
    layers[0]["a"] = x
    for i in range(1, n + 1):
        input = layers[i - 1]["a"]
        w = layers[i]["w"]
        b = layers[i]["b"]
        layers[i]["z"] = mtimes(input, w) + b  # MATLAB: repmat(b, size(input, 1), 1)
        if i != n:
            layers[i]["a"] = relu(layers[i]["z"])
        else:
            layers[i]["a"] = sigmoid(layers[i]["z"])
    return nn


def nnbp_d(nn, y_h, y, delta=delta_sigmoid_cross_entropy):
    """Backpropagation of the discriminator, after nnff has set each layer's z and a.

    y_h: the logits, (rows, 1). y: the labels, (rows, 1). delta (new): the function that
    makes the last layer's residual from these two. Sets d, dw and db of each layer but
    the input; returns nn.
    """
    # this takes the derivative with respect to each parameter; another structure (other
    # activations and so on) needs a change here, other numbers of weights and biases do
    # not. To update w and b one needs the derivatives of the final loss with respect to
    # them; the residuals are results on the way there.
    # d is the residual: the derivative of the final loss with respect to a layer's
    # values before the activation, z; by the chain rule, worked out by hand
    layers = nn["layers"]
    n = nn["layers_count"] - 1  # the last layer; MATLAB: counts from 1, so no - 1
    # the residual of the last layer
    layers[n]["d"] = delta(y_h, y)
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
    return nn


def nnbp_g(g_net, d_net):
    """Backpropagation of the generator g_net through the discriminator d_net.

    nnff must have set z and a of g_net, and nnbp_d the d of d_net. Sets d, dw and db of
    each layer of g_net but the input; returns g_net.
    """
    layers = g_net["layers"]
    n = g_net["layers_count"] - 1  # the last layer
    a = layers[n]["a"]
    # the generator's loss comes from label_fake (images_fake fed through the
    # discriminator give label_fake), so in its bp g and d can be seen as one network:
    # the residual of g's last layer is that of d's layer 2 times a * (1 - a)
    layer = d_net["layers"][1]  # layer 2 where one counts from 1
    layers[n]["d"] = mtimes(layer["d"], layer["w"].T) * (a * (1 - a))
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
    n = nn["layers_count"] - 1  # the last layer
    for i in range(1, n + 1):
        layer = nn["layers"][i]
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

# MATLAB: one stream of random numbers, for rand, randn and randperm
stream = np.random.RandomState(5489)


def mtimes(a, b):
    """MATLAB's a*b of matrices; the result is column-major.

    So are all matrices of the networks: NumPy is slow where both orders meet in one
    formula.
    """
    return np.matmul(a, b, order="F")


def vertcat(a, b):
    """MATLAB's [a;b] of matrices; the result is column-major."""
    result = np.empty((len(a) + len(b), a.shape[1]), a.dtype, order="F")
    return np.concatenate([a, b], out=result)


def format_f(x):
    """The text that MATLAB's fprintf prints of the number x for %f."""
    return f"{x:f}".replace("nan", "NaN").replace("inf", "Inf")


def imwrite(I, path):
    """MATLAB's imwrite of a double image in 0..1: uint8(255*I), in a PNG file."""
    grey = (255 * I).clip(0, 255)
    grey[np.isnan(grey)] = 0  # MATLAB: uint8(NaN) is 0
    # MATLAB: halves go up; floor(grey + 0.5) would give 1 for 0.49999999999999994
    whole = np.floor(grey)
    whole[grey - whole >= 0.5] += 1
    try:
        Image.fromarray(whole.astype(np.uint8)).save(path)
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror or error})")


def rng(seed):
    """Seed the stream with a whole number in 0..2^32-1."""
    stream.seed(seed or 5489)  # MATLAB: 0 stands for 5489


def rand(m, n):
    """Uniform numbers in 0..1, (m, n)."""
    return stream.random_sample(m * n).reshape(m, n, order="F")


def unifrnd(a, b, m, n):
    """Uniform numbers in a..b, (m, n)."""
    return (a / 2 + b / 2) + (b / 2 - a / 2) * (2 * rand(m, n) - 1)


def randperm(n):
    """The numbers 1..n in random order, (n,)."""
    # MATLAB: the indices that sort n numbers of rand
    return np.argsort(rand(1, n)[0], kind="stable") + 1


def normrnd(mu, sigma, m, n):
    """Normal numbers with mean `mu` and standard deviation `sigma`, (m, n)."""
    return randn(m, n) * sigma + mu


def randn(m, n):
    """Standard normal numbers, (m, n), from MATLAB's ziggurat.

    Marsaglia and Tsang, J. Stat. Software 5(8), 2000: 256 strips, one on the other,
    cover the bell curve. A trial takes a pair of 32-bit words: 8 bits choose a strip,
    53 give x, a horizontal position in it. If the whole height of the strip is below
    the curve at x, x is the value. If not, further pairs decide.
    """
    with open(f"{HERE}/data/randn_edges.txt", encoding="latin-1") as f:
        edges = np.loadtxt(f, comments="%")  # (257,): of the strips
    heights = np.exp(-edges * edges / 2)  # of the curve at the edges
    values = []
    while len(values) < m * n:
        # a value takes one pair or more, so this many pairs are never too many
        pairs = m * n - len(values)
        # the raw words of the twister, as rand takes them
        words = stream.randint(0, 2**32, (pairs, 2), dtype=np.uint32)
        first, second = words[:, 0], words[:, 1]
        strip = (second >> 24).astype(int) + 1  # 1..256
        place = ((first >> 3) * 2.0**24 + (second & 0xFFFFFF)) * 2.0**-52 - 1  # -1..1
        x = place * edges[strip]
        at_once = (np.abs(x) <= edges[strip - 1]).tolist()
        uniform = uniform_numbers(first, second).tolist()
        strip = strip.tolist()
        x = x.tolist()
        # each pair is taken once: next_uniform() takes some, and the loop the next ones
        unused = iter(range(pairs))
        for k in unused:
            if at_once[k]:
                values.append(x[k])
            elif strip[k] < 256:  # where the curve cuts the strip: a height decides
                low = heights[strip[k]]
                high = heights[strip[k] - 1]
                height = low + next_uniform(uniform, unused) * (high - low)
                if height < math.exp(-x[k] * x[k] / 2):
                    values.append(x[k])
            else:  # in the lowest strip, of the width edges[256], beyond r = edges[255]
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
        # both logarithms are below 0; the factor is MATLAB's 15 digits of 1 / r
        dx = math.log(next_uniform(uniform, unused)) * 0.273661237329758
        y = math.log(next_uniform(uniform, unused))
        if -2 * y > dx * dx:
            return r - dx


# ---------------------------------------------- from here on nothing of the original


def delta_exact(logits, labels):
    """The right derivative of each row's cross entropy; all (n, 1)."""
    return sigmoid(logits) - labels


# what the checkpoint keeps of each layer
LAYER_STATE = ("w", "b")


def begin(opt, train_x, generator, discriminator):
    """Start, or go on from opt.checkpoint: fill both networks and set the stream.

    A checkpoint that is not there yet (or an empty file) is written at once, so that a
    path that cannot be written fails now. Returns what the port keeps beside the
    original's variables: a dict, see the comments.
    """
    run = {
        "e": 0,  # epochs done, in all
        "steps": 0,  # made since `start`
        "start": time.monotonic(),
        "c_loss": [],  # of every step
        "d_loss": [],
        "diverged": False,  # whether the line about it was printed
        "head": b"",  # of the checkpoint as last read or written, see head_of()
    }
    if opt.checkpoint:
        run["settings"] = settings_of(opt, train_x)
        run["head"] = head_of(opt.checkpoint)
        if run["head"]:
            resume(run, opt, generator, discriminator)
        else:
            save_checkpoint(run, opt, 0, generator, discriminator)
    opt.run = run  # for what is said after Ctrl-C
    return run


def settings_of(opt, train_x):
    """The settings that must be the same where a run goes on, but for the rate."""
    names = ["batch_size", "images_num", "seed"]
    settings = {name: float(getattr(opt, name)) for name in names}
    settings |= {"precision": opt.precision, "gradient": opt.gradient}
    settings["images_sha256"] = hashlib.sha256(train_x).hexdigest()
    settings["learning_rate"] = opt.learning_rate
    return settings


def end_step(run, opt, e, t, batch_num, c_loss, d_loss):
    """Keep the losses; on a terminal, show how far the training is, in one line."""
    run["c_loss"].append(c_loss)
    run["d_loss"].append(d_loss)
    run["steps"] += 1
    if t == batch_num:
        show_line("")
    elif t % 20 == 0:
        seconds = (time.monotonic() - run["start"]) / run["steps"]
        left = round(seconds * ((opt.epoch - e + 1) * batch_num - t))
        time_left = f"{left // 60} min {left % 60} s left"
        show_line(f"epoch {e}/{opt.epoch} batch {t}/{batch_num} {time_left}")


def end_epoch(run, opt, e, generator, discriminator):
    """Save the checkpoint after epoch e, but not once a network has Inf or NaN."""
    if is_finite(generator) and is_finite(discriminator):
        if opt.checkpoint:
            save_checkpoint(run, opt, e, generator, discriminator)
        run["e"] = e
    elif not run["diverged"]:
        run["diverged"] = True
        kept = f"; {opt.checkpoint} stays at epoch {run['e']}" if opt.checkpoint else ""
        remedy = "try a lower --learning-rate"
        message(f"epoch {e}: a network has Inf or NaN; {remedy}{kept}")


def is_finite(nn):
    """Whether the network has no Inf and no NaN."""
    arrays = [layer[field] for layer in nn["layers"][1:] for field in LAYER_STATE]
    return all(np.isfinite(x).all() for x in arrays)


# ---------------------------------------------------------------------- the checkpoint


def save_checkpoint(run, opt, e, generator, discriminator):
    """Write the file opt.checkpoint after epoch e: what the original has, and more.

    Where another run has written the file meanwhile, this one ends.
    """
    if head_of(opt.checkpoint) not in (b"", run["head"]):
        fail(f"{opt.checkpoint}: another run saves there too, so this one stops")
    state = stream.get_state(legacy=False)["state"]
    workspace = {
        "e": float(e),
        "script": SCRIPT,
        **run["settings"],
        "c_loss": np.reshape(run["c_loss"], (-1, 1)),  # of every step
        "d_loss": np.reshape(run["d_loss"], (-1, 1)),
        # MATLAB: s = rng; s.State, 624 words and how many of them are used
        "rng_state": np.append(state["key"], np.uint32(state["pos"])).reshape(-1, 1),
        "generator": network_struct(generator),
        "discriminator": network_struct(discriminator),
    }
    # not compressed: that takes 20 times as long, for the same size
    write_whole(opt.checkpoint, lambda f: savemat(f, workspace))
    run["head"] = head_of(opt.checkpoint)


def resume(run, opt, generator, discriminator):
    """Go on from the file opt.checkpoint.

    One of other settings, images or layers, or of the other script, ends the program.
    """
    names = ["e", "script", *run["settings"], "c_loss", "d_loss", "rng_state"]
    names += ["generator", "discriminator"]
    hint = f"name a checkpoint of {NAME}, or a new file"
    saved = load_mat(opt.checkpoint, names, hint)
    if saved["script"] != SCRIPT:
        fail(f"{opt.checkpoint}: was saved by {saved['script']}.py; {hint}")
    fill_network(opt, generator, saved["generator"])
    fill_network(opt, discriminator, saved["discriminator"])
    *words_of_stream, used = saved["rng_state"].tolist()
    stream.set_state(("MT19937", words_of_stream, used))
    run["e"] = int(saved["e"])
    if run["e"] >= opt.epoch:
        hint = "for more give a higher --epoch"
        return message(f"{opt.checkpoint} has {run['e']} epochs; {hint}")
    compare_settings(opt, saved, run["settings"])
    run["c_loss"] += np.ravel(saved["c_loss"]).tolist()
    run["d_loss"] += np.ravel(saved["d_loss"]).tolist()
    if run["e"]:
        message(f"{opt.checkpoint}: going on after epoch {run['e']}")


def compare_settings(opt, before, now):
    """End the program if a setting was not what it is now; only the rate may change."""
    for name in now:
        if np.array_equal(before[name], now[name]):
            continue
        if name == "images_sha256":
            hint = "name its --data, or another --checkpoint"
            fail(f"{opt.checkpoint}: was trained on other images; {hint}")
        changed = f"{name} was {words(before[name])}, and is {words(now[name])} now"
        if name != "learning_rate":
            hint = "give it as before, or name another --checkpoint"
            fail(f"{opt.checkpoint}: {changed}; {hint}")
        message(f"{opt.checkpoint}: {changed}")


def words(x):
    """A setting as it is printed, whole numbers without a point."""
    return " ".join(str(v).removesuffix(".0") for v in np.ravel(x))


def network_struct(nn):
    """The network as savemat takes it, so that MATLAB loads the original's struct."""
    struct = {x: np.array(nn[x], float) for x in nn if x != "layers"}
    struct["layers"] = [{"a": []}]  # MATLAB: layers{1}, the input, has only a
    for layer in nn["layers"][1:]:
        struct["layers"].append({field: layer[field] for field in LAYER_STATE})
    return struct


def fill_network(opt, nn, struct):
    """Fill the network `nn` from what network_struct() made of one like it."""
    fixed = {x: nn[x] for x in nn if x not in ("t", "layers")}
    compare_settings(opt, struct, fixed)
    if "t" in nn:  # of Adam
        nn["t"] = float(struct["t"])
    for i in range(1, nn["layers_count"]):
        layer = nn["layers"][i]
        for field in LAYER_STATE:  # SciPy drops a size of 1
            layer[field][:] = np.reshape(struct["layers"][i][field], layer[field].shape)


# --------------------------------------------------------------------------- the files


def load_mat(file, names, hint):
    """The variables `names` of the .mat `file`: a dict, with dicts for structs.

    A file that cannot be read, or that lacks one, ends the program with `hint`.
    """
    variables = None
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # the header is 124 bytes of any text, and 4 bytes that say the format
            if f.read(128)[124:] in (b"\x00\x01IM", b"\x01\x00MI"):
                # only `names`: SciPy cannot read every class that others may have
                variables = loadmat(f, variable_names=names, simplify_cells=True)
    except Exception as error:  # SciPy raises almost anything on a damaged file
        reason = getattr(error, "strerror", "") or str(error) or type(error).__name__
        fail(f"{file}: cannot be read ({reason}); {hint}")
    if variables is None:
        fail(f"{file}: is not a .mat file as of MATLAB's save with '-v7'; {hint}")
    missing = [name for name in names if name not in variables]
    if missing:
        fail(f"{file}: has no {missing[0]}; {hint}")
    return variables


def head_of(file):
    """The first bytes of a .mat file, with the time when it was written: to the second.

    Empty if there is no file.
    """
    with contextlib.suppress(FileNotFoundError), open(file, "rb") as f:
        return f.read(128)
    return b""


def write_whole(path, write):
    """Write the file `path`: all of it, or else leave what was there before.

    write: a function that fills the open file that it is given. An error of the disk
    ends the program.
    """
    target = os.path.realpath(path)  # a symbolic link stays one
    folder = os.path.dirname(target)
    part = f"{target}.part"  # one name, so that killed runs leave one such file
    try:
        with open(part, "wb") as f:
            write(f)
            f.flush()
            flush_to_disk(f)
        replace_file(part, target)
    except OSError as error:
        reason = error.strerror or error
        if isinstance(error, FileNotFoundError) and os.path.isdir(folder):
            reason = "another run saves there too"
        fail(f"{path}: cannot be written ({reason})")
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
    """Rename; Windows refuses that while a virus scanner or a viewer has the target."""
    for seconds in 0.1, 0.2, 0.4, 0.8, 1.6, 3.2:
        with contextlib.suppress(PermissionError):
            return os.replace(part, target)
        time.sleep(seconds)
    os.replace(part, target)


# ------------------------------------------------------------------------- the program


def options(argv=None):
    """The flags in the list `argv`, or the command line's: a Namespace."""
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="Train a small GAN on MNIST; see README.md.",
        epilog="Two runs at once are faster with OPENBLAS_NUM_THREADS=1 set for both.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    # the original's variables
    text = "passes over the images, in all (default: %(default)s)"
    add("--epoch", type=int, metavar="N", default=EPOCH, help=text)
    text = "real images a step, and as many fake ones (default: %(default)s)"
    add("--batch-size", type=int, metavar="N", default=BATCH_SIZE, help=text)
    text = "train on the first N images (default: %(default)s)"
    add("--images-num", type=int, metavar="N", default=IMAGES_NUM, help=text)
    text = "step of an update (default: %(default)s)"
    add("--learning-rate", type=float, metavar="X", default=LEARNING_RATE, help=text)
    # the port's own
    text = "save here after every epoch; if FILE exists, go on from it"
    add("--checkpoint", metavar="FILE", help=text)
    text = "folder for pictures; replaces any of the same name (default: %(default)s)"
    add("--pics", metavar="DIR", default="./pics", help=text)
    text = "the images (default: data/mnist_uint8.mat beside the script)"
    add("--data", metavar="FILE", default=f"{HERE}/data/mnist_uint8.mat", help=text)
    text = "MATLAB's rng(N); a fresh MATLAB has 0 (default: %(default)s)"
    add("--seed", type=int, metavar="N", default=0, help=text)
    text = "double, or single for speed (default: %(default)s)"
    kinds = ["double", "single"]
    add("--precision", metavar="P", default="double", choices=kinds, help=text)
    text = "matlab, or exact without the bug (default: %(default)s)"
    kinds = ["matlab", "exact"]
    add("--gradient", metavar="G", default="matlab", choices=kinds, help=text)
    opt = parser.parse_args(argv)
    check_flags(parser, opt)
    return opt


def check_flags(parser, opt):
    """End the program if a flag's value cannot be used."""
    if opt.epoch < 1:
        parser.error("--epoch must be at least 1")
    if opt.batch_size < 16:  # MATLAB: save_images stops with an index error
        parser.error("--batch-size must be at least 16, for the 4x4 pictures")
    if opt.images_num < 1:
        parser.error("--images-num must be at least 1")
    if opt.images_num % opt.batch_size:  # MATLAB: an index error in the last batch
        images = f"--images-num {opt.images_num}"
        parser.error(f"{images} must be a multiple of --batch-size {opt.batch_size}")
    if not 0 < opt.learning_rate < math.inf:
        parser.error("--learning-rate must be finite and above 0")
    if not 0 <= opt.seed < 2**32:
        parser.error("--seed must be in 0..4294967295")
    if "" in (opt.checkpoint, opt.pics, opt.data):  # a shell's variable that is not set
        parser.error("--checkpoint, --pics and --data must not be empty")
    if os.path.exists(opt.pics) and not os.path.isdir(opt.pics):
        parser.error(f"--pics {opt.pics}: is not a folder")
    file = opt.checkpoint or ""
    is_other = os.path.exists(file) and not os.path.isfile(file)
    if is_other or file.endswith(("/", "\\")):
        parser.error(f"--checkpoint {file}: is not a file")


def program(opt):
    """Run main() as a program: what stops it, such as Ctrl-C, takes one line."""
    sys.stderr = sys.stderr or open(os.devnull, "w")  # None where it was closed
    if hasattr(sys.stdout, "reconfigure"):  # not in Jupyter, Spyder or IDLE
        sys.stdout.reconfigure(errors="backslashreplace")  # paths in any alphabet
    try:
        return main(opt)
    except KeyboardInterrupt:
        message(f"stopped; {what_is_saved(opt)}")
        raise SystemExit(130) from None
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except MemoryError:
        fail("the memory is too small for this --batch-size or --images-num")
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror or error}")


def what_is_saved(opt):
    """After Ctrl-C: what there is to go on from."""
    if not opt.checkpoint:
        return "nothing to go on from was saved; --checkpoint FILE saves it"
    if "run" not in opt:  # stopped in begin() or before
        return "the training had not begun"
    e = opt.run["e"]
    if e == 0:
        return "no epoch was done; the same command starts anew"
    return f"the same command goes on after epoch {e} of {opt.checkpoint}"


def show_line(line):
    """On a terminal, show `line` in the place of the line shown before."""
    # consoles such as Jupyter, Spyder and IDLE put a stream of their own there
    if sys.stderr is sys.__stderr__ and sys.stderr.isatty():
        print(f"\r{line:50}\r", end="", file=sys.stderr, flush=True)


def message(text):
    """Print a line on standard error that names the script."""
    show_line("")
    text = text.replace("\n", " ")
    print(f"{NAME}: {text}", file=sys.stderr, flush=True)


def fail(text):
    """End the program with a line on standard error, status 2."""
    message(text)
    raise SystemExit(2)


if __name__ == "__main__":
    # named, so that a console keeps both, as MATLAB's workspace does
    generator, discriminator = program(options())
