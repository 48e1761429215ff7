"""compare_matlab.py on made-up records, and record_run.m where GNU Octave is installed."""

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys

import compare_matlab
import numpy as np
import pytest
from conftest import OCTAVE, SCRIPTS, TESTS, octave_process
from matlab_original import HOW, original
from PIL import Image
from scipy.io import loadmat, savemat

SHORT = ["--epoch", "2", "--images-num", "120"]  # 4 steps
DATA = os.path.join(os.path.dirname(TESTS), "data", "mnist_uint8.mat")


def train(script, folder, flags=(), change=None):
    """Run `script` in this process with `flags`: folder/run.mat and the pictures in `folder`.

    `change` gets the list of both networks before the first step. Returns the checkpoint's path.
    """
    sys.path.insert(0, os.path.dirname(TESTS))
    gan = importlib.import_module(script)
    setup, save, nets = gan.nnsetup, gan.save_checkpoint, []

    def changed(*args):
        nets.append(setup(*args))
        if len(nets) == 2 and change:
            change(nets)
        return nets[-1]

    gan.nnsetup = changed
    gan.save_checkpoint = lambda opt, *x: save(opt, *x) if opt.e == opt.epoch else None  # sooner
    try:
        file = os.path.join(folder, "run.mat")
        with contextlib.redirect_stdout(io.StringIO()):
            gan.main(gan.options([*SHORT, "--checkpoint", file, "--pics", str(folder), *flags]))
    finally:
        gan.nnsetup, gan.save_checkpoint = setup, save
        sys.path.remove(os.path.dirname(TESTS))
    return file


def record_of(checkpoint, script):
    """The record that record_run.m would write of the run: a dict for savemat."""
    saved = {k: v for k, v in loadmat(checkpoint).items() if not k.startswith("_")}
    saved["epoch"] = saved.pop("e")
    batches = int(saved["images_num"].item()) // 60
    folder = os.path.dirname(checkpoint)
    with Image.open(f"{folder}/epoch_{int(saved['epoch'].item())}_t_{batches}.png") as picture:
        tiles = np.asarray(picture).reshape(4, 28, 4, 28).transpose(0, 2, 3, 1)
    saved["images_fake"] = np.zeros((60, 784))
    saved["images_fake"][:16] = tiles.reshape(16, 784) / 255
    return saved | {"script": script, "producer": "MATLAB 9.14"}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """The flag for a file with the first 120 images, which is read sooner than all of them."""
    file = tmp_path_factory.mktemp("data") / "few.mat"
    savemat(file, {"train_x": loadmat(DATA, variable_names=["train_x"])["train_x"][:120]})
    return ["--data", str(file)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, few):
    """A finished run of each script: a dict, script -> checkpoint."""
    return {x: train(x, tmp_path_factory.mktemp(x), few) for x in SCRIPTS}


@pytest.fixture(params=SCRIPTS)
def case(request, runs, tmp_path):
    """(script, checkpoint, record as a dict, path for the record) of each script."""
    script = request.param
    return script, runs[script], record_of(runs[script], script), str(tmp_path / "record.mat")


