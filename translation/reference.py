"""StarGAN v2's networks in the reference's own form: its names, and PyTorch's layouts."""

from __future__ import annotations

import numpy as np

from training import layers, reference
from translation.networks import HIGH_PASS, UnusedConv2D

FROM_TORCH = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}   # [out, in, kh, kw] -> [kh, kw, in, out]
TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
FILTER = 'hpf.filter'                                # a constant of the reference's generators


def named_variables(network):
    """{official name: tf.Variable} of all variables of `network`, in the port's layouts."""
    return {name.replace('/', '.'): variable
            for name, variable in layers.named_variables(network).items()}


def _constants(network):
    """{name: array} of what official files hold beside the variables."""
    w_hpf = getattr(getattr(network, 'config', None), 'w_hpf', 0)
    has_filter = w_hpf > 0 and any(name.startswith('to_rgb') for name in named_variables(network))
    return {FILTER: HIGH_PASS / np.float32(w_hpf)} if has_filter else {}


def variables(network):
    """{official name: float32 array in PyTorch's layout}, all that an official file would hold."""
    arrays = {name: np.transpose(variable.numpy(), TO_TORCH[len(variable.shape)])
              for name, variable in named_variables(network).items()}
    return {**arrays, **_constants(network)}


def shapes_of(network):
    """{official name: shape in PyTorch's layout} of all that an official file would hold."""
    shapes = {name: tuple(variable.shape[axis] for axis in TO_TORCH[len(variable.shape)])
              for name, variable in named_variables(network).items()}
    return {**shapes, **{name: array.shape for name, array in _constants(network).items()}}


def check_fit(network, received):
    """Raises one ValueError with every name and shape that differs.

    Constants, and kernels that nothing uses, may be missing.

    Args:
        received: {official name: shape} of the arrays that are to go into the network.
    """
    optional = {*_constants(network), *(f'{layer.scope}.weight' for layer in
                                        layers.named_layers(network)
                                        if isinstance(layer, UnusedConv2D))}
    reference.check_fit({name: shape for name, shape in shapes_of(network).items()
                         if name in received or name not in optional}, received)


def assign(network, arrays):
    """Sets all variables of `network`.

    Args:
        arrays: {official name: array in PyTorch's layout}, complete; `hpf.filter` is dropped, and
            kernels that nothing uses may be missing. ValueError lists all names and shapes that do
            not fit, and nothing is assigned then.
    """
    check_fit(network, {name: np.shape(array) for name, array in arrays.items()})
    for name, variable in named_variables(network).items():
        if name in arrays:
            array = np.asarray(arrays[name], np.float32)
            variable.assign(np.transpose(array, FROM_TORCH[array.ndim]))
