"""The golden records with other kernels of OpenBLAS, which add in another order."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, SCRIPTS, TESTS
from scipy.io import loadmat

RTOL = {"gan_adam": 1e-11, "gan_mbgd": 1e-12}  # as in test_run.py

RUN = """
import sys
from threadpoolctl import threadpool_info
import {name} as gan
print("kernels", [x.get("architecture") for x in threadpool_info()])
gan.main(gan.options(sys.argv[1:]))
"""


@pytest.mark.parametrize("kernel", ["Prescott", "Sandybridge", "Haswell", "SkylakeX"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_kernel(name, kernel, tmp_path):
    """100 steps agree with Octave's as closely as this machine's own kernel does."""
    pytest.importorskip("threadpoolctl")
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ROOT}
    flags = ["--images-num", "6000", "--epoch", "1", "--checkpoint", "run.mat"]
    end = subprocess.run(
        [sys.executable, "-c", RUN.format(name=name), *flags],
        cwd=tmp_path,
        env=env | {"OPENBLAS_CORETYPE": kernel},
        capture_output=True,
        text=True,
    )
    # it did not end by itself: as Haswell's of OpenBLAS 0.3.34 on some machines
    if end.returncode not in (0, 1, 2):
        pytest.skip(f"OpenBLAS crashes with the kernel {kernel} on this machine")
    assert end.returncode == 0, end.stderr
    # newer ones call Prescott's so
    if f"'{kernel}'" not in end.stdout.splitlines()[0].replace("Katmai", "Prescott"):
        pytest.skip("this processor or NumPy's BLAS has no such kernel")
    golden = loadmat(os.path.join(TESTS, "matlab", f"octave_{name}_seed0_6000x2.mat"))
    run = loadmat(tmp_path / "run.mat")
    for loss in "c_loss", "d_loss":
        assert run[loss].shape == (100, 1)
        np.testing.assert_allclose(run[loss], golden[loss][:100], rtol=RTOL[name])
