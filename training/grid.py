"""Grids of images: reals and samples, the same ones all through a run."""

from __future__ import annotations

import numpy as np

from formats.png import grid, grid_size
from training.config import RunConfig
from training.dataset import TFRecordDataset
from training.sampler import Sampler, to_png_uint8

GRID_SEED = 1  # what a draw is for, folded into the run's seed


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


class SampleGrid:
    """The same latents and labels all through a run, drawn as fakes*.png; reals.png beside them."""

    def __init__(self, config: RunConfig, dataset: TFRecordDataset):
        if config.grid in ('1080p', '4k'):
            size = grid_size(dataset.resolution, dataset.resolution, config.grid)
        else:
            size = tuple(int(number) for number in config.grid.split('x'))
        self.columns, self.rows = size
        random_state = np.random.RandomState([config.seed, GRID_SEED])
        indices = grid_indices(dataset.labels, self.columns, self.rows, config.grid_layout,
                                   random_state)
        self.reals = dataset.read(dataset.resolution, indices)
        self.labels = dataset.labels[indices]
        self.z = random_state.randn(len(indices), config.G.latent_size).astype(np.float32)

    def real_picture(self):
        """uint8 [H, W, C]."""
        return grid(self.reals, self.columns, self.rows)

    def fake_picture(self, Gs, lod, minibatch):
        """uint8 [H, W, C]: Gs at `lod`, no truncation, stored noise, at full resolution."""
        labels = self.labels if self.labels.shape[1] else None
        sampler = Sampler(Gs, lod, minibatch=minibatch, full_size=True)
        fakes = sampler.images_of(self.z, labels, truncation=None, convert=to_png_uint8)
        return grid(fakes, self.columns, self.rows)
