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


def small_text(script):
    """The original's text for COUNT images instead of 60000, which are read sooner."""
    if original() is None:
        pytest.skip(HOW)
    with open(os.path.join(original(), f"{script}.m"), encoding="utf-8") as f:
        text = f.read()
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


# ---------------------------------------------------------------------- what is written


def assert_form(r, script, images):
    """The record has the variables that record_run.m names, no others, in their forms.

    It is of 2 epochs of 120 images.
    """
    r = {k: v for k, v in r.items() if not k.startswith("_")}
    networks = r.pop("generator"), r.pop("discriminator")
    assert [r.pop(k).shape for k in ("c_loss", "d_loss")] == [(4,)] * 2
    x = images[:120].astype(np.int64)
    check = [(x.sum(0) * np.arange(1, 785)).sum(), (x.sum(1) * np.arange(1, 121)).sum()]
    assert r.pop("images_check").tolist() == check
    assert r.pop("images_fake").shape == (60, 784)
    assert re.fullmatch(r"GNU Octave \d+\.\d+\.\d+", r.pop("producer"))
    rate = {"gan_adam": 0.001, "gan_mbgd": 0.01}[script]
    numbers = {"seed": 3, "first": 0, "epoch": 2, "images_num": 120, "batch_size": 60}
    assert r == {"script": script, "learning_rate": rate, "complete": 1, **numbers}
    adam = script == "gan_adam"
    of_adam = {"t", "beta1", "beta2", "epsilon"} if adam else set()
    moments = {"w_m", "w_v", "b_m", "b_v"} if adam else set()
    for nn in networks:
        assert set(nn) == {"architecture", "layers_count", "layers"} | of_adam
        for layer in nn["layers"][1:]:
            assert set(layer) == {"w", "b"} | moments


def port(gan, folder, name, *flags):
    """Run the port in this process: its checkpoint as a dict, with the last images."""
    kept = []
    file = folder / f"{name}.mat"
    words = [f"--data={folder}/mnist_uint8.mat", f"--pics={folder}/pics", *flags]
    with pytest.MonkeyPatch.context() as m:
        m.setattr(gan, "save_images", lambda images, *more: kept.append(images.copy()))
        with contextlib.redirect_stdout(io.StringIO()):
            gan.main(gan.options([*words, f"--checkpoint={file}"]))
    return {**read_record(file), "images_fake": kept[-1]}


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_equal_to_the_port(script, script_folder, images, monkeypatch):
    """From scratch, and on from a checkpoint with another batch_size and learning_rate.

    The networks have other and more layers than the original's.
    """
    gan = importlib.import_module(script)
    sizes = {"generator": [30, 15, 20, 784], "discriminator": [784, 12, 1]}
    text = small_text(script).replace("[100, 512, 784]", str(sizes["generator"]))
    text = text.replace("[784, 512, 1]", str(sizes["discriminator"]))
    text = text.replace("batch_size, 100)", "batch_size, 30)")
    write(script_folder / "sized.m", text)
    other = re.sub("learning_rate = [0-9.]+;", "learning_rate = 0.002;", text)
    assert "batch_size = 60;" in other
    other = other.replace("batch_size = 60;", "batch_size = 20;")
    write(script_folder / "other.m", other)
    set_sizes(monkeypatch, gan, *sizes.values())
    flags = ["--seed=3", "--images-num=120"]
    runs = {"a": port(gan, script_folder, "run", *flags, "--epoch=2")}
    flags += ["--batch-size=20", "--learning-rate=0.002"]
    port(gan, script_folder, "early", *flags, "--epoch=2")
    runs["b"] = port(gan, script_folder, "late", *flags, "--epoch=3")
    out = octave_output(
        "record_run('sized.m', 'a', 3, 2, 120);"
        "record_from('other.m', 'b', 'early.mat', 120);",
        script_folder,
    )
    assert "epoch_3_t_6.png" in out and f"record:{script_folder}/b.mat" in out
    a, b = (read_record(script_folder / f"{x}.mat") for x in "ab")
    assert_form(a, script, images)
    settings = {"first": 2, "epoch": 3, "batch_size": 20, "learning_rate": 0.002}
    assert settings.items() <= b.items() and b["c_loss"].shape == (6,)
    for k in "script", "seed", "images_num", "complete":
        assert a[k] == b[k]
    for r, run in (a, runs["a"]), (b, runs["b"]):
        # sums in another order: some 1e-15 in 6 steps; another stream or moment:
        # above 1e-6
        for k in "c_loss", "d_loss":
            ours = run[k][-r[k].size :]
            np.testing.assert_allclose(r[k], ours, rtol=1e-12, atol=0)
        pairs = [(r["images_fake"], run["images_fake"])]
        for k in sizes:
            assert r[k]["architecture"].tolist() == sizes[k]
            assert r[k].get("t") == run[k].get("t")
            layers = zip(r[k]["layers"][1:], run[k]["layers"][1:], strict=True)
            pairs += [(x[f], y[f]) for x, y in layers for f in gan.LAYER_STATE]
        for x, y in pairs:
            np.testing.assert_allclose(x, y, rtol=0, atol=1e-12)


