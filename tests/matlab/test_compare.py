"""compare_matlab.py on records, logs and pictures that the scripts themselves make.

Records have sums in another order, and small networks: a record says how large.
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
from types import SimpleNamespace

import compare_matlab
import compare_printed
import numpy as np
import pytest
from checkpoints import program
from conftest import POSIX, SCRIPTS
from PIL import Image
from scipy.io import loadmat, savemat

SIZES = {  # the layers of people's own copies, by the last one
    "gan_adam": {784: [30, 15, 24, 784], 1: [784, 24, 1]},
    "gan_mbgd": {784: [100, 24, 784], 1: [784, 1]},
}
ONE = pytest.mark.parametrize("case", ["gan_adam"], indirect=True)


@pytest.fixture(scope="module", autouse=True)
def data(small_data):
    """The file of images that the port runs with here, unless --data names another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_matlab, "DATA", small_data)
        yield small_data


def record_of(script, data, file, first=0, epoch=2):
    """A record as record_run.m or record_from.m writes it: a dict for savemat.

    It has 5 steps an epoch. file: the checkpoint to go on from and to write.
    """
    gan = importlib.import_module(script)
    nnsetup, unifrnd, sizes = gan.nnsetup, gan.unifrnd, SIZES[script]
    settings = {"data": data, "images_num": 300, "epoch": epoch, "checkpoint": file}
    opt = compare_printed.port_options(gan, settings | {"pics": file.parent})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan, "mtimes", compare_matlab.mtimes_backwards)
        patch.setattr(gan, "nnsetup", lambda x, _: nnsetup(sizes[x[-1]]))
        # the noise is as wide as the generator's first layer
        patch.setattr(gan, "unifrnd", lambda *x: unifrnd(*x[:-1], sizes[784][0]))
        with contextlib.redirect_stdout(io.StringIO()):
            nets = gan.main(opt)
    record = {"script": script, "producer": "MATLAB 9.14\x1b 图"}
    record |= {name: float(vars(opt)[name]) for name in compare_matlab.SETTINGS}
    record |= {"first": float(first), "epoch": float(epoch)}
    record |= {x: np.array(opt.run[x][5 * first :]) for x in ("c_loss", "d_loss")}
    record |= zip(compare_matlab.NETWORKS, map(gan.network_struct, nets), strict=True)
    record["images_fake"] = nets[0]["layers"][-1]["a"]
    images = loadmat(data)["train_x"][:300].astype(float)
    of_pixels = images.sum(axis=0) @ np.arange(1.0, 785.0)
    of_images = np.arange(1.0, 301.0) @ images.sum(axis=1)
    return record | {"images_check": np.array([[of_pixels, of_images]])}


@pytest.fixture(scope="module", params=SCRIPTS)
def case(request, data, tmp_path_factory):
    """Of each script: gan, record of 2 epochs, checkpoint after them, later: a third.

    later is the record of an epoch from there on; file has the first record, and read
    is what compare_matlab.py reads there.
    """
    script = request.param
    folder = tmp_path_factory.mktemp(script)
    record = record_of(script, data, folder / "run.mat")
    shutil.copy(folder / "run.mat", folder / "third.mat")
    savemat(folder / "record.mat", record)
    return SimpleNamespace(
        gan=importlib.import_module(script),
        record=record,
        checkpoint=str(folder / "run.mat"),
        later=record_of(script, data, folder / "third.mat", first=2, epoch=3),
        file=folder / "record.mat",
        read=compare_matlab.read_record(folder / "record.mat"),
    )


def altered(record, name, factor, place=...):
    """A copy of the record, `name` times `factor` at one place, or everywhere.

    name: generator.layers{2}.w, say.
    """
    record = copy.deepcopy(record)
    *path, last = re.findall(r"[a-z_][a-z_0-9]*|[0-9]+", name)
    where = record
    for key in path:
        where = where[int(key) - 1 if key.isdigit() else key]
    where[last] = np.array(where[last], float)
    where[last][place] *= factor
    return record


