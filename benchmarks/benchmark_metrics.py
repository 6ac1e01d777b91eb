"""How long each metric takes, by part: generating images, feature networks, statistics.

Times a few minibatches of each part, and the statistics on random features, and prints what a
whole measurement would take at these rates; parts that grow with the square of the count (pr50k3)
are scaled by it. Networks have random weights: the generator is the paper's; Inception is that of
Keras, whose convolutions are those of the graph of 2015, so that nothing is downloaded.

    python benchmarks/benchmark_metrics.py [--resolution=128] [--minibatch=32] [--batches=3]
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import tempfile
import time
from functools import partial
from typing import NamedTuple

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

from feature_files import write_classifier  # noqa: E402

from metrics import kernel, sliced_wasserstein  # noqa: E402
from metrics.attribute_classifiers import NAMES, AttributeClassifier, ClassifierFile  # noqa: E402
from metrics.features import MAX_RESOLUTION, rgb, shrunk  # noqa: E402
from metrics.frechet import Moments, frechet_distance  # noqa: E402
from metrics.inception_score import inception_score  # noqa: E402
from metrics.linear_separability import PART_BYTES, attribute_entropy  # noqa: E402
from metrics.manifold import precision_recall  # noqa: E402
from metrics.ms_ssim import ms_ssim  # noqa: E402
from metrics.perceptual_path_length import path_distances  # noqa: E402
from metrics.registry import METRICS  # noqa: E402
from metrics.sources import GeneratorSource  # noqa: E402
from metrics.vgg16 import BLOCKS, LPIPS, VGG16, resize_bilinear  # noqa: E402
from training.config import DiscriminatorConfig, GeneratorConfig  # noqa: E402
from training.networks import Generator  # noqa: E402

WIDTHS = (64, 128, 256, 512, 512)  # of VGG16's blocks
FEW = 4096                         # features that quadratic statistics are timed on
LATENTS = 10_000                   # that the SVM is timed on
RANDOM = np.random.default_rng(0)


class Cost(NamedTuple):
    """Seconds of a whole measurement, by part."""
    generate: float
    features: float
    statistics: float


def seconds(function, batches=1):
    """Mean time of a call, the first one (which compiles) not counted."""
    if batches > 1:
        function()
    start = time.perf_counter()
    for _ in range(batches):
        function()
    return (time.perf_counter() - start) / batches


def small_random(*shape):
    return RANDOM.standard_normal(shape, np.float32) * np.float32(0.05)


def random_vgg16():
    weights, fan_in = {}, 3
    for block, width in zip(BLOCKS, WIDTHS):
        for layer in block:
            weights[f'features.{layer}.weight'] = small_random(width, fan_in, 3, 3)
            weights[f'features.{layer}.bias'] = small_random(width)
            fan_in = width
    for layer, fan_in in ((0, 512 * 49), (3, 4096)):
        weights[f'classifier.{layer}.weight'] = small_random(4096, fan_in)
        weights[f'classifier.{layer}.bias'] = small_random(4096)
    return VGG16(weights)


def feature_seconds(images, size, batches):
    """{feature network: seconds for an image}; images: uint8 minibatch; size: of LPIPS' pairs."""
    inception = tf.keras.applications.InceptionV3(weights=None, include_top=False, pooling='avg')
    vgg16 = random_vgg16()
    lpips = LPIPS(vgg16, {f'lin{i}.model.1.weight': np.abs(small_random(1, width, 1, 1))
                          for i, width in enumerate(WIDTHS)})
    classifier = AttributeClassifier(DiscriminatorConfig(resolution=256, mbstd_group_size=0))
    functions = {
        'inception': lambda x: inception(resize_bilinear(tf.cast(x, tf.float32), 299) / 128 - 1),
        'vgg16': vgg16.fc2,
        'lpips': lambda x: lpips.distances(*2 * [tf.image.resize(tf.cast(x, tf.float32),
                                                                 [size, size])]),
        'classifiers': lambda x: classifier(shrunk(rgb(tf.image.resize(
            tf.cast(x, tf.float32) / 127.5 - 1, [256, 256]))))}
    result = {}
    for name, function in functions.items():
        compiled = tf.function(function)
        taken = seconds(lambda compiled=compiled: compiled(images).numpy(), batches)
        result[name] = taken / len(images)
    return result


def classifier_loading_seconds():
    """Seconds for an image of loading the classifiers anew for each part of the images of `ls`."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'classifier.pkl'
        write_classifier(path, resolution=256, fmap_base=8192, fmap_max=512)
        classifier = AttributeClassifier(ClassifierFile(path).config)
        load = seconds(lambda: ClassifierFile(path).assign_to(classifier), 5)
    return len(NAMES) * load * MAX_RESOLUTION ** 2 * 3 * 4 / PART_BYTES


def moment_seconds(minibatch):
    """(seconds for a vector, seconds at the end) of FID's statistics."""
    features, sums = RANDOM.standard_normal([minibatch, 2048], np.float32), Moments(2048)
    each = seconds(lambda: sums.add(features), 64) / minibatch
    covariance = np.cov(RANDOM.standard_normal([3000, 2048]), rowvar=False)
    return each, seconds(lambda: frechet_distance(np.zeros(2048), covariance, np.zeros(2048),
                                                  covariance))


