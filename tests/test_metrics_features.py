"""Feature networks from small files of the published formats, against NumPy."""

import dataclasses
import hashlib
import io
import sys
import tarfile

import feature_files as files
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from formats import torch_file
from metrics import attribute_classifiers, features, inception, vgg16

IMAGES = np.random.RandomState(0).randint(256, size=[3, 32, 24, 3]).astype(np.uint8)
WIDTHS = (2, 2, 3, 3, 4, 3, 4, 3, 4, 5, 4, 3, 4)
BLOCK_WIDTHS = (2, 3, 4, 5, 4)


def resized_as_tensorflow_1(images, size):
    """Bilinear, [N, H, W, C]: pixel i of the result lies at i * H / size."""
    for axis in (1, 2):
        length = images.shape[axis]
        places = np.arange(size) * (length / size)
        below = np.floor(places).astype(int)
        weight = (places - below).reshape([-1 if i == axis else 1 for i in range(4)])
        above = np.minimum(below + 1, length - 1)
        images = (images.take(below, axis) * (1 - weight) + images.take(above, axis) * weight)
    return images


def convolved(images, kernel, stride=1):
    """VALID, kernel HWIO, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel.shape[:2], axis=(1, 2))
    return np.einsum('nhwcij,ijco->nhwo', windows[:, ::stride, ::stride], kernel, optimize=True)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def inception_by_numpy(graph, images):
    x = (resized_as_tensorflow_1(images.astype(np.float64), graph.SIZE) - 128) / 128
    x = convolved(x, graph.kernel, stride=2)
    x = (x - graph.mean) / np.sqrt(graph.variance + 0.001)
    x = x * (graph.gamma if graph.scale_after_normalization else 1) + graph.beta
    pooled = np.maximum(x, 0).mean(axis=(1, 2))
    return pooled, softmax(pooled @ graph.classes)


@pytest.mark.parametrize('scale_after_normalization', [False, True])
def test_inception_graph_equals_numpy(tmp_path, scale_after_normalization):
    graph = files.InceptionGraph(scale_after_normalization)
    path = tmp_path / 'graph.pb'
    path.write_bytes(graph.graph.SerializeToString())
    outputs = inception.load_inception(path)(IMAGES.astype(np.float32))
    for output, expected in zip(outputs, inception_by_numpy(graph, IMAGES)):
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-6)


def test_inception_runs_where_it_is_called_whatever_its_file_says():
    old = files.InceptionGraph().graph
    placed = {node.name for node in old.node if node.device and '_class' in node.attr}
    graph = inception.modern_graph(old, [inception.FEATURES])
    assert placed and placed <= {node.name for node in graph.node}
    assert not [node.name for node in graph.node if node.device or '_class' in node.attr]


def test_inception_comes_out_of_its_archive(tmp_path):
    graph = files.InceptionGraph().graph
    data = graph.SerializeToString()
    with tarfile.open(tmp_path / 'inception.tgz', 'w:gz') as archive:
        for name, content in (('LICENSE', b'text'), ('./classify_image_graph_def.pb', data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert inception.read_graph(tmp_path / 'inception.tgz') == graph


def test_what_is_no_inception_graph_gets_a_verdict(tmp_path):
    path = tmp_path / 'graph.pb'
    path.write_bytes(b'<html>quota exceeded</html>')
    with pytest.raises(ValueError, match='graph.pb: not the Inception graph'):
        inception.load_inception(path)
    path.write_bytes(tf.Graph().as_graph_def().SerializeToString())
    with pytest.raises(ValueError, match='softmax/logits/MatMul is missing'):
        inception.load_inception(path)
    with tarfile.open(tmp_path / 'other.tar', 'w') as archive:
        archive.addfile(tarfile.TarInfo('README'))
    with pytest.raises(ValueError, match='must hold classify_image_graph_def.pb'):
        inception.load_inception(tmp_path / 'other.tar')


def vgg16_by_numpy(weights, x):
    """Activations of the five blocks of normalised images, PyTorch's layout NCHW throughout."""
    layer, result = 0, []
    x = x.transpose(0, 3, 1, 2)
    for count in (2, 2, 3, 3, 3):
        if layer:
            n, c, h, w = x.shape
            x = x[:, :, :h // 2 * 2, :w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))
            layer += 1
        for _ in range(count):
            padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
            x = np.einsum('nchwij,ocij->nohw', windows, weights[f'features.{layer}.weight'],
                          optimize=True)
            x = np.maximum(x + weights[f'features.{layer}.bias'][:, np.newaxis, np.newaxis], 0)
            layer += 2
        result.append(x)
    return result


def test_lpips_equals_numpy():
    weights, linear = files.vgg16_weights(WIDTHS), files.lpips_weights(BLOCK_WIDTHS)
    pairs = [side.astype(np.float32) + 0.25 for side in (IMAGES, IMAGES[::-1])]
    distances = vgg16.LPIPS(vgg16.VGG16(weights), linear).distances(*pairs)
    shift, scale = np.array([-.030, -.088, -.188]), np.array([.458, .448, .450])
    sides = [vgg16_by_numpy(weights, (side / 127.5 - 1 - shift) / scale) for side in pairs]
    expected = 0
    for i, (a, b) in enumerate(zip(*sides)):
        a, b = (side / (np.sqrt((side ** 2).sum(axis=1, keepdims=True)) + 1e-10)
                for side in (a, b))
        expected += ((a - b) ** 2 * linear[f'lin{i}.model.1.weight']).sum(axis=1).mean(axis=(1, 2))
    np.testing.assert_allclose(distances, expected, rtol=1e-4, atol=1e-6)
    assert distances[1] == 0 and distances[0] > 0, 'the middle image is paired with itself'


def test_lpips_stays_finite_where_nothing_is_active():
    weights = files.vgg16_weights(WIDTHS)
    weights['features.28.bias'] = np.full(WIDTHS[-1], -1e6, np.float32)
    lpips = vgg16.LPIPS(vgg16.VGG16(weights), files.lpips_weights(BLOCK_WIDTHS))
    assert np.all(np.isfinite(lpips.distances(*np.float32([IMAGES, IMAGES[::-1]]))))


def test_fc2_equals_numpy():
    weights = files.vgg16_weights(WIDTHS)
    x = resized_as_tensorflow_1(IMAGES[:1].astype(np.float64), 224)
    x = (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = vgg16_by_numpy(weights, x)[-1].reshape(1, -1, 7, 2, 7, 2).max(axis=(3, 5))
    x = x.reshape(1, -1)  # C, H, W
    for layer in ('classifier.0', 'classifier.3'):
        x = np.maximum(x @ weights[f'{layer}.weight'].T + weights[f'{layer}.bias'], 0)
    np.testing.assert_allclose(vgg16.VGG16(weights).fc2(IMAGES[:1]), x, rtol=1e-3, atol=1e-2)


def test_weights_that_are_missing_are_named():
    weights = files.vgg16_weights(WIDTHS)
    convolutions = {name: array for name, array in weights.items() if 'classifier' not in name}
    with pytest.raises(ValueError, match='precision and recall need'):
        vgg16.VGG16(convolutions).fc2(IMAGES)
    with pytest.raises(ValueError, match='lin0.model.1.weight is missing'):
        vgg16.LPIPS(vgg16.VGG16(convolutions), {})
    del weights['features.5.bias']
    with pytest.raises(ValueError, match='1 of its weights are missing, features.5.bias'):
        vgg16.VGG16(weights)


@pytest.mark.parametrize('write', [files.write_legacy_pth, files.write_zip_pth])
def test_state_dicts_are_read_without_pytorch(tmp_path, write):
    random = np.random.RandomState(0)
    arrays = {'features.0.weight': random.randn(4, 3, 2, 2).astype('<f4'),
              'scalar': np.array(3, '<f4'), 'half': random.randn(5).astype('<f2'),
              'steps': np.arange(3), 'none of them': 7}
    base = files.Storage(np.arange(20, dtype='<f4'), '9')
    arrays['view'] = files.Tensor(base, 3, [2, 3], [1, 4])  # transposed, as a part of its storage
    arrays['other view'] = files.Tensor(base, 0, [4], [5])
    write(tmp_path / 'weights.pth', arrays)
    read = torch_file.read_state_dict(tmp_path / 'weights.pth')
    np.testing.assert_array_equal(read.pop('view'), [[3, 7, 11], [4, 8, 12]])
    np.testing.assert_array_equal(read.pop('other view'), [0, 5, 10, 15])
    assert list(read) == ['features.0.weight', 'scalar', 'half', 'steps']
    for name, array in read.items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == arrays[name].dtype


def test_a_state_dict_that_asks_for_more_is_refused(tmp_path):
    class Call:
        def __reduce__(self):
            return print, ('executed',)

    for write in (files.write_legacy_pth, files.write_zip_pth):
        write(tmp_path / 'hostile.pth', {'weight': Call()})
        with pytest.raises(ValueError, match='hostile.pth: refused: it asks for .*print'):
            torch_file.read_state_dict(tmp_path / 'hostile.pth')


def test_damaged_state_dicts_get_a_verdict(tmp_path):
    path = tmp_path / 'weights.pth'
    files.write_legacy_pth(path, {'weight': np.ones(100, np.float32)})
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) - 500, 20):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match='weights.pth: .*Download the file again'):
            torch_file.read_state_dict(path)
    path.write_bytes(b'<html>')
    with pytest.raises(ValueError, match='no file of PyTorch'):
        torch_file.read_state_dict(path)
    outside = files.Tensor(files.Storage(np.ones(4, np.float32), '0'), 0, [2, 3], [3, 1])
    files.write_legacy_pth(path, {'weight': outside})
    with pytest.raises(ValueError, match=r'tensor \[2, 3\] must lie within .* 4 numbers'):
        torch_file.read_state_dict(path)


