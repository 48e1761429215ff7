"""A run: what it computes, prints, draws and shows."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import (
    ONE,
    POSIX,
    ROOT,
    SCRIPTS,
    TESTS,
    run_script,
    small_run_flags,
    start,
    status_and_output,
)
from scipy.io import loadmat

# ------------------------------------------------------------------ the golden records

# Octave and NumPy round differently. gan_adam multiplies such differences: 1e-16 at
# first, 3e-14 by step 200; gan_mbgd does not: 8e-16.
RTOL = {"gan_adam": 1e-11, "gan_mbgd": 1e-12}


def close(a, b, rtol):
    """Relative to each number, or for numbers near 0 to a thousandth of the largest."""
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * 1e-3 * np.abs(b).max())


@pytest.fixture
def golden(golden_run):
    """The record: what Octave got from the original, with golden_run's settings."""
    name = f"octave_{golden_run.gan.__name__}_seed0_6000x2.mat"
    return loadmat(os.path.join(TESTS, "matlab", name))


def test_golden_record(golden_run, golden):
    """All losses, the last pictures, sampled weights."""
    run, rtol = loadmat(golden_run.checkpoint), RTOL[golden_run.gan.__name__]
    for k in "c_loss", "d_loss":
        assert run[k].shape == (200, 1)
        np.testing.assert_allclose(run[k], golden[k], rtol=rtol)
    close(golden_run.images_fake, golden["images_fake"], rtol)
    stride = int(golden["stride"][0, 0])
    for net in "generator", "discriminator":
        layers = run[net]["layers"][0, 0]
        for i in 1, 2:
            w = layers[0, i]["w"][0, 0].ravel("F")[::stride]
            close(w, golden[f"{net}_w{i + 1}_sample"].ravel(), rtol)


def test_printed_lines(golden_run, golden):
    """Standard output is the original's two lines an epoch, and nothing else."""
    expected = ""
    for e in 1, 2:
        losses = [golden[name][100 * e - 1, 0] for name in ("c_loss", "d_loss")]
        expected += 'c_loss:"{:f}",d_loss:"{:f}"\n'.format(*losses)
        expected += f"save_sample:{golden_run.pics}/epoch_{e}_t_100.png\n"
    assert golden_run.out == expected
    pictures = ["epoch_1_t_100.png", "epoch_2_t_100.png"]
    assert sorted(os.listdir(golden_run.pics)) == pictures


# what the original printed under Octave, and so should MATLAB on any machine; the
# README shows these lines, and gan_mbgd's next four
FIRST_LINES = [
    ("gan_mbgd", 60000, 'c_loss:"5.138635",d_loss:"0.344994"'),
    ("gan_adam", 30000, 'c_loss:"3.594859",d_loss:"0.338752"'),
]


@pytest.mark.skipif(not os.environ.get("CI"), reason="takes long: set CI=true")
@pytest.mark.parametrize("name, images_num, line", FIRST_LINES)
def test_first_lines(name, images_num, line, tmp_path):
    """An epoch as a program, from another folder, other flags left alone."""
    end = run_script(name, "--epoch", 1, "--images-num", images_num, cwd=tmp_path)
    path = f"./pics/epoch_1_t_{images_num // 60}.png"
    assert end.stdout == f"{line}\nsave_sample:{path}\n"
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir(tmp_path) == ["pics"] and os.listdir(tmp_path / "pics")
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        assert line in f.read()


# ----------------------------------------------------------------------------- flags


@pytest.mark.usefixtures("small_networks")
def test_seed(one, small_data, tmp_path, capsys):
    """Another one gives another run; the same gives the same, whatever ran between."""
    printed = []
    for seed in 0, 5, 0:
        flags = ["--epoch", 1, "--pics", tmp_path / "deep/pics", "--seed", seed]
        one.main(one.options(small_run_flags(small_data, *flags)))
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[2] != printed[1]
    assert os.listdir(tmp_path / "deep/pics") == ["epoch_1_t_10.png"]


