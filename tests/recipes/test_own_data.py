"""own_table.py and own_images.py, run as a user runs them."""

import os
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import POSIX, ROOT, load_tool, run_script
from PIL import Image
from scipy.io import loadmat

import gan_adam

RECIPES = os.path.join(ROOT, "tests", "recipes")


def run_recipe(name, *flags, cwd):
    """Run a recipe as a program in the folder `cwd`; the finished process."""
    command = [sys.executable, os.path.join(RECIPES, name), *map(str, flags)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=170)


def output_of(name, *flags, cwd):
    """What a recipe prints; it must end well and without a warning."""
    end = run_recipe(name, *flags, cwd=cwd)
    assert (end.returncode, end.stderr) == (0, "")
    return end.stdout


def assert_refused(name, flags, words, folder):
    """Status 2, one line that has all `words`, nothing printed and nothing written."""
    before = sorted(os.listdir(folder))
    end = run_recipe(name, *flags, cwd=folder)
    assert (end.returncode, end.stdout) == (2, ""), end.stderr
    assert end.stderr.count("\n") == 1 and end.stderr.startswith(name[:-3])
    assert all(word in end.stderr for word in words), end.stderr
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("name", ["own_table.py", "own_images.py"])
def test_help(name, tmp_path):
    """The help is the text at the script's start."""
    text = output_of(name, "--help", cwd=tmp_path)
    assert f"python tests/recipes/{name}" in text and "--force" in text


# ------------------------------------------------------------------------- own_table.py


def made_up_table():
    """600 rows: the second column rises with the first, the third falls, far apart."""
    random = np.random.RandomState(1)
    first = random.uniform(100, 200, 600)
    second = 3 * first + random.normal(0, 20, 600)
    third = 0.01 - 0.00004 * first + random.normal(0, 0.0004, 600)
    fourth = random.normal(-50, 4, 600)
    return np.stack([first, second, third, fourth], axis=1)


