"""Nothing in a pickle is executed or imported, and none of them takes more than it is worth."""

import collections
import functools
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import reference_pickles as made

from formats import inert_pickle
from formats.network_states import read_states

MEGABYTE = 2 ** 20
ARRAY = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR'
FLOAT = b'cnumpy\ndtype\n(X\x02\x00\x00\x00f4\x89\x88tR'  # numpy.dtype('f4', False, True)


class Calls:
    """Pickles as a call of `function(*args)`."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def source(canary):
    """Python source that leaves a file behind."""
    return f'open({str(canary)!r}, "w").close()'


def text(value):
    """The opcode that pushes a str."""
    data = value.encode()
    return pickle.BINUNICODE + struct.pack('<I', len(data)) + data


def array_with_state(shape, dtype=FLOAT, data=b'C\x00'):
    """A pickle of an array whose shape, dtype and data are opcodes."""
    return b'\x80\x03' + ARRAY + b'(K\x01' + shape + dtype + b'\x89' + data + b'tb.'


def long1(value):
    return pickle.LONG1 + b'\x0a' + value.to_bytes(10, 'little', signed=True)


def network_with(**parts):
    """A network that is in order, but for `parts` of its state."""
    result = made.network('dnnlib.tflib.network', 'Gs', 'G_style', {'a': np.zeros(3)}, {})
    result.state.update(parts)
    return result


def code_of_calls():
    """{case: canary -> bytes} of pickles that call something, under as many disguises as known."""
    cases = {f'exec, protocol {protocol}': lambda canary, protocol=protocol: pickle.dumps(
        Calls(exec, source(canary)), protocol) for protocol in range(6)}
    calls = {
        'os.system': lambda canary: Calls(os.system, f'touch {canary}'),
        'builtins.eval': lambda canary: Calls(eval, source(canary)),
        'builtins.open': lambda canary: Calls(open, str(canary), 'w'),
        'subprocess.Popen': lambda canary: Calls(subprocess.Popen, ['touch', str(canary)]),
        'pickle in a pickle': lambda canary: Calls(pickle.loads, pickle.dumps(
            Calls(exec, source(canary)))),
        'partial': lambda canary: Calls(functools.partial, exec, source(canary)),
        'map of exec': lambda canary: Calls(list, Calls(map, exec, [source(canary)])),
        'in a list of the allowed class': lambda canary: [network_with(), Calls(
            exec, source(canary))],
        'in static_kwargs': lambda canary: network_with(static_kwargs={
            'resolution': Calls(exec, source(canary))}),
        'in a variable': lambda canary: network_with(variables=[('a', Calls(
            exec, source(canary)))]),
        'in a component': lambda canary: network_with(components={'mapping': Calls(
            exec, source(canary))}),
        'in an array of objects': lambda canary: np.array([Calls(exec, source(canary))], object),
        'as an argument of an allowed name': lambda canary: Calls(
            collections.OrderedDict, Calls(exec, source(canary))),
    }
    cases.update({name: lambda canary, make=make: pickle.dumps(make(canary), 4)
                  for name, make in calls.items()})
    return cases


def run(canary):
    """The opcode that pushes `source(canary)`."""
    return text(source(canary))


BY_HAND = {  # {case: canary -> bytes} of opcode sequences that no pickler writes
    'INST': lambda canary: b'(' + run(canary) + b'ibuiltins\nexec\n.',
    'OBJ': lambda canary: b'(cbuiltins\nexec\n' + run(canary) + b'o.',
    'NEWOBJ': lambda canary: b'\x80\x02cbuiltins\nexec\n' + run(canary) + b'\x85\x81.',
    'NEWOBJ_EX': lambda canary: b'\x80\x04ccollections\nOrderedDict\n)}\x92.',
    'getattr chain': lambda canary: (
        b'\x80\x04cbuiltins\ngetattr\n(cbuiltins\n__import__\n' + text('os') + b'\x85R'
        + text('system') + b'tR' + text(f'touch {canary}') + b'\x85R.'),
    'STACK_GLOBAL': lambda canary: (b'\x80\x04' + text('builtins') + text('exec') + b'\x93'
                                    + run(canary) + b'\x85R.'),
    'STACK_GLOBAL of memoized halves': lambda canary: (
        b'\x80\x04' + text('exec') + b'\x940' + text('builtins') + b'\x940h\x01h\x00\x93'
        + run(canary) + b'\x85R.'),
    'attribute of an allowed class': lambda canary: (
        b'\x80\x04' + text('dnnlib.tflib.network') + text('Network.__init__.__globals__')
        + b'\x93.'),
    'method of an allowed class': lambda canary: (
        b'\x80\x04' + text('collections') + text('OrderedDict.fromkeys') + b'\x93'
        + b'(lp0\n\x85R.'),
    'another name of numpy': lambda canary: (
        b'cnumpy.testing._private.utils\nrunstring\n' + run(canary) + b'}\x86R.'),
    'numpy.load': lambda canary: b'cnumpy\nload\n' + text('x.npy') + b'\x85R.',
    'a module that is not loaded yet': lambda canary: b'cthis\nd\n.',
    'a name with a newline': lambda canary: (b'\x80\x04' + text('os\nsystem') + text('x\ny')
                                             + b'\x93.'),
    'a name that is not text': lambda canary: b'\x80\x04K\x01K\x02\x93.',
    'copyreg': lambda canary: (b'ccopyreg\n_reconstructor\n(cos\n_wrap_close\n'
                               b'cbuiltins\nobject\nNtR.'),
    'PERSID': lambda canary: b'Pbuiltins.exec\n.',
    'BINPERSID': lambda canary: b'\x80\x02' + run(canary) + b'Q.',
    'EXT1': lambda canary: b'\x80\x02\x82\x01.',
    'EXT2': lambda canary: b'\x80\x02\x83\x01\x00.',
    'EXT4': lambda canary: b'\x80\x02\x84\x01\x00\x00\x00.',
    'NEXT_BUFFER': lambda canary: b'\x80\x05\x97.',
    'a call of a value': lambda canary: b'\x80\x02' + run(canary) + b')R.',
    'a call of an instance': lambda canary: b'\x80\x02ctfutil\nNetwork\n)\x81)R.',
    'a network made with arguments': lambda canary: (
        b'\x80\x02ctfutil\nNetwork\n' + run(canary) + b'\x85R.'),
    'BUILD of a class': lambda canary: b'\x80\x02ctfutil\nNetwork\n}b.',
    'BUILD of a dict': lambda canary: b'\x80\x02ccollections\nOrderedDict\n)R}b.',
    'BUILD with slots': lambda canary: b'\x80\x02ctfutil\nNetwork\n)\x81N}\x86b.',
    'a call of numpy.ndarray': lambda canary: (
        b'cnumpy\nndarray\n(' + long1(10 ** 12) + b'\x85tR.'),
    '_reconstruct of another class': lambda canary: (
        b'cnumpy.core.multiarray\n_reconstruct\n(ctfutil\nNetwork\n(K\x00tC\x01btR.'),
    '_reconstruct of a large array': lambda canary: (
        b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(' + long1(10 ** 12)
        + b'tC\x01btR.'),
    'a dtype by its Python name': lambda canary: b'cnumpy\ndtype\n' + text('O') + b'\x85R.',
    'a dtype of strings': lambda canary: b'cnumpy\ndtype\n' + text('S1000') + b'\x85R.',
    'a dtype of fields': lambda canary: (
        b'\x80\x02' + FLOAT + b'(K\x03' + text('<') + b'N' + text('a') + b'\x85}'
        + b'J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.'),
}
HOSTILE = {**code_of_calls(), **BY_HAND}


def refusal(path, content):
    """The message with which read_states refuses `content`."""
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        read_states(path)
    assert type(error.value) is ValueError and '\n' not in str(error.value)
    assert str(error.value).startswith(f'{path}: ')
    return str(error.value)


@pytest.mark.parametrize('case', HOSTILE)
def test_nothing_is_executed(case, tmp_path):
    canary = tmp_path / 'canary'
    content = HOSTILE[case](canary)
    modules = set(sys.modules)
    refusal(tmp_path / 'hostile.pkl', content)
    assert not canary.exists()
    assert set(sys.modules) == modules


@pytest.mark.parametrize('case', [f'exec, protocol {protocol}' for protocol in range(6)]
                         + ['builtins.eval', 'INST', 'OBJ', 'STACK_GLOBAL', 'getattr chain',
                            'STACK_GLOBAL of memoized halves', 'pickle in a pickle'])
def test_the_same_bytes_are_live_for_pythons_own_unpickler(case, tmp_path):
    canary = tmp_path / 'canary'
    pickle.loads(HOSTILE[case](canary))
    assert canary.exists()


@pytest.mark.parametrize('case, name', [
    ('os.system', 'posix.system'), ('builtins.eval', 'builtins.eval'), ('INST', 'builtins.exec'),
    ('STACK_GLOBAL', 'builtins.exec'), ('getattr chain', 'builtins.getattr'),
    ('numpy.load', 'numpy.load'), ('in static_kwargs', 'builtins.exec'),
    ('attribute of an allowed class', 'Network.__init__.__globals__'),
    ('copyreg', 'copyreg._reconstructor'), ('EXT1', 'EXT1'), ('PERSID', 'PERSID')])
def test_the_refused_name_is_told(case, name, tmp_path):
    if case == 'os.system' and sys.platform == 'win32':
        name = 'nt.system'
    message = refusal(tmp_path / 'hostile.pkl', HOSTILE[case](tmp_path / 'canary'))
    assert 'refused' in message and name in message


def test_the_source_text_in_a_network_is_not_run(tmp_path):
    canary = tmp_path / 'canary'
    path = tmp_path / 'network.pkl'
    path.write_bytes(pickle.dumps(network_with(build_module_src=source(canary))))
    assert read_states(path)[0].build_module_src == source(canary)
    assert not canary.exists()


def repeated_array():
    """A thousand arrays of the same megabyte."""
    data = b'B' + struct.pack('<I', MEGABYTE) + bytes(MEGABYTE) + b'q\x000'
    one = ARRAY + b'(K\x01' + long1(MEGABYTE // 4) + b'\x85h\x02\x89h\x00tb'
    return b'\x80\x03' + data + FLOAT + b'q\x020(' + one * 1000 + b'l.'


BOMBS = {
    'an array of 10^12 elements': array_with_state(long1(10 ** 12) + b'\x85'),
    'a shape that overflows': array_with_state(long1(2 ** 62 // 4) + long1(16) + b'\x86'),
    'a shape of zero and infinity': array_with_state(b'K\x00' + long1(2 ** 70) + b'\x86'),
    'a negative shape': array_with_state(b'J\xff\xff\xff\xff\x85'),
    'a shape of many dimensions': array_with_state(b'(' + b'K\x01' * 100 + b't', data=b'C\x04abcd'),
    'fewer bytes than the shape': array_with_state(b'K\x02\x85', data=b'C\x04abcd'),
    'more bytes than the shape': array_with_state(b'K\x01\x85', data=b'C\x08abcdefgh'),
    'a list for bytes': array_with_state(b'K\x01\x85', data=b']N\x61'),
    'a scalar of too few bytes': b'cnumpy.core.multiarray\nscalar\n' + FLOAT + b'C\x01a\x86R.',
    'bytes of 4 exabytes': b'\x80\x04\x8e' + struct.pack('<Q', 2 ** 62),
    'a str of 4 exabytes': b'\x80\x04\x8d' + struct.pack('<Q', 2 ** 62),
    'a bytearray of 4 exabytes': b'\x80\x05\x96' + struct.pack('<Q', 2 ** 62),
    'an integer of 2 gigabytes': b'\x80\x02\x8b' + struct.pack('<i', 2 ** 31 - 1),
    'an integer of a million digits': b'(I' + b'9' * 10 ** 6 + b'\n.',
    'a float of a million digits': b'(F' + b'9' * 10 ** 6 + b'\n.',
    'a memo index of 4 billion': b'\x80\x02]r' + struct.pack('<I', 2 ** 32 - 1) + b'.',
    'a memo index of 90 digits': b'(lp' + b'9' * 90 + b'\n.',
    'a frame of 9 exabytes': b'\x80\x04\x95' + struct.pack('<Q', 2 ** 63) + b'].',
    'a thousand arrays of one memoized megabyte': repeated_array(),
    'lists of lists, two to the power of 10,000': (
        b'\x80\x04]\x94' + b''.join(b'0](j' + struct.pack('<I', i) + b'j' + struct.pack('<I', i)
                                    + b'e\x94' for i in range(10_000)) + b'.'),
    'a dictionary built again and again': (
        b'\x80\x04](' + b''.join(struct.pack('<cI', b'J', i) + b'N\x86' for i in range(10_000))
        + b'e\x85\x940' + b'ccollections\nOrderedDict\n\x940(' + b'h\x01h\x00R' * 50_000 + b'l.'),
    'long argument lists, again and again': (
        b'\x80\x04(' + b'N' * 100_000 + b't\x940' + b'ccollections\nOrderedDict\n\x940('
        + b'h\x01h\x00R' * 40_000 + b'l.'),
    'a million empty lists': b'\x80\x04(' + b']' * 1_000_000 + b'l.',
    'lists 100,000 deep': b'\x80\x04' + b']' * 100_000 + b'a' * 99_999 + b'.',
    'tuples 200,000 deep': b'\x80\x04)' + b'\x85' * 200_000 + b'.',
    'a key of tuples 200,000 deep': b'\x80\x04})' + b'\x85' * 200_000 + b'Ns.',
    'networks 25,000 deep': (b'\x80\x02ctfutil\nNetwork\nq\x000' + b'h\x00)\x81}U\x01a' * 25_000
                             + b'N' + b'sb' * 25_000 + b'.'),
    'a list in itself': b'\x80\x02]q\x00h\x00a.',
    'keys that collide': (b'\x80\x02}(' + b''.join(long1((2 ** 61 - 1) * i) + b'N'
                                                   for i in range(1, 1000)) + b'u.'),
    'an empty stack': b'\x80\x02.',
    'a mark that is missing': b'\x80\x02t.',
    'a value below a mark': b'\x80\x02](a.',
    'protocol 200': b'\x80\xc8].',
}


@pytest.mark.parametrize('case', BOMBS)
def test_a_bomb_takes_no_more_than_its_size_warrants(case, tmp_path):
    tracemalloc.start()
    try:
        refusal(tmp_path / 'bomb.pkl', BOMBS[case])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 100 * len(BOMBS[case]) + MEGABYTE
    assert peak <= 150 * MEGABYTE


def test_a_network_that_is_its_own_component_is_refused(tmp_path):
    network = network_with()
    network.state['components'] = {'mapping': network}
    assert 'components' in refusal(tmp_path / 'loop.pkl', pickle.dumps(network))


@pytest.mark.parametrize('parts, words', [
    ({'name': 'a\nb' * 3}, 'its name must be of letters'),
    ({'name': 7}, 'its name must be a str'),
    ({'variables': {'a': 1}}, 'its variables must be a list'),
    ({'variables': None}, 'its variables must be a list; received NoneType'),
    ({'variables': [('a\n', np.zeros(1))]}, 'pairs of a name and an array'),
    ({'variables': [('a', [1.0])]}, 'pairs of a name and an array'),
    ({'variables': [('a', np.zeros(1))] * 10_001}, 'at most 10000 variables'),
    ({'components': {'a': 1}}, 'its components must be networks'),
    ({'static_kwargs': [1]}, 'its static_kwargs must be a dict')])
def test_a_state_of_another_form_is_refused(parts, words, tmp_path):
    assert words in refusal(tmp_path / 'odd.pkl', pickle.dumps(network_with(**parts)))


@pytest.mark.parametrize('value', [
    np.arange(6, dtype='>i2').reshape(2, 3), np.asfortranarray(np.ones([2, 3], np.float16)),
    np.float64(1.5), np.zeros([0, 4], np.uint8), np.array(True)])
@pytest.mark.parametrize('protocol', [3, 4, 5])
def test_numbers_come_as_python_would_read_them(value, protocol):
    read = inert_pickle.loads(pickle.dumps(value, protocol))
    assert read.dtype.str[1:] == value.dtype.str[1:] and np.array_equal(read, value)


@pytest.mark.parametrize('protocol', range(6))
def test_plain_values_come_as_python_would_read_them(protocol):
    shared = ['a', '\u00e4\n\\\U0001f600', '']
    value = {'a': [1, -2, 255, 70_000, 2 ** 40, -2 ** 70, True, False, None, 0.1, -1e300],
             'b': (shared, shared), 'c': ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), 5: {}}
    assert inert_pickle.loads(pickle.dumps(value, protocol)) == value


def test_python_2_text_strings_are_read():
    assert inert_pickle.loads(b"(S'it\\'s \\xe4'\np0\nS\"two\"\ng0\nt.") == (
        "it's \u00e4", 'two', "it's \u00e4")
