"""Writes small files of the formats that feature networks come in, without PyTorch."""

import collections
import io
import pickle
import zipfile

import numpy as np
import reference_pickles
import tensorflow as tf

from training import networks, reference
from training.config import DiscriminatorConfig


class Name:
    """Pickles as a reference to `module.name`."""

    def __init__(self, module, name):
        self.text = f'{module}\n{name}\n'

    def __call__(self):
        raise AssertionError('only to be pickled')


class Storage:
    """The numbers of a tensor; pickles as a persistent id."""

    def __init__(self, array, key):
        self.array, self.key = np.asarray(array), key


class Tensor:
    """A view of a storage, as PyTorch's tensors are."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.view = storage, (offset, tuple(shape), tuple(strides))

    def __reduce_ex__(self, protocol):
        return (Name('torch._utils', '_rebuild_tensor_v2'),
                (self.storage, *self.view, False, collections.OrderedDict()))


class Pickler(pickle._Pickler):
    """Protocol 2, as torch.save writes it."""
    dispatch = dict(pickle._Pickler.dispatch)

    def save_name(self, name):
        self.write(pickle.GLOBAL + name.text.encode())

    dispatch[Name] = save_name

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        kind = {'f4': 'FloatStorage', 'f2': 'HalfStorage', 'i8': 'LongStorage'}
        return ('storage', Name('torch', kind[value.array.dtype.str[1:]]), value.key, 'cpu',
                value.array.size, *self.more_of_id)


def _pickled(value, more_of_id=()):
    file = io.BytesIO()
    pickler = Pickler(file, protocol=2)
    pickler.more_of_id = more_of_id
    pickler.dump(value)
    return file.getvalue()


def _state_dict(arrays, first=1000):
    """(what is pickled, its storages) of {name: array}, or of dicts of such.

    Other values stay as they are. first: key of the first storage.
    """
    state, storages = collections.OrderedDict(), []
    for name, array in arrays.items():
        if isinstance(array, dict):
            array, more = _state_dict(array, first + len(storages))
            storages += more
        elif isinstance(array, np.ndarray):
            array = np.array(array, order='C')
            storages.append(Storage(array, str(first + len(storages))))
            strides = [stride // array.itemsize for stride in array.strides]
            array = Tensor(storages[-1], 0, array.shape, strides)
        elif isinstance(array, Tensor):
            storages.append(array.storage)
        state[name] = array
    state._metadata = collections.OrderedDict(version=1)
    return state, list({storage.key: storage for storage in storages}.values())


def write_legacy_pth(path, arrays):
    """As torch.save before 1.6: pickles, then the numbers in the order of their keys."""
    state, storages = _state_dict(arrays)
    storages = storages[::-1]
    data = b''.join([_pickled(0x1950a86a20f9469cfc6c), _pickled(1001),
                     _pickled({'little_endian': True}), _pickled(state, more_of_id=(None,)),
                     _pickled([storage.key for storage in storages])])
    for storage in storages:
        data += storage.array.size.to_bytes(8, 'little') + storage.array.tobytes()
    path.write_bytes(data)


def write_zip_pth(path, arrays):
    """As torch.save from 1.6 on: an archive."""
    state, storages = _state_dict(arrays)
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('weights/data.pkl', _pickled(state))
        for storage in storages:
            archive.writestr(f'weights/data/{storage.key}', storage.array.tobytes())
        archive.writestr('weights/version', '3\n')


def vgg16_weights(widths, dense=6):
    """Random weights of a small VGG16 under torchvision's names; widths: of the 13 convolutions."""
    random, weights, fan_in = np.random.RandomState(0), {}, 3
    layers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    for layer, width in zip(layers, widths):
        weights[f'features.{layer}.weight'] = random.randn(width, fan_in, 3, 3) / fan_in ** 0.5
        weights[f'features.{layer}.bias'] = random.randn(width)
        fan_in = width
    for layer, shape in (('0', [dense, 49 * fan_in]), ('3', [dense + 1, dense])):
        weights[f'classifier.{layer}.weight'] = random.randn(*shape)
        weights[f'classifier.{layer}.bias'] = random.randn(shape[0])
    return {name: array.astype(np.float32) for name, array in weights.items()}


def lpips_weights(widths):
    """Random weights of LPIPS' five layers; widths: of VGG16's blocks."""
    random = np.random.RandomState(1)
    return {f'lin{i}.model.1.weight': random.rand(1, width, 1, 1).astype(np.float32)
            for i, width in enumerate(widths)}