# --------------------------------------------------------------- scripts as people have

STRING = "note = 'it''s; epoch = 3; clear; rng(7) % .t = 0'; "
BLOCK = "% rng(7), not here; clear\n%{\nepoch = 3;\nrng(7)\n%}\n"
MKDIR = "if ~exist('./pics','dir')\n    mkdir('./pics/')\nend\n"
PICTURES = """        if t == batch_num
            path = ['./pics/epoch_',int2str(e),'_t_',int2str(t),'.png'];
            save_images(images_fake, [4, 4], path);
            fprintf('save_sample:%s\\n', path);
        end"""
SAME = {  # each a list of (words of the original, what is in their place)
    "numbers": [
        ("clear;\nclc;\n", STRING),
        ("epoch = 100;", "x = ones(2)'; epoch  =  10*10; % it's passes"),
        ("images_num = 60000;", "images_num=6e4 ; cat(1, epoch == 3, 1);"),
        ("generator = nnsetup([100", "width = 100; generator = nnsetup([width"),
        (
            "discriminator = nnsetup([784, 24, 1])",
            "sizes = [784 24 1];\ndiscriminator = nnsetup(sizes)",
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
        ("nnsetup([100, 24, 784]);", "nnsetup( [100 24,784] ) ;"),
        ("for e=1:epoch", "for e = 1 : epoch % for e=1:epoch"),
        (
            "discriminator = nnapplygrade(",
            "discriminator = ... % it's last\n nnapplygrade( ",
        ),
    ],
    "clear": [
        ("clear;\nclc;", "clear all; close all; clc"),
        ("batch_size = 60;", "batch_size = 6*(5 + 5), clearvars note"),
        ("epoch = 100;\n", "epoch = min(100, 200), "),
        ("discriminator, learning_rate);", "discriminator,learning_rate) ;"),
    ],
    "windows": [
        ("discriminator = nnapplygrade(", "discriminator = ...\nnnapplygrade("),
        ("\n", "\r\n  "),
        ("clear;", "\ufeffclear;"),
    ],
    "gbk": [("clear;", "clear")],
    # as copies on the web: pictures commented out, a value shown at an epoch's end,
    # bytes of comments lost
    "no_pictures": [
        (MKDIR, ""),
        (PICTURES, re.sub("(?m)^", "% ", PICTURES)),
        ("    end\nend\n% sig", "    end\n    mean(images_fake(:))\nend\n% sig"),
        ("加载数据", "?\ufffd?\ufffd"),
    ],
    # a blog's, without indentation, with other brackets and time taken, pasted in GBK
    "flat_gbk": [
        (MKDIR, ""),
        ("clear;\nclc;", "clc;clear;close all;tic"),
        ("\n    ", "\n"),
        ("\n    ", "\n"),
        ("\n    ", "\n"),
        ("，", ","),
        ("for e=1:epoch", "for e=1:epoch % 共100次"),
        ("fprintf('c_loss:", "toc, fprintf('损失 c_loss:"),
        ("\n", "\r\n"),
    ],
}


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_variants(script, script_folder):
    """The same record of what people write; clc, close and imwrite are not called."""
    names = list(SAME) if script == "gan_mbgd" else ["spacing", "flat_gbk"]
    write(script_folder / "plain.m", narrow_text(script))
    for name in names:
        text = narrow_text(script)
        for old, new in SAME[name]:
            assert old in text, (name, old)
            text = text.replace(old, new)
        text = text.encode("gbk") if "gbk" in name else text
        write(script_folder / f"try_{name}.m", text)
    (script_folder / "never").mkdir()
    for name in "clc", "close", "imwrite":
        never = f"function {name}(varargin)\nerror('{name} is called');\nend\n"
        write(script_folder / "never" / f"{name}.m", never)
    code = "warning('off', 'Octave:shadowed-function'); addpath never;"
    code += "record_run('plain.m', 'plain', 5, 2, 120);"
    code += "".join(f"record_run('try_{x}.m', 'try_{x}', 5, 2, 120);" for x in names)
    octave_output(code + "rmpath never", script_folder)  # Octave itself ends with close
    plain = read_record(script_folder / "plain.mat")
    for name in names:
        r = read_record(script_folder / f"try_{name}.mat")
        for k in "script", "batch_size", "c_loss", "d_loss", "images_fake":
            np.testing.assert_array_equal(r[k], plain[k], err_msg=f"{name} {k}")


@OCTAVE
def test_arguments(script_folder):
    """Double quotes, ~/, out without .mat or over an old record, script without .m."""
    code = f"""setenv('HOME', '{script_folder}'); cd /
    record_run("~/gan_mbgd.m", "~/quotes", 5, 1, 60);
    cd('{script_folder}');
    record_run('gan_mbgd', 'quotes.mat', 5, 2, 120);"""
    octave_output(code, script_folder)
    assert read_record(script_folder / "quotes.mat")["epoch"] == 2


# ------------------------------------------------------------------- bytes beyond ASCII

# Octave's functions that go by UTF-8, and write past the end of a text that stops
# within what looks like a character; strtrim, strsplit and their kind call these
BY_UTF8 = [
    *("isalnum", "isalpha", "isascii", "iscntrl", "isdigit", "isgraph", "islower"),
    *("isprint", "ispunct", "isspace", "isupper", "isxdigit", "tolower", "toupper"),
    *("regexp", "regexpi", "regexprep"),
]
STRICT = """function varargout = NAME(varargin)
for x = varargin
    if any(cellfun(@(t) ischar(t) && any(t(:) > 126), [{}, x{1}]))
        error('strict:NAME', 'NAME has got a byte beyond ASCII');
    end
end
[varargout{1:max(nargout, 1)}] = builtin('NAME', varargin{:});
end
"""


@OCTAVE
def test_bytes_beyond_ascii(script_folder):
    """They come to no function that goes by UTF-8; in GBK all is as in UTF-8."""
    (script_folder / "strict").mkdir()
    for name in BY_UTF8:
        write(script_folder / "strict" / f"{name}.m", STRICT.replace("NAME", name))
    here = script_folder / "数据"
    (here / "中").mkdir(parents=True)
    shutil.copy(script_folder / "mnist_uint8.mat", here)
    text = narrow_text("gan_mbgd").replace("'c_loss:", "'损失 c_loss:")
    seeded = text.replace("clc;", "rng(7, '中');")
    for code in "utf8", "gbk":
        write(here / f"{code}.m", text.encode(code))
        write(here / f"seeded_{code}.m", seeded.encode(code))
    code = f"""warning('off', 'Octave:shadowed-function');
    addpath('中'); addpath('{script_folder}/strict');
    try, strtrim(char(200)); catch x, disp(x.message); end
    record_run('{here}/utf8.m', '{here}/utf8', 5, 1, 60);
    record_run('gbk.m', 'gbk', 5, 1, 60);
    for name = {{'seeded_utf8', 'seeded_gbk'}}
        try, record_run(name{{1}}, 'out', 5, 1, 60); catch x, disp(x.message); end
    end"""
    lines = octave_output(code, here).splitlines()
    assert lines[0] == "isspace has got a byte beyond ASCII"
    utf8, gbk = (read_record(here / f"{x}.mat") for x in ("utf8", "gbk"))
    np.testing.assert_array_equal(utf8["c_loss"], gbk["c_loss"])
    losses = f'c_loss:"{gbk["c_loss"]:f}",d_loss:"{gbk["d_loss"]:f}"'
    assert (lines[1], lines[4]) == (f"______ {losses}", f"____ {losses}")
    assert lines[7].endswith("rng(7, '___');") and lines[8].endswith("rng(7, '__');")


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


DOCUMENTED = {  # what MATLAB's documentation shows after rng('default'):
    # mathworks.com/help/stats/unifrnd.html, normrnd.html and help/matlab/ref/randi.html
    "[unifrnd(0, 1:5), unifrnd(0, 1, [2 3])(:)', unifrnd(0:5, 1:6, 1, 6)]": """
        0.8147 1.8116 0.3810 3.6535 3.1618
        0.0975 0.2785 0.5469 0.9575 0.9649 0.1576
        0.9706 1.9572 2.4854 3.8003 4.1419 5.4218""",
    "normrnd(3, 10, [1, 5])": "8.3767 21.3389 -19.5885 11.6217 6.1877",
    "normrnd(0, 1, [2, 2])": "0.5377 1.8339 -2.2588 0.8622",
    "randi(10, 5)": "9 10 2 10 7  1 3 6 10 10  2 10 10 5 9  2 5 10 8 10  7 1 9 10 7",
    "randi([-5, 5], 10, 1)": "3 4 -4 5 1 -4 -2 1 5 5",
}


@OCTAVE
def test_forms_of_random_functions(script_folder):
    """MATLAB's call forms, in a script that record_run runs, draw as the port does."""
    gan = importlib.import_module("gan_mbgd")

    def rand(*size):
        return gan.rand(1, int(np.prod(size))).reshape(size, order="F")

    def randn(*size):
        return gan.randn(1, int(np.prod(size))).reshape(size, order="F")

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
    code = "".join(
        f"matlab_random('seed', 0); fprintf('%g ', round({k} * 1e4)); disp('');\n"
        for k in DOCUMENTED
    )
    code += "matlab_random('seed', 0);" + "".join(
        f"x = {k}; fprintf('%s|', mat2str(size(x))); fprintf('%.17g ', x); disp('');\n"
        for k in forms
    )
    write(script_folder / "forms.m", narrow_text("gan_mbgd").replace("clc;", code))
    out = octave_output("record_run('forms.m', 'out', 0, 1, 60)", script_folder)
    lines = out.splitlines()
    for form, line in zip(DOCUMENTED, lines, strict=False):
        shown = [round(float(x) * 1e4) for x in DOCUMENTED[form].split()]
        assert list(map(int, line.split())) == shown, form
    lines = lines[len(DOCUMENTED) :]
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
    # so does the script's own work go on
    assert "c_loss" in lines[len(forms)]


UNKNOWN = """matlab_random('rand', 2.5)
matlab_random('rand', NaN)
matlab_random('rand', Inf)
matlab_random('rand', [2; 3])
matlab_random('rand', [2 3], 4)
matlab_random('rand', {2})
matlab_random('rand', 2, 'single')
matlab_random('rand', 'like', 1)
matlab_random('randn', 'seed', 3)
matlab_random('randi', 5, 'int8')
matlab_random('randi')
matlab_random('randi', [1 2 3])
matlab_random('randi', 1.5)
matlab_random('randi', 0)
matlab_random('randperm', 5, 2)
matlab_random('randperm', -1)
matlab_random('poissrnd', 1)
toolbox_random('normrnd', 0)
toolbox_random('normrnd', 0, 1, 2.5)
toolbox_random('normrnd', 0, 1, 2, 'double')
toolbox_random('normrnd', single(0), 1)
toolbox_random('unifrnd', 1:3, 1:2)
toolbox_random('unifrnd', 1:3, (1:3)')
toolbox_random('unifrnd', 1:3, 4, 2, 2)"""


@OCTAVE
def test_unknown_forms_of_random_functions(tmp_path):
    """A form that MATLAB lacks, or that draws in another way, ends in an error of ours.

    The error names the function.
    """
    calls = UNKNOWN.splitlines()
    code = "matlab_random('seed', 0);" + "".join(
        f"try, {call}; disp('nothing'); catch x, disp([x.identifier, ' ', x.message]); "
        "end;"
        for call in calls
    )
    lines = octave_output(code, tmp_path).splitlines()
    for call, line in zip(calls, lines, strict=True):
        assert line.startswith("matlab_random:"), (call, line)
        assert call.split("'")[1] in line.partition(" ")[2], (call, line)


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
    """Each call, (arguments, name), ends in an error of one line that has the name.

    No file in the folder is new, gone or changed then.
    """
    before = {x: x.read_bytes() for x in folder.iterdir() if x.is_file()}
    code = "".join(
        f"try, {function}({arguments}); disp('<nothing>'); catch x, "
        "disp(['<', x.message, '>']); end; "
        for arguments, _ in cases
    )
    messages = re.findall("(?s)<(.*?)>", octave_output(code, folder))
    assert len(messages) == len(cases), messages
    for case, message in zip(cases, messages, strict=True):
        assert case[1] in message and "\n" not in message, (case, message)
        assert message != "nothing", case
    assert before == {x: x.read_bytes() for x in folder.iterdir() if x.is_file()}


SEEDS = [
    "rng(7)",
    "rng default",
    "s = rng",
    "rand('seed', 3)",
    "randn('state',4)",
    "randn state 4",
    "RandStream.setGlobalStream(RandStream('mt19937ar','Seed',1))",
]
UPDATE = "discriminator = nnapplygrade(discriminator, learning_rate)"
REFUSED = [  # words of the original, what replaces them, what the error names
    ("\nbatch_num", "\nepoch = 3;\nbatch_num", '"epoch = ..."'),
    ("\nbatch_num", "\nx = [1 2]'; epoch = 3;\nbatch_num", '"epoch = ..."'),
    ("epoch = 100;", "", '"epoch = ..."'),
    ("\nbatch_num", ", images_num = 3;\nbatch_num", '"images_num = ..."'),
    ("for e=1:epoch", "for i=1:epoch", '"for e=1:epoch"'),
    ("for e=1:epoch", "for e=1:epoch-1", '"for e=1:epoch"'),
    (UPDATE, f"{UPDATE}; {UPDATE}", f'"{UPDATE}"'),
    ("learning_rate);", "learning_rate, lamda);", f'"{UPDATE}"'),  # as gan_sgd.m
    ("\nclear", "function gan()\n", '"epoch = ..."'),
    ("[784, 24, 1]", "[500, 24, 1]", ""),
    ("[784, 24, 1]", "[784, 24, 2]", "discriminator"),
    ("batch_size, 100)", "batch_size, 30)", ""),
    ("batch_num = ceil", "batch_num = 0 * ceil", "last step"),
    *(("clc;", f"x = 3, {seed}; y = 2", seed) for seed in SEEDS),
    ("n = size(images, 1);", "rng(7);", "rng(7)"),
]


@OCTAVE
def test_refused(script_folder):
    """An error each that names the line, file or argument; no file is written."""
    cases = []
    for i, (old, new, named) in enumerate(REFUSED):
        text = "\n" + narrow_text("gan_mbgd")
        assert old in text, old
        write(script_folder / f"bad{i}.m", text.replace(old, new))
        cases.append((f"'bad{i}.m', 'out', 0, 1, 60", named))
    write(script_folder / "none.m", narrow_text("gan_mbgd").split("% sigmoid")[0])
    write(script_folder / "empty.m", "")
    write(script_folder / "utf16.m", narrow_text("gan_mbgd").encode("utf-16"))
    (script_folder / "folder.mat").mkdir()
    cases += [
        (f"'{name}.m', 'out', 0, 1, 60", f"{name}.m")
        for name in ("none", "empty", "utf16", "missing", "folder/missing")
    ]
    cases += [
        (f"'gan_adam.m', {arguments}", named)
        for arguments, named in [
            ("'mnist_uint8', 0, 1, 60", "mnist_uint8.mat"),
            ("'folder', 0, 1, 60", "folder.mat"),
            ("'folder.mat', 0, 1, 60", "folder.mat"),
            ("'nowhere/out.mat', 0, 1, 60", "nowhere/out.mat"),
            ("5, 0, 1, 60", "out"),
            ("'', 0, 1, 60", "out"),
            ("'out', 0, 1, 100", "images_num 100"),
            ("'out', 0, 0, 60", "epoch"),
            ("'out', 0, 1.5, 60", "epoch"),
            ("'out', 0, NaN, 60", "epoch"),
            ("'out', 0, 1, 60060", "images_num"),
            (f"'out', 0, 1, {COUNT + 60}", f"{COUNT + 60} rows"),
            ("'out', -1, 1, 60", "seed"),
            ("'out', 0, 1", "usage: record_run("),
        ]
    ]
    assert_refused("record_run", cases, script_folder)


@OCTAVE
def test_record_from_refuses(script_folder, monkeypatch):
    for script in SCRIPTS:
        write(script_folder / f"{script}.m", narrow_text(script))
    wide = small_text("gan_adam").replace("512", "256")
    write(script_folder / "wide.m", wide)
    others = [  # that would not count from a checkpoint, or be told as the port's
        ("learning_rate = 0.001;", "learning_rate = 0.002;", "learning_rate is 0.002"),
        ("batch_size = 60;", "batch_size = 30;", "batch_size is 30"),
        ("nn.beta1 = 0.9;", "nn.beta1 = 0.5;", "beta1 is 0.5"),
        ("nn.beta2 = 0.999;", "nn.beta2 = 0.9;", "beta2 is 0.9"),
        ("10^(-8)", "10^(-7)", "epsilon is 1e-07"),
        ("nn.t = 0;", "nn.t = 1;", "t before the first step is 1"),
    ]
    for i, (old, new, _) in enumerate(others):
        assert old in narrow_text("gan_adam")
        text = narrow_text("gan_adam").replace(old, new)
        write(script_folder / f"other{i}.m", text)
    gan = importlib.import_module("gan_adam")
    set_sizes(monkeypatch, gan, [100, 24, 784], [784, 24, 1])
    port(gan, script_folder, "good", "--images-num=60", "--epoch=1")
    saved = loadmat(script_folder / "good.mat")
    saved = {k: v for k, v in saved.items() if k[0] != "_"}
    changes = {
        "single": {"precision": "single"},
        "exact": {"gradient": "exact"},
        "turned": {"generator": saved["discriminator"]},
    }
    for name, change in changes.items():
        savemat(script_folder / f"{name}.mat", {**saved, **change})
    write(script_folder / "text.mat", "no file")
    cases = [
        ("'gan_mbgd.m', 'out', 'good.mat', 60", "gan_mbgd"),
        ("'gan_adam.m', 'out', 'good.mat', 100", "images_num 100"),
        ("'gan_adam.m', 'out', 'good.mat', 0", "images_num"),
        ("'gan_adam.m', 'good', 'good.mat', 60", "good.mat"),
        ("'gan_adam.m', 'out', 'single.mat', 60", "precision single"),
        ("'gan_adam.m', 'out', 'exact.mat', 60", "gradient exact"),
        ("'gan_adam.m', 'out', 'turned.mat', 60", "generator has the sizes [784 24 1]"),
        ("'wide.m', 'out', 'good.mat', 60", "[100 256 784]"),
        *((f"'other{i}.m', 'out', 'good.mat', 60", x[2]) for i, x in enumerate(others)),
        ("'gan_adam.m', 'out', 'mnist_uint8.mat', 60", "mnist_uint8.mat"),
        ("'gan_adam.m', 'out', 'text.mat', 60", "text.mat"),
        ("'gan_adam.m', 'out', 'missing.mat', 60", "missing.mat"),
        ("'gan_adam.m', 'out', 'good.mat'", "usage: record_from("),
    ]
    assert_refused("record_from", cases, script_folder)


# ---------------------------------------------------------------------- runs broken off

KK = "    kk = "
STOPS = {  # words of the original, what replaces them, the error, the steps before it
    "stops": (KK, f"    if e == 2, error('enough'), end\n{KK}", "enough", 2),
    "rate": (KK, f"    learning_rate = 0.001 / e;\n{KK}", "learning_rate", 2),
    "short": ("batch_num = ceil", "batch_num = 1; ceil", "steps", 1),
    "last": (KK, f"    if e == 3, break, end\n{KK}", "last step", 4),
}


@OCTAVE
def test_broken_off_by_an_error(script_folder):
    """A script that stops, or goes on as no port does: a record of its good steps."""
    code = "".join(
        f"record_run('gan_adam', 'whole{2 * n}', 5, {n}, 120);" for n in (1, 2)
    )
    text = narrow_text("gan_adam")
    write(script_folder / "gan_adam.m", text)
    for name, (old, new, _, _) in STOPS.items():
        assert old in text
        write(script_folder / f"{name}.m", text.replace(old, new))
        code += f"try, record_run('{name}', '{name}', 5, 3, 120); "
        code += "catch x, disp(x.message); end\n"
    lines = octave_output(code, script_folder).splitlines()
    for name, (_, _, message, steps) in STOPS.items():
        file = f"{script_folder}/{name}.mat"
        assert f"broken off after {steps} steps; record:{file}" in lines
        assert any(message in x for x in lines)
        r = read_record(file)
        whole = read_record(script_folder / f"whole{max(steps, 2)}.mat")
        assert set(r) == set(whole) and (r["complete"], r["epoch"]) == (0, 3)
        for k in "c_loss", "d_loss":
            np.testing.assert_array_equal(r[k], whole[k][:steps])
        if steps > 1:
            np.testing.assert_array_equal(r["images_fake"], whole["images_fake"])
            w_v = (x["generator"]["layers"][2]["w_v"] for x in (r, whole))
            np.testing.assert_array_equal(*w_v)


@OCTAVE
@POSIX
def test_broken_off_by_ctrl_c(script_folder):
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
    assert os.listdir(script_folder / "temporary") == []
    r = read_record(script_folder / "out.mat")
    n = r["c_loss"].size
    assert r["complete"] == 0 and n >= 2 and r["d_loss"].size == n
    octave_output("record_run('gan_mbgd.m', 'whole', 5, 1, 120)", script_folder)
    whole = read_record(script_folder / "whole.mat")
    np.testing.assert_array_equal(r["c_loss"][:2], whole["c_loss"])


# -------------------------------------------------------------------------- the session


@OCTAVE
def test_the_session_is_left_as_it_was(script_folder):
    """After a run and a failed one: path, folder, warnings, globals, functions."""
    write(
        script_folder / "stops.m",
        narrow_text("gan_adam").replace("kk = ", "error('enough'); kk = "),
    )
    changing = "addpath('..'); warning('on', 'my:own');"
    text = narrow_text("gan_mbgd").replace("clc;", changing)
    write(script_folder / "gan_mbgd.m", text)
    (script_folder / "own").mkdir()
    (script_folder / "temporary").mkdir()
    code = f"""setenv('TMPDIR', '{script_folder}/temporary');
    addpath own; global RECORD_RUN; RECORD_RUN = 5; warning('off', 'my:own');
    state = @() {{path(), pwd(), warning(), who('global'), exist('nnff'), ...
        exist('normrnd'), which('imwrite'), which('randperm'), which('rand'), ...
        which('randn'), which('randi'), rand('state'), randn('state')}};
    x = 0; before = state(); names = 0; names = who;
    record_run('gan_mbgd.m', 'out', 0, 1, 60);
    disp(isequal({{before, names, 5}}, {{state(), who, RECORD_RUN}}));
    try, record_run('stops.m', 'out', 0, 1, 60); catch x, disp(x.message); end
    disp(isequal({{before, names, 5}}, {{state(), who, RECORD_RUN}}));"""
    assert octave_output(code, script_folder).splitlines()[-3:] == ["1", "enough", "1"]
    assert os.listdir(script_folder / "temporary") == []


@OCTAVE
def test_documented_lines(tmp_path):
    """The README's lines, with a relative path, on the original and all images.

    Then compare_matlab.py reads the record. Nothing is on standard error.
    """
    if original() is None:
        pytest.skip(HOW)
    shutil.copytree(MATLAB, tmp_path / "tests" / "matlab")
    shutil.copytree(os.path.join(ROOT, "data"), tmp_path / "data")
    shutil.copy(os.path.join(original(), "gan_adam.m"), tmp_path)
    out = octave_output(
        "record_run('gan_adam.m', 'record.mat', 0, 2, 600)", tmp_path, "tests/matlab"
    )
    assert out.endswith(f"\nrecord:{tmp_path}/record.mat\n")
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
