"""compare_matlab.py on records that the port itself makes, its sums in another order.

The networks are small here, but for one test: a record says how large they are.
"""

import contextlib
import importlib
import io
import struct
import sys

import compare_matlab
import numpy as np
import pytest
from conftest import SCRIPTS, smaller
from PIL import Image
from scipy.io import loadmat, savemat

RATES = {"gan_adam": 0.001, "gan_mbgd": 0.01}
SMALL = {"generator": [100, 24, 784], "discriminator": [784, 24, 1]}
ORIGINAL = {"generator": [100, 512, 784], "discriminator": [784, 512, 1]}
FROM_EPOCH_2 = {"images_num": 300, "batch_size": 60, "epochs_before": 2}


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


def settings(script, **more):
    """What run_port() needs to know of a record: 10 steps from scratch."""
    record = {"script": script, "seed": 0, "images_num": 320, "batch_size": 32}
    record |= {"learning_rate": RATES[script], "architectures": SMALL}
    record |= {"epochs_before": 0, "last_epoch": 1} | more
    steps = compare_matlab.total_steps(record)
    return record | {"losses": {"c_loss": np.zeros(steps)}}


def structs(final, architectures):
    """Both networks, from the final arrays of a run, as structs for savemat."""
    nets = {}
    for net, sizes in architectures.items():
        layers = np.empty((1, len(sizes)), object)
        for i in range(len(sizes)):
            layers[0, i] = {"a": []} if i == 0 else {}
        nets[net] = {"architecture": np.array([sizes], float), "layers": layers}
        for name, x in final.items():
            where = name.split(".")
            if where[0] == net and len(where) == 2:
                nets[net][where[1]] = x
            elif where[0] == net:
                layers[0, int(where[1][7:-1]) - 1][where[2]] = x
    return nets


def record_of(script, checkpoint=None, **more):
    """A record as record_run.m or record_from.m writes it: a dict for savemat."""
    asked = settings(script, **more)
    data = compare_matlab.DATA
    run = compare_matlab.run_port(asked, data, checkpoint, rounding=1)
    each = compare_matlab.steps_an_epoch(asked)
    printed = []
    for k in range(each - 1, len(run["losses"]["c_loss"]), each):
        e = asked["epochs_before"] + k // each + 1
        c_loss, d_loss = (run["losses"][name][k] for name in ("c_loss", "d_loss"))
        printed.append(f'c_loss:"{c_loss:f}",d_loss:"{d_loss:f}"')
        printed.append(f"save_sample:./pics/epoch_{e}_t_{each}.png")
    saved = {name: float(asked[name]) for name in compare_matlab.SETTINGS}
    saved |= {name: x[:, None] for name, x in run["losses"].items()}
    saved |= structs(run["final"], asked["architectures"])
    saved["first"] = float(asked["epochs_before"])
    saved["epoch"] = float(asked["last_epoch"])
    saved["images_fake"] = run["final"]["images_fake"]
    saved["printed"] = "\n".join(printed)
    saved["images_check"] = images_check(data, asked["images_num"])
    return saved | {"script": script, "producer": "MATLAB 9.14", "complete": 1.0}


@pytest.fixture
def same_limits(monkeypatch):
    """Measure once what rounding makes, where a test compares many records."""
    known = []
    measure = compare_matlab.limits

    def limits(record, data, checkpoint, steps, port):
        if not known:
            known.append(measure(record, data, checkpoint, steps, port))
        loss_limit, final_limits = known[0]
        return loss_limit[:steps], final_limits

    monkeypatch.setattr(compare_matlab, "limits", limits)


@pytest.fixture(scope="module", params=SCRIPTS)
def case(request):
    """(script, record) of a short run from scratch."""
    return request.param, record_of(request.param)


