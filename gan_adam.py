# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.24", "scipy>=1.10", "pillow>=9.4"]
# ///
"""Train a small fully connected GAN on MNIST: backpropagation by hand, updates by Adam.

A NumPy port of gan_adam.m, github.com/jonzhaocn/Simple-GAN-Base-on-Matlab at commit
611a3cc745e59b3d177ac862aecad5032426d941, (c) 2018 Jon Zhao, BSD-2-Clause. It computes what
the original computes in a fresh MATLAB, bugs included: the same random numbers, the same
arithmetic in the same order. It is no framework: another network needs other formulas.

What differs, marked "MATLAB:" at the line: indices count from 0, so layers[0] is the input;
a network is a dict that is changed in place; what the original computes and never reads is
left out; files, resuming, single precision and the exact gradient, at the end, are new.

Glossary: B batch size, z pre-activation, a activation, d = dloss/dz the residual, w and b
weights and biases, dw and db the loss's derivatives by them, _m and _v Adam's moments.
Arrays are column-major, as in MATLAB. Run: python gan_adam.py [--help]
"""

import argparse
import functools
import io
import math
import os
import sys
import time
import warnings

import numpy as np
from PIL import Image
from scipy.io import loadmat, savemat

HERE = os.path.dirname(os.path.abspath(__file__))
# --------------------------------------------------------------------------------------------------
# settings: each is a flag, --batch-size for batch_size; default, value, meaning
SETTINGS = {
    "epoch": (100, "N", "passes over the images"),
    "batch_size": (60, "N", "real images a step, and as many fake ones"),
    "images_num": (60000, "N", "train on the first N images"),
    "learning_rate": (0.001, "X", "step of an update"),
    "seed": (0, "N", "MATLAB's rng(N); a fresh MATLAB has 0"),
    "precision": ("double", "P", "double, or single as MATLAB's single()"),
    "gradient": ("matlab", "G", "matlab, or exact, without the original's bug"),
    "data": (os.path.join(HERE, "data", "mnist_uint8.mat"), "FILE", "the MNIST images"),
    "pics": ("./pics", "DIR", "folder for the pictures, made when missing"),
    "checkpoint": (None, "FILE", "save the workspace here after every epoch"),
    "resume": (None, "FILE", "go on from such a workspace up to --epoch"),
}
# what a checkpoint keeps: of the settings, of a network, of its layers
STORED = ("batch_size", "images_num", "learning_rate", "seed", "precision", "gradient")
NET_STATE = ("t", "beta1", "beta2", "epsilon")
LAYER_STATE = ("w", "b", "w_m", "w_v", "b_m", "b_v")
# --------------------------------------------------------------------------------------------------


