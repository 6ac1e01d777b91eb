"""Pictures for people: uint8 conversion, grids of samples."""

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


def grid_indices(labels, columns, rows, layout, random_state):
    """Which reals a grid shows, int64 [rows * columns]: indices of the rows of `labels`.

    No image comes twice before all (of its class) are used up. With more rows, columns or blocks
    than classes the classes start again; with fewer, the first ones are shown.

    Args:
        labels: [num_images, label_size], one-hot where the layout goes by class.
        layout: 'random'; 'row_per_class' and 'col_per_class' = each row or column one class;
            'class4x4' = each block of 4x4 cells one class.
        random_state: numpy RandomState of the draw.
    """
    if layout == 'random' or labels.shape[1] == 0:
        return np.resize(random_state.permutation(len(labels)), rows * columns)
    row, column = np.divmod(np.arange(rows * columns), columns)
    group = {'row_per_class': row,
             'col_per_class': column,
             'class4x4': row // 4 * -(-columns // 4) + column // 4}[layout]
    classes = np.argmax(labels, axis=1)
    present = np.unique(classes)
    wanted = present[group % len(present)]  # the class of each cell
    indices = np.empty(rows * columns, np.int64)
    for one in np.unique(wanted):
        members = random_state.permutation(np.flatnonzero(classes == one))
        indices[wanted == one] = np.resize(members, np.count_nonzero(wanted == one))
    return indices
