"""Turn a workspace that MATLAB saved into a checkpoint, from which the port goes on.

    python tests/matlab/from_workspace.py WORKSPACE.mat RUN.mat

In MATLAB, after the training or after Ctrl-C:

    rng_state = rng; save('workspace.mat', '-v7')

It prints the command that goes on. Which script made the workspace is told by its
networks. An epoch that Ctrl-C cut short counts as done. The losses so far are NaN, as
MATLAB has the last ones only. Flags say what the workspace does not; without them the
original's values are taken. A checkpoint of the port's first form, without the variable
`script`, is turned into one of today's.
"""

import argparse
import importlib
import os
import re
import shlex
from unittest import mock

import checkpoints
import numpy as np
from checkpoints import LOSSES, NETWORKS, SETTINGS, fail, program, whole_number

STEPS = 10**8  # a run of more steps, a year long, is a damaged file


def main(argv=None):
    """The program, with the words of the command line."""
    opt = options(argv)
    if os.path.exists(opt.run):
        fail(f"{opt.run}: already exists; name a new file")
    saved = checkpoints.load_variables(opt.workspace, [*checkpoints.NAMES, "t"])
    try:
        generator = checkpoints.read_struct(saved, "generator")
        saved["script"] = "gan_adam" if "t" in generator else "gan_mbgd"
        gan = importlib.import_module(saved["script"])
        add_settings(saved, opt, gan)
        add_stream(saved, opt, gan)
        add_losses(saved, opt)
        checkpoint = checkpoints.check_checkpoint(saved)
    except ValueError as error:
        fail(f"{opt.workspace}: {error}")
    flags = flags_of(checkpoint, opt, gan)
    write_checkpoint(checkpoint, opt, gan, flags)
    flags += ["--pics", f"{os.path.splitext(opt.run)[0]}_pics"]  # not MATLAB's ./pics
    command = " ".join(map(quoted, ["python", gan.__file__, *flags]))
    print(f"{opt.run} has {checkpoint['e']} epochs; go on with:\n{command}", flush=True)


# -------------------------------------------------------- what a workspace may lack


def add_settings(saved, opt, gan):
    """Add the settings that MATLAB's workspace `saved` lacks, and say which."""
    added = []
    for name in "batch_size", "images_num", "learning_rate":
        value = getattr(opt, name)
        if name not in saved:
            saved[name] = getattr(gan, name.upper()) if value is None else value
            added.append(f"{name} {saved[name]}")
        elif value is not None and not np.array_equal(saved[name], value):
            raise ValueError(f"{name} is {saved[name]} there, and not {value}")
    if added:
        print(f"{opt.workspace} lacks some settings; using {', '.join(added)}")
    saved.setdefault("precision", "double")
    saved.setdefault("gradient", "matlab")
    saved.setdefault("images_sha256", "")


def add_stream(saved, opt, gan):
    """Make rng_state the words of MATLAB's twister, and add the seed."""
    state = saved.get("rng_state")
    if isinstance(state, dict):  # MATLAB: rng_state = rng
        saved.setdefault("seed", state.get("Seed", 0))
        state = state.get("State", 0) if state.get("Type") == "twister" else 0
    saved.setdefault("seed", 0)
    if state is None:
        if opt.seed is not None:
            saved["seed"] = opt.seed
        seed = whole_number(saved, "seed", 0)
        print(f"{opt.workspace} lacks rng_state; going on as after rng({seed})")
        gan.rng(seed)
        _, words, used, *_ = gan.stream.get_state()
        state = np.append(words, used)
    elif opt.seed is not None:
        raise ValueError("has rng_state; --seed is for a workspace without")
    if np.size(state) != 625:
        hint = "save the workspace without it, and give --seed"
        raise ValueError(f"rng_state is not of MATLAB's twister; {hint}")
    saved["rng_state"] = state


