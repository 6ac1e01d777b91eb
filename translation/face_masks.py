"""The mask_fn of a network: faces' masks by the face network, from its file."""

from __future__ import annotations

import os

from formats.torch_file import read_state_dicts
from translation import reference
from translation.wing import FaceNetwork

KEY = 'state_dict'   # of the file that the authors of the face network published


def load(path) -> FaceNetwork:
    """The face network with the weights of `wing.ckpt`; names of the file that it lacks are passed.

    Raises:
        ValueError: one line that says what in the file misfits. FileNotFoundError: it isn't there.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: there is no such face network; --face_network names the '
                                'file wing.ckpt.')
    arrays = read_state_dicts(path, [KEY]).get(KEY)
    if arrays is None:
        raise ValueError(f'{path}: holds no {KEY}; a face network is the file wing.ckpt.')
    network = FaceNetwork()
    known = reference.shapes_of(network)
    try:
        reference.assign(network, {name: array for name, array in arrays.items() if name in known})
    except ValueError as error:
        raise ValueError(f'{path}: {error} A face network is the file wing.ckpt.') from error
    return network


def mask_fn(config, path):
    """The mask_fn for networks of this config; None without a file, and where none is used.

    Args:
        path: of `wing.ckpt`; None = no masks, which is said where the network would take them.
    """
    if path is None:
        if config.w_hpf:
            print('Without --face_network no details are passed on by face masks: eyes, nose and '
                  'mouth follow the source less.')
        return None
    if not config.w_hpf:
        raise ValueError(f'--face_network={path}: is for networks with w_hpf above 0, which pass '
                         'details on; this one does not. Leave the flag out.')
    return load(path).masks
