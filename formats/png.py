"""Writes images to PNG and JPEG files, tells whole ones, and arranges images in grids."""

from __future__ import annotations

import io
import os

import numpy as np
import PIL.Image

from formats.files import write_atomically

LAST_BYTES = {'.png': b'\0\0\0\0IEND\xaeB`\x82', '.jpg': b'\xff\xd9'}  # {ending: of its files}
JPEG_SIDE = 65500  # pixels at most
PNG_LEVEL = 4      # of 1..9: smooth images take half the time of 6, Pillow's default, for 2% more


def pillow(image):
    """The picture (Pillow's, gray or RGB) of uint8 [H, W, 1 or 3]."""
    return PIL.Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def encoded(image, ending, quality=None):
    """The bytes of uint8 [H, W, 1 or 3] as a file of an ending in LAST_BYTES.

    quality: of a JPEG, 1..100.
    Raises:
        ValueError: the image is too large for a JPEG.
    """
    if ending == '.jpg' and max(image.shape[:2]) > JPEG_SIDE:
        raise ValueError(f'{image.shape[1]}x{image.shape[0]} pixels: a JPEG has at most '
                         f'{JPEG_SIDE} at each side; write a PNG file, or less in one picture.')
    picture = pillow(image)
    data = io.BytesIO()
    if ending == '.jpg':
        picture.save(data, format='JPEG', quality=quality)
    else:
        picture.save(data, format='PNG', compress_level=PNG_LEVEL)
    return data.getvalue()


def save_png(path, image):
    """Writes uint8 [H, W, 1 or 3] as a PNG file, which appears under `path` only when complete."""
    write_atomically(path, encoded(image, '.png'), durable=False)


def is_whole(path):
    """Whether a PNG or JPEG file is there to its last byte.

    What is written here appears whole; but a power cut, or another program, may leave half a file.
    """
    last = LAST_BYTES[os.path.splitext(path)[1]]
    try:
        with open(path, 'rb') as file:
            file.seek(-len(last), os.SEEK_END)
            return file.read() == last
    except OSError:  # not there, or shorter than that
        return False


def pixels(data):
    """uint8 [H, W, 1 or 3] of the bytes of a PNG or JPEG file; OSError where they are none."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        array = np.asarray(picture)
    return array[..., np.newaxis] if array.ndim == 2 else array


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
