"""record_run.m and record_from.m in GNU Octave, on the original and on variants of its text."""

import contextlib
import importlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import OCTAVE, POSIX, ROOT, SCRIPTS, TESTS
from matlab_original import HOW, original
from scipy.io import loadmat, savemat

MATLAB = os.path.join(TESTS, "matlab")
COUNT = 600  # images in the small data


def octave_command(code):
    flags = ["--no-gui", "--quiet", "--norc", "--no-history"]
    return ["octave", *flags, "--eval", code]


def octave(code, folder, path=MATLAB):
    """What Octave prints for `code` in `folder`, with `path` on its path; nothing on stderr."""
    command = octave_command(f"addpath('{path}'); {code}")
    end = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert (end.returncode, end.stderr) == (0, ""), end.stdout + end.stderr
    return end.stdout


def text_of(script):
    """The original's text; skips the test where it is not there."""
    folder = original()
    if folder is None:
        pytest.skip(HOW)
    with open(os.path.join(folder, f"{script}.m"), encoding="utf-8") as f:
        return f.read()


def small(script):
    """The original's text for COUNT images instead of 60000, which are read sooner."""
    text = text_of(script)
    assert text.count("train_x, 60000, ") == 2
    return text.replace("train_x, 60000, ", f"train_x, {COUNT}, ")


def write(file, text):
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def record(file):
    """A record as a dict, structs as dicts."""
    return loadmat(file, simplify_cells=True)


@pytest.fixture(scope="module")
def images():
    """The first COUNT images, as stored: (COUNT, 784) uint8."""
    file = os.path.join(ROOT, "data", "mnist_uint8.mat")
    return loadmat(file, variable_names=["train_x"])["train_x"][:COUNT]


@pytest.fixture
def place(tmp_path, images):
    """A folder with the small data, both scripts in it for that, and `again`, for a second one."""
    savemat(tmp_path / "mnist_uint8.mat", {"train_x": images})
    for script in SCRIPTS:
        write(tmp_path / f"{script}.m", small(script))
    return tmp_path


@pytest.fixture(scope="module")
def plain(tmp_path_factory, images):
    """The records of both scripts as they are, 2 epochs of 120 images, seed 5: script -> dict."""
    folder = tmp_path_factory.mktemp("plain")
    savemat(folder / "mnist_uint8.mat", {"train_x": images})
    for script in SCRIPTS:
        write(folder / f"{script}.m", small(script))
    octave(
        "".join(f"record_run('{x}.m', '{x}.mat', 5, 2, 120);" for x in SCRIPTS), folder
    )
    return {x: record(folder / f"{x}.mat") for x in SCRIPTS}


# -------------------------------------------------------------------------------- what is written


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_record(script, plain, images):
    """The record has the variables that its header names, and no others, in their forms."""
    r = {k: v for k, v in plain[script].items() if not k.startswith("_")}
    networks = {k: r.pop(k) for k in ("generator", "discriminator")}
    losses = [r.pop(k) for k in ("c_loss", "d_loss")]
    assert [x.shape for x in losses] == [(4,)] * 2
    x = images[:120].astype(np.int64)
    check = [(x.sum(0) * np.arange(1, 785)).sum(), (x.sum(1) * np.arange(1, 121)).sum()]
    assert r.pop("images_check").tolist() == check
    assert r.pop("images_fake").shape == (60, 784)
    assert re.fullmatch(r"GNU Octave \d+\.\d+\.\d+", r.pop("producer"))
    lines = [
        f'c_loss:"{losses[0][k]:f}",d_loss:"{losses[1][k]:f}"\nsave_sample:./pics/epoch_{e}_t_2.png'
        for e, k in ((1, 1), (2, 3))
    ]
    assert r.pop("printed") == "\n".join(lines)
    rate = {"gan_adam": 0.001, "gan_mbgd": 0.01}[script]
    assert r == {
        "script": script,
        "seed": 5,
        "first": 0,
        "epoch": 2,
        "images_num": 120,
        "batch_size": 60,
        "learning_rate": rate,
        "complete": 1,
    }
    gan = importlib.import_module(script)
    for nn in networks.values():
        assert set(nn) == {"architecture", "layers_count", "layers", *gan.NET_STATE}
        assert nn.get("t", 4) == 4
        for layer in nn["layers"][1:]:
            assert set(layer) == set(gan.LAYER_STATE)


