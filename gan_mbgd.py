# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.24", "scipy>=1.10", "pillow>=9.4"]
# ///
"""Train a small fully connected GAN on MNIST: backpropagation by hand, mini-batch gradient descent.

A NumPy port of gan_mbgd.m, github.com/jonzhaocn/Simple-GAN-Base-on-Matlab at commit
f6f788de96a69d2e815aebf2977d28d220ad6c81, (c) 2018 Jon Zhao, BSD-2-Clause. It computes what
the original computes in a fresh MATLAB, bugs included: the same random numbers, the same
formulas in the same order, equal but for rounding. It is no framework: other activations need
other formulas.

"MATLAB:" marks what differs, or keeps a quirk, and says what MATLAB does there. Layers and rows
count from 0, with layers[0] the input; e, t, kk from 1. Networks are dicts, changed in place. New
are flags, checkpoints, progress, single precision and the exact gradient.

Glossary: B batch size, z pre-activation, a activation, d = dloss/dz the residual of each row's own
loss, w and b weights and biases, dw and db the mean loss's derivatives with respect to them.
Weights and activations are column-major. Run: python gan_mbgd.py [--help]
"""

import argparse
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings

HERE, NAME = os.path.split(os.path.abspath(__file__))
try:
    import numpy as np
    from PIL import Image
    from scipy.io import loadmat, savemat, whosmat
except KeyboardInterrupt:  # loading them takes a while
    raise SystemExit(f"{NAME}: stopped before training") from None
# --------------------------------------------------------------------------------------------------
# these three, the docstring, nnsetup and nnapplygrade are all that differs from gan_adam.py
LEARNING_RATE = 0.01
NET_STATE = ()  # what a checkpoint keeps of a network besides its layers: nothing
LAYER_STATE = ("w", "b")  # and of its layers
# --------------------------------------------------------------------------------------------------
SETTINGS = (
    "batch_size",
    "images_num",
    "learning_rate",
    "seed",
    "precision",
    "gradient",
)


@np.errstate(all="ignore")  # MATLAB: Inf and NaN raise no warning
def main(opt):
    """Train as the settings `opt` say, see options(); the script part of the original."""
    # ----------- load the data
    train_x = load_train_x(
        opt.data, opt.images_num
    )  # (images_num, 784) uint8, see there
    # ----------------- define the models
    rng(opt.seed)  # MATLAB: not called; a fresh one starts as after rng(0)
    generator = nnsetup([100, 512, 784], opt.precision)
    discriminator = nnsetup([784, 512, 1], opt.precision)
    c_losses, d_losses = (
        resume(opt, generator, discriminator) if opt.resume else ([], [])
    )
    # ----------- start training
    batch_size = opt.batch_size
    epoch = opt.epoch
    images_num = opt.images_num
    batch_num = math.ceil(images_num / batch_size)
    learning_rate = opt.learning_rate
    delta = {"matlab": delta_sigmoid_cross_entropy, "exact": delta_exact}[opt.gradient]
    ones = np.ones(
        (batch_size, 1), opt.precision
    )  # MATLAB: these three anew in each step
    labels = np.concatenate([np.zeros((batch_size, 1), opt.precision), ones])  # (2B, 1)
    images = np.empty((2 * batch_size, 784), opt.precision, order="F")
    if opt.e >= epoch:  # opt.e: the epochs done before; no error
        fail(
            f"--resume {opt.resume}: has {opt.e} epochs already; name a higher --epoch",
            status=0,
        )
    os.makedirs(opt.pics, exist_ok=True)  # make the folder where it is missing
    save_checkpoint(
        opt, generator, discriminator, c_losses, d_losses
    )  # a bad path fails here
    begun = time.perf_counter(), len(c_losses)  # when, and how many losses there were
    for e in range(opt.e + 1, epoch + 1):
        kk = randperm(images_num)
        for t in range(1, batch_num + 1):
            # prepare the data
            # MATLAB: divides by 255 when loading; and has no - 1, as rows count from 1
            images_real = (
                train_x[kk[(t - 1) * batch_size : t * batch_size] - 1] / 255
            )  # (B, 784)
            noise = unifrnd(-1, 1, batch_size, 100).astype(opt.precision)  # (B, 100)
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
            images[:batch_size], images[batch_size:] = (
                images_fake,
                images_real,
            )  # (2B, 784)
            discriminator = nnff(discriminator, images)
            logits = discriminator["layers"][-1]["z"]  # (2B, 1)
            discriminator = nnbp_d(discriminator, logits, labels, delta)
            discriminator = nnapplygrade(discriminator, learning_rate)
            # ---------------- print the losses
            c_loss = sigmoid_cross_entropy(logits[:batch_size], ones)
            d_loss = sigmoid_cross_entropy(logits, labels)
            c_losses.append(
                c_loss
            )  # MATLAB: has the losses of an epoch's last batch only
            d_losses.append(d_loss)
            progress(
                begun, epoch, e, batch_num, t, c_losses, d_losses
            )  # MATLAB: has none
            if t == batch_num:  # MATLAB: two ifs with this condition
                print(f'c_loss:"{float_f(c_loss)}",d_loss:"{float_f(d_loss)}"')
                path = f"{opt.pics}/epoch_{e}_t_{t}.png"
                save_images(images_fake, [4, 4], path)
                print(f"save_sample:{path}", flush=True)
        opt.e = e
        save_checkpoint(opt, generator, discriminator, c_losses, d_losses)


