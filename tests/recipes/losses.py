"""Draw both losses of every step of a training.

    python tests/recipes/losses.py run.mat

run.mat is a checkpoint of gan_adam.py or gan_mbgd.py. It writes losses.png, in the
place of an older one, and needs matplotlib: python -m pip install matplotlib. The same
in MATLAB:

    load('run.mat', 'c_loss', 'd_loss')
    plot([c_loss, d_loss]); legend('c loss', 'd loss')
"""

import argparse
import os
import sys

import numpy as np

sys.path.insert(0, f"{os.path.dirname(os.path.realpath(__file__))}/../matlab")
import checkpoints

fail = checkpoints.fail


def main():
    """Read the losses, then draw and save them."""
    flags = read_flags()
    losses = read_losses(flags.checkpoint)
    figure = draw(losses)
    try:
        os.makedirs(flags.out, exist_ok=True)
        figure.savefig(f"{flags.out}/losses.png")
    except OSError as error:
        fail(f"--out {flags.out}: cannot be written ({error.strerror or error})")
    print(f"steps in losses.png: {len(losses['c_loss'])}")


def read_flags():
    """The flags of the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = fail  # one line
    parser.add_argument("checkpoint", help="the file, such as run.mat")
    text = "folder for the picture, made when missing (default: current folder)"
    parser.add_argument("--out", default=".", metavar="DIR", help=text)
    return parser.parse_args()


def read_losses(file):
    """c_loss and d_loss of the checkpoint, a number a step: a dict of (steps,)."""
    checkpoint = checkpoints.read_checkpoint(file)
    losses = {name: checkpoint[name] for name in ("c_loss", "d_loss")}
    for name, loss in losses.items():
        # of a workspace of MATLAB's only the last is known, the others are NaN
        if np.isfinite(loss).sum() < 2:
            fail(f"{file}: {name} must have the losses of two steps or more")
    return losses


def draw(losses):
    """The figure with a curve for each loss."""
    try:
        from matplotlib.figure import Figure  # needs no screen, as pyplot would
    except ImportError:
        fail("matplotlib is not installed; python -m pip install matplotlib")
    figure = Figure(figsize=(9, 4))
    axes = figure.subplots()
    for name, loss in losses.items():
        axes.plot(np.arange(1, len(loss) + 1), loss, label=name, linewidth=0.5)
    axes.set_xlabel("step")
    axes.legend()
    return figure


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("losses.py: stopped", file=sys.stderr)
        sys.exit(130)
