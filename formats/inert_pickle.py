"""Reads pickles of networks as data: a stack machine that can call nothing from the file.

Python's own unpickler looks names up and calls them. This one knows a handful of names, for each
of which it builds a value itself, and refuses the rest: nothing is imported, looked up or called
on the word of a file. Values are plain Python (dict, list, str, numbers), numeric numpy arrays
and `Network` objects that hold their state. Memory stays within a small multiple of the file's
size, because every array and string must have its bytes in the file and opcodes are counted.
"""

from __future__ import annotations

import codecs
import inspect
import math
import pickle
import struct

import numpy as np

MAX_STEPS = 250_000        # opcodes, and pairs of dictionaries: a 1024x1024 triple has some 10,000
MAX_ARGUMENTS = 5          # of a call: copying a long list of them again and again takes for ever
MAX_DIGITS = 100           # of a number written as text: longer ones take quadratic time
MAX_INTEGER_BYTES = 16     # of a binary integer
MAX_INDEX = 2 ** 32        # of the memo, and of integer keys: small ones cannot be made to collide
NUMBERS = ('b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8')

ORIGINS = {'torch': 'a PyTorch file', 'torch_utils': 'a network of the PyTorch StyleGAN releases',
           'theano': 'a Theano network', 'lasagne': 'a Theano network'}  # of names that tell it

REFUSED_OPCODES = {
    pickle.PERSID: 'PERSID, a persistent id', pickle.BINPERSID: 'BINPERSID, a persistent id',
    pickle.EXT1: 'EXT1, a name of the extension registry',
    pickle.EXT2: 'EXT2, a name of the extension registry',
    pickle.EXT4: 'EXT4, a name of the extension registry',
    pickle.NEWOBJ_EX: 'NEWOBJ_EX, a call with keywords', pickle.EMPTY_SET: 'EMPTY_SET',
    pickle.ADDITEMS: 'ADDITEMS', pickle.FROZENSET: 'FROZENSET',
    pickle.NEXT_BUFFER: 'NEXT_BUFFER, data outside the file',
    pickle.READONLY_BUFFER: 'READONLY_BUFFER, data outside the file'}


class Network:
    """Stands for the reference's Network class; `state` is what the file says it holds, or None."""

    def __init__(self):
        self.state = None


class NumberType:
    """A numpy dtype under construction: of NUMBERS only, its byte order may still be set."""

    def __init__(self, code):
        self.dtype = np.dtype(code)


class Name:
    """An allowed name that the file refers to; not the thing it names."""

    def __init__(self, name):
        self.name = name


def _require(condition, rule, received):
    """ValueError unless `condition`; `received` must be short (a name, a number, a type)."""
    if not condition:
        raise ValueError(f'{rule}; received {received!r:.100}')


def _number_type(machine, code, align=False, copy=True):
    del machine, align, copy
    _require(isinstance(code, str) and code in NUMBERS,
             'refused: numpy.dtype must be one of numbers, no objects or strings',
             code if isinstance(code, str) else type(code).__name__)
    return NumberType(code)


def _array_bytes(machine, data, dtype, shape):
    """`data` as bytes, which must be those of the array announced: checked before it is made."""
    if isinstance(data, str):  # Python 2's bytes
        data = data.encode('latin1')
    _require(isinstance(dtype, NumberType), 'an array must have a numeric dtype',
             type(dtype).__name__)
    _require(isinstance(data, bytes), 'refused: an array must hold its numbers as bytes',
             type(data).__name__)
    _require(type(shape) is tuple and len(shape) <= 32
             and all(type(size) is int and 0 <= size < 2 ** 62 for size in shape),
             'an array\'s shape must be a tuple of sizes', type(shape).__name__)
    announced = math.prod(shape) * dtype.dtype.itemsize
    _require(announced == len(data),
             f'an array must hold {announced} bytes for its shape, as announced', len(data))
    machine.array_bytes += announced
    _require(machine.array_bytes <= len(machine.data),
             f'arrays must hold no more than the {len(machine.data)} bytes of the file',
             machine.array_bytes)
    return data