def sigmoid(x):
    """The sigmoid activation, elementwise."""
    return 1 / (1 + np.exp(-x))


def relu(x):
    """The rectifier, elementwise."""
    return np.fmax(x, 0)  # MATLAB: max(NaN, 0) is 0


def delta_relu(x):
    """relu's derivative with respect to x, elementwise: 1 where x > 0, else 0."""
    return (x > 0).astype(x.dtype)  # MATLAB: max(x, 0), then 1 where that is above 0


def sigmoid_cross_entropy(logits, labels):
    """Mean cross entropy, a float, of logits (before the sigmoid) and labels, both (n, 1)."""
    # https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits
    result = np.fmax(logits, 0) - logits * labels + np.log(1 + np.exp(-np.abs(logits)))
    return float(result.mean())


def delta_sigmoid_cross_entropy(logits, labels):
    """The original's derivative of each row's loss with respect to its logit, (n, 1)."""
    # for logit z, label y: sigmoid(z)-y for z < 0, as is right, but -y at 0, 2-sigmoid(z)-y above
    temp1 = np.fmax(logits, 0)
    temp1[temp1 > 0] = 1
    temp2 = logits.copy()  # MATLAB: assigning copies
    temp2[temp2 > 0] = -1
    temp2[temp2 < 0] = 1  # MATLAB: turns the -1 just set into 1: a bug, kept
    temp3 = np.exp(-np.abs(logits))  # MATLAB: written out twice in the next line
    return temp1 - labels + temp3 / (1 + temp3) * temp2


def delta_exact(logits, labels):
    """The right derivative of each row's loss, for --gradient exact; not in the original."""
    return sigmoid(logits) - labels


def nnsetup(architecture, precision="double"):
    """Build the network with layers of the sizes `architecture`; draws its w and b."""
    nn = {"architecture": architecture, "layers_count": len(architecture)}
    # [100, 512, 784] is 3 layers: the input of 100, then two with weights (the original says:
    # hidden layers), 100*512 and 512*784; the output is the last layer's a (activation)
    nn["layers"] = [{} for _ in architecture]
    for i in range(1, nn["layers_count"]):
        m, n = architecture[i - 1], architecture[i]
        layer = nn["layers"][i]
        layer["w"] = normrnd(0, 0.02, m, n).astype(precision)
        layer["b"] = normrnd(0, 0.02, 1, n).astype(precision)
    return nn


