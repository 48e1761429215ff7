"""Bad input, damaged files, kills, full disks, closed pipes: one clear line, nothing lost."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from conftest import ROOT, SCRIPTS, run_script
from PIL import Image
from scipy.io import loadmat, savemat

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX systems")


@pytest.fixture(scope="module")
def small_data(tmp_path_factory):
    """A .mat file with 160 made-up pictures: the path."""
    file = tmp_path_factory.mktemp("data") / "small.mat"
    images = np.random.RandomState(1).randint(0, 256, (160, 784)).astype(np.uint8)
    images[:, :300] = 0
    savemat(file, {"train_x": images}, do_compression=True)
    return str(file)


def ended(gan, flags, capsys):
    """Run in this process; the exit status and what was said on standard error."""
    capsys.readouterr()
    try:
        gan.main(gan.options([str(x) for x in flags]))
        status = 0
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr()


def assert_refused(gan, flags, words, capsys, folder):
    """Status 2, one line that has all `words`, nothing printed, warned of or written."""
    before = sorted(os.listdir(folder))
    status, said = ended(gan, [*flags, "--pics", folder / "pics_of_the_refused"], capsys)
    assert status == 2, flags
    assert said.out == "" and said.err.count("\n") == 1, said
    assert said.err.startswith(gan.__name__) and all(x in said.err for x in words), said.err
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize(
    "flag, bad",
    [
        ("--epoch", "0 -3 1.5 nan inf x 1e3".split() + [""]),
        ("--batch-size", "0 15 -60 60.5 nan many".split()),
        ("--images-num", "0 -1 61 nan 6000.5 70000020 all".split()),
        ("--learning-rate", "0 -0.1 nan inf -inf 1e999 fast".split()),
        ("--seed", "-1 4294967296 0.5 nan now".split()),
        ("--precision", ["half", "", "Double"]),
        ("--gradient", ["right", "MATLAB"]),
        ("--no-such-flag", ["1"]),
        ("--epo", ["3"]),
    ],
)
def test_bad_values(gan, flag, bad, capsys, tmp_path):
    for value in bad:
        assert_refused(gan, [f"{flag}={value}"], [flag], capsys, tmp_path)


def test_bad_data_files(gan, capsys, tmp_path):
    x = np.zeros((60, 784), np.uint8)
    files = {
        "train_x": {"other": x},  # no variable of that name
        "N x 784 uint8": {"train_x": x[:, :783]},
        "uint8": {"train_x": np.full((60, 784), np.nan)},
        "N x 784": {"train_x": x.reshape(60, 28, 28)},
        "--images-num 120": {"train_x": x},
        "has no train_x": {"train_x": {"a": 1.0}},
        "train_x of N": {"train_x": "text"},
        "of N x 784 uint8": {"train_x": np.array([[1.0, "a"]], object)},
    }
    file = tmp_path / "bad.mat"
    for words, variables in files.items():
        savemat(file, variables)
        flags = ["--data", file, "--images-num", 120]
        assert_refused(gan, flags, ["--data", str(file), words], capsys, tmp_path)
    for content in b"", b"no .mat file at all" * 50, b"MATLAB 5.0 MAT-file", bytes(500):
        file.write_bytes(content)
        assert_refused(gan, ["--data", file], ["--data", str(file)], capsys, tmp_path)
    missing = tmp_path / "missing.mat"
    words = ["--data", str(missing), "No such file", "make_mnist_mat.py"]
    assert_refused(gan, ["--data", missing], words, capsys, tmp_path)
    assert_refused(gan, ["--data", tmp_path], ["--data"], capsys, tmp_path)
    assert_refused(gan, ["--resume", missing], ["--resume", str(missing)], capsys, tmp_path)


def test_places_that_cannot_be_written(gan, small_data, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    flags = ["--data", small_data, "--images-num", 160, "--batch-size", 16]
    for bad in tmp_path / "none" / "run.mat", tmp_path, tmp_path / "file" / "run.mat":
        assert_refused(gan, [*flags, "--checkpoint", bad], [str(bad)], capsys, tmp_path)
    for bad in tmp_path / "file", tmp_path / "file" / "pics":
        end = run_script(gan.__name__, *flags, "--pics", bad, cwd=tmp_path)
        assert (end.returncode, end.stdout) == (2, "")
        assert end.stderr.count("\n") == 1 and str(bad) in end.stderr


def test_data_are_not_overwritten(gan, small_data, capsys, tmp_path):
    """A --checkpoint that is the --data file, by another name or through a link."""
    with open(small_data, "rb") as f:
        before = f.read()
    link = tmp_path / "link.mat"
    names = [small_data, os.path.join(os.path.dirname(small_data), ".", "small.mat")]
    if os.name == "posix":
        link.symlink_to(small_data)
        names.append(str(link))
    for name in names:
        flags = ["--data", small_data, "--images-num", 160, "--batch-size", 16, "--epoch", 1]
        assert_refused(gan, [*flags, "--checkpoint", name], [name, "--data"], capsys, tmp_path)
    with open(small_data, "rb") as f:
        assert f.read() == before


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory works in Linux only")
@pytest.mark.parametrize("name", SCRIPTS)
def test_out_of_memory(name, tmp_path):
    """All images in one batch take gigabytes; one thread, since each takes memory of its own."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))

    flags = ["--batch-size", 60000, "--epoch", 1]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    end = run_script(name, *flags, cwd=tmp_path, env=env, preexec_fn=limit)
    assert end.returncode == 2 and end.stdout == ""
    assert end.stderr.count("\n") == 1 and "memory" in end.stderr