def compare(*words):
    """Run compare_matlab.py with `words`: (exit status, output, error output)."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                program(lambda: compare_matlab.main([str(x) for x in words]))
                status = 0
            except SystemExit as end:
                status = end.code
    assert err.getvalue().count("\n") == (status == 2), err.getvalue()
    return status, out.getvalue(), err.getvalue()


def verdict_of(record, folder, *words):
    """Save the record and compare: (exit status, the last line)."""
    savemat(folder / "record.mat", record)
    status, out, _ = compare(folder / "record.mat", *words)
    return status, out.splitlines()[-1]


def refused(*words):
    """Check for status 2 and one line on standard error alone; returns the line."""
    status, out, err = compare(*words)
    assert (status, out) == (2, ""), (status, out)
    return err


@pytest.fixture
def limits(case, monkeypatch):
    """What rounding may make of case.record, measured once: a test may change it."""
    port = compare_matlab.run_port(case.read, compare_matlab.DATA)
    known = compare_matlab.limits(case.read, compare_matlab.DATA, None, port)
    monkeypatch.setattr(compare_matlab, "limits", lambda *words: known)
    return known


# --------------------------------------------------------------------------- a record


def test_equal(case, tmp_path):
    """From scratch and from a checkpoint; the losses that both printed are shown."""
    status, out, _ = compare(case.file)
    assert status == 0 and "\nequal: 10 steps and the final state" in out
    assert out.startswith(f"{case.gan.SCRIPT}: 'MATLAB 9.14\\x1b \\u56fe' ")
    assert ".layers{" in out
    assert "epoch 1..2" in out and "images_num 300" in out
    for step in 1, 5, 10:
        row = [f"{case.record[name][step - 1]:f}" for name in ("c_loss", "d_loss")]
        row = [str(step), row[0], row[0], row[1], row[1]]
        assert row in [x.split()[:5] for x in out.splitlines()]
    status, last = verdict_of(case.later, tmp_path, "--from", case.checkpoint)
    assert status == 0 and last.startswith("equal: 5 steps and the final"), last


def test_altered_records_are_different(case, tmp_path, limits):
    """Each by little, in one place: the verdict names it."""
    changes = {
        "c_loss": (1 + 1e-10, 3),
        "d_loss": (1 + 1e-10, 9),
        "generator.layers{2}.w": (1 + 1e-6, (5, 7)),
        "discriminator.layers{2}.b": (1 - 1e-9, (0, 0)),
        "images_fake": (1 + 1e-8, (17, 300)),
    }
    if case.gan.SCRIPT == "gan_adam":
        changes |= {
            "generator.layers{3}.w_m": (0,),
            "discriminator.layers{2}.w_v": (1 + 1e-9,),
            "discriminator.layers{2}.b_v": (1 + 1e-9,),
            "generator.t": (1.1,),
            "generator.beta1": (1.001,),
        }
    for name, change in changes.items():
        status, last = verdict_of(altered(case.record, name, *change), tmp_path)
        step = {"c_loss": "of step 4 by ", "d_loss": "of step 10 by "}
        where = f"different: {name} {step.get(name, 'after the last step by ')}"
        assert status == 1 and last.startswith(where), (name, last)


@ONE
def test_a_record_that_broke_off(case, tmp_path):
    """Equal as far as it goes, and that is said; a wrong loss in it is different."""
    for steps in 1, 6:
        losses = {name: case.record[name][:steps] for name in ("c_loss", "d_loss")}
        short = case.record | losses
        status, last = verdict_of(short, tmp_path)
        assert status == 3, last
        assert last.startswith(f"equal up to step {steps} of 10; there the")
    assert verdict_of(altered(short, "c_loss", 1.001, 5), tmp_path)[0] == 1


@ONE
def test_beyond_rounding_nothing_is_equal(case, tmp_path, limits):
    """A loss before the step where rounding decides is judged, one after it is not."""
    of_losses, of_final = limits
    of_losses[7:] = compare_matlab.CHAOS
    wrong = altered(case.record, "d_loss", 1.01, 7)
    assert verdict_of(wrong, tmp_path)[1].startswith("different: d_loss of step 8 ")
    of_losses[7:] *= 1.01
    status, last = verdict_of(wrong, tmp_path)
    assert status == 3 and last.startswith("equal up to step 7 of 10; beyond")
    wrong = altered(wrong, "d_loss", 1.01, 6)
    assert verdict_of(wrong, tmp_path)[1].startswith("different: d_loss of step 7 ")


@ONE
def test_final_arrays_beyond_rounding(case, tmp_path, limits):
    """Of these nothing is told; of others the one most times beyond its limit is."""
    of_losses, of_final = limits
    of_final |= {"generator.layers{2}.b": 0.1, "images_fake": 1e-4}
    wrong = altered(case.record, "generator.layers{2}.b", 1.5)
    status, last = verdict_of(wrong, tmp_path)
    assert status == 3 and "in 1 of " in last and "generator.layers{2}.b" in last
    for name in "images_fake", "generator.layers{2}.w":
        wrong = altered(wrong, name, 1.01)
        status, last = verdict_of(wrong, tmp_path)
        assert status == 1 and last.startswith(f"different: {name} after the last ")


def test_the_table_of_losses(capsys):
    """The largest difference so far, of each epoch's last step among others."""
    losses = np.zeros(250)
    losses[[4, 105]] = 3e-9, 7
    losses = {"c_loss": losses / 2, "d_loss": losses}
    record = losses | {"images_num": 6000, "batch_size": 60}
    compare_matlab.print_losses(record, record, losses, np.full(250, 1e-7))
    rows = [x.split() for x in capsys.readouterr().out.splitlines()[2:]]
    assert [[row[0], *row[5:]] for row in rows] == [
        ["1", "0e+00", "1e-07"],
        ["10", "3e-09", "1e-07"],
        ["100", "3e-09", "1e-07"],
        ["200", "1e+00", "1e-07"],
        ["250", "1e+00", "1e-07"],
    ]


