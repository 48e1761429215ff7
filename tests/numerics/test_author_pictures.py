"""The author's published pictures, made by real MATLAB, and what the port says of them.

sgd-result-1.png and sgd-result-2.png of github.com/jonzhaocn/Simple-GAN-Base-on-Matlab
(BSD-2-Clause) are the pictures after epochs 11 and 13 of gan_sgd.m, the first form of
gan_mbgd.m, with weight decay; made by MATLAB on 2018-05-06. They are not part of this
repository: GAN_EVIDENCE_DIR names a folder that has them in author_pictures/.

Plain descent leaves most of the start weights in place. So what tells the 16 samples of
a picture apart comes from the start weights and from the last batch's noise. Both are
known: they are MATLAB's random numbers, from 535,432,514 pairs of words on after a
fresh start, a place that was found by search. This is no proof to the bit, but it joins
real MATLAB's output of this very script to the port: the start numbers and their
layout, unifrnd's layout, the numbers that an epoch takes, and save_images.
"""

import functools
import os

import numpy as np
import pytest
from PIL import Image

import gan_mbgd as gan

START = 535_432_514  # pairs of 32-bit words drawn before nnsetup
EPOCHS = {"sgd-result-1.png": 11, "sgd-result-2.png": 13}


def picture(name):
    """The 16 samples of an author's picture, (16, 784), rows as for gan.save_images."""
    folder = os.environ.get("GAN_EVIDENCE_DIR", ".")
    file = os.path.join(folder, "author_pictures", name)
    if not os.path.isfile(file):
        pytest.skip("set GAN_EVIDENCE_DIR, see above")
    with Image.open(file) as image:
        grid = np.asarray(image)
    tiles = grid.reshape(4, 28, 4, 28).transpose(0, 2, 3, 1)  # (row, col, column, row)
    return tiles.reshape(16, 784)


@functools.cache
def state_before():
    """MATLAB's stream a pair before START."""
    gan.rng(0)
    for left in range(START - 1, 0, -(2**21)):  # together they are 4 GB
        gan.stream.bytes(8 * min(left, 2**21))
    return gan.stream.get_state()


@functools.cache
def predictions(shift=0):
    """What tells the first 16 samples apart, by epoch, 1..15: (16, 784), as logits.

    shift: how many pairs off START the stream begins, -1..1.
    """
    gan.stream.set_state(state_before())
    gan.rand(1, 1 + shift)
    generator = gan.nnsetup([100, 512, 784])
    gan.nnsetup([784, 512, 1])
    by_epoch = {}
    for e in range(1, 16):
        gan.randperm(60000)
        for _ in range(1000):
            noise = gan.unifrnd(-1, 1, 60, 100)
        gan.nnff(generator, noise)
        by_epoch[e] = generator["layers"][-1]["z"][:16]
    return by_epoch


def correlation(samples, predicted):
    """How far the differences between the samples are those predicted: -1..1.

    Only of pixels that are neither black nor white in any sample.
    """
    grey = ((samples >= 6) & (samples <= 249)).all(axis=0)
    assert grey.sum() > 100
    share = samples[:, grey] / 255
    logits = np.log(share / (1 - share))
    logits = logits - logits.mean(axis=0)
    predicted = predicted[:, grey] - predicted[:, grey].mean(axis=0)
    return np.corrcoef(logits.ravel(), predicted.ravel())[0, 1]


@pytest.mark.parametrize("name", EPOCHS)
def test_the_authors_pictures(name):
    """Above 0.7 at the picture's epoch only; one pair off, or transposed: nothing."""
    samples, epoch = picture(name), EPOCHS[name]
    right = predictions()
    assert correlation(samples, right[epoch]) > 0.7
    for e in right.keys() - {epoch}:
        assert abs(correlation(samples, right[e])) < 0.15
    for shift in -1, 1:
        for predicted in predictions(shift).values():
            assert abs(correlation(samples, predicted)) < 0.15
    transposed = samples.reshape(16, 28, 28).transpose(0, 2, 1).reshape(16, 784)
    assert abs(correlation(transposed, right[epoch])) < 0.15
