"""record_run.m and record_from.m in GNU Octave, on the original and its variants."""

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
from conftest import OCTAVE, POSIX, ROOT, SCRIPTS, TESTS, octave_process
from matlab_original import HOW, original
from scipy.io import loadmat, savemat

MATLAB = os.path.join(TESTS, "matlab")
COUNT = 600  # images in the small data


def octave_output(code, folder, path=MATLAB):
    """What Octave prints for `code` in `folder`, with `path` on its path.

    Fails unless Octave ends well and prints nothing on standard error.
    """
    end = octave_process(f"addpath('{path}'); {code}", folder)
    assert (end.returncode, end.stderr) == (0, ""), end.stdout + end.stderr
    return end.stdout


def original_text(script):
    """The original's text; skips the test where it is not there."""
    folder = original()
    if folder is None:
        pytest.skip(HOW)
    with open(os.path.join(folder, f"{script}.m"), encoding="utf-8") as f:
        return f.read()


def small_text(script):
    """The original's text for COUNT images instead of 60000, which are read sooner."""
    text = original_text(script)
    assert text.count("train_x, 60000, ") == 2
    return text.replace("train_x, 60000, ", f"train_x, {COUNT}, ")


def narrow_text(script):
    """small_text, but with 24 numbers in the middle layers, which are soon computed."""
    return small_text(script).replace("512", "24")


def set_sizes(monkeypatch, gan, generator, discriminator):
    """Let the port build networks of these sizes, and draw noise for the generator."""
    nnsetup, unifrnd, made = gan.nnsetup, gan.unifrnd, []

    def setup(architecture, *more):
        made.append(architecture)
        return nnsetup(generator if len(made) % 2 else discriminator, *more)

    def noise(a, b, m, n):
        return unifrnd(a, b, m, generator[0])

    monkeypatch.setattr(gan, "nnsetup", setup)
    monkeypatch.setattr(gan, "unifrnd", noise)


def write(file, text):
    """Write `text`, in UTF-8 unless it is bytes already."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def read_record(file):
    """A record as a dict, structs as dicts."""
    return loadmat(file, simplify_cells=True)


@pytest.fixture(scope="module")
def images():
    """The first COUNT images, as stored: (COUNT, 784) uint8."""
    file = os.path.join(ROOT, "data", "mnist_uint8.mat")
    return loadmat(file, variable_names=["train_x"])["train_x"][:COUNT]


@pytest.fixture
def script_folder(tmp_path, images):
    """A folder with the small data, and both scripts, changed to read so few images."""
    savemat(tmp_path / "mnist_uint8.mat", {"train_x": images})
    for script in SCRIPTS:
        write(tmp_path / f"{script}.m", small_text(script))
    return tmp_path


@pytest.fixture(scope="module")
def plain(tmp_path_factory, images):
    """Records of both scripts, 2 epochs of 120 images, seed 5: script -> dict."""
    folder = tmp_path_factory.mktemp("plain")
    savemat(folder / "mnist_uint8.mat", {"train_x": images})
    for script in SCRIPTS:
        write(folder / f"{script}.m", small_text(script))
    octave_output(
        "".join(f"record_run('{x}.m', '{x}.mat', 5, 2, 120);" for x in SCRIPTS), folder
    )
    return {x: read_record(folder / f"{x}.mat") for x in SCRIPTS}


# ---------------------------------------------------------------------- what is written


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_record(script, plain, images):
    """The record has the variables that its header names, no others, in their forms."""
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
        f'c_loss:"{losses[0][k]:f}",d_loss:"{losses[1][k]:f}"\n'
        f"save_sample:./pics/epoch_{e}_t_2.png"
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
    adam = script == "gan_adam"
    of_adam = {"t", "beta1", "beta2", "epsilon"} if adam else set()
    moments = {"w_m", "w_v", "b_m", "b_v"} if adam else set()
    for nn in networks.values():
        assert set(nn) == {"architecture", "layers_count", "layers"} | of_adam
        assert nn.get("t", 4) == 4
        for layer in nn["layers"][1:]:
            assert set(layer) == {"w", "b"} | moments
    assert networks["generator"]["architecture"].tolist() == [100, 512, 784]
    assert networks["discriminator"]["architecture"].tolist() == [784, 512, 1]


# --------------------------------------------------------------- scripts as people have

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
        ("generator = nnsetup([100", "width = 100; generator = nnsetup([width"),
        (
            "discriminator = nnsetup([784, 512, 1])",
            "sizes = [784 512 1];\ndiscriminator = nnsetup(sizes)",
        ),
        ("unifrnd(-1, 1, batch_size, 100)", "2 * rand(batch_size, width) - 1"),
        (
            "normrnd(0, 0.02, nn.architecture(i-1), nn.architecture(i))",
            "0.02 * randn(nn.architecture(i-1:i))",
        ),
        ("normrnd(0, 0.02, 1, nn.arch", "normrnd(zeros(1, nn.architecture(i)), 0.02"),
        ("0.02itecture(i))", "0.02)"),
        ("kk = randperm(images_num)", "[~, kk] = sort(rand(1, images_num))"),
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
def test_variants(script, script_folder):
    """What people write gives the same record; lines that seed are left out, named."""
    names = list(SAME) if script == "gan_mbgd" else ["spacing", "seeds"]
    for name in names:
        text = small_text(script)
        for old, new in SAME[name]:
            assert old in text
            text = text.replace(old, new)
        write(
            script_folder / f"try_{name}.m",
            text.encode("gbk") if name == "gbk" else text,
        )
    code = "".join(f"record_run('try_{x}.m', 'try_{x}', 5, 1, 120);" for x in names)
    out = octave_output(
        f"record_run('{script}.m', 'plain', 5, 1, 120);" + code, script_folder
    )
    plain = read_record(script_folder / "plain.mat")
    for name in names:
        r = read_record(script_folder / f"try_{name}.mat")
        for k in "script", "batch_size", "c_loss", "d_loss", "printed", "images_fake":
            np.testing.assert_array_equal(r[k], plain[k], err_msg=f"{name} {k}")
    assert re.findall("left out of the copy of the script: (.*)", out) == SEEDS


@OCTAVE
def test_arguments(plain, script_folder):
    """Double quotes, ~/, out without .mat or over an old record, script without .m."""
    text = small_text("gan_mbgd").replace("'c_loss:", "'损失 c_loss:")
    write(script_folder / "bytes.m", text)
    code = f"""setenv('HOME', '{script_folder}'); cd /
    record_run("~/gan_mbgd.m", "~/quotes", 5, 1, 60);
    cd('{script_folder}');
    record_run('bytes', 'quotes.mat', 5, 2, 120);"""
    out = octave_output(code, script_folder)
    assert "record:~/quotes\n" in out and out.count('损失 c_loss:"') == 2
    printed = read_record(script_folder / "quotes.mat")["printed"]
    assert printed.replace("损失 ", "") == plain["gan_mbgd"]["printed"]


# ------------------------------------------------------------------- bytes beyond ASCII

# Octave's functions that go by UTF-8, and write past the end of a text that stops
# within what looks like a character; strtrim, strsplit and their kind call these
BY_UTF8 = [
    *("isalnum", "isalpha", "isascii", "iscntrl", "isdigit", "isgraph", "islower"),
    *("isprint", "ispunct", "isspace", "isupper", "isxdigit", "tolower", "toupper"),
    *("regexp", "regexpi", "regexprep"),
]
STRICT = """function varargout = NAME(varargin)
for i = 1:numel(varargin)
    texts = varargin{i};
    if ~iscell(texts)
        texts = {texts};
    end
    for k = 1:numel(texts)
        if ischar(texts{k}) && any(double(texts{k}(:)) > 126)
            error('strict:NAME', 'NAME has got a byte beyond ASCII');
        end
    end