def damaged_copies(content, count, seed):
    """`count` copies of the bytes: cut short, with flipped bytes, or with zeros in a stretch."""
    chance = random.Random(seed)
    for k in range(count):
        copy = bytearray(content)
        if k % 3 == 0:
            del copy[chance.randrange(len(copy)) :]
        elif k % 3 == 1:
            # every other time where the file says what comes next
            end = 300 if k % 2 else len(copy)
            for _ in range(chance.choice([1, 1, 4])):
                copy[chance.randrange(end)] ^= 1 << chance.randrange(8)
        else:
            at = chance.randrange(len(copy))
            copy[at : at + 16] = bytes(len(copy[at : at + 16]))
        yield bytes(copy)


@contextlib.contextmanager
def at_most(seconds):
    """Fail when the block takes longer."""

    def too_long(*_):
        raise AssertionError(f"took more than {seconds} s")

    if os.name != "posix":
        yield
        return
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def test_damaged_data(gan, small_data, capsys, tmp_path):
    """120 copies: each is refused with one line, or loads the right pictures."""
    with open(small_data, "rb") as f:
        content = f.read()
    right, file, refused = gan.load_train_x(small_data, 160), tmp_path / "damaged.mat", 0
    for copy in damaged_copies(content, 120, seed=1):
        file.write_bytes(copy)
        with at_most(20):
            try:
                np.testing.assert_array_equal(gan.load_train_x(str(file), 160), right)
            except SystemExit as end:
                refused += 1
                assert end.code == 2 and capsys.readouterr().err.count("\n") == 1
    assert refused > 60  # a flip in the header's text does no harm


def test_damaged_checkpoints(gan, capsys, tmp_path):
    """120 copies of a checkpoint of small networks: refused, or loaded as they were saved."""
    file = str(tmp_path / "run.mat")
    nets = [gan.nnsetup([5, 7, 4]), gan.nnsetup([4, 6, 1])]
    opt = gan.options(["--checkpoint", file])
    opt.e = 2
    gan.rng(3)
    gan.save_checkpoint(opt, *nets, [1.0, 2.0], [3.0, 4.0])
    drawn = gan.rand(1, 5)
    with open(file, "rb") as f:
        content = f.read()
    refused = 0
    for copy in damaged_copies(content, 120, seed=2):
        with open(file, "wb") as f:
            f.write(copy)
        new = [gan.nnsetup([5, 7, 4]), gan.nnsetup([4, 6, 1])]
        with at_most(20):
            try:
                opt = gan.options(["--resume", file])
                losses = gan.resume(opt, *new)
            except SystemExit as end:
                refused += 1
                assert end.code == 2 and capsys.readouterr().err.count("\n") == 1
                continue
        assert losses == ([1.0, 2.0], [3.0, 4.0]) and opt.e == 2
        np.testing.assert_array_equal(gan.rand(1, 5), drawn)
        for mine, saved in zip(new, nets, strict=True):
            for a, b in zip(mine["layers"][1:], saved["layers"][1:], strict=True):
                for k in gan.LAYER_STATE:
                    np.testing.assert_array_equal(a[k], b[k])
    assert refused > 60


def tiny(small_data, *more):
    """Flags of a run with 10 steps an epoch."""
    return ["--data", small_data, "--images-num", 160, "--batch-size", 16, *more]