@np.errstate(all="ignore")  # MATLAB: Inf and NaN raise no warning
def main(opt):
    """Train as the settings `opt` say, see options(); the script part of the original."""
    # ----------- load the data
    train_x = load_train_x(opt.data, opt.images_num)  # (images_num, 784) uint8
    # ----------------- define the models
    rng(opt.seed)
    generator = nnsetup([100, 512, 784], opt.precision)
    discriminator = nnsetup([784, 512, 1], opt.precision)
    c_losses, d_losses = resume(opt, generator, discriminator)
    # ----------- start training
    batch_size = opt.batch_size
    epoch = opt.epoch
    images_num = opt.images_num
    batch_num = math.ceil(images_num / batch_size)
    learning_rate = opt.learning_rate
    delta = {"matlab": delta_sigmoid_cross_entropy, "exact": delta_exact}[opt.gradient]
    # MATLAB: makes these three anew in each step
    ones = np.ones((batch_size, 1), opt.precision)
    labels = np.concatenate([0 * ones, ones])  # (2B, 1)
    images = np.empty((2 * batch_size, 784), opt.precision, order="F")
    if opt.e >= epoch:
        fail(f"--resume {opt.resume}: has its {opt.e} epochs; --epoch N goes on to N", 0)
    if opt.checkpoint:
        write_whole(opt.checkpoint)  # only tries, so that no training is lost
    os.makedirs(opt.pics, exist_ok=True)  # MATLAB: mkdir('./pics') where it is missing
    write_whole(f"{opt.pics}/epoch_0_t_0.png")  # only tries
    for e in range(opt.e + 1, epoch + 1):
        kk = randperm(images_num)
        for t in range(1, batch_num + 1):
            # prepare the data
            images_real = train_x[kk[(t - 1) * batch_size : t * batch_size] - 1] / 255  # (B, 784)
            noise = unifrnd(-1, 1, batch_size, 100).astype(opt.precision)  # (B, 100)
            # start training
            # ----------- update the generator, the discriminator stays fixed
            generator = nnff(generator, noise)
            images_fake = generator["layers"][-1]["a"]  # (B, 784)
            discriminator = nnff(discriminator, images_fake)
            logits_fake = discriminator["layers"][-1]["z"]  # (B, 1)
            # MATLAB: computes dw and db of the fixed network too, and never reads them
            discriminator = nnbp_d(discriminator, logits_fake, ones, delta, False)
            generator = nnbp_g(generator, discriminator)
            generator = nnapplygrade(generator, learning_rate)
            # ----------- update the discriminator, the generator stays fixed
            generator = nnff(generator, noise)
            images_fake = generator["layers"][-1]["a"]  # (B, 784)
            images[:batch_size], images[batch_size:] = images_fake, images_real  # (2B, 784)
            discriminator = nnff(discriminator, images)
            logits = discriminator["layers"][-1]["z"]  # (2B, 1)
            discriminator = nnbp_d(discriminator, logits, labels, delta)
            discriminator = nnapplygrade(discriminator, learning_rate)
            # ---------------- print the losses
            c_loss = sigmoid_cross_entropy(logits[:batch_size], ones)
            d_loss = sigmoid_cross_entropy(logits, labels)
            c_losses.append(c_loss)  # MATLAB: has the losses of the last batch only
            d_losses.append(d_loss)
            progress(opt, e, t, batch_num, c_loss, d_loss)
            if t == batch_num:
                print(f'c_loss:"{float_f(c_loss)}",d_loss:"{float_f(d_loss)}"')
            if t == batch_num:
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
    """relu's derivative by x, elementwise: 1 where x > 0, else 0."""
    return (x > 0).astype(x.dtype)  # MATLAB: max(x, 0), then 1 where that is above 0


def sigmoid_cross_entropy(logits, labels):
    """Mean cross entropy of sigmoid(`logits`) and `labels`, both (B, 1); a float.

    The logits are not yet activated by sigmoid, as in
    https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits
    """
    result = np.fmax(logits, 0) - logits * labels + np.log(1 + np.exp(-np.abs(logits)))
    return float(result.mean())


def delta_sigmoid_cross_entropy(logits, labels):
    """The original's derivative of sigmoid_cross_entropy by the logits, not yet activated.

    All (B, 1). It is sigmoid(z) - y only for z < 0; it is -y at 0 and 2 - sigmoid(z) - y above.
    """
    temp1 = np.fmax(logits, 0)
    temp1[temp1 > 0] = 1
    temp2 = logits.copy()  # MATLAB: assigning copies
    temp2[temp2 > 0] = -1
    temp2[temp2 < 0] = 1  # MATLAB: makes the -1 just set a 1 too: a bug, kept
    temp3 = np.exp(-np.abs(logits))  # MATLAB: written out twice in the next line
    return temp1 - labels + temp3 / (1 + temp3) * temp2


def delta_exact(logits, labels):
    """The right derivative, for --gradient exact; not in the original."""
    return sigmoid(logits) - labels