end
[varargout{1:max(nargout, 1)}] = builtin('NAME', varargin{:});
end
"""


@OCTAVE
def test_bytes_beyond_ascii(script_folder):
    """They come to no function that goes by UTF-8; strings in GBK print as in UTF-8."""
    (script_folder / "strict").mkdir()
    for name in BY_UTF8:
        write(script_folder / "strict" / f"{name}.m", STRICT.replace("NAME", name))
    here = script_folder / "数据"
    here.mkdir()
    shutil.copy(script_folder / "mnist_uint8.mat", here)
    text = narrow_text("gan_mbgd").replace("'c_loss:", "'损失 c_loss:")
    text = text.replace("clc;", "rng(7, '中');")
    write(here / "utf8.m", text)
    write(here / "gbk.m", text.encode("gbk"))
    seeded = text.replace("batch_num", "s = [rng, '中'];\nbatch_num", 1)
    write(here / "seeded.m", seeded.encode("gbk"))
    for script in ("utf8", "gbk"):  # with the sizes in a line that has such bytes too
        sized = text.replace("[784, 24, 1]);", "[784, 24, '中']);")
        write(here / f"sized_{script}.m", sized.encode(script))
    code = f"""warning('off', 'Octave:shadowed-function');
    addpath('{script_folder}/strict');
    try, strtrim(char(200)); catch x, disp(x.message); end
    record_run('{here}/utf8.m', '{here}/utf8', 5, 1, 60);
    record_run('gbk.m', 'gbk', 5, 1, 60);
    for name = {{'seeded', 'sized_gbk', 'sized_utf8'}}
        try, record_run(name{{1}}, 'out', 5, 1, 60); catch x, disp(x.message); end
    end"""
    lines = octave_output(code, here).splitlines()
    assert lines[0] == "isspace has got a byte beyond ASCII"
    utf8, gbk = (read_record(here / f"{x}.mat") for x in ("utf8", "gbk"))
    assert lines[1] == "left out of the copy of the script: rng(7, '???')"
    assert lines[5] == "left out of the copy of the script: rng(7, '??')"
    assert lines[2] == lines[6] and lines[2].startswith('损失 c_loss:"')
    assert gbk["printed"] == utf8["printed"] == "\n".join(lines[2:4])
    assert lines[9].endswith("take this out: s = [rng, '??']")
    assert len(lines) == 14 and all(
        "whole numbers" in x for x in (lines[11], lines[13])
    )


# -------------------------------------------------------------------------- layer sizes


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_sizes(script, script_folder, monkeypatch):
    """Networks with other and more layers than the original's, and noise to fit."""
    gan = importlib.import_module(script)
    generator, discriminator = [30, 15, 20, 784], [784, 12, 1]
    text = small_text(script).replace("[100, 512, 784]", str(generator))
    text = text.replace("[784, 512, 1]", str(discriminator))
    write(
        script_folder / "sized.m", text.replace("batch_size, 100)", "batch_size, 30)")
    )
    with monkeypatch.context() as m:
        set_sizes(m, gan, generator, discriminator)
        flags = ["--seed", 3, "--images-num", 120, "--epoch", 2]
        port(script, script_folder, *flags, "--checkpoint", script_folder / "run.mat")
    octave_output(
        "record_run('sized.m', 'a', 3, 2, 120);"
        "record_from('sized.m', 'b', 'run.mat', 120);",
        script_folder,
    )
    a, b, run = (read_record(script_folder / f"{x}.mat") for x in ("a", "b", "run"))
    for r in a, b:
        assert r["generator"]["architecture"].tolist() == generator
        assert r["discriminator"]["architecture"].tolist() == discriminator
        assert [x["w"].shape for x in r["generator"]["layers"][1:]] == [
            *((30, 15), (15, 20), (20, 784))
        ]
    assert (b["first"], b["c_loss"].size) == (2, 2)
    for k in "c_loss", "d_loss":
        np.testing.assert_allclose(a[k], run[k], rtol=1e-12, atol=0)
    for x, y in zip(
        a["generator"]["layers"][1:], run["generator"]["layers"][1:], strict=True
    ):
        np.testing.assert_allclose(x["w"], y["w"], rtol=0, atol=1e-12)