# ------------------------------------------------------------------------- scripts as people have

SEEDS = [
    "rng(7)",
    "rng default",
    "rand('seed', 3)",
    "randn('state',4)",
    "RandStream.setGlobalStream(RandStream('mt19937ar','Seed',1))",
]
BLOCK = "% no nn.layers{i}.w_m = 0; here\n%{\nepoch = 3;\n%}\n"
STRING = "note = 'it''s epoch = 3; % .w_m = 0'; "
SAME = {  # each a list of (words of the original, what is in their place)
    "numbers": [
        ("clear;\nclc;\n", STRING),
        ("epoch = 100;", "  epoch  =  10*10; % passes"),
        ("images_num = 60000;", "images_num=6e4 ;"),
    ],
    "spacing": [
        ("clear;\nclc;", BLOCK + "clear; clc;"),
        ("nnsetup([100, 512, 784]);", "nnsetup( [100 512,784] ) ;"),
        ("for e=1:epoch", "for e = 1 : epoch"),
        (
            "discriminator = nnapplygrade(",
            "discriminator = ... % last\n nnapplygrade( ",
        ),
    ],
    "clear": [
        ("clear;\nclc;", "clear all; close all; clc"),
        ("batch_size = 60;", "batch_size = 6*(5 + 5), clearvars note"),
        ("discriminator, learning_rate);", "discriminator,learning_rate) ;"),
    ],
    "seeds": [
        (
            "clear;\nclc;",
            f"clearvars\n{SEEDS[0]}; {SEEDS[1]}\n  {', '.join(SEEDS[2:])};",
        )
    ],
    "windows": [("\n", "\r\n  "), ("clear;", "\ufeffclear;")],
    "gbk": [("clear;", "clear")],
}


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_variants(script, place):
    """What people write gives the same record; what seeds random numbers is left out, and said."""
    names = list(SAME) if script == "gan_mbgd" else ["spacing", "seeds"]
    for name in names:
        text = small(script)
        for old, new in SAME[name]:
            assert old in text
            text = text.replace(old, new)
        write(place / f"try_{name}.m", text.encode("gbk") if name == "gbk" else text)
    code = "".join(f"record_run('try_{x}.m', 'try_{x}', 5, 1, 120);" for x in names)
    out = octave(f"record_run('{script}.m', 'plain', 5, 1, 120);" + code, place)
    plain = record(place / "plain.mat")
    for name in names:
        r = record(place / f"try_{name}.mat")
        for k in "script", "batch_size", "c_loss", "d_loss", "printed", "images_fake":
            np.testing.assert_array_equal(r[k], plain[k], err_msg=f"{name} {k}")
    assert re.findall("left out of the copy of the script: (.*)", out) == SEEDS


@OCTAVE
def test_arguments(plain, place):
    """Strings in double quotes, ~/, out without .mat or over an old record, script without .m."""
    text = small("gan_mbgd").replace("'c_loss:", "'损失 c_loss:")
    write(place / "bytes.m", text)
    code = f"""setenv('HOME', '{place}'); cd /
    record_run("~/gan_mbgd.m", "~/quotes", 5, 1, 60);
    cd('{place}');
    record_run('bytes', 'quotes.mat', 5, 2, 120);"""
    out = octave(code, place)
    assert "record:~/quotes\n" in out and out.count('损失 c_loss:"') == 2
    printed = record(place / "quotes.mat")["printed"]
    assert printed.replace("损失 ", "") == plain["gan_mbgd"]["printed"]


# ---------------------------------------------------------------------------------- what is refused


