"""record_run.m and record_from.m in GNU Octave, on the original and its variants."""

import importlib
import itertools
import os
import re
import shutil

import compare_matlab
import numpy as np
import pytest
from conftest import (
    MATLAB,
    OCTAVE,
    POSIX,
    ROOT,
    SCRIPTS,
    octave,
    octave_process,
    status_and_output,
    variables_of,
)
from matlab_original import HOW, original
from scipy.io import savemat

COUNT = 400  # images in small_data


def small_text(script):
    """The original's text for COUNT images, with 24 numbers in the middle layers."""
    if original() is None:
        pytest.skip(HOW)
    with open(os.path.join(original(), f"{script}.m"), encoding="utf-8") as f:
        text = f.read()
    assert text.count("train_x, 60000, ") == 2
    return text.replace("train_x, 60000, ", f"train_x, {COUNT}, ").replace("512", "24")


def changed(text, *changes):
    """`text`, each change made: (words of it, what takes their place)."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def write(file, text):
    """Write `text`, in UTF-8 unless it is bytes already."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def train(gan, folder, capsys, name, *flags):
    """Run the port in this process, with the checkpoint `name`."""
    words = ["--data", folder / "mnist_uint8.mat", "--pics", folder / "pics"]
    words += ["--checkpoint", folder / name, *flags]
    status, said = status_and_output(gan, words, capsys)
    assert status == 0, said.err


@pytest.fixture
def folder(tmp_path, small_data):
    """A folder with the small data, both scripts, and a folder `temporary`."""
    shutil.copy(small_data, tmp_path / "mnist_uint8.mat")
    for script in SCRIPTS:
        write(tmp_path / f"{script}.m", small_text(script))
    (tmp_path / "temporary").mkdir()
    return tmp_path


# ---------------------------------------------------------------------- what is written


@OCTAVE
@pytest.mark.parametrize("script", SCRIPTS)
def test_equal_to_the_port(script, folder, monkeypatch, capsys):
    """From scratch, and on from a checkpoint with another batch_size and learning_rate.

    The networks have other and more layers than the original's. The tools and the data
    are in their own folders, by a relative path, as in this repository. The record has
    the variables that record_run.m names, and no others.
    """
    shutil.copytree(MATLAB, folder / "tests" / "matlab")
    (folder / "data").mkdir()
    shutil.copy(os.path.join(ROOT, "data", "randn_edges.txt"), folder / "data")
    gan = importlib.import_module(script)
    sizes = {"[100, 24, 784]": [100, 15, 20, 784], "[784, 24, 1]": [784, 12, 1]}
    nnsetup, turn = gan.nnsetup, itertools.cycle(sizes.values())
    monkeypatch.setattr(gan, "nnsetup", lambda _, *more: nnsetup(next(turn), *more))
    text = changed(small_text(script), *((old, str(x)) for old, x in sizes.items()))
    rate = {"gan_adam": 0.001, "gan_mbgd": 0.01}[script]
    other = (f"rate = {rate};", "rate = 0.002;"), ("size = 60;", "size = 20;")
    write(folder / "sized.m", text)
    write(folder / "other.m", changed(text, *other))
    flags = ["--seed", 3, "--images-num", 120, "--epoch", 2]
    flags += ["--batch-size", 20, "--learning-rate", 0.002]
    train(gan, folder, capsys, "early.mat", *flags)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    data = shutil.move(folder / "mnist_uint8.mat", folder / "data")
    code = """record_run('sized.m', 'a.mat', 3, 2, 120);
    record_from('other.m', 'b', 'early.mat', 120);"""
    out = octave(code, folder, "tests/matlab")
    assert "epoch_3_t_6.png" in out and out.endswith(f"\nrecord:{folder}/b.mat\n")
    for words in ["a.mat"], ["b.mat", "--from", "early.mat"]:
        assert compare_matlab.main([*words, "--data", str(data)]) == 0
        r = variables_of(folder / words[0])
        assert set(r) == set(compare_matlab.RECORD_NAMES)
        assert (r["seed"], r["images_num"]) == (3, 120)
        assert r["producer"].startswith("GNU Octave ")
        for net in "generator", "discriminator":
            fields = [set(x) for x in r[net]["layers"]]
            assert fields == [set(), *[set(gan.LAYER_STATE)] * (len(fields) - 1)]


