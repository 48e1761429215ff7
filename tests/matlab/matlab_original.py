"""The original gan_adam.m and gan_mbgd.m, for tests; this repository lacks them."""

import os

NAMES = ("gan_adam.m", "gan_mbgd.m")
HOW = (
    "the original scripts are missing: "
    "set GAN_MATLAB_DIR=folder with gan_adam.m and gan_mbgd.m"
)


def original():
    """The folder GAN_MATLAB_DIR with both original scripts; None if that is not set.

    Raises FileNotFoundError if it is set and lacks one of them.
    """
    given = os.environ.get("GAN_MATLAB_DIR")
    if not given:
        return None
    for name in NAMES:
        if not os.path.isfile(os.path.join(given, name)):
            raise FileNotFoundError(f"GAN_MATLAB_DIR={given} has no {name}")
    return os.path.abspath(given)
