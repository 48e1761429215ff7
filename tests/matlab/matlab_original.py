"""The original gan_adam.m and gan_mbgd.m, for tests. They are not part of this repository."""

import os

NAMES = ("gan_adam.m", "gan_mbgd.m")
HOW = "the original scripts are not here: set GAN_MATLAB_DIR=folder with gan_adam.m and gan_mbgd.m"


def original():
    """The folder that has both original scripts, from GAN_MATLAB_DIR; None where it is not set.

    Raises FileNotFoundError when it is set and lacks one of them.
    """
    given = os.environ.get("GAN_MATLAB_DIR")
    if not given:
        return None
    for name in NAMES:
        if not os.path.isfile(os.path.join(given, name)):
            raise FileNotFoundError(f"GAN_MATLAB_DIR={given} has no {name}")
    return os.path.abspath(given)
