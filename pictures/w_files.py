"""Files of w: what --save_w and edit.py write, and --w reads back.

An .npz file with the array `w` [N, L, dlatent_size]. It may also hold `network_sha256`, the hash of
the network file that the w are of, and, of projected images, their noise maps `noise0`, `noise1`,
... [N, H, W], one for each layer.
"""

from __future__ import annotations

import contextlib
import zipfile
from typing import NamedTuple, Optional

import numpy as np

from formats import npz
from formats.files import not_written, whole_file
from pictures.opening import check_same_network

HASH = 'network_sha256'


class SavedW(NamedTuple):
    """What a file of w holds."""
    w: np.ndarray           # float32 [N, L, dlatent_size]
    noise: Optional[list]   # maps float32 [N, H, W, 1] for each layer; None = the network's own

    @property
    def noise_of(self):
        """(first image, count) -> maps, as Sampler.images takes them; None = the sampler's."""
        return self.noise and (lambda start, count: [maps[start:start + count]
                                                     for maps in self.noise])


def _beside_w(noise, network_sha256):
    """{name: array} of what a file holds beside w."""
    maps = {f'noise{i}': np.asarray(each, np.float32)[..., 0] for i, each in enumerate(noise or [])}
    return maps if network_sha256 is None else {**maps, HASH: np.array(network_sha256)}


@contextlib.contextmanager
def w_writer(path, shape, noise=None, network_sha256=None):
    """Writes an .npz file of w float32 `shape` = [N, L, dlatent_size], as np.savez would.

    Yields a function that takes the next rows: w that does not fit into memory can be written.
    The file appears when the block ends, with all rows; an error or Ctrl-C leaves none.

    noise, network_sha256: what else the file holds, as `save_w` has it.
    """
    size = 4 * np.prod(shape)
    with whole_file(path) as file, zipfile.ZipFile(file, 'w') as archive:
        with archive.open('w.npy', 'w', force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(
                member, {'descr': '<f4', 'fortran_order': False, 'shape': tuple(shape)})

            def put(w):
                try:
                    member.write(np.ascontiguousarray(w, '<f4').tobytes())
                except OSError as error:
                    raise not_written(path, error, size) from error

            yield put
        for name, array in _beside_w(noise, network_sha256).items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                np.lib.format.write_array(member, array)


def save_w(path, w, noise=None, network_sha256=None):
    """Writes w float32 [N, L, dlatent_size] as .npz.

    Args:
        noise: maps float32 [N, H, W, 1] for each layer; None = the network's own.
        network_sha256: of the network file that the w are of; None = unknown.
    """
    npz.save(path, {'w': w, **_beside_w(noise, network_sha256)})


def _checked_noise(said, found, sampler, count):
    """Maps float32 [count, H, W, 1] of the layers in use, of the arrays that a file holds.

    said: the flag and the file, for errors.
    """
    result = []
    for i, own in enumerate(sampler.stored_noise()):
        shape = (count, *own.shape[1:3])
        if found[i] is None or found[i].shape != shape or found[i].dtype.kind != 'f' \
                or not np.isfinite(found[i]).all():
            received = 'none' if found[i] is None else f'{found[i].dtype} {list(found[i].shape)}'
            raise ValueError(f'{said}: noise{i} must be finite numbers {list(shape)} for this '
                             f'network; received {received}. Make the file again.')
        result.append(found[i].astype(np.float32)[..., np.newaxis])
    return result


def load(path, sampler, psi=None, cutoff=None, allow_other_network=False, flag='w'):
    """The SavedW of an .npz file with an array `w`, made for this network.

    Args:
        psi, cutoff: truncation; psi None = none, cutoff None = all layers.
        allow_other_network: take w of another network file of this shape.
        flag: that names the file, without dashes, for errors.
    Raises:
        ValueError: naming the flag; it is no such file, or not for this network.
    """
    said, config = f'--{flag}={path}', sampler.config
    if not sampler.has_w:
        raise ValueError(f'{said}: this is a ProGAN network, which has no w; leave it out.')
    names = [HASH, *(f'noise{i}' for i in range(config.num_layers))]
    w, network_sha256, *noise = npz.load(path, 'w', optional=names, flag=flag)
    rows = npz.check_rows(w, (config.num_styles, config.dlatent_size), path, 'w', flag)
    if network_sha256 is not None and not allow_other_network:
        check_same_network(said, str(network_sha256), sampler)
    has_noise = sampler.has_noise and any(maps is not None for maps in noise)
    return SavedW(sampler.towards_average(rows, psi, cutoff),
                  _checked_noise(said, noise, sampler, len(rows)) if has_noise else None)


def load_w(path, sampler, psi=None, cutoff=None, allow_other_network=False):
    """The w float32 [N, L, dlatent_size] of such a file; for the arguments see `load`."""
    return load(path, sampler, psi, cutoff, allow_other_network).w
