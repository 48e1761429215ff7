"""What the tools share: how they end, and how they read .mat files and checkpoints.

A checkpoint is what gan_adam.py or gan_mbgd.py saved. Messages name the program that
was started.
"""

import importlib
import math
import os
import sys
import warnings

import numpy as np
from scipy.io import loadmat

HERE = os.path.dirname(os.path.realpath(__file__))  # behind symbolic links
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, ROOT)  # where the scripts are

SCRIPTS = ("gan_adam", "gan_mbgd")
NETWORKS = ("generator", "discriminator")
PIXELS = 784  # of an image
LOSSES = ("c_loss", "d_loss")
SETTINGS = "batch_size images_num learning_rate seed precision gradient".split()
NAMES = ["script", "e", *SETTINGS, "images_sha256", "rng_state", "steps"]
NAMES += [*LOSSES, *NETWORKS]


def fail(message, status=2):
    """End the program with `message` as its one line on standard error."""
    line = f"{os.path.basename(sys.argv[0])}: {message}".replace("\n", " ")
    print(line, file=sys.stderr)
    raise SystemExit(status)


def program(main):
    """Run main() as a program: what stops it ends quietly or in one line."""
    if hasattr(sys.stdout, "reconfigure"):  # not in Jupyter, Spyder or IDLE
        sys.stdout.reconfigure(errors="backslashreplace")  # names in any alphabet
    try:
        status = main()
        print(end="", flush=True)  # a full disk shows here; sys.stdout may be None
    except KeyboardInterrupt:
        fail("stopped", 130)
    except MemoryError:
        fail("the memory is too small for so many numbers")
    except OSError as error:
        if not error.filename:  # standard output: what is left of it goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # nobody reads it any more
            raise SystemExit(1) from None
        fail(f"{error.filename or 'output'}: {error.strerror}")
    if status:
        raise SystemExit(status)


# --------------------------------------------------------------------- checkpoints


def read_checkpoint(file):
    """The checkpoint `file`, checked: a dict; what cannot be used ends the program.

    It has script ("gan_adam" or "gan_mbgd"), e, batch_size, images_num and seed (ints),
    learning_rate, precision, gradient, images_sha256, c_loss and d_loss (steps,) with
    NaN where a loss is not known, rng_state (625,) uint32, generator and discriminator
    as read_network() makes them.
    """
    saved = load_variables(file, NAMES)
    try:
        return check_checkpoint(saved)
    except ValueError as error:
        fail(f"{file}: is not a checkpoint of {' or '.join(SCRIPTS)}: {error}")


def check_checkpoint(saved):
    """What read_checkpoint() returns, of the variables of the file; else ValueError."""
    script = text(saved, "script", SCRIPTS)
    found = {"script": script, "e": whole_number(saved, "e", 0), **read_settings(saved)}
    found["precision"] = text(saved, "precision", ["double", "single"])
    found["gradient"] = text(saved, "gradient", ["matlab", "exact"])
    found["images_sha256"] = text(saved, "images_sha256")
    found["rng_state"] = read_stream(saved)
    return found | {net: read_network(saved, net, script) for net in NETWORKS}


def read_settings(saved):
    """The numbers that say what was trained, and the losses: a dict; else ValueError.

    seed, images_num, batch_size (ints), learning_rate, c_loss and d_loss (steps,).
    """
    found = {
        "seed": whole_number(saved, "seed", 0),
        "images_num": whole_number(saved, "images_num", 1),
        "batch_size": whole_number(saved, "batch_size", 16),  # a picture shows 16
        "learning_rate": number(saved, "learning_rate"),
    }
    if found["images_num"] % found["batch_size"]:
        raise ValueError("images_num must be a multiple of batch_size")
    if not 0 < found["learning_rate"] < math.inf:
        raise ValueError("learning_rate must be finite and above 0")
    found |= {name: numbers(saved, name) for name in LOSSES}
    if found["c_loss"].size != found["d_loss"].size:
        raise ValueError("c_loss and d_loss must have the same length")
    return found


def read_stream(saved):
    """rng_state, MATLAB's s.State of its twister: (625,) uint32; else ValueError."""
    state = numbers(saved, "rng_state")
    is_word = (state >= 0) & (state < 2**32) & (state % 1 == 0)
    words, used = state[:-1], state[-1:]
    if state.size != 625 or not is_word.all() or not words.any() or used > 624:
        raise ValueError("rng_state must be the 625 numbers of MATLAB's twister")
    return state.astype(np.uint32)


# ------------------------------------------------------------------------- networks


