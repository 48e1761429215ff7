"""compare_matlab.py on records, logs and pictures that the scripts themselves make.

Records have sums in another order, and small networks: a record says how large.
"""

import contextlib
import copy
import importlib
import io
import os
import re
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import compare_matlab
import compare_printed
import numpy as np
import pytest
from checkpoints import LOSSES, program
from conftest import POSIX, SCRIPTS
from PIL import Image
from scipy.io import loadmat, savemat

SIZES = {  # the layers of people's own copies, by the last one
    "gan_adam": {784: [30, 15, 24, 784], 1: [784, 24, 1]},
    "gan_mbgd": {784: [100, 24, 784], 1: [784, 1]},
}
ADAM = pytest.mark.parametrize("case", ["gan_adam"], indirect=True)
VERDICTS = {0: "equal: ", 1: "different: ", 3: "equal up to "}  # of each exit status


@pytest.fixture(scope="module", autouse=True)
def data(small_data):
    """The file of images that the port runs with here, unless --data names another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_matlab, "DATA", small_data)
        yield small_data


def record_of(script, data, file, first=0, epoch=2):
    """A record as record_run.m or record_from.m writes it: a dict for savemat.

    It has 5 steps an epoch. file: the checkpoint to write.
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
    record |= {x: np.array(opt.run[x][5 * first :]) for x in LOSSES}
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
    *path, last = re.findall(r"\w+", name)
    where = record
    for key in path:
        where = where[int(key) - 1 if key.isdigit() else key]
    where[last] = np.array(where[last], float)
    where[last][place] *= factor
    return record


