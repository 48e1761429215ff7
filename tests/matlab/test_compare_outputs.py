"""compare_outputs.py on pictures and logs that are made up here."""

import contextlib
import io
import os
import subprocess
import sys

import compare_outputs
import numpy as np
import pytest
from PIL import Image


def compare(*words):
    """Run compare_outputs.py with `words`: (exit status, output, error output)."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                status = compare_outputs.main([str(x) for x in words])
            except SystemExit as end:
                status = end.code
    return status, out.getvalue(), err.getvalue()


def last_line(*words):
    """Compare: (exit status, the last line)."""
    status, out, err = compare(*words)
    assert err == ""
    return status, out.splitlines()[-1]


def refused(*words):
    """Check for status 2, one line on standard error, no verdict; returns the line."""
    status, out, err = compare(*words)
    assert (status, err.count("\n")) == (2, 1), (status, out, err)
    assert err.startswith("compare_outputs.py: ") and "equal" not in out
    return err


# ----------------------------------------------------------------------------- pictures


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture
def folders(tmp_path):
    """Two folders with the same picture, in one of them with 16 bits."""
    a = tmp_path / "a"
    b = tmp_path / "b"
    a.mkdir()
    b.mkdir()
    save(GREY, a / "epoch_1_t_10.png")
    wide = GREY.astype(np.uint16) * 257  # 16 bits, as Octave writes them
    wide[1:15] += 128  # still rounds to the same
    save(wide, b / "epoch_1_t_10.png")
    return a, b


def save(levels, file):
    Image.fromarray(levels).save(file)


def test_equal_pictures(folders):
    status, out, _ = compare("--pictures", *folders)
    assert status == 0 and out.splitlines()[-1].startswith("equal: 1 pictures")
    line = "epoch_1_t_10.png: largest difference 0 grey levels, 0 of 256 pixels differ"
    assert out.splitlines()[0] == line


def test_a_picture_rounded_otherwise(folders):
    wide = GREY.astype(np.uint16) * 257
    wide[3, 3] += 129  # rounds up
    save(wide, folders[1] / "epoch_1_t_10.png")
    status, out, _ = compare("--pictures", *folders)
    assert status == 0
    assert "largest difference 1 grey levels, 1 of 256 pixels differ" in out


def test_missing_pictures(folders):
    a, b = folders
    for e in 10, 2, 3:
        save(GREY, a / f"epoch_{e}_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 3 and f"missing in {b}: 3, epoch_2_t_10.png the first" in out
    assert not any(x.startswith("equal:") for x in out.splitlines())


def test_different_pictures(folders):
    a, b = folders
    other = GREY.copy()
    other[0, :2] += 5
    save(other, b / "epoch_1_t_10.png")
    save(GREY, a / "epoch_0_t_10.png")  # that others are missing changes nothing
    status, out, _ = compare("--pictures", a, b)
    assert status == 1 and out.splitlines()[-1].startswith("different")
    assert "largest difference 5 grey levels, 2 of 256 pixels differ" in out
    other[0, :2] -= 3  # 2 levels are too many, 1 is not: see above
    save(other, b / "epoch_1_t_10.png")
    assert compare("--pictures", a, b)[0] == 1
    save(GREY[:8], b / "epoch_1_t_10.png")
    status, out, _ = compare("--pictures", a, b)
    assert status == 1 and "sizes differ, 16 x 16 and 16 x 8 pixels" in out


def test_pictures_that_rounding_may_change(folders):
    """After many steps, which the names tell: as for the losses of logs."""
    a, b = folders
    for e in 1, 2:
        save(GREY, a / f"epoch_{e}_t_500.png")
        save(GREY if e == 1 else GREY.T, b / f"epoch_{e}_t_500.png")
    words = ["--pictures", a, b]
    assert last_line(*words, "--script", "gan_mbgd")[0] == 1
    status, last = last_line(*words, "--script", "gan_adam")
    assert status == 3 and last.startswith("equal up to epoch 1; beyond it rounding")
    assert "epoch 2 ends with step 1000" in last
    status, last = last_line(*words)
    assert status == 3 and last.endswith("are different: --script gan_mbgd")
    save(GREY.T, b / "epoch_1_t_500.png")  # after 500 steps rounding is no excuse
    assert last_line(*words)[0] == 1
    save(GREY[:8], b / "epoch_2_t_500.png")
    save(GREY, b / "epoch_1_t_500.png")
    assert last_line(*words)[0] == 1  # nor for another size
    for folder, levels in (a, GREY), (b, GREY.T):
        save(levels, folder / "any.png")
    for folder in a, b:
        (folder / "epoch_2_t_500.png").unlink()
    status, last = last_line(*words)
    assert status == 1 and "any.png" in last


def test_the_files_that_macos_leaves(folders):
    """A ._name.png is not a picture, whichever folder it is in."""
    for folder in folders:
        (folder / "._epoch_1_t_10.png").write_bytes(b"\0\5\x16\7 of the Finder")
        status, last = last_line("--pictures", *folders)
        assert status == 0 and last.startswith("equal: 1 pictures"), last


def test_bad_pictures(folders, tmp_path):
    a, b = folders
    assert "no .png file" in refused("--pictures", a, tmp_path)
    assert "cannot be read" in refused("--pictures", a, tmp_path / "missing")
    (b / "epoch_1_t_10.png").write_bytes(b"text")
    assert "not a picture" in refused("--pictures", a, b)


# --------------------------------------------------------------------------------- logs


def losses_line(c_loss, d_loss):
    return f'c_loss:"{c_loss}",d_loss:"{d_loss}"'


def picture_line(epoch, t):
    return f"save_sample:./pics/epoch_{epoch}_t_{t}.png"


LINES = [
    losses_line("4.231139", "0.327198"),
    picture_line(1, 10),
    losses_line("NaN", "0.358400"),
    picture_line(2, 10),
]


@pytest.fixture
def logs(tmp_path):
    """A log with LINES, and the path of one to be written."""
    a = tmp_path / "a.txt"
    a.write_text("\n".join(LINES))
    return a, tmp_path / "b.txt"


def test_equal_logs(logs):
    for text in (
        "\r\n".join(LINES).replace("0.327198", "0.327199").encode(),
        (">> gan_adam\n" + "\n".join(LINES)).encode(),
        ("\ufeff" + "\n".join(LINES)).encode(),
        "\r\n".join(LINES).encode("utf-16"),  # PowerShell's >
        "\r\n".join(LINES).encode("utf-16-le"),
    ):
        logs[1].write_bytes(text)
        status, out, _ = compare("--logs", *logs)
        assert status == 0, text
        assert out.splitlines()[-1] == "equal: 2 epochs, to the last digit printed"
    assert out.splitlines()[2].split() == ["2", "nan", "nan", "0.358400", "0.358400"]


@pytest.mark.parametrize("script", [[], ["--script", "gan_adam"]])
@pytest.mark.parametrize(
    "old, new", [("0.358400", "0.358403"), ("NaN", "4.5"), ("NaN", "Inf")]
)
def test_different_logs(logs, old, new, script):
    logs[1].write_text("\n".join(LINES).replace(old, new))
    status, last = last_line("--logs", *logs, *script)
    assert status == 1, last
    assert last.startswith("different: from epoch 2 on (epoch 2 ends with step 20)")


def test_logs_of_losses_alone(logs):
    """Epochs count 1, 2, 3, ... where no line of a picture says where one ends."""
    logs[1].write_text("\n".join(LINES[::2]))
    status, out, _ = compare("--logs", *logs)
    assert status == 0 and out.splitlines()[-1].startswith("equal: 2 epochs")
    logs[0].write_text("\n".join(LINES[::2]))
    assert compare("--logs", *logs)[0] == 0
    logs[1].write_text("\n".join([LINES[2], LINES[0]]))
    assert compare("--logs", *logs, "--script", "gan_mbgd")[0] == 1


def test_losses_printed_in_between(logs):
    """The last ones before the picture of an epoch's end count."""
    others = [losses_line("1.5", "2.5"), losses_line("3.5", "0.5")]
    logs[1].write_text("\n".join([*others, *LINES[:2], others[1], *LINES[2:], *others]))
    assert last_line("--logs", *logs) == (
        0,
        "equal: 2 epochs, to the last digit printed",
    )
    # and pictures too
    between = [others[0], picture_line(1, 5)]
    logs[1].write_text("\n".join([*between, *LINES]))
    assert compare("--logs", *logs)[0] == 0
    logs[1].write_text("\n".join([*LINES[:2], *between[:1], LINES[3]]))
    status, last = last_line("--logs", *logs)
    assert status == 1 and last.startswith("different: from epoch 2 on")