@OCTAVE
def test_other_images(tmp_path, images):
    """Images of 5 numbers, where the script does not make them 28 x 28; 2 layers."""
    narrow = images[:, 300:305].copy()
    savemat(tmp_path / "mnist_uint8.mat", {"train_x": narrow})
    text = re.sub(r"train_x = (permute|reshape).*", "", small_text("gan_mbgd"))
    text = re.sub(r"double\(reshape\(.*\)\)/255", "double(train_x)/255", text)
    text = text.replace("save_images(images_fake, [4, 4], path);", "")
    text = text.replace("[100, 512, 784]", "[3, 5]").replace("784, 512", "5, 4, 6")
    write(tmp_path / "own.m", text.replace("batch_size, 100)", "batch_size, 3)"))
    octave_output("record_run('own.m', 'out', 0, 1, 120)", tmp_path)
    r = read_record(tmp_path / "out.mat")
    assert r["images_fake"].shape == (60, 5) and r["complete"] == 1
    assert r["generator"]["architecture"].tolist() == [3, 5]
    assert r["discriminator"]["architecture"].tolist() == [5, 4, 6, 1]
    x = narrow[:120].astype(np.int64)
    check = [(x.sum(0) * np.arange(1, 6)).sum(), (x.sum(1) * np.arange(1, 121)).sum()]
    assert r["images_check"].tolist() == check


# --------------------------------------------------------------------- random functions


def as_matlab(x, *size):
    """The numbers in MATLAB's order: column by column."""
    return x.reshape(size, order="F")


@OCTAVE
def test_forms_of_random_functions(script_folder):
    """MATLAB's call forms, in a script that record_run runs, draw as the port does."""
    gan = importlib.import_module("gan_mbgd")

    def rand(*size):
        return as_matlab(gan.rand(1, int(np.prod(size))), *size)

    def randn(*size):
        return as_matlab(gan.randn(1, int(np.prod(size))), *size)

    nan = float("nan")
    forms = {
        "unifrnd(0, 1:5)": lambda: rand(1, 5) * [[1, 2, 3, 4, 5]],
        "unifrnd(0, 1, [2 3])": lambda: rand(2, 3),
        "unifrnd(0:5, 1:6, 1, 6)": lambda: rand(1, 6) + [[0, 1, 2, 3, 4, 5]],
        "unifrnd(-1, 1, 2)": lambda: 2 * rand(2, 2) - 1,
        "unifrnd(-1, 1)": lambda: 2 * rand(1, 1) - 1,
        "unifrnd(2, 1)": lambda: rand(1, 1) * nan,
        "unifrnd([0 2 0], [1 1 0], [1 3])": lambda: rand(1, 3) * [[1, nan, 0]],
        "unifrnd(0, 1, 3, -2)": lambda: rand(3, 0),
        "rand": lambda: rand(1, 1),
        "rand()": lambda: rand(1, 1),
        "rand(3)": lambda: rand(3, 3),
        "rand(2, 3)": lambda: rand(2, 3),
        "rand([2 3])": lambda: rand(2, 3),
        "rand(size(ones(3, 2)))": lambda: rand(3, 2),
        "rand(2, 3, 2)": lambda: rand(2, 3, 2),
        "rand(1, 2, 'double')": lambda: rand(1, 2),
        "rand(-1, 3)": lambda: rand(0, 3),
        "rand(-2)": lambda: rand(0, 0),
        "rand([])": lambda: rand(0, 0),
        "rand(uint8(2), single(3))": lambda: rand(2, 3),
        "randn": lambda: randn(1, 1),
        "randn(2)": lambda: randn(2, 2),
        "randn([1 500])": lambda: randn(1, 500),
        "randi(10)": lambda: np.floor(rand(1, 1) * 10) + 1,
        "randi(10, 2)": lambda: np.floor(rand(2, 2) * 10) + 1,
        "randi([-5 5], 10, 1)": lambda: np.floor(rand(10, 1) * 11) - 5,
        "randi([0 1], [2 3], 'double')": lambda: np.floor(rand(2, 3) * 2),
        "randperm(7)": lambda: np.argsort(rand(1, 7)) + 1,
        "randperm(0)": lambda: rand(1, 0),
        "normrnd(3, 10)": lambda: randn(1, 1) * 10 + 3,
        "normrnd(3, 10, 2)": lambda: randn(2, 2) * 10 + 3,
        "normrnd(3, 10, [1 5])": lambda: randn(1, 5) * 10 + 3,
        "normrnd([0 1; 2 3], 1)": lambda: randn(2, 2) + [[0, 1], [2, 3]],
        "normrnd(1, [1 -1 0])": lambda: randn(1, 3) * [[1, nan, 0]] + 1,
        "normrnd(0, -1, 1, 2)": lambda: randn(1, 2) * nan,
        "normrnd(0, 1, 0)": lambda: rand(0, 0),
        "rand(1, 2)": lambda: rand(1, 2),  # so many numbers were drawn
    }
    print_all = "".join(
        f"x = {k}; fprintf('%s|', mat2str(size(x))); fprintf('%.17g ', x);"
        " fprintf('\\n');\n"
        for k in forms
    )
    write(script_folder / "forms.m", small_text("gan_mbgd").replace("clc;", print_all))
    octave_output("record_run('forms.m', 'out', 0, 1, 60)", script_folder)
    lines = read_record(script_folder / "out.mat")["printed"].splitlines()
    gan.rng(0)
    for form, line in zip(forms, lines, strict=False):
        size, numbers = line.split("|")
        expected = forms[form]()
        assert size == "[" + " ".join(map(str, expected.shape)) + "]", form
        # the same numbers, and as many of them; sums such as 3 + 10 * x may differ in
        # the last bit where a processor rounds once for both
        found = np.array(numbers.split(), np.float64)
        np.testing.assert_allclose(
            found, expected.ravel("F"), rtol=1e-14, atol=1e-14, err_msg=form
        )
    # what MATLAB's documentation shows for the first three, one after the other:
    # mathworks.com/help/stats/unifrnd.html
    shown = """0.8147 1.8116 0.3810 3.6535 3.1618
    0.0975 0.2785 0.5469 0.9575 0.9649 0.1576
    0.9706 1.9572 2.4854 3.8003 4.1419 5.4218"""
    found = " ".join(x.split("|")[1] for x in lines[:3]).split()
    assert [f"{float(x):.4f}" for x in found] == shown.split()
    # so does the script's own work go on
    assert "c_loss" in lines[len(forms)]