@OCTAVE
def test_refused(place):
    """One clear error each, before anything runs; no file is written or changed."""
    texts = {
        "small_net": small("gan_adam").replace("[784, 512, 1]", "[784, 256, 1]"),
        "deep_net": small("gan_adam").replace(
            "[100, 512, 784]", "[100, 512, 512, 784]"
        ),
        "sgd": small("gan_mbgd").replace("learning_rate)", "learning_rate, lamda)"),
        "half": small("gan_adam").replace(".w_m = 0", ".w_mean = 0"),
        "none": "epoch = 3;\n",
        "empty": "",
        "other": "function y = f(x)\ny = x;\nend\n",
        "twice": small("gan_adam").replace("batch_num", "epoch = 3;\nbatch_num", 1),
        "decay": small("gan_mbgd").replace(
            "batch_num", "learning_rate = 1;\nbatch_num", 1
        ),
        "seeded": small("gan_adam").replace(
            "batch_num", "s = rng; x = 3;\nbatch_num", 1
        ),
        "stream": small("gan_adam").replace(
            "clc;", "s = RandStream('mt19937ar','Seed',1);"
        ),
        "called": small("gan_mbgd").replace(
            "batch_size = 60", "batch_size = size(train_x, 1)"
        ),
    }
    for name, text in texts.items():
        write(place / f"{name}.m", text)
    (place / "folder").mkdir()
    (place / "folder.mat").mkdir()
    cases = [
        *((f"'{x}.m', 'out.mat', 0, 1, 60", w) for x, w in {
            "small_net": "another architecture than [784, 512, 1]",
            "deep_net": "another architecture than [100, 512, 784]",
            "sgd": "the old gan_sgd.m with weight decay",
            "half": "neither gan_adam.m nor gan_mbgd.m",
            "none": "no functions",
            "empty": "no functions",
            "other": "neither gan_adam.m nor gan_mbgd.m",
            "twice": '"epoch = ...", but has 2',
            "decay": '"learning_rate = ...", but has 2',
            "seeded": "changes the random numbers; take this out: s = rng",
            "stream": "take this out: s = RandStream('mt19937ar','Seed',1)",
            "called": "must set a number above 0 in the line: batch_size = size",
            "missing": "cannot be read",
        }.items()),
        ("'gan_adam.m', 'gan_adam.m', 0, 1, 60", "out must not be the script"),
        ("'gan_adam.m', 'folder/../gan_adam.m', 0, 1, 60", "out must not be the script"),
        ("'gan_adam', './gan_adam.m', 0, 1, 60", "out must not be the script"),
        ("'gan_adam.m', 'mnist_uint8', 0, 1, 60", "is there already and is no record"),
        ("'gan_adam.m', 'folder', 0, 1, 60", "must be a file, not a folder"),
        ("'gan_adam.m', 'folder.mat', 0, 1, 60", "must be a file, not a folder"),
        ("'gan_adam.m', 'nowhere/out.mat', 0, 1, 60", "no folder for the output"),
        ("'gan_adam.m', 5, 0, 1, 60", "out must be the name of a file"),
        ("'gan_adam.m', 'out.mat', 0, 1, 100", "must be a multiple of batch_size 60"),
        ("'gan_adam.m', 'out.mat', 0, 0, 60", "epoch must be a whole number in 1.."),
        ("'gan_adam.m', 'out.mat', 0, 1.5, 60", "epoch must be a whole number in 1.."),
        ("'gan_adam.m', 'out.mat', 0, NaN, 60", "epoch must be a whole number in 1.."),
        ("'gan_adam.m', 'out.mat', 0, 1, 60060", "images_num must be a whole number in 1..60000"),
        (f"'gan_adam.m', 'out.mat', 0, 1, {COUNT + 60}", f"784 columns and {COUNT + 60} rows"),
        ("'gan_adam.m', 'out.mat', -1, 1, 60", "seed must be a whole number in 0..4294967295"),
        ("'gan_adam.m', 'out.mat', 0, 1", "usage: record_run("),
    ]  # fmt: skip
    before = {x: x.read_bytes() for x in place.iterdir() if x.is_file()}
    code = "".join(
        f"try, record_run({words}); disp('nothing'); catch x, disp(x.identifier); disp(x.message);"
        " end; "
        for words, _ in cases
    )
    lines = octave(code, place).splitlines()
    assert len(lines) == 2 * len(cases), lines
    for (words, told), name, message in zip(
        cases, lines[::2], lines[1::2], strict=True
    ):
        assert name.startswith("record_run:") and told in message, (
            words,
            name,
            message,
        )
    assert before == {x: x.read_bytes() for x in place.iterdir() if x.is_file()}