def _empty_array(machine, array_class, shape, code):
    del machine, code
    _require(isinstance(array_class, Name) and array_class.name == 'numpy.ndarray',
             'refused: _reconstruct must make a numpy.ndarray',
             getattr(array_class, 'name', type(array_class).__name__))
    _require(shape == (0,), '_reconstruct must begin with an empty array', type(shape).__name__)
    return np.empty([0], np.uint8)


def _scalar(machine, dtype, data):
    return np.frombuffer(_array_bytes(machine, data, dtype, ()), dtype.dtype)[0]


def _array_from_buffer(machine, data, dtype, shape, order):
    """What numpy writes in place of _reconstruct from pickle protocol 5 on."""
    _require(order in ('C', 'F'), 'an array\'s order must be C or F', type(order).__name__)
    flat = np.frombuffer(_array_bytes(machine, data, dtype, shape), dtype.dtype)
    return flat.reshape(shape, order=order)


def _network(machine):
    del machine
    return Network()


def _dictionary(machine, items=()):
    _require(type(items) in (dict, list, tuple), 'a dictionary must be made of pairs',
             type(items).__name__)
    machine.count_steps(len(items))
    result = {}
    for item in (items.items() if type(items) is dict else items):
        _require(type(item) in (list, tuple) and len(item) == 2,
                 'a dictionary must be made of pairs', type(item).__name__)
        machine.set_item(result, *item)
    return result


def _never_called(machine, *args):
    del machine, args
    raise ValueError('refused: numpy.ndarray may be named here, but not called')


CONSTRUCTORS = {
    'collections.OrderedDict': _dictionary,
    'dnnlib.util.EasyDict': _dictionary,
    'dnnlib.tflib.network.Network': _network,
    'tfutil.Network': _network,  # ProGAN's
    'numpy.ndarray': _never_called,
    'numpy.dtype': _number_type,
    'numpy.core.multiarray._reconstruct': _empty_array,
    'numpy.core.multiarray.scalar': _scalar,
    'numpy.core.numeric._frombuffer': _array_from_buffer,
    'numpy._core.multiarray._reconstruct': _empty_array,  # numpy 2's names
    'numpy._core.multiarray.scalar': _scalar,
    'numpy._core.numeric._frombuffer': _array_from_buffer}
SIGNATURES = {name: inspect.signature(function) for name, function in CONSTRUCTORS.items()}


def _build_array(machine, array, state):
    _require(type(state) is tuple and len(state) == 5, 'an array must be built of five values',
             type(state).__name__)
    version, shape, dtype, fortran, data = state
    _require(array.shape == (0,), 'an array must be built once', array.shape)
    _require(type(version) is int and version == 1 and type(fortran) in (bool, int),
             'an array must be of version 1', type(version).__name__)
    data = _array_bytes(machine, data, dtype, shape)
    array.__setstate__((1, shape, dtype.dtype, bool(fortran), data))


def _build_number_type(number_type, state):
    _require(type(state) is tuple and len(state) in (8, 9),
             'a dtype must be built of eight values', type(state).__name__)
    version, order, *rest = state
    _require(type(version) is int and type(order) is str and order in ('<', '>', '|', '='),
             'a dtype must have a byte order', type(order).__name__)
    plain = [None, None, None, -1, -1, 0, None][:len(rest)]
    _require(all(type(a) is type(b) and a == b for a, b in zip(rest, plain)),
             'refused: a dtype must be plain, without fields or shapes', 'other values')
    number_type.dtype = number_type.dtype.newbyteorder(order)


OPCODES = {}  # {byte: function(machine)}


def _opcode(code):
    def register(function):
        OPCODES[code[0]] = function
        return function
    return register


