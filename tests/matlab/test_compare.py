"""compare_matlab.py on records, logs and pictures that the port itself makes.

Records have sums in another order. The networks are small here, but for two tests: a
record says how large they are.
"""

import contextlib
import copy
import importlib
import io
import os
import re
import shutil
import subprocess
import sys

import compare_matlab
import compare_printed
import numpy as np
import pytest
from checkpoints import read_checkpoint
from conftest import POSIX, SCRIPTS, smaller
from PIL import Image
from scipy.io import loadmat, savemat

MATLAB = os.path.dirname(os.path.abspath(__file__))
RATES = {"gan_adam": 0.001, "gan_mbgd": 0.01}
SMALL = {"generator": [100, 24, 784], "discriminator": [784, 24, 1]}
FROM_EPOCH_2 = {"images_num": 300, "batch_size": 60, "first": 2, "epoch": 3}
NETWORKS = ("generator", "discriminator")


@pytest.fixture(scope="module", autouse=True)
def data(small_data):
    """The file of images that the port runs with here, unless --data names another."""
    before = compare_matlab.DATA
    compare_matlab.DATA = small_data
    yield small_data
    compare_matlab.DATA = before


def images_check(file, images_num):
    """The sums in a record, by the formula that record_run.m has."""
    x = loadmat(file)["train_x"][:images_num].astype(float)
    first = x.sum(axis=0) @ np.arange(1.0, 785.0)
    second = np.arange(1.0, images_num + 1.0) @ x.sum(axis=1)
    return np.array([[first, second]])


def settings(script, sizes=SMALL, **more):
    """What run_port() needs to know of a record: 10 steps from scratch."""
    record = {"script": script, "seed": 0, "images_num": 320, "batch_size": 32}
    record |= {"learning_rate": RATES[script], "first": 0, "epoch": 1} | more
    record |= {net: {"architecture": sizes[net]} for net in NETWORKS}
    return record | {"c_loss": np.zeros(compare_matlab.total_steps(record))}


def record_of(script, start=None, **more):
    """A record as record_run.m or record_from.m writes it: a dict for savemat."""
    asked = settings(script, **more)
    data = compare_matlab.DATA
    start = start and read_checkpoint(start) | {"file": start}
    run = compare_matlab.run_port(asked, data, start, rounding=1)
    names = (*compare_matlab.SETTINGS, "first", "epoch")
    saved = {name: float(asked[name]) for name in names}
    saved |= {name: run[name][:, None] for name in ("c_loss", "d_loss")}
    gan = importlib.import_module(script)
    saved |= {net: gan.network_struct(run[net]) for net in NETWORKS}
    saved["images_fake"] = run["images_fake"]
    saved["images_check"] = images_check(data, asked["images_num"])
    return saved | {"script": script, "producer": "MATLAB 9.14", "complete": 1.0}


@pytest.fixture
def same_limits(monkeypatch):
    """Measure once what rounding makes, where a test compares many records."""
    known = []
    measure = compare_matlab.limits

    def limits(record, data, start, port):
        if not known:
            known.append(measure(record, data, start, port))
        loss_limit, final_limits = known[0]
        return loss_limit[: record["c_loss"].size], final_limits

    monkeypatch.setattr(compare_matlab, "limits", limits)


@pytest.fixture(scope="module", params=SCRIPTS)
def case(request):
    """(script, record) of a short run from scratch."""
    return request.param, record_of(request.param)


def workspace(file):
    """The variables of a .mat file, to be changed and saved again."""
    return {name: x for name, x in loadmat(file).items() if name[0] != "_"}