@OCTAVE
def test_the_old_script_is_refused(place):
    source = os.path.join(original(), "gan_sgd.m")
    if not os.path.isfile(source):
        pytest.skip("the old gan_sgd.m is not beside the original")
    code = (
        f"try, record_run('{source}', 'out', 0, 1, 60); catch x, disp(x.message); end"
    )
    assert octave(code, place).startswith(
        "this is the old gan_sgd.m with weight decay (lamda)"
    )


# ------------------------------------------------------------------------------ runs broken off


@OCTAVE
def test_broken_off_by_an_error(plain, place):
    text = small("gan_adam").replace(
        "kk = ", "if e == 3, error('enough'), end\n    kk = "
    )
    write(place / "stops.m", text)
    write(
        place / "never.m", small("gan_adam").replace("kk = ", "error('enough'); kk = ")
    )
    code = "".join(
        f"try, record_run('{x}.m', '{x}', 5, 4, 120); catch x, disp(x.message); end; "
        for x in ("stops", "never")
    )
    out = octave(code, place)
    assert out.count("enough\n") == 2 and "broken off after 4 steps; record:" in out
    assert not (place / "never.mat").exists()  # nothing was run
    r, whole = record(place / "stops.mat"), plain["gan_adam"]
    assert r.pop("complete") == 0 and r.pop("epoch") == 4
    assert set(r) | {"complete", "epoch"} == set(whole)
    for k in "c_loss", "d_loss", "images_fake", "printed":
        np.testing.assert_array_equal(r[k], whole[k])
    for k in "generator", "discriminator":
        np.testing.assert_array_equal(
            r[k]["layers"][2]["w_v"], whole[k]["layers"][2]["w_v"]
        )