@ONE
def test_data(case, data, tmp_path, monkeypatch):
    """Other images take one line; --data names the right ones."""
    other = tmp_path / "other.mat"
    images = loadmat(data)["train_x"]
    brighter, swapped = images.copy(), images.copy()
    brighter[7, 500] ^= 1
    swapped[[3, 4]] = swapped[[4, 3]]
    turned = images.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    for images in brighter, swapped, turned:
        savemat(other, {"train_x": images})
        line = refused(case.file, "--data", other)
        assert str(other) in line and "--data FILE" in line
    monkeypatch.setattr(compare_matlab, "DATA", str(other))
    assert str(other) in refused(case.file)
    assert compare(case.file, "--data", data)[0] == 0


# ------------------------------------------------------------------- from a checkpoint


BUGS = {  # a function's name, and what makes the wrong one of it
    "frozen generator": (
        "nnapplygrade",
        lambda f: lambda nn, lr: f(nn, lr if nn["architecture"][-1] == 1 else 0),
    ),
    "exact gradient": (
        "delta_sigmoid_cross_entropy",
        lambda f: lambda z, y: 1 / (1 + np.exp(-z)) - y,
    ),
    "no shuffle": ("randperm", lambda f: lambda n: np.sort(f(n))),
    "positive noise": ("unifrnd", lambda f: lambda *x: abs(f(*x))),
    "smaller rate": ("nnapplygrade", lambda f: lambda nn, lr: f(nn, lr / 10)),
    "no correction": (
        "nnapplygrade",
        lambda f: lambda nn, lr: f(nn | {"t": 10**6}, lr) | {"t": nn["t"] + 1},
    ),
    "other beta2": (
        "nnapplygrade",
        lambda f: lambda nn, lr: f(nn | {"beta2": 0.99}, lr) | {"beta2": 0.999},
    ),
    "t begins anew": ("fill_network", lambda f: lambda o, n, s: f(o, n, s | {"t": 0})),
}


