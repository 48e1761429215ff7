"""from_workspace.py and checkpoints.py: what they take, what they refuse."""

import copy
import importlib
import os
import re
import shlex
import struct
from types import SimpleNamespace

import checkpoints
import from_workspace
import numpy as np
import pytest
from checkpoints import NETWORKS
from conftest import (
    OCTAVE,
    SCRIPTS,
    octave,
    run_script,
    status_and_output,
    variables_of,
)
from scipy.io import savemat

SMALL = ["--images-num", 160, "--batch-size", 16]  # 10 steps an epoch
OTHERS = ["--seed", 9, "--learning-rate", 0.0003]
STATE = ["e", "rng_state", *NETWORKS, "learning_rate", "seed", "c_loss", "d_loss"]

pytestmark = pytest.mark.filterwarnings("error")  # a user would see it


@pytest.fixture
def train(small_networks, small_data, tmp_path, monkeypatch, capsys):
    """A function that trains small networks up to an epoch: a checkpoint's variables.

    In a folder of its own, where the test goes on.
    """
    monkeypatch.chdir(tmp_path)

    def train(script, file, epoch, *flags):
        gan = importlib.import_module(script)
        flags = [*SMALL, "--data", small_data, *flags, "--checkpoint", file]
        flags += ["--epoch", epoch, "--pics", "pics"]
        status, said = status_and_output(gan, flags, capsys)
        assert status == 0, said.err
        return variables_of(file)

    return train


@pytest.fixture
def saved(gan, train):
    """The variables of a checkpoint after one epoch, of each script in turn."""
    return train(gan.__name__, "one.mat", 1, *OTHERS)


@pytest.fixture
def convert(small_data, capsys):
    """A function that runs the program in this process: status, and what it printed."""
    tool = SimpleNamespace(options=list, program=from_workspace.main)
    return lambda *words: status_and_output(
        tool, ["--data", small_data, *words], capsys
    )


def save(file, variables):
    """Save what variables_of() gives; None takes a variable out."""
    savemat(file, {name: x for name, x in variables.items() if x is not None})


def workspace(saved, **more):
    """What MATLAB would have, were the checkpoint `saved` its state."""
    names = [*NETWORKS, "e", "batch_size", "images_num", "learning_rate"]
    stream = {"Type": "twister", "Seed": saved["seed"], "State": saved["rng_state"]}
    kept = {name: saved[name] for name in names}
    return kept | {"rng_state": stream, "c_loss": 0.5, "d_loss": 0.25, **more}


def with_value(saved, name, value):
    """A copy with another variable, or field of a network or of its layers{2}."""
    fields = saved = copy.deepcopy(saved)
    *path, last = name.split(".")
    for key in path:
        fields = fields["layers"][1] if key == "layers{2}" else fields[key]
    fields[last] = value
    return saved


def converted(convert, variables, *flags):
    """The variables of run.mat, the lines printed, and the command at their end."""
    save("workspace.mat", variables)
    status, said = convert("workspace.mat", "run.mat", *flags)
    assert (status, said.err) == (0, "")
    found = variables_of("run.mat")
    os.remove("run.mat")
    *lines, _, command = said.out.splitlines()
    return found, lines, command


def refused(convert, variables, *flags):
    """The line that refuses a workspace of these variables; nothing is written."""
    save("workspace.mat", variables)
    status, said = convert("workspace.mat", "run.mat", *flags)
    assert status == 2 and said.err.count("\n") == 1 and len(said.err) < 300, said
    assert "workspace.mat: " in said.err and not os.path.exists("run.mat")
    return said.err


# ------------------------------------------------------------------------ what is taken

IN_OCTAVE = """load('one.mat'); clear script precision gradient images_sha256;
rng_state = struct('Type', 'twister', 'Seed', seed, 'State', rng_state); clear seed
c_loss = c_loss(end); d_loss = d_loss(end); t = 10; generator.layers{2}.z = ones(16, 3);
save('-v7', 'workspace.mat')"""