def add_losses(saved, opt):
    """Make c_loss and d_loss a NaN a step; say if Ctrl-C cut an epoch short."""
    if "steps" in saved:  # a checkpoint of ours, which has all of them
        return
    e = whole_number(saved, "e", 1)
    images_num = whole_number(saved, "images_num", 1)
    batch_num = images_num // whole_number(saved, "batch_size", 1)
    saved.setdefault("t", batch_num)
    t = whole_number(saved, "t", 0)  # the batch that MATLAB was at
    steps = (e - 1) * batch_num + t
    if t > batch_num or steps > STEPS:
        hint = "give --images-num and --batch-size as they were"
        made = f"{steps} steps do not end in epoch {e}, with {batch_num} steps an epoch"
        raise ValueError(f"{made}; {hint}")
    if t < batch_num:
        stopped = f"epoch {e} was stopped after batch {t} of {batch_num}"
        print(f"{opt.workspace}: {stopped}; going on with epoch {e + 1}")
    saved |= dict.fromkeys(LOSSES, np.full(steps, np.nan))


# ------------------------------------------------------------------- the checkpoint


def flags_of(checkpoint, opt, gan):
    """The flags with which the script goes on: those that are not its defaults."""
    flags = ["--checkpoint", opt.run]
    if opt.data:
        flags += ["--data", opt.data]
    usual = gan.options([])
    for name in SETTINGS:
        if checkpoint[name] != getattr(usual, name):
            flags += [f"--{name.replace('_', '-')}", str(checkpoint[name])]
    if checkpoint["e"] >= usual.epoch:  # all of them are done: as many again
        flags += ["--epoch", str(checkpoint["e"] + usual.epoch)]
    return flags


def write_checkpoint(checkpoint, opt, gan, flags):
    """Have the script write opt.run: it loads the images and builds the networks."""

    def begin(script_opt, train_x, *networks):
        settings = gan.settings_of(script_opt, train_x)
        if checkpoint["images_sha256"] not in ("", settings["images_sha256"]):
            fail(f"{opt.workspace}: was trained on other images; name its --data")
        for net, nn in zip(NETWORKS, networks, strict=True):
            check_fields(checkpoint[net], net, nn, opt, gan)
            gan.fill_network(script_opt, nn, checkpoint[net])
        *words, used = checkpoint["rng_state"].tolist()
        gan.stream.set_state(("MT19937", words, used))
        run = {name: checkpoint[name] for name in LOSSES}
        run |= {"settings": settings, "head": b""}
        gan.save_checkpoint(run, script_opt, checkpoint["e"], *networks)
        return {"e": script_opt.epoch}  # all epochs are done: main ends

    # fail: so that what the script says of a file names this program
    with mock.patch.multiple(gan, begin=begin, fail=fail):
        gan.main(gan.options(flags))


def check_fields(struct, net, nn, opt, gan):
    """End the program if layer sizes, or Adam's numbers, are not the script's."""
    for name in nn:
        if name not in ("t", "layers") and struct[name] != nn[name]:
            fail(
                f"{opt.workspace}: {net}.{name} is {struct[name]}, and {nn[name]} in "
                f"{gan.__name__}.py; change its nnsetup, then start this again"
            )


def quoted(word):
    """The word as a shell takes it: sh, or cmd and PowerShell in Windows."""
    if os.name == "posix":
        return shlex.quote(word)
    return word if re.fullmatch(r"[\w.:/\\+-]+", word) else f'"{word}"'


# ---------------------------------------------------------------------- the program


def options(argv=None):
    """The flags in the list `argv`, or the command line's; fails where it is wrong."""
    parser = argparse.ArgumentParser(
        description="Turn a workspace that MATLAB saved into a checkpoint.",
        allow_abbrev=False,
    )
    parser.error = fail
    add = parser.add_argument
    text = "in MATLAB: rng_state = rng; save('workspace.mat', '-v7')"
    add("workspace", metavar="WORKSPACE.mat", help=text)
    add("run", metavar="RUN.mat", help="the checkpoint to write, a new file")
    text = "the images it was trained on (default: data/mnist_uint8.mat)"
    add("--data", metavar="FILE", help=text)
    text = "where the workspace lacks it (default: the original's)"
    add("--batch-size", type=int, metavar="N", help=text)
    add("--images-num", type=int, metavar="N", help=text)
    add("--learning-rate", type=float, metavar="X", help=text)
    text = "where it lacks rng_state: go on as after rng(N) (default: 0)"
    add("--seed", type=int, metavar="N", help=text)
    opt = parser.parse_args(argv)
    if "" in (opt.run, opt.data):  # a shell's variable that is not set
        fail("RUN.mat and --data must not be empty")
    return opt


if __name__ == "__main__":
    program(main)