@pytest.mark.parametrize(
    "case, bug",
    [("gan_adam", x) for x in BUGS] + [("gan_mbgd", x) for x in list(BUGS)[:5]],
    indirect=["case"],
)
def test_bugs_are_different(case, bug, monkeypatch, tmp_path):
    name, wrong = BUGS[bug]
    monkeypatch.setattr(case.gan, name, wrong(getattr(case.gan, name)))
    status, last = verdict_of(case.later, tmp_path, "--from", case.checkpoint)
    assert status == 1 and last.startswith("different: "), last


def test_another_checkpoint(case, data, tmp_path):
    """What it must have in common with the record: one line names it."""
    file, other = tmp_path / "record.mat", tmp_path / "other.mat"
    savemat(file, case.later)
    assert "--from" in refused(file)
    good = {x: y for x, y in loadmat(case.checkpoint).items() if x[0] != "_"}
    for name, x in {
        "e": 1.0,
        "seed": 1.0,
        "batch_size": 20.0,
        "learning_rate": 0.5,
        "precision": "single",
        "gradient": "exact",
        "generator": case.gan.network_struct(case.gan.nnsetup([100, 16, 784])),
    }.items():
        savemat(other, good | {name: x})
        assert f"{other}: {name} is " in refused(file, "--from", other)
    sibling = {"gan_adam": "gan_mbgd", "gan_mbgd": "gan_adam"}[case.gan.SCRIPT]
    record_of(sibling, data, tmp_path / "sibling.mat")
    assert "script" in refused(file, "--from", tmp_path / "sibling.mat")
    # the state counts, and not the images: record_from.m may take fewer
    good |= {"images_num": 360.0, "images_sha256": 64 * "0"}
    for status in 0, 1:
        savemat(other, good)
        assert compare(file, "--from", other)[0] == status
        good["rng_state"][3] ^= 1


# ----------------------------------------------------------------------------- rounding


@pytest.mark.parametrize("rounding", [1, 2])
def test_what_rounding_is_measured_by(rounding, case, data, monkeypatch):
    """Other sums and other last bits: each alone changes the result, by little."""
    update = case.gan.nnapplygrade
    seen = []

    def spy(nn, learning_rate):
        layer = nn["layers"][1]
        seen.append((layer["w"], layer["db"] - layer["d"].mean(axis=0)))
        return update(nn, learning_rate)

    def run(*rounding):
        seen.clear()
        run = compare_matlab.run_port(case.read, data, None, *rounding)
        weights, of_db = zip(*seen, strict=True)  # of both networks in turn
        return run["images_fake"], weights[:2], np.concatenate(of_db, axis=1)

    monkeypatch.setattr(case.gan, "nnapplygrade", spy)
    images, start, of_db = run()
    assert not of_db.any()
    with monkeypatch.context() as patch:
        patch.setattr(compare_matlab, "LAST_BIT", 0)
        other_sums, other_start, of_db = run(rounding)
    assert np.array_equal(start[0], other_start[0]) and not of_db.any()
    mtimes, used = case.gan.mtimes, set()
    for name in "mtimes_backwards", "mtimes_in_halves":
        monkeypatch.setattr(
            compare_matlab, name, lambda *x, name=name: used.add(name) or mtimes(*x)
        )
    other_bits, other_start, of_db = run(rounding)
    assert used == {("mtimes_backwards", "mtimes_in_halves")[rounding - 1]}
    assert 0 < abs(of_db).max() < 1e-15
    for x, y in zip(start, other_start, strict=True):
        assert 0 < abs(x - y).max() < 1e-16
    for other in other_sums, other_bits:
        assert 0 < abs(other - images).max() < 1e-9


def test_other_sums():
    """Of the same terms in another order."""
    a, b = np.random.RandomState(0).rand(2, 60, 60)
    for mtimes in compare_matlab.mtimes_backwards, compare_matlab.mtimes_in_halves:
        np.testing.assert_allclose(mtimes(a, b), a @ b, rtol=1e-13)
        assert (mtimes(a, b) != np.matmul(a, b, order="F")).any()


