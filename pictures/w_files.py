"""Files of w: what --save_w writes, and --w reads back."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from formats.files import write_atomically


def save_w(path, w):
    """Writes w float32 [N, L, dlatent_size] as .npz."""
    data = io.BytesIO()
    np.savez(data, w=w)
    write_atomically(path, data.getvalue())


def load_w(path, sampler, psi=None):
    """w float32 [N, L, dlatent_size] of an .npz file with an array `w`, made for this network.

    psi: truncation in all layers; None = none.
    """
    config = sampler.config
    if not sampler.has_w:
        raise ValueError(f'--w={path}: this is a ProGAN network, which has no w; leave it out.')
    rows, columns = config.num_styles, config.dlatent_size
    try:
        with np.load(path, allow_pickle=False) as file:
            w = np.asarray(file['w'], np.float32)
    except FileNotFoundError as error:
        raise ValueError(f'--w={path}: there is no such file.') from error
    except (KeyError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f'--w={path}: must be an .npz file with an array w of numbers, such as '
                         '--save_w writes; this one is not.') from error
    if w.shape == (rows, columns):
        w = w[np.newaxis]
    if w.shape[1:] != (rows, columns) or not len(w):
        raise ValueError(f'--w={path}: w must be [N, {rows}, {columns}] for this network; received '
                         f'{list(w.shape)}. Take the network that it was made with.')
    if not np.isfinite(w).all():
        raise ValueError(f'--w={path}: w must be finite; some of its numbers are not. Make the '
                         'file again.')
    return sampler.towards_average(w, psi)