def nnsetup(architecture, precision="double"):
    """Build the network with layers of the sizes `architecture`; draws its w and b."""
    nn = {"architecture": architecture, "layers_count": len(architecture)}
    # t, beta1, beta2, epsilon and each layer's w_m, w_v, b_m, b_v are what Adam needs
    nn["t"] = 0
    nn["beta1"] = 0.9
    nn["beta2"] = 0.999
    nn["epsilon"] = 10**-8
    # [100, 512, 784] stands for 3 layers: the input layer of 100, then two with weights,
    # 100*512 and 512*784; the output is the last layer's a (activation)
    nn["layers"] = [{} for _ in architecture]
    for i in range(1, nn["layers_count"]):
        layer, m, n = nn["layers"][i], architecture[i - 1], architecture[i]
        layer["w"] = normrnd(0, 0.02, m, n).astype(precision)
        layer["b"] = normrnd(0, 0.02, 1, n).astype(precision)
        for name in "w_m", "w_v", "b_m", "b_v":
            layer[name] = np.zeros_like(layer[name[0]])  # MATLAB: 0, widened by the first update
    return nn


def nnff(nn, x):
    """Feed `x` (B, inputs) forward; sets each layer's z and a (B, outputs)."""
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


# The discriminator's bp: derivatives by each parameter. Another structure (activations and so
# on) needs another bp, other numbers of weights and biases do not. To update w, b one needs the
# final loss's partial derivatives by them; the residuals come up on the way there.
def nnbp_d(nn, y_h, y, delta=delta_sigmoid_cross_entropy, derivatives=True):
    """Propagate the loss of logits `y_h` and labels `y` (B, 1) back.

    Sets each layer's d (B, outputs) and, if `derivatives`, its dw and db, shaped as w and b.
    """
    # d is the residual: the final loss's partial derivative by a layer's values before the
    # activation (z), from the chain rule, worked out by hand
    layers, n = nn["layers"], nn["layers_count"] - 1
    # the last layer's residual
    layers[n]["d"] = delta(y_h, y)
    for i in range(n - 1, 0, -1):
        d = layers[i + 1]["d"]
        w = layers[i + 1]["w"]
        z = layers[i]["z"]
        # a layer's residual is a derivative by its z: the next layer's residual times w, times
        # the activation's derivative by z
        layers[i]["d"] = mtimes(d, w.T) * delta_relu(z)
    # with the residuals, the final loss's partial derivatives by weights and biases
    for i in range(1, n + 1 if derivatives else 1):
        d = layers[i]["d"]
        a = layers[i - 1]["a"]
        # dw is the derivative by the layer's weights
        layers[i]["dw"] = mtimes(a.T, d) / d.shape[0]
        layers[i]["db"] = d.mean(axis=0, keepdims=True)
    return nn


# The generator's bp
def nnbp_g(g_net, d_net):
    """Propagate the loss on through `g_net`, once nnbp_d has set the d of `d_net`.

    Sets each layer's d (B, outputs) and its dw and db, shaped as w and b.
    """
    layers, n = g_net["layers"], g_net["layers_count"] - 1
    a = layers[n]["a"]
    # the generator's loss comes from label_fake (images_fake, fed through the discriminator), so
    # for the bp of g, g and d are one network: the residual of g's last layer is the residual of
    # d's second layer, times its w, times (a .* (1-a))
    d = d_net["layers"][1]["d"]
    w = d_net["layers"][1]["w"]
    layers[n]["d"] = mtimes(d, w.T) * (a * (1 - a))
    for i in range(n - 1, 0, -1):
        d = layers[i + 1]["d"]
        w = layers[i + 1]["w"]
        z = layers[i]["z"]
        # a layer's residual is a derivative by its z: the next layer's residual times w, times
        # the activation's derivative by z
        layers[i]["d"] = mtimes(d, w.T) * delta_relu(z)
    # with the residuals, the final loss's partial derivatives by weights and biases
    for i in range(1, n + 1):
        d = layers[i]["d"]
        a = layers[i - 1]["a"]
        # dw is the derivative by the layer's weights
        layers[i]["dw"] = mtimes(a.T, d) / d.shape[0]
        layers[i]["db"] = d.mean(axis=0, keepdims=True)
    return g_net