def test_limits(monkeypatch):
    """FACTOR times the larger difference of both runs, of losses of any step so far."""
    c_loss = [[1.0, 2.0, 3.0], [1.0, 2.0002, 3.0], [1.0, 2.0, 3.0001]]
    final = [{"t": np.ones(1), "w": np.array([4.0, x])} for x in (5.0, 5.0, 5.005)]
    runs = [
        {"c_loss": np.array(x), "d_loss": np.ones(3), "final": y}
        for x, y in zip(c_loss, final, strict=True)
    ]
    monkeypatch.setattr(compare_matlab, "final_arrays", lambda run: run["final"])
    monkeypatch.setattr(compare_matlab, "run_port", lambda *words: runs[words[-1]])
    of_losses, of_final = compare_matlab.limits({}, "", None, runs[0])
    np.testing.assert_allclose(of_losses, [30e-14, 30e-4, 30e-4], rtol=1e-3)
    np.testing.assert_allclose(of_final["w"], 30e-3, rtol=1e-2)
    assert of_final["t"] == 30e-14


def test_relative_difference():
    a = np.array([1.0, 0.0, np.nan, np.nan, np.inf, np.inf, -1.0])
    b = np.array([1.1, 0.0, np.nan, 1.0, np.inf, 1.0, 1.0])
    x = compare_matlab.relative_difference(a, b)
    np.testing.assert_allclose(x, [0.1 / 1.1, 0, 0, np.inf, 0, np.inf, 2])
    a, b = np.array([0.8, 1e-9]), np.array([0.8, 0.0])
    x = compare_matlab.relative_difference(a, b, 0.5)
    np.testing.assert_allclose(x, [0, 1e-9 / 0.4])


# ---------------------------------------------------------------------------- bad input


