"""from_workspace.py and checkpoints.py: what they take, what they refuse."""

import copy
import importlib
import os
import shlex
import struct
import subprocess
import sys

import checkpoints
import from_workspace
import numpy as np
import pytest
from conftest import OCTAVE, POSIX, ROOT, octave, status_and_output
from scipy.io import loadmat, savemat

SMALL = ["--images-num", 160, "--batch-size", 16]  # 10 steps an epoch
OTHERS = ["--seed", 9, "--learning-rate", 0.0003]
NETWORKS = ["generator", "discriminator"]
STATE = ["e", "rng_state", *NETWORKS, "learning_rate", "seed"]


pytestmark = pytest.mark.filterwarnings("error")  # a user would see it


@pytest.fixture(autouse=True)
def folder(small_networks, tmp_path, monkeypatch):
    """Small networks, and a folder of its own for each test."""
    monkeypatch.chdir(tmp_path)


def train(script, small_data, capsys, file, epochs, *flags):
    """Train up to so many epochs with the checkpoint `file`; its variables."""
    gan = importlib.import_module(script)
    flags = [*SMALL, "--data", small_data, *flags, "--checkpoint", file]
    flags += ["--epoch", epochs, "--pics", "pics"]
    status, said = status_and_output(gan, flags, capsys)
    assert status == 0, said.err
    return variables_of(file)


@pytest.fixture
def saved(gan, small_data, capsys):
    """The variables of a checkpoint after one epoch, of each script in turn."""
    return train(gan.__name__, small_data, capsys, "one.mat", 1, *OTHERS)


def variables_of(file):
    """The variables of a .mat file, in a form that savemat takes again."""
    return {name: x for name, x in loadmat(file).items() if name[0] != "_"}


def workspace(saved, **more):
    """What MATLAB would have, were the checkpoint `saved` its state; None takes out."""
    names = [*NETWORKS, "e", "batch_size", "images_num", "learning_rate"]
    stream = {"Type": "twister", "Seed": saved["seed"], "State": saved["rng_state"]}
    kept = {name: saved[name] for name in names}
    kept |= {"rng_state": stream, "c_loss": 0.5, "d_loss": 0.25, **more}
    return {name: x for name, x in kept.items() if x is not None}


def with_field(saved, net, name, value):
    """A copy with another field of a network, or of its first layer with weights."""
    saved = copy.deepcopy(saved)
    in_network = name in saved[net].dtype.names
    where = saved[net] if in_network else saved[net]["layers"][0, 0][0, 1]
    where[name][0, 0] = value
    return saved


def convert(small_data, capsys, *words):
    """Run the program in this process: the exit status, and what it printed."""
    capsys.readouterr()
    try:
        from_workspace.main(["--data", small_data, *map(str, words)])
        status = 0
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr()


def converted(small_data, capsys, variables, *flags):
    """The variables that become run.mat, and the lines before the last two."""
    savemat("workspace.mat", variables)
    status, said = convert(small_data, capsys, "workspace.mat", "run.mat", *flags)
    assert (status, said.err) == (0, ""), said.err
    found = variables_of("run.mat")
    os.remove("run.mat")
    return found, said.out.splitlines()[:-2]


def refused(small_data, capsys, variables, *flags):
    """The line that refuses a workspace of these variables; nothing is written."""
    savemat("workspace.mat", variables)
    status, said = convert(small_data, capsys, "workspace.mat", "run.mat", *flags)
    assert status == 2 and said.err.count("\n") == 1 and len(said.err) < 300, said
    assert "workspace.mat: " in said.err and not os.path.exists("run.mat")
    return said.err


