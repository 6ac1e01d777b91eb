"""Images laid out on a sheet: enlarged where they are small, with gaps, margins and words."""

from __future__ import annotations

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

VISIBLE = 256    # pixels; smaller images are enlarged by whole factors up to this
WHITE = 255


def enlarge(images, factor):
    """uint8 [..., H, W, C] with each pixel repeated, `factor` times each way."""
    return np.repeat(np.repeat(images, factor, axis=-3), factor, axis=-2)


def visible(images):
    """uint8 [..., H, W, C], enlarged so that the wider side has VISIBLE pixels or more."""
    return enlarge(images, max(1, VISIBLE // max(images.shape[-3:-1])))


def shrink(images, factor):
    """uint8 [..., H, W, C] as the rounded means of blocks of `factor` x `factor` pixels."""
    if factor == 1:
        return images
    *lead, height, width, channels = images.shape
    height, width = height // factor * factor, width // factor * factor
    blocks = images[..., :height, :width, :].reshape(
        *lead, height // factor, factor, width // factor, factor, channels)
    return np.rint(blocks.mean(axis=(-4, -2))).astype(np.uint8)


def fitted(image, side):
    """uint8 [r, r, C] enlarged or shrunk by a whole factor to about `side` pixels."""
    size = image.shape[0]
    return enlarge(image, side // size) if size < side else shrink(image, size // side)


def gap(width):
    """Pixels of white between neighbours of this width that are not to run into each other."""
    return max(2, width // 32)


def separation(resolution):
    """The gap between images on a dense sheet or screen, for images of a network's resolution.

    Photographs stand edge to edge, as in the paper; small pictures, which may be digits or icons,
    would run into each other.
    """
    return 0 if resolution >= VISIBLE else gap(VISIBLE)


def arrange(cells, between=None, lead=0):
    """One sheet of rows of images: cells[row][column], uint8 [H, W, C] or None (left white).

    between: pixels of white between neighbours; None = a gap.
    lead: more of it after the first row and the first column.
    """
    some = next(cell for row in cells for cell in row if cell is not None)
    height, width, channels = some.shape
    between = gap(width) if between is None else between
    rows, columns = len(cells), len(cells[0])
    tops, lefts = (np.arange(count) * (side + between) + lead * (np.arange(count) > 0)
                   for count, side in ((rows, height), (columns, width)))
    sheet = np.full([tops[-1] + height, lefts[-1] + width, channels], WHITE, np.uint8)
    for top, row in zip(tops, cells):
        for left, cell in zip(lefts, row):
            if cell is not None:
                sheet[top:top + height, left:left + width] = cell
    return sheet


def beside(parts, between=0):
    """Parts uint8 [H, W, C] side by side, `between` pixels apart; white below lower ones."""
    height = max(part.shape[0] for part in parts)
    width = sum(part.shape[1] for part in parts) + between * (len(parts) - 1)
    sheet, left = np.full([height, width, parts[0].shape[2]], WHITE, np.uint8), 0
    for part in parts:
        sheet[:part.shape[0], left:left + part.shape[1]] = part
        left += part.shape[1] + between
    return sheet


def draw_cross(image, width):
    """White lines of `width` pixels over the middle of uint8 [H, W, C], which parts it in four."""
    for axis in (0, 1):
        start = (image.shape[axis] - width) // 2
        image[(slice(None),) * axis + (slice(start, start + width),)] = WHITE


def caption(image, text, height):
    """The image with a line of words below it, `height` pixels of white."""
    font = PIL.ImageFont.load_default(height * 0.7)
    strip = PIL.Image.new('L', (image.shape[1], height), WHITE)
    PIL.ImageDraw.Draw(strip).text((image.shape[1] / 2, height / 2), text, 0, font, anchor='mm')
    strip = np.asarray(strip)[:, :, np.newaxis]
    return np.concatenate([image, np.repeat(strip, image.shape[2], axis=2)])