def nnff(nn, x):
    """Feed `x` (rows, inputs) forward; sets each layer's z and a (rows, outputs)."""
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
    """The discriminator's bp: derivatives with respect to each parameter, from logits and labels.

    Another structure (activations and so on) needs another bp, other numbers of weights do not. To
    update w and b one needs the mean loss's partial derivatives with respect to them; residuals
    come up on the way. Sets each layer's d (rows, outputs) and, if `derivatives`, its dw and db.
    """
    # d is the residual: the row's final loss's partial derivative with respect to a layer's values
    # before the activation (z), from the chain rule, worked out by hand
    layers = nn["layers"]
    n = nn["layers_count"] - 1
    # the last layer's residual
    layers[n]["d"] = delta(y_h, y)
    for i in range(n - 1, 0, -1):
        d = layers[i + 1]["d"]
        w = layers[i + 1]["w"]
        z = layers[i]["z"]
        # the residual (of z): the next layer's times w, times the activation's derivative
        layers[i]["d"] = mtimes(d, w.T) * delta_relu(z)
    if not derivatives:
        return nn
    # from the residuals: the mean loss's partial derivatives with respect to weights and biases
    for i in range(1, n + 1):
        d = layers[i]["d"]
        a = layers[i - 1]["a"]
        # dw is the derivative with respect to the layer's weights
        layers[i]["dw"] = mtimes(a.T, d) / d.shape[0]
        layers[i]["db"] = d.mean(axis=0, keepdims=True)
    return nn


def nnbp_g(g_net, d_net):
    """The generator's bp, once nnbp_d has set the d of `d_net`: sets each layer's d, dw and db."""
    layers = g_net["layers"]
    n = g_net["layers_count"] - 1
    a = layers[n]["a"]
    # the generator's loss comes from logits_fake (images_fake, fed through the discriminator), so
    # for this bp g_net and d_net are one network: the residual of g_net's last layer is that of
    # d_net's second, layers[1], times its w (the original's comment omits w), times (a .* (1-a))
    d = d_net["layers"][1]["d"]
    w = d_net["layers"][1]["w"]
    layers[n]["d"] = mtimes(d, w.T) * (a * (1 - a))
    for i in range(n - 1, 0, -1):
        d = layers[i + 1]["d"]
        w = layers[i + 1]["w"]
        z = layers[i]["z"]
        # the residual (of z): the next layer's times w, times the activation's derivative
        layers[i]["d"] = mtimes(d, w.T) * delta_relu(z)
    # from the residuals: the mean loss's partial derivatives with respect to weights and biases
    for i in range(1, n + 1):
        d = layers[i]["d"]
        a = layers[i - 1]["a"]
        # dw is the derivative with respect to the layer's weights
        layers[i]["dw"] = mtimes(a.T, d) / d.shape[0]
        layers[i]["db"] = d.mean(axis=0, keepdims=True)
    return g_net


def nnapplygrade(nn, learning_rate):
    """Apply the gradients: update each layer's w and b by one step of gradient descent."""
    for layer in nn["layers"][1:]:
        dw = layer["dw"]
        db = layer["db"]
        layer["w"] -= learning_rate * dw  # MATLAB: w = w - learning_rate * dw
        layer["b"] -= learning_rate * db  # MATLAB: b = b - learning_rate * db
    return nn


def save_images(images, count, path):
    """Save the first `images` (n, 784), 0..1, as a grid of `count` [row, col] to look at."""
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


# ------------------------------------------------------------------ functions that MATLAB brings

stream = np.random.RandomState(5489)  # MATLAB: one stream for rand, randn and randperm


def mtimes(a, b):
    """MATLAB's a*b of matrices; the result is column-major."""
    return np.matmul(a, b, order="F")


def float_f(x):
    """What fprintf prints of x for %f."""
    return f"{x:f}".replace("nan", "NaN").replace("inf", "Inf")


def imwrite(I, path):
    """MATLAB's imwrite of a double image: uint8(255*I), in a PNG file."""
    grey = np.nan_to_num(255 * I, nan=0).clip(0, 255)  # MATLAB: uint8(NaN) is 0
    grey = np.floor(
        grey + np.nextafter(0.5, 0)
    )  # MATLAB: rounds; + 0.5 would take 0.5-2^-54 to 1
    write_whole(path, lambda f: Image.fromarray(grey.astype(np.uint8)).save(f, "png"))


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
    return np.argsort(rand(1, n)[0], kind="stable") + 1


