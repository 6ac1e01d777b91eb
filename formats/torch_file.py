"""State dicts as PyTorch saves them, without PyTorch: reading executes nothing; and writing.

Reads both of torch.save's forms: several pickles followed by the numbers (before 1.6), and a zip
archive with one pickle and a member for each storage; writes the second. The names that such a
pickle may ask for are those of ALLOWED, which stand for functions of this file; any other one ends
the reading.
"""

from __future__ import annotations

import collections
import io
import math
import os
import pickle
import zipfile
from typing import NamedTuple

import numpy as np

from formats.file_kind import TORCH_LEGACY_MAGIC
from formats.files import write_atomically


class Storage(NamedTuple):
    """Numbers in the file, by their key there."""
    dtype: np.dtype
    key: str
    count: int


class Tensor(NamedTuple):
    """A view of a storage."""
    storage: Storage
    offset: int               # in elements, as the strides
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage, offset, shape, strides, *_):
    """What torch._utils._rebuild_tensor and _rebuild_tensor_v2 are called with."""
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor, *_):
    return tensor


ALLOWED = {
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('torch._utils', '_rebuild_tensor'): _tensor,
    ('torch._utils', '_rebuild_tensor_v2'): _tensor,
    ('torch._utils', '_rebuild_parameter'): _parameter,
    ('torch', 'HalfStorage'): np.dtype('<f2'),
    ('torch', 'FloatStorage'): np.dtype('<f4'),
    ('torch', 'DoubleStorage'): np.dtype('<f8'),
    ('torch', 'LongStorage'): np.dtype('<i8')}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise ValueError(f'refused: it asks for {module}.{name}, which a state dict does not '
                             'need; nothing was executed')
        return ALLOWED[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, count = pid[:5]
        if kind not in ('storage', b'storage') or not isinstance(dtype, np.dtype):
            raise ValueError(f'refused: a persistent id must be of a storage; received {kind!r}')
        if len(pid) > 5 and pid[5] is not None:
            raise ValueError('a storage must not be a view of another one')
        return Storage(dtype, str(key), int(count))


def _load(file):
    return _Unpickler(file, encoding='latin1').load()


def _numbers(data, dtype, count):
    """bytes -> [count]; ValueError where there are fewer."""
    if len(data) < count * dtype.itemsize:
        raise ValueError('it ends in the middle (a download cut short?)')
    return np.frombuffer(data, dtype, count)


def _storages_in(value):
    """{key: Storage} of all tensors in dicts, lists and tuples, which may contain themselves."""
    storages, waiting, seen = {}, [value], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            storages[value.storage.key] = value.storage
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return storages


def _read_legacy(file):
    """(what was saved, {key: numbers}) of the form with pickles one after the other."""
    for _ in range(3):  # a magic number, a version, and sizes of types
        _load(file)
    saved, keys = _load(file), _load(file)
    storages, numbers = _storages_in(saved), {}
    for key in map(str, keys):
        count = int(_numbers(file.read(8), np.dtype('<i8'), 1)[0])
        if key not in storages or storages[key].count != count:
            raise ValueError(f'storage {key!r:.40} must have as many numbers as announced; '
                             f'received {count}')
        dtype = storages[key].dtype
        numbers[key] = _numbers(file.read(count * dtype.itemsize), dtype, count)
    return saved, numbers


def _read_zip(file, choose):
    """(what was saved, {key: numbers of what is chosen}) of the form of an archive."""
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.endswith('/data.pkl')]
        if len(pickles) != 1:
            raise ValueError(f'must hold one data.pkl; received {len(pickles)}')
        folder = pickles[0][:-len('data.pkl')]
        saved = _load(io.BytesIO(archive.read(pickles[0])))
        return saved, {key: _numbers(archive.read(f'{folder}data/{key}'), storage.dtype,
                                     storage.count)
                       for key, storage in _storages_in(choose(saved)).items()}


