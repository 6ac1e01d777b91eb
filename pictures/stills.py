"""Sheets that show how latents and styles act: mixing, truncation, what lies between."""

from __future__ import annotations

import numpy as np

from pictures import sheets
from pictures.latents import lerp, slerp

PAPER_LAYERS = 18
COARSE_END, MIDDLE_END = 4, 8  # of 18 layers: 0-3 coarse, 4-7 middle, 8-17 fine


def style_ranges(num_layers):
    """(coarse, middle, fine): ranges of 3 layers or more, whole resolutions where possible."""
    ends = [2 * round(num_layers / 2 * end / PAPER_LAYERS) for end in (COARSE_END, MIDDLE_END)]
    first = min(max(ends[0], 1), num_layers - 2)
    second = min(max(ends[1], first + 1), num_layers - 1)
    return range(0, first), range(first, second), range(second, num_layers)


def mixed(into, styles_of, layers):
    """w of `into` with the rows `layers` of `styles_of`, both [N, L, dlatent_size]."""
    result = np.array(into)
    result[:, layers] = styles_of[:, layers]
    return result


def mixing(sampler, rows, columns, layers_of_rows):
    """Style mixing: each cell is its row's image in the style of its column's (Figure 3).

    Args:
        rows, columns: w [N, L, dlatent_size] of the images at the left and at the top.
        layers_of_rows: for each row, the style layers that it takes from the columns.
    """
    top, left = (sheets.visible(sampler.images(w)) for w in (columns, rows))
    cells = [[None, *top]]
    for row, image, layers in zip(rows, left, layers_of_rows):
        into = np.repeat(row[np.newaxis], len(columns), axis=0)
        cells.append([image, *sheets.visible(sampler.images(mixed(into, columns, layers)))])
    return sheets.arrange(cells, lead=sheets.gap(top.shape[2]))


def chosen_layers(sampler, styles):
    """The style layers `styles` (list of int), checked; None = the coarse ones."""
    count = sampler.num_layers
    if count < 2:
        raise ValueError('style mixing: the network has no style layers to choose from; take a '
                         'StyleGAN network.')
    if styles is None:
        return list(style_ranges(count)[0])
    if max(styles) >= count:
        raise ValueError(f'--styles: layer {max(styles)} must be within 0..{count - 1}, the style '
                         'layers of this network.')
    return styles


def sweep(sampler, w, psis):
    """Each image at each truncation psi, applied to all layers (Figure 8): a row an image."""
    cells = []
    for row in w:
        truncated = [sampler.towards_average(row[np.newaxis], psi) for psi in psis]
        cells.append(sheets.visible(sampler.images(np.concatenate(truncated))))
    return sheets.arrange(cells)


def steps_between(a, b, count, way):
    """[count, ...] from a to b, both included, by `way` = lerp or slerp."""
    return np.stack([way(a, b, t) for t in np.linspace(0, 1, count, dtype=np.float32)])


def strips_w(sampler, w, count):
    """From each image to the next in `count` steps, straight in w: a row for each pair."""
    return sheets.arrange([sheets.visible(sampler.images(steps_between(a, b, count, lerp)))
                           for a, b in zip(w, w[1:])])


def strips_z(sampler, z, labels, truncation, count):
    """The same along the great circle in z, with straight lines between labels."""
    rows = []
    for i in range(len(z) - 1):
        between = None if labels is None else steps_between(labels[i], labels[i + 1], count, lerp)
        w = sampler.w(steps_between(z[i], z[i + 1], count, slerp), between, truncation)
        rows.append(sheets.visible(sampler.images(w)))
    return sheets.arrange(rows)
