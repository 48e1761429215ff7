"""compare_matlab.py on records that the port itself makes, with its sums in another order."""

import collections
import contextlib
import importlib
import io
import os
import sys

import compare_matlab
import numpy as np
import pytest
from conftest import SCRIPTS
from PIL import Image
from scipy.io import loadmat, savemat

SIXTY = {"images_num": 300, "batch_size": 60}  # as of the golden runs
RATES = {"gan_adam": 0.001, "gan_mbgd": 0.01}


def settings(script, **more):
    """What run_port() needs to know of a record: 10 steps from scratch."""
    record = {
        "script": script,
        "seed": 0,
        "images_num": 320,
        "batch_size": 32,
        "first": 0,
    }
    record |= {"learning_rate": RATES[script], "epoch": 1} | more
    steps = (
        (record["epoch"] - record["first"])
        * record["images_num"]
        // record["batch_size"]
    )
    return record | {"losses": {"c_loss": np.zeros(steps)}}


def workspace_of(state):
    """The networks of a state of compare_matlab as structs for savemat."""
    nets = {}
    for name, x in state.items():
        if name == "images_fake":
            continue
        net, *where, k = name.split()
        layers = nets.setdefault(
            net, {"layers": np.array([[{"a": []}, {}, {}]], object)}
        )
        (layers["layers"][0, int(where[0]) - 1] if where else layers)[k] = x
    return nets


def record_of(script, checkpoint=None, **more):
    """A record as record_run.m or record_from.m writes it: a dict for savemat."""
    record = settings(script, **more)
    run = compare_matlab.run_port(record, checkpoint, rounding=1)
    gan, each = (
        importlib.import_module(script),
        record["images_num"] // record["batch_size"],
    )
    printed = []
    for k in range(each - 1, len(run["losses"]["c_loss"]), each):
        c_loss, d_loss = (
            gan.format_f(run["losses"][x][k]) for x in ("c_loss", "d_loss")
        )
        e = record["first"] + k // each + 1
        printed += [
            f'c_loss:"{c_loss}",d_loss:"{d_loss}"',
            f"save_sample:./pics/epoch_{e}_t_{each}.png",
        ]
    saved = {
        k: x if isinstance(x, str) else float(x)
        for k, x in record.items()
        if k != "losses"
    }
    saved |= {k: x[:, None] for k, x in run["losses"].items()} | workspace_of(
        run["state"]
    )
    saved |= {"images_fake": run["state"]["images_fake"], "printed": "\n".join(printed)}
    saved["images_check"] = compare_matlab.images_check(record["images_num"])
    return saved | {"producer": "MATLAB 9.14", "complete": 1.0}


@pytest.fixture(scope="module", autouse=True)
def few_images(tmp_path_factory):
    """A file with the first 6000 images, which is read sooner than all of them."""
    whole, file = compare_matlab.DATA, tmp_path_factory.mktemp("data") / "few.mat"
    train_x = loadmat(whole, variable_names=["train_x"])["train_x"]
    savemat(file, {"train_x": train_x[:6000]})
    compare_matlab.DATA = str(file)
    yield
    compare_matlab.DATA = whole


@pytest.fixture
def same_limits(monkeypatch):
    """Measure once what rounding makes of a run, where a test compares with many records."""
    known, measure = [], compare_matlab.limits

    def limits(*x):
        if not known:
            known.append(measure(*x))
        loss_limit, state_limits = known[0]
        return loss_limit[: x[2]], state_limits

    monkeypatch.setattr(compare_matlab, "limits", limits)


@pytest.fixture(scope="module", params=SCRIPTS)
def case(request):
    """(script, record) of a short run from scratch."""
    return request.param, record_of(request.param)


@pytest.fixture(scope="module")
def start(golden_run, tmp_path_factory):
    """(script, two pairs of a checkpoint and the record of an epoch from there on).

    One checkpoint is early in training; the other late: t so large that Adam's correction is 1.
    """
    script, early = golden_run.gan.__name__, golden_run.checkpoint
    late = str(tmp_path_factory.mktemp("late") / "late.mat")
    saved = {k: x for k, x in loadmat(early).items() if k[0] != "_"}
    if script == "gan_adam":
        for net in "generator", "discriminator":
            saved[net]["t"][0, 0] = 1e5
    savemat(late, saved)
    return script, [
        (x, record_of(script, x, first=2, epoch=3, **SIXTY)) for x in (early, late)
    ]