def compare(*words):
    """Run compare_matlab.py with `words` in this process: (exit status, output, error output)."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                status = compare_matlab.main([str(x) for x in words])
            except SystemExit as end:
                status = end.code
    return status, out.getvalue(), err.getvalue()


def refused(*words):
    """Check for status 2 and one line on standard error, nothing else; returns the line."""
    status, out, err = compare(*words)
    assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
    assert err.startswith("compare_matlab.py: ")
    return err


# ---------------------------------------------------------------------------------- records


def test_equal(case):
    script, checkpoint, record, file = case
    record["c_loss"] = record["c_loss"] * (1 + 3e-16)
    savemat(file, record)
    status, out, _ = compare(file, "--checkpoint", checkpoint)
    assert status == 0
    assert out.splitlines()[-1].startswith("equal to rounding: ")
    assert out.count(": never\n") == 2
    table = re.findall(r"(\d+): (\S+)", out.split("up to step\n")[1].splitlines()[0])
    assert [x for x, _ in table] == ["1", "4"] and all(float(x) < 1e-15 for _, x in table)
    saved = loadmat(checkpoint)
    for e, k in (1, 1), (2, 3):
        c, d = (f"{saved[x][k, 0]:f}" for x in ("c_loss", "d_loss"))
        assert [str(e), c, c, d, d] in [x.split() for x in out.splitlines()]


def test_run_and_picture(runs, tmp_path):
    """Without --checkpoint the script is run, and the picture compared too."""
    record, file = record_of(runs["gan_mbgd"], "gan_mbgd"), tmp_path / "record.mat"
    record["images_fake"][5, 300] += 0.4 / 255
    savemat(file, record)
    status, out, _ = compare(file)
    assert status == 0
    assert "last picture: largest difference 0 grey levels, 0 of 12544 pixels differ" in out
    record["images_fake"][5, 300] += 3 / 255 * (1 if record["images_fake"][5, 300] < 0.5 else -1)
    record["images_fake"][20] = 1  # beyond the 16 in the picture
    savemat(file, record)
    status, out, _ = compare(file)
    assert status == 1
    assert "last picture: largest difference 3 grey levels, 1 of 12544 pixels differ" in out
    assert out.splitlines()[-1].startswith("different: the picture")


def nudge(net, layer):
    """A function that adds 1e-6 to one weight, for train()."""

    def change(nets):
        nets[net]["layers"][layer]["w"][3, 0] += 1e-6

    return change


@pytest.mark.parametrize(
    "flags, change",
    [
        (["--seed", "1"], None),
        (["--gradient", "exact"], None),
        (["--learning-rate"], None),
        (["--precision", "single"], None),
        ([], nudge(0, 1)),
        ([], nudge(1, 2)),
    ],
)
def test_real_differences(case, few, tmp_path, flags, change):
    """The settings in the checkpoint are made to agree, so that the numbers must tell."""
    script, checkpoint, record, file = case
    savemat(file, record)
    if flags == ["--learning-rate"]:
        flags = [*flags, str(record["learning_rate"].item() * 1.0001)]
    other = loadmat(train(script, tmp_path, few + flags, change))
    other = {k: v for k, v in other.items() if not k.startswith("_")}
    told = compare(file, "--checkpoint", tmp_path / "run.mat")[1].splitlines()[-1]
    if flags:
        assert told.startswith("different: ") and flags[0].strip("-").replace("-", "_") in told
    for name in ("seed", "learning_rate", "precision", "gradient"):
        other[name] = record[name]
    savemat(tmp_path / "other.mat", other)
    status, out, _ = compare(file, "--checkpoint", tmp_path / "other.mat")
    assert status == 1
    assert re.search("^different: (the losses|a weight)", out.splitlines()[-1])


def long_case(script, checkpoint, folder, growth):
    """Record and checkpoint of made-up 1200 steps whose losses part by `growth` (1200,)."""
    record, run = record_of(checkpoint, script), loadmat(checkpoint)
    run = {k: v for k, v in run.items() if not k.startswith("_")}
    for x in record, run:
        x["images_num"] = 36000.0
    for name in "c_loss", "d_loss":
        run[name] = 0.3 + np.random.RandomState(1).random_sample((1200, 1))
        record[name] = run[name] * (1 + growth[:, None])
    run["generator"] = loadmat(checkpoint)["generator"]
    run["generator"]["layers"][0, 0][0, 1]["w"][0, 0][2, 2] += 0.01
    savemat(folder / "record.mat", record)
    savemat(folder / "run.mat", run)
    return compare(folder / "record.mat", "--checkpoint", folder / "run.mat")


def test_chaos(case, tmp_path):
    """Adam may part gradually; a jump is a difference, and so is any parting of gan_mbgd."""
    script, checkpoint, _, _ = case
    step = np.arange(1, 1201)
    growth = 4e-16 * 10 ** (np.maximum(step - 200, 0) / 70)
    status, out, _ = long_case(script, checkpoint, tmp_path, growth)
    over = int(np.argmax(growth > 1e-9)) + 1
    assert f"more than 1e-09: at step {over}\n" in out
    assert f"more than 1e-06: at step {int(np.argmax(growth > 1e-6)) + 1}\n" in out
    if script == "gan_mbgd":
        assert status == 1
        return
    assert status == 0
    assert f"Adam's chaos parts the runs after step {over - 1}:" in out.splitlines()[-1]
    for place, jump in (1, 1e-11), (150, 1e-10), (260, 1e-8), (450, 1e-4):
        worse = growth.copy()
        worse[place - 1 :] += jump
        status, out, _ = long_case(script, checkpoint, tmp_path, worse)
        assert status == 1 and f"of step {place} part" in out.splitlines()[-1], place
    # a loss that is no number here but one there
    worse = np.where(step == 30, np.nan, growth)
    assert long_case(script, checkpoint, tmp_path, worse)[0] == 1


def without(name):
    return lambda record: record.pop(name)


def put(name, value):
    return lambda record: record.update({name: value})


@pytest.mark.parametrize(
    "change, word",
    [
        *((without(x), x) for x in ("script", "seed", "c_loss", "images_fake", "generator")),
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
        (put("d_loss", np.ones(4) * 1j), "d_loss"),
        (put("images_fake", np.ones((3, 3))), "images_fake"),
        (put("generator", 5.0), "record"),
        (put("discriminator", {"layers": {"w": 1.0}}), "record"),
    ],
)
def test_bad_records(runs, tmp_path, change, word):
    record, file = record_of(runs["gan_mbgd"], "gan_mbgd"), tmp_path / "record.mat"
    change(record)
    savemat(file, record)
    line = refused(file, "--checkpoint", runs["gan_mbgd"])
    assert word in line and str(file) in line


def test_wrong_layer(case):
    script, checkpoint, record, file = case
    record["generator"]["layers"][0, 0][0, 1]["w"][0, 0] = np.ones((512, 99))
    savemat(file, record)
    assert "generator 2 w must be 100 x 512" in refused(file, "--checkpoint", checkpoint)


def test_bad_files(runs, tmp_path):
    checkpoint, text, record = runs["gan_adam"], tmp_path / "text.mat", tmp_path / "record.mat"
    text.write_text("no .mat file")
    assert "no .mat file" in refused(text)
    assert "cannot be read" in refused(tmp_path / "missing.mat")
    assert "cannot be read" in refused(tmp_path)
    savemat(record, record_of(checkpoint, "gan_adam"))
    assert "damaged" in refused(record, "--checkpoint", text)
    assert "no checkpoint" in refused(record, "--checkpoint", record)
    assert "no record" in refused(checkpoint)
    (tmp_path / "cut.mat").write_bytes(record.read_bytes()[:5000])
    refused(tmp_path / "cut.mat")
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file" + bytes(600))
    assert "-v7" in refused(tmp_path / "new.mat")
    for words in (
        [],
        [record, "--logs", "a", "b"],
        ["--plot", "a.png"],
        [record, "--plot", "no/a.png"],
    ):
        refused(*words)
    refused(record, "--checkpoint", checkpoint, "--frobnicate")


# ---------------------------------------------------------------------------------- the plot


def rows_of(picture, colour, top, bottom, column):
    """The mean row in top..bottom of the pixels near `colour` in a column of the picture."""
    part = picture[top:bottom, column].astype(int)
    rows = np.flatnonzero(np.abs(part - colour).sum(axis=1) < 120)
    assert rows.size, (colour, column)
    return top + rows.mean()


def test_plot(runs, tmp_path):
    """The curves are where they belong: all four losses, and both differences."""
    steps = np.arange(1, 1201)
    growth = 10.0 ** (-14 + steps / 120)
    long_case("gan_adam", runs["gan_adam"], tmp_path, growth)
    record, run = loadmat(tmp_path / "record.mat"), loadmat(tmp_path / "run.mat")
    for x in record, run:
        for k in [k for k in x if k.startswith("_")]:
            del x[k]
    run["c_loss"], run["d_loss"] = np.full((1200, 1), 3.0), np.full((1200, 1), 1.0)
    record["c_loss"] = run["c_loss"] * (1 + growth[:, None])
    record["d_loss"] = np.full((1200, 1), 2.0)
    record["c_loss"][900:] = 4
    savemat(tmp_path / "record.mat", record)
    savemat(tmp_path / "run.mat", run)
    file = tmp_path / "plot.png"
    compare(tmp_path / "record.mat", "--checkpoint", tmp_path / "run.mat", "--plot", file)
    with Image.open(file) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (900, 600), "RGB")
        picture = np.asarray(image)
    left, right = 75, 885
    column = round(left + (1000 - 1) / 1199 * (right - left))  # step 1000
    colours = compare_matlab.COLOURS
    values = {("c_loss", 0): 4, ("c_loss", 1): 3, ("d_loss", 0): 2, ("d_loss", 1): 1}
    for (name, i), value in values.items():  # the axis is 0..4, from row 280 up to row 30
        row = rows_of(picture, colours[name][i], 25, 285, column)
        assert abs(row - (280 - value / 4 * 250)) < 2, (name, i)
    column = round(left + (480 - 1) / 1199 * (right - left))  # c_loss parts by 1e-10 there
    for name, part in ("c_loss", -10), ("d_loss", np.log10(0.5)):  # 1e-17..1: row 555 up to 340
        row = rows_of(picture, colours[name][1], 335, 560, column)
        assert abs(row - (555 - (part + 17) / 17 * 215)) < 3, name


def test_plot_of_bad_losses(runs, tmp_path):
    """NaN, infinity and a single step still make a plot."""
    one = {"c_loss": np.array([np.nan]), "d_loss": np.array([0.5])}
    for n in 1, 3:
        losses = {k: np.repeat(v, n) for k, v in one.items()}
        losses["c_loss"][-1] = np.inf if n == 3 else np.nan
        each = {k: np.zeros(n) for k in losses}
        file = tmp_path / f"{n}.png"
        compare_matlab.plot(losses, losses, each, "MATLAB", "gan_adam", str(file))
        with Image.open(file) as image:
            near = np.abs(np.asarray(image)[25:285].astype(int) - (17, 85, 160)).sum(axis=2) < 60
        assert near.any()


# ---------------------------------------------------------------------------- pictures and logs


def test_pictures(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir(), b.mkdir()
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(a / "epoch_1_t_10.png")
    wide = grey.astype(np.uint16) * 257  # 16 bits, as Octave writes them
    wide[1:15] += 128  # still rounds to the same
    Image.fromarray(wide).save(b / "epoch_1_t_10.png")
    Image.fromarray(grey).save(a / "epoch_2_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 0
    assert "epoch_1_t_10.png: largest difference 0 grey levels, 0 of 256 pixels differ" in out
    assert f"only in {a}: 1 pictures" in out
    wide[3, 3] += 1  # rounds up
    Image.fromarray(wide).save(b / "epoch_1_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 0 and "largest difference 1 grey levels, 1 of 256 pixels differ" in out
    grey[0, :2] += 5
    Image.fromarray(grey).save(b / "epoch_2_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 1 and "largest difference 5 grey levels, 2 of 256 pixels differ" in out
    Image.fromarray(grey[:8]).save(b / "epoch_2_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 1 and "sizes differ" in out
    (b / "epoch_2_t_10.png").write_bytes(b"no picture")
    assert compare("--pictures", a, b)[0] == 2
    assert "no .png file" in refused("--pictures", a, tmp_path)
    assert "cannot be read" in refused("--pictures", a, tmp_path / "missing")


def test_logs(tmp_path):
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    lines = [
        'c_loss:"4.231139",d_loss:"0.327198"',
        "save_sample:./pics/epoch_1_t_10.png",
        'c_loss:"NaN",d_loss:"0.358400"',
    ]
    a.write_text("\n".join(lines))
    crlf = "\r\n".join(lines).replace("0.327198", "0.327199")
    b.write_bytes(crlf.encode())
    status, out, _ = compare("--logs", a, b)
    assert status == 0 and out.splitlines()[-1] == "equal to rounding"
    assert "1 4.231139 4.231139 0.327198 0.327199".split() in [x.split() for x in out.splitlines()]
    b.write_text("\n".join(lines).replace("0.358400", "0.358403"))
    status, out, _ = compare("--logs", a, b)
    assert status == 1 and out.splitlines()[-1].startswith("different: from epoch 2 on")
    b.write_text("\n".join(lines).replace("NaN", "4.5"))
    assert compare("--logs", a, b)[0] == 1
    b.write_text(lines[0])
    status, out, _ = compare("--logs", a, b)
    assert status == 0 and f"only 1 epochs are in both: {a} has 2, {b} has 1" in out
    b.write_text("nothing")
    assert "no line like" in refused("--logs", a, b)
    b.write_text(lines[0].replace("4.2", "4,2"))
    assert "no number" in refused("--logs", a, b)
    assert "cannot be read" in refused("--logs", a, tmp_path / "missing")


# ---------------------------------------------------------------------------------- Octave


def record_run(folder, *words):
    """Run record_run.m in Octave; returns the finished process."""
    words = ", ".join(f"'{x}'" if isinstance(x, str) else str(x) for x in words)
    return octave_process(f"addpath('{TESTS}/matlab'); record_run({words})", folder)


def as_upstream(text):
    """The script's text with what other copies have: a byte order mark, indents, CR LF, mkdir."""
    pics = "if ~exist('./pics','dir')\n    mkdir('./pics/')\nend\n"
    text = text.replace("for e=1:epoch", pics + "for e=1:epoch", 1)
    return "\ufeff" + "".join(f"  {x}\r\n" for x in text.splitlines())