@pytest.fixture(scope="module", params=SCRIPTS)
def finished(request, data, tmp_path_factory):
    """(script, checkpoint) of a finished run: 2 epochs of 5 steps."""
    script = request.param
    folder = tmp_path_factory.mktemp(script)
    gan = importlib.import_module(script)
    file = str(folder / "run.mat")
    flags = ["--images-num=300", "--epoch=2", f"--pics={folder}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan, "nnsetup", smaller(gan.nnsetup))
        with contextlib.redirect_stdout(io.StringIO()):
            gan.main(gan.options([*flags, f"--data={data}", f"--checkpoint={file}"]))
    return script, file


def workspace(file):
    """The variables of a .mat file, to be changed and saved again."""
    return {name: x for name, x in loadmat(file).items() if name[0] != "_"}


@pytest.fixture(scope="module")
def start(finished, tmp_path_factory):
    """(script, two pairs of a checkpoint and the record of an epoch from there on).

    One checkpoint is early in training. The other is late: t is so large that Adam's
    correction is 1.
    """
    script, early = finished
    late = str(tmp_path_factory.mktemp("late") / "late.mat")
    saved = workspace(early)
    if script == "gan_adam":
        for net in "generator", "discriminator":
            saved[net]["t"][0, 0] = 1e5
    savemat(late, saved)
    more = FROM_EPOCH_2 | {"last_epoch": 3}
    return script, [(file, record_of(script, file, **more)) for file in (early, late)]


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
    assert err.startswith("compare_matlab.py: ")
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
    where = name.split(".")
    if len(where) == 1:
        return record | {name: change(record[name].copy())}
    net = dict(record[where[0]])
    if len(where) == 2:
        net[where[1]] = change(np.array(net[where[1]]))
    else:
        i = int(where[1][7:-1]) - 1
        layers = net["layers"].copy()
        layers[0, i] = layers[0, i] | {where[2]: change(layers[0, i][where[2]].copy())}
        net["layers"] = layers
    return record | {where[0]: net}


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
    swapped = record["images_fake"].copy()
    swapped[20:32] = swapped[20:32][::-1]
    squares = record["images_fake"].reshape(32, 28, 28)
    turned = squares.transpose(0, 2, 1).reshape(32, 784)
    for images in swapped, turned:
        assert verdict_of(record | {"images_fake": images}, tmp_path)[0] == 1


def test_the_worst_array_comes_first(capsys):
    final = {"generator.t": 0.0, "a": 3e-9, "images_fake": 5e-9, "b": 2e-10}
    limit = {"generator.t": 1e-9, "a": 1e-9, "images_fake": 1e-8, "b": 1e-11}
    limit["unknown"], final["unknown"] = 0.5, 0.4
    losses = {name: np.zeros(2) for name in ("c_loss", "d_loss")}
    status, sentence = compare_matlab.verdict(losses, np.ones(2) / 1e9, final, limit, 2)
    assert status == 1 and sentence.startswith("different: b after the last step by 2")
    compare_matlab.print_final({"final": final, "final_limits": limit})
    names = [x.split()[0] for x in capsys.readouterr().out.splitlines()[2:]]
    assert names[:3] == ["b", "a", "images_fake"]


def test_the_table_of_steps_goes_to_the_end():
    for last in 1, 10, 11, 200, 2000, 2001, 6000, 10000, 10001, 100000:
        steps = compare_matlab.table_steps(last)
        assert steps[-1] == last and steps == sorted(set(steps)) and len(steps) < 40
    assert {3000, 3500, 4000, 4500, 5000, 5500} < set(compare_matlab.table_steps(6000))


def test_older_records_without_the_new_variables(case, tmp_path):
    new = ("printed", "images_check", "first", "complete")
    record = {name: x for name, x in case[1].items() if name not in new}
    assert verdict_of(record, tmp_path)[0] == 0


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


# -------------------------------------------------------------------- the printed lines


@pytest.fixture(scope="module")
def two_epochs():
    """A record of 2 epochs of 5 steps."""
    return record_of("gan_mbgd", images_num=160, last_epoch=2)


def test_other_printed_lines_are_a_remark(two_epochs, tmp_path, same_limits):
    """The numbers decide; what the script printed beside them is said after it."""
    lines = two_epochs["printed"].split("\n")
    every_step = []
    for k in range(10):
        c_loss, d_loss = (two_epochs[name][k, 0] for name in ("c_loss", "d_loss"))
        every_step.append(f'c_loss:"{c_loss:.4f}",d_loss:"{d_loss:e}"')
    for printed, words in {
        "\n".join([lines[0], lines[2]]): f"line 2, {lines[2]} where gan_mbgd.py has",
        "\n".join(every_step): f"line 1, {every_step[0]} where",
        "\n".join(lines[:2]): f"no line where gan_mbgd.py has {lines[2]}",
        "\n".join([*lines, "done"]): "line 5, done where gan_mbgd.py has no line",
        "\n".join(["\33[2J", *lines]): "line 1, ?[2J where",
        "": "printed nothing",
    }.items():
        status, last = lines_of(two_epochs | {"printed": printed}, tmp_path)
        assert status == 0 and last[-2].startswith("equal: 10 steps"), printed
        assert last[-1].startswith("remark: the script printed ") and words in last[-1]
        assert "losses that are not" not in last[-1]
    printed = "\r\n".join(lines)
    status, last = verdict_of(two_epochs | {"printed": printed}, tmp_path)
    assert status == 0 and last.startswith("equal: ")


def test_printed_losses_that_no_step_has_are_a_remark(
    two_epochs, tmp_path, same_limits
):
    lines = two_epochs["printed"].split("\n")
    c_loss = two_epochs["c_loss"][9, 0]
    wrong = lines[2].replace(f"{c_loss:f}", f"{c_loss + 2e-6:f}")
    for printed, word in (
        ([*lines[:2], wrong, lines[3]], wrong),
        ([lines[2], lines[0]], lines[0]),  # in another order
        (['c_loss:"NaN",d_loss:"1"'], "NaN"),
        (['c_loss:"what",d_loss:"1"'], "what"),
    ):
        record = two_epochs | {"printed": "\n".join(printed)}
        status, found = lines_of(record, tmp_path)
        assert status == 0 and found[-2].startswith("equal: 10 steps")
        assert found[-1].startswith("remark: the script printed losses that are not")
        assert found[-1].endswith(word) or word in found[-1]


def test_printed_lines_under_other_verdicts(two_epochs, tmp_path, same_limits):
    other = two_epochs | {"printed": "other"}
    record = altered(other, "c_loss", one((3, 0), lambda x: x * 1.001))
    assert verdict_of(record, tmp_path)[1].startswith("different: c_loss of step 4")


@pytest.mark.parametrize("value, word", [(np.nan, "NaN"), (np.inf, "Inf")])
def test_printed_nan_and_inf(value, word):
    assert compare_matlab.prints(word, value)
    assert not compare_matlab.prints("1.5", value)
    assert not compare_matlab.prints(word, 1.5)


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


def test_other_images_of_a_checkpoint(of_finished, data, tmp_path, nothing_runs):
    """As for the record: one line, before anything runs."""
    record, run = of_finished
    savemat(tmp_path / "record.mat", record)
    old = {name: x for name, x in record.items() if name != "images_check"}
    savemat(tmp_path / "old.mat", old)
    savemat(tmp_path / "run.mat", workspace(run) | {"images_sha256": 64 * "0"})
    for name in "record.mat", "old.mat":
        line = refused(tmp_path / name, "--checkpoint", tmp_path / "run.mat")
        assert f"the images of run.mat are not those of {data}; give" in line


def test_bad_data(case, tmp_path, nothing_runs):
    """What the script says of its --data is said here too, in one line."""
    savemat(tmp_path / "record.mat", case[1])
    status, out, err = compare(tmp_path / "record.mat", "--data", tmp_path / "no.mat")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "no.mat" in err and "--data" in err


# ---------------------------------------------------------------------- the layer sizes


@pytest.mark.parametrize(
    "script, generator, discriminator",
    [
        ("gan_adam", ORIGINAL["generator"], ORIGINAL["discriminator"]),
        ("gan_mbgd", [100, 256, 784], [784, 256, 1]),
        ("gan_adam", [30, 15, 784], [784, 30, 15, 30, 1]),
        ("gan_mbgd", [7, 5, 15, 5, 784], [784, 1]),
    ],
)
def test_layer_sizes(script, generator, discriminator, tmp_path):
    """The port runs with those of the record, the noise as wide as the generator."""
    sizes = {"generator": generator, "discriminator": discriminator}
    record = record_of(script, architectures=sizes, images_num=96)
    assert record["generator"]["layers"][0, 1]["w"].shape == tuple(generator[:2])
    status, lines = lines_of(record, tmp_path)
    assert status == 0, lines[-1]
    assert f"generator {'-'.join(map(str, generator))}" in lines[1]
    i = len(discriminator)
    name = f"discriminator.layers{{{i}}}.w"
    wrong = altered(record, name, lambda x: x * (1 + 1e-6))
    status, last = verdict_of(wrong, tmp_path)
    assert status == 1 and last.startswith(f"different: {name} ")


def other_beta1(gan, patch):
    setup = gan.nnsetup

    def nnsetup(*words):
        nn = setup(*words)
        nn["beta1"] = 0.5
        return nn

    patch.setattr(gan, "nnsetup", nnsetup)


def noise_from_0(gan, patch):
    draw = gan.unifrnd
    patch.setattr(gan, "unifrnd", lambda a, b, m, n: draw(0, 1, m, n))


def generator_updated_twice(gan, patch):
    """nnbp_g and the update after it are called twice a step."""
    update = gan.nnapplygrade
    last = {}
    backward = gan.nnbp_g

    def nnbp_g(g_net, d_net):
        last["discriminator"] = d_net
        return backward(g_net, d_net)

    def nnapplygrade(nn, learning_rate):
        nn = update(nn, learning_rate)
        if nn["architecture"][-1] == 784:
            nn = backward(nn, last["discriminator"])
            nn = update(nn, learning_rate)
        return nn

    patch.setattr(gan, "nnbp_g", nnbp_g)
    patch.setattr(gan, "nnapplygrade", nnapplygrade)


def epsilon_in_the_root(gan, patch):
    update = gan.nnapplygrade

    def nnapplygrade(nn, learning_rate):
        before = [layer["w"].copy() for layer in nn["layers"][1:]]
        nn = update(nn, learning_rate)
        root = np.sqrt(1 - nn["beta2"] ** nn["t"])
        lr = learning_rate * root / (1 - nn["beta1"] ** nn["t"])
        for layer, w in zip(nn["layers"][1:], before, strict=True):
            layer["w"] = w - lr * layer["w_m"] / np.sqrt(layer["w_v"] + nn["epsilon"])
        return nn

    patch.setattr(gan, "nnapplygrade", nnapplygrade)


@pytest.mark.parametrize(
    "script, change, first",
    [
        ("gan_adam", other_beta1, "c_loss of step 2 "),  # step 1 is corrected for it
        ("gan_mbgd", noise_from_0, "c_loss of step 1 "),
        ("gan_adam", generator_updated_twice, "c_loss of step 1 "),
        ("gan_mbgd", generator_updated_twice, "c_loss of step 1 "),
        ("gan_adam", epsilon_in_the_root, "c_loss of step 1 "),
    ],
)
def test_what_else_copies_change_is_different(script, change, first, tmp_path):
    """The verdict names the first step and quantity where the change shows."""
    with pytest.MonkeyPatch.context() as patch:
        change(importlib.import_module(script), patch)
        record = record_of(script, images_num=96)
    status, last = verdict_of(record, tmp_path)
    assert status == 1 and last.startswith(f"different: {first}"), last


# --------------------------------------------------------------------- bugs of the port
# functions that put a bug into the module, from the step on that they are given


def frozen_generator(gan, patch, step):
    update = gan.nnapplygrade
    patch(
        "nnapplygrade",
        lambda nn, lr: nn if outputs(nn) == 784 and step() else update(nn, lr),
    )


def no_correction(gan, patch, step):
    update = gan.nnapplygrade

    def changed(nn, lr):
        t = nn["t"]
        if step():
            nn["t"] = 10**6
        nn = update(nn, lr)
        nn["t"] = t + 1
        return nn

    patch("nnapplygrade", changed)


def no_moments(gan, patch, step):
    update = gan.nnapplygrade

    def changed(nn, lr):
        if step() == 1:
            for layer in nn["layers"][1:]:
                for name in "w_m", "w_v", "b_m", "b_v":
                    layer[name] = 0 * layer[name]
        return update(nn, lr)

    patch("nnapplygrade", changed)


def t_begins_anew(gan, patch, step):
    update = gan.nnapplygrade

    def changed(nn, lr):
        if step() == 1:
            nn["t"] = 0
        return update(nn, lr)

    patch("nnapplygrade", changed)


def exact_gradient(gan, patch, step):
    original = gan.delta_sigmoid_cross_entropy

    def delta(logits, labels):
        if step():
            return gan.delta_exact(logits, labels)
        return original(logits, labels)

    patch("delta_sigmoid_cross_entropy", delta)


def no_shuffle(gan, patch, step):
    shuffle = gan.randperm
    patch("randperm", lambda n: np.sort(shuffle(n)) if step() else shuffle(n))


def positive_noise(gan, patch, step):
    draw = gan.unifrnd
    patch("unifrnd", lambda *x: abs(draw(*x)) if step() else draw(*x))


def smaller_rate(gan, patch, step):
    update = gan.nnapplygrade
    patch("nnapplygrade", lambda nn, lr: update(nn, lr / 10 if step() else lr))


OF_ADAM = (no_correction, no_moments, t_begins_anew)
BUGS = (
    frozen_generator,
    exact_gradient,
    no_shuffle,
    positive_noise,
    smaller_rate,
    *OF_ADAM,
)


def outputs(nn):
    """How many outputs a network has."""
    return nn["layers"][-1]["w"].shape[1]


def with_bug(monkeypatch, gan, bug, first_step=1):
    """Put the bug into the module from a step on: step() is 0 before, then 1, 2..."""
    calls = []
    loss = gan.sigmoid_cross_entropy
    run = gan.main

    def counting(*x):
        calls.append(1)  # twice a step
        return loss(*x)

    def anew(opt):
        calls.clear()
        return run(opt)

    def patch(name, new):
        monkeypatch.setattr(gan, name, new)

    patch("sigmoid_cross_entropy", counting)
    patch("main", anew)
    bug(gan, patch, lambda: max(0, len(calls) // 2 + 2 - first_step))


@pytest.mark.parametrize("bug", BUGS, ids=lambda x: x.__name__)
def test_bugs_show_from_a_checkpoint(start, bug, monkeypatch, tmp_path):
    """Early and late, but for Adam's correction, which is 1 late: one takes both."""
    script, pairs = start
    if script == "gan_mbgd" and bug in OF_ADAM:
        pytest.skip("a bug of Adam's")
    with_bug(monkeypatch, importlib.import_module(script), bug)
    for late, (checkpoint, record) in enumerate(pairs):
        status, last = verdict_of(record, tmp_path, "--from", checkpoint)
        assert status == (0 if bug is no_correction and late else 1), last


def test_equal_from_a_checkpoint(start, tmp_path):
    for checkpoint, record in start[1]:
        status, last = verdict_of(record, tmp_path, "--from", checkpoint)
        assert status == 0 and last.startswith("equal: 5 steps and the final"), last


# ----------------------------------------------------------------------------- rounding


@pytest.fixture
def rounding_from_step_10(monkeypatch):
    """Make it certain that rounding decides from step 10 on.

    In the runs that measure it, and no others, the discriminator's last bias grows by 1
    at the end of step 9.
    """
    true_run = compare_matlab.run_port

    def moved(gan, patch, step):
        update = gan.nnapplygrade

        def nnapplygrade(nn, lr):
            nn = update(nn, lr)
            if step() == 1 and outputs(nn) == 1:
                nn["layers"][-1]["b"] = nn["layers"][-1]["b"] + 1
            return nn

        patch("nnapplygrade", nnapplygrade)

    def run_port(record, data, checkpoint=None, rounding=0):
        if not rounding:
            return true_run(record, data, checkpoint)
        with pytest.MonkeyPatch.context() as patch:
            gan = importlib.import_module(record["script"])
            with_bug(patch, gan, moved, first_step=9)
            return true_run(record, data, checkpoint, rounding)

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
    plain = compare_matlab.run_port(record, data)["final"]

    def changed(rounding):
        other = compare_matlab.run_port(record, data, None, rounding)["final"]
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
        losses = {"c_loss": np.array(c_loss[k]), "d_loss": np.ones(3)}
        arrays = {"generator.t": np.ones(1), "images_fake": np.array(final[k])}
        runs[k] = {"losses": losses, "final": arrays}
    monkeypatch.setattr(compare_matlab, "run_port", lambda *words: runs[words[-1]])
    of_losses, of_final = compare_matlab.limits({}, "", None, 3, runs[0])
    np.testing.assert_allclose(of_losses, 30e-4, rtol=1e-3)
    assert abs(of_final["images_fake"] / 30e-3 - 1) < 0.01
    assert of_final["generator.t"] == compare_matlab.FACTOR * compare_matlab.FLOOR
    c_loss[2][0] = 1.0
    runs[2]["losses"]["c_loss"] = np.array(c_loss[2])
    of_losses, _ = compare_matlab.limits({}, "", None, 3, runs[0])
    np.testing.assert_allclose(of_losses, [30e-14, 30e-4, 30e-4], rtol=1e-3)


def test_relative_difference():
    a = np.array([1.0, 0.0, np.nan, np.nan, np.inf, np.inf, -1.0])
    b = np.array([1.1, 0.0, np.nan, 1.0, np.inf, 1.0, 1.0])
    x = compare_matlab.relative_difference(a, b)
    np.testing.assert_allclose(x, [0.1 / 1.1, 0, 0, np.inf, 0, np.inf, 2])
    x = compare_matlab.relative_difference(np.array([8, 1e-9]), np.array([8, 0.0]), 0.5)
    np.testing.assert_allclose(x, [0, 1e-9 / 4])


def test_the_table_shows_the_largest_difference_so_far(capsys):
    losses = {"c_loss": np.zeros(12), "d_loss": np.zeros(12)}
    losses["d_loss"][4] = 3e-9
    compare_matlab.print_steps({"losses": losses, "loss_limit": np.full(12, 1e-7)})
    rows = [x.split() for x in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [
        ["1", "0e+00", "1e-07"],
        ["10", "3e-09", "1e-07"],
        ["12", "3e-09", "1e-07"],
    ]


# ------------------------------------------------------- checkpoints and other settings


def test_from_another_checkpoint(start, tmp_path, nothing_runs):
    script, [(early, record), (late, _)] = start
    file = tmp_path / "record.mat"
    savemat(file, record)
    assert "begins after epoch 2; give --from" in refused(file)
    savemat(file, record | {"first": 1.0, "epoch": 2.0})
    assert "of epoch 2, not 1" in refused(file, "--from", early)
    savemat(file, record | {"learning_rate": 0.5})
    assert "learning_rate" in refused(file, "--from", early)
    other = {"generator": [100, 16, 784], "discriminator": [784, 24, 1]}
    final = {}
    for net, sizes in other.items():
        for name in compare_matlab.NETWORK_FIELDS[script]:
            final[f"{net}.{name}"] = 0.5
        for i in 1, 2:
            for name in compare_matlab.LAYER_FIELDS[script]:
                shape = (sizes[i - 1] if name[0] == "w" else 1, sizes[i])
                final[f"{net}.layers{{{i + 1}}}.{name}"] = np.ones(shape)
    savemat(file, record | structs(final, other))
    line = refused(file, "--from", early)
    assert "generator.architecture is [100, 16, 784] in record.mat" in line
    assert "discriminator" not in line


def test_fewer_images_than_the_checkpoint(start, data, tmp_path):
    """record_from.m may take fewer; the images of both files are looked at."""
    script, [(early, _), _] = start
    more = FROM_EPOCH_2 | {"last_epoch": 3, "images_num": 120}
    record = record_of(script, early, **more)
    status, last = verdict_of(record, tmp_path, "--from", early)
    assert status == 0 and last.startswith("equal: 2 steps"), last
    savemat(tmp_path / "other.mat", workspace(early) | {"images_sha256": 64 * "0"})
    line = refused(tmp_path / "record.mat", "--from", tmp_path / "other.mat")
    assert f"the images of other.mat are not those of {data}; give" in line


def test_a_late_checkpoint_is_not_an_early_one(start, tmp_path):
    script, [(_, record), (late, _)] = start
    if script == "gan_adam":
        assert verdict_of(record, tmp_path, "--from", late)[0] == 1


@pytest.fixture(scope="module")
def of_finished(finished):
    """(record, checkpoint), both of the run of `finished`."""
    script, run = finished
    return record_of(script, images_num=300, batch_size=60, last_epoch=2), run


def test_a_finished_run(of_finished, tmp_path):
    record, run = of_finished
    status, last = verdict_of(record, tmp_path, "--checkpoint", run)
    assert status == 0, last
    wrong = altered(record, "discriminator.layers{2}.w", lambda x: x * 1.00001)
    assert verdict_of(wrong, tmp_path, "--checkpoint", run)[0] == 1
    wrong = altered(record, "d_loss", one((9, 0), lambda x: x * 1.00001))
    assert verdict_of(wrong, tmp_path, "--checkpoint", run)[0] == 1


def test_a_finished_run_that_is_longer(of_finished, tmp_path):
    record, run = of_finished
    short = record | {name: record[name][:5] for name in ("c_loss", "d_loss")}
    short |= {"epoch": 1.0, "printed": "\n".join(record["printed"].split("\n")[:2])}
    status, lines = lines_of(short, tmp_path, "--checkpoint", run)
    assert status == 3 and "in the losses; nothing else was compared" in lines[-1]
    assert "run.mat and record.mat share 5 steps" in lines


def test_a_finished_run_that_is_shorter(of_finished, tmp_path):
    record, run = of_finished
    saved = workspace(run)
    short = saved | {name: saved[name][:5] for name in ("c_loss", "d_loss")}
    savemat(tmp_path / "short.mat", short | {"e": 1.0})
    status, lines = lines_of(record, tmp_path, "--checkpoint", tmp_path / "short.mat")
    assert status == 3 and lines[-1].startswith("equal up to step 5 of 10 in the los")


def test_a_finished_run_without_its_first_losses(of_finished, tmp_path):
    """As one has them that went on from a MATLAB workspace."""
    record, run = of_finished
    unknown = workspace(run)
    for name in "c_loss", "d_loss":
        unknown[name][:4] = np.nan
    file = tmp_path / "unknown.mat"
    savemat(file, unknown)
    status, lines = lines_of(record, tmp_path, "--checkpoint", file)
    assert status == 0 and "unknown.mat has no losses of the first 4 of them" in lines
    assert lines[-1].endswith("; the losses of the first 4 steps were not compared")
    savemat(file, unknown | {"c_loss": unknown["c_loss"] * 1.0001})
    status, last = verdict_of(record, tmp_path, "--checkpoint", file)
    assert status == 1 and last.startswith("different: c_loss of step 5 ")
    for name in "c_loss", "d_loss":
        unknown[name][:] = np.nan
    savemat(file, unknown)
    assert "no losses to compare" in refused(
        tmp_path / "record.mat", "--checkpoint", file
    )


def test_another_finished_run(of_finished, tmp_path, nothing_runs):
    """A run with other settings is none to compare with: bad input, one line."""
    record, run = of_finished
    savemat(tmp_path / "record.mat", record)
    other = tmp_path / "other.mat"
    for name, value in {
        "seed": 1.0,
        "learning_rate": 0.5,
        "gradient": "exact",
        "precision": "single",
    }.items():
        savemat(other, workspace(run) | {name: value})
        line = refused(tmp_path / "record.mat", "--checkpoint", other)
        assert f"{name} " in line and "is another run" in line


# ------------------------------------------------------------------ files that are kept


def element(kind, content):
    """An element of a v5 .mat file: its type, its size, its content."""
    content += bytes(-len(content) % 8)
    return struct.pack("<II", kind, len(content)) + content


def short_element(kind, content):
    """An element of at most 4 bytes."""
    return struct.pack("<HH4s", kind, len(content), content)


def string_variable(name):
    """The bytes of a variable of MATLAB's class string, as its save writes them.

    Of datetime, table and containers.Map variables, the name of the class differs.
    """
    flags = element(6, struct.pack("<II", 17, 0))  # class 17: opaque
    words = struct.pack("<II", 1, len(name)) + name + bytes(-len(name) % 8)
    system = short_element(1, b"MCOS") + struct.pack("<II", 1, 6) + b"string\0\0"
    dimensions = element(5, struct.pack("<ii", 6, 1)) + struct.pack("<II", 1, 0)
    values = element(6, struct.pack("<6I", 0xDD000000, 2, 1, 1, 1, 1))
    handle = element(14, element(6, struct.pack("<II", 13, 0)) + dimensions + values)
    return element(14, flags + words + system + handle)


def test_a_string_variable_beside_ours(start, tmp_path):
    """In front of ours and after them, in the record and in the checkpoint."""
    checkpoint, record = start[1][0]
    names = {"record.mat": tmp_path / "a.mat", "start.mat": tmp_path / "b.mat"}
    savemat(names["record.mat"], record)
    savemat(names["start.mat"], workspace(checkpoint))
    for file in names.values():
        content = file.read_bytes()
        string = string_variable(b"note")
        file.write_bytes(content[:128] + string + content[128:] + string)
    status, out, err = compare(names["record.mat"], "--from", names["start.mat"])
    assert (status, err) == (0, "") and "equal: 5 steps" in out


def test_any_header_text(case, tmp_path):
    """Bytes 125 to 128 tell a v5 file; before them stands whatever wrote the file."""
    file = tmp_path / "record.mat"
    savemat(file, case[1])
    content = file.read_bytes()
    for words in b"Matlab 5.0 MAT-file, by hand", b"matlab 5.0 mat-file", b"My data":
        file.write_bytes(words.ljust(124) + content[124:])
        assert compare_matlab.read_record(file)["script"] == case[0]


def test_bad_files(case, finished, tmp_path, nothing_runs):
    text = tmp_path / "text.mat"
    record = tmp_path / "record.mat"
    savemat(record, case[1])
    text.write_text("just text")
    assert "is not a .mat file" in refused(text)
    assert "cannot be read" in refused(tmp_path / "missing.mat")
    assert "cannot be read" in refused(tmp_path)
    assert "is not a record" in refused(finished[1])
    assert "is not a checkpoint" in refused(record, "--checkpoint", record)
    assert "is not a .mat file" in refused(record, "--checkpoint", text)
    content = record.read_bytes()
    for size in 30, 200, len(content) // 2:
        (tmp_path / "cut.mat").write_bytes(content[:size])
        line = refused(tmp_path / "cut.mat")
        assert "is not a .mat file" in line or "damaged" in line or "missing" in line
    new = tmp_path / "new.mat"
    new.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(600))
    assert refused(new).rstrip().endswith("with '-v7.3'; save it anew with '-v7'")
    for head in b"\x89HDF\r\n\x1a\n\0\0", b"\0\0\0\0\1\0\0\0":
        new.write_bytes(head + bytes(600))
        assert "-v7" in refused(new)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--pictures", "a", "b"],
        ["--plot", "a.png"],
        ["--from", "a.mat"],
        ["record.mat", "--from", "a.mat", "--checkpoint", "b.mat"],
        ["record.mat", "--plot", "no/a.png"],
        ["record.mat", "--frobnicate"],
    ],
)
def test_bad_command_lines(words):
    refused(*words)


def without(name):
    return lambda record: record.pop(name)


def put(name, value):
    return lambda record: record.update({name: value})


def put_in(net, name, value):
    return lambda record: record.update({net: record[net] | {name: value}})


def broken_off_after(steps):
    losses = {"c_loss": np.ones((steps, 1)), "d_loss": np.ones((steps, 1))}
    return lambda record: record.update(losses | {"complete": 0.0})


CELLS = np.empty((1, 1), object)
CELLS[0, 0] = 1.0


@pytest.mark.parametrize(
    "change, word",
    [
        *(
            (without(name), f"{name} is missing")
            for name in ("script", "seed", "c_loss", "images_fake", "generator")
        ),
        (put("script", "gan_sgd"), "gan_sgd"),
        (put("script", 5.0), "script"),
        (put("seed", -1.0), "seed"),
        (put("seed", 2.0**32), "seed"),
        (put("epoch", 1.5), "epoch"),
        (put("epoch", np.inf), "epoch"),
        (put("batch_size", 0.0), "batch_size"),
        (put("batch_size", 10.0), "batch_size"),
        (put("images_num", [60.0, 60.0]), "images_num"),
        (put("images_num", 130.0), "images_num"),
        (put("learning_rate", -0.1), "learning_rate"),
        (put("learning_rate", "fast"), "learning_rate"),
        (put("c_loss", np.ones(3)), "c_loss"),
        (broken_off_after(0), "10 entries"),
        (broken_off_after(11), "10 entries"),
        (put("d_loss", np.ones(10) * 1j), "d_loss"),
        (put("images_fake", np.ones((3, 3))), "images_fake"),
        (put("images_fake", np.ones((784, 32))), "images_fake"),
        (put("generator", 5.0), "generator must be a struct"),
        (put("generator", CELLS), "generator must be a struct"),
        (put("discriminator", {"layers": {"w": 1.0}}), "discriminator"),
        (put_in("generator", "layers", 1.0), "generator.layers must be"),
        (put_in("generator", "architecture", "a"), "generator.architecture must"),
        (put_in("generator", "architecture", [100.0, 25.0, 784.0]), "layers{2}.w must"),
        (put_in("generator", "architecture", [100.0, 784.0]), "cell array of 2"),
        (put_in("generator", "architecture", [100.0, 2.5, 784.0]), "whole numbers"),
        (put_in("generator", "architecture", [784.0]), "two whole numbers"),
        (put_in("generator", "architecture", [100.0, 24.0, 783.0]), "end with 784"),
        (put_in("discriminator", "architecture", [784.0, 24.0, 2.0]), "end with 1"),
        (put_in("discriminator", "architecture", [783.0, 24.0, 1.0]), "begin with 784"),
    ],
)
@pytest.mark.parametrize("case", ["gan_adam"], indirect=True)
def test_bad_records(case, tmp_path, change, word, nothing_runs):
    record = dict(case[1])
    file = tmp_path / "record.mat"
    change(record)
    savemat(file, record)
    line = refused(file)
    assert word in line and str(file) in line, line


# ----------------------------------------------------------------------------- the plot


def test_plot(case, tmp_path):
    pytest.importorskip("matplotlib", reason="it is not installed")
    savemat(tmp_path / "record.mat", case[1])
    assert compare(tmp_path / "record.mat", "--plot", tmp_path / "plot.png")[0] == 0
    with Image.open(tmp_path / "plot.png") as picture:
        colours = {x for _, x in picture.convert("RGB").getcolors(10**6)}
        assert picture.size == (900, 600)
        assert {(192, 57, 18), (17, 85, 160)} <= colours


def test_plot_without_matplotlib(case, tmp_path, monkeypatch):
    savemat(tmp_path / "record.mat", case[1])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = compare(tmp_path / "record.mat", "--plot", tmp_path / "plot.png")
    assert status == 2 and "pip install matplotlib" in err
