"""Feature networks: their files, where to download them, and how to call them."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from typing import NamedTuple, Optional

import safetensors.numpy
import tensorflow as tf

from formats import download
from formats.files import file_sha256
from formats.torch_file import read_state_dict
from metrics.alexnet import AlexNet, Diversity
from metrics.attribute_classifiers import NAMES, AttributeClassifier, ClassifierFile
from metrics.inception import load_inception
from metrics.inception_v3 import SIZES, InceptionV3, scaled
from metrics.vgg16 import LPIPS, VGG16
from training.devices import ONE_DEVICE
from training.layers import downscale2d

FOLDER = 'metrics'      # below the cache directory
MAX_RESOLUTION = 256    # of the images that LPIPS and the classifiers see
CLASSIFIERS_URL = 'https://nvlabs-fi-cdn.nvidia.com/stylegan/networks/metrics'


class Source(NamedTuple):
    """A file, where it is published and its sha256 there, or its beginning and '...'."""
    file_name: str
    url: str
    sha256: Optional[str]   # None = none was published


SOURCES = {
    'inception': Source(
        'inception-2015-12-05.tgz',
        'http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz', None),
    'vgg16': Source(
        'vgg16-397923af.pth', 'https://download.pytorch.org/models/vgg16-397923af.pth',
        '397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0'),
    'lpips': Source(
        'lpips-v0.1-vgg.pth', 'https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/'
        'master/lpips/weights/v0.1/vgg.pth',
        'a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868'),
    # Of translation. The digits in torchvision's names are the beginnings of sha256s.
    'inception_v3': Source(
        'inception_v3_google-0cc3c7bd.pth',
        'https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth', '0cc3c7bd...'),
    'alexnet': Source(
        'alexnet-owt-7be5be79.pth', 'https://download.pytorch.org/models/alexnet-owt-7be5be79.pth',
        '7be5be79...'),
    'lpips_alex': Source(
        'lpips-v0.1-alex.pth', 'https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/'
        'master/lpips/weights/v0.1/alex.pth',
        'df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0')}
for _name in NAMES:
    _file_name = f'celebahq-classifier-{_name}.pkl'
    SOURCES[_file_name] = Source(_file_name, f'{CLASSIFIERS_URL}/{_file_name}', None)
CLASSIFIER_FILES = tuple(name for name in SOURCES if name.startswith('celebahq-classifier-'))
FILES = {  # {feature network: keys of SOURCES that it is made of}
    'inception': ('inception',), 'vgg16': ('vgg16',), 'lpips': ('vgg16', 'lpips'),
    'classifiers': CLASSIFIER_FILES, 'inception_v3': ('inception_v3',),
    'lpips_alex': ('alexnet', 'lpips_alex')}

RESIZES = {  # how each one's images come to its size
    'inception': 'bilinear to 299, corners at corners, as TensorFlow 1 did it',
    'vgg16': 'bilinear to 224, corners at corners, as TensorFlow 1 did it',
    'lpips': f'box to {MAX_RESOLUTION} where larger',
    'classifiers': f'box to {MAX_RESOLUTION} where larger',
    'inception_v3': f'bilinear with antialiasing to {" and then ".join(map(str, SIZES))}',
    'lpips_alex': 'none'}


def rgb(images):
    """Gray images as RGB: [N, H, W, 1 or 3] -> [N, H, W, 3]."""
    return images if images.shape[3] == 3 else tf.repeat(images, 3, axis=3)


def shrunk(images):
    """Images averaged in blocks down to MAX_RESOLUTION, where they are larger: [N, H, W, C]."""
    return downscale2d(images, max(images.shape[1] // MAX_RESOLUTION, 1))


def fits(received, sha256):
    """Whether a sha256 is that of a Source, of which the end may be unknown."""
    return received == sha256 or sha256.endswith('...') and received.startswith(sha256[:-3])


def read_weights(path, sha256):
    """{name: array} of a .safetensors file, or of a PyTorch file that has this sha256."""
    if os.fspath(path).endswith('.safetensors'):
        try:
            return safetensors.numpy.load_file(path)
        except safetensors.SafetensorError as error:
            raise ValueError(f'{path}: not a whole safetensors file ({error}). Download or convert '
                             'it again.') from None
    received = file_sha256(path)
    if not fits(received, sha256):
        raise ValueError(f'{path}: its sha256 must be {sha256}; received {received}. Download it '
                         'again, or convert it to .safetensors.')
    return read_state_dict(path)


def _logits(classifier, images):
    """Logits [N] of images [N, R, R, C], [-1, 1], where R must be the classifier's size."""
    resolution = classifier.config.resolution
    if images.shape[1] < resolution:
        raise ValueError(f'linear separability: images must be {resolution} pixels a side or more, '
                         f'as the classifiers are; received {images.shape[1]}. Leave the metric '
                         'out.')
    return classifier.compiled(rgb(images)).numpy()


