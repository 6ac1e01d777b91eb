"""Files of w: what --save_w writes, and --w reads back."""

from __future__ import annotations

from formats import npz


def save_w(path, w):
    """Writes w float32 [N, L, dlatent_size] as .npz."""
    npz.save(path, {'w': w})


def load_w(path, sampler, psi=None):
    """w float32 [N, L, dlatent_size] of an .npz file with an array `w`, made for this network.

    psi: truncation in all layers; None = none.
    """
    if not sampler.has_w:
        raise ValueError(f'--w={path}: this is a ProGAN network, which has no w; leave it out.')
    shape = sampler.config.num_styles, sampler.config.dlatent_size
    [w] = npz.load(path, 'w')
    return sampler.towards_average(npz.check_rows(w, shape, path, 'w'), psi)