def test_quality_of_rows(tmp_path):
    """Fake rows have the means, deviations and correlations of the real ones."""
    real = made_up_table()
    np.savetxt(tmp_path / "real.csv", real, "%.6f", ",", header="a,b,c,d", comments="")
    flags = ["--steps", 6000, "--rows", 1000, "--plot", "p.png"]
    text = output_of("own_table.py", "real.csv", *flags, cwd=tmp_path)
    assert "COLLAPSE" not in text
    lines = (tmp_path / "fake.csv").read_text().splitlines()
    assert lines[0] == "a,b,c,d" and len(lines) == 1001
    fake = np.loadtxt(tmp_path / "fake.csv", delimiter=",", skiprows=1)
    span = np.ptp(real, axis=0)
    assert (np.abs(fake.mean(axis=0) - real.mean(axis=0)) < 0.1 * span).all()
    ratio = fake.std(axis=0) / real.std(axis=0)
    assert (ratio > 0.5).all() and (ratio < 1.5).all(), ratio
    apart = np.abs(np.corrcoef(fake.T) - np.corrcoef(real.T))
    assert apart.max() < 0.4, apart
    with Image.open(tmp_path / "p.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(10**6)}
    assert {(0, 0, 0), (255, 0, 0), (255, 255, 255)} <= colours


def test_collapse_is_named(tmp_path):
    """After one step all fake rows are nearly alike."""
    rows = np.random.RandomState(0).uniform(0, 1, (80, 30))
    np.savetxt(tmp_path / "real.txt", rows)
    text = output_of("own_table.py", "real.txt", "--steps", 1, cwd=tmp_path)
    assert "MODE COLLAPSE" in text


def test_each_kind_of_collapse(capsys):
    """A column without variation, too little in all, or some rows again and again."""
    own_table = load_tool("tests/recipes/own_table.py")
    real = np.random.RandomState(0).uniform(0, 1, (200, 30))
    flat = real.copy()
    flat[:, 1] = np.linspace(0.4, 0.5, 200)
    narrow = 0.5 + 0.4 * (real - 0.5)
    first_three = real[:, :3]
    repeated = np.tile(first_three[:20], (10, 1))
    cases = [
        (real, real, False),
        (real, flat, True),
        (real, narrow, True),
        (first_three, repeated, True),
    ]
    for rows, fake, collapsed in cases:
        columns = rows.shape[1]
        table = {"names": [f"{j}" for j in range(columns)], "numbers": rows}
        own_table.compare(table, fake, rows, fake, np.ones(columns, bool))
        assert ("MODE COLLAPSE" in capsys.readouterr().out) == collapsed


def test_both_networks_have_the_beta1_of_the_flag(tmp_path, monkeypatch):
    """Adam of the generator and of the discriminator."""
    own_table = load_tool("tests/recipes/own_table.py")
    seen = []
    nnapplygrade = gan_adam.nnapplygrade

    def spy(nn, learning_rate):
        seen.append((nn["architecture"][-1], nn["beta1"], learning_rate))
        return nnapplygrade(nn, learning_rate)

    monkeypatch.setattr(gan_adam, "nnapplygrade", spy)
    np.savetxt(tmp_path / "real.txt", made_up_table())
    flags = ["--steps", "1", "--beta1", "0.3", "--rate-generator", "0.01"]
    flags += ["--rate-discriminator", "0.02", "--out", str(tmp_path / "out.txt")]
    own_table.main(own_table.options([str(tmp_path / "real.txt"), *flags]))
    assert seen == [(4, 0.3, 0.01), (1, 0.3, 0.02)]


SETTINGS = [
    ["--batch-size", "7"],
    ["--batch-size", "all"],
    ["--noise-size", "5"],
    ["--noise-from", "0"],
    ["--hidden", "15"],
    ["--rate-generator", "0.01"],
    ["--rate-discriminator", "0.01"],
    ["--beta1", "0.9"],
    ["--average", "1"],
    ["--seed", "1"],
    ["--scale", "max"],
    ["--gradient", "matlab"],
    ["--steps", "31"],
]


def test_every_setting_counts(tmp_path):
    """The same flags give the same rows; each setting gives others."""
    rows = np.random.RandomState(0).uniform(1, 9, (100, 3))
    np.savetxt(tmp_path / "real.txt", rows, "%.6f")
    own_table = load_tool("tests/recipes/own_table.py")
    texts = []
    for i, more in enumerate([[], [], *SETTINGS]):
        out = tmp_path / f"{i}.txt"
        flags = [str(tmp_path / "real.txt"), "--steps", "30", "--out", str(out)]
        own_table.main(own_table.options([*flags, *more]))
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    assert len(set(texts)) == 1 + len(SETTINGS)


TABLES = {  # the text, and what a line of fake rows looks like
    "commas, header, constant column": (
        'width,"a b",c\r\n1,2.50,7\r\n3,4.25,7\r\n\r\n2,3.00,7\r\n',
        r"[123],[234]\.\d\d,7",
    ),
    "semicolons, decimal comma": ("\ufeffa;b\n1,5;10\n2,5;20\n", r"[12],\d;[12]\d"),
    "decimal commas alone": ("1,5;2,5\n2,5;3,5\n", r"[12],\d;[23],\d"),
    "a long cell": ("1,2\n3," + "0" * 200000 + "4\n", r"[123],[234]"),
    "tabs": ("1\t-5\n2\t-6\n", r"[12]\t-[56]"),
    "spaces, one column": ("  1.5\n  2.5\n 3.25\n", r"[123]\.\d\d"),
    "spaces, 1e5": ("1e5 2e-3\n3e5 4e-3\n", r"[123]\d{5} 0\.00[234]"),
}


@pytest.mark.parametrize("name", TABLES)
def test_forms_of_tables(name, tmp_path):
    """Header, separator, digits and constant columns are those of the table."""
    text, line = TABLES[name]
    (tmp_path / "real.txt").write_bytes(text.encode("utf-8"))
    flags = ["--steps", 3, "--rows", 5, "--plot", "p.png"]
    said = output_of("own_table.py", "real.txt", *flags, cwd=tmp_path)
    fake = (tmp_path / "fake.csv").read_text().splitlines()
    if text[0] in "w\ufeff":  # those with a header
        assert fake.pop(0) == text.splitlines()[0].lstrip("\ufeff")
    assert len(fake) == 5 and all(re.fullmatch(line, x) for x in fake), fake
    assert "nan" not in said


BAD_TABLES = {
    "": ["empty"],
    "a,b\n": ["0 rows"],
    "1,2\n": ["1 rows"],
    "1,2\n1,2\n": ["constant"],
    "a,b\n1,2\n3,\n": ["line 3 (row 2), column 2 is empty"],
    "1 2\n\n3 x\n": ["line 3 (row 2), column 2 is 'x'"],
    "1,NaN\n3,4\n": ["line 1 (row 1), column 2 is 'NaN'"],
    "1;2\n3;Inf\n": ["line 2 (row 2), column 2 is 'Inf'"],
    '1,2\n3,"1,234"\n': ["line 2 (row 2), column 2 is '1,234'"],
    "1,2\n3\n": ["line 2 has 1 cells"],
    "PK\0\0": ["Excel"],
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_bad_tables(text, tmp_path):
    (tmp_path / "real.csv").write_text(text)
    assert_refused("own_table.py", ["real.csv"], BAD_TABLES[text], tmp_path)


def test_bad_flags_of_tables(tmp_path):
    (tmp_path / "real.csv").write_text("1,-2\n3,4\n")
    (tmp_path / "old.csv").write_text("old")
    bad = [
        (["none.csv"], ["none.csv"]),
        (["real.csv", "--out", "old.csv"], ["old.csv", "--force"]),
        (["real.csv", "--plot", "old.csv"], [".png"]),
        (["real.csv", "--out", "real.csv", "--force"], ["table itself"]),
        (["real.csv", "--out", "none/a.csv"], ["folder"]),
        (["real.csv", "--scale", "max"], ["column 2", "minmax"]),
        (["real.csv", "--out", "a.png", "--plot", "a.png"], ["two files"]),
        (["real.csv", "--steps", "0"], ["--steps"]),
        (["real.csv", "--rows", "0"], ["--rows"]),
        (["real.csv", "--batch-size", "some"], ["--batch-size some"]),
        (["real.csv", "--noise-from", "1"], ["--noise-from"]),
        (["real.csv", "--rate-generator", "nan"], ["--rate-generator"]),
        (["real.csv", "--beta1", "1"], ["--beta1"]),
        (["real.csv", "--seed", "-1"], ["--seed"]),
        ([], ["--help"]),
    ]
    for flags, words in bad:
        assert_refused("own_table.py", flags, words, tmp_path)
    assert (tmp_path / "old.csv").read_text() == "old"
    flags = ["--out", "old.csv", "--force", "--steps", 2]
    output_of("own_table.py", "real.csv", *flags, cwd=tmp_path)
    assert (tmp_path / "old.csv").read_text() != "old"
    # a constant column below 0 does not matter
    (tmp_path / "real.csv").write_text("1,-2\n3,-2\n")
    flags = ["--out", "constant.csv", "--scale", "max", "--steps", 2]
    output_of("own_table.py", "real.csv", *flags, cwd=tmp_path)
    rows = (tmp_path / "constant.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows] == ["-2", "-2"]


@POSIX
def test_progress_and_ctrl_c(tmp_path):
    """A terminal shows the step; Ctrl-C ends in one line, and nothing is written."""
    pty = pytest.importorskip("pty")
    np.savetxt(tmp_path / "real.txt", made_up_table())
    command = [sys.executable, os.path.join(RECIPES, "own_table.py"), "real.txt"]
    command += ["--steps", "100000000"]
    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=its_end,
        # a shell's background jobs ignore SIGINT, and so would what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as program:
        os.close(its_end)
        said = b""
        while b"s left" not in said:
            said += os.read(terminal, 1000)
        program.send_signal(signal.SIGINT)
        while b"\n" not in said:
            said += os.read(terminal, 1000)
        assert program.wait(timeout=60) == 130
    os.close(terminal)
    assert b"step " in said and b"d_loss" in said and b"Traceback" not in said
    assert said.endswith(b"stopped; nothing was written\r\n")
    assert os.listdir(tmp_path) == ["real.txt"]


# ------------------------------------------------------------------------ own_images.py


def corner_picture():
    """A picture (28, 28) that is another one when turned, mirrored or transposed."""
    picture = np.zeros((28, 28), np.uint8)
    picture[:5, :12] = 200
    picture[5:9, :2] = 90
    return picture


@pytest.fixture
def pictures(tmp_path):
    """A folder with 1.png .. 17.png, and with files that are not to be read."""
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for i in range(1, 18):
        picture = corner_picture()
        picture[20, 20] = i
        Image.fromarray(picture).save(folder / f"{i}.png")
    (folder / "._1.png").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_images_are_upright_and_in_order(pictures, tmp_path):
    """What gan_adam.py reads is what the folder has, 2.png before 10.png."""
    said = output_of("own_images.py", pictures, "out.mat", cwd=tmp_path)
    assert loadmat(tmp_path / "out.mat")["train_x"].dtype == np.uint8
    train_x = gan_adam.load_train_x(str(tmp_path / "out.mat"), 17)
    for i in range(17):
        expected = corner_picture()
        expected[20, 20] = i + 1
        found = train_x[i].reshape(28, 28, order="F")
        assert np.array_equal(found, expected)
    assert "17 pictures, 1.png .. 17.png" in said and "--invert" not in said


def test_printed_command_trains(pictures, tmp_path):
    """The command for --data, in the last line, runs as it stands there."""
    said = output_of("own_images.py", pictures, "my out.mat", cwd=tmp_path)
    python, script, *flags = shlex.split(said.splitlines()[-1])
    assert (python, script) == ("python", "gan_adam.py")
    assert flags[-4:] == ["--images-num", "17", "--batch-size", "17"]
    end = run_script("gan_adam", *flags, "--epoch", 1, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    assert "epoch_1_t_1.png" in end.stdout


FORMS = {  # the file, and what is saved into it
    "a.jpg": lambda x: Image.fromarray(x),
    "a.BMP": lambda x: Image.fromarray(x),
    "a.gif": lambda x: Image.fromarray(x),
    "a.png": lambda x: Image.fromarray(np.stack([x, x, x], axis=2)),
    "palette.png": lambda x: Image.fromarray(x).convert("P"),
    "transparent.png": lambda x: Image.merge(
        "LA", [Image.new("L", (28, 28), 255), Image.fromarray(x)]
    ),
    "bits16.png": lambda x: Image.fromarray(x.astype(np.uint16) * 257),
    "a.tif": lambda x: Image.fromarray(x.astype(np.float32) / 255),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_pictures(name, pictures, tmp_path):
    """Every kind of file gives the same greys."""
    FORMS[name](corner_picture()).save(pictures / name, quality=95)
    output_of("own_images.py", pictures, "out.mat", cwd=tmp_path)
    train_x = loadmat(tmp_path / "out.mat")["train_x"].astype(int)
    last = train_x[-1].reshape(28, 28)  # letters come after digits
    limit = 30 if name == "a.jpg" else 1
    assert np.abs(last - corner_picture()).max() <= limit


def test_size_and_middle(pictures, tmp_path):
    """A large picture keeps its proportions, and --invert makes dark ink white."""
    large = np.full((60, 120), 255, np.uint8)
    large[:30, :60] = 0  # ink in the upper left quarter
    Image.fromarray(large).save(pictures / "wide.png")
    Image.fromarray(large.T).save(pictures / "x_tall.png")
    output_of("own_images.py", pictures, "out.mat", "--invert", cwd=tmp_path)
    wide, tall = loadmat(tmp_path / "out.mat")["train_x"][-2:].reshape(2, 28, 28)
    expected = np.zeros((28, 28), bool)
    expected[7:14, :14] = True  # 14 rows in the middle, the upper half of their left
    assert np.array_equal(wide > 127, expected)
    assert np.array_equal(tall > 127, expected.T)


def test_white_pictures_are_remarked(pictures, tmp_path):
    for path in pictures.glob("[0-9]*.png"):
        Image.new("L", (28, 28), 250).save(path)
    said = output_of("own_images.py", pictures, "out.mat", cwd=tmp_path)
    assert "again with --invert --force" in said
    for path in pictures.glob("[0-9]*.png"):
        Image.new("L", (28, 28), 5).save(path)
    flags = ["out.mat", "--invert", "--force"]
    said = output_of("own_images.py", pictures, *flags, cwd=tmp_path)
    assert "again without --invert, with --force" in said


def test_bad_folders(pictures, tmp_path):
    (tmp_path / "old.mat").write_text("old")
    (tmp_path / "few").mkdir()
    Image.fromarray(corner_picture()).save(tmp_path / "few" / "1.png")
    bad = [
        (["none", "out.mat"], ["none", "not a folder"]),
        (["few", "out.mat"], ["few", "1 pictures", "at least 16"]),
        ([pictures, "old.mat"], ["old.mat", "--force"]),
        ([pictures, "out.png"], [".mat"]),
        ([pictures, "none/out.mat"], ["folder"]),
        ([pictures], ["--help"]),
    ]
    for flags, words in bad:
        assert_refused("own_images.py", flags, words, tmp_path)
    assert (tmp_path / "old.mat").read_text() == "old"
    output_of("own_images.py", pictures, "old.mat", "--force", cwd=tmp_path)
    (pictures / "18.png").write_bytes(b"not a picture")
    flags = [pictures, "out.mat"]
    assert_refused("own_images.py", flags, ["18.png", "cannot be read"], tmp_path)
