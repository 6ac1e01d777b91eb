"""From floats to pictures for people: uint8 conversion."""

from __future__ import annotations

import numpy as np


def to_uint8(images, shrink=1):
    """Generated images as the reference's metrics and tools see them: truncated, not rounded.

    Args:
        images: float32 [N, H, W, C], [-1, 1].
        shrink: factor of an average pool before the conversion; divides H and W.

    Returns:
        uint8 [N, H / shrink, W / shrink, C].
    """
    images = np.asarray(images, np.float32)
    if shrink > 1:
        n, height, width, channels = images.shape
        blocks = [n, height // shrink, shrink, width // shrink, shrink, channels]
        images = images.reshape(blocks).mean(axis=(2, 4))
    return np.clip(images * 127.5 + 128, 0, 255).astype(np.uint8)


def to_png_uint8(images):
    """Images or grids, float32 [-1, 1], as the reference saves them: rounded."""
    return np.clip(np.rint(np.asarray(images, np.float32) * 127.5 + 127.5), 0, 255).astype(np.uint8)
