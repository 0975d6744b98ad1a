"""Pictures made by rule: a shape in a texture on a coloured ground, for tests and for what runs inside the book."""

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

SHAPES = ("disc", "square", "triangle", "cross", "ring")
TEXTURES = ("plain", "rows", "columns", "checks")
SIDE = 32  # pixels
NOISE = 25  # each colour of each pixel is off by at most so much
Array = np.ndarray


def paint(count: int, seed: int) -> tuple[UInt8[Tensor, "pictures 32 32 3"], Int64[Tensor, " pictures"]]:
    """`count` pictures of each of the 20 classes, class after class.

    Class k is shape k mod 5 in texture k mod 4, so that each pair is one class. Place (within 6 pixels of the middle),
    size (radius 7 to 12), the period of the texture (4 to 6) and three colours (of shape, texture and ground) are drawn
    anew for each picture. Only sums, products and comparisons are used: the bytes are the same on every machine.
    """
    random = np.random.RandomState(seed)  # numpy promises that its numbers never change
    labels = np.repeat(np.arange(len(SHAPES) * len(TEXTURES)), count)
    n = len(labels)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    shift = random.randint(-6, 7, size=(2, n, 1, 1))
    radius, period = random.randint(7, 13, size=(n, 1, 1)), random.randint(4, 7, size=(n, 1, 1))
    inside = stack(outlines(x - shift[0], y - shift[1], radius), labels % len(SHAPES))
    second = stack(patterns(x - shift[0], y - shift[1], period), labels % len(TEXTURES))
    shape, texture, ground = random.randint(0, 256, size=(3, n, 1, 1, 3))
    texture = np.where(np.abs(texture - shape).sum(-1, keepdims=True) < 200, 255 - shape, texture)
    pictures = np.where(inside[..., None], np.where(second[..., None], texture, shape), ground)
    pictures = pictures + random.randint(-NOISE, NOISE + 1, size=pictures.shape)
    return torch.from_numpy(pictures.clip(0, 255).astype(np.uint8)), torch.from_numpy(labels.astype(np.int64))


def outlines(x: Array, y: Array, r: Array) -> list[Array]:
    """Which pixels, at (x, y) from the centre, lie inside each of `SHAPES` of radius r."""
    squared, across = x * x + y * y, np.maximum(np.abs(x), np.abs(y))
    return [
        squared <= r * r,
        across <= 0.85 * r,
        (y <= 0.8 * r) & (2 * np.abs(x) <= y + r),
        (np.minimum(np.abs(x), np.abs(y)) <= 0.35 * r) & (across <= r),
        (squared <= r * r) & (squared >= 0.35 * r * r),
    ]


def patterns(x: Array, y: Array, period: Array) -> list[Array]:
    """Which pixels have the second colour of each of `TEXTURES`."""
    rows, columns = (2 * y) % (2 * period) < period, (2 * x) % (2 * period) < period
    return [np.zeros_like(rows), rows, columns, rows ^ columns]


def stack(choices: list[Array], which: Array) -> Array:
    """For each picture, the one of the choices that its number names."""
    return np.stack(choices)[which, np.arange(len(which))]