# --------------------------------------------------------------- scripts as people have

STRING = "note = 'it''s; epoch = 3; clear; rng(7) % .t = 0'; "
BLOCK = "% rng(7), not here; clear\n%{\nepoch = 3;\nrng(7)\n%}\n"
MKDIR = "if ~exist('./pics','dir')\n    mkdir('./pics/')\nend\n"
PICTURES = """        if t == batch_num
            path = ['./pics/epoch_',int2str(e),'_t_',int2str(t),'.png'];
            save_images(images_fake, [4, 4], path);
            fprintf('save_sample:%s\\n', path);
        end"""
UPDATE = "discriminator = nnapplygrade(discriminator, learning_rate)"
SAME = {  # each a list of (words of the original, what is in their place)
    "numbers": [
        ("clear;\nclc;\n", STRING),
        ("epoch = 100;", "x = ones(2)'; epoch  =  10*10; % it's"),
        ("images_num = 60000;", "x = [1 2]'; images_num=6e4 ; epoch == 3; % it's"),
        ("generator = nnsetup([100", "width = 100; generator = nnsetup([width"),
        ("= nnsetup([784, 24, 1])", "= nnsetup([[784 24], ones(1)])"),
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
        (UPDATE, UPDATE.replace("= nnapplygrade(", "= ... % it's\n nnapplygrade( ")),
    ],
    "clear": [
        ("clear;\nclc;", "clear all; close all; clc"),
        ("batch_size = 60;", "batch_size = 6*(5 + 5), clearvars"),
        ("epoch = 100;\n", "epoch = min(100, 200), "),
        ("discriminator, learning_rate);", "discriminator,learning_rate) ;"),
    ],
    "windows": [
        (UPDATE, UPDATE.replace("= ", "= ...\n")),
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
        *[("\n    ", "\n")] * 3,
        ("，", ","),
        ("for e=1:epoch", "for e=1:epoch % 共100次"),
        ("fprintf('c_loss:", "toc, fprintf('损失 c_loss:"),
        ("\n", "\r\n"),
    ],
}


# Octave's functions that go by UTF-8, and write past the end of a text that stops
# within what looks like a character; strtrim, strsplit and their kind call these
BY_UTF8 = """isalnum isalpha isascii iscntrl isdigit isgraph islower isprint ispunct
isspace isupper isxdigit tolower toupper regexp regexpi regexprep""".split()
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
@pytest.mark.parametrize("script", SCRIPTS)
def test_variants(script, folder):
    """The same record of what people write, in a folder with a name beyond ASCII.

    clc, close and imwrite are not called, and no byte beyond ASCII comes to a function
    that goes by UTF-8.
    """
    here = folder / "数据"
    (here / "中").mkdir(parents=True)
    for name in "clc", "close", "imwrite":
        never = f"function {name}(varargin)\nerror('{name} is called');\nend\n"
        write(here / "中" / f"{name}.m", never)
    for name in BY_UTF8:
        write(here / "中" / f"{name}.m", STRICT.replace("NAME", name))
    names = list(SAME) if script == "gan_mbgd" else ["spacing", "flat_gbk"]
    for name in names:
        text = changed(small_text(script), *SAME[name])
        text = text.encode("gbk") if "gbk" in name else text
        write(here / f"try_{name}.m", text)
    seeded = changed(small_text(script), ("clc;", "rng(7, '中');"))
    write(here / "seeded.m", seeded.encode("gbk"))
    shutil.copy(folder / "mnist_uint8.mat", here)
    code = "warning('off', 'Octave:shadowed-function'); addpath('中');"
    code += "try, strtrim(char(200)); catch x, disp(x.message); end\n"
    code += f"record_run('../{script}', 'plain', 5, 2, 120);"
    code += "".join(f"record_run('try_{x}.m', 'try_{x}', 5, 2, 120);" for x in names)
    code += "try, record_run('seeded', 'no', 5, 1, 60); catch x, disp(x.message); end\n"
    code += "rmpath('中')"  # Octave itself ends with close
    lines = octave(code, here).splitlines()
    assert lines[0] == "isspace has got a byte beyond ASCII"
    assert lines[-1].endswith("rng(7, '__');")
    plain = variables_of(here / "plain.mat")
    for name in names:
        r = variables_of(here / f"try_{name}.mat")
        for k in "script", "batch_size", "c_loss", "d_loss", "images_fake":
            np.testing.assert_array_equal(r[k], plain[k], err_msg=f"{name} {k}")