def test_weights_are_checked_by_their_hash_or_come_as_safetensors(tmp_path):
    weights, path = {'lin0.model.1.weight': np.ones([1, 2, 1, 1], np.float32)}, tmp_path / 'a.pth'
    files.write_legacy_pth(path, weights)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    safetensors.numpy.save_file(weights, tmp_path / 'a.safetensors')
    for read in (features.read_weights(path, digest),
                 features.read_weights(tmp_path / 'a.safetensors', 'of no matter')):
        assert list(read) == list(weights) and np.all(read['lin0.model.1.weight'] == 1)
    with pytest.raises(ValueError, match='a.pth: its sha256 must be 00; received'):
        features.read_weights(path, '00')
    (tmp_path / 'a.safetensors').write_bytes(b'cut short')
    with pytest.raises(ValueError, match='not a whole safetensors file'):
        features.read_weights(tmp_path / 'a.safetensors', None)


# The module of a classifier, with what its function's first and second line do to x.
SOURCE = """raise SystemExit('executed')
def blur2d(x, f):
    return conv2d(x, f)
def others(x, blur_filter):
    return blur2d(x, blur_filter)
def classify(x, blur_filter=None):
    'No blur.'
    {}
    return {}  # blur
"""


@pytest.mark.parametrize('blur, source, func', [
    (True, '', 'D_basic'), (False, ' \n', 'D_paper'),
    (True, SOURCE.format('pass', 'blur2d(x, [1, 2, 1])'), 'classify'),
    (True, SOURCE.format('x = layers.blur2d(x)', 'x'), 'classify'),
    (True, SOURCE.format('def half(x): return conv2d(blur2d(x))', 'half(x)'), 'classify'),
    (False, SOURCE.format('pass', 'conv2d(x)'), 'classify'),
    (True, SOURCE.format('pass', 'conv2d(x)'), 'others'),
    (False, SOURCE.format('pass', 'blur2d(x)') + 'def classify(x): return x', 'classify')],
    ids=['by name', 'no blur by name', 'call', 'attribute', 'function within', 'elsewhere only',
         'the other function', 'defined anew'])
