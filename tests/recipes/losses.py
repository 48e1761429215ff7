"""Draw both losses of every step of a training.

    python tests/recipes/losses.py run.mat

run.mat is a checkpoint of gan_adam.py or gan_mbgd.py. It writes losses.png here, in the
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
from checkpoints import fail, program, read_checkpoint


def main():
    """Read the losses, then draw and save them."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = fail  # one line
    parser.add_argument("checkpoint", help="the file, such as run.mat")
    losses = read_losses(parser.parse_args().checkpoint)
    figure = draw(losses)
    try:
        figure.savefig("losses.png")
    except OSError as error:
        fail(f"losses.png: cannot be written ({error})")
    print(f"steps in losses.png: {len(losses['c_loss'])}")


def read_losses(file):
    """c_loss and d_loss of the checkpoint, a number a step: a dict of (steps,)."""
    checkpoint = read_checkpoint(file)
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
    program(main)