def string_variable(name):
    """The bytes of a variable of MATLAB's class string, opaque: its head is enough."""
    flags = struct.pack("<IIII", 6, 8, 17, 0)
    head = flags + struct.pack("<II8s", 1, len(name), name)
    return struct.pack("<II", 14, len(head)) + head


@pytest.mark.parametrize("maker", ["savemat", pytest.param("octave", marks=OCTAVE)])
def test_goes_on_as_the_uncut_run(
    gan, train, saved, maker, convert, tmp_path, capsys, monkeypatch
):
    """By the printed command: weights, stream and new losses are the uncut run's."""
    uncut = train(gan.__name__, "uncut.mat", 2, *OTHERS)
    file = tmp_path / "my workspace 图.mat"
    if maker == "octave":
        octave(IN_OCTAVE, ".")
        os.rename("workspace.mat", file)
    else:  # with an empty layers{1}, strings that SciPy cannot read, all of it twice
        for net in NETWORKS:
            saved[net]["layers"] = np.array(saved[net]["layers"], object)
            saved[net]["layers"][0] = np.zeros((0, 0))
        save(file, workspace(saved, t=10.0))
        head, rest = file.read_bytes()[:128], file.read_bytes()[128:]
        strings = string_variable(b"a"), string_variable(b"z")
        file.write_bytes(head + strings[0] + rest + strings[1] + rest)
    monkeypatch.setattr(from_workspace, "quoted", shlex.quote)  # in Windows too
    status, said = convert(file, "my run's.mat")
    assert (status, said.err, said.out.count("\n")) == (0, "", 2)
    python, script, *flags = shlex.split(said.out.splitlines()[1])
    assert python == "python" and os.path.samefile(script, gan.__file__)
    status, said = status_and_output(gan, [*flags, "--epoch", 2], capsys)
    assert status == 0 and "after epoch 1" in said.err
    assert os.listdir("my run's_pics") == ["epoch_2_t_10.png"]
    found = variables_of("my run's.mat")
    for name in "c_loss", "d_loss":
        uncut[name][:10] = np.nan
    np.testing.assert_equal(*({x: y[x] for x in STATE} for y in (found, uncut)))


def test_the_first_form_of_checkpoints(gan, train, convert):
    """It becomes the file that the script writes today, and that the reader takes."""
    other = ["--precision", "single", "--gradient", "exact"]
    saved = train(gan.__name__, "one.mat", 1, *OTHERS, *other)
    old = saved | {"steps": 10.0, "script": None}
    found, lines, _ = converted(convert, old)
    assert lines == [] and list(found) == list(saved)
    np.testing.assert_equal(found, saved)
    assert "c_loss" in refused(convert, old | {"c_loss": saved["c_loss"][:9]})
    assert "--data" in refused(convert, old | {"images_sha256": "0" * 64})
    save("begun.mat", saved | {"e": 0.0})
    read = checkpoints.read_checkpoint("begun.mat")
    assert (read["e"], read["rng_state"].dtype) == (0, np.uint32)
    np.testing.assert_array_equal(read["rng_state"], saved["rng_state"])
    gan.nnff(read["generator"], np.ones((2, 100)))  # w and b have their shapes again