@pytest.mark.usefixtures("small_networks")
def test_single_precision(gan, small_data, tmp_path):
    """The same numbers drawn, all arrays single, losses within 1e-4 of double's."""
    runs = []
    for precision in "double", "single":
        file = str(tmp_path / f"{precision}.mat")
        flags = ["--epoch", 1, "--precision", precision, "--checkpoint", file]
        flags = small_run_flags(small_data, *flags, "--pics", tmp_path)
        networks = gan.main(gan.options(flags))
        runs.append(loadmat(file))
    for name in "c_loss", "d_loss":
        np.testing.assert_allclose(runs[1][name], runs[0][name], rtol=1e-4)
        assert (runs[1][name] != runs[0][name]).any()
    np.testing.assert_array_equal(runs[1]["rng_state"], runs[0]["rng_state"])
    # a double among them would make all that follows double, and slow
    arrays = [x for nn in networks for layer in nn["layers"] for x in layer.values()]
    assert len(arrays) > 20 and {x.dtype for x in arrays} == {np.dtype(np.float32)}


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("gradient", ["matlab", "exact"])
def test_gradient(gan, gradient, small_data, tmp_path):
    """The last residual is the right derivative, or the original's wrong one."""
    flags = ["--epoch", 1, "--gradient", gradient, "--pics", tmp_path, "--seed", 7]
    flags = small_run_flags(small_data, *flags)
    _, discriminator = gan.main(gan.options(flags))
    layer = discriminator["layers"][-1]
    labels = np.repeat([[0.0], [1.0]], 16, axis=0)
    right = gan.sigmoid(layer["z"]) - labels
    assert (layer["z"] > 0).any()
    if gradient == "matlab":
        assert not np.allclose(layer["d"], right, rtol=0.1)
        right = gan.delta_sigmoid_cross_entropy(layer["z"], labels)
    np.testing.assert_array_equal(layer["d"], right)


# -------------------------------------------------------------------------- divergence


def product(a, b):
    """a*b, added up from the first term to the last, whatever the BLAS does."""
    result = np.zeros((a.shape[0], b.shape[1]), order="F")
    for k in range(a.shape[1]):
        result = result + a[:, k : k + 1] * b[k : k + 1]
    return result


def test_divergence(gan, small_data, capsys, tmp_path, monkeypatch):
    """It goes on as MATLAB does, prints its NaN or Inf, and says so once.

    Where a sum passes the largest number, its order decides between NaN and Inf: with
    OpenBLAS 0.3.31 the words are Octave's, with 0.3.34 gan_mbgd's are NaN. Hence ours.
    """
    monkeypatch.setattr(gan, "mtimes", product)
    flags = ["--epoch", 2, "--learning-rate", 1.7e308, "--pics", tmp_path / "pics"]
    status, said = status_and_output(gan, small_run_flags(small_data, *flags), capsys)
    assert status == 0
    lines = said.out.splitlines()
    # as the original printed in Octave
    word = {"gan_adam": "NaN", "gan_mbgd": "Inf"}[gan.__name__]
    assert len(lines) == 4 and lines[2] == f'c_loss:"{word}",d_loss:"{word}"'
    assert said.err.count("\n") == 1 and "--learning-rate" in said.err