@OCTAVE
@pytest.mark.parametrize("script, seed", [("gan_adam", 0), ("gan_mbgd", 4294967295)])
def test_octave(script, seed, tmp_path):
    """record_run.m on the original, then compare_matlab.py as users run it; gan_mbgd in the form
    that other copies have."""
    folder = original()
    if folder is None:
        pytest.skip(HOW)
    source = os.path.join(folder, f"{script}.m")
    if script == "gan_mbgd":
        with open(source, encoding="utf-8") as f:
            text = as_upstream(f.read())
        source = str(tmp_path / "gan_mbgd.m")
        with open(source, "w", encoding="utf-8", newline="") as f:
            f.write(text)
    end = record_run(tmp_path, source, "record.mat", seed, 2, 600)
    assert end.returncode == 0 and end.stderr == "", end.stderr
    assert end.stdout.endswith("\nrecord:record.mat\n")
    command = [sys.executable, os.path.join(TESTS, "matlab", "compare_matlab.py"), "record.mat"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.startswith(f"{script}: GNU Octave ")
    assert f"seed {seed}, epoch 2, images_num 600, batch_size 60" in done.stdout
    assert done.stdout.splitlines()[-1] == "equal to rounding: losses and weights within 1e-9"
    assert "last picture: largest difference" in done.stdout
    # the losses that the original printed are those of the record
    record = loadmat(tmp_path / "record.mat")
    printed = re.findall(r'c_loss:"(.*)",d_loss:"(.*)"', end.stdout)
    assert printed == [tuple(f"{record[x][k, 0]:f}" for x in ("c_loss", "d_loss")) for k in (9, 19)]


@OCTAVE
def test_octave_refuses(tmp_path):
    """Another script, or a script with a line twice, is an error that names the line."""
    head = "clear;\nclc;\nepoch = 100;\nimages_num = 60000;\n"
    (tmp_path / "none.m").write_text(head)
    (tmp_path / "twice.m").write_text(head + "epoch = 3; % again\n")
    for name, words in ("none", "nnapplygrade"), ("twice", '"epoch = ...", but has 2'):
        end = record_run(tmp_path, f"{name}.m", "record.mat", 0, 2, 600)
        assert end.returncode and words in end.stderr and not (tmp_path / "record.mat").exists()