@pytest.mark.parametrize("gan", ["gan_mbgd"], indirect=True)
def test_streams(saved, convert):
    """rng's State in any class and shape; other generators are refused."""
    words = saved["rng_state"]
    twister = {"Type": "twister", "Seed": np.uint32(7), "State": words[:, None] / 1}
    # words may be 0, and none used yet
    fresh = np.append(words[:624] * (words[:624] % 2), np.uint32(0))
    for form in words, words[:, None] / 1, twister, fresh:
        found, lines, _ = converted(convert, workspace(saved, rng_state=form))
        assert lines == [] and found["seed"] == 7 * (form is twister)
        state = form["State"] if form is twister else form
        np.testing.assert_array_equal(found["rng_state"], np.ravel(state))
    others = [np.full(35, 0.25), twister | {"Type": "threefry"}]  # v5uniform's length
    others += [{"Type": "twister", "Seed": 0.0}, {"State": words}]
    for form in others:  # the way out
        assert "--seed" in refused(convert, workspace(saved, rng_state=form))
    damaged = [words + 0.5, words - 2.0**32, words * 1j, 0 * words]
    damaged += [np.append(words[:624] / 1, x) for x in (625, np.nan)]
    damaged += [np.append(2.0**32, words[1:])]
    for form in damaged:
        assert "rng_state" in refused(convert, workspace(saved, rng_state=form))
    assert "--seed" in refused(convert, workspace(saved), "--seed", 9)


def test_without_a_stream(gan, saved, convert):
    """It starts as after rng(--seed), or the seed stored, or rng(0); a line says so."""
    for stored, flags, seed in (None, [], 0), (3.0, [], 3), (3.0, ["--seed", 4], 4):
        variables = workspace(saved, rng_state=None, seed=stored)
        found, lines, _ = converted(convert, variables, *flags)
        gan.rng(seed)
        _, words, used, *_ = gan.stream.get_state()
        assert found["seed"] == seed and f"rng({seed})" in lines[0]
        np.testing.assert_array_equal(found["rng_state"], [*words, used])


def test_without_settings(gan, saved, convert, monkeypatch):
    """Flags say them, or they are the original's; a line names all that are used."""
    settings = dict.fromkeys(["batch_size", "images_num", "learning_rate"])
    variables = workspace(saved, t=10.0, **settings)
    found, lines, _ = converted(convert, variables, *SMALL, "--learning-rate", 0.5)
    said = "batch_size 16, images_num 160, learning_rate 0.5"
    assert len(lines) == 1 and said in lines[0]
    monkeypatch.setattr(gan, "IMAGES_NUM", 160)
    monkeypatch.setattr(gan, "BATCH_SIZE", 20)
    found, lines, _ = converted(convert, variables | {"t": 8.0})
    rate = {"gan_adam": 0.001, "gan_mbgd": 0.01}[gan.__name__]
    assert f"batch_size 20, images_num 160, learning_rate {rate}" in lines[0]
    assert [found[name] for name in settings] == [20, 160, rate]
    assert found["c_loss"].size == 8
    for flag in ["--batch-size", 32], ["--images-num", 320], ["--learning-rate", 1]:
        line = refused(convert, workspace(saved), *flag)
        assert flag[0][2:].replace("-", "_") in line


@pytest.mark.parametrize("gan", ["gan_adam"], indirect=True)
def test_where_it_stopped(saved, convert):
    """An epoch cut short counts as done; after the last one, as many follow again."""
    for e, t, to in (3, 4, 0), (1, 0, 0), (99, 10, 0), (100, 10, 200), (101, 1, 201):
        variables = workspace(saved, e=float(e), t=float(t))
        found, lines, command = converted(convert, variables)
        assert len(lines) == (t < 10) and found["e"] == e
        assert all(f"epoch {e + 1}" in line for line in lines)
        for name in "c_loss", "d_loss":
            assert np.isnan(found[name]).sum() == (e - 1) * 10 + t
        assert re.findall(r"--epoch (\d+)", command) == [str(to)] * (to > 0)
    for e, t in (1.0, 11.0), (5e7, 1.0):  # its losses would take gigabytes
        assert "--images-num" in refused(convert, workspace(saved, e=e, t=t))


def test_the_command_in_other_shells(monkeypatch):
    """sh would change a $ within "..."; cmd knows no '...'."""
    monkeypatch.setattr(from_workspace, "os", SimpleNamespace(name="posix"))
    assert from_workspace.quoted("a $x.mat") == "'a $x.mat'"
    monkeypatch.setattr(from_workspace, "os", SimpleNamespace(name="nt"))
    found = [from_workspace.quoted(x) for x in (r"C:\a.mat", "a b.mat", "a&b.mat")]
    assert found == [r"C:\a.mat", '"a b.mat"', '"a&b.mat"']