def log_of(epochs, t, wrong_from):
    """A log with pictures, its losses others from the epoch `wrong_from` on."""
    lines = []
    for e in range(1, epochs + 1):
        loss = f"{e + (0.5 if e >= wrong_from else 0)}"
        lines += [losses_line(loss, "0.5"), picture_line(e, t)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "script, t, last_clear",  # the last epoch at which rounding does not decide
    [
        ("gan_adam", 100, 7),
        ("gan_adam", 700, 1),
        ("gan_mbgd", 1000, 5),
        ("gan_mbgd", 2500, 2),
    ],
)
def test_where_rounding_may_decide(logs, script, t, last_clear):
    """Different up to there; beyond it, equal up to the last epoch that is equal."""
    words = ["--logs", *logs, "--script", script]
    logs[0].write_text(log_of(9, t, 99))
    for wrong in range(1, 10):
        logs[1].write_text(log_of(9, t, wrong))
        status, last = last_line(*words)
        if wrong <= last_clear:
            assert status == 1 and last.startswith(f"different: from epoch {wrong} on")
            continue
        assert status == 3, (wrong, last)
        assert last.startswith(
            f"equal up to epoch {wrong - 1}; beyond it rounding may decide, in {script}"
        )
        assert f"epoch {wrong} ends with step {wrong * t}" in last


