"""Files of w: what --save_w writes, and --w reads back."""

from __future__ import annotations

import contextlib
import zipfile

import numpy as np

from formats.files import not_written, whole_file


@contextlib.contextmanager
def w_writer(path, shape):
    """Writes an .npz file of w float32 `shape` = [N, L, dlatent_size], as np.savez would.

    Yields a function that takes the next rows: w that does not fit into memory can be written.
    The file appears when the block ends, with all rows; an error or Ctrl-C leaves none.
    """
    size = 4 * np.prod(shape)
    with whole_file(path) as file, zipfile.ZipFile(file, 'w') as archive, \
            archive.open('w.npy', 'w', force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(
            member, {'descr': '<f4', 'fortran_order': False, 'shape': tuple(shape)})

        def put(w):
            try:
                member.write(np.ascontiguousarray(w, '<f4').tobytes())
            except OSError as error:
                raise not_written(path, error, size) from error

        yield put


def save_w(path, w):
    """Writes w float32 [N, L, dlatent_size] as .npz."""
    with w_writer(path, w.shape) as put:
        put(w)


def load_w(path, sampler, psi=None, cutoff=None):
    """w float32 [N, L, dlatent_size] of an .npz file with an array `w`, made for this network.

    psi, cutoff: truncation; psi None = none, cutoff None = all layers.
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
    return sampler.towards_average(w, psi, cutoff)
