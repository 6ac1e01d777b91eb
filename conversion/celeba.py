"""CelebA's aligned faces: a 128x128 piece of each 178x218 image."""

from __future__ import annotations

import os

from conversion import decode, from_images

WIDTH, HEIGHT, SIDE = 178, 218, 128


def create(directory, celeba_dir, cx=89, cy=121, num_workers=None, overwrite=False):
    """Writes 128x128 crops round (cx, cy) of img_align_celeba_png (or img_align_celeba)."""
    left, top = cx - SIDE // 2, cy - SIDE // 2
    if not (0 <= left <= WIDTH - SIDE and 0 <= top <= HEIGHT - SIDE):
        raise ValueError(f'--cx and --cy must leave the {SIDE}x{SIDE} crop inside '
                         f'{WIDTH}x{HEIGHT}, got ({cx}, {cy})')
    source = os.path.join(celeba_dir, 'img_align_celeba_png')
    if not os.path.isdir(source) and os.path.isdir(source[:-4]):
        source = source[:-4]  # the JPEG files, which are published too
    cut = decode.Cut((WIDTH, HEIGHT), left, top, SIDE)
    from_images.create(directory, source, from_images.Options(
        decode.Rules(num_channels=3, cut=cut), labels='none', workers=num_workers,
        overwrite=overwrite))