# --------------------------------------------------------------------- random functions

# MATLAB's call forms, each with what draws the same in a plain form. In the first three
# it is what MATLAB's documentation shows after rng('default'):
# mathworks.com/help/stats/unifrnd.html and normrnd.html
FORMS = """
round(1e4 * unifrnd(0, 1:5)) -> 0 * rand(1, 5) + [8147 18116 3810 36535 31618]
round(1e4 * normrnd(3, 10, [1, 3])) -> 0 * randn(1, 3) + [83767 213389 -195885]
round(1e4 * normrnd(0, 1, [2, 2])) -> 0 * randn(2, 2) + [5377 -22588; 18339 8622]
unifrnd([2 4], 5, 1, 2) -> rand(1, 2) .* [3 1] + [2 4]
normrnd([0 1; 2 3], 1) -> randn(2, 2) + [0 1; 2 3]
rand -> rand(1, 1)
rand(3) -> rand(3, 3)
rand(2, 3, 2) -> reshape(rand(1, 12), [2, 3, 2])""".splitlines()[1:]


@OCTAVE
def test_forms_of_random_functions(folder):
    """In a script that record_run runs; each draws no more numbers than it gives.

    That the plain forms are MATLAB's is in tests/numerics/test_random.py.
    """
    seed = "matlab_random('seed', 0);"
    # sums such as 3 + 10 * x may differ in the last bit where a processor rounds once
    code = "".join(
        f"{seed} x = {form}; next = rand; {seed} y = {plain};\n"
        "disp(isequal(size(x), size(y)) && ...\n"
        "    max(abs([x(:); next] - [y(:); rand])) < 1e-14);\n"
        for form, plain in (line.split(" -> ") for line in FORMS)
    )
    write(folder / "forms.m", changed(small_text("gan_mbgd"), ("clc;", code)))
    lines = octave("record_run('forms.m', 'out', 0, 1, 60)", folder).splitlines()
    assert lines[: len(FORMS)] == ["1"] * len(FORMS)
    assert "c_loss" in lines[len(FORMS)]  # so does the script's own work go on


# ---------------------------------------------------------------------- what is refused

