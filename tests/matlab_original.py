"""The original gan_adam.m and gan_mbgd.m, for tests. They are not part of this repository."""

import glob
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMES = ("gan_adam.m", "gan_mbgd.m")
HOW = "the original scripts are not here: set GAN_MATLAB_DIR=folder with gan_adam.m and gan_mbgd.m"


def original(folder):
    """A folder that has both original scripts, or None when there is no source for them.

    The folder is the environment variable GAN_MATLAB_DIR, or else `folder` (made when missing),
    where they are put together from the article in ../shared/seed/*.txt beside the repository.
    Raises FileNotFoundError when GAN_MATLAB_DIR is set and lacks one of them.
    """
    given = os.environ.get("GAN_MATLAB_DIR")
    if given:
        for name in NAMES:
            if not os.path.isfile(os.path.join(given, name)):
                raise FileNotFoundError(f"GAN_MATLAB_DIR={given} has no {name}")
        return os.path.abspath(given)
    for file in sorted(glob.glob(os.path.join(ROOT, "..", "shared", "seed", "*.txt"))):
        with open(file, encoding="utf-8") as f:
            scripts = cut(f.read())
        if scripts:
            os.makedirs(folder, exist_ok=True)
            for name, text in zip(NAMES, scripts, strict=True):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                    f.write(text)
            return str(folder)
    return None


def cut(article):
    """The texts of gan_adam.m and gan_mbgd.m from the article's, or None if it is another article.

    The article has all of gan_adam.m, from "clear;" to the heading "results", and later only the
    function nnapplygrade of gan_mbgd.m. Its other lines are those of gan_adam.m without what only
    Adam needs, and its learning rate is 0.01.
    """
    start, update, save = "clear;\nclc;\n", "% 应用梯度\n", "% 保存图片"
    if article.count(start) != 1 or article.count(update) != 2:
        return None
    adam, rest = article[article.index(start) :].split("\n结果\n", 1)
    adam += "\n"
    rest = rest[rest.index(update) :]
    rest = rest[: rest.index("\n结果") + 1]
    mbgd = adam[: adam.index(update)] + rest + adam[adam.index(save) :]
    lines = mbgd.replace("learning_rate = 0.001;", "learning_rate = 0.01;").splitlines(True)
    only_adam = ("% t,beta1", "nn.t = ", "nn.beta", "nn.epsilon = ")
    only_adam += tuple(f"nn.layers{{i}}.{x} = 0;" for x in ("w_m", "w_v", "b_m", "b_v"))
    return adam, "".join(x for x in lines if not x.strip().startswith(only_adam))
