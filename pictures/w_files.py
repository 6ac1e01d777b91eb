"""Files of w: what --save_w writes, and --w reads back."""

from __future__ import annotations

import contextlib
import zipfile

import numpy as np

from formats import npz
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
    npz.save(path, {'w': w})


def load_w(path, sampler, psi=None, cutoff=None):
    """w float32 [N, L, dlatent_size] of an .npz file with an array `w`, made for this network.

    psi, cutoff: truncation; psi None = none, cutoff None = all layers.
    """
    if not sampler.has_w:
        raise ValueError(f'--w={path}: this is a ProGAN network, which has no w; leave it out.')
    shape = sampler.config.num_styles, sampler.config.dlatent_size
    [w] = npz.load(path, 'w')
    return sampler.towards_average(npz.check_rows(w, shape, path, 'w'), psi, cutoff)