def normrnd(mu, sigma, m, n):
    """Normal numbers with mean `mu` and standard deviation `sigma`, (m, n)."""
    return randn(m, n) * sigma + mu


def randn(m, n):
    """Standard normal numbers, (m, n), from MATLAB's ziggurat.

    Marsaglia and Tsang, J. Stat. Software 5(8), 2000. A trial takes a pair of 32-bit numbers:
    8 bits choose a strip, 53 a place in it. Most give a value at once; others ask for more pairs.
    """
    with open(f"{HERE}/data/randn_edges.txt", encoding="latin-1") as f:
        edges = np.array(re.findall(r"^[\d.]+$", f.read(), re.MULTILINE), float)
    if edges.size != 257:
        fail(f"{f.name}: lacks the 257 edges of strips that randn needs")
    heights = np.exp(-edges * edges / 2)
    state = stream.get_state()  # the stream goes back to it below
    pairs = m * n + m * n // 16 + 128  # more than enough: a value takes 1.02
    u0, u1 = stream.randint(0, 2**32, (pairs, 2), dtype=np.uint32).T
    strip = (u1 >> 24).astype(np.intp) + 1  # 1..256
    x = (((u0 >> 3) * 2.0**24 + (u1 & 0xFFFFFF)) * 2.0**-52 - 1) * edges[strip]
    u = ((u0 >> 5) * 2.0**26 + (u1 >> 6)) * 2.0**-53  # what rand would make of the pair
    plain = np.abs(x) <= edges[strip - 1]  # the trials that give a value at once
    values, missing, p = [], m * n, 0  # p: the next pair; q: the next trial not plain
    for q in (*np.flatnonzero(~plain).tolist(), pairs):  # pairs: the end
        if q < p:
            continue  # spent by the trial before
        values.append(x[p : min(q, p + missing)])  # the plain trials up to q
        p += len(values[-1])
        missing -= len(values[-1])
        if not missing:
            break
        p = q + 1
        if strip[q] < 256:  # the wedge between strip and curve
            low, high = heights[strip[q]], heights[strip[q] - 1]
            accepted = low + u[p] * (high - low) < math.exp(-x[q] * x[q] / 2)
            p += 1
        else:  # the tail beyond the last strip
            accepted = False
            while not accepted:
                y, dx = (
                    math.log(u[p + 1]),
                    math.log(u[p]) * 0.273661237329758,
                )  # 1 / edges[255]
                accepted = -2 * y > dx * dx
                p += 2
            x[q] = math.copysign(edges[255] - dx, x[q])  # dx < 0
        if accepted:
            values.append(x[q : q + 1])
            missing -= 1
    stream.set_state(state)
    stream.bytes(8 * p)  # moves the stream behind the last pair used
    return np.concatenate(values).reshape(m, n, order="F")


# ------------------------------------------------------------------------ not in the original


def load_mat(flag, file, names, how):
    """The .mat `file`'s variables among `names`, structs as dicts; or fails: `flag`, why, `how`."""
    # the most elements of a class; rng_state has 625, a text counts as one
    most = {
        "double": 10**8,
        "single": 10**8,
        "uint8": 10**9,
        "uint32": 625,
        "char": 1,
        "struct": 1,
    }
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if f.read(19) != b"MATLAB 5.0 MAT-file":
                raise ValueError("no .mat file as MATLAB's save makes with '-v7'")
            for name, shape, kind in whosmat(
                f
            ):  # before loading: a file can claim any size
                if name in names and math.prod(shape) > most.get(kind, -1):
                    raise ValueError(f"{name} is a {kind}, or too large")
            return loadmat(f, variable_names=names, simplify_cells=True)
    except Exception as error:  # scipy raises almost anything on a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        fail(f"{flag} {file}: cannot be read: {reason}; {how}")