@OCTAVE
def test_documented_random_numbers(tmp_path):
    """What MATLAB's documentation shows after rng('default'), of randi and normrnd.

    mathworks.com/help/matlab/ref/randi.html and help/stats/normrnd.html; the two
    functions in the folder in_run stand for those that record_run writes.
    """
    (tmp_path / "in_run").mkdir()
    for name in "rand", "randn":
        body = f"x = matlab_random('{name}', varargin{{:}});"
        text = f"function x = {name}(varargin)\n{body}\nend\n"
        write(tmp_path / "in_run" / f"{name}.m", text)
    code = """warning('off', 'Octave:shadowed-function'); addpath in_run;
    restart = @() matlab_random('seed', 0);
    restart(); printf('%d ', matlab_random('randi', 10, 5)); disp('');
    restart(); printf('%d ', matlab_random('randi', [-5, 5], 10, 1)); disp('');
    restart(); printf('%.4f ', toolbox_random('normrnd', 3, 10, [1, 5])); disp('');
    restart(); printf('%.4f ', toolbox_random('normrnd', 0, 1, [2, 2])); disp('');"""
    lines = [x.split() for x in octave_output(code, tmp_path).splitlines()]
    randi = """9 10 2 10 7   1 3 6 10 10   2 10 10 5 9   2 5 10 8 10   7 1 9 10 7"""
    assert lines[0] == randi.split()
    assert lines[1] == "3 4 -4 5 1 -4 -2 1 5 5".split()
    assert lines[2] == "8.3767 21.3389 -19.5885 11.6217 6.1877".split()
    assert lines[3] == "0.5377 1.8339 -2.2588 0.8622".split()


@OCTAVE
def test_unknown_forms_of_random_functions(tmp_path):
    """A form that MATLAB lacks, or that draws in another way, ends in a clear error."""
    size = "a size must be whole numbers"
    fit = "the sizes of the parameters do not fit"
    cases = {
        "matlab_random('rand', 2.5)": size,
        "matlab_random('rand', NaN)": size,
        "matlab_random('rand', Inf)": size,
        "matlab_random('rand', [2; 3])": size,
        "matlab_random('rand', [2 3], 4)": size,
        "matlab_random('rand', {2})": size,
        "matlab_random('rand', 2, 'single')": size,
        "matlab_random('rand', 'like', 1)": size,
        "matlab_random('randn', 'seed', 3)": size,
        "matlab_random('randi', 5, 'int8')": size,
        "matlab_random('randi')": "imax or [imin, imax]",
        "matlab_random('randi', [1 2 3])": "imax or [imin, imax]",
        "matlab_random('randi', 1.5)": "imax or [imin, imax]",
        "matlab_random('randi', 0)": "nothing is in the range 1 to 0",
        "matlab_random('randperm', 5, 2)": "only randperm(n) is known here",
        "matlab_random('randperm', -1)": "only randperm(n) is known here",
        "matlab_random('poissrnd', 1)": "not known: poissrnd",
        "toolbox_random('normrnd', 0)": "normrnd needs two parameters",
        "toolbox_random('normrnd', 0, 1, 2.5)": size,
        "toolbox_random('normrnd', 0, 1, 2, 'double')": size,
        "toolbox_random('normrnd', single(0), 1)": "both parameters must be double",
        "toolbox_random('unifrnd', 1:3, 1:2)": fit,
        "toolbox_random('unifrnd', 1:3, (1:3)')": fit,
        "toolbox_random('unifrnd', 1:3, 4, 2, 2)": fit,
    }
    code = "matlab_random('seed', 0);" + "".join(
        f"try, {k}; disp('nothing'); catch x, disp(x.identifier); disp(x.message); end;"
        for k in cases
    )
    lines = octave_output(code, tmp_path).splitlines()
    assert len(lines) == 2 * len(cases), lines
    for case, name, message in zip(cases, lines[::2], lines[1::2], strict=True):
        assert name.startswith("matlab_random:") and cases[case] in message, case