def test_the_first_losses_may_be_too_late(logs):
    """gan_adam with all images: after the 1000 steps of epoch 1 rounding decides."""
    logs[0].write_text(log_of(2, 1000, 9))
    logs[1].write_text(log_of(2, 1000, 1))
    status, last = last_line("--logs", *logs, "--script", "gan_adam")
    assert status == 3 and last.startswith("nothing can be told: rounding may"), last
    assert compare("--logs", *logs, "--script", "gan_mbgd")[0] == 1


def test_logs_of_an_unknown_script(logs):
    """Where the scripts differ in what rounding does, the line says both."""
    logs[0].write_text(log_of(9, 1000, 99))
    expected = {1: 3, 2: 3, 5: 3, 6: 3}
    for wrong, status in expected.items():
        logs[1].write_text(log_of(9, 1000, wrong))
        found, last = last_line("--logs", *logs)
        assert found == status
        assert "gan_adam after some 700 steps" in last
        assert "gan_mbgd after some 5000 steps" in last
        assert ("--script gan_mbgd" in last) == (wrong <= 5)
    logs[0].write_text(log_of(9, 100, 99))
    for wrong, status in {7: 1, 8: 3}.items():
        logs[1].write_text(log_of(9, 100, wrong))
        assert compare("--logs", *logs)[0] == status


def test_steps_where_no_picture_says_them(logs):
    """An epoch has 1000 steps, unless the other log says how many it has."""
    losses = [x for x in log_of(9, 100, 99).splitlines() if x[0] == "c"]
    logs[0].write_text("\n".join(losses))
    logs[1].write_text(log_of(9, 100, 7))
    assert compare("--logs", *logs)[0] == 1
    assert compare("--logs", *reversed(logs))[0] == 1
    # where both say it, the fewest steps count
    logs[0].write_text(log_of(9, 1000, 99))
    for both in logs, logs[::-1]:
        assert compare("--logs", *both)[0] == 1
    logs[0].write_text("\n".join(losses))
    wrong = [x for x in log_of(9, 100, 7).splitlines() if x[0] == "c"]
    logs[1].write_text("\n".join(wrong))
    status, last = last_line("--logs", *logs)
    assert status == 3 and "epoch 7 ends with step 7000, if 1000 an epoch" in last


def test_logs_with_gaps(logs):
    """Epochs go by their numbers: with one missing, nothing is just equal."""
    a, b = logs
    b.write_text("\n".join(LINES[:2]))
    status, out, _ = compare("--logs", a, b)
    assert status == 3
    assert f"equal in the 1 epochs that both have: {a} has 2, {b} has 1" in out
    b.write_text("\n".join(LINES[2:]))
    assert compare("--logs", a, b)[0] == 3
    b.write_text("\n".join([*LINES[:2], LINES[3]]))  # a picture without losses
    assert compare("--logs", a, b)[0] == 3
    a.write_text("\n".join([*LINES[:2], LINES[0], LINES[3]]))
    assert compare("--logs", a, b)[0] == 3
    third = [x.replace("epoch_2", "epoch_3") for x in LINES[2:]]
    b.write_text("\n".join(LINES[:2] + third))
    assert compare("--logs", a, b)[0] == 3
    b.write_text("\n".join(third))
    assert "no epoch in common" in refused("--logs", a, b)


@pytest.mark.parametrize(
    "text, words",
    [
        ("\n".join(LINES + LINES), "more than one run: epoch 2 is followed by epoch 1"),
        ("\n".join(LINES[:2] * 2), "more than one run: epoch 1 is followed by epoch 1"),
        ("nothing", "no line like"),
        ("", "no line like"),
        ("\n".join([LINES[1], LINES[0]]), "no losses before"),
        ("\n".join(LINES).replace("4.2", "4,2"), "not two numbers"),
    ],
)
def test_bad_logs(logs, text, words):
    logs[1].write_text(text)
    line = refused("--logs", *logs)
    assert words in line and str(logs[1]) in line


def test_missing_logs(logs):
    assert "cannot be read" in refused("--logs", *logs)
    assert not os.path.exists(logs[1])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--logs", "a", "b", "--pictures", "a", "b"],
        ["--logs", "a"],
        ["--logs", "a", "b", "--script", "gan_sgd"],
        ["record.mat"],
    ],
)
def test_bad_command_lines(words):
    refused(*words)


def test_as_a_program(logs):
    """Its exit status and its one line on standard error."""
    logs[1].write_text("\n".join(LINES).replace("NaN", "4.5"))
    command = [sys.executable, compare_outputs.__file__, "--logs"]
    for second, status in (logs[0], 0), (logs[1], 1), ("missing", 2):
        words = [*command, logs[0], second]
        end = subprocess.run(words, capture_output=True, text=True)
        assert (end.returncode, end.stderr.count("\n")) == (status, status == 2)
    # names that the output cannot show, and an output that takes nothing
    strange = logs[0].rename(logs[0].parent / "图.log")
    words = [*command, strange, logs[1]]
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii"}
    end = subprocess.run(words, capture_output=True, text=True, env=narrow)
    assert (end.returncode, end.stderr) == (1, "")
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            end = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
        assert end.returncode == 2 and end.stderr.count("\n") == 1, end.stderr
        assert "No space left" in end.stderr