# ---------------------------------------------------------------------- what is refused

W = np.full((100, 24), 0.5)
SPOILT = {  # a name that the line must have, and what makes no workspace of one
    "generator": [None],
    "discriminator": [2.0],
    "e": [None, "two", np.inf, np.nan, np.zeros((0, 0)), 2j, -3.0, 1.5, [1, 2]],
    "batch_size": [3.5, 0.0, 8.0],
    "images_num": [161.0],
    "learning_rate": [np.nan, np.inf, 0.0],
    "seed": [2.0**32],
    "precision": ["half", np.array(["double", 1.0], object)],
    "gradient": ["right"],
    "generator.layers{2}.w": [W.T, W * np.inf],
    "generator.layers{2}.b": [np.full((1, 24), np.nan), np.ones(23)],
    "generator.layers{2}.w_m": [W[0]],
    "generator.architecture": [[100, 24, 783]],
    "discriminator.architecture": [[784, 24.5, 1], [784, 24, 2]],
    "discriminator.layers": [1.0, np.ones((1, 3))],
    "discriminator.t": [-1.0, np.nan],
    "generator.beta1": [0.5, np.inf],
}


def test_spoilt_workspaces(train, convert):
    """Each in one line that names the file and what is wrong."""
    adam, mbgd = (workspace(train(x, f"{x}.mat", 1)) for x in SCRIPTS)
    for name, values in SPOILT.items():
        for x in values:
            line = refused(convert, with_value(adam | {"t": 1.0}, name, x))
            assert re.search(rf"\b{re.escape(name)}\b", line), (name, x, line)
    for one, other in (adam, mbgd), (mbgd, adam):
        mixed = one | {"discriminator": other["discriminator"]}
        assert "discriminator" in refused(convert, mixed)


@pytest.mark.parametrize("gan", ["gan_mbgd"], indirect=True)
def test_files_that_cannot_be_used(saved, convert, tmp_path, capsys):
    """One line that names the file; a RUN.mat that exists is left as it is."""
    save("workspace.mat", workspace(saved))
    two_gigabytes = struct.pack("<IIIH", 14, 2**31 - 8, 6, 8) + bytes(8)
    header = (tmp_path / "workspace.mat").read_bytes()[:128]
    (tmp_path / "large.mat").write_bytes(header + two_gigabytes)
    (tmp_path / "empty.mat").touch()
    save("script.mat", saved | {"script": "gan_sgd"})
    before = {file: file.read_bytes() for file in tmp_path.glob("*.mat")}
    for words, named in (
        ("large.mat run.mat", "large.mat: "),
        ("missing.mat run.mat", "missing.mat: "),
        ("workspace.mat none/run.mat", "none/run.mat"),
        ("workspace.mat one.mat", "one.mat"),
        ("workspace.mat empty.mat", "empty.mat"),
        ("workspace.mat run.mat --data ", "--data"),
        ("workspace.mat run.mat --seed x", "--seed"),
        ("workspace.mat run.mat --data no.mat", "no.mat"),
    ):
        status, said = convert(*words.split(" "))
        assert status == 2 and said.err.count("\n") == 1 and named in said.err
    assert before == {file: file.read_bytes() for file in tmp_path.glob("*.mat")}
    with pytest.raises(SystemExit):
        checkpoints.read_checkpoint("script.mat")
    assert "script.mat: " in capsys.readouterr().err


def test_as_a_program(tmp_path):
    end = run_script("tests/matlab/from_workspace", "no.mat", "run.mat", cwd=tmp_path)
    assert (end.returncode, end.stdout, end.stderr.count("\n")) == (2, "", 1)
    assert end.stderr.startswith("from_workspace.py: no.mat: ")