@ONE
def test_bad_files(case, tmp_path):
    """One line names the file: of what cannot be read, and of what is no record."""
    content = case.file.read_bytes()
    bad = {f"cut{size}": content[:size] for size in (30, 200, len(content) // 2)}
    bad["v7.3"] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(600)
    for name, x in bad.items():
        (tmp_path / f"{name}.mat").write_bytes(x)
    for name in [*bad, "missing"]:
        file = tmp_path / f"{name}.mat"
        assert str(file) in refused(file)
        assert str(file) in refused(case.file, "--from", file)
    assert "-v7.3" in refused(tmp_path / "v7.3.mat")
    assert str(case.file) in refused(case.file, "--from", case.file)
    assert case.checkpoint in refused(case.checkpoint)


@ONE
def test_bad_records(case, tmp_path):
    """One line names the file and the variable, the last one that is changed."""
    file = tmp_path / "record.mat"
    for changed in (
        {"images_check": np.ones(3)},
        {"images_fake": np.ones((784, 60))},
        {"d_loss": np.ones(11), "c_loss": np.ones(11)},
        {"d_loss": [], "c_loss": []},
        {"epoch": 0.0},
        {"first": -1.0},
        {"script": "gan_sgd"},
        {"producer": 7.0},
        {"discriminator": 5.0},
    ):
        savemat(file, case.record | changed)
        line = refused(file)
        assert str(file) in line and list(changed)[-1] in line, line


@pytest.mark.parametrize(
    "words, word",
    [
        ("", "THING"),
        ("a.mat a.log", "a.mat: is a record"),
        ("a.mat --images-num 3", "a.mat: is a record"),
        ("a.mat --script gan_adam", "a.mat: is a record"),
        ("a.log", "--script"),
        ("a.log --script gan_sgd", "gan_sgd"),
        ("a.log --script gan_mbgd --from a.mat", "--from"),
        ("a.log --script gan_mbgd --batch-size 7", "--batch-size"),
        ("a.log --script gan_mbgd", "a.log"),
    ],
)
def test_bad_command_lines(words, word):
    """One line names what is too much, too little or missing."""
    assert word in refused(*words.split())


@ONE
def test_plot(case, tmp_path, monkeypatch):
    """Both halves have both colours; what goes wrong with it takes one line."""
    pytest.importorskip("matplotlib", reason="it is not installed")
    file = tmp_path / "plot.png"
    assert compare(case.file, "--plot", file)[0] == 0
    with Image.open(file) as picture:
        for half in 0, 300:  # losses above, differences below
            part = picture.convert("RGB").crop((0, half, 900, half + 300))
            assert {(255, 0, 0), (0, 0, 255)} <= {x for _, x in part.getcolors(10**6)}
    status, out, err = compare(case.file, "--plot", tmp_path / "no" / "plot.png")
    assert status == 2 and "plot.png" in err and "\nequal: " in out
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, _, err = compare(case.file, "--plot", file)
    assert status == 2 and "matplotlib" in err


# ------------------------------------------------------------------ logs and pictures

LINES = """c_loss:"4.231139",d_loss:"0.327198"
save_sample:./pics/epoch_1_t_10.png
c_loss:"NaN",d_loss:"0.358400"
save_sample:./pics/epoch_2_t_10.png
"""
OTHER = 'c_loss:"1.5",d_loss:"2.5"\n'
MBGD = ("--script", "gan_mbgd", "--images-num", 160, "--batch-size", 16)  # 10 steps


@pytest.fixture
def logs(tmp_path):
    """A function that saves two logs, texts or bytes: (status, the lines printed)."""

    def compare_logs(first, second, *flags):
        files = [tmp_path / "a.log", tmp_path / "b.log"]
        for file, log in zip(files, (first, second), strict=True):
            file.write_bytes(log if isinstance(log, bytes) else log.encode())
        status, out, err = compare(*files, *(flags or MBGD))
        return status, (err or out).splitlines()

    return compare_logs


@pytest.mark.parametrize(
    "log",
    [
        LINES,
        ">> gan_adam\n" + LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES,
        LINES.encode("utf-16"),  # PowerShell's >
        LINES.encode("utf-16-le"),
        "生成".encode("gbk") + LINES.encode(),
        "\n".join(LINES.split("\n")[::2]),
        OTHER + LINES + OTHER,  # in between, and of a run that broke off
        "save_sample:epoch_1_t_5.png\n" + LINES,
    ],
)
def test_logs_in_any_form(log, logs):
    """Losses that are not an epoch's last do not count."""
    for pair in (LINES, log), (log, LINES):
        status, out = logs(*pair)
        assert status == 0 and "equal: 2 epochs, to the last digit" in out[-1], out
        assert out[-3].split() == "1 4.231139 4.231139 0.327198 0.327198".split()


@pytest.mark.parametrize(
    "one, other, verdict",
    [
        ("0.358400", "0.358402", "different: from epoch 1 (step 10) on"),
        ("0.358400", "0.358401", "different"),
        ("NaN", "4.5", "different"),
        ("NaN", "-Inf", "different"),
        ("NaN", "nan", "equal: 1 epochs, to the last"),
        ("4.231139", "4.2311", "equal: 1 epochs, to the last"),
        ("4.231139", "4.2312", "different"),
        ("4.23115", "4.2312", "equal: 1 epochs, to the last"),
        ("4.23115", "4.2311", "equal: 1 epochs, as far"),
        ("0.327198", "3.272e-01", "equal: 1 epochs, to the last"),
        ("0.327198", "3.273e-01", "different"),
        ("0.327198", "0", "equal: 1 epochs, to the last"),
        ("271828.6", "2.718e+05", "equal: 1 epochs, "),
        ("0.327198", "0.32719812345", "equal: 1 epochs, to the last"),
        ("0.32719812", "0.32719813", "equal: 1 epochs, to the last"),
        ("0.327198", "0.32719862345", "different"),
        ("0.5", "5" + 300 * "0" + ".0", "different"),
    ],
)
def test_the_digits_that_both_have(one, other, verdict, logs):
    """One number may be the other rounded; of as many digits they must be equal."""
    for pair in (one, other), (other, one):
        status, out = logs(*[f'c_loss:"1.5",d_loss:"{x}"' for x in pair])
        assert status == verdict.startswith("diff") and out[-1].startswith(verdict)


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
def test_where_rounding_may_decide(script, steps, last_told, logs):
    """Different up to there; beyond it, nothing is told."""
    flags = ("--script", script, "--images-num", steps * 16, "--batch-size", 16)
    for wrong in range(1, 10):
        status, out = logs(log_of(8, steps), log_of(8, steps, wrong), *flags)
        if wrong <= last_told:
            words = f"different: from epoch {wrong} (step {wrong * steps}) on"
            assert status == 1 and out[-1].startswith(words)
        else:
            assert status == 3 and f"{script} rounding may decide" in out[-1]
            assert out[-1].startswith(f"equal up to epoch {last_told}, ")


def test_gan_adams_default_run(tmp_path):
    """Its first line is beyond rounding: that is said at once, and what to do."""
    (tmp_path / "matlab.log").write_text(log_of(3, 1000))
    words = [tmp_path / "matlab.log", "--script", "gan_adam", "--seed", 7]
    line = refused(*words)
    assert "step 1000," in line and "record_run('gan_adam.m', " in line
    assert "'record.mat', 7, 2, 6000)" in line


def test_logs_with_gaps(logs):
    """Epochs go by their numbers: with one missing, nothing is just equal."""
    whole = log_of(3, 10)
    lines = whole.split("\n")
    for gap, last in (lines[:4], 2), (lines[2:], 3), (lines[:2] + lines[4:], 3):
        for pair in (whole, "\n".join(gap)), ("\n".join(gap), whole):
            status, out = logs(*pair)
            assert status == 3 and "only in one" in out[-1]
            assert out[-1].startswith(f"equal up to epoch {last}, ")
    assert logs("\n".join(lines[:2]), "\n".join(lines[2:]))[0] == 2


@pytest.mark.parametrize(
    "log, word",
    [
        (LINES + LINES, "epoch_1_t_10.png after epoch 2"),  # two runs
        (LINES[:71] * 2, "epoch_1_t_10.png after epoch 1"),
        ("nothing", "c_loss:"),
        (LINES[36:], "epoch_1_t_10.png"),  # a picture before its losses
        (LINES.replace('c_loss:"NaN"', ""), "epoch_2_t_10.png"),  # and without
        (LINES.replace("4.2", "4,2"), '"4,231139"'),
        (LINES.replace("4.2", "4_2"), '"4_231139"'),
        (LINES.replace("t_10", "t_11"), "epoch_*_t_10.png"),
    ],
)
def test_bad_logs(log, word, logs):
    for pair, file in ((LINES, log), "b.log"), ((log, LINES), "a.log"):
        status, [line] = logs(*pair)
        assert status == 2 and word in line and file in line, line


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture
def folders(tmp_path):
    """Two folders with a picture of 2 epochs, and with files that do not count."""
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        (folder / "._epoch_1_t_10.png").write_bytes(b"\0\5\x16\7 of the Finder")
        other = np.full_like(GREY, ord(name))
        pictures = {"epoch_1_t_10": GREY, "epoch_2_t_10": GREY}
        for file, x in (pictures | {"gradients": other, "epoch_1_t_5": other}).items():
            Image.fromarray(x).save(folder / f"{file}.png")
    return tmp_path / "a", tmp_path / "b"


def test_pictures(folders):
    """A grey level is rounding's, also of 16 bits; two are different."""
    wide = GREY.astype(np.uint16) * 257  # as Octave writes them
    wide[1:15] += 128  # still rounds to the same
    last = folders[1] / "epoch_2_t_10.png"
    for more, status in (0, 0), (1, 0), (257, 0), (258, 1):
        other = wide.copy()
        other[3, 3] += more
        Image.fromarray(other).save(last)
        found, out, _ = compare(*folders, *MBGD)
        assert found == status and ("\nequal: 2 epochs, " in out) == (not status)
    assert "\ndifferent: from epoch 2 (step 20) on" in out
    last.unlink()
    status, out, _ = compare(*folders, *MBGD)
    assert status == 3 and "\nequal up to epoch 1, " in out


def test_bad_pictures(folders, tmp_path):
    """One line names the file or the folder."""
    picture = folders[1] / "epoch_1_t_10.png"
    (tmp_path / "empty").mkdir()
    for other in "empty", "missing":
        assert other in refused(folders[0], tmp_path / other, *MBGD)
    Image.fromarray(GREY[:8]).save(picture)
    assert "epoch_1_t_10.png" in refused(*folders, *MBGD)
    picture.write_bytes(b"text")
    assert str(picture) in refused(*folders, *MBGD)


# --------------------------------------------------------- logs and pictures: the port


def test_the_port_runs_as_far_as_it_can_be_told(
    gan, data, small_networks, tmp_path, monkeypatch
):
    """And no further, with the flags given through: without one it is different."""
    file, other = tmp_path / "matlab.log", tmp_path / "other.mat"
    savemat(other, {"train_x": loadmat(data)["train_x"][::-1]})
    flags = ["--images-num=200", "--batch-size=20", "--seed=7", "--learning-rate=0.002"]
    flags += [f"--data={other}"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        gan.main(gan.options([*flags, "--epoch=4", f"--pics={tmp_path}"]))
    log = out.getvalue()
    run, runs = gan.main, []
    monkeypatch.setattr(gan, "main", lambda opt: runs.append(opt.epoch) or run(opt))
    monkeypatch.setitem(compare_printed.STEPS_BEFORE_ROUNDING, gan.SCRIPT, 29)

    def verdict(log, flags=flags, thing=file):
        file.write_text(log)
        status, out, err = compare(thing, "--script", gan.SCRIPT, *flags)
        return status, (err or out).splitlines()[-1]

    for thing in file, tmp_path:
        status, last = verdict(log, thing=thing)
        assert status == 3 and last.startswith("equal up to epoch 2, "), last
    for i in range(5):  # without images_num or batch_size the pictures are others
        assert verdict(log, [*flags[:i], *flags[i + 1 :]])[0] == (2 if i < 2 else 1)
    runs.clear()
    status, last = verdict("".join(log.splitlines(True)[:2]))
    assert status == 0 and last.startswith("equal: 1 epochs, to the last digit ")
    losses = re.findall('d_loss:"(.*?)"', log)
    for e, status in (1, 1), (2, 1), (3, 3):
        wrong = f"{float(losses[e - 1]) + 1e-6:f}"
        assert verdict(log.replace(losses[e - 1], wrong))[0] == status
    assert runs == [1, 2, 2, 2]


# ------------------------------------------------------------------------ as a program


@POSIX
def test_as_a_program(tmp_path):
    """Started by a symbolic link, without docstrings, its output in ASCII or full."""
    link = tmp_path / "link.py"
    link.symlink_to(compare_matlab.__file__)
    logs = tmp_path / "图.log", tmp_path / "b.log"
    logs[0].write_text(OTHER + log_of(1, 10))
    logs[1].write_text(log_of(1, 10, 1))
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUNBUFFERED": ""}
    cases = [(logs[1], 1, os.devnull), ("missing", 2, os.devnull)]
    if os.path.exists("/dev/full"):
        cases.append((logs[1], 2, "/dev/full"))
    for second, status, out in cases:
        words = map(str, [sys.executable, "-OO", link, logs[0], second, *MBGD])
        with open(out, "w") as f:
            end = subprocess.run(list(words), stdout=f, stderr=-1, text=True, env=env)
        assert (end.returncode, end.stderr.count("\n")) == (status, status == 2)
        assert status != 2 or end.stderr.startswith("link.py: ")