# Apply the gradients; Adam updates the variables, see
# https://www.tensorflow.org/api_docs/python/tf/train/AdamOptimizer
def nnapplygrade(nn, learning_rate):
    """Update each layer's w and b from its dw and db, by one step of Adam."""
    nn["t"] = nn["t"] + 1
    beta1 = nn["beta1"]
    beta2 = nn["beta2"]
    lr = learning_rate * math.sqrt(1 - beta2 ** nn["t"]) / (1 - beta1 ** nn["t"])
    for layer in nn["layers"][1:]:
        # the next lines, once for w and once for b, are Adam; in place, in the original's order
        for p in "w", "b":
            w, w_m, w_v, dw = (layer[name] for name in (p, f"{p}_m", f"{p}_v", f"d{p}"))
            w_m *= beta1  # MATLAB: w_m = beta1 * w_m + (1-beta1) * dw
            w_m += (1 - beta1) * dw
            w_v *= beta2  # MATLAB: w_v = beta2 * w_v + (1-beta2) * (dw.*dw)
            w_v += (1 - beta2) * (dw * dw)
            # MATLAB: w = w - lr * w_m ./ (sqrt(w_v) + epsilon)
            w -= lr * w_m / (np.sqrt(w_v) + nn["epsilon"])
    return nn


def save_images(images, count, path):
    """Write the first rows of `images` (n, 784), 0..1, as a grid of `count` [row, col].

    For a look at the images_fake that the generator makes.
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


# ------------------------------------------------------------------ functions that MATLAB brings


def mtimes(a, b):
    """MATLAB's a*b of matrices; the result is column-major."""
    return np.matmul(a, b, order="F")


def float_f(x):
    """What fprintf prints of x for %f."""
    return f"{x:f}".replace("nan", "NaN").replace("inf", "Inf")


def imwrite(I, path):
    """MATLAB's imwrite of a double image: uint8(255*I), in a PNG file."""
    grey = np.nan_to_num(255 * I, nan=0).clip(0, 255)  # MATLAB: uint8(NaN) is 0
    grey = np.floor(grey) + (grey - np.floor(grey) >= 0.5)  # MATLAB: uint8 rounds half up
    png = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(png, "png")
    write_whole(path, png.getvalue())


stream = np.random.RandomState(5489)  # MATLAB: one stream for rand, randn and randperm


def rng(seed):
    """Seed the stream with a whole number in 0..2^32-1."""
    stream.seed(seed or 5489)  # MATLAB: 0 stands for the generator's own default


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


@functools.cache
def randn_edges():
    """The edges of the ziggurat's strips, (257,): see data/randn_edges.txt; fails without it."""
    file = os.path.join(HERE, "data", "randn_edges.txt")
    try:
        with open(file, encoding="ascii") as f:
            edges = np.array([float(line) for line in f if not line.startswith("%")])
    except (OSError, ValueError):
        edges = np.empty(0)
    if edges.shape != (257,) or not (np.diff(edges) > 0).all():
        fail(f"{file}: lacks the 257 edges that randn needs; take the file from the repository")
    return edges