def test_classifiers_are_discriminators_without_stddev(tmp_path, blur, source, func):
    discriminator = files.write_classifier(tmp_path / 'a.pkl', blur, source, func)
    images = np.random.RandomState(0).randn(3, 16, 16, 3).astype(np.float32)
    file = attribute_classifiers.ClassifierFile(tmp_path / 'a.pkl')
    classifier = attribute_classifiers.AttributeClassifier(file.config)
    file.assign_to(classifier)
    np.testing.assert_allclose(classifier(images), discriminator(images)[:, 0], rtol=1e-5,
                               atol=1e-6)


def test_what_is_no_classifier_gets_a_verdict(tmp_path):
    files.write_classifier(tmp_path / 'a.pkl', func='G_unheard_of')
    with pytest.raises(ValueError, match="a.pkl: not an attribute classifier: .*'G_unheard_of'"):
        attribute_classifiers.ClassifierFile(tmp_path / 'a.pkl')
    files.write_classifier(tmp_path / 'b.pkl')
    file = attribute_classifiers.ClassifierFile(tmp_path / 'b.pkl')
    other = attribute_classifiers.AttributeClassifier(
        dataclasses.replace(file.config, fmap_max=4))
    with pytest.raises(ValueError, match='b.pkl: not an attribute classifier: .* do not fit'):
        file.assign_to(other)