@pytest.fixture(scope="module", params=SCRIPTS)
def start(request, data, tmp_path_factory):
    """(script, two pairs of a checkpoint and the record of an epoch from there on).

    One checkpoint is early in training, after 2 epochs of 5 steps. The other is late: t
    is so large that Adam's correction is 1.
    """
    script = request.param
    folder = tmp_path_factory.mktemp(script)
    early, late = str(folder / "early.mat"), str(folder / "late.mat")
    gan = importlib.import_module(script)
    flags = [f"--data={data}", "--images-num=300", "--epoch=2", f"--pics={folder}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan, "nnsetup", smaller(gan.nnsetup))
        with contextlib.redirect_stdout(io.StringIO()):
            gan.main(gan.options([*flags, f"--checkpoint={early}"]))
    saved = workspace(early)
    if script == "gan_adam":
        for net in NETWORKS:
            saved[net]["t"][0, 0] = 1e5
    savemat(late, saved)
    pairs = [(file, record_of(script, file, **FROM_EPOCH_2)) for file in (early, late)]
    return script, pairs


def compare(*words):
    """Run compare_matlab.py with `words`: (exit status, output, error output)."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                status = compare_matlab.main([str(x) for x in words])
            except SystemExit as end:
                status = end.code
    return status, out.getvalue(), err.getvalue()


def lines_of(record, folder, *words):
    """Save the record and compare: (exit status, the lines printed)."""
    savemat(folder / "record.mat", record)
    status, out, err = compare(folder / "record.mat", *words)
    assert err == ""
    return status, out.splitlines()


def verdict_of(record, folder, *words):
    """Save the record and compare: (exit status, the last line)."""
    status, lines = lines_of(record, folder, *words)
    return status, lines[-1]


def refused(*words):
    """Check for status 2 and one line on standard error alone; returns the line."""
    status, out, err = compare(*words)
    assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
    return err


# ----------------------------------------------------------------------------- verdicts


def test_equal(case, tmp_path):
    script, record = case
    status, lines = lines_of(record, tmp_path)
    assert status == 0, lines[-1]
    assert lines[-1] == "equal: 10 steps and the final state, as far as rounding goes"
    assert lines[0].startswith(f"{script}: MATLAB 9.14 and {script}.py, epoch 1..1, ")
    c_loss, d_loss = (f"{record[name][9, 0]:f}" for name in ("c_loss", "d_loss"))
    row = ["1", c_loss, c_loss, d_loss, d_loss]
    assert row in [x.split() for x in lines]


def altered(record, name, change):
    """A copy of the record with another value of `name`: generator.layers{2}.w, say."""
    record = copy.deepcopy(record)
    *path, last = re.findall(r"[a-z_][a-z_0-9]*|[0-9]+", name)
    where = record
    for key in path:
        where = where[int(key) - 1 if key.isdigit() else key]
    where[last] = change(np.array(where[last], float))
    return record


def one(at, change):
    """A function that changes one element of an array."""

    def alter(x):
        x[at] = change(x[at])
        return x

    return alter


def test_altered_records_are_different(case, tmp_path, same_limits):
    """Each by little, in one place: the verdict names it."""
    script, record = case
    changes = {
        "c_loss": one((3, 0), lambda x: x * (1 + 1e-10)),
        "d_loss": one((9, 0), lambda x: x + 1e-11),
        "generator.layers{2}.w": one((5, 7), lambda x: x + 9e-10),
        "discriminator.layers{3}.b": one((0, 0), lambda x: x * (1 - 1e-9)),
        "images_fake": one((17, 300), lambda x: x + 1e-9),
    }
    if script == "gan_adam":
        changes |= {
            "generator.layers{3}.w_m": lambda x: 0 * x,
            "discriminator.layers{2}.w_v": lambda x: x + 1e-3 * x.max(),
            "discriminator.layers{2}.b_v": lambda x: x * (1 + 1e-9),
            "generator.t": lambda x: x + 1,
            "generator.beta1": lambda x: x + 1e-3,
        }
    for name, change in changes.items():
        status, last = verdict_of(altered(record, name, change), tmp_path)
        assert status == 1 and last.startswith(f"different: {name} "), (name, last)
        step = {"c_loss": "of step 4 by ", "d_loss": "of step 10 by "}
        assert step.get(name, "after the last step by ") in last


def test_the_worst_array_comes_first(capsys):
    final = {"generator.t": 0.0, "a": 3e-9, "images_fake": 5e-9, "b": 2e-10}
    limit = {"generator.t": 1e-9, "a": 1e-9, "images_fake": 1e-8, "b": 1e-11}
    limit["unknown"], final["unknown"] = 0.5, 0.4
    losses = {name: np.zeros(2) for name in ("c_loss", "d_loss")}
    status, sentence = compare_matlab.verdict(losses, final, np.ones(2) / 1e9, limit, 2)
    assert status == 1 and sentence.startswith("different: b after the last step by 2")
    compare_matlab.print_final({"final": final, "final_limits": limit})
    names = [x.split()[0] for x in capsys.readouterr().out.splitlines()[2:]]
    assert names[:3] == ["b", "a", "images_fake"]


def test_a_record_that_broke_off(case, tmp_path):
    """Equal as far as it goes, and that is said; a wrong loss in it is different."""
    _, record = case
    short = record | {"complete": 0.0}
    short |= {name: record[name][:6] for name in ("c_loss", "d_loss")}
    status, last = verdict_of(short, tmp_path)
    assert status == 3 and "broke off" in last
    assert last.startswith("equal up to step 6 of 10")
    wrong = altered(short, "c_loss", one((5, 0), lambda x: x * 1.001))
    assert verdict_of(wrong, tmp_path)[0] == 1


# --------------------------------------------------------------------------- the images


@pytest.fixture
def nothing_runs(monkeypatch):
    """Let a test fail where the port is run."""

    def run_port(*words):
        raise AssertionError("the port was run")

    monkeypatch.setattr(compare_matlab, "run_port", run_port)


def test_other_images(case, data, tmp_path, nothing_runs):
    """One line, before anything runs: that says nothing of the port."""
    savemat(tmp_path / "record.mat", case[1])
    images = loadmat(data)["train_x"]
    brighter = images.copy()
    brighter[7, 500] ^= 1
    swapped = images.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    turned = images.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    for k, other in enumerate((brighter, swapped, turned)):
        file = tmp_path / f"other_{k}.mat"
        savemat(file, {"train_x": other})
        line = refused(tmp_path / "record.mat", "--data", file)
        assert f"the record's images are not those of {file}; give" in line
        assert "--data FILE" in line


def test_data(case, data, tmp_path, monkeypatch):
    """--data names the images with which the port runs."""
    other = tmp_path / "other.mat"
    savemat(other, {"train_x": loadmat(data)["train_x"][::-1]})
    monkeypatch.setattr(compare_matlab, "DATA", str(other))
    savemat(tmp_path / "record.mat", case[1])
    assert str(other) in refused(tmp_path / "record.mat")
    status, last = verdict_of(case[1], tmp_path, "--data", data)
    assert status == 0, last


# ---------------------------------------------------------------------- the layer sizes


@pytest.mark.parametrize(
    "script, generator, discriminator",
    [
        ("gan_mbgd", [100, 512, 784], [784, 512, 1]),
        ("gan_adam", [30, 15, 784], [784, 30, 15, 30, 1]),
        ("gan_mbgd", [7, 5, 15, 5, 784], [784, 1]),
    ],
)
def test_layer_sizes(script, generator, discriminator, tmp_path):
    """The port runs with those of the record, the noise as wide as the generator."""
    sizes = {"generator": generator, "discriminator": discriminator}
    record = record_of(script, sizes=sizes, images_num=96)
    assert record["generator"]["layers"][1]["w"].shape == tuple(generator[:2])
    status, lines = lines_of(record, tmp_path)
    assert status == 0, lines[-1]
    assert f"generator {'-'.join(map(str, generator))}" in lines[1]
    i = len(discriminator)
    name = f"discriminator.layers{{{i}}}.w"
    wrong = altered(record, name, lambda x: x * (1 + 1e-6))
    status, last = verdict_of(wrong, tmp_path)
    assert status == 1 and last.startswith(f"different: {name} ")


# --------------------------------------------------------------------- bugs of the port
# functions that put a bug into another one, from the step on that they are given


def frozen_generator(update, step):
    return lambda nn, lr: nn if outputs(nn) == 784 and step() else update(nn, lr)


def no_correction(update, step):
    def changed(nn, lr):
        t = nn["t"]
        nn["t"] = 10**6 if step() else t
        nn = update(nn, lr)
        nn["t"] = t + 1
        return nn

    return changed


def no_moments(update, step):
    def changed(nn, lr):
        for layer in nn["layers"][1:] if step() == 1 else []:
            for name in "w_m", "w_v", "b_m", "b_v":
                layer[name] = 0 * layer[name]
        return update(nn, lr)

    return changed


def t_begins_anew(update, step):
    def changed(nn, lr):
        nn["t"] = 0 if step() == 1 else nn["t"]
        return update(nn, lr)

    return changed


def exact_gradient(delta, step):
    return lambda z, y: 1 / (1 + np.exp(-z)) - y if step() else delta(z, y)


def no_shuffle(randperm, step):
    return lambda n: np.sort(randperm(n)) if step() else randperm(n)


def positive_noise(unifrnd, step):
    return lambda *x: abs(unifrnd(*x)) if step() else unifrnd(*x)


def smaller_rate(update, step):
    return lambda nn, lr: update(nn, lr / 10 if step() else lr)


def other_beta1(nnsetup, step):
    return lambda *x: nnsetup(*x) | {"beta1": 0.5}


def moved(update, step):
    """The discriminator's last bias grows by 1 at the end of the first step."""

    def changed(nn, lr):
        nn = update(nn, lr)
        if step() == 1 and outputs(nn) == 1:
            nn["layers"][-1]["b"] = nn["layers"][-1]["b"] + 1
        return nn

    return changed


CHANGED = {  # all others change nnapplygrade
    exact_gradient: "delta_sigmoid_cross_entropy",
    no_shuffle: "randperm",
    positive_noise: "unifrnd",
    other_beta1: "nnsetup",
}
OF_ADAM = (no_correction, no_moments, t_begins_anew)
BUGS = (frozen_generator, exact_gradient, no_shuffle, positive_noise, smaller_rate)


def outputs(nn):
    """How many outputs a network has."""
    return nn["layers"][-1]["w"].shape[1]


def with_bug(monkeypatch, gan, bug, first_step=1):
    """Put the bug into the module from a step on: step() is 0 before, then 1, 2..."""
    calls = []
    loss = gan.sigmoid_cross_entropy
    run = gan.main
    name = CHANGED.get(bug, "nnapplygrade")

    def counting(*x):
        calls.append(1)  # twice a step
        return loss(*x)

    def anew(opt):
        calls.clear()
        return run(opt)

    def step():
        return max(0, len(calls) // 2 + 2 - first_step)

    monkeypatch.setattr(gan, "sigmoid_cross_entropy", counting)
    monkeypatch.setattr(gan, "main", anew)
    monkeypatch.setattr(gan, name, bug(getattr(gan, name), step))


@pytest.mark.parametrize("bug", [*BUGS, *OF_ADAM], ids=lambda x: x.__name__)
def test_bugs_show_from_a_checkpoint(start, bug, monkeypatch, tmp_path):
    """Early and late, but for Adam's correction, which is 1 late: one takes both."""
    script, pairs = start
    if script == "gan_mbgd" and bug in OF_ADAM:
        pytest.skip("a bug of Adam's")
    with_bug(monkeypatch, importlib.import_module(script), bug)
    for late, (checkpoint, record) in enumerate(pairs):
        status, last = verdict_of(record, tmp_path, "--from", checkpoint)
        assert status == (0 if bug is no_correction and late else 1), last


def test_an_own_copy_is_different(tmp_path):
    """The verdict names the step where it shows; step 1 is corrected for beta1."""
    with pytest.MonkeyPatch.context() as patch:
        with_bug(patch, importlib.import_module("gan_adam"), other_beta1)
        record = record_of("gan_adam", images_num=96)
    status, last = verdict_of(record, tmp_path)
    assert status == 1 and last.startswith("different: c_loss of step 2 "), last


# ----------------------------------------------------------------------------- rounding


@pytest.fixture
def rounding_from_step_10(monkeypatch):
    """Make it certain that rounding decides from step 10 on.

    The runs that measure it, and no others, are moved after step 9.
    """
    true_run = compare_matlab.run_port

    def run_port(record, data, start=None, rounding=0):
        if not rounding:
            return true_run(record, data, start)
        with pytest.MonkeyPatch.context() as patch:
            gan = importlib.import_module(record["script"])
            with_bug(patch, gan, moved, first_step=9)
            return true_run(record, data, start, rounding)

    return lambda: monkeypatch.setattr(compare_matlab, "run_port", run_port)


@pytest.mark.parametrize("script", SCRIPTS)
def test_beyond_rounding_nothing_is_equal(
    script, rounding_from_step_10, monkeypatch, tmp_path
):
    """Before the step where rounding decides a bug is found; after it, it may hide."""
    record = record_of(script, batch_size=16)
    rounding_from_step_10()
    status, last = verdict_of(record, tmp_path)
    assert status == 3 and "rounding alone" in last and "record_from" in last
    assert last.startswith("equal up to step 9 of 20; ")
    gan = importlib.import_module(script)
    for bug in frozen_generator, positive_noise:
        for first_step, expected in {1: 1, 9: 1, 11: 3}.items():
            with monkeypatch.context() as patch:
                with_bug(patch, gan, bug, first_step)
                status, last = verdict_of(record, tmp_path)
            assert status == expected, (bug.__name__, first_step, last)
            if status == 1:
                assert last.startswith(f"different: c_loss of step {first_step} by ")


def test_a_state_that_rounding_blurs(case, tmp_path, monkeypatch):
    """Where rounding decides on one array, nothing is just equal."""
    measure = compare_matlab.limits

    def limits(*words):
        loss_limit, final_limits = measure(*words)
        return loss_limit, final_limits | {"generator.layers{2}.b": 0.1}

    monkeypatch.setattr(compare_matlab, "limits", limits)
    status, last = verdict_of(case[1], tmp_path)
    assert status == 3 and "in 1 of " in last and "generator.layers{2}.b" in last
    wrong = altered(case[1], "generator.layers{2}.w", lambda x: x * 1.01)
    assert verdict_of(wrong, tmp_path)[0] == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_rounding_is_measured_by(script, data, monkeypatch):
    """Other sums and other last bits: each changes the result, by little."""
    record = settings(script, images_num=96)
    plain = compare_matlab.final_arrays(compare_matlab.run_port(record, data))

    def changed(rounding):
        other = compare_matlab.run_port(record, data, None, rounding)
        other = compare_matlab.final_arrays(other)
        for name, x in plain.items():
            np.testing.assert_allclose(other[name], x, rtol=1e-6, atol=1e-8)
        return (other["images_fake"] != plain["images_fake"]).any()

    def spy(nn, learning_rate):
        db = nn["layers"][-1]["db"]
        mean = nn["layers"][-1]["d"].mean(axis=0, keepdims=True)
        np.testing.assert_allclose(db, mean, rtol=1e-9, atol=1e-12)
        moved.append((db != mean).any())
        return update(nn, learning_rate)

    moved = []
    gan = importlib.import_module(script)
    update = gan.nnapplygrade
    with monkeypatch.context() as patch:
        patch.setattr(gan, "nnapplygrade", spy)
        compare_matlab.run_port(record, data, None, 1)
        assert len(moved) == 6 and any(moved)
        moved.clear()
        compare_matlab.run_port(record, data)
        assert len(moved) == 6 and not any(moved)
    for bits, products in (1, False), (0, True):  # one at a time
        with monkeypatch.context() as patch:
            patch.setattr(compare_matlab, "LAST_BIT", bits * compare_matlab.LAST_BIT)
            if not products:
                plain_product = importlib.import_module(script).mtimes
                patch.setattr(compare_matlab, "mtimes_backwards", plain_product)
                patch.setattr(compare_matlab, "mtimes_in_halves", plain_product)
            assert changed(1) and changed(2), (bits, products)


def test_limits(monkeypatch):
    """FACTOR times the larger difference of both runs, of losses of any step so far."""
    c_loss = {0: [1.0, 2.0, 3.0], 1: [1.0, 2.0002, 3.0], 2: [1.0001, 2.0, 3.0]}
    final = {0: [4.0, 5.0], 1: [4.0, 5.0], 2: [4.0, 5.005]}
    runs = {}
    for k in c_loss:
        arrays = {"generator.t": np.ones(1), "images_fake": np.array(final[k])}
        losses = {"c_loss": np.array(c_loss[k]), "d_loss": np.ones(3)}
        runs[k] = losses | {"final": arrays}
    monkeypatch.setattr(compare_matlab, "final_arrays", lambda run: run["final"])
    monkeypatch.setattr(compare_matlab, "run_port", lambda *words: runs[words[-1]])
    of_losses, of_final = compare_matlab.limits(runs[0], "", None, runs[0])
    np.testing.assert_allclose(of_losses, 30e-4, rtol=1e-3)
    assert abs(of_final["images_fake"] / 30e-3 - 1) < 0.01
    assert of_final["generator.t"] == compare_matlab.FACTOR * compare_matlab.FLOOR
    c_loss[2][0] = 1.0
    runs[2]["c_loss"] = np.array(c_loss[2])
    of_losses, _ = compare_matlab.limits(runs[0], "", None, runs[0])
    np.testing.assert_allclose(of_losses, [30e-14, 30e-4, 30e-4], rtol=1e-3)


def test_relative_difference():
    a = np.array([1.0, 0.0, np.nan, np.nan, np.inf, np.inf, -1.0])
    b = np.array([1.1, 0.0, np.nan, 1.0, np.inf, 1.0, 1.0])
    x = compare_matlab.relative_difference(a, b)
    np.testing.assert_allclose(x, [0.1 / 1.1, 0, 0, np.inf, 0, np.inf, 2])
    a, b = np.array([0.8, 1e-9]), np.array([0.8, 0.0])
    x = compare_matlab.relative_difference(a, b, 0.5)
    np.testing.assert_allclose(x, [0, 1e-9 / 0.4])


def test_the_table_of_steps(capsys):
    """The largest difference so far, up to the last step."""
    losses = {"c_loss": np.zeros(12), "d_loss": np.zeros(12)}
    losses["d_loss"][4] = 3e-9
    compare_matlab.print_steps({"losses": losses, "loss_limit": np.full(12, 1e-7)})
    rows = [x.split()[:2] for x in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [["1", "0e+00"], ["10", "3e-09"], ["12", "3e-09"]]
    for last in 1, 10, 11, 2000, 2001, 10000, 10001, 100000:
        steps = compare_matlab.table_steps(last)
        assert steps[-1] == last and steps == sorted(set(steps)) and len(steps) < 40
    assert {3000, 3500, 4000, 4500, 5000, 5500} < set(compare_matlab.table_steps(6000))


# ------------------------------------------------------------------- from a checkpoint


def test_from_a_checkpoint(start, tmp_path):
    """Another t or another stream shows in the losses."""
    script, pairs = start
    for checkpoint, record in pairs:
        status, last = verdict_of(record, tmp_path, "--from", checkpoint)
        assert status == 0 and last.startswith("equal: 5 steps and the final"), last
    saved = workspace(pairs[0][0])
    saved["rng_state"][3] ^= 1
    savemat(tmp_path / "other.mat", saved)
    others = [tmp_path / "other.mat"] + [pairs[1][0]] * (script == "gan_adam")
    for other in others:
        assert verdict_of(pairs[0][1], tmp_path, "--from", other)[0] == 1


def test_runs_of_the_port_are_the_scripts(start, small_networks, tmp_path, data):
    """From scratch and from the checkpoint: what the script saves, to the bit."""
    script, [(early, _), _] = start
    gan = importlib.import_module(script)
    file = tmp_path / "run.mat"
    shutil.copy(early, file)
    flags = [f"--checkpoint={file}", "--images-num=300", f"--pics={tmp_path}"]
    with contextlib.redirect_stdout(io.StringIO()):
        gan.main(gan.options([*flags, f"--data={data}", "--epoch=3"]))
    saved = read_checkpoint(file)
    begin = read_checkpoint(early) | {"file": early}
    third = compare_matlab.run_port(settings(script, **FROM_EPOCH_2), data, begin)
    both = settings(script, images_num=300, batch_size=60, epoch=2)
    both = compare_matlab.run_port(both, data)
    for name in "c_loss", "d_loss":
        steps = np.concatenate([both[name], third[name]])
        np.testing.assert_array_equal(steps, saved[name])
    saved["images_fake"] = third["images_fake"]
    for name, x in compare_matlab.final_arrays(third).items():
        np.testing.assert_array_equal(x, compare_matlab.final_arrays(saved)[name])


def test_fewer_images_than_the_checkpoint(start, tmp_path):
    """record_from.m may take fewer: the state counts, not what it was trained on."""
    script, [(early, _), _] = start
    saved = workspace(early) | {"images_sha256": 64 * "0"}
    savemat(tmp_path / "early.mat", saved)
    record = record_of(script, early, **FROM_EPOCH_2 | {"images_num": 120})
    status, last = verdict_of(record, tmp_path, "--from", tmp_path / "early.mat")
    assert status == 0 and last.startswith("equal: 2 steps"), last


def test_another_checkpoint(start, tmp_path, nothing_runs):
    """What it must have in common with the record: one line names it."""
    script, [(early, record), _] = start
    file, other = tmp_path / "record.mat", tmp_path / "other.mat"
    savemat(file, record)
    assert "--from" in refused(file)
    for name, x in {
        "e": 1.0,
        "seed": 1.0,
        "batch_size": 20.0,
        "learning_rate": 0.5,
        "precision": "single",
        "gradient": "exact",
        "script": {"gan_adam": "gan_mbgd", "gan_mbgd": "gan_adam"}[script],
    }.items():
        savemat(other, workspace(early) | {name: x})
        line = refused(file, "--from", other)
        assert str(other) in line and (name in line or name == "script"), line
    gan = importlib.import_module(script)
    smaller_one = gan.network_struct(gan.nnsetup([100, 16, 784]))
    savemat(file, record | {"generator": smaller_one})
    line = refused(file, "--from", early)
    assert "generator" in line and str([100, 24, 784]) in line


# ---------------------------------------------------------------------------- bad input


def test_bad_files(start, case, tmp_path, nothing_runs):
    """One line names the file: of what cannot be read, and of what is no record."""
    record = tmp_path / "record.mat"
    savemat(record, case[1])
    text = tmp_path / "text.mat"
    text.write_text("just text")
    missing = tmp_path / "missing.mat"
    for file in text, missing, start[1][0][0]:
        assert str(file) in refused(file)
    for file in text, missing, record:
        assert str(file) in refused(record, "--from", file)
    assert str(missing) in refused(record, "--data", missing)
    v73 = tmp_path / "v7.3"
    v73.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(600))
    assert "-v7.3" in refused(v73)
    content = record.read_bytes()
    for size in 30, 200, len(content) // 2:
        (tmp_path / "cut.mat").write_bytes(content[:size])
        assert "cut.mat" in refused(tmp_path / "cut.mat")
    record.rename(tmp_path / "record")  # known by its content
    line = refused(tmp_path / "record", "--script", "gan_adam")
    assert "a record" in line and "--script" in line


@pytest.mark.parametrize("case", ["gan_adam"], indirect=True)
def test_bad_records(case, tmp_path, nothing_runs):
    """One line names the file and the variable."""
    few = {x: np.ones(3) for x in ("c_loss", "d_loss")}
    none = {x: np.ones((0, 1)) for x in few}
    many = {x: np.ones(11) for x in few}
    names = ["script", "complete", "c_loss", "images_check", "discriminator"]
    changes = [({name: None}, name) for name in names]
    changes += [(losses | {"complete": 0.0}, "c_loss") for losses in (none, many)]
    changes += [
        (few, "c_loss"),
        ({"epoch": 2.0}, "c_loss"),
        ({"script": "gan_sgd"}, "script"),
        ({"producer": 7.0}, "producer"),
        ({"first": -1.0}, "first"),
        ({"epoch": 0.0}, "epoch"),
        ({"images_fake": np.ones((784, 32))}, "images_fake"),
        ({"images_check": np.ones(3)}, "images_check"),
        ({"generator": 5.0}, "generator"),
    ]
    file = tmp_path / "record.mat"
    for change, name in changes:
        record = case[1] | change
        savemat(file, {x: y for x, y in record.items() if y is not None})
        line = refused(file)
        assert name in line and str(file) in line, line


@pytest.mark.parametrize("case", ["gan_mbgd"], indirect=True)
def test_bad_command_lines(case, tmp_path, nothing_runs):
    """One line names what is too much or too little."""
    record, log = tmp_path / "record.mat", tmp_path / "run.log"
    savemat(record, case[1])
    log.write_text(LINES)
    for words, word in (
        ([], "THING"),
        ([record, log], "OURS"),
        ([record, "--seed", 3], "--seed"),
        ([record, "--plot", tmp_path / "no" / "a.png"], "--plot"),
        ([record, "--checkpoint", "b.mat"], "--checkpoint"),
        ([log], "--script"),
        ([log, "--script", "gan_sgd"], "gan_sgd"),
        ([log, "--script", "gan_mbgd", "--from", record], "--from"),
        ([log, "--script", "gan_mbgd", "--batch-size", 7], "--batch-size"),
        ([log, "--script", "gan_mbgd", "--seed", "x"], "--seed"),
    ):
        assert word in refused(*words)


# ----------------------------------------------------------------------------- the plot


def test_plot(case, tmp_path, monkeypatch):
    file = tmp_path / "plot.png"
    savemat(tmp_path / "record.mat", case[1])
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        status, _, err = compare(tmp_path / "record.mat", "--plot", file)
        assert status == 2 and "matplotlib" in err and err.count("\n") == 1
    pytest.importorskip("matplotlib", reason="it is not installed")
    assert compare(tmp_path / "record.mat", "--plot", file)[0] == 0
    with Image.open(file) as picture:
        for half in 0, 300:  # losses above, differences below
            part = picture.convert("RGB").crop((0, half, 900, half + 300))
            colours = {x for _, x in part.getcolors(10**6)}
            assert {(192, 57, 18), (17, 85, 160)} <= colours


# ----------------------------------------------------------------- logs and pictures

LINES = """c_loss:"4.231139",d_loss:"0.327198"
save_sample:./pics/epoch_1_t_10.png
c_loss:"NaN",d_loss:"0.358400"
save_sample:./pics/epoch_2_t_10.png
"""
LOSSES_ALONE = "\n".join(LINES.split("\n")[::2])
TEN_STEPS = ("--images-num", 160, "--batch-size", 16)  # an epoch


def compare_logs(first, second, folder, *flags, script="gan_mbgd", steps=10):
    """Save two logs, texts or bytes, and compare: (exit status, the last line)."""
    files = [folder / "a.log", folder / "b.log"]
    for file, log in zip(files, (first, second), strict=True):
        file.write_bytes(log if isinstance(log, bytes) else log.encode())
    flags = [*flags, "--images-num", steps * 16, "--batch-size", 16]
    status, out, err = compare(*files, "--script", script, *flags)
    assert err.count("\n") == (status == 2), err
    return status, (out if status != 2 else err).splitlines()[-1]


def test_logs_in_any_form(tmp_path):
    other = 'c_loss:"1.5",d_loss:"2.5"\n'
    for log in (
        LINES,
        ">> gan_adam\n" + LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES,
        LINES.encode("utf-16"),  # PowerShell's >
        LINES.encode("utf-16-le"),
        "生成".encode("gbk") + LINES.encode(),
        LOSSES_ALONE,
        other + LINES + other,  # losses in between, and a run that broke off
        "save_sample:epoch_1_t_5.png\n" + LINES,
    ):
        for pair in (LINES, log), (log, LINES):
            status, last = compare_logs(*pair, tmp_path)
            assert status == 0, (log, last)
            assert last == "equal: 2 epochs, to the last digit printed"


@pytest.mark.parametrize(
    "old, new", [("0.358400", "0.358402"), ("NaN", "4.5"), ("NaN", "Inf")]
)
def test_different_logs(old, new, tmp_path):
    status, last = compare_logs(LINES, LINES.replace(old, new), tmp_path)
    assert status == 1 and last.startswith("different: from epoch 2 (step 20) on")


def test_the_digits_that_both_have(tmp_path):
    """One number may be the other rounded; that is not each digit."""
    for old, new, status in (
        ("4.231139", "4.2311", 0),
        ("4.231139", "4.2312", 1),
        ("0.327198", "3.272e-01", 0),
        ("0.327198", "3.273e-01", 1),
        ("0.327198", "0", 0),
        ("0.327198", "0.327199", 1),
        ("0.327198", "0.32719812345", 0),
        ("0.327198", "0.32719862345", 1),
    ):
        for pair in (LINES, LINES.replace(old, new)), (LINES.replace(old, new), LINES):
            found, last = compare_logs(*pair, tmp_path)
            assert found == status and "to the last digit" not in last, (new, last)
    new = LINES.replace("0.327198", "0.32719812345")
    assert compare_logs(new, new.replace("345", "346"), tmp_path)[0] == 0


def log_of(epochs, steps, wrong_from=99):
    """A log with pictures, its losses others from the epoch `wrong_from` on."""
    lines = []
    for e in range(1, epochs + 1):
        lines.append(f'c_loss:"{e + 0.5 * (e >= wrong_from)}",d_loss:"0.5"')
        lines.append(f"save_sample:./pics/epoch_{e}_t_{steps}.png")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "script, steps, last_told",  # the last epoch at which rounding does not decide
    [("gan_adam", 100, 7), ("gan_adam", 700, 1), ("gan_mbgd", 1000, 5)],
)
def test_where_rounding_may_decide(script, steps, last_told, tmp_path):
    """Different up to there; beyond it, equal up to the last epoch that is equal."""
    for wrong in range(1, 9):
        logs = log_of(8, steps), log_of(8, steps, wrong)
        found = compare_logs(*logs, tmp_path, script=script, steps=steps)
        if wrong <= last_told:
            words = f"different: from epoch {wrong} (step {wrong * steps}) on"
            assert found[0] == 1 and found[1].startswith(words)
        else:
            assert found[0] == 3 and f"{script} rounding may decide" in found[1]
            assert found[1].startswith(f"equal up to epoch {wrong - 1}, ")
    logs = log_of(8, 701), log_of(8, 701, 1)
    found = compare_logs(*logs, tmp_path, script=script, steps=701)
    assert found[0] == {"gan_adam": 2, "gan_mbgd": 1}[script]
    told = "record_run('gan_adam.m', 'record.mat', 0, 2, 6000)" in found[1]
    assert told == (script == "gan_adam")


def test_logs_with_gaps(tmp_path):
    """Epochs go by their numbers: with one missing, nothing is just equal."""
    whole = log_of(3, 10)
    lines = whole.split("\n")
    for gap, words in {
        "\n".join(lines[:4]): "equal up to epoch 2, ",
        "\n".join(lines[2:]): "equal up to epoch 3, ",
        "\n".join(lines[:2] + lines[4:]): "equal up to epoch 3, ",
    }.items():
        for pair in (whole, gap), (gap, whole):
            status, last = compare_logs(*pair, tmp_path)
            assert status == 3 and last.startswith(words) and "only in one" in last
    pair = "\n".join(lines[:2]), "\n".join(lines[2:])
    assert compare_logs(*pair, tmp_path)[0] == 2


@pytest.mark.parametrize(
    "log, word",
    [
        (LINES + LINES, "epoch_1_t_10.png after epoch_2"),  # two runs
        (LINES[:71] * 2, "epoch_1_t_10.png after epoch_1"),
        ("nothing", "c_loss:"),
        ("", "c_loss:"),
        (LINES[36:], "epoch_1_t_10.png"),  # a picture before its losses
        (LINES.replace('c_loss:"NaN"', ""), "epoch_2_t_10.png"),  # and without
        (LINES.replace("4.2", "4,2"), '"4,231139"'),
        (LINES.replace("4.2", "4_2"), '"4_231139"'),
        (LINES.replace("t_10", "t_11"), "epoch_*_t_10.png"),
    ],
)
def test_bad_logs(log, word, tmp_path):
    for pair, file in ((LINES, log), "b.log"), ((log, LINES), "a.log"):
        status, line = compare_logs(*pair, tmp_path)
        assert status == 2 and word in line and file in line, line


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


def save(levels, file):
    Image.fromarray(levels).save(file)


@pytest.fixture
def folders(tmp_path):
    """Two folders with a picture of 2 epochs, and with files that do not count."""
    both = tmp_path / "a", tmp_path / "b"
    for folder in both:
        folder.mkdir()
        for e in 1, 2:
            save(GREY, folder / f"epoch_{e}_t_10.png")
        (folder / "._epoch_1_t_10.png").write_bytes(b"\0\5\x16\7 of the Finder")
        save(np.full_like(GREY, ord(folder.name)), folder / "gradients.png")
        save(np.full_like(GREY, ord(folder.name)), folder / "epoch_1_t_5.png")
    return both


def compare_folders(folders):
    """(exit status, the last line)."""
    status, out, err = compare(*folders, "--script", "gan_mbgd", *TEN_STEPS)
    assert err == ""
    return status, out.splitlines()[-1]


def test_pictures(folders):
    assert compare_folders(folders) == (
        0,
        "equal: 2 epochs, within the 1 grey level that rounding may make",
    )
    wide = GREY.astype(np.uint16) * 257  # 16 bits, as Octave writes them
    wide[1:15] += 128  # still rounds to the same
    for level, status in (128, 0), (129, 0), (257 + 128, 0), (257 + 129, 1):
        other = wide.copy()
        other[3, 3] += level - 128
        save(other, folders[1] / "epoch_2_t_10.png")
        assert compare_folders(folders)[0] == status, level
    assert "different: from epoch 2 (step 20) on" in compare_folders(folders)[1]
    (folders[1] / "epoch_2_t_10.png").unlink()
    status, last = compare_folders(folders)
    assert status == 3 and last.startswith("equal up to epoch 1, "), last


def test_bad_pictures(folders, tmp_path):
    """One line names the file or the folder; what was compared before is printed."""
    picture = folders[1] / "epoch_1_t_10.png"
    flags = ["--script", "gan_mbgd", *TEN_STEPS]
    (tmp_path / "empty").mkdir()
    for other in "empty", "missing":
        assert other in refused(folders[0], tmp_path / other, *flags)
    save(GREY[:8], picture)
    assert "epoch_1_t_10.png" in refused(*folders, *flags)
    picture.write_bytes(b"text")
    assert str(picture) in refused(*folders, *flags)


# --------------------------------------------------------- logs and pictures: the port


@pytest.fixture(scope="module", params=SCRIPTS)
def printed(request, data, tmp_path_factory):
    """A run of 4 epochs of 10 steps: its folder, log, script, and its flags."""
    folder = tmp_path_factory.mktemp(request.param)
    gan = importlib.import_module(request.param)
    other = loadmat(data)["train_x"][::-1]
    savemat(folder / "other.mat", {"train_x": other})
    flags = {"--images-num": 200, "--batch-size": 20, "--seed": 7}
    flags |= {"--learning-rate": 0.002, "--data": folder / "other.mat"}
    words = [str(word) for pair in flags.items() for word in pair]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan, "nnsetup", smaller(gan.nnsetup))
        with contextlib.redirect_stdout(io.StringIO()) as out:
            gan.main(gan.options([*words, "--epoch=4", f"--pics={folder}"]))
    return folder, out.getvalue(), request.param, flags


