"""Writes PNG files, and arranges images in grids."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image

from formats.files import write_atomically


def save_png(path, image):
    """Writes uint8 [H, W, 1 or 3] as a PNG file, which appears under `path` only when complete."""
    image = image[:, :, 0] if image.shape[2] == 1 else image
    data = io.BytesIO()
    PIL.Image.fromarray(image).save(data, format='PNG')
    write_atomically(path, data.getvalue(), durable=False)


def grid(images, columns, rows):
    """One picture [rows * H, columns * W, C] of images [N, H, W, C]; cells without one are 0."""
    images = np.asarray(images)
    _, height, width, channels = images.shape
    cells = np.zeros([rows * columns, height, width, channels], images.dtype)
    cells[:len(images)] = images
    cells = cells.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return cells.reshape(rows * height, columns * width, channels)


def grid_size(width, height, kind='1080p'):
    """(columns, rows) of images [height, width] that fill a screen, '1080p' or '4k'."""
    screen_width, screen_height, min_columns, min_rows = {
        '1080p': (1920, 1080, 3, 2), '4k': (3840, 2160, 7, 4)}[kind]
    return (int(np.clip(screen_width // width, min_columns, 32)),
            int(np.clip(screen_height // height, min_rows, 32)))