SPOILT = [  # words of the original, what replaces them, what the error names
    ("\nbatch_num", "\nepoch = 3;\nbatch_num", '"epoch = ..."'),
    ("for e=1:epoch", "for e=1:epoch-1", '"for e=1:epoch"'),
    ("learning_rate);", "learning_rate, lamda);", f'"{UPDATE}"'),  # as gan_sgd.m
    ("clear;", "\nfunction gan()\n", '"epoch = ..."'),
    ("[784, 24, 1]", "[784, 24, 2]", ""),  # Octave's own words
    ("batch_num = ceil", "batch_num = 0 * ceil", "last step"),
    ("clc;", "x = 3, s = rng; y = 2", "x = 3, s = rng; y = 2"),
    ("clc;", "rand('seed', 3)", "rand('seed', 3)"),
    ("clc;", "randn('state',4)", "randn('state',4)"),
    ("clc;", "rand state 4", "rand state 4"),
    ("clc;", "randn state 4", "randn state 4"),
    ("clc;", "RandStream.setGlobalStream(RandStream('mrg32k3a'))", "RandStream"),
    ("n = size(images, 1);", "rng(7);", "rng(7)"),
    ("kk = randperm", "kk = randi(60, 60, 1); randperm", "randi"),
]
CALLS = [  # what the error names
    ("matlab_random('rand', 2, 'single')", "rand"),  # MATLAB's, in another way
    ("matlab_random('randn', uint8(2), 300)", "randn"),
    ("matlab_random('randperm', 5, 2)", "randperm"),
    ("matlab_random('normrnd', single(0), 1)", "normrnd"),
    ("matlab_random('unifrnd', 0, single(1))", "unifrnd"),
    ("matlab_random('normrnd', 1:3, [0.1 -0.1 0])", "normrnd"),
    ("matlab_random('unifrnd', [0 2 0], 1)", "unifrnd"),
    ("record_run('utf16.m', 'out', 0, 1, 60)", "utf16.m"),
    ("record_run('missing.m', 'out', 0, 1, 60)", "missing.m"),
    ("record_run('folder/missing', 'out', 0, 1, 60)", "folder/missing"),
    ("record_run('gan_adam', 'mnist_uint8', 0, 1, 60)", "mnist_uint8.mat"),
    ("record_run('gan_adam', 'text.mat', 0, 1, 60)", "text.mat"),
    ("record_run('gan_adam', 5, 0, 1, 60)", "out"),
    ("record_run('gan_adam', 'out', 0, 1, 100)", "images_num 100"),
    ("record_run('gan_adam', 'out', 0, 1.5, 60)", "epoch"),
    ("record_run('gan_adam', 'out', 0, '1', 60)", "epoch"),
    ("record_run('gan_adam', 'out', 0, 1, 60001)", "60000"),
    (f"record_run('gan_adam', 'out', 0, 1, {COUNT + 20})", f"{COUNT + 20} rows"),
    ("record_run('gan_adam', 'out', -1, 1, 60)", "seed"),
    ("record_from('gan_mbgd', 'out', 'good.mat', 60)", "gan_mbgd"),
    ("record_from('gan_adam', 'out', 'single.mat', 60)", "precision single"),
    ("record_from('gan_adam', 'out', 'exact.mat', 60)", "gradient exact"),
    ("record_from('gan_adam', 'out', 'mnist_uint8.mat', 60)", "mnist_uint8.mat"),
]
OTHERS = [  # than the checkpoint's: they would not count, or be taken for the port's
    ("learning_rate = 0.001;", "learning_rate = 0.002;", "learning_rate is 0.002"),
    ("batch_size = 60;", "batch_size = 30;", "batch_size is 30"),
    ("nn.beta1 = 0.9;", "nn.beta1 = 0.5;", "beta1 is 0.5"),
    ("nn.beta2 = 0.999;", "nn.beta2 = 0.9;", "beta2 is 0.9"),
    ("10^(-8)", "10^(-7)", "epsilon is 1e-07"),
    ("nn.t = 0;", "nn.t = 1;", "t is 1"),
    ("[100, 24, 784]", "[100, 25, 784]", "[100 25 784]"),
    ("[784, 24, 1]", "[784, 25, 1]", "[784 25 1]"),
]


@OCTAVE
def test_refused(folder, small_networks, capsys):
    """An error of one line each that names what is wrong; no file is written."""
    mbgd, adam = small_text("gan_mbgd"), small_text("gan_adam")
    write(folder / "utf16.m", mbgd.encode("utf-16"))
    write(folder / "text.mat", "no file")
    gan = importlib.import_module("gan_adam")
    train(gan, folder, capsys, "good.mat", "--images-num", 60, "--epoch", 1)
    saved = variables_of(folder / "good.mat")
    savemat(folder / "single.mat", saved | {"precision": "single"})
    savemat(folder / "exact.mat", saved | {"gradient": "exact"})
    cases = list(CALLS)
    for i, (old, new, name) in enumerate(SPOILT):
        write(folder / f"bad{i}.m", changed(mbgd, (old, new)))
        cases.append((f"record_run('bad{i}', 'out', 0, 1, 60)", name))
    for i, (old, new, name) in enumerate(OTHERS):
        write(folder / f"other{i}.m", changed(adam, (old, new)))
        cases.append((f"record_from('other{i}', 'out', 'good.mat', 60)", name))
    before = {x: x.read_bytes() for x in folder.iterdir() if x.is_file()}
    code = "".join(
        f"try, {call}; disp('<>'); catch x, disp(['<', x.message, '>']); end; "
        for call, _ in cases
    )
    messages = re.findall("(?s)<(.*?)>", octave(code, folder))
    for case, message in zip(cases, messages, strict=True):
        assert message and case[1] in message and "\n" not in message, (case, message)
    assert before == {x: x.read_bytes() for x in folder.iterdir() if x.is_file()}