def load_train_x(file, images_num):
    """The first images of the .mat `file`, pixels column by column: (images_num, 784) uint8."""
    how = "data/make_mnist_mat.py builds it"
    train_x = np.asarray(load_mat("--data", file, ["train_x"], how).get("train_x"))
    if (
        train_x.dtype != np.uint8
        or train_x.shape[1:] != (784,)
        or len(train_x) < images_num
    ):
        fail(
            f"--data {file}: has no train_x of N x 784 uint8 for --images-num {images_num}; {how}"
        )
    # MATLAB: double(...)/255 of all images; here of each batch, the same numbers
    # MATLAB: reshape, permute, reshape: from pixels row by row to pixels column by column
    train_x = (
        train_x[:images_num].reshape(-1, 28, 28).transpose(0, 2, 1)
    )  # (n, col, row)
    return np.ascontiguousarray(train_x).reshape(-1, 784)


def write_whole(path, write):
    """Replace the file `path`, whole or not at all, by what write(f) writes to the open file f."""
    target = os.path.realpath(path)  # a symbolic link stays one
    part = f"{target}.{os.urandom(4).hex()}.part"  # another run may write there too
    try:
        with open(part, "xb") as f:
            write(f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(part, target)
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror})")
    finally:
        if os.path.exists(part):
            os.remove(part)


def save_checkpoint(opt, generator, discriminator, c_losses, d_losses):
    """Write all that resume() needs, in the original's names, to opt.checkpoint, if that is set."""
    if not opt.checkpoint:
        return
    workspace = {k: getattr(opt, k) for k in SETTINGS} | {
        "e": opt.e,
        "steps": len(c_losses),
    }
    workspace = {k: v if isinstance(v, str) else float(v) for k, v in workspace.items()}
    workspace |= {
        "c_loss": np.c_[c_losses],
        "d_loss": np.c_[d_losses],
    }  # columns, of every step
    _, words, position = stream.get_state()[:3]
    workspace["rng_state"] = np.append(words, np.uint32(position))[
        :, None
    ]  # as rng().State
    for name, nn in ("discriminator", discriminator), ("generator", generator):
        struct = {
            k: np.array(nn[k], float)
            for k in ("architecture", "layers_count", *NET_STATE)
        }
        layers = [{k: layer[k] for k in LAYER_STATE} for layer in nn["layers"][1:]]
        workspace[name] = struct | {
            "layers": [{"a": []}, *layers]
        }  # layers{1} is the input
    write_whole(opt.checkpoint, lambda f: savemat(f, workspace, do_compression=True))


def read_network(nn, struct):
    """Fill `nn` from a checkpoint's `struct`; LookupError or ValueError for another form."""
    if ("t" in struct) != ("t" in nn):  # gan_mbgd has none
        raise ValueError(
            "only gan_adam has t, w_m, w_v, b_m, b_v; run the other script"
        )
    for k in NET_STATE:
        nn[k] = float(struct[k])
        if not 0 <= nn[k] < (math.inf if k == "t" else 1):
            raise ValueError(f"{k} must not be {nn[k]}")
    for layer, saved in zip(nn["layers"][1:], struct["layers"][1:], strict=True):
        for k in LAYER_STATE:
            x = np.asarray(saved[k])
            fits = (
                x.dtype.kind in "fiu" and x.squeeze().shape == layer[k].squeeze().shape
            )
            if not fits or not np.isfinite(x).all() or (k == "w" and not x.any()):
                raise ValueError(
                    f"{k} must be {layer[k].shape} finite numbers, w not all 0"
                )
            layer[k][:] = x.reshape(layer[k].shape)