@OCTAVE
def test_stream_from_an_odd_place(tmp_path):
    """A state after an odd number of words: a pair may lie on both sides of 624."""
    for position in 1, 623:
        words = np.random.RandomState(5).randint(0, 2**32, 624, np.uint32)
        octave_output(
            f"matlab_random('state', uint32([{' '.join(map(str, words))} {position}]));"
            "x = matlab_random('rand', 1, 700); save('-v7', 'x.mat', 'x')",
            tmp_path,
        )
        stream = np.random.RandomState(0)
        stream.set_state(("MT19937", words, position))
        x = loadmat(tmp_path / "x.mat")["x"]
        np.testing.assert_array_equal(x[0], stream.random_sample(700))


# ---------------------------------------------------------------------- what is refused


def assert_refused(function, cases, folder):
    """Each call, (arguments, words), ends in an error of one line that has the words.

    No file in the folder is new, gone or changed then.
    """
    before = {x: x.read_bytes() for x in folder.iterdir() if x.is_file()}
    code = "".join(
        f"try, {function}({arguments}); disp('nothing'); catch x, disp(x.identifier);"
        " disp(strrep(x.message, char(10), '|')); end; "
        for arguments, _ in cases
    )
    lines = octave_output(code, folder).splitlines()
    assert len(lines) == 2 * len(cases), lines
    for case, name, message in zip(cases, lines[::2], lines[1::2], strict=True):
        assert name.startswith("record_run:"), (case, name, message)
        assert case[1] in message and "|" not in message, (case, message)
    assert before == {x: x.read_bytes() for x in folder.iterdir() if x.is_file()}


@OCTAVE
def test_refused(script_folder):
    """One clear error each, before anything runs; no file is written or changed."""
    changes = {  # name: script, words of the original, what replaces them, the error
        "sgd": (
            "gan_mbgd",
            "learning_rate)",
            "learning_rate, lamda)",
            "the old gan_sgd.m with weight decay",
        ),
        "half": (
            "gan_adam",
            ".w_m = 0",
            ".w_mean = 0",
            "neither gan_adam.m nor gan_mbgd.m",
        ),
        "twice": (
            "gan_adam",
            "\nbatch_num",
            "\nepoch = 3;\nbatch_num",
            '"epoch = ...", but has 2',
        ),
        "decay": (
            "gan_mbgd",
            "\nbatch_num",
            "\nlearning_rate = 1;\nbatch_num",
            '"learning_rate = ...", but has 2',
        ),
        "seeded": (
            "gan_adam",
            "\nbatch_num",
            "\ns = rng; x = 3;\nbatch_num",
            "changes the random numbers; take this out: s = rng",
        ),
        "stream": (
            "gan_adam",
            "clc;",
            "s = RandStream('mt19937ar','Seed',1);",
            "take this out: s = RandStream('mt19937ar','Seed',1)",
        ),
        "called": (
            "gan_mbgd",
            "batch_size = 60",
            "batch_size = size(train_x, 1)",
            "must set a number above 0 in the line: batch_size = size",
        ),
        "between": (
            "gan_adam",
            "[784, 512, 1]",
            "[500, 512, 1]",
            "last size 784 must be the discriminator's first, which is 500",
        ),
        "last": (
            "gan_adam",
            "[784, 512, 1]",
            "[784, 512, 2]",
            "the discriminator's last size must be 1, but is 2",
        ),
        "noise": (
            "gan_mbgd",
            "[100, 512, 784]",
            "[30, 512, 784]",
            "first size is 30, but noise has 100 columns: noise = unifrnd",
        ),
        "noise_30": (
            "gan_mbgd",
            "batch_size, 100)",
            "[batch_size, 30])",
            "the generator's first size is 100, but noise has 30 columns",
        ),
        "single": (
            "gan_mbgd",
            "nnsetup([784, 512, 1])",
            "nnsetup([1])",
            "two or more sizes, whole numbers, must be in the line: discriminator =",
        ),
        "half_size": (
            "gan_mbgd",
            "[100, 512, 784]",
            "[100, 5.5, 784]",
            "two or more sizes, whole numbers, must be in the line: generator =",
        ),
        "unknown": (
            "gan_mbgd",
            "[100, 512, 784]",
            "[100, hidden, 784]",
            "two or more sizes, whole numbers, must be in the line: generator =",
        ),
        "of_a_setting": (
            "gan_mbgd",
            "[100, 512, 784]",
            "[images_num, 512, 784]",
            "two or more sizes, whole numbers, must be in the line: generator =",
        ),
    }
    for name, (script, old, new, _) in changes.items():
        assert old in small_text(script), name
        write(script_folder / f"bad_{name}.m", small_text(script).replace(old, new))
    narrow = small_text("gan_adam").replace("784, 512, 1]", "500, 512, 1]")
    narrow = narrow.replace("512, 784]", "512, 500]")
    write(script_folder / "square.m", narrow)
    write(
        script_folder / "bad_columns.m",
        re.sub("train_x = (?:permute|reshape|double).*", "", narrow),
    )
    write(script_folder / "none.m", "epoch = 3;\n")
    write(script_folder / "empty.m", "")
    write(script_folder / "other.m", "function y = f(x)\ny = x;\nend\n")
    (script_folder / "folder").mkdir()
    (script_folder / "folder.mat").mkdir()
    cases = [
        (f"'bad_{k}.m', 'out', 0, 1, 60", change[3]) for k, change in changes.items()
    ]
    cases += [
        ("'square.m', 'out', 0, 1, 60", "must be 784, as the script makes images of"),
        (
            "'bad_columns.m', 'out', 0, 1, 60",
            "train_x must have 500 columns and 60 rows",
        ),
        ("'none.m', 'out', 0, 1, 60", "has no functions"),
        ("'empty.m', 'out', 0, 1, 60", "has no functions"),
        ("'other.m', 'out', 0, 1, 60", "neither gan_adam.m nor gan_mbgd.m"),
        ("'missing.m', 'out', 0, 1, 60", "cannot be read"),
    ]
    cases += [
        (f"'gan_adam.m', {arguments}", words)
        for arguments, words in [
            ("'gan_adam.m', 0, 1, 60", "out must not be the script"),
            ("'folder/../gan_adam.m', 0, 1, 60", "out must not be the script"),
            ("'mnist_uint8', 0, 1, 60", "out already exists and is not a record"),
            ("'folder', 0, 1, 60", "must be a file, not a folder"),
            ("'folder.mat', 0, 1, 60", "must be a file, not a folder"),
            ("'nowhere/out.mat', 0, 1, 60", "folder for the output does not exist"),
            ("5, 0, 1, 60", "out must be the name of a file"),
            ("'', 0, 1, 60", "out must be the name of a file"),
            ("'out', 0, 1, 100", "must be a multiple of batch_size 60"),
            ("'out', 0, 0, 60", "epoch must be a whole number in 1.."),
            ("'out', 0, 1.5, 60", "epoch must be a whole number in 1.."),
            ("'out', 0, NaN, 60", "epoch must be a whole number in 1.."),
            ("'out', 0, 1, 60060", "images_num must be a whole number in 1..60000"),
            (f"'out', 0, 1, {COUNT + 60}", f"784 columns and {COUNT + 60} rows"),
            ("'out', -1, 1, 60", "seed must be a whole number in 0..4294967295"),
            ("'out', 0, 1", "usage: record_run("),
        ]
    ]
    cases.append(("'gan_adam', './gan_adam.m', 0, 1, 60", "out must not be the script"))
    assert_refused("record_run", cases, script_folder)