def statistics_seconds(minibatch):
    """{metric: seconds of its statistics over all images}."""
    each, once = moment_seconds(minibatch)
    fewer = RANDOM.standard_normal([FEW, 4096], np.float32)
    part = RANDOM.standard_normal([kernel.SUBSET_SIZE, 2048])
    probabilities = RANDOM.random([METRICS['is50k'].count, 1008], np.float32)
    latents = RANDOM.standard_normal([LATENTS, 512], np.float32)
    svm = seconds(lambda: attribute_entropy(latents, latents[:, 0] + latents[:, 1] ** 2))
    distances = RANDOM.random(METRICS['ppl_wend'].count)
    paths = seconds(lambda: np.percentile(distances, [1, 99]))
    quadratic = (METRICS['pr50k3'].count / FEW) ** 2
    return {
        **{name: 2 * METRICS[name].count * each + once for name in ('fid50k', 'fid10k')},
        'kid50k': kernel.SUBSETS * seconds(lambda: kernel.squared_mmd(part, part)),
        'is50k': seconds(lambda: inception_score(probabilities)),
        'pr50k3': quadratic * seconds(lambda: precision_recall(fewer, fewer), 2),
        'ls': 2 * len(NAMES) * METRICS['ls'].count / 2 / LATENTS * svm,
        **{name: paths for name in METRICS if name.startswith('ppl')}}


def image_metrics(images, generate):
    """{metric: Cost} of those without a feature network; their features are parts of images."""
    count, size = METRICS['swd16k'].count, images.shape[1]
    few = max(len(images), 2 ** 20 // size ** 2)
    batch = np.resize(images, [few, *images.shape[1:]])
    sides = [sliced_wasserstein.Patches(3 * few, size, images.shape[3], side) for side in range(2)]
    cutting = sum(seconds(partial(side.add, batch), 2) for side in sides) / len(sides) / few
    directions = seconds(lambda: sliced_wasserstein.distance(*sides, 0)) / (3 * few)
    ms_ssim(images[::2], images[1::2])
    similarity = seconds(lambda: ms_ssim(images[::2], images[1::2])) / len(images)
    pairs = METRICS['msssim10k'].count
    return {'swd16k': Cost(count * generate, 2 * count * cutting, count * directions),
            'msssim10k': Cost(pairs * generate, 2 * pairs * similarity, 0.0)}


def path_seconds(source, batches):
    """Seconds to generate a pair of images for path length, cropped."""
    pairs = path_distances(source, 10 ** 6, [lambda a, b: tf.reduce_sum(a - b, [1, 2, 3])], 'w',
                           False, crop=True)
    return seconds(lambda: next(pairs), batches) / source.minibatch


def costs(source, batches):
    """{metric: Cost} with all images generated; the reals' side is read, which is not counted."""
    stream = source.images(10 ** 6)
    generate = seconds(lambda: next(stream), batches) / source.minibatch
    size = source.Gs.config.resolution
    images = RANDOM.integers(256, size=[source.minibatch, size, size, 3]).astype(np.uint8)
    features = feature_seconds(images, min(size // 2, 256), batches)
    statistics = statistics_seconds(source.minibatch)
    result = image_metrics(images, generate)
    pair = path_seconds(source, batches)
    for name, metric in METRICS.items():
        if name in result:
            continue
        count, [network] = metric.count, metric.networks
        times = {'ls': len(NAMES), 'is50k': 1}.get(name, 2)  # 2: reals and fakes
        times = 1 if name.startswith('ppl') else times
        each = pair if name.startswith('ppl') else generate
        loading = count * classifier_loading_seconds() if name == 'ls' else 0
        result[name] = Cost(count * each, count * features[network] * times + loading,
                            statistics[name])
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--resolution', type=int, default=128)
    parser.add_argument('--minibatch', type=int, default=32)
    parser.add_argument('--batches', type=int, default=3, help='minibatches timed of each part')
    args = parser.parse_args()
    source = GeneratorSource(Generator(GeneratorConfig(resolution=args.resolution)),
                             args.minibatch, seed=0)
    print(f'{"metric":<10} {"images":>7} {"images/s":>9}   seconds: generate  features  statistics'
          '  share of statistics')
    for name, cost in costs(source, args.batches).items():
        total = sum(cost)
        print(f'{name:<10} {METRICS[name].count:>7} {METRICS[name].count / total:>9.1f}'
              f'{cost.generate:>19.0f} {cost.features:>9.0f} {cost.statistics:>11.1f}'
              f'  {100 * cost.statistics / total:>18.1f}%')


if __name__ == '__main__':
    main()