def assert_equal(found, expected, names):
    """The variables `names` are the same, to the bit."""
    for name in names:
        flat = [flattened(x[name]) for x in (found, expected)]
        assert [x.dtype for x in flat[0]] == [x.dtype for x in flat[1]]
        for one, other in zip(*flat, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def flattened(x):
    """The arrays within an array, structs and cells opened."""
    if x.dtype.names:
        return [y for name in x.dtype.names for y in flattened(x[name][0, 0])]
    return [y for z in x.ravel() for y in flattened(z)] if x.dtype == object else [x]


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
def test_goes_on_as_the_uncut_run(gan, saved, maker, small_data, tmp_path, capsys):
    """By the printed command: weights, stream and new losses are the uncut run's."""
    uncut = train(gan.__name__, small_data, capsys, "uncut.mat", 2, *OTHERS)
    file = tmp_path / "my workspace 图.mat"
    if maker == "octave":
        octave(IN_OCTAVE, ".")
        os.rename("workspace.mat", file)
    else:  # with strings, which SciPy cannot read, and each variable twice
        savemat(file, workspace(saved, t=10.0))
        head, rest = file.read_bytes()[:128], file.read_bytes()[128:]
        strings = string_variable(b"a"), string_variable(b"z")
        file.write_bytes(head + strings[0] + rest + strings[1] + rest)
    status, said = convert(small_data, capsys, file, "my run's.mat")
    assert (status, said.err, said.out.count("\n")) == (0, "", 2)
    python, script, *flags = shlex.split(said.out.splitlines()[1])
    assert python == "python" and os.path.samefile(script, gan.__file__)
    flags += ["--epoch", 2, "--pics", "pics"]
    status, said = status_and_output(gan, flags, capsys)
    assert status == 0 and "after epoch 1" in said.err
    found = variables_of("my run's.mat")
    assert_equal(found, uncut, STATE)
    for name in "c_loss", "d_loss":
        assert np.isnan(found[name][:10]).all()
        np.testing.assert_array_equal(found[name][10:], uncut[name][10:])


@pytest.mark.parametrize("more", [[], ["--precision", "single", "--gradient", "exact"]])
def test_the_first_form_of_checkpoints(gan, more, small_data, capsys):
    """It becomes the file that the script writes today, to the bit."""
    saved = train(gan.__name__, small_data, capsys, "one.mat", 1, *OTHERS, *more)
    old = saved | {"steps": 10.0}
    del old["script"]
    found, lines = converted(small_data, capsys, old)
    assert lines == [] and list(found) == list(saved)
    assert_equal(found, saved, saved)
    nine = saved["c_loss"][:9]
    for bad in {"c_loss": nine}, {"c_loss": nine, "d_loss": nine}, {"steps": 11.0}:
        assert "c_loss" in refused(small_data, capsys, old | bad)
    assert "12 epochs" in refused(small_data, capsys, old | {"e": 12.0})
    other_images = {"images_sha256": "0" * 64}
    assert "--data" in refused(small_data, capsys, old | other_images)
    savemat("old.mat", old)
    state = gan.stream.get_state()[1:3]
    for file in "one.mat", "old.mat":  # the reader takes both forms
        read = checkpoints.read_checkpoint(file)
        assert (read["script"], read["e"], read["seed"]) == (gan.__name__, 1, 9)
        np.testing.assert_array_equal(read["rng_state"], saved["rng_state"].ravel())
        w = read["discriminator"]["layers"][2]["w"]
        assert w.shape == (24, 1) and w.dtype == float
        gan.nnff(read["generator"], np.ones((2, 100)))
    np.testing.assert_array_equal(gan.stream.get_state()[1], state[0])
    assert gan.stream.get_state()[2] == state[1]  # a reader draws no numbers


@pytest.mark.parametrize("gan", ["gan_mbgd"], indirect=True)
def test_streams(saved, small_data, capsys):
    """rng's State in any class and shape; other generators are refused."""
    words = saved["rng_state"]
    twister = {"Type": "twister", "Seed": np.uint32(7), "State": words}
    zeros = words * (words % 2)
    forms = [words, words.T, words / 1, twister, twister | {"State": words.T / 1}]
    for form in [*forms, np.append(zeros[:624], np.uint32(0))]:
        found, lines = converted(small_data, capsys, workspace(saved, rng_state=form))
        seed = 7 if isinstance(form, dict) else 0
        assert lines == [] and found["seed"].item() == seed
        state = form["State"] if isinstance(form, dict) else form
        np.testing.assert_array_equal(found["rng_state"].ravel(), np.ravel(state))
    for form in (
        np.full((35, 1), 0.25),  # v5uniform
        5489.0,  # v4
        twister | {"Type": "threefry"},
        twister | {"State": 5.0},
        {"Type": "twister", "Seed": 0.0},
        {"State": words},
        words + 0.5,
        words - 2.0**32,
        np.append(words[:624] + 2.0**32, 624.0),
        words * 1j,
        words[:624],
        0 * words,
        np.append(words[:624], np.uint32(625)),
        np.append(words[:624] / 1, np.nan),
        "shuffle",
    ):
        line = refused(small_data, capsys, workspace(saved, rng_state=form))
        assert "rng_state" in line
        assert ("--seed" in line) == (np.size(form) != 625)  # of another generator
    assert "--seed" in refused(small_data, capsys, workspace(saved), "--seed", 9)


def test_without_a_stream(gan, saved, small_data, capsys):
    """It starts as after rng(--seed), or rng(0); a line says so."""
    for stored, flag, seed in (
        (None, [], 0),
        (None, [4], 4),
        (0.0, [], 0),
        (3.0, [4], 4),
    ):
        flags = ["--seed", *flag] if flag else []
        variables = workspace(saved, rng_state=None, seed=stored)
        found, lines = converted(small_data, capsys, variables, *flags)
        gan.rng(seed)
        _, words, used, *_ = gan.stream.get_state()
        assert found["seed"].item() == seed and f"rng({seed})" in lines[0]
        np.testing.assert_array_equal(found["rng_state"].ravel(), [*words, used])


def test_without_settings(gan, saved, small_data, capsys, monkeypatch):
    """Flags say them, or they are the original's; a line names all that are used."""
    settings = dict.fromkeys(["batch_size", "images_num", "learning_rate"])
    variables = workspace(saved, t=10.0, **settings)
    flags = [*SMALL, "--learning-rate", 0.5]
    found, lines = converted(small_data, capsys, variables, *flags)
    said = "batch_size 16, images_num 160, learning_rate 0.5"
    assert len(lines) == 1 and said in lines[0]
    assert_equal(found, saved, ["precision", "gradient", "images_sha256"])
    monkeypatch.setattr(gan, "IMAGES_NUM", 160)
    monkeypatch.setattr(gan, "BATCH_SIZE", 20)
    found, lines = converted(small_data, capsys, variables | {"t": 8.0})
    rate = {"gan_adam": 0.001, "gan_mbgd": 0.01}[gan.__name__]
    assert f"batch_size 20, images_num 160, learning_rate {rate}" in lines[0]
    assert [found[name].item() for name in settings] == [20, 160, rate]
    assert found["c_loss"].size == 8
    for flag in ["--batch-size", 32], ["--images-num", 320], ["--learning-rate", 1]:
        line = refused(small_data, capsys, workspace(saved), *flag)
        assert flag[0][2:].replace("-", "_") in line


def test_stopped_within_an_epoch(gan, saved, small_data, capsys):
    """That epoch counts as done; a line says so, where it was not at its end."""
    for e, t in (3, 4), (1, 1), (1, 9), (2, 10), (1, 0):
        forms = [workspace(saved, e=float(e), t=float(t))]
        if gan.__name__ == "gan_adam":  # told by Adam's count of updates
            counted = with_field(saved, "discriminator", "t", (e - 1) * 10.0 + t)
            forms.append(workspace(counted, e=float(e)))
        steps = (e - 1) * 10 + t
        for variables in forms:
            found, lines = converted(small_data, capsys, variables)
            assert len(lines) == (t < 10)
            for line in lines:
                assert f"epoch {e} was stopped after batch {t}" in line
                assert f"epoch {e + 1}" in line
            assert found["e"].item() == e and found["c_loss"].shape == (steps, 1)
            losses = [0.5] if steps == 1 else [np.nan] * steps  # one step's is known
            np.testing.assert_array_equal(found["c_loss"].ravel(), losses)
    assert "--images-num" in refused(small_data, capsys, workspace(saved, t=11.0))


@pytest.mark.parametrize("gan", ["gan_adam"], indirect=True)
def test_before_the_first_update(gan, saved, small_data, capsys):
    """MATLAB's w_m and so on are a 0 then, and layers{1} is empty."""
    for net in NETWORKS:
        saved = with_field(saved, net, "t", 0.0)
        layers = saved[net]["layers"][0, 0]
        layers[0, 0] = np.zeros((0, 0))
        for i in 1, 2:
            for name in "w_m", "w_v", "b_m", "b_v":
                layers[0, i][name][0, 0] = np.zeros((1, 1))
    found, _ = converted(small_data, capsys, workspace(saved, c_loss=None))
    layers = [x["generator"]["layers"][0, 0][0, 1] for x in (found, saved)]
    assert_equal(*layers, ["w", "b"])
    assert (
        layers[0]["w_m"][0, 0].shape == (100, 24) and not layers[0]["w_m"][0, 0].any()
    )
    assert found["c_loss"].size == 0


# ---------------------------------------------------------------------- what is refused

SPOILT = {  # the words that the line must have, and what makes no workspace of one
    "generator": [None, 1.0],
    "discriminator": [None, "text"],
    "e ": [None, "two", np.inf, np.nan, np.zeros((0, 0)), 2j, -3.0, 1.5, 1e300, [1, 2]],
    "epoch": [5e7],  # of e: the losses would take gigabytes
    "batch_size": [3.5, 0.0, 8.0],
    "images_num": [np.ones(2), 161.0],
    "learning_rate": [np.nan, np.inf, 0.0, "fast"],
    "seed": [2.0**32],
    "precision": ["half", np.array(["double", 1.0], object)],
    "gradient": ["right"],
    "c_loss": [np.ones((3, 1)), np.ones((10, 1))],
}
W = np.full((100, 24), 0.5)
SPOILT_FIELDS = [  # of a network or its layers{2}
    *(
        ("generator", "w", x)
        for x in (W.T, W[:, 1:], 1j * W, "text", 0 * W, W * np.inf)
    ),
    *(("generator", "b", x) for x in (np.full((1, 24), np.nan), np.ones(23))),
    ("generator", "architecture", [[100, 24, 783]]),
    ("discriminator", "architecture", [[784, 24.5, 1]]),
    ("discriminator", "architecture", [[784, 24, 2]]),
    *(("discriminator", "layers", x) for x in (1.0, np.ones((1, 3)))),
]
SPOILT_ADAM = [
    *(("generator", "w_m", x) for x in (W[0], W * np.nan, 1.0)),
    *(("discriminator", "t", x) for x in (-1.0, np.nan, "two", np.ones(3))),
    *(("generator", "beta1", x) for x in (0.5, -0.1, np.inf)),
    ("discriminator", "epsilon", np.nan),
]


def test_spoilt_workspaces(gan, saved, small_data, capsys):
    """Each in one line that names the file and what is wrong."""
    converted(small_data, capsys, workspace(saved))
    for word, values in SPOILT.items():
        name = "e" if word in ("e ", "epoch") else word
        for x in values:
            line = refused(small_data, capsys, workspace(saved, t=1.0, **{name: x}))
            assert word in line, (word, x, line)
    for net, name, x in SPOILT_FIELDS + SPOILT_ADAM * (gan.__name__ == "gan_adam"):
        spoilt = workspace(with_field(saved, net, name, x), t=1.0)
        line = refused(small_data, capsys, spoilt)
        assert f"{net}." in line and name in line, (net, name, x, line)
    other = {"gan_adam": "gan_mbgd", "gan_mbgd": "gan_adam"}[gan.__name__]
    other = train(other, small_data, capsys, "other.mat", 1)["discriminator"]
    line = refused(small_data, capsys, workspace(saved, discriminator=other))
    assert "discriminator" in line


@pytest.mark.parametrize("gan", ["gan_mbgd"], indirect=True)
def test_other_sizes_than_the_scripts(gan, saved, small_data, capsys, monkeypatch):
    """The line says which, and where they are changed."""
    nnsetup = gan.nnsetup
    larger = {"architecture": [100, 25, 784]}
    monkeypatch.setattr(gan, "nnsetup", lambda *x: nnsetup(*x) | larger)
    line = refused(small_data, capsys, workspace(saved))
    assert "nnsetup" in line and "[100, 24, 784]" in line and "[100, 25, 784]" in line


@pytest.mark.parametrize("gan", ["gan_mbgd"], indirect=True)
def test_files_that_cannot_be_used(gan, saved, small_data, tmp_path, capsys):
    """One line that names the file; a RUN.mat that exists is left as it is."""
    savemat("workspace.mat", workspace(saved))
    whole = (tmp_path / "workspace.mat").read_bytes()
    v73 = b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(124) + b"\x00\x02IM"
    two_gigabytes = struct.pack("<IIIH", 14, 2**31 - 8, 6, 8) + bytes(8)
    for content, word in (
        (v73 + bytes(900), "-v7"),
        (b"text\n" * 99, "-v7"),
        (b"", "-v7"),
        (whole[: len(whole) // 2], ""),
        (whole[:128] + two_gigabytes, ""),
    ):
        (tmp_path / "bad.mat").write_bytes(content)
        status, said = convert(small_data, capsys, "bad.mat", "run.mat")
        assert status == 2 and said.err.count("\n") == 1, said.err
        assert "bad.mat: " in said.err and word in said.err
    for name, x in ("script", "gan_sgd"), ("script", 1.0), ("images_sha256", 1.0):
        savemat("bad.mat", saved | {name: x})
        with pytest.raises(SystemExit) as end:
            checkpoints.read_checkpoint("bad.mat")
        line = capsys.readouterr().err
        assert end.value.code == 2 and line.count("\n") == 1
        assert "bad.mat: " in line and name in line
    (tmp_path / "empty.mat").touch()
    before = {file: file.read_bytes() for file in tmp_path.glob("*.mat")}
    for words, named in (
        (["missing.mat", "run.mat"], "missing.mat"),
        (["workspace.mat", "none/run.mat"], "none/run.mat"),
        (["workspace.mat", "one.mat"], "one.mat"),
        (["workspace.mat", "empty.mat"], "empty.mat"),
        (["workspace.mat", ""], "RUN.mat"),
        (["workspace.mat", "workspace.mat"], "workspace.mat"),
        (["workspace.mat", "run.mat", "--seed", "x"], "--seed"),
        (["workspace.mat", "run.mat", "--data", "no.mat"], "no.mat"),
        (["workspace.mat", "run.mat", "--data", "one.mat"], "one.mat"),
    ):
        status, said = convert(small_data, capsys, *words)
        assert status == 2 and said.err.count("\n") == 1 and named in said.err
    assert before == {file: file.read_bytes() for file in tmp_path.glob("*.mat")}


def test_a_command_for_windows(monkeypatch):
    words = {"C:\\a\\run.mat": "C:\\a\\run.mat", "my run.mat": '"my run.mat"'}
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        found = [from_workspace.quoted(word) for word in [*words, "a&b.mat"]]
    assert found == [*words.values(), '"a&b.mat"']


@POSIX
def test_started_through_a_link():
    """With python -OO too; the program names itself."""
    os.symlink(f"{ROOT}/tests/matlab/from_workspace.py", "link.py")
    command = [sys.executable, "-OO", "link.py", "none.mat", "run.mat"]
    end = subprocess.run(command, capture_output=True, text=True)
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr.startswith("link.py: none.mat: ") and end.stderr.count("\n") == 1