def compare(*words):
    """Run compare_matlab.py with `words`: the lines it printed, the verdict last.

    Checked: the exit status is the verdict's, or 2 with one line on standard error,
    which then is the last one.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            program(lambda: compare_matlab.main([str(x) for x in words]))
            status = 0
        except SystemExit as end:
            status = end.code
    assert err.getvalue().count("\n") == (status == 2), err.getvalue()
    lines = (out.getvalue() + err.getvalue()).splitlines()
    assert status == 2 or lines[-1].startswith(VERDICTS[status]), (status, lines)
    return lines


def verdict_of(record, folder, *words):
    """Save the record and compare: the last line."""
    savemat(folder / "record.mat", record)
    return compare(folder / "record.mat", *words)[-1]


def refused(*words):
    """Check for one line on standard error alone; returns it."""
    *printed, line = compare(*words)
    assert not printed and not line.startswith(tuple(VERDICTS.values())), line
    return line


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
    lines = compare(case.file)
    assert lines[0].startswith(f"{case.gan.SCRIPT}: 'MATLAB 9.14\\x1b \\u56fe' ")
    assert "epoch 1..2" in lines[0] and "images_num 300" in lines[1]
    assert any(".layers{" in line for line in lines)
    for step, line in zip((1, 5, 10), lines[6:], strict=False):
        c_loss, d_loss = (f"{case.record[name][step - 1]:f}" for name in LOSSES)
        assert line.split()[:5] == [str(step), c_loss, c_loss, d_loss, d_loss]
    assert lines[-1].startswith("equal: 10 steps and the final state")
    last = verdict_of(case.later, tmp_path, "--from", case.checkpoint)
    assert last.startswith("equal: 5 steps and the final")
    # the port diverges: compare() lets it say nothing of that
    verdict_of(case.record | {"learning_rate": 1e300}, tmp_path)


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
            "discriminator.layers{2}.b_v": (1 + 1e-9,),
            "generator.beta1": (1.001,),
        }
    for name, change in changes.items():
        step = {"c_loss": "of step 4 by ", "d_loss": "of step 10 by "}
        where = f"different: {name} {step.get(name, 'after the last step by ')}"
        last = verdict_of(altered(case.record, name, *change), tmp_path)
        assert last.startswith(where), (name, last)


@ADAM
def test_a_record_that_broke_off(case, tmp_path):
    """Equal as far as it goes, and that is said; a wrong loss in it is different."""
    for steps in 1, 6:
        short = case.record | {name: case.record[name][:steps] for name in LOSSES}
        where = f"equal up to step {steps} of 10; there the"
        assert verdict_of(short, tmp_path).startswith(where)
    last = verdict_of(altered(short, "c_loss", 1.001, 5), tmp_path)
    assert last.startswith("different: ")


@ADAM
def test_beyond_rounding_nothing_is_equal(case, tmp_path, limits):
    """A loss before the step where rounding decides is judged, one after it is not.

    The table has the largest difference so far of both losses.
    """
    of_losses, _ = limits
    of_losses[7:] = compare_matlab.CHAOS
    wrong = altered(case.record, "d_loss", 1.01, 7)
    assert verdict_of(wrong, tmp_path).startswith("different: d_loss of step 8 ")
    of_losses[7:] *= 1.01
    assert verdict_of(wrong, tmp_path).startswith("equal up to step 7 of 10; beyond")
    wrong = altered(wrong, "d_loss", 1.05, 6)
    assert verdict_of(wrong, tmp_path).startswith("different: d_loss of step 7 ")
    rows = [x.split()[-2:] for x in compare(tmp_path / "record.mat") if " 10 " in x[:8]]
    assert rows == [["5e-02", "1e-03"]]


@ADAM
def test_final_arrays_beyond_rounding(case, tmp_path, limits):
    """Of these nothing is told; of others the one most times beyond its limit is."""
    _, of_final = limits
    of_final |= {"generator.layers{2}.b": 0.1, "images_fake": 1e-4}
    wrong = altered(case.record, "generator.layers{2}.b", 1.5)
    last = verdict_of(wrong, tmp_path)
    assert last.startswith("equal up to step 10 of 10; of the final state")
    assert "in 1 of " in last and "generator.layers{2}.b" in last
    for name in "images_fake", "generator.layers{2}.w":
        wrong = altered(wrong, name, 1.01)
        where = f"different: {name} after the last "
        assert verdict_of(wrong, tmp_path).startswith(where)


@ADAM
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
    assert compare(case.file, "--data", data)[-1].startswith("equal: ")


# ------------------------------------------------------------------- from a checkpoint


BUGS = {  # a function's name, and a wrong one that has the right one, f, to call
    "frozen generator": (
        "nnapplygrade",
        lambda f, nn, lr: f(nn, lr if nn["architecture"][-1] == 1 else 0),
    ),
    "exact gradient": (
        "delta_sigmoid_cross_entropy",
        lambda f, z, y: 1 / (1 + np.exp(-z)) - y,
    ),
    "no shuffle": ("randperm", lambda f, n: np.sort(f(n))),
    "positive noise": ("unifrnd", lambda f, *x: abs(f(*x))),
    "smaller rate": ("nnapplygrade", lambda f, nn, lr: f(nn, lr / 10)),
    "no correction": ("nnapplygrade", lambda f, nn, lr: f(nn | {"t": 10**6}, lr)),
    "other beta2": ("nnapplygrade", lambda f, nn, lr: f(nn | {"beta2": 0.99}, lr)),
    "t begins anew": ("fill_network", lambda f, o, nn, s: f(o, nn, s | {"t": 0})),
}


@pytest.mark.parametrize(
    "case, bug",
    [("gan_adam", x) for x in BUGS] + [("gan_mbgd", x) for x in list(BUGS)[:5]],
    indirect=["case"],
)
def test_bugs_are_different(case, bug, monkeypatch, tmp_path):
    """A loss tells it: t and beta2 are in the final state too, and would tell less."""
    name, wrong = BUGS[bug]
    monkeypatch.setattr(case.gan, name, partial(wrong, getattr(case.gan, name)))
    last = verdict_of(case.later, tmp_path, "--from", case.checkpoint)
    assert last.startswith(("different: c_loss of", "different: d_loss of")), last


@ADAM
def test_another_checkpoint(case, data, tmp_path):
    """What it must have in common with the record: one line names it."""
    file, other = tmp_path / "record.mat", tmp_path / "other.mat"
    savemat(file, case.later)
    assert "--from" in refused(file)
    assert "missing.mat" in refused(file, "--from", "missing.mat")
    record_of("gan_mbgd", data, other)
    assert f"{other}: script is " in refused(file, "--from", other)
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
    # the state counts, and not the images: record_from.m may take fewer
    good |= {"images_num": 360.0, "images_sha256": 64 * "0"}
    for verdict in "equal: ", "different: ":
        savemat(other, good)
        assert compare(file, "--from", other)[-1].startswith(verdict)
        good["rng_state"][3] ^= 1


# ----------------------------------------------------------------------------- rounding

SUMS = ["mtimes_backwards", "mtimes_in_halves"]


@pytest.mark.parametrize("rounding", [1, 2])
def test_what_rounding_is_measured_by(rounding, case, data, monkeypatch):
    """Sums in one other order; other last bits of the first w and b and of each db."""
    mtimes, update = case.gan.mtimes, case.gan.nnapplygrade
    steps, used = [], set()

    def spy(nn, learning_rate):
        layer = nn["layers"][-1]
        of_db = layer["db"] - layer["d"].mean(axis=0)
        steps.append((layer["w"], layer["b"], of_db))
        return update(nn, learning_rate)

    def run(*rounding):
        steps.clear()
        compare_matlab.run_port(case.read, data, None, *rounding)
        # of both networks in turn
        (w, b, _), (w_d, _, _) = steps[:2]
        return w, b, w_d, *(np.hstack([x[2] for x in steps[i::2]]) for i in (0, 1))

    monkeypatch.setattr(case.gan, "nnapplygrade", spy)
    for name in SUMS:
        monkeypatch.setattr(
            compare_matlab, name, lambda *x, name=name: used.add(name) or mtimes(*x)
        )
    for x, y in zip(run(), run(rounding), strict=True):
        assert 0 < abs(x - y).max() < 1e-15
    assert used == {SUMS[rounding - 1]}


def test_other_sums():
    """Of the same terms in another order."""
    a, b = np.random.RandomState(0).rand(2, 60, 60)
    for name in SUMS:
        product = getattr(compare_matlab, name)(a, b)
        np.testing.assert_allclose(product, a @ b, rtol=1e-13)
        assert (product != np.matmul(a, b, order="F")).any()


def test_limits(monkeypatch):
    """FACTOR times the larger difference of both runs, of losses of any step so far."""
    c_loss = [[1.0, 2.0, 3.0], [1.0, 2.0002, 3.0], [1.0, 2.0, 3.0]]
    d_loss = [np.ones(3), np.ones(3), np.array([1.0, 1.0, 1.0003])]
    final = [{"t": np.ones(1), "w": np.array([4.0, x])} for x in (5.0, 5.0, 5.005)]
    runs = [
        {"c_loss": np.array(x), "d_loss": z, "final": y}
        for x, y, z in zip(c_loss, final, d_loss, strict=True)
    ]
    monkeypatch.setattr(compare_matlab, "final_arrays", lambda run: run["final"])
    monkeypatch.setattr(compare_matlab, "run_port", lambda *words: runs[words[-1]])
    of_losses, of_final = compare_matlab.limits({}, "", None, runs[0])
    np.testing.assert_allclose(of_losses, [30e-14, 30e-4, 90e-4], rtol=1e-3)
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


# --------------------------------------------------------------------------- bad input


@ADAM
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
    assert case.checkpoint in refused(case.checkpoint)


@pytest.mark.parametrize(
    "words, word",
    [
        ("", "THING"),
        ("missing.mat", "missing.mat"),
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


@ADAM
def test_plot(case, tmp_path, monkeypatch):
    """Both halves have both colours; what goes wrong with it takes one line."""
    pytest.importorskip("matplotlib", reason="it is not installed")
    file = tmp_path / "plot.png"
    compare(case.file, "--plot", file)
    with Image.open(file) as picture:
        halves = np.asarray(picture.convert("RGB")).reshape(2, -1, 3).tolist()
    for half in halves:  # losses above, differences below
        # the legend alone has some of each
        assert min(half.count(x) for x in ([255, 0, 0], [0, 0, 255])) > 200
    *_, verdict, line = compare(case.file, "--plot", tmp_path / "no" / "plot.png")
    assert verdict.startswith("equal: ") and "plot.png" in line
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "matplotlib" in compare(case.file, "--plot", file)[-1]


# ------------------------------------------------------------------ logs and pictures


def log_of(epochs, steps, wrong_from=99):
    """A log with pictures, its losses others from the epoch `wrong_from` on."""
    return "".join(
        f'c_loss:"{e + 0.5 * (e >= wrong_from)}",d_loss:"0.25"\n'
        f"save_sample:./pics/epoch_{e}_t_{steps}.png\n"
        for e in range(1, epochs + 1)
    )


LOG = log_of(3, 10)
LINES = LOG.splitlines(keepends=True)
SAME = "equal: 3 epochs, to the last digit"
OTHER = 'c_loss:"1.5",d_loss:"2.5"\n'
MBGD = ("--script", "gan_mbgd", "--images-num", 160, "--batch-size", 16)  # 10 steps


def logs(folder, one, other, *flags):
    """Compare two logs, texts or bytes: the lines printed."""
    files = [folder / "a.log", folder / "b.log"]
    for file, log in zip(files, (one, other), strict=True):
        file.write_bytes(log if isinstance(log, bytes) else log.encode())
    return compare(*files, *(flags or MBGD))


@pytest.mark.parametrize(
    "log, words",
    [
        (">> gan_adam\n" + LOG.replace("\n", "\r\n"), SAME),
        ("\ufeff" + LOG, SAME),
        (LOG.encode("utf-16"), SAME),  # PowerShell's >
        (LOG.encode("utf-16-le"), SAME),
        ("生成".encode("gbk") + LOG.encode(), SAME),
        ("".join(LINES[::2]), SAME),  # without pictures
        # losses that are not an epoch's last: in between, and of a run that broke off
        (OTHER + LOG + OTHER, SAME),
        ("save_sample:epoch_1_t_5.png\n" + LOG, SAME),
        # epochs go by their numbers: with one missing, nothing is just equal
        ("".join(LINES[:4]), "only in one of both: epoch 3"),
        ("".join(LINES[:2] + LINES[4:]), "only in one of both: epoch 2"),
        ("".join(LINES[2:]), "only in one of both: epoch 1"),
        (OTHER + "epoch_4_t_10.png", "no epoch in common"),
        # two runs
        (LOG + LOG, "epoch_1_t_10.png after epoch 3"),
        (2 * log_of(1, 10), "epoch_1_t_10.png after epoch 1"),
        # a picture before its losses, and without
        ("".join(LINES[1:]), "epoch_1_t_10.png"),
        ("".join(LINES[:2] + LINES[3:]), "epoch_2_t_10.png"),
        ("nothing", "c_loss:"),
        (LOG.replace("0.2", "0,2"), '"0,25"'),
        (LOG.replace("0.2", "0_2"), '"0_25"'),
        (LOG.replace("t_10", "t_11"), "epoch_*_t_10.png"),
    ],
)
def test_a_log_and_another(log, words, tmp_path):
    """The verdict, or one line that names the file."""
    for pair, file in ((LOG, log), "b.log"), ((log, LOG), "a.log"):
        *rows, last = logs(tmp_path, *pair)
        assert words in last and (rows or file in last), last


@pytest.mark.parametrize(
    "one, other, verdict",
    [
        ("0.358400", "0.358401", "different: from epoch 1 (step 10) on"),
        ("NaN", "4.5", "different"),
        ("NaN", "-Inf", "different"),
        ("NaN", "nan", "equal: 1 epochs, to the last"),
        ("4.231139", "4.2311", "equal: 1 epochs, to the last"),
        ("4.231139", "4.2312", "different"),
        ("4.23115", "4.2312", "equal: 1 epochs, to the last"),
        ("4.23115", "4.2311", "equal: 1 epochs, as far"),
        ("0.327198", "3.272e-01", "equal: 1 epochs, to the last"),
        ("0.327198", "0", "equal: 1 epochs, to the last"),
        ("271828.6", "2.718e+05", "equal: 1 epochs, "),
        ("0.327198", "0.32719812345", "equal: 1 epochs, to the last"),
        ("0.32719812", "0.32719813", "equal: 1 epochs, to the last"),
        ("0.327198", "0.32719862345", "different"),
        ("0.5", "5" + 300 * "0" + ".0", "different"),
    ],
)
def test_the_digits_that_both_have(one, other, verdict, tmp_path):
    """One number may be the other rounded; of as many digits they must be equal."""
    for pair in (one, other), (other, one):
        lines = logs(tmp_path, *[f'c_loss:"1.5",d_loss:"{x}"' for x in pair])
        assert lines[1].split()[:3] == ["1", "1.5", "1.5"]
        assert lines[-1].startswith(verdict)


@pytest.mark.parametrize(
    "script, steps, last_told",  # the last epoch at which rounding does not decide
    [("gan_adam", 100, 7), ("gan_adam", 700, 1), ("gan_mbgd", 1000, 5)],
)
def test_where_rounding_may_decide(script, steps, last_told, tmp_path):
    """Different up to there; beyond it, nothing is told."""
    flags = ("--script", script, "--images-num", steps * 16, "--batch-size", 16)
    different = f"different: from epoch {last_told} (step {last_told * steps}) on"
    equal = f"equal up to epoch {last_told}, "
    for wrong, verdict in (last_told, different), (last_told + 1, equal):
        last = logs(tmp_path, log_of(8, steps), log_of(8, steps, wrong), *flags)[-1]
        assert last.startswith(verdict)
    assert f"{script} rounding may decide" in last


def test_gan_adams_default_run(tmp_path):
    """Its first line is beyond rounding: that is said at once, and what to do."""
    (tmp_path / "matlab.log").write_text(log_of(3, 1000))
    line = refused(tmp_path / "matlab.log", "--script", "gan_adam", "--seed", 7)
    assert "step 1000," in line
    assert "record_run('gan_adam.m', 'record.mat', 7, 2, 6000)" in line


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
        for file, x in (pictures | {"gradients": other, "epoch_3_t_5": other}).items():
            Image.fromarray(x).save(folder / f"{file}.png")
    return tmp_path / "a", tmp_path / "b"


def test_pictures(folders):
    """A grey level is rounding's, also of 16 bits; two are different."""
    wide = GREY.astype(np.uint16) * 257  # as Octave writes them
    wide[1:15] += 128  # still rounds to the same
    last = folders[1] / "epoch_2_t_10.png"
    different = "different: from epoch 2 (step 20) on"
    for more, verdict in (0, "equal: 2 "), (257, "equal: 2 "), (258, different):
        other = wide.copy()
        other[3, 3] += more
        Image.fromarray(other).save(last)
        lines = compare(*folders, *MBGD)
        assert lines[-1].startswith(verdict)
    assert lines[1].startswith("epoch 2: 1 pixels differ, by 2 grey levels")
    last.unlink()
    assert compare(*folders, *MBGD)[-1].startswith("equal up to epoch 1, ")


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
    with monkeypatch.context() as patch:
        patch.setattr(gan, "format_f", "{:.7f}".format)  # MATLAB's format may be wider
        with contextlib.redirect_stdout(io.StringIO()) as out:
            gan.main(gan.options([*flags, "--epoch=4", f"--pics={tmp_path}"]))
    log = out.getvalue()
    run, runs = gan.main, []
    monkeypatch.setattr(gan, "main", lambda opt: runs.append(opt.epoch) or run(opt))
    monkeypatch.setitem(compare_printed.STEPS_BEFORE_ROUNDING, gan.SCRIPT, 29)

    def verdict(log, flags=flags, thing=file):
        file.write_text(log)
        return compare(thing, "--script", gan.SCRIPT, *flags)[-1]

    for thing in file, tmp_path:
        assert verdict(log, thing=thing).startswith("equal up to epoch 2, ")
    for i in 2, 3, 4:  # the first two name the pictures as well
        assert verdict(log, [*flags[:i], *flags[i + 1 :]]).startswith("different: ")
    runs.clear()
    last = verdict("".join(log.splitlines(True)[:2]))
    assert last.startswith("equal: 1 epochs, to the last digit ")
    losses = re.findall('d_loss:"(.*?)"', log)
    for loss, word in zip(losses, ("different", "different", "equal up"), strict=False):
        wrong = log.replace(loss, f"{float(loss) + 2e-7:.7f}")
        assert verdict(wrong).startswith(word)
    assert runs == [1, 2, 2, 2]


# ------------------------------------------------------------------------ as a program


@POSIX
def test_as_a_program(tmp_path):
    """Started by a symbolic link, without docstrings; its output may be full."""
    os.symlink(compare_matlab.__file__, tmp_path / "link.py")
    (tmp_path / "图.log").write_text(OTHER + log_of(1, 10))
    (tmp_path / "b.log").write_text(log_of(1, 10, 1))
    command = [sys.executable, "-OO", "link.py", "图.log", "b.log", *map(str, MBGD)]
    more = {"env": {**os.environ, "PYTHONUNBUFFERED": ""}, "cwd": tmp_path}
    for status, out in (1, os.devnull), (2, "/dev/full"):
        if not os.path.exists(out):
            continue
        with open(out, "w") as f:
            end = subprocess.run(
                command, stdout=f, stderr=subprocess.PIPE, text=True, **more
            )
        assert (end.returncode, end.stderr.count("\n")) == (status, status == 2)
        assert status != 2 or end.stderr.startswith("link.py: ")