@pytest.mark.parametrize('source, words', [
    (SOURCE.format('pass', 'x'), "must define 'D_basic'; received a source without it"),
    ('class D_basic: blur = 1', "must define 'D_basic'; received a source without it"),
    ('print "blur"', r"must define 'D_basic'; received what is no Python 3 \(SyntaxError\)"),
    ('\ud800', 'received what is no Python 3'),
    pytest.param('D_basic = ' + '-' * 100_000 + '1', 'received what is no Python 3',
                 marks=pytest.mark.skipif(sys.version_info < (3, 11),
                                          reason='too deep for the stack of older parsers'))],
    ids=['other functions', 'a class', 'Python 2', 'a surrogate', 'too nested'])
def test_a_classifier_whose_source_lacks_its_function_is_refused(tmp_path, source, words):
    files.write_classifier(tmp_path / 'a.pkl', source=source)
    with pytest.raises(ValueError, match='a.pkl: not an attribute classifier: .*' + words):
        attribute_classifiers.ClassifierFile(tmp_path / 'a.pkl')


def test_classifiers_take_turns_in_one_network(tmp_path, monkeypatch):
    names, traced = features.CLASSIFIER_FILES, []
    discriminators = [files.write_classifier(tmp_path / name, func == 'D_basic', func=func)
                      for name, func in zip(names, ('D_basic', 'D_basic', 'D_paper'))]
    call = attribute_classifiers.AttributeClassifier.__call__
    monkeypatch.setattr(attribute_classifiers.AttributeClassifier, '__call__',
                        lambda self, images: traced.append(self.config.blur_filter)
                        or call(self, images))
    monkeypatch.setattr(features, 'CLASSIFIER_FILES', names[:3])
    nets = features.FeatureNetworks({'classifiers': tmp_path}, tmp_path)
    images = np.random.RandomState(0).randn(4, 16, 16, 3).astype(np.float32)
    for discriminator, (_, classify) in zip(discriminators, nets.classifiers()):
        for logits, batch in zip(classify([images, -images]), (images, -images)):
            np.testing.assert_allclose(logits, discriminator(batch)[:, 0], rtol=1e-4, atol=1e-5)
    assert traced == [(1, 2, 1), None], 'compiled once for each architecture'