@OCTAVE
def test_the_old_script_is_refused(script_folder):
    source = os.path.join(original(), "gan_sgd.m")
    if not os.path.isfile(source):
        pytest.skip("the old gan_sgd.m is not beside the original")
    told = "this is the old gan_sgd.m with weight decay (lamda)"
    assert_refused(
        "record_run", [(f"'{source}', 'out', 0, 1, 60", told)], script_folder
    )


# ---------------------------------------------------------------------- runs broken off


@OCTAVE
def test_broken_off_by_an_error(plain, script_folder):
    text = small_text("gan_adam").replace(
        "kk = ", "if e == 3, error('enough'), end\n    kk = "
    )
    write(script_folder / "stops.m", text)
    write(
        script_folder / "never.m",
        small_text("gan_adam").replace("kk = ", "error('enough'); kk = "),
    )
    code = "".join(
        f"try, record_run('{x}.m', '{x}', 5, 4, 120); catch x, disp(x.message); end; "
        for x in ("stops", "never")
    )
    out = octave_output(code, script_folder)
    assert out.count("enough\n") == 2 and "broken off after 4 steps; record:" in out
    assert not (script_folder / "never.mat").exists()  # nothing was run
    r, whole = read_record(script_folder / "stops.mat"), plain["gan_adam"]
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
def test_broken_off_by_ctrl_c(plain, script_folder):
    code = f"addpath('{MATLAB}'); record_run('gan_mbgd.m', 'out', 5, 1000000, 120)"
    pipe = subprocess.PIPE
    (script_folder / "temporary").mkdir()
    flags = ["--no-gui", "--quiet", "--norc", "--no-history"]
    process = subprocess.Popen(
        ["octave", *flags, "--eval", code],
        cwd=script_folder,
        env={**os.environ, "TMPDIR": str(script_folder / "temporary")},
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
    r, whole = read_record(script_folder / "out.mat"), plain["gan_mbgd"]
    n = min(4, r["c_loss"].size)
    assert r["complete"] == 0 and n >= 2 and r["c_loss"].shape == r["d_loss"].shape
    np.testing.assert_array_equal(r["c_loss"][:n], whole["c_loss"][:n])
    assert os.listdir(script_folder / "temporary") == []


# -------------------------------------------------------------------- from a checkpoint


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
def test_record_from(script, script_folder, monkeypatch):
    """10 steps from epoch 2, other settings, and 2 from epoch 0: the port's losses."""
    gan = importlib.import_module(script)
    if script == "gan_adam":  # its networks have thrice the numbers to load and save
        write(script_folder / "gan_adam.m", narrow_text(script))
        set_sizes(monkeypatch, gan, [100, 24, 784], [784, 24, 1])
    early, zero, late = (script_folder / f"{x}.mat" for x in ("early", "zero", "late"))
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
    port(script, script_folder, *begin, "--epoch", 2, "--checkpoint", early)
    shutil.copy(early, late)
    lines = port(
        script,
        script_folder,
        "--resume",
        late,
        "--checkpoint",
        late,
        "--images-num",
        200,
        "--epoch",
        3,
    )
    first = script_folder / "first.mat"
    with monkeypatch.context() as m:
        m.setattr(gan, "randperm", lambda n: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            port(script, script_folder, *begin, "--epoch", 1, "--checkpoint", zero)
    port(
        script,
        script_folder,
        *begin,
        "--epoch",
        1,
        "--images-num",
        40,
        "--checkpoint",
        first,
    )

    out = octave_output(
        f"record_from('{script}.m', 'a', 'early.mat', 200);"
        f"record_from('{script}.m', 'b', 'zero.mat', 40);",
        script_folder,
    )
    assert "record:a\n" in out and "record:b\n" in out
    for name, file, e, steps in ("a", late, 2, 10), ("b", first, 0, 2):
        r, run = read_record(script_folder / f"{name}.mat"), read_record(file)
        assert (r["first"], r["epoch"], r["seed"], r["complete"]) == (e, e + 1, 3, 1)
        assert (r["batch_size"], r["learning_rate"]) == (20, 0.002)
        assert r["images_num"] == 20 * steps == 20 * r["c_loss"].size
        for k in "c_loss", "d_loss":
            # sums in another order: some 1e-15 in 10 steps; another stream or moment:
            # above 1e-6
            np.testing.assert_allclose(r[k], run[k][-steps:], rtol=1e-12, atol=0)
        for k in "generator", "discriminator":
            for x, y in zip(r[k]["layers"][1:], run[k]["layers"][1:], strict=True):
                np.testing.assert_allclose(x["w"], y["w"], rtol=0, atol=1e-12)
            assert r[k].get("t") == run[k].get("t")
    assert (
        read_record(script_folder / "a.mat")["printed"].splitlines()[0]
        == lines.splitlines()[0]
    )
    assert "epoch_3_t_10" in read_record(script_folder / "a.mat")["printed"]


@OCTAVE
def test_forms_of_the_state(script_folder, monkeypatch):
    """rng_state as s and as s.State of MATLAB's s = rng, the latter of doubles too."""
    flags = ["--seed", 3, "--images-num", 60, "--epoch", 1]
    write(script_folder / "gan_mbgd.m", narrow_text("gan_mbgd"))
    gan = importlib.import_module("gan_mbgd")
    set_sizes(monkeypatch, gan, [100, 24, 784], [784, 24, 1])
    port("gan_mbgd", script_folder, *flags, "--checkpoint", script_folder / "plain.mat")
    saved = {
        k: v for k, v in loadmat(script_folder / "plain.mat").items() if k[0] != "_"
    }
    words = saved["rng_state"]
    forms = {
        "struct": {"Type": "twister", "Seed": np.uint32(3), "State": words},
        "doubles": {"Type": "twister", "Seed": 3.0, "State": words.astype(np.float64)},
        "row": words.astype(np.float64).reshape(1, 625),
    }
    for name, state in forms.items():
        savemat(script_folder / f"{name}.mat", {**saved, "rng_state": state})
    names = ["plain", *forms]
    octave_output(
        "".join(f"record_from('gan_mbgd.m', 'r_{x}', '{x}.mat', 60);" for x in names),
        script_folder,
    )
    plain = read_record(script_folder / "r_plain.mat")
    for name in forms:
        r = read_record(script_folder / f"r_{name}.mat")
        for k in "c_loss", "images_fake":
            np.testing.assert_array_equal(r[k], plain[k], err_msg=name)


@OCTAVE
def test_record_from_refuses(script_folder, monkeypatch):
    for script in SCRIPTS:
        write(script_folder / f"{script}.m", narrow_text(script))
    gan = importlib.import_module("gan_adam")
    set_sizes(monkeypatch, gan, [100, 24, 784], [784, 24, 1])
    port(
        "gan_adam",
        script_folder,
        "--images-num",
        60,
        "--epoch",
        1,
        "--checkpoint",
        script_folder / "good.mat",
    )

    def changed(name, change):
        bad = {
            k: v
            for k, v in loadmat(script_folder / "good.mat").items()
            if not k.startswith("_")
        }
        change(bad)
        savemat(script_folder / name, bad)

    def narrow(x):
        x["generator"]["layers"][0, 0][0, 1]["w"][0, 0] = np.ones((100, 23))

    changed("single.mat", lambda x: x.update(precision="single"))
    changed("exact.mat", lambda x: x.update(gradient="exact"))
    changed("narrow.mat", narrow)
    changed("turned.mat", lambda x: x.update(generator=x["discriminator"]))
    changed("nostream.mat", lambda x: x.pop("rng_state"))
    twister = np.append(np.arange(1.0, 625), 0)
    states = {  # what MATLAB's other generators give, and what nothing gives
        "v5": {"Type": "v5uniform", "Seed": 0.0, "State": np.full((35, 1), 0.5)},
        "v5_long": {"Type": "v5uniform", "Seed": 0.0, "State": twister},
        "philox": {"Type": "philox", "Seed": 0.0, "State": np.ones(7, np.uint32)},
        "no_type": {"Seed": 0.0, "State": twister},
        "seed": 5.0,
        "zeros": np.zeros(625),
        "half": twister + 0.5,
        "negative": -twister,
        "position": twister + 625,
        "short": twister[1:],
        "words": "twister",
    }
    for name, state in states.items():
        changed(f"state_{name}.mat", lambda x, state=state: x.update(rng_state=state))
    (script_folder / "text.mat").write_text("no file")
    wide = small_text("gan_adam").replace("512", "256")
    write(script_folder / "wide.m", wide)
    forms = "rng_state must be s or s.State of s = rng with the generator twister"
    cases = [
        (
            "'gan_mbgd.m', 'out', 'good', 60",
            "one of gan_adam, but the script is gan_mbgd",
        ),
        ("'gan_adam.m', 'out', 'good', 100", "must be a multiple of batch_size 60"),
        ("'gan_adam.m', 'out', 'good', 0", "images_num must be a whole number in 1.."),
        ("'gan_adam.m', 'good', 'good', 60", "already exists and is not a record"),
        ("'gan_adam.m', 'out', 'single', 60", "precision single"),
        ("'gan_adam.m', 'out', 'exact', 60", "gradient exact"),
        (
            "'gan_adam.m', 'out', 'narrow', 60",
            "the checkpoint's generator lacks fields",
        ),
        (
            "'gan_adam.m', 'out', 'turned', 60",
            "the generator has the sizes [784 24 1] in the checkpoint, "
            "but [100 24 784] in the script",
        ),
        (
            "'wide.m', 'out', 'good', 60",
            "the generator has the sizes [100 24 784] in the checkpoint, "
            "but [100 256 784] in the script",
        ),
        ("'gan_adam.m', 'out', 'nostream', 60", "it lacks rng_state"),
        ("'gan_adam.m', 'out', 'text', 60", "checkpoint"),
        ("'gan_adam.m', 'out', 'missing', 60", "the checkpoint cannot be read"),
        ("'gan_adam.m', 'out', 'good'", "usage: record_from("),
        *((f"'gan_adam.m', 'out', 'state_{k}', 60", forms) for k in states),
        ("'gan_adam.m', 'out', 'state_v5', 60", "is of the generator v5uniform"),
        ("'gan_adam.m', 'out', 'state_seed', 60", "is of double of size [1 1]"),
    ]
    cases = [(re.sub("'(\\w+)', (\\d+)$", r"'\1.mat', \2", x), y) for x, y in cases]
    assert_refused("record_from", cases, script_folder)


# -------------------------------------------------------------------------- the session


@OCTAVE
def test_the_session_is_left_as_it_was(script_folder):
    """After a run and a failed one: path, folder, warnings, globals, functions."""
    write(
        script_folder / "stops.m",
        narrow_text("gan_adam").replace("kk = ", "error('enough'); kk = "),
    )
    write(script_folder / "gan_mbgd.m", narrow_text("gan_mbgd"))
    (script_folder / "own").mkdir()
    (script_folder / "temporary").mkdir()
    code = f"""setenv('TMPDIR', '{script_folder}/temporary');
    addpath own; global RECORD_RUN; RECORD_RUN = 5; warning('off', 'my:own');
    state = @() {{path(), pwd(), warning(), who('global'), RECORD_RUN, ...
        exist('nnff'), ...
        exist('normrnd'), which('imwrite'), which('randperm'), which('rand'), ...
        which('randn'), which('randi'), rand('state'), randn('state'), who}};
    x = 0; before = 0; before = state();
    record_run('gan_mbgd.m', 'out', 0, 1, 60); disp(isequal(before, state()));
    try, record_run('stops.m', 'out', 0, 1, 60); catch x, disp(x.message); end
    disp(isequal(before, state()));"""
    assert octave_output(code, script_folder).splitlines()[-3:] == ["1", "enough", "1"]
    assert os.listdir(script_folder / "temporary") == []


@OCTAVE
def test_documented_lines(tmp_path):
    """The README's lines, with a relative path, on the original and all images.

    Then compare_matlab.py reads the record. Nothing is on standard error.
    """
    original_text("gan_adam")
    shutil.copytree(MATLAB, tmp_path / "tests" / "matlab")
    shutil.copytree(os.path.join(ROOT, "data"), tmp_path / "data")
    shutil.copy(os.path.join(original(), "gan_adam.m"), tmp_path)
    out = octave_output(
        "record_run('gan_adam.m', 'record.mat', 0, 2, 600)", tmp_path, "tests/matlab"
    )
    assert out.endswith("\nrecord:record.mat\n")
    command = [sys.executable, os.path.join(MATLAB, "compare_matlab.py"), "record.mat"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    # the losses that the original printed are those of the record
    r = read_record(tmp_path / "record.mat")
    printed = re.findall(r'c_loss:"(.*)",d_loss:"(.*)"', out)
    assert printed == [
        tuple(f"{r[x][k]:f}" for x in ("c_loss", "d_loss")) for k in (9, 19)
    ]


def test_mh_lint():
    """A parser of real MATLAB syntax, stricter than Octave's, finds nothing."""
    pytest.importorskip(
        "miss_hit", reason="not installed: pip install -r tests/requirements.txt"
    )
    command = [sys.executable, "-m", "miss_hit.mh_lint", "--single", MATLAB]
    end = subprocess.run(command, capture_output=True, text=True)
    assert end.returncode == 0 and "everything seems fine" in end.stdout, (
        end.stdout + end.stderr
    )