def test_no_warning_reaches_the_screen(small_data, tmp_path):
    """exp overflows in sigmoid long before the loss is NaN; MATLAB says nothing."""
    flags = small_run_flags(small_data, "--epoch", 1, "--learning-rate", 1000)
    end = run_script("gan_mbgd", *flags, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")


# --------------------------------------------------------------- terminals and consoles


@pytest.mark.usefixtures("small_networks")
def test_time_left(one, small_data, tmp_path, capsys, monkeypatch):
    """Shown in an epoch, and blank before its losses are printed."""
    shown = []
    monkeypatch.setattr(one, "show_line", lambda x: shown.append((x, printed())))
    monkeypatch.setattr(one.time, "monotonic", lambda: 100 + 540.0 * len(shown))
    out = []

    def printed():
        out.append(capsys.readouterr().out)
        return "".join(out).count("c_loss")

    flags = ["--images-num", 400, "--epoch", 2, "--pics", tmp_path]
    one.main(one.options(small_run_flags(small_data, *flags)))
    # 25 batches an epoch; the clock stands still for the first 20, 1080 s later
    assert shown[0] == ("epoch 1/2 batch 20/25 0 min 0 s left", 0)
    assert shown[1] == ("", 0)
    assert shown[2] == ("epoch 2/2 batch 20/25 2 min 0 s left", 1)  # 5 * 1080 s / 45
    assert shown[3:] == [("", 1)]


class Terminal:
    """A stream that says it is a terminal, or not, and keeps what it gets."""

    def __init__(self, is_terminal):
        self.text = ""
        self.isatty = lambda: is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        """Nothing to do."""


def test_lines_on_a_terminal_only(one, monkeypatch):
    """Not where standard error is a file, or a console's own stream."""
    for is_terminal, own in (True, False), (False, False), (True, True):
        stream = Terminal(is_terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "__stderr__", None if own else stream)
        one.show_line("epoch 1/2")
        one.message("done")
        shown = ["epoch 1/2", ""] if is_terminal and not own else []
        expected = "".join(f"\r{x:50}\r" for x in shown) + f"{one.NAME}: done\n"
        assert stream.text == expected


@pytest.mark.usefixtures("small_networks")
def test_without_streams(one, small_data, tmp_path, monkeypatch):
    """pythonw.exe has none, a console's have write and flush only: it trains."""
    flags = small_run_flags(small_data, "--epoch", 1, "--pics", tmp_path)
    for stream in None, Terminal(False):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        generator, _ = one.program(one.options(flags))
        assert generator["layers"][-1]["w"].shape == (24, 784)
    assert stream.text.count("c_loss") == 1


@POSIX
def test_closed_output(small_data, tmp_path):
    """Nobody reads the output, or it was closed: it ends without a word."""
    flags = " ".join(small_run_flags(small_data, "--epoch", 1))
    command = f'"{sys.executable}" "{ROOT}/{ONE}.py" {flags} <&- >&- 2>&-'
    end = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True)
    assert (end.returncode, end.stderr) == (0, b"")
    # the reader went away, as head does
    process = start(ONE, small_run_flags(small_data, "--epoch", 10**6), tmp_path)
    process.stdout.readline()
    process.stdout.close()
    assert (process.stderr.read(), process.wait(timeout=60)) == ("", 1)


def test_names_in_any_alphabet(small_data, tmp_path):
    """The console has none but ASCII's."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    files = ["--pics", "数字", "--checkpoint", "数.mat"]
    for said in [], ["\\u6570.mat has 1 epochs"]:
        flags = small_run_flags(small_data, "--epoch", 1, *files)
        end = run_script(ONE, *flags, cwd=tmp_path, env=env)
        assert end.returncode == 0 and all(x in end.stderr for x in said)
    assert os.listdir(tmp_path / "数字") == ["epoch_1_t_10.png"]


@POSIX
def test_a_link_finds_the_data(tmp_path):
    """A symbolic link in another folder, run as a program from a third."""
    (tmp_path / "links").mkdir()
    os.symlink(os.path.join(ROOT, f"{ONE}.py"), tmp_path / "links" / "train.py")
    flags = ["--images-num", 160, "--batch-size", 32, "--epoch", 1]
    end = run_script(tmp_path / "links" / "train", *flags, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    assert "save_sample:./pics/epoch_1_t_5.png" in end.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_pasted_into_a_cell(name):
    """Where there is no __file__: one line that says how to start it."""
    with open(os.path.join(ROOT, f"{name}.py"), encoding="utf-8") as f:
        code = f.read()
    with pytest.raises(SystemExit, match="%run"):
        exec(compile(code, "cell", "exec"), {"__name__": "__main__"})
