"""Writes pickles as the reference does, with stand-ins for its classes."""

import functools
import pickle
import sys
import types

import numpy as np


def _get_state(self):
    return self.state


@functools.cache
def stand_in(module, name, base=object):
    """A class that pickles as `module.name`; one of objects has its state in `state`."""
    attributes = {'__module__': module, **({'__getstate__': _get_state} if base is object else {})}
    stand_in_class = type(name, (base,), attributes)
    parts = module.split('.')
    for end in range(1, len(parts) + 1):
        sys.modules.setdefault('.'.join(parts[:end]), types.ModuleType('.'.join(parts[:end])))
    setattr(sys.modules[module], name, stand_in_class)
    return stand_in_class


def state(name, func, arrays, static_kwargs, version=3, components=None):
    """The state dict of one network; without `components` for None, as in older versions."""
    result = {'version': version, 'name': name, 'static_kwargs': static_kwargs,
              'build_module_src': 'raise SystemExit("executed")\n', 'build_func_name': func,
              'variables': [('lod', np.float32(0.0)), *arrays.items()]}
    if components is not None:
        result['components'] = components
    return result


def network(module, *args, **options):
    """A stand-in for a network of the class `module`.Network."""
    result = stand_in(module, 'Network')()
    result.state = state(*args, **options)
    return result


def stylegan_generator(name, arrays, static_kwargs, version=3):
    """A generator with its two components, from arrays named as in a network."""
    components = {}
    for part in ('mapping', 'synthesis'):
        prefix = f'G_{part}/'
        inner = {variable[len(prefix):]: array for variable, array in arrays.items()
                 if variable.startswith(prefix)}
        kwargs = dict(static_kwargs, dlatent_broadcast=18) if part == 'mapping' else static_kwargs
        components[part] = network('dnnlib.tflib.network', prefix[:-1], prefix[:-1], inner, kwargs,
                                   version=version)
    own = {variable: array for variable, array in arrays.items() if '/' not in variable}
    return network('dnnlib.tflib.network', name, 'G_style', own,
                   dict(static_kwargs, randomize_noise=False, unheard_of=1), version=version,
                   components=components)


def stylegan_discriminator(arrays, static_kwargs, version=3):
    return network('dnnlib.tflib.network', 'D', 'D_basic', arrays, static_kwargs, version=version)


def progan(name, func, arrays, static_kwargs):
    """A network as in ProGAN's files: another module, version 1, no components."""
    return network('tfutil', name, func, arrays, static_kwargs, version=1)


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with Python 2's strings: bytes are written as BINSTRING, read as latin1."""
    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(pickle.BINSTRING + len(value).to_bytes(4, 'little') + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes
