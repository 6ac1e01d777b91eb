"""Sheets that show how latents and styles act: mixing, truncation, what lies between."""

from __future__ import annotations

import numpy as np

from formats import sheets
from pictures.latents import lerp, slerp


def mixed(into, styles_of, layers):
    """w of `into` with the rows `layers` of `styles_of`, both [N, L, dlatent_size]."""
    result = np.array(into)
    result[:, layers] = styles_of[:, layers]
    return result


def mixing(sampler, rows, columns, layers_of_rows, row_noise=None, column_noise=None):
    """Style mixing: each cell is its row's image in the style of its column's (Figure 3).

    Args:
        rows, columns: w [N, L, dlatent_size] of the images at the left and at the top.
        layers_of_rows: for each row, the style layers that it takes from the columns.
        row_noise, column_noise: (first image, count) -> their noise maps; None = the sampler's.
    """
    top = sheets.visible(sampler.images(columns, column_noise))
    left = sheets.visible(sampler.images(rows, row_noise))
    cells = [[None, *top]]
    for i, (row, image, layers) in enumerate(zip(rows, left, layers_of_rows)):
        into = np.repeat(row[np.newaxis], len(columns), axis=0)
        images = sampler.images(mixed(into, columns, layers), row_noise and row_noise(i, 1))
        cells.append([image, *sheets.visible(images)])
    return sheets.arrange(cells, lead=sheets.gap(top.shape[2]))


def sweep(sampler, w, psis, cutoff=None, noise_of=None):
    """Each image at each truncation psi: a row an image; cutoff None = all layers (Figure 8).

    noise_of: (first image, count) -> their noise maps; None = the sampler's.
    """
    cells = []
    for i, row in enumerate(w):
        truncated = [sampler.towards_average(row[np.newaxis], psi, cutoff) for psi in psis]
        images = sampler.images(np.concatenate(truncated), noise_of and noise_of(i, 1))
        cells.append(sheets.visible(images))
    return sheets.arrange(cells)


def steps_between(a, b, count, way):
    """[count, ...] from a to b, both included, by `way` = lerp or slerp."""
    return np.stack([way(a, b, t) for t in np.linspace(0, 1, count, dtype=np.float32)])


def noise_between(noise_of, number, count):
    """Noise maps of `count` images from one image to the next, as Sampler.images takes them.

    Along the sphere, as maps have one variance; noise_of: (first image, count) -> their maps.
    """
    ways = [steps_between(*maps.reshape(2, -1), count, slerp).reshape(-1, *maps.shape[1:])
            for maps in noise_of(number, 2)]
    return lambda start, size: [way[start:start + size] for way in ways]


def strips_w(sampler, w, count, noise_of=None):
    """From each image to the next in `count` steps, straight in w: a row for each pair.

    noise_of: as `noise_between` takes it; None = the sampler's.
    """
    rows = [sampler.images(steps_between(a, b, count, lerp),
                           noise_of and noise_between(noise_of, i, count))
            for i, (a, b) in enumerate(zip(w, w[1:]))]
    return sheets.arrange([sheets.visible(row) for row in rows])


def strips_z(sampler, z, labels, truncation, count):
    """The same along the great circle in z, with straight lines between labels."""
    rows = []
    for i in range(len(z) - 1):
        between = None if labels is None else steps_between(labels[i], labels[i + 1], count, lerp)
        w = sampler.w(steps_between(z[i], z[i + 1], count, slerp), between, truncation)
        rows.append(sheets.visible(sampler.images(w)))
    return sheets.arrange(rows)