class Machine:
    """The pickle stack machine, on bytes held in memory."""

    def __init__(self, data):
        self.data = data
        self.position = 0
        self.stack = []
        self.marks = []       # lengths of the stack where a MARK stands
        self.memo = {}
        self.steps = 0
        self.array_bytes = 0  # taken by arrays so far

    def run(self):
        """The value that the pickle describes."""
        while True:
            self.count_steps(1)
            start = self.position
            code = self.take(1)
            if code == pickle.STOP:
                return self.pop()
            if code in REFUSED_OPCODES:
                raise ValueError(f'refused: opcode {REFUSED_OPCODES[code]} (byte {start})')
            if code[0] not in OPCODES:
                raise ValueError(f'not a pickle: byte {start} is {code!r}')
            OPCODES[code[0]](self)

    def count_steps(self, count):
        self.steps += count
        _require(self.steps <= MAX_STEPS, f'refused: it must take at most {MAX_STEPS} steps',
                 self.steps)

    def take(self, count):
        """The next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise ValueError(f'it ends in the middle, after {len(self.data)} bytes (a download '
                             'cut short?)')
        taken = self.data[self.position:end]
        self.position = end
        return taken

    def number(self, layout):
        """The next number, `layout` as in the module struct."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self):
        """The bytes up to the next newline."""
        end = self.data.find(b'\n', self.position)
        line = self.take((len(self.data) if end < 0 else end - self.position) + 1)
        return line[:-1]

    def digits(self):
        """A line that holds a number, as str."""
        line = self.line()
        _require(len(line) <= MAX_DIGITS, f'a number must have at most {MAX_DIGITS} digits',
                 len(line))
        return line.decode('ascii')

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError('not a pickle: its stack runs empty')
        return self.stack.pop()

    def pop_to_mark(self):
        """What was pushed since the last MARK, as a list."""
        if not self.marks:
            raise ValueError('not a pickle: a MARK is missing')
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def top(self, kind):
        """The last value, which must be of the type `kind`."""
        value = self.pop()
        self.push(value)
        _require(type(value) is kind, f'refused: only a {kind.__name__} may be filled so',
                 type(value).__name__)
        return value

    def remember(self, index):
        _require(0 <= index < MAX_INDEX, 'a memo index must be below 2^32', index)
        value = self.pop()
        self.push(value)
        self.memo[index] = value

    def recall(self, index):
        _require(index in self.memo, 'a memo index must have been set before', index)
        self.push(self.memo[index])

    def set_item(self, target, key, value):
        """target[key] = value for keys that are cheap to hash: nested tuples could overflow."""
        _require(type(key) is str or type(key) is int and abs(key) < MAX_INDEX,
                 'a key must be a str or a small int', type(key).__name__)
        target[key] = value

    def set_items(self, target, flat):
        _require(len(flat) % 2 == 0, 'keys and values must come in pairs', len(flat))
        for key, value in zip(flat[::2], flat[1::2]):
            self.set_item(target, key, value)

    def name(self, module, name):
        """The allowed name `module.name`; anything else ends the reading."""
        _require(type(module) is str and type(name) is str, 'refused: a name must be a str',
                 type(name).__name__)
        full = f'{module}.{name}'
        if full not in CONSTRUCTORS:
            origin = ORIGINS.get(module.split('.')[0])
            raise ValueError((f'this is {origin}, not a StyleGAN or ProGAN network; '
                              if origin else '') +
                             f'refused: it asks for {full!r:.200}, which is not among the names '
                             'that a network file needs; nothing was executed')
        return Name(full)

    def call(self, function, args):
        """The value that the reference's `function(*args)` stands for."""
        _require(type(function) is Name, 'refused: a call of something that is not a name',
                 type(function).__name__)
        _require(type(args) in (tuple, list), 'refused: a call must have a tuple of arguments',
                 type(args).__name__)
        _require(len(args) <= MAX_ARGUMENTS, f'a call must have at most {MAX_ARGUMENTS} arguments',
                 len(args))
        try:
            SIGNATURES[function.name].bind(self, *args)
        except TypeError as error:
            raise ValueError(f'refused: a call of {function.name} with {error}') from None
        return CONSTRUCTORS[function.name](self, *args)

    def build(self, target, state):
        """What `target.__setstate__(state)` stands for."""
        if type(target) is np.ndarray:
            _build_array(self, target, state)
        elif type(target) is NumberType:
            _build_number_type(target, state)
        else:
            _require(type(target) is Network and type(state) is dict,
                     'refused: BUILD is for networks, arrays and dtypes only',
                     type(target).__name__)
            target.state = state


