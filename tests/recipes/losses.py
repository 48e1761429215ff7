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

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../..")
import gan_adam as gan

NAME = os.path.basename(__file__)


def main():
    """Read the losses, then draw and save them."""
    flags = read_flags()
    losses = read_losses(flags.checkpoint)
    save_plot(draw(losses), os.path.join(flags.out, "losses.png"))
    print(f"steps in losses.png: {len(losses['c_loss'])}")


def read_flags():
    """The flags of the command line, checked."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.error = lambda message: fail(f"{message}; see --help")
    parser.add_argument("checkpoint", help="the file, such as run.mat")
    text = "folder for the picture, made when missing (default: current folder)"
    parser.add_argument("--out", default=".", metavar="DIR", help=text)
    return parser.parse_args()


def read_losses(file):
    """c_loss and d_loss of the checkpoint, a number a step: a dict of (steps,)."""
    names = ["c_loss", "d_loss"]
    hint = "--checkpoint of gan_adam.py or gan_mbgd.py makes such a file"
    saved = gan.load_mat("checkpoint", file, names, hint)
    losses = {}
    for name in names:
        loss = np.atleast_1d(saved.get(name))
        if not gan.is_real(loss):
            fail(f"{file}: has no numbers {name}; {hint}")
        # MATLAB's own workspace has the last step only; resumed from it, a run has NaN
        if np.isfinite(loss).sum() < 2:
            fail(f"{file}: {name} must have the losses of two steps or more; {hint}")
        losses[name] = loss.ravel()
    return losses


def draw(losses):
    """The figure with a curve for each loss."""
    try:
        import matplotlib
    except ImportError:
        fail("matplotlib is not installed; python -m pip install matplotlib")
    matplotlib.use("Agg")  # needs no screen
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(9, 4))
    for name, loss in losses.items():
        steps = np.arange(1, len(loss) + 1)
        plt.plot(steps, loss, label=name, linewidth=0.5)
    plt.xlabel("step")
    plt.legend()
    return figure


def save_plot(figure, file):
    """Write the figure; what cannot be written ends the program."""
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        figure.savefig(file)
    except OSError as error:
        fail(f"{file}: cannot be written ({error.strerror})")


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