def resume(opt, generator, discriminator):
    """Set opt.e, the networks and the stream from opt.saved; returns the losses of all steps.

    A workspace of the original lacks the stream and most losses: opt.seed stands in, NaN for all.
    """
    saved, was = opt.saved, {**vars(opt), **opt.saved}  # was: opt as it was when saved
    try:
        steps = (
            saved["e"] * was["images_num"] / was["batch_size"]
        )  # if these never changed
        if not 0 <= float(saved["e"]) <= steps <= 10**8 or saved["e"] % 1:
            raise ValueError(
                "e must be a whole number that fits images_num and batch_size"
            )
        opt.e = int(saved["e"])
        read_network(generator, saved["generator"])
        read_network(discriminator, saved["discriminator"])
        c_losses, d_losses = (
            np.ravel(saved.get(k, math.nan)) for k in ("c_loss", "d_loss")
        )
        if (
            c_losses.size == d_losses.size == 1 and steps != 1
        ):  # the last ones, as MATLAB has them
            c_losses = d_losses = np.full(int(steps), math.nan)
        if any(x.size not in (steps, saved.get("steps")) for x in (c_losses, d_losses)):
            raise ValueError("c_loss and d_loss must have an entry for each step")
        rng(opt.seed)
        if "rng_state" in saved and opt.seed == was["seed"]:  # another seed starts anew
            *words, position = (
                saved["rng_state"].astype(np.uint32, casting="safe").tolist()
            )
            if len(words) != 624 or not any(words) or position > 624:
                raise ValueError("rng_state must be 624 words and a position in 0..624")
            stream.set_state(("MT19937", words, position))
        taken = ", ".join(f"{k} {getattr(opt, k)}" for k in SETTINGS if k not in saved)
        if taken:
            say(f"{NAME}: {opt.resume} lacks some settings; taken are {taken}")
        return c_losses.tolist(), d_losses.tolist()
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        missing = "it has no " if isinstance(error, KeyError) else ""
        fail(f"--resume {opt.resume}: is no workspace of {NAME}: {missing}{error}")


def progress(begun, epoch, e, batch_num, t, c_losses, d_losses):
    """Warn of the first Inf or NaN; on a terminal, show progress. begun: (time, steps) at start."""
    c_loss, d_loss = c_losses[-1], d_losses[-1]
    if not math.isfinite(c_loss + d_loss):
        if all(
            map(
                math.isfinite,
                reversed(c_losses[begun[1] : -1] + d_losses[begun[1] : -1]),
            )
        ):
            say(
                f"{NAME}: epoch {e}, batch {t}: loss {float_f(c_loss + d_loss)}; training goes on"
            )
    steps = len(c_losses) - begun[1]
    pace = (time.perf_counter() - begun[0]) / steps  # seconds a step
    if t == batch_num:
        say("", end="")  # clears the line
    elif steps % math.ceil(0.3 / pace) == 0:  # some three times a second
        left = round(pace * ((epoch - e + 1) * batch_num - t))
        line = f"epoch {e}/{epoch} batch {t}/{batch_num} c_loss {c_loss:.3f} d_loss {d_loss:.3f}"
        line += f" {pace * batch_num:.1f} s/epoch {left // 60}:{left % 60:02} left"
        say(line, end="")


def say(text, end="\n"):
    """Print `text` on standard error; end="": on terminals only, overwritten by the next say()."""
    try:
        width = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
        text = f"\r{'':{width}}\r{text if end else text[:width]}"
    except OSError:  # no terminal
        text = text if end else ""
    print(text, end=end, file=sys.stderr, flush=True)


def fail(message, status=2):
    """End the program with `message` as its last word."""
    say(f"{NAME}: {message}".replace("\n", " "))
    raise SystemExit(status)