@_opcode(pickle.PROTO)
def _proto(machine):
    protocol = machine.number('<B')
    _require(protocol <= pickle.HIGHEST_PROTOCOL,
             f'the pickle protocol must be at most {pickle.HIGHEST_PROTOCOL}', protocol)


@_opcode(pickle.FRAME)
def _frame(machine):
    machine.number('<Q')


@_opcode(pickle.MARK)
def _mark(machine):
    machine.marks.append(len(machine.stack))


@_opcode(pickle.POP)
def _pop(machine):
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop()


@_opcode(pickle.POP_MARK)
def _pop_mark(machine):
    machine.pop_to_mark()


@_opcode(pickle.DUP)
def _dup(machine):
    value = machine.pop()
    machine.stack += [value, value]


@_opcode(pickle.INT)
def _int(machine):
    text = machine.digits()
    machine.push({'00': False, '01': True}[text] if text in ('00', '01') else int(text))


@_opcode(pickle.LONG)
def _long(machine):
    machine.push(int(machine.digits().rstrip('L')))


@_opcode(pickle.FLOAT)
def _float(machine):
    machine.push(float(machine.digits()))


@_opcode(pickle.STRING)
def _string(machine):
    line = machine.line().strip()
    _require(len(line) >= 2 and line[:1] == line[-1:] and line[:1] in (b'"', b"'"),
             'a STRING must be in quotes', line[:1])
    machine.push(codecs.escape_decode(line[1:-1])[0].decode('latin1'))


@_opcode(pickle.UNICODE)
def _unicode(machine):
    machine.push(machine.line().decode('raw-unicode-escape'))


@_opcode(pickle.GET)
def _get(machine):
    machine.recall(int(machine.digits()))


@_opcode(pickle.PUT)
def _put(machine):
    machine.remember(int(machine.digits()))


@_opcode(pickle.MEMOIZE)
def _memoize(machine):
    machine.remember(len(machine.memo))


@_opcode(pickle.LIST)
def _list(machine):
    machine.push(machine.pop_to_mark())


@_opcode(pickle.TUPLE)
def _tuple(machine):
    machine.push(tuple(machine.pop_to_mark()))


@_opcode(pickle.DICT)
def _dict(machine):
    result = {}
    machine.set_items(result, machine.pop_to_mark())
    machine.push(result)


@_opcode(pickle.APPEND)
def _append(machine):
    value = machine.pop()
    machine.top(list).append(value)


@_opcode(pickle.APPENDS)
def _appends(machine):
    values = machine.pop_to_mark()
    machine.top(list).extend(values)


@_opcode(pickle.SETITEM)
def _setitem(machine):
    value, key = machine.pop(), machine.pop()
    machine.set_item(machine.top(dict), key, value)


@_opcode(pickle.SETITEMS)
def _setitems(machine):
    values = machine.pop_to_mark()
    machine.set_items(machine.top(dict), values)


@_opcode(pickle.GLOBAL)
def _global(machine):
    module, name = machine.line().decode('utf-8'), machine.line().decode('utf-8')
    machine.push(machine.name(module, name))


@_opcode(pickle.STACK_GLOBAL)
def _stack_global(machine):
    name, module = machine.pop(), machine.pop()
    machine.push(machine.name(module, name))