def randn(m, n):
    """Standard normal numbers, (m, n), from MATLAB's ziggurat.

    Marsaglia and Tsang, J. Stat. Software 5(8), 2000. A trial takes a pair of 32-bit numbers,
    which say strip and place; 98 in 100 give a value at once. The others ask for further pairs.
    """
    edges = randn_edges()
    heights = np.exp(-edges * edges / 2)
    R = edges[255]
    count = m * n
    state = stream.get_state()
    pairs = count + count // 16 + 128  # more than enough: a value takes 1.02
    u0, u1 = stream.randint(0, 2**32, (pairs, 2), dtype=np.uint32).T
    strip = (u1 >> 24).astype(np.intp) + 1
    x = (((u0 >> 3) * 2.0**24 + (u1 & 0xFFFFFF)) * 2.0**-52 - 1) * edges[strip]
    u = ((u0 >> 5) * 2.0**26 + (u1 >> 6)) * 2.0**-53  # the pair, were it a rand
    plain = np.abs(x) <= edges[strip - 1]
    values = np.empty(count)
    filled = 0
    p = 0  # the next pair
    for q in (*np.flatnonzero(~plain).tolist(), pairs):
        if q < p:
            continue  # spent by the trial before
        # the plain trials up to q
        k = min(q - p, count - filled)
        values[filled : filled + k] = x[p : p + k]
        filled += k
        p += k
        if filled == count:
            break
        if strip[q] < 256:  # the wedge between strip and curve
            low, high = heights[strip[q]], heights[strip[q] - 1]
            value = x[q]
            accepted = low + u[q + 1] * (high - low) < math.exp(-value * value / 2)
            p = q + 2
        else:  # the tail beyond R
            a = b = 0.0
            p = q + 1
            while not -2 * b > a * a:
                a, b = math.log(u[p]) * 0.273661237329758, math.log(u[p + 1])
                p += 2
            value = a - R if x[q] < 0 else R - a
            accepted = True
        if accepted:
            values[filled] = value
            filled += 1
    stream.set_state(state)
    stream.bytes(8 * p)  # sets the stream behind the last pair used
    return values.reshape(m, n, order="F")


# ------------------------------------------------------------------------ not in the original


def load_train_x(file, images_num):
    """The first `images_num` rows of train_x in the .mat `file`: (images_num, 784) uint8."""
    how = "data/make_mnist_mat.py builds it"
    train_x = np.asarray(load_mat("--data", file, ["train_x"], how).get("train_x"))
    if train_x.dtype != np.uint8 or train_x.ndim != 2 or train_x.shape[1] != 784:
        fail(f"--data {file}: has no train_x of N x 784 uint8; {how}")
    if len(train_x) < images_num:
        fail(f"--data {file}: has only {len(train_x)} rows; lower --images-num {images_num}")
    # MATLAB: double(...)/255 of all images; here of each batch, the same numbers
    # MATLAB: reshape, permute, reshape: from pixels row by row to pixels column by column
    train_x = train_x[:images_num].reshape(-1, 28, 28).transpose(0, 2, 1)
    return np.ascontiguousarray(train_x).reshape(-1, 784)


def write_whole(path, data=None):
    """Write the bytes `data` to `path`, whole or not at all; without data only try."""
    part = f"{path}.part"
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(0, "it is a folder")
        with open(part, "wb") as f:
            f.write(data or b"")
            f.flush()
            os.fsync(f.fileno())
        if data:
            os.replace(part, path)
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror}); an older one is still whole")
    finally:
        if os.path.isfile(part):
            os.remove(part)


def progress(opt, e, t, batch_num, c_loss, d_loss):
    """Warn once of a loss that is Inf or NaN; on a terminal, keep one line on how far it is."""
    now, step = time.monotonic(), (e - 1) * batch_num + t
    if not math.isfinite(c_loss + d_loss) and not opt.lost:
        opt.lost = True
        say(f"epoch {e}, batch {t}: the loss is {float_f(d_loss)}; as in MATLAB, training goes on")
    opt.clock = opt.clock or (now, step)
    if not sys.stderr.isatty() or step == opt.clock[1] or now < opt.shown + 0.3 and t < batch_num:
        return
    opt.shown = now
    pace = (now - opt.clock[0]) / (step - opt.clock[1])  # seconds a step
    line = f"epoch {e}/{opt.epoch} batch {t}/{batch_num} c_loss {c_loss:.4f} d_loss {d_loss:.4f} "
    line += f"{pace * batch_num:.1f} s/epoch, {pace * (opt.epoch * batch_num - step):.0f} s left"
    print(end=f"\r{line[:79]:79}" if t < batch_num else f"\r{'':79}\r", file=sys.stderr, flush=True)


