"""Pictures that look like something: drawn, small, and the same for the same numbers."""

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint16]
Colour = NDArray[np.uint8]


def _plane(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of each pixel, from -1 to 1 downwards and to the right."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return y, x


def _ellipse(
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    centre: tuple[float, float],
    radii: tuple[float, float],
) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((y - centre[0]) / radii[0]) ** 2 + (
        (x - centre[1]) / radii[1]
    ) ** 2 < 1
    return inside


def _grain(shape: tuple[int, ...], amount: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(-amount, amount + 1, shape)


def _to_12_bits(picture: NDArray[np.float64] | NDArray[np.int64]) -> Gray:
    clipped: Gray = np.clip(picture, 0, 4095).astype(np.uint16)
    return clipped


def draw_thorax_slice(position: float, seed: int) -> Gray:
    """A slice of a chest, 128 x 128, 12 bits; stored value less 1024 is in Hounsfield units.

    Args:
        position: 0 at the top of the lungs, 1 at their base.
    """
    y, x = _plane(128, 128)
    body = np.full(y.shape, -1000)
    body[_ellipse(y, x, (0, 0), (0.72, 0.94))] = -90
    body[_ellipse(y, x, (0, 0), (0.64, 0.86))] = 45
    width = 0.24 + 0.12 * position
    for side in (-1, 1):
        body[_ellipse(y, x, (-0.05, side * 0.42), (0.45, width))] = -820
    body[_ellipse(y, x, (-0.1, 0.14), (0.26, 0.16 + 0.14 * position))] = 40
    body[_ellipse(y, x, (0.46, 0), (0.15, 0.13))] = 420
    return _to_12_bits(body + _grain(y.shape, 18, seed) + 1024)


def draw_brain_slice(position: float, seed: int) -> Gray:
    """A slice of a head, 96 x 96, 12 bits."""
    y, x = _plane(96, 96)
    size = 0.95 - 0.35 * abs(position - 0.4)
    head = np.zeros(y.shape, np.int64)
    head[_ellipse(y, x, (0, 0), (size, size * 0.82))] = 1500
    head[_ellipse(y, x, (0, 0), (size * 0.92, size * 0.74))] = 150
    head[_ellipse(y, x, (0, 0), (size * 0.86, size * 0.68))] = 780
    head += np.where(head == 780, (120 * np.sin(9 * x) * np.cos(7 * y)).astype(np.int64), 0)
    for side in (-1, 1):
        head[_ellipse(y, x, (-0.08, side * 0.12), (0.28 * size, 0.07))] = 260
    return _to_12_bits(head + _grain(y.shape, 25, seed))


def draw_chest_projection(lateral: bool, seed: int) -> Gray:
    """A chest radiograph, 256 x 256, 12 bits, bright where the rays pass least."""
    y, x = _plane(256, 256)
    depth = np.clip(1 - (x * (1.5 if lateral else 1)) ** 2, 0, 1) * 2200 + 300
    lungs = [(0.0, 0.0)] if lateral else [(0.0, -0.42), (0.0, 0.42)]
    for centre in lungs:
        depth[_ellipse(y, x, centre, (0.7, 0.34))] -= 1300
    ribs = (np.sin(22 * (y + 0.25 * x**2)) > 0.55) & (np.abs(x) < 0.85)
    depth[ribs] += 260
    depth[np.abs(x - (0.5 if lateral else 0)) < 0.06] += 700
    return _to_12_bits(depth + _grain(y.shape, 30, seed))


def draw_breast_projection(left: bool, oblique: bool, seed: int) -> Gray:
    """A mammogram, 256 rows x 192 columns, 12 bits, the chest wall at the image's edge."""
    y, x = _plane(256, 192)
    wall = -1.0 if left else 1.0
    breast = _ellipse(y, x, (0.1 if oblique else 0.0, wall), (0.72, 1.5))
    picture = np.where(breast, 900 + 500 * np.cos(3 * y) * np.cos(2.2 * (x - wall)), 0)
    if oblique:
        picture[breast & (y + 0.8 * np.abs(x - wall) < -0.35)] = 2400
    picture[_ellipse(y, x, (0.15, wall * 0.35), (0.09, 0.1))] += 700
    picture = np.where(breast, picture + _grain(y.shape, 60, seed), picture)
    return _to_12_bits(picture)


def draw_ultrasound_clip(frames: int, seed: int) -> Colour:
    """A sector scan that moves, `frames` x 96 x 128 x RGB, with colour flow in one vessel."""
    y, x = _plane(96, 128)
    radius, angle = np.hypot(y + 1.05, x), np.arctan2(x, y + 1.05)
    sector = (radius > 0.2) & (radius < 1.95) & (np.abs(angle) < 0.65)
    clip = np.zeros((frames, 96, 128, 3), np.uint8)
    for index in range(frames):
        beat = np.sin(2 * np.pi * index / frames)
        gray = 90 + 40 * np.sin(24 * radius) + _grain(y.shape, 35, seed + index)
        gray[_ellipse(y, x, (0.05, -0.1), (0.34 + 0.05 * beat, 0.3))] = 18
        clip[index] = np.where(sector, np.clip(gray, 0, 255), 0).astype(np.uint8)[..., None]
        vessel = sector & _ellipse(y, x, (0.45, 0.3), (0.12, 0.14))
        clip[index][vessel] = (200 + int(40 * beat), 40, 30)
    return clip