def read_network(saved, net, script, finite=True):
    """The struct saved[net], checked, in the form that `script` has; else ValueError.

    {"architecture": [100, 512, 784], "layers_count": 3, "layers": [{}, {"w": (100, 512)
    doubles, "b": (1, 512), ...}, ...]}, and Adam's t, beta1, beta2, epsilon, w_m, ...
    net: "generator" or "discriminator". finite: whether Inf and NaN are refused.
    """
    struct = read_struct(saved, net)
    gan = importlib.import_module(script)
    fields = network_fields(gan)
    if ("t" in struct) != ("t" in fields):
        raise ValueError(f"{net} is not one of {script}")
    sizes = read_architecture(struct, net)
    nn = {"architecture": sizes, "layers_count": len(sizes)}
    for name in fields:
        nn[name] = number(struct, name, f"{net}.{name}")
        if not 0 <= nn[name] < math.inf:
            raise ValueError(f"{net}.{name} must not be {nn[name]:g}")
    layers = np.ravel(np.array(struct.get("layers"), object))
    if len(layers) != len(sizes):
        raise ValueError(f"{net}.layers must be a cell array of {len(sizes)}")
    nn["layers"] = [{}]
    for i in range(1, len(sizes)):
        label = f"{net}.layers{{{i + 1}}}"
        # SciPy makes no dicts of a cell array's structs where its first cell is empty
        layer = getattr(layers[i], "__dict__", layers[i])
        shape = (sizes[i - 1], sizes[i])
        nn["layers"].append(read_layer(layer, label, shape, gan.LAYER_STATE, finite))
    return nn


def read_layer(layer, label, shape, fields, finite):
    """One layer's `fields`, of w's shape (inputs, outputs): a dict; else ValueError."""
    if not isinstance(layer, dict):
        raise ValueError(f"{label} must be a struct")
    arrays = {}
    for name in fields:
        size = shape if name[0] == "w" else (1, shape[1])
        what = f"{label}.{name}"
        arrays[name] = numbers(layer, name, size, what)
        if finite and not np.isfinite(arrays[name]).all():
            raise ValueError(f"{what} has NaN or Inf: the training had diverged")
    return arrays


def network_fields(gan):
    """The numbers beside the layers that the networks of the script `gan` have."""
    fields = gan.nnsetup([1, 1, 1])  # which draws: a run sets its stream later
    return [x for x in fields if x not in ("architecture", "layers_count", "layers")]


def read_architecture(struct, net):
    """The layer sizes of the network named `net`: a list of ints; else ValueError."""
    label = f"{net}.architecture"
    sizes = numbers(struct, "architecture", label=label)
    if sizes.size < 2 or not np.all((sizes >= 1) & (sizes % 1 == 0)):
        raise ValueError(f"{label} must be at least two whole numbers from 1 on")
    if net == "generator" and sizes[-1] != PIXELS:
        raise ValueError(f"{label} must end with {PIXELS}, the pixels of an image")
    if net == "discriminator" and (sizes[0] != PIXELS or sizes[-1] != 1):
        raise ValueError(f"{label} must begin with {PIXELS} and end with 1")
    return [int(n) for n in sizes]


def read_struct(saved, name):
    """saved[name], a struct, as a dict; else ValueError."""
    if not isinstance(saved.get(name), dict):
        raise ValueError(f"{name} is missing, or not a struct")
    return saved[name]


# ------------------------------------------------------------------------ variables


def load_variables(file, names):
    """The variables of the .mat `file` among `names`: a dict, structs as dicts.

    No other variable is looked at, so the file may hold strings, tables and so on. What
    cannot be read ends the program.
    """
    try:
        with open(file, "rb") as f, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # the header is 124 bytes of any text, and 4 bytes that say the format
            if f.read(128)[124:] in (b"\x00\x01IM", b"\x01\x00MI"):
                return loadmat(f, variable_names=names, simplify_cells=True)
    except Exception as error:  # SciPy raises almost anything on a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        fail(f"{file}: cannot be read ({reason})")
    fail(f"{file}: is not a .mat file of MATLAB's save with '-v7' (one of '-v7.3'?)")


def numbers(saved, name, shape=None, label=None):
    """saved[name] as an array of doubles, of `shape` if given; else ValueError."""
    label = label or name
    x = np.asarray(saved.get(name))
    if x.dtype.kind not in "fiu":  # MATLAB stores whole numbers as integers
        raise ValueError(f"{label} is missing, or not real numbers")
    # SciPy drops a size of 1
    if shape and x.squeeze().shape != tuple(n for n in shape if n != 1):
        raise ValueError(f"{label} must be {' x '.join(map(str, shape))}")
    return x.astype(float).reshape(shape or -1)


def number(saved, name, label=None):
    """saved[name] as a float; else ValueError."""
    return numbers(saved, name, (1, 1), label).item()


def whole_number(saved, name, low):
    """saved[name] as an int in low..2^32-1; else ValueError."""
    x = number(saved, name)
    if not low <= x < 2**32 or x % 1:
        raise ValueError(f"{name} must be a whole number, {low} to 2^32 - 1")
    return int(x)


def text(saved, name, words=()):
    """saved[name], a str, one of `words` if there are any; else ValueError."""
    x = saved.get(name)
    if not isinstance(x, str):
        raise ValueError(f"{name} is missing, or not a row of characters")
    if words and x not in words:
        raise ValueError(f"{name} must be {' or '.join(words)}")
    return x