class InceptionGraph:
    """A graph of the names, ops and age of the Inception graph, with one convolution.

    Some nodes say where they are to run: beside the decoder, or on a GPU of another machine.
    """
    SIZE, FEATURES, CLASSES = 19, 5, 7

    def __init__(self, scale_after_normalization=False):
        random = np.random.RandomState(0)
        self.kernel = random.randn(3, 3, 3, self.FEATURES).astype(np.float32)
        self.mean, self.beta, self.gamma = random.randn(3, self.FEATURES).astype(np.float32)
        self.variance = random.rand(self.FEATURES).astype(np.float32)
        self.classes = random.randn(self.FEATURES, self.CLASSES).astype(np.float32)
        self.scale_after_normalization = scale_after_normalization
        self.graph = tf.compat.v1.GraphDef()
        self.graph.versions.producer = 8  # the op below is gone from 9 on
        self._add_nodes()

    def _const(self, name, array):
        array = np.asarray(array)
        node = self.graph.node.add(op='Const', name=name)
        node.attr['dtype'].type = tf.as_dtype(array.dtype).as_datatype_enum
        node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(array))
        return name

    def _node(self, op, name, *inputs):
        node = self.graph.node.add(op=op, name=name, input=inputs)
        node.attr['T'].type = tf.float32.as_datatype_enum
        return node

    def _add_nodes(self):
        self._const('DecodeJpeg/contents', b'not an image')
        decode = self.graph.node.add(op='DecodeJpeg', name='DecodeJpeg',
                                     input=['DecodeJpeg/contents'])
        decode.attr['channels'].i = 3
        cast = self.graph.node.add(op='Cast', name='Cast', input=['DecodeJpeg'])
        cast.attr['SrcT'].type = tf.uint8.as_datatype_enum
        cast.attr['DstT'].type = tf.float32.as_datatype_enum
        self._node('ExpandDims', 'ExpandDims', 'Cast', self._const('ExpandDims/dim', np.int32(0)))
        self._node('ResizeBilinear', 'ResizeBilinear', 'ExpandDims',
                   self._const('ResizeBilinear/size', np.int32([self.SIZE, self.SIZE])))
        self._node('Sub', 'Sub', 'ResizeBilinear', self._const('Sub/y', np.float32(128)))
        self._node('Mul', 'Mul', 'Sub', self._const('Mul/y', np.float32(0.0078125)))
        conv = self._node('Conv2D', 'conv/Conv2D', 'Mul',
                          self._const('conv/conv2d_params', self.kernel))
        self._add_window(conv, strides=[1, 2, 2, 1])
        conv.attr['_class'].list.s.append(b'loc:@DecodeJpeg')
        conv.device = '/job:worker/task:3/device:GPU:7'
        statistics = [self._const(f'conv/batchnorm/{name}', array) for name, array in (
            ('moving_mean', self.mean), ('moving_variance', self.variance), ('beta', self.beta),
            ('gamma', self.gamma))]
        norm = self._node('BatchNormWithGlobalNormalization', 'conv/batchnorm', 'conv/Conv2D',
                          *statistics)
        norm.attr['variance_epsilon'].f = 0.001
        norm.attr['scale_after_normalization'].b = self.scale_after_normalization
        check = self._node('CheckNumerics', 'conv/CheckNumerics', 'conv/batchnorm')
        check.attr['message'].s = b'not finite'
        self._node('Identity', 'conv/control_dependency', 'conv/batchnorm', '^conv/CheckNumerics')
        relu = self._node('Relu', 'conv', 'conv/control_dependency')
        relu.attr['_class'].list.s.append(b'loc:@conv/Conv2D')
        relu.device = '/device:CPU:0'
        pool = self._node('AvgPool', 'pool_3', 'conv')
        self._add_window(pool, strides=[1, 1, 1, 1])
        pool.attr['ksize'].list.i.extend([1, 9, 9, 1])
        self._node('Reshape', 'pool_3/_reshape', 'pool_3',
                   self._const('pool_3/_reshape/shape', np.int32([1, self.FEATURES])))
        self._node('MatMul', 'softmax/logits/MatMul', 'pool_3/_reshape',
                   self._const('softmax/weights', self.classes))

    def _add_window(self, node, strides):
        node.attr['strides'].list.i.extend(strides)
        node.attr['padding'].s = b'VALID'


def write_classifier(path, blur=True, source='', func='D_basic', resolution=16, fmap_base=64,
                     fmap_max=8):
    """Writes an attribute classifier; returns the discriminator whose weights it has."""
    shape = {'resolution': resolution, 'fmap_base': fmap_base, 'fmap_max': fmap_max}
    discriminator = networks.Discriminator(DiscriminatorConfig(
        mbstd_group_size=0, blur_filter=(1, 2, 1) if blur else None, **shape))
    arrays = {name: array for name, array in reference.variables(discriminator).items()
              if 'FromRGB' not in name or 'lod0' in name}
    network = reference_pickles.network('dnnlib.tflib.network', 'classifier', func, arrays, shape)
    network.state['build_module_src'] = source
    path.write_bytes(pickle.dumps(network, 4))
    return discriminator