def options(argv=None):
    """The flags, checked; `saved`: what the --resume file holds, or None; `e`: 0, see resume()."""
    parser = argparse.ArgumentParser(
        description=f"{NAME}: see README.md", allow_abbrev=False
    )
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.error = lambda message: fail(f"{message}; see --help")
    add = parser.add_argument_group("the original's variables").add_argument
    add(
        "--epoch",
        type=int,
        default=100,
        metavar="N",
        help="passes over the images, in all",
    )
    add(
        "--batch-size",
        type=int,
        default=60,
        metavar="N",
        help="real images a step; as many fake",
    )
    add(
        "--images-num",
        type=int,
        default=60000,
        metavar="N",
        help="train on the first N images",
    )
    add(
        "--learning-rate",
        type=float,
        default=LEARNING_RATE,
        metavar="X",
        help="step of an update",
    )
    add = parser.add_argument_group("the port's own").add_argument
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="MATLAB's rng(N); a fresh MATLAB has 0",
    )
    add(
        "--precision",
        choices=["double", "single"],
        default="double",
        help="single: for speed",
    )
    add(
        "--gradient",
        choices=["matlab", "exact"],
        default="matlab",
        help="exact: the right one",
    )
    add(
        "--data",
        default=f"{HERE}/data/mnist_uint8.mat",
        metavar="FILE",
        help="the MNIST images",
    )
    add("--pics", default="./pics", metavar="DIR", help="folder for the pictures")
    add(
        "--checkpoint", metavar="FILE", help="save the workspace here after every epoch"
    )
    add(
        "--resume",
        metavar="FILE",
        help="go on from a checkpoint; to save, give both flags",
    )
    opt, saved = parser.parse_args(argv), None
    if opt.resume:
        names = [
            "e",
            "steps",
            "c_loss",
            "d_loss",
            "rng_state",
            "generator",
            "discriminator",
        ]
        saved = load_mat(
            "--resume", opt.resume, [*SETTINGS, *names], "--checkpoint makes one"
        )
        kept = {
            k: str(saved[k]).removesuffix(".0") for k in SETTINGS if k in saved
        }  # 60.0 as 60
        flags = [f"--{k.replace('_', '-')}={v}" for k, v in kept.items()]
        opt = parser.parse_args(
            flags + (argv or sys.argv[1:])
        )  # the given flags win, being last
    opt.e, opt.saved = 0, saved
    if "" in (opt.data, opt.pics, opt.checkpoint, opt.resume):
        fail("--data, --pics, --checkpoint and --resume must not be empty")
    if min(opt.epoch, opt.images_num) < 1 or opt.batch_size < 16:  # MATLAB: index error
        fail(
            "--epoch and --images-num must be at least 1, --batch-size at least 16 (4x4 pictures)"
        )
    if not 0 < opt.learning_rate < math.inf or not 0 <= opt.seed < 2**32:
        fail("--learning-rate must be finite and above 0, --seed in 0..4294967295")
    if (
        opt.images_num % opt.batch_size
    ):  # MATLAB: stops with an index error in the last batch
        fail(
            f"--images-num {opt.images_num} must be a multiple of --batch-size {opt.batch_size}"
        )
    if os.path.isfile(opt.pics):
        fail(f"--pics {opt.pics}: is no folder")
    if opt.checkpoint and os.path.exists(opt.checkpoint):
        if not opt.resume or not os.path.samefile(opt.checkpoint, opt.resume):
            fail(
                f"--checkpoint {opt.checkpoint}: is there already; --resume it, or name another"
            )
    return opt


def run():
    """Run main() as a program: Ctrl-C and errors of files or memory end in one line."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # None where it was closed
    sys.stderr = sys.stderr or open(os.devnull, "w")
    sys.stdout.reconfigure(
        errors="backslashreplace"
    )  # the console may not know a path's letters
    if hasattr(signal, "SIGTSTP"):  # Ctrl-Z: clear the line, then stop as ever
        stop = signal.SIGSTOP
        signal.signal(
            signal.SIGTSTP, lambda *_: (say("", end=""), signal.raise_signal(stop))
        )
    opt = None
    try:
        opt = options()
        main(opt)
    except KeyboardInterrupt:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # a second Ctrl-C would cut the line short
        if not opt or not opt.checkpoint or not os.path.exists(opt.checkpoint):
            fail("stopped; this run wrote no checkpoint", 130)
        e = load_mat("--checkpoint", opt.checkpoint, ["e"], "training stopped")["e"]
        more = [] if opt.resume == opt.checkpoint else ["--resume", opt.checkpoint]
        words = sys.orig_argv + more  # the last --resume counts
        command = (
            shlex.join(words) if os.name == "posix" else subprocess.list2cmdline(words)
        )
        fail(f"stopped; saved after epoch {e:.0f}; go on with: {command}", 130)
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except MemoryError:
        fail("the memory is too small for this --batch-size or --images-num")
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror}")


if __name__ == "__main__":
    run()
