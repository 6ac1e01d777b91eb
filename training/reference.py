"""Networks in the reference's own form: variables under its names, and its pickles."""

from __future__ import annotations

import numpy as np

from training.layers import named_variables


def without_lod(arrays):
    """Drops the reference's `lod` variables (`lod`, `G_synthesis/lod`): here lod is an argument."""
    return {name: array for name, array in arrays.items() if name.split('/')[-1] != 'lod'}


def check_fit(expected, received):
    """Raises one ValueError with every name and shape that differs.

    Args:
        expected: {name: shape} of the network.
        received: {name: shape} of the arrays that are to go into it.
    """
    problems = [f'{name} {list(shape)} is missing' if name not in received else
                f'{name} must be {list(shape)}, received {list(received[name])}'
                for name, shape in expected.items()
                if name not in received or tuple(received[name]) != tuple(shape)]
    problems += [f'{name} {list(shape)} has no place in it'
                 for name, shape in received.items() if name not in expected]
    if problems:
        raise ValueError(f'{len(problems)} of the variables do not fit the network: '
                         f'{"; ".join(problems)}. Its configuration must be that of the arrays.')


def variables(network):
    """{reference name: float32 array in the reference's layout} of all variables of `network`."""
    return {name: variable.numpy() for name, variable in named_variables(network).items()}


def assign(network, arrays):
    """Sets all variables of `network`.

    Args:
        arrays: {reference name: array}, complete; `lod` variables are dropped. ValueError lists
            all names and shapes that do not fit, and nothing is assigned then.
    """
    targets, arrays = named_variables(network), without_lod(arrays)
    check_fit({name: variable.shape.as_list() for name, variable in targets.items()},
              {name: np.shape(array) for name, array in arrays.items()})
    for name, variable in targets.items():
        variable.assign(np.asarray(arrays[name], np.float32))
