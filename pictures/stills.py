"""Sheets that show how a network's latents and styles act: mixing, truncation, what lies between."""

from __future__ import annotations

import numpy as np

from pictures import sheets
from pictures.latents import lerp, slerp


def mixed(into, styles_of, layers):
    """w of `into` with the rows `layers` of `styles_of`, both [N, L, dlatent_size]."""
    result = np.array(into)
    result[:, layers] = styles_of[:, layers]
    return result


def mixing(painter, rows, columns, layers_of_rows):
    """Style mixing: each cell is its row's image in the style of its column's (Figure 3).

    Args:
        rows, columns: w [N, L, dlatent_size] of the images at the left and at the top.
        layers_of_rows: for each row, the style layers that it takes from the columns.
    """
    top, left = (sheets.visible(painter.images(w)) for w in (columns, rows))
    cells = [[None, *top]]
    for row, image, layers in zip(rows, left, layers_of_rows):
        into = np.repeat(row[np.newaxis], len(columns), axis=0)
        cells.append([image, *sheets.visible(painter.images(mixed(into, columns, layers)))])
    return sheets.arrange(cells, lead=sheets.gap(top))


def sweep(painter, w, psis):
    """Each image at each truncation psi, applied to all layers (Figure 8): a row an image."""
    cells = []
    for row in w:
        truncated = [painter.truncated(row[np.newaxis], psi) for psi in psis]
        cells.append(sheets.visible(painter.images(np.concatenate(truncated))))
    return sheets.arrange(cells)


def steps_between(a, b, count, way):
    """[count, ...] from a to b, both included, by `way` = lerp or slerp."""
    return np.stack([way(a, b, t) for t in np.linspace(0, 1, count, dtype=np.float32)])


def strips_w(painter, w, count):
    """From each image to the next in `count` steps, straight in w: a row for each pair."""
    return sheets.arrange([sheets.visible(painter.images(steps_between(a, b, count, lerp)))
                           for a, b in zip(w, w[1:])])


def strips_z(painter, z, labels, psi, count):
    """The same along the great circle in z, with straight lines between labels."""
    rows = []
    for i in range(len(z) - 1):
        between = None if labels is None else steps_between(labels[i], labels[i + 1], count, lerp)
        w = painter.dlatents(steps_between(z[i], z[i + 1], count, slerp), between, psi)
        rows.append(sheets.visible(painter.images(w)))
    return sheets.arrange(rows)