# ---------------------------------------------------------------------- runs broken off

KK = "    kk = "
STOPS = {  # words of the original, what replaces them, the error, the steps before it
    "stops": (KK, f"    if e == 2, error('enough'), end\n{KK}", "enough", 2),
    "rate": (KK, f"    learning_rate = 0.001 / e;\n{KK}", "learning_rate", 2),
    "short": ("batch_num = ceil", "batch_num = 1; ceil", "an epoch must", 1),
    "last": (KK, f"    if e == 3, break, end\n{KK}", "last step", 4),
}


@OCTAVE
def test_broken_off_by_an_error(folder):
    """A script that stops, or goes on as no port does: a record of its good steps."""
    code = "".join(
        f"record_run('gan_adam', 'whole{2 * n}', 5, {n}, 120);" for n in (1, 2)
    )
    for name, (old, new, _, _) in STOPS.items():
        write(folder / f"{name}.m", changed(small_text("gan_adam"), (old, new)))
        code += f"try, record_run('{name}', '{name}', 5, 3, 120); "
        code += "catch x, disp(x.message); end\n"
    lines = octave(code, folder).splitlines()
    for name, (_, _, message, steps) in STOPS.items():
        file = folder / f"{name}.mat"
        assert f"broken off after {steps} steps; record:{file}" in lines
        assert any(message in x for x in lines)
        r = variables_of(file)
        assert np.size(r["c_loss"]) == steps
        if steps > 1:
            whole = variables_of(folder / f"whole{steps}.mat")
            np.testing.assert_equal(r, whole | {"epoch": 3})


@OCTAVE
@POSIX
def test_broken_off_by_ctrl_c(folder):
    """A record of the steps before it; nothing temporary stays."""
    interrupt = (KK, f"    if e == 2, kill(getpid(), 2); pause(60), end\n{KK}")
    write(folder / "ctrl_c.m", changed(small_text("gan_adam"), interrupt))
    code = f"setenv('TMPDIR', '{folder}/temporary'); addpath('{MATLAB}'); "
    code += "record_run('ctrl_c', 'out', 5, 3, 120)"
    out = octave_process(code, folder).stdout
    assert f"broken off after 2 steps; record:{folder}/out.mat" in out
    assert os.listdir(folder / "temporary") == []
    assert variables_of(folder / "out.mat")["c_loss"].size == 2


@OCTAVE
def test_the_session_is_left_as_it_was(folder):
    """After runs and a failed one: path, folder, warnings, globals, functions.

    They are called with double quotes, ~/, out without .mat and over an old record,
    and the script without .m.
    """
    stops = ("kk = ", "error('enough'); kk = ")
    write(folder / "stops.m", changed(small_text("gan_adam"), stops))
    changing = ("clc;", "addpath('..'); warning('on', 'my:own');")
    write(folder / "gan_mbgd.m", changed(small_text("gan_mbgd"), changing))
    (folder / "own").mkdir()
    code = f"""setenv('TMPDIR', '{folder}/temporary'); setenv('HOME', '{folder}');
    addpath own; global RECORD_RUN; RECORD_RUN = 5; warning('off', 'my:own');
    state = @() {{path(), pwd(), warning(), who('global'), exist('nnff'), ...
        exist('normrnd'), which('imwrite'), which('randperm'), which('rand'), ...
        which('randn'), which('randi'), rand('state'), randn('state')}};
    x = 0; before = state(); names = 0; names = who;
    record_run('gan_mbgd', "out", 0, 1, 60);
    record_run("~/gan_mbgd.m", "~/out.mat", 5, 2, 120);
    disp(isequal({{before, names, 5}}, {{state(), who, RECORD_RUN}}));
    try, record_run('stops.m', 'no', 0, 1, 60); catch x, disp(x.message); end
    disp(isequal({{before, names, 5}}, {{state(), who, RECORD_RUN}}));"""
    assert octave(code, folder).splitlines()[-3:] == ["1", "enough", "1"]
    assert variables_of(folder / "out.mat")["epoch"] == 2
    assert os.listdir(folder / "temporary") == []
    assert not (folder / "no.mat").exists()