@OCTAVE
@POSIX
def test_broken_off_by_ctrl_c(plain, place):
    code = f"addpath('{MATLAB}'); record_run('gan_mbgd.m', 'out', 5, 1000000, 120)"
    pipe = subprocess.PIPE
    (place / "temporary").mkdir()
    process = subprocess.Popen(
        octave_command(code),
        cwd=place,
        env={**os.environ, "TMPDIR": str(place / "temporary")},
        stdout=pipe,
        stderr=pipe,
        text=True,
        # a shell's background jobs ignore SIGINT, and so would what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout.readline().startswith("c_loss")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "broken off after " in out
    r, whole = record(place / "out.mat"), plain["gan_mbgd"]
    n = min(4, r["c_loss"].size)
    assert r["complete"] == 0 and n >= 2 and r["c_loss"].shape == r["d_loss"].shape
    np.testing.assert_array_equal(r["c_loss"][:n], whole["c_loss"][:n])
    assert os.listdir(place / "temporary") == []


# ------------------------------------------------------------------------------- from a checkpoint


def port(script, folder, *flags):
    """Run the port in this process: its checkpoint as a dict, structs as dicts."""
    gan = importlib.import_module(script)
    words = [
        "--data",
        f"{folder}/mnist_uint8.mat",
        "--pics",
        f"{folder}/pics",
        *map(str, flags),
    ]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        gan.main(gan.options(words))
    return out.getvalue()


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_record_from(script, place, monkeypatch):
    """10 steps from epoch 2, with other settings, and 2 from epoch 0 equal the port's own."""
    gan = importlib.import_module(script)
    early, zero, late = (place / f"{x}.mat" for x in ("early", "zero", "late"))
    begin = [
        "--seed",
        3,
        "--batch-size",
        20,
        "--learning-rate",
        0.002,
        "--images-num",
        120,
    ]
    port(script, place, *begin, "--epoch", 2, "--checkpoint", early)
    shutil.copy(early, late)
    lines = port(
        script,
        place,
        "--resume",
        late,
        "--checkpoint",
        late,
        "--images-num",
        200,
        "--epoch",
        3,
    )
    first = place / "first.mat"
    with monkeypatch.context() as m:
        m.setattr(gan, "randperm", lambda n: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            port(script, place, *begin, "--epoch", 1, "--checkpoint", zero)
    port(script, place, *begin, "--epoch", 1, "--images-num", 40, "--checkpoint", first)

    out = octave(
        f"record_from('{script}.m', 'a', 'early.mat', 200);"
        f"record_from('{script}.m', 'b', 'zero.mat', 40);",
        place,
    )
    assert "record:a\n" in out and "record:b\n" in out
    for name, file, e, steps in ("a", late, 2, 10), ("b", first, 0, 2):
        r, run = record(place / f"{name}.mat"), record(file)
        assert (r["first"], r["epoch"], r["seed"], r["complete"]) == (e, e + 1, 3, 1)
        assert (r["batch_size"], r["learning_rate"]) == (20, 0.002)
        assert r["images_num"] == 20 * steps == 20 * r["c_loss"].size
        for k in "c_loss", "d_loss":
            # sums in another order: some 1e-15 in 10 steps; another stream or moment: above 1e-6
            np.testing.assert_allclose(r[k], run[k][-steps:], rtol=1e-12, atol=0)
        for k in "generator", "discriminator":
            for x, y in zip(r[k]["layers"][1:], run[k]["layers"][1:], strict=True):
                np.testing.assert_allclose(x["w"], y["w"], rtol=0, atol=1e-12)
            assert r[k].get("t") == run[k].get("t")
    assert record(place / "a.mat")["printed"].splitlines()[0] == lines.splitlines()[0]
    assert "epoch_3_t_10" in record(place / "a.mat")["printed"]


@OCTAVE
def test_record_from_refuses(place):
    port(
        "gan_adam",
        place,
        "--images-num",
        60,
        "--epoch",
        1,
        "--checkpoint",
        place / "good.mat",
    )

    def changed(name, change):
        bad = {
            k: v
            for k, v in loadmat(place / "good.mat").items()
            if not k.startswith("_")
        }
        change(bad)
        savemat(place / name, bad)

    def narrow(x):
        x["generator"]["layers"][0, 0][0, 1]["w"][0, 0] = np.ones((100, 511))

    changed("single.mat", lambda x: x.update(precision="single"))
    changed("exact.mat", lambda x: x.update(gradient="exact"))
    changed("narrow.mat", narrow)
    changed("wide.mat", lambda x: x.update(generator=x["discriminator"]))
    changed("nostream.mat", lambda x: x.pop("rng_state"))
    changed("badstream.mat", lambda x: x.update(rng_state=np.zeros(625)))
    (place / "text.mat").write_text("no file")
    cases = [
        (
            "'gan_mbgd.m', 'out', 'good.mat', 60",
            "one of gan_adam, but the script is gan_mbgd",
        ),
        ("'gan_adam.m', 'out', 'good.mat', 100", "must be a multiple of batch_size 60"),
        (
            "'gan_adam.m', 'out', 'good.mat', 0",
            "images_num must be a whole number in 1..60000",
        ),
        ("'gan_adam.m', 'good', 'good.mat', 60", "is there already and is no record"),
        ("'gan_adam.m', 'out', 'single.mat', 60", "precision single"),
        ("'gan_adam.m', 'out', 'exact.mat', 60", "gradient exact"),
        (
            "'gan_adam.m', 'out', 'narrow.mat', 60",
            "another architecture than [100, 512, 784]",
        ),
        (
            "'gan_adam.m', 'out', 'wide.mat', 60",
            "another architecture than [100, 512, 784]",
        ),
        ("'gan_adam.m', 'out', 'nostream.mat', 60", "it has no rng_state"),
        ("'gan_adam.m', 'out', 'badstream.mat', 60", "no stream of 625 words"),
        ("'gan_adam.m', 'out', 'text.mat', 60", "checkpoint"),
        ("'gan_adam.m', 'out', 'missing.mat', 60", "the checkpoint cannot be read"),
        ("'gan_adam.m', 'out', 'good.mat'", "usage: record_from("),
    ]
    code = "".join(
        f"try, record_from({words}); disp('nothing'); catch x, disp(x.identifier);"
        " disp(strrep(x.message, char(10), ' ')); end; "
        for words, _ in cases
    )
    lines = octave(code, place).splitlines()
    assert len(lines) == 2 * len(cases), lines
    for (words, told), name, message in zip(
        cases, lines[::2], lines[1::2], strict=True
    ):
        assert name.startswith("record_run:") and told in message, (
            words,
            name,
            message,
        )
    assert not (place / "out.mat").exists()


# -------------------------------------------------------------------------------------- the session


@OCTAVE
def test_the_session_is_left_as_it_was(place):
    """After a run and after one that failed: path, folder, warnings, globals, functions, files."""
    write(
        place / "stops.m", small("gan_adam").replace("kk = ", "error('enough'); kk = ")
    )
    (place / "own").mkdir()
    (place / "temporary").mkdir()
    code = f"""setenv('TMPDIR', '{place}/temporary');
    addpath own; global RECORD_RUN; RECORD_RUN = 5; warning('off', 'my:own');
    state = @() {{path(), pwd(), warning(), who('global'), RECORD_RUN, exist('nnff'), ...
        exist('normrnd'), which('imwrite'), which('randperm'), rand('state'), randn('state'), who}};
    x = 0; before = 0; before = state();
    record_run('gan_mbgd.m', 'out', 0, 1, 60); disp(isequal(before, state()));
    try, record_run('stops.m', 'out', 0, 1, 60); catch x, disp(x.message); end
    disp(isequal(before, state()));"""
    assert octave(code, place).splitlines()[-3:] == ["1", "enough", "1"]
    assert os.listdir(place / "temporary") == []


@OCTAVE
def test_documented_lines(tmp_path):
    """The README's lines, with a relative path, on the original and all 60000 images; then Python.

    Nothing stands on standard error.
    """
    text_of("gan_adam")
    shutil.copytree(MATLAB, tmp_path / "tests" / "matlab")
    shutil.copytree(os.path.join(ROOT, "data"), tmp_path / "data")
    shutil.copy(os.path.join(original(), "gan_adam.m"), tmp_path)
    out = octave(
        "record_run('gan_adam.m', 'record.mat', 0, 2, 600)", tmp_path, "tests/matlab"
    )
    assert out.endswith("\nrecord:record.mat\n")
    command = [sys.executable, os.path.join(MATLAB, "compare_matlab.py"), "record.mat"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    # the losses that the original printed are those of the record
    r = record(tmp_path / "record.mat")
    printed = re.findall(r'c_loss:"(.*)",d_loss:"(.*)"', out)
    assert printed == [
        tuple(f"{r[x][k]:f}" for x in ("c_loss", "d_loss")) for k in (9, 19)
    ]


def test_mh_lint():
    """A parser of real MATLAB syntax, which is stricter than Octave's, finds nothing."""
    pytest.importorskip(
        "miss_hit", reason="not installed: pip install -r tests/requirements.txt"
    )
    command = [sys.executable, "-m", "miss_hit.mh_lint", "--single", MATLAB]
    end = subprocess.run(command, capture_output=True, text=True)
    assert end.returncode == 0 and "everything seems fine" in end.stdout, (
        end.stdout + end.stderr
    )