@_opcode(pickle.INST)
def _inst(machine):
    module, name = machine.line().decode('utf-8'), machine.line().decode('utf-8')
    machine.push(machine.call(machine.name(module, name), machine.pop_to_mark()))


@_opcode(pickle.OBJ)
def _obj(machine):
    values = machine.pop_to_mark()
    _require(values, 'an OBJ must have a class', 'nothing')
    machine.push(machine.call(values[0], values[1:]))


@_opcode(pickle.REDUCE)
@_opcode(pickle.NEWOBJ)
def _reduce(machine):
    args, function = machine.pop(), machine.pop()
    machine.push(machine.call(function, args))


@_opcode(pickle.BUILD)
def _build(machine):
    state, target = machine.pop(), machine.pop()
    machine.build(target, state)
    machine.push(target)


def _add_constants():
    """The opcodes that push a value of their own."""
    for code, make in ((pickle.NONE, lambda: None), (pickle.NEWTRUE, lambda: True),
                       (pickle.NEWFALSE, lambda: False), (pickle.EMPTY_LIST, list),
                       (pickle.EMPTY_DICT, dict), (pickle.EMPTY_TUPLE, tuple)):
        OPCODES[code[0]] = lambda machine, make=make: machine.push(make())


def _add_numbers():
    """The opcodes followed by a number that is pushed, or that indexes the memo."""
    for code, layout in ((pickle.BININT, '<i'), (pickle.BININT1, '<B'), (pickle.BININT2, '<H'),
                         (pickle.BINFLOAT, '>d')):
        OPCODES[code[0]] = lambda machine, layout=layout: machine.push(machine.number(layout))
    for code, layout in ((pickle.BINGET, '<B'), (pickle.LONG_BINGET, '<I')):
        OPCODES[code[0]] = lambda machine, layout=layout: machine.recall(machine.number(layout))
    for code, layout in ((pickle.BINPUT, '<B'), (pickle.LONG_BINPUT, '<I')):
        OPCODES[code[0]] = lambda machine, layout=layout: machine.remember(machine.number(layout))


def _integer(data):
    _require(len(data) <= MAX_INTEGER_BYTES,
             f'an integer must have at most {MAX_INTEGER_BYTES} bytes', len(data))
    return int.from_bytes(data, 'little', signed=True)


def _latin1(data):
    return data.decode('latin1')  # Python 2's bytes: text and raw numbers alike


def _utf8(data):
    return data.decode('utf-8', 'surrogatepass')


def _add_lengths():
    """The opcodes followed by a length and so many bytes."""
    for code, layout, convert in (
            (pickle.LONG1, '<B', _integer), (pickle.LONG4, '<I', _integer),
            (pickle.SHORT_BINSTRING, '<B', _latin1), (pickle.BINSTRING, '<I', _latin1),
            (pickle.SHORT_BINUNICODE, '<B', _utf8), (pickle.BINUNICODE, '<I', _utf8),
            (pickle.BINUNICODE8, '<Q', _utf8), (pickle.SHORT_BINBYTES, '<B', bytes),
            (pickle.BINBYTES, '<I', bytes), (pickle.BINBYTES8, '<Q', bytes),
            (pickle.BYTEARRAY8, '<Q', bytes)):
        OPCODES[code[0]] = lambda machine, layout=layout, convert=convert: machine.push(
            convert(machine.take(machine.number(layout))))


def _add_tuples():
    """The opcodes that make a tuple of the last one, two or three values."""
    for code, length in ((pickle.TUPLE1, 1), (pickle.TUPLE2, 2), (pickle.TUPLE3, 3)):
        OPCODES[code[0]] = lambda machine, length=length: machine.push(
            tuple([machine.pop() for _ in range(length)][::-1]))


_add_constants()
_add_numbers()
_add_lengths()
_add_tuples()


def loads(data):
    """bytes of a pickle -> the value that it describes; ValueError where it is refused."""
    return Machine(data).run()