def test_the_port_runs_as_far_as_it_can_be_told(
    printed, small_networks, tmp_path, monkeypatch
):
    """And no further, with the flags given through: without one it is different."""
    folder, log, script, flags = printed
    gan = importlib.import_module(script)
    file = tmp_path / "matlab.log"
    runs = []
    run = gan.main

    def main(opt):
        runs.append(opt.epoch)
        return run(opt)

    def verdict(thing, flags=flags):
        words = [word for pair in flags.items() for word in pair]
        status, out, err = compare(thing, "--script", script, *words)
        return status, (err or out).splitlines()[-1]

    monkeypatch.setattr(gan, "main", main)
    monkeypatch.setitem(compare_printed.STEPS_BEFORE_ROUNDING, script, 29)
    file.write_text(log)
    for thing in file, folder:
        status, last = verdict(thing)
        assert status == 3 and last.startswith("equal up to epoch 2, "), last
    file.write_text("".join(log.splitlines(True)[:2]))
    assert verdict(file) == (0, "equal: 1 epochs, to the last digit printed")
    assert runs == [2, 2, 1]
    losses = re.findall('d_loss:"(.*?)"', log)
    for e, status in (1, 1), (2, 1), (3, 3):
        wrong = f"{float(losses[e - 1]) + 1e-6:f}"
        file.write_text(log.replace(losses[e - 1], wrong))
        assert verdict(file)[0] == status
    file.write_text(log)
    for name in flags:
        fewer = {x: flags[x] for x in flags if x != name}
        assert verdict(file, fewer)[0] == (2 if name in TEN_STEPS else 1), name
    runs.clear()
    monkeypatch.setitem(compare_printed.STEPS_BEFORE_ROUNDING, script, 9)
    status, line = verdict(file)
    assert status == 2 and f"record_run('{script}.m', 'record.mat', 7, " in line
    assert runs == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_line_of_octave(script, tmp_path):
    """Of the golden record: an epoch of 100 steps, networks and images as they are."""
    golden = loadmat(os.path.join(MATLAB, f"octave_{script}_seed0_6000x2.mat"))
    c_loss, d_loss = (golden[x][99, 0] for x in ("c_loss", "d_loss"))
    (tmp_path / "a.log").write_text(f'c_loss:"{c_loss:.6f}",d_loss:"{d_loss:.6f}"')
    data = os.path.join(compare_matlab.ROOT, "data", "mnist_uint8.mat")
    words = ["--script", script, "--images-num", 6000, "--data", data]
    status, out, err = compare(tmp_path / "a.log", *words)
    assert (status, err) == (0, "") and "to the last digit printed" in out


# ------------------------------------------------------------------------ as a program


@POSIX
def test_as_a_program(tmp_path):
    """Started by a symbolic link, without docstrings, its output in ASCII or full."""
    link = tmp_path / "link.py"
    link.symlink_to(compare_matlab.__file__)
    logs = tmp_path / "图.log", tmp_path / "b.log"
    logs[0].write_text(log_of(1, 10))
    logs[1].write_text(log_of(1, 10, 1))
    command = [sys.executable, "-OO", link, "--script", "gan_mbgd", *TEN_STEPS]
    command = list(map(str, command))
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for second, status in (logs[1], 1), ("missing", 2):
        words = [*command, logs[0], second]
        end = subprocess.run(words, capture_output=True, text=True, env=narrow)
        assert (end.returncode, end.stderr.count("\n")) == (status, status == 2)
    assert end.stderr.startswith("link.py: ") and "missing" in end.stderr
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            words = [*command, *logs]
            end = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
        assert end.returncode == 2 and end.stderr.count("\n") == 1, end.stderr
