"""The tab Mix: the pictures of one shelf in the styles of those of another."""

from __future__ import annotations

import numpy as np

from explorer.picture import Picture, together
from pictures import stills
from pictures.style_layers import chosen_layers
from pictures.w_files import SavedW

NAME = 'mix'


def mixed_sheet(studio, rows, columns, resolutions):
    """The Picture of a sheet: each row's image, in the styles of each column's.

    Args:
        rows, columns: of Pictures, one or more each.
        resolutions: such as ['4x4', '8x8'], whose styles the columns give.
    """
    if not rows or not columns:
        raise ValueError('Keep at least one picture on shelf A and one on shelf B.')
    if not resolutions:
        raise ValueError('Choose at least one resolution whose styles shelf B gives.')
    sampler, text = studio.sampler, ','.join(resolutions)
    layers = chosen_layers(sampler.num_layers, text)
    left, top = together(rows, sampler), together(columns, sampler)
    image = stills.mixing(sampler, left.w, top.w, [layers] * len(rows), left.noise_of,
                          top.noise_of)
    w = np.concatenate([stills.mixed(np.repeat(row[np.newaxis], len(top.w), axis=0), top.w, layers)
                        for row in left.w])
    noise = left.noise and [np.repeat(maps, len(top.w), axis=0) for maps in left.noise]
    others = (f'{NAME}-rows', left), (f'{NAME}-columns', top)
    command = studio.command('generate.py', *(f'--{side}_w={name}.npz' for side, (name, _) in zip(
        ('row', 'col'), others)), f'--styles={text}')
    return Picture(NAME, image, SavedW(w, noise), command, others)