def compare(*words):
    """Run compare_matlab.py with `words` in this process: (exit status, output, error output)."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                status = compare_matlab.main([str(x) for x in words])
            except SystemExit as end:
                status = end.code
    return status, out.getvalue(), err.getvalue()


def verdict_of(record, folder, *words):
    """Save the record and compare: (exit status, the last line)."""
    savemat(folder / "record.mat", record)
    status, out, err = compare(folder / "record.mat", *words)
    assert err == ""
    return status, out.splitlines()[-1]


def refused(*words):
    """Check for status 2 and one line on standard error, nothing else; returns the line."""
    status, out, err = compare(*words)
    assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
    assert err.startswith("compare_matlab.py: ")
    return err


# ---------------------------------------------------------------------------------- verdicts


def test_equal(case, tmp_path):
    script, record = case
    savemat(tmp_path / "record.mat", record)
    status, out, _ = compare(tmp_path / "record.mat")
    assert status == 0 and out.splitlines()[-1].startswith(
        "equal: 10 steps and the final state"
    )
    c, d = (f"{record[k][9, 0]:f}" for k in ("c_loss", "d_loss"))
    assert f"1 {c} {c} {d} {d}".split() in [x.split() for x in out.splitlines()]
    assert out.startswith(f"{script}: MATLAB 9.14 and {script}.py, epoch 1..1, seed 0")


def altered(record, name, change):
    """A copy of the record with another value of `name`: 'generator 2 w', say."""
    net, *where, k = name.split() if " " in name else (name, name)
    if net == k:
        return record | {name: change(record[name].copy())}
    struct = dict(record[net])
    if where:
        layers = struct["layers"].copy()
        i = int(where[0]) - 1
        layers[0, i] = layers[0, i] | {k: change(layers[0, i][k].copy())}
        struct["layers"] = layers
    else:
        struct[k] = change(struct[k].copy())
    return record | {net: struct}


def one(at, change):
    """A function that changes one element of an array."""

    def alter(x):
        x[at] = change(x[at])
        return x

    return alter


def test_altered_records_are_different(case, tmp_path, same_limits):
    """Each by little, in one place: the verdict names it."""
    script, record = case
    for name, change in {
        "c_loss": one((3, 0), lambda x: x * (1 + 1e-10)),
        "d_loss": one((9, 0), lambda x: x + 1e-11),
        "generator 2 w": one((5, 7), lambda x: x + 9e-10),
        "discriminator 3 b": one((0, 0), lambda x: x * (1 - 1e-9)),
        "images_fake": one((17, 300), lambda x: x + 1e-9),
    }.items():
        status, last = verdict_of(altered(record, name, change), tmp_path)
        assert status == 1 and last.startswith(f"different: {name} "), (name, last)
    swapped = record["images_fake"].copy()
    swapped[20:32] = swapped[20:32][::-1]
    turned = (
        record["images_fake"].reshape(32, 28, 28).transpose(0, 2, 1).reshape(32, 784)
    )
    for images in swapped, turned:
        assert verdict_of(record | {"images_fake": images}, tmp_path)[0] == 1
    if script == "gan_adam":
        for name, change in {
            "generator 3 w_m": lambda x: 0 * x,
            "discriminator 2 w_v": one((100, 100), lambda x: x + 1e-9),
            "discriminator 2 b_v": lambda x: x * (1 + 1e-10),
            "generator t": lambda x: x + 1,
            "generator beta1": lambda x: x + 1e-3,
        }.items():
            status, last = verdict_of(altered(record, name, change), tmp_path)
            assert status == 1 and last.startswith(f"different: {name} "), (name, last)


def test_printed_lines_and_images(case, tmp_path, same_limits):
    _, record = case
    lines = record["printed"]
    for other in (
        lines.replace("c_loss", "closs"),
        lines.split("\n")[0],
        lines + "\n" + lines,
    ):
        status, last = verdict_of(record | {"printed": other}, tmp_path)
        assert status == 1 and "printed line" in last
    check = record["images_check"] + [[0, 1]]
    status, last = verdict_of(record | {"images_check": check}, tmp_path)
    assert status == 1 and "other images" in last


def test_older_records_without_the_new_variables(case, tmp_path):
    new = ("printed", "images_check", "first", "complete")
    record = {k: x for k, x in case[1].items() if k not in new}
    assert verdict_of(record, tmp_path)[0] == 0


def test_a_record_that_broke_off(case, tmp_path):
    """Equal as far as it goes, and that is said; a wrong loss in it is different all the same."""
    _, record = case
    short = (
        record | {k: record[k][:6] for k in ("c_loss", "d_loss")} | {"complete": 0.0}
    )
    status, last = verdict_of(short, tmp_path)
    assert (
        status == 3
        and last.startswith("equal up to step 6 of 10")
        and "broke off" in last
    )
    wrong = altered(short, "c_loss", one((5, 0), lambda x: x * 1.001))
    assert verdict_of(wrong, tmp_path)[0] == 1


# bugs of a port, as functions that put them into the module; from the step on that they are given


def frozen_generator(gan, patch, step):
    update = gan.nnapplygrade
    patch(
        "nnapplygrade",
        lambda nn, lr: nn if sizes(nn) == 784 and step() else update(nn, lr),
    )


def no_correction(gan, patch, step):
    update = gan.nnapplygrade

    def changed(nn, lr):
        t, nn["t"] = nn["t"], 10**6 if step() else nn["t"]
        update(nn, lr)
        nn["t"] = t + 1
        return nn

    patch("nnapplygrade", changed)


def no_moments(gan, patch, step):
    update = gan.nnapplygrade

    def changed(nn, lr):
        for layer in nn["layers"][1:] if step() == 1 else ():
            for k in "w_m", "w_v", "b_m", "b_v":
                layer[k] *= 0
        return update(nn, lr)

    patch("nnapplygrade", changed)


def t_begins_anew(gan, patch, step):
    update = gan.nnapplygrade

    def changed(nn, lr):
        nn["t"] = 0 if step() == 1 else nn["t"]
        return update(nn, lr)

    patch("nnapplygrade", changed)


def exact_gradient(gan, patch, step):
    bug = gan.delta_sigmoid_cross_entropy
    patch(
        "delta_sigmoid_cross_entropy",
        lambda *x: gan.delta_exact(*x) if step() else bug(*x),
    )


def no_shuffle(gan, patch, step):
    shuffle = gan.randperm
    patch("randperm", lambda n: np.sort(shuffle(n)) if step() else shuffle(n))


def positive_noise(gan, patch, step):
    draw = gan.unifrnd
    patch("unifrnd", lambda *x: abs(draw(*x)) if step() else draw(*x))


def smaller_rate(gan, patch, step):
    update = gan.nnapplygrade
    patch("nnapplygrade", lambda nn, lr: update(nn, lr / 10 if step() else lr))


ADAMS = (no_correction, no_moments, t_begins_anew)
BUGS = (
    frozen_generator,
    exact_gradient,
    no_shuffle,
    positive_noise,
    smaller_rate,
    *ADAMS,
)


def sizes(nn):
    """How many outputs a network has."""
    return nn["layers"][-1]["w"].shape[1]


def with_bug(monkeypatch, gan, bug, first_step=1):
    """Put the bug into the module, from a step on; step() is 0 before, and counts from 1 then."""
    steps = []
    loss, save = gan.sigmoid_cross_entropy, gan.main

    def counting(*x):
        steps.append(1)  # twice a step
        return loss(*x)

    def anew(opt):
        steps.clear()
        return save(opt)

    monkeypatch.setattr(gan, "sigmoid_cross_entropy", counting)
    monkeypatch.setattr(gan, "main", anew)
    patch = lambda name, new: monkeypatch.setattr(gan, name, new)  # noqa: E731
    bug(gan, patch, lambda: max(0, len(steps) // 2 + 2 - first_step))


@pytest.mark.parametrize("bug", BUGS, ids=lambda x: x.__name__)
def test_bugs_show_from_a_checkpoint(start, bug, monkeypatch, tmp_path):
    """Early and late; but for the correction, which is 1 late, and that is why one takes both."""
    script, pairs = start
    if script == "gan_mbgd" and bug in ADAMS:
        pytest.skip("a bug of Adam's")
    with_bug(monkeypatch, importlib.import_module(script), bug)
    for late, (checkpoint, record) in enumerate(pairs):
        status, last = verdict_of(record, tmp_path, "--from", checkpoint)
        assert status == (0 if bug is no_correction and late else 1), last


def test_equal_from_a_checkpoint(start, tmp_path):
    for checkpoint, record in start[1]:
        status, last = verdict_of(record, tmp_path, "--from", checkpoint)
        assert (status, last[:16]) == (0, "equal: 5 steps a")


def test_beyond_rounding_nothing_is_equal(monkeypatch, tmp_path):
    """gan_adam with a learning rate of 1: after some 40 steps rounding is as large as losses."""
    more = {"learning_rate": 1.0, "batch_size": 16, "images_num": 960, "seed": 1}
    record = record_of("gan_adam", **more)
    status, last = verdict_of(record, tmp_path)
    assert status == 3 and "rounding alone" in last and "record_from" in last
    judged = int(last.split("equal up to step ")[1].split()[0])
    assert 5 < judged < 55 and last.startswith(f"equal up to step {judged} of 60;")
    gan = importlib.import_module("gan_adam")
    for bug, step in (frozen_generator, judged + 5), (positive_noise, judged + 5):
        with monkeypatch.context() as patch:
            with_bug(patch, gan, bug, first_step=step)
            assert verdict_of(record, tmp_path)[0] == 3
    with_bug(monkeypatch, gan, positive_noise, first_step=3)
    status, last = verdict_of(record, tmp_path)
    assert status == 1 and last.startswith("different: "), last


# -------------------------------------------------------------------- checkpoints and other files


def test_from_another_checkpoint(start, tmp_path):
    script, [(early, record), (late, _)] = start
    file = tmp_path / "record.mat"
    savemat(file, record)
    assert "--from" in refused(file)
    if script == "gan_adam":
        assert verdict_of(record, tmp_path, "--from", late)[0] == 1
    savemat(file, record | {"first": 1.0, "epoch": 2.0})
    assert "of epoch 2, not 1" in refused(file, "--from", early)
    savemat(file, record | {"learning_rate": 0.5})
    assert "learning_rate" in refused(file, "--from", early)


def test_a_finished_run(golden_run, tmp_path, monkeypatch):
    """--checkpoint: of the same length, longer, shorter, and resumed from a workspace."""
    script, run = golden_run.gan.__name__, golden_run.checkpoint
    some = collections.defaultdict(
        lambda: 1e-6
    )  # what rounding makes of 200 steps, roughly
    monkeypatch.setattr(
        compare_matlab, "limits", lambda *x: (np.full(x[2], 1e-9), some)
    )
    names = {"images_num": 6000, "batch_size": 60, "epoch": 2}
    record = record_of(script, **names)
    status, last = verdict_of(record, tmp_path, "--checkpoint", run)
    assert status == 0, last
    short = record | {k: record[k][:100] for k in ("c_loss", "d_loss")} | {"epoch": 1.0}
    short["printed"] = "\n".join(record["printed"].split("\n")[:2])
    savemat(tmp_path / "short.mat", short)
    status, out, _ = compare(tmp_path / "short.mat", "--checkpoint", run)
    assert status == 3 and "in the losses; nothing else was compared" in out
    assert "run.mat and short.mat share 100 steps" in out
    whole = {k: x for k, x in loadmat(run).items() if k[0] != "_"}
    unknown = whole | {k: whole[k].copy() for k in ("c_loss", "d_loss")}
    for k in "c_loss", "d_loss":
        unknown[k][:100] = np.nan
    savemat(tmp_path / "unknown.mat", unknown)
    savemat(tmp_path / "record.mat", record)
    status, out, _ = compare(
        tmp_path / "record.mat", "--checkpoint", tmp_path / "unknown.mat"
    )
    assert status == 0 and "knows no losses of the first 100" in out
    wrong = unknown | {"c_loss": unknown["c_loss"] * 1.0001}
    savemat(tmp_path / "unknown.mat", wrong)
    assert (
        compare(tmp_path / "record.mat", "--checkpoint", tmp_path / "unknown.mat")[0]
        == 1
    )
    for k in "c_loss", "d_loss":
        unknown[k][:] = np.nan
    savemat(tmp_path / "unknown.mat", unknown)
    status, _, err = compare(
        tmp_path / "record.mat", "--checkpoint", tmp_path / "unknown.mat"
    )
    assert status == 2 and "no losses to compare" in err
    for k, value in {"seed": 1.0, "learning_rate": 0.5, "gradient": "exact"}.items():
        savemat(tmp_path / "other.mat", whole | {k: value})
        status, last = verdict_of(
            record, tmp_path, "--checkpoint", tmp_path / "other.mat"
        )
        assert status == 1 and last.startswith(f"different: {k} is") or k in last


def without(name):
    return lambda record: record.pop(name)


def put(name, value):
    return lambda record: record.update({name: value})


@pytest.mark.parametrize(
    "change, word",
    [
        *(
            (without(x), x)
            for x in ("script", "seed", "c_loss", "images_fake", "generator")
        ),
        (put("script", "gan_sgd"), "gan_sgd"),
        (put("seed", -1.0), "seed"),
        (put("seed", 2.0**32), "seed"),
        (put("epoch", 1.5), "epoch"),
        (put("epoch", np.inf), "epoch"),
        (put("batch_size", 0.0), "batch_size"),
        (put("images_num", [60.0, 60.0]), "images_num"),
        (put("images_num", 130.0), "images_num"),
        (put("learning_rate", -0.1), "learning_rate"),
        (put("learning_rate", "fast"), "learning_rate"),
        (put("c_loss", np.ones(3)), "c_loss"),
        (put("d_loss", np.ones(10) * 1j), "d_loss"),
        (put("images_fake", np.ones((3, 3))), "images_fake"),
        (put("images_fake", np.ones((784, 32))), "images_fake"),
        (put("generator", 5.0), "record"),
        (put("discriminator", {"layers": {"w": 1.0}}), "record"),
    ],
)
def test_bad_records(case, tmp_path, change, word):
    record, file = dict(case[1]), tmp_path / "record.mat"
    change(record)
    savemat(file, record)
    line = refused(file)
    assert word in line and str(file) in line


def test_bad_files(case, golden_run, tmp_path):
    text, record = tmp_path / "text.mat", tmp_path / "record.mat"
    savemat(record, case[1])
    text.write_text("no .mat file")
    assert "no .mat file" in refused(text)
    assert "cannot be read" in refused(tmp_path / "missing.mat")
    assert "cannot be read" in refused(tmp_path)
    assert "no record" in refused(golden_run.checkpoint)
    content = record.read_bytes()
    for size in 30, 200, len(content) // 2:
        (tmp_path / "cut.mat").write_bytes(content[:size])
        assert "None" not in refused(tmp_path / "cut.mat")
    for head in b"MATLAB 7.3 MAT-file", b"\x89HDF\r\n\x1a\n\0\0", b"\0\0\0\0\1\0\0\0":
        (tmp_path / "new.mat").write_bytes(head + bytes(600))
        assert "-v7" in refused(tmp_path / "new.mat")
    cells = np.empty((1, 1), object)
    cells[0, 0] = 1.0
    savemat(tmp_path / "cells.mat", {"generator": cells})
    assert "is a cell" in refused(tmp_path / "cells.mat")
    for words in (
        [],
        [record, "--logs", "a", "b"],
        ["--plot", "a.png"],
        ["--from", "a.mat"],
        [record, "--from", "a.mat", "--checkpoint", "b.mat"],
        [record, "--plot", "no/a.png"],
        [record, "--frobnicate"],
    ):
        refused(*words)
    status, out, err = compare(record, "--checkpoint", text)
    assert (status, err.count("\n")) == (2, 1) and "no .mat file" in err


def test_plot(case, tmp_path):
    pytest.importorskip("matplotlib", reason="it is not installed")
    savemat(tmp_path / "record.mat", case[1])
    assert compare(tmp_path / "record.mat", "--plot", tmp_path / "plot.png")[0] == 0
    with Image.open(tmp_path / "plot.png") as picture:
        colours = {x for _, x in picture.convert("RGB").getcolors(10**6)}
        assert picture.size == (900, 600) and {(192, 57, 18), (17, 85, 160)} <= colours


def test_plot_without_matplotlib(case, tmp_path, monkeypatch):
    savemat(tmp_path / "record.mat", case[1])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = compare(tmp_path / "record.mat", "--plot", tmp_path / "plot.png")
    assert status == 2 and "pip install matplotlib" in err


# ---------------------------------------------------------------------------- pictures and logs


def test_pictures(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir(), b.mkdir()
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(a / "epoch_1_t_10.png")
    wide = grey.astype(np.uint16) * 257  # 16 bits, as Octave writes them
    wide[1:15] += 128  # still rounds to the same
    Image.fromarray(wide).save(b / "epoch_1_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 0 and out.splitlines()[-1].startswith("equal: 1 pictures")
    assert (
        "epoch_1_t_10.png: largest difference 0 grey levels, 0 of 256 pixels differ"
        in out
    )
    wide[3, 3] += 1  # rounds up
    Image.fromarray(wide).save(b / "epoch_1_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert (
        status == 0
        and "largest difference 1 grey levels, 1 of 256 pixels differ" in out
    )
    Image.fromarray(grey).save(a / "epoch_2_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 3 and f"missing in {b}: 1, epoch_2_t_10.png" in out
    assert not any(x.startswith("equal:") for x in out.splitlines())
    grey[0, :2] += 5
    Image.fromarray(grey).save(b / "epoch_2_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert (
        status == 1
        and "largest difference 5 grey levels, 2 of 256 pixels differ" in out
    )
    Image.fromarray(grey[:8]).save(b / "epoch_2_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 1 and "sizes differ" in out
    (b / "epoch_2_t_10.png").write_bytes(b"no picture")
    assert compare("--pictures", a, b)[0] == 2
    assert "no .png file" in refused("--pictures", a, tmp_path)
    assert "cannot be read" in refused("--pictures", a, tmp_path / "missing")


LINES = [
    'c_loss:"4.231139",d_loss:"0.327198"',
    "save_sample:./pics/epoch_1_t_10.png",
    'c_loss:"NaN",d_loss:"0.358400"',
    "save_sample:./pics/epoch_2_t_10.png",
]


def test_logs(tmp_path):
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_bytes("\n".join(LINES).encode())
    for text in (
        "\r\n".join(LINES).replace("0.327198", "0.327199").encode(),
        ">> gan_adam\n" + "\n".join(LINES),
        "\ufeff" + "\n".join(LINES),
        *(
            "\r\n".join(LINES).encode(x) for x in ("utf-16", "utf-16-le")
        ),  # PowerShell's >
    ):
        b.write_bytes(text if isinstance(text, bytes) else text.encode())
        status, out, _ = compare("--logs", a, b)
        assert status == 0 and out.splitlines()[-1].startswith("equal: 2 epochs")
    assert "2 nan nan 0.358400 0.358400".split() in [
        x.split() for x in out.splitlines()
    ]
    for old, new in ("0.358400", "0.358403"), ("NaN", "4.5"), ("NaN", "Inf"):
        b.write_text("\n".join(LINES).replace(old, new))
        status, out, _ = compare("--logs", a, b)
        assert status == 1 and out.splitlines()[-1].startswith(
            "different: from epoch 2 on"
        )


def test_logs_with_gaps(tmp_path):
    """Epochs are told by their numbers: what is missing or doubled is never just equal."""
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("\n".join(LINES))
    b.write_text("\n".join(LINES[:2]))
    status, out, _ = compare("--logs", a, b)
    assert (
        status == 3
        and f"equal in the 1 epochs that are in both: {a} has 2, {b} has 1" in out
    )
    b.write_text("\n".join(LINES[2:]))
    assert compare("--logs", a, b)[0] == 3
    third = [x.replace("epoch_2", "epoch_3") for x in LINES[2:]]
    b.write_text("\n".join(LINES[:2] + third))
    assert compare("--logs", a, b)[0] == 3
    b.write_text("\n".join(third))
    assert compare("--logs", a, b)[0] == 3
    b.write_text("\n".join(LINES + LINES))
    assert "more than one run" in refused("--logs", a, b)
    b.write_text("nothing")
    assert "no line like" in refused("--logs", a, b)
    b.write_text("\n".join(LINES).replace("4.2", "4,2"))
    assert "no number" in refused("--logs", a, b)
    assert "cannot be read" in refused("--logs", a, tmp_path / "missing")
    assert os.path.exists(a)