class FeatureNetworks:
    """The feature networks, each loaded when it is first asked for.

    Loading raises OSError where a file is not there and can't be downloaded, and says what to put
    where.

    Args:
        given: {key of SOURCES: path or URL to use in its place}; 'classifiers' may be given a
            folder that holds the forty files.
        cache_dir: where downloads are kept; None = as for networks.
        devices: Devices that share the images; each has its own copy of a network.
    """

    def __init__(self, given=None, cache_dir=None, devices=ONE_DEVICE):
        self.devices = devices
        self._given = given or {}
        unknown = set(self._given) - set(SOURCES) - {'classifiers'}
        if unknown:
            raise ValueError(f'feature networks must be among {", ".join(FILES)}; received '
                             f'{sorted(unknown)[0]!r}.')
        self._cache_dir = cache_dir
        self._hashes = {}  # {path: sha256}
        self._classifiers = []  # one for each device, once there are any

    def _target(self, key):
        """Where the file of SOURCES[key] is, or would be after its download."""
        if key in CLASSIFIER_FILES and 'classifiers' in self._given:
            return os.path.join(self._given['classifiers'], key)
        return os.path.join(download.cache_directory(self._cache_dir), FOLDER,
                            SOURCES[key].file_name)

    def _place(self, key):
        """(path, URL): where the file for SOURCES[key] is or belongs, and where it comes from."""
        given = os.fspath(self._given.get(key, ''))
        if re.match('https?://', given):
            return download.cached_path(given, self._cache_dir), given
        return given or self._target(key), SOURCES[key].url

    def _hash(self, path):
        if path not in self._hashes:
            self._hashes[path] = file_sha256(path)
        return self._hashes[path]

    def missing(self, network):
        """Files [(path, URL)] of the feature network that are not there yet."""
        places = [self._place(key) for key in FILES[network]]
        return [(path, url) for path, url in places if not os.path.isfile(path)]

    def damaged(self, network):
        """Files [(path, URL)] of the feature network that `read_weights` would refuse by sha256."""
        places = [(*self._place(key), SOURCES[key].sha256) for key in FILES[network]]
        return [(path, url) for path, url, sha256 in places
                if sha256 and os.path.isfile(path) and not path.endswith('.safetensors')
                and not fits(self._hash(path), sha256)]

    def path(self, key):
        """A local file for a key of SOURCES, downloaded if need be."""
        if key in self._given:
            return download.local_path(self._given[key], self._cache_dir)
        target = self._target(key)
        if not os.path.exists(target):
            if key in CLASSIFIER_FILES and 'classifiers' in self._given:
                raise ValueError(f'{target}: no such file; the folder of classifiers must hold '
                                 f'{CLASSIFIER_FILES[0]} and the {len(CLASSIFIER_FILES) - 1} '
                                 'others.')
            download.fetch(SOURCES[key].url, target)
        return target

    def fetch(self, network):
        """Downloads whatever file of the feature network is missing."""
        for key in FILES[network]:
            self.path(key)

    def sha256(self, network):
        """The sha256 of the feature network's file; of several files, the sha256 of theirs."""
        hashes = [self._hash(self.path(key)) for key in FILES[network]]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256(
            ''.join(hashes).encode()).hexdigest()

    @functools.cached_property
    def _inceptions(self):
        # Weights are constants of the graph: wherever the one function is called, there they are.
        inception = load_inception(self.path('inception'))
        return self.devices.copies(lambda _: inception)

    @functools.cached_property
    def _vgg16s(self):
        weights = read_weights(self.path('vgg16'), SOURCES['vgg16'].sha256)
        return self.devices.copies(lambda _: VGG16(weights))

    @functools.cached_property
    def _fc2s(self):
        return [tf.function(vgg16.fc2, reduce_retracing=True) for vgg16 in self._vgg16s]

    @functools.cached_property
    def lpips(self):
        """LPIPS of each device, to be called in compiled code."""
        weights = read_weights(self.path('lpips'), SOURCES['lpips'].sha256)
        return self.devices.copies(lambda number: LPIPS(self._vgg16s[number], weights))

    @functools.cached_property
    def _inception_v3s(self):
        weights = read_weights(self.path('inception_v3'), SOURCES['inception_v3'].sha256)

        def compiled(_):
            network = InceptionV3(weights)  # in a closure, which keeps it alive
            return tf.function(lambda images: network.features(images), [
                tf.TensorSpec([None, SIZES[-1], SIZES[-1], 3], tf.uint8)], autograph=False)

        return self.devices.copies(compiled)

    @functools.cached_property
    def _diversities(self):
        alexnet, linear = (read_weights(self.path(key), SOURCES[key].sha256)
                           for key in FILES['lpips_alex'])

        def compiled(_):
            network = Diversity(AlexNet(alexnet), linear)
            return tf.function(lambda images: network.of_outputs(images), autograph=False,
                               reduce_retracing=True)

        return self.devices.copies(compiled)

    def inception(self, batches):
        """Yields (pool_3 features [N, 2048], class probabilities [N, 1008]) of each batch.

        Args:
            batches: iterable of uint8 [N, H, W, C].
        """
        def outputs(inception, images):
            features, probabilities = inception(tf.cast(rgb(images), tf.float32))
            return features.numpy(), probabilities.numpy()

        return self.devices.map(outputs, self._inceptions, batches)

    def fc2(self, batches):
        """Yields VGG16's features [N, 4096] of each batch, uint8 [N, H, W, C]."""
        return self.devices.map(lambda fc2, images: fc2(tf.constant(rgb(images))).numpy(),
                                self._fc2s, batches)

    def inception_v3(self, batches):
        """Yields torchvision's Inception-v3's features [N, 2048] of batches, uint8 [N, H, W, 3]."""
        return self.devices.map(lambda features, images: features(scaled(images)).numpy(),
                                self._inception_v3s, batches)

    def diversities(self, batches):
        """Yields [N] of each [M, N, R, R, 3], [-1, 1]: mean LPIPS distance of pairs of M images."""
        return self.devices.map(lambda of_outputs, images: of_outputs(images).numpy(),
                                self._diversities, batches)

    def classifiers(self):
        """Yields (attribute, function: batches of images -> their logits [N], one after another).

        The images are float32 [N, R, R, C], [-1, 1], `shrunk`. A function serves until the next
        one is asked for: forty would take 4 GB, so their weights take turns in one network, which
        is compiled once.
        """
        for key in CLASSIFIER_FILES:
            file = ClassifierFile(self.path(key))
            if not self._classifiers or self._classifiers[0].config != file.config:
                self._classifiers = self.devices.copies(
                    lambda _, config=file.config: AttributeClassifier(config))
            for classifier in self._classifiers:
                file.assign_to(classifier)
            yield (key[len('celebahq-classifier-'):-len('.pkl')],
                   functools.partial(self.devices.map, _logits, self._classifiers))