def _array(tensor, numbers):
    """The view that `tensor` is of its storage, as an array of its own."""
    last = tensor.offset + sum((size - 1) * stride
                               for size, stride in zip(tensor.shape, tensor.strides))
    if min(tensor.offset, *tensor.strides, *tensor.shape, 0) < 0 or last >= len(numbers):
        raise ValueError(f'a tensor {list(tensor.shape)} must lie within its storage of '
                         f'{len(numbers)} numbers')
    if math.prod(tensor.shape) > len(numbers):
        raise ValueError(f'a tensor {list(tensor.shape)} must not repeat its {len(numbers)} '
                         'numbers')
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset:], tensor.shape, strides).copy()


def _read(path, choose):
    """{name: {name: array or str}} of what `choose` takes of what was saved."""
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            head = file.read(len(TORCH_LEGACY_MAGIC))
            file.seek(0)
            if head == TORCH_LEGACY_MAGIC:
                saved, numbers = _read_legacy(file)
            elif head.startswith(b'PK'):
                saved, numbers = _read_zip(file, choose)
            else:
                raise ValueError(f'this is no file of PyTorch: it begins with {head[:8]!r}')
        return {part: {name: value if isinstance(value, str) else
                       _array(value, numbers[value.storage.key])
                       for name, value in state.items() if isinstance(value, (Tensor, str))}
                for part, state in choose(saved).items()}
    except (ValueError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, KeyError, TypeError,
            AttributeError, IndexError) as error:
        raise ValueError(f'{path}: {error}. Download the file again.') from None


def read_state_dict(path):
    """{name: array or str} of a .pth file; entries that are neither are left out."""
    return _read(path, lambda saved: {'': saved})['']


def read_state_dicts(path, names):
    """{name: {name: array or str}} of a file of several state dicts, of `names` that are there."""
    def choose(saved):
        if not isinstance(saved, dict):
            raise ValueError(f'must hold state dicts by name; received a {type(saved).__name__}')
        return {name: saved[name] for name in names if isinstance(saved.get(name), dict)}

    return _read(path, choose)


class _Global(NamedTuple):
    """What a pickle names instead of holding it."""
    module: str
    name: str

    def __call__(self):
        """Never called here: a pickle takes only what could be as a function."""


class _Pickler(pickle._Pickler):
    """Pickles arrays as views of storages whose numbers lie elsewhere: in `storages`, {key: array}.

    The one in Python: only it can write names of modules that are not there.
    """
    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        return ('storage', _Global('torch', 'FloatStorage'), value.key, 'cpu', value.count)

    def save_name(self, value):
        self.write(pickle.GLOBAL + f'{value.module}\n{value.name}\n'.encode())

    def save_array(self, array):
        storage = Storage(array.dtype, str(len(self.storages)), array.size)
        self.storages[storage.key] = array
        strides = tuple(stride // array.itemsize for stride in array.strides)
        self.save_reduce(_Global('torch._utils', '_rebuild_tensor_v2'),
                         (storage, 0, array.shape, strides, False, collections.OrderedDict()))

    dispatch[_Global], dispatch[np.ndarray] = save_name, save_array


def write_state_dicts(path, parts):
    """Writes {name: {name: float32 array or str}} as torch.save would, for torch.load to read."""
    pickled, data = io.BytesIO(), io.BytesIO()
    pickler = _Pickler(pickled)
    pickler.dump({part: {name: value if isinstance(value, str) else
                         np.asarray(value, '<f4', order='C') for name, value in state.items()}
                  for part, state in parts.items()})
    with zipfile.ZipFile(data, 'w') as archive:
        archive.writestr('archive/data.pkl', pickled.getvalue())
        for key, array in pickler.storages.items():
            archive.writestr(f'archive/data/{key}', array.tobytes())
        archive.writestr('archive/version', '3\n')
    write_atomically(path, data.getvalue())