def start(name, flags, cwd, **more):
    """Start a script as a program, its output in pipes."""
    command = [sys.executable, os.path.join(ROOT, f"{name}.py"), *map(str, flags)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, stdout=pipe, stderr=pipe, text=True, **more)


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_killed_at_any_moment(name, small_data, tmp_path):
    """kill -9, mostly while saving, which is most of such a short epoch."""
    chance, file = random.Random(5), tmp_path / "run.mat"
    resumed = 0
    for _ in range(4):
        done = loadmat(file, variable_names=["e"])["e"].item() if file.exists() else 0
        flags = tiny(small_data, "--epoch", 1000, "--checkpoint", "run.mat")
        flags += ["--resume", "run.mat"] if done else []
        process = start(name, flags, tmp_path)
        first = process.stdout.readline()
        if not done:  # the third line is the second epoch's: one is saved
            process.stdout.readline(), process.stdout.readline()
        time.sleep(chance.uniform(0, 1.5))
        process.kill()
        out, err = process.communicate()
        assert first.startswith("c_loss") and err == ""
        if done:  # it went on right behind the last finished epoch
            resumed += 1
            assert f"epoch_{int(done) + 1}_t_10.png" in out
        for picture in os.listdir(tmp_path / "pics"):
            if picture.endswith(".png"):
                with Image.open(tmp_path / "pics" / picture) as image:
                    image.load()
                    assert image.size == (112, 112)
    assert resumed and loadmat(file)["c_loss"].shape == (loadmat(file)["e"].item() * 10, 1)


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_ctrl_c(name, small_data, tmp_path):
    """One line with the epoch reached and how to go on; status 130."""
    flags = tiny(small_data, "--epoch", 1000, "--checkpoint", "run.mat")
    # a shell's background jobs ignore SIGINT, and so would what they start
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    process = start(name, flags, tmp_path, **heed)
    for _ in range(3):
        process.stdout.readline()  # the third line is the second epoch's: one is saved
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    e = int(loadmat(tmp_path / "run.mat", variable_names=["e"])["e"].item())
    assert process.returncode == 130 and err.count("\n") == 1
    assert f"after epoch {e}" in err and "--resume run.mat" in err


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_disk_full(name, small_data, tmp_path):
    """A limit on the size of files stands in for it: the older checkpoint stays whole."""
    import resource  # of POSIX systems only

    flags = tiny(small_data, "--epoch", 2, "--checkpoint", "run.mat")
    assert run_script(name, *flags, cwd=tmp_path).returncode == 0
    before = (tmp_path / "run.mat").read_bytes()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails with an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    process = start(name, [*flags, "--resume", "run.mat", "--epoch", 4], tmp_path, preexec_fn=limit)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and err.count("\n") == 1
    assert "run.mat" in err and "cannot be written" in err
    assert (tmp_path / "run.mat").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["pics", "run.mat"]  # nothing half written is left


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_output_closed_early(name, small_data, tmp_path):
    """As with | head -1: no traceback, no word, and it ends."""
    process = start(name, tiny(small_data, "--epoch", 1000), tmp_path)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_output_that_cannot_be_written(name, small_data, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full on this system")
    command = [sys.executable, os.path.join(ROOT, f"{name}.py"), *map(str, tiny(small_data))]
    with open("/dev/full", "w") as full:
        end = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert end.returncode != 0 and "Traceback" not in end.stderr


def test_divergence(gan, small_data, capsys, tmp_path):
    """Goes on as MATLAB does, prints its NaN, and warns once."""
    flags = ["--epoch", 2, "--learning-rate", 1.7e308, "--pics", tmp_path / "pics"]
    status, said = ended(gan, tiny(small_data, *flags), capsys)
    assert status == 0
    lines = said.out.splitlines()
    word = {"gan_adam": "NaN", "gan_mbgd": "Inf"}[gan.__name__]  # as the original printed in Octave
    assert len(lines) == 4 and lines[2] == f'c_loss:"{word}",d_loss:"{word}"'
    assert said.err.count("\n") == 1 and "the loss is Inf" in said.err  # Inf comes first


def test_no_warning_reaches_the_screen(gan, small_data, tmp_path):
    """exp overflows in sigmoid long before the loss is NaN; MATLAB says nothing."""
    flags = tiny(small_data, "--epoch", 1, "--learning-rate", 1000)
    end = run_script(gan.__name__, *flags, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_console_without_unicode(name, small_data, tmp_path):
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    flags = tiny(small_data, "--epoch", 1, "--pics", "数字")
    end = run_script(name, *flags, cwd=tmp_path, env=env)
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir(tmp_path / "数字") == ["epoch_1_t_10.png"]


@POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_progress_on_a_terminal(name, small_data, tmp_path):
    """One line, rewritten in place, gone at the end; standard output is as ever."""
    import pty

    parent, child = pty.openpty()
    command = [sys.executable, os.path.join(ROOT, f"{name}.py")]
    command += map(str, tiny(small_data, "--epoch", 3))
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=child)
    out = process.stdout.read().decode()
    process.wait(timeout=60)
    os.close(child)
    shown = os.read(parent, 10**6).decode()
    os.close(parent)
    assert out.count("c_loss") == 3 and "\r" not in out
    assert "\n" not in shown and "epoch 1/3 batch 2/10 c_loss" in shown
    assert "s/epoch" in shown and shown.endswith("\r")
    assert shown.count("epoch ") <= 3 + 3 * 4  # a few times a second at most


def test_help_fits_a_screen(gan, tmp_path):
    end = run_script(gan.__name__, "--help", cwd=tmp_path, env={**os.environ, "COLUMNS": "80"})
    assert end.returncode == 0 and end.stderr == ""
    lines = end.stdout.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 80
    for name, (default, _, _) in gan.SETTINGS.items():
        assert f"--{name.replace('_', '-')} " in end.stdout
        if name != "data" and default is not None:
            assert f"({default})" in " ".join(end.stdout.split())


def test_checksums_guard_the_checkpoint(golden_run):
    """Every variable is compressed, so that zlib's checksum finds flipped bytes."""
    with open(golden_run.checkpoint, "rb") as f:
        content = f.read()
    at, count = 128, 0
    while at < len(content):
        kind, size = np.frombuffer(content[at : at + 8], "<u4").tolist()
        assert kind == 15  # miCOMPRESSED
        zlib.decompress(content[at + 8 : at + 8 + size])
        at, count = at + 8 + size, count + 1
    assert count == 12 and at == len(content)
