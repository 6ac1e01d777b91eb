"""Perceptual path length: how much images change along a short step in latent space.

Karras, Laine and Aila, 2018, arXiv 1812.04948, section 4.1. Two images, t and t + 1e-4 of the way
between two latents; their LPIPS distance over the square of the step; the mean without the lowest
and the highest hundredth.
"""

from __future__ import annotations

import numpy as np

EPSILON = 1e-4


def lerp(a, b, t):
    """The point `t` of the way along the straight line from `a` to `b`."""
    return a + (b - a) * t


def slerp(a, b, t):
    """Unit vectors `t` [N, 1] of the way along the arcs from `a` to `b`, [N, D]."""
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    angle = t * np.arccos(np.clip(cosine, -1, 1))
    across = b - cosine * a
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    point = a * np.cos(angle) + across * np.sin(angle)
    return point / np.linalg.norm(point, axis=-1, keepdims=True)


def crop_to_face(images):
    """[N, H, W, C] -> the part of portraits in which the face is, [N, H/2, W/2, C]."""
    eighth = images.shape[1] // 8
    return images[:, 3 * eighth:7 * eighth, 2 * eighth:6 * eighth]


def path_length(distances):
    """Mean of LPIPS distances over EPSILON^2, [N], from the 1st to the 99th percentile."""
    low = np.percentile(distances, 1, method='lower')
    high = np.percentile(distances, 99, method='higher')
    kept = distances[(low <= distances) & (distances <= high)]
    return float(np.mean(kept, dtype=np.float64))