def say(message):
    """Print one line on standard error; on a terminal, in place of the line of progress()."""
    if sys.stderr.isatty():
        print(end=f"\r{'':79}\r", file=sys.stderr)
    print(f"{os.path.basename(__file__)}: {message}".replace("\n", " "), file=sys.stderr)


def fail(message, status=2):
    """End the program with `message` as its last word."""
    say(message)
    raise SystemExit(status)


def load_mat(flag, file, names, how):
    """Those of the variables `names` that the .mat `file` holds; structs come as dicts."""
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if f.read(10) in (b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n\0\0"):
                fail(f"{flag} {file}: is a v7.3 file; save it in MATLAB with '-v7'")
            return loadmat(f, variable_names=names, simplify_cells=True)
    except OSError as error:
        fail(f"{flag} {file}: cannot be read ({error.strerror}); {how}")
    except Exception:  # scipy raises almost anything on a damaged file
        fail(f"{flag} {file}: is damaged or no .mat file; {how}")


def save_checkpoint(opt, generator, discriminator, c_losses, d_losses):
    """Write the original's workspace after epoch opt.e to opt.checkpoint, where that is set."""
    if not opt.checkpoint:
        return
    workspace = {k: getattr(opt, k) for k in (*STORED, "e")}
    workspace = {k: v if isinstance(v, str) else float(v) for k, v in workspace.items()}
    workspace["c_loss"], workspace["d_loss"] = np.c_[c_losses], np.c_[d_losses]  # of every step
    workspace["rng_state"] = np.uint32(np.c_[np.append(*stream.get_state()[1:3])])  # s.State
    for name, nn in ("discriminator", discriminator), ("generator", generator):
        layers = np.empty((1, len(nn["layers"])), object)
        layers[0] = [{"a": []}, *({k: x[k] for k in LAYER_STATE} for x in nn["layers"][1:])]
        struct = {k: np.array(nn[k], float) for k in ("architecture", "layers_count", *NET_STATE)}
        workspace[name] = struct | {"layers": layers}  # last: a file cut short lacks them
    mat = io.BytesIO()
    savemat(mat, workspace, do_compression=True)  # which adds checksums
    write_whole(opt.checkpoint, mat.getvalue())


def resume(opt, generator, discriminator):
    """Set opt.e, the networks and the stream from opt.saved, if any; returns the losses so far.

    opt.saved is a checkpoint or a workspace of the original. That one has neither the stream,
    which starts from opt.seed then, nor the losses of every step, which are NaN then.
    """
    saved = opt.saved
    if saved is None:
        return [], []
    try:
        if not saved["e"] >= 1 or saved["e"] % 1:
            raise ValueError("e must be a whole number from 1 on")
        opt.e = int(saved["e"])
        for nn, struct in (generator, saved["generator"]), (discriminator, saved["discriminator"]):
            if list(struct["architecture"]) != nn["architecture"]:
                raise ValueError(f"architecture is not {nn['architecture']}")
            if ("t" in struct) != ("t" in nn):
                raise ValueError("only gan_adam has t, w_m, w_v, b_m, b_v; run the other script")
            nn.update({k: float(struct[k]) for k in NET_STATE})
            if not 0 <= nn.get("t", 0) < math.inf:
                raise ValueError("t must be a number from 0 on")
            if not all(0 <= nn.get(k, 0) < 1 for k in ("beta1", "beta2")):
                raise ValueError("beta1 and beta2 must be at least 0 and below 1")
            for layer, x in zip(nn["layers"][1:], struct["layers"][1:], strict=True):
                for k in LAYER_STATE:
                    np.copyto(layer[k], np.reshape(x[k], layer[k].shape, order="F"))
        rng(opt.seed)
        if "rng_state" not in saved:
            unknown = opt.e * opt.images_num // opt.batch_size
            return [math.nan] * unknown, [math.nan] * unknown
        if not opt.reseed:
            keys, position = saved["rng_state"][:624], int(saved["rng_state"][624])
            if not 0 <= position <= 624:  # NumPy would read beyond its words
                raise ValueError("rng_state has no position in 0..624")
            stream.set_state(("MT19937", keys, position))
        return np.ravel(saved["c_loss"]).tolist(), np.ravel(saved["d_loss"]).tolist()
    except (LookupError, TypeError, ValueError) as error:
        fail(f"--resume {opt.resume}: is no workspace of {os.path.basename(__file__)}: {error}")


def options(argv=None):
    """Read and check the command line; returns a namespace of SETTINGS and what resume() needs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.argument_default, parser.error = argparse.SUPPRESS, fail
    groups = [parser.add_argument_group(x) for x in ("the original's variables", "the port's own")]
    for i, (name, (default, value, text)) in enumerate(SETTINGS.items()):
        shown = os.path.relpath(default, HERE) if name == "data" else default
        flag = "--" + name.replace("_", "-")
        groups[i > 3].add_argument(
            flag, metavar=value, help=f"{text} ({'none' if shown is None else shown})"
        )
    given = vars(parser.parse_args(argv))
    opt = argparse.Namespace(**{k: v[0] for k, v in SETTINGS.items()}, saved=None)
    if "resume" in given:
        names = [*STORED, "e", "generator", "discriminator", "c_loss", "d_loss", "rng_state"]
        opt.saved = load_mat(
            "--resume", given["resume"], names, "--checkpoint, or MATLAB's save with -v7, makes one"
        )
        vars(opt).update((k, v) for k, v in opt.saved.items() if k in STORED)
    vars(opt).update(given, e=0, reseed="seed" in given, lost=False, clock=None, shown=0)
    for name, kind, low, high, words in (
        ("epoch", int, 1, math.inf, "a whole number from 1 on"),
        ("batch_size", int, 16, math.inf, "a whole number from 16 on, for 4x4 pictures"),
        ("images_num", int, 1, math.inf, "a whole number from 1 on"),
        ("learning_rate", float, 5e-324, sys.float_info.max, "a number above 0"),
        ("seed", int, 0, 2**32 - 1, "a whole number in 0..4294967295"),
    ):
        try:
            text = getattr(opt, name)
            value = kind(text)
            if not low <= value <= high or value != float(text):
                raise ValueError
        except (ValueError, TypeError, OverflowError):
            fail(f"--{name.replace('_', '-')} must be {words}, not {text}")
        setattr(opt, name, value)
    for name, words in ("precision", ["double", "single"]), ("gradient", ["matlab", "exact"]):
        if getattr(opt, name) not in words:
            fail(f"--{name} must be {' or '.join(words)}, not {getattr(opt, name)}")
    if opt.images_num % opt.batch_size:  # MATLAB: stops with an index error in the last batch
        fail(f"--images-num {opt.images_num} must be a multiple of --batch-size {opt.batch_size}")
    if opt.checkpoint and os.path.realpath(opt.checkpoint) == os.path.realpath(opt.data):
        fail(f"--checkpoint {opt.checkpoint}: would overwrite the --data file")
    return opt


def run():
    """Run main() as a program: whatever ends it early ends in one line."""
    opt = argparse.Namespace(e=0, checkpoint=None)
    sys.stdout.reconfigure(errors="backslashreplace")  # the console may not know a path's letters
    try:
        opt = options()
        main(opt)
    except KeyboardInterrupt:
        go_on = opt.checkpoint and opt.e and f"--resume {opt.checkpoint} goes on from there"
        fail(f"stopped after epoch {opt.e}; {go_on or 'no checkpoint was saved'}", 130)
    except BrokenPipeError:  # nobody reads standard output any more: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except MemoryError:
        fail("the memory is too small for this --batch-size or --images-num")
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror}")


if __name__ == "__main__":
    run()