def test_feature_networks_take_their_files_from_where_they_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(features, 'MAX_RESOLUTION', 16)
    monkeypatch.setattr(features.download, 'fetch', lambda url, target: pytest.fail(url))
    graph = files.InceptionGraph()
    (tmp_path / 'my.pb').write_bytes(graph.graph.SerializeToString())
    safetensors.numpy.save_file(files.vgg16_weights(WIDTHS), tmp_path / 'vgg.safetensors')
    safetensors.numpy.save_file(files.lpips_weights(BLOCK_WIDTHS), tmp_path / 'lpips.safetensors')
    discriminators = [files.write_classifier(tmp_path / name)
                      for name in features.CLASSIFIER_FILES[:2]]
    nets = features.FeatureNetworks(
        {'inception': tmp_path / 'my.pb', 'vgg16': tmp_path / 'vgg.safetensors',
         'lpips': tmp_path / 'lpips.safetensors', 'classifiers': tmp_path}, tmp_path / 'cache')
    gray = IMAGES[..., :1]
    expected = inception_by_numpy(graph, gray.repeat(3, axis=3))
    [outputs] = nets.inception([gray])
    for output, wanted in zip(outputs, expected):
        np.testing.assert_allclose(output, wanted, rtol=1e-4, atol=1e-6)
    [fc2], [lpips] = nets.fc2([IMAGES]), nets.lpips
    assert fc2.shape == (3, 7)
    assert lpips.distances(*np.float32([IMAGES, IMAGES])).shape == 3
    large = np.random.RandomState(0).randn(3, 32, 32, 3).astype(np.float32)
    classifiers = nets.classifiers()
    for number, name in enumerate(('00-male', '01-smiling')):
        attribute, classify = next(classifiers)
        assert attribute == name
        halved = large.reshape(3, 16, 2, 16, 2, 3).mean(axis=(2, 4))
        [logits] = classify([features.shrunk(large)])
        np.testing.assert_allclose(logits, discriminators[number](halved)[:, 0], rtol=1e-4,
                                   atol=1e-5)
    with pytest.raises(ValueError, match='must be 16 pixels a side or more.*received 8'):
        next(classify([large[:, :8, :8]]))
    with pytest.raises(ValueError, match='02-attractive.pkl: no such file; the folder'):
        next(classifiers)


def test_files_that_are_missing_are_named_with_where_they_go(tmp_path, monkeypatch):
    def fetch(url, target):
        raise OSError(f'{url}: put it at {target}')

    monkeypatch.setattr(features.download, 'fetch', fetch)
    nets = features.FeatureNetworks(cache_dir=tmp_path)
    target = tmp_path / 'metrics' / 'lpips-v0.1-vgg.pth'
    assert [path for path, _ in nets.missing('lpips')][1] == str(target)
    assert len(nets.missing('classifiers')) == 40
    target.parent.mkdir()
    target.write_bytes(b'')
    assert len(nets.missing('lpips')) == 1
    assert nets.damaged('lpips') == [(str(target), features.SOURCES['lpips'].url)]
    with pytest.raises(OSError, match='inception-2015-12-05.tgz: put it at .*metrics/inception'):
        nets.inception([IMAGES])
    with pytest.raises(ValueError, match="received 'inceptoin'"):
        features.FeatureNetworks({'inceptoin': 'x'})


def test_a_file_that_is_given_as_a_url_is_there_once_it_is_in_the_cache(tmp_path):
    url = 'https://example.org/graph.pb'
    nets = features.FeatureNetworks({'inception': url}, tmp_path)
    [(path, source)] = nets.missing('inception')
    assert source == url
    with open(path, 'wb') as file:
        file.write(b'x')
    assert nets.missing('inception') == [] and nets.path('inception') == path
    assert nets.damaged('inception') == [], 'no sha256 was published'


def test_a_file_is_damaged_unless_its_sha256_is_the_published_one(tmp_path, monkeypatch):
    path = tmp_path / 'mine.pth'
    path.write_bytes(b'weights')
    nets = features.FeatureNetworks({'vgg16': path})
    source = features.SOURCES['vgg16']
    assert nets.damaged('vgg16') == [(str(path), source.url)]
    whole = source._replace(sha256=hashlib.sha256(b'weights').hexdigest())
    monkeypatch.setitem(features.SOURCES, 'vgg16', whole)
    assert nets.damaged('vgg16') == nets.missing('vgg16') == []
    converted = tmp_path / 'mine.safetensors'
    converted.write_bytes(b'of any sha256')
    assert features.FeatureNetworks({'vgg16': converted}).damaged('vgg16') == []
