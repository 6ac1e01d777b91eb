"""Directions in w along which images change: by the weights, by the spread of w, and their files.

A file of directions is a safetensors file: a unit vector for each name, and as metadata the layers
that it is meant for, the deviation of w along it, how well it was found, and the network's hash.
"""

from __future__ import annotations

import json
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from editing.latents import mapped, principal_axes
from formats import tensor_file
from metrics import linear_separability
from pictures.opening import check_same_network

FORMAT = 'stylegan-tf2-directions-1'
PCA_COUNT = 100_000   # w whose principal axes are taken


class Direction(NamedTuple):
    """One way to change w; a step of strength 1 goes `deviation` along `vector` in `layers`."""
    name: str
    vector: np.ndarray   # float32 [dlatent_size], of length 1
    layers: tuple        # style layers, ints
    deviation: float     # standard deviation of the network's w along it
    measures: dict       # {what is known of it: number}


def _signed(vectors):
    """Vectors [K, D] with the sign that makes the largest component positive."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, np.newaxis], 1)
    return vectors * np.where(largest < 0, -1, 1)


def named(method, vectors, layers, statistics, measures, range_name=None):
    """Directions method-1, method-2, ..., or method-RANGE-1, ...

    Args:
        vectors: [K, D], of length 1.
        statistics: latents.WStatistics.
        measures: for each a dict.
        range_name: of the layers; None = all.
    """
    vectors = _signed(vectors).astype(np.float32)
    prefix = f'{method}-' + (f'{range_name}-' if range_name else '')
    return [Direction(f'{prefix}{number}', vector, tuple(layers), float(deviation), known)
            for number, (vector, deviation, known) in enumerate(
                zip(vectors, statistics.along(vectors), measures), 1)]


def style_weights(sampler, layers):
    """[styles, D]: what turns w into the styles of `layers`, as it is used (scaled), stacked."""
    synthesis = sampler.Gs.synthesis
    return np.concatenate([getattr(synthesis, f'epilogue{i}').style.dense.scaled(tf.float32)
                           .numpy().T for i in layers])


def check_has_styles(sampler):
    """ValueError for a network whose layers take no styles."""
    if not sampler.num_layers:
        raise ValueError('--network: it has no style layers, which directions change; take a '
                         'StyleGAN network with styles.')


def sefa(sampler, layers, count, statistics, range_name=None):
    """The directions in w that change the styles of `layers` the most, by their weights alone.

    The right singular vectors n of the stacked weights A maximise |A n|^2 for |n| = 1, each among
    what is orthogonal to those before (Shen and Zhou 2020, arXiv 2007.06600, section 3). Their
    `explained` is the share of their squared singular value.
    """
    check_has_styles(sampler)
    weights = style_weights(sampler, layers).astype(np.float64)
    _, values, vectors = np.linalg.svd(weights, full_matrices=False)
    shares = values ** 2 / np.sum(values ** 2)
    return named('sefa', vectors[:count], layers, statistics,
                 [{'explained': float(share)} for share in shares[:count]], range_name)


def pca(sampler, layers, count, statistics, class_idx=None, num_w=PCA_COUNT, range_name=None):
    """The principal axes of w (Härkönen et al. 2020, arXiv 2004.02546, section 2).

    Their `explained` is their share of the variance. Takes constant memory.
    """
    check_has_styles(sampler)
    _, axes, variances = principal_axes(mapped(sampler, num_w, class_idx))
    return named('pca', axes.T[:count], layers, statistics,
                 [{'explained': float(variance / variances.sum())}
                  for variance in variances[:count]], range_name)


def from_planes(path, sampler, statistics, layers):
    """(Directions, sha256 of the network) of a file of planes, as run_metrics.py keeps those of ls.

    Their `agreement` is the share of the surest half of images on whose side of the plane they are.
    """
    size = sampler.config.dlatent_size
    with tensor_file.opened(path, linear_separability.FORMAT) as (file, metadata):
        planes = {name: file.get_tensor(name) for name in file.keys()}
        with tensor_file.reading_metadata(path):
            agreements = json.loads(metadata['agreements'])
            agreements = {name: float(agreements[name]) for name in planes}
    for name, plane in planes.items():
        if plane.shape != (size + 1,) or not np.isfinite(plane).all() or not plane[:-1].any():
            raise ValueError(f'{path}: the plane {name} must be {size + 1} finite numbers for this '
                             f'network; received {list(plane.shape)}. Measure ls of this network.')
    found = []
    for name, plane in planes.items():
        vector = plane[:-1] / np.linalg.norm(plane[:-1])
        found.append(Direction(name, vector, tuple(layers), float(
            statistics.along(vector[np.newaxis])[0]), {'agreement': agreements[name]}))
    return found, metadata.get('network_sha256')


def save(path, directions, network_sha256=None, notes=None):
    """Writes a file of directions, atomically.

    Args:
        notes: further metadata, {str: str}.
    """
    about = {one.name: {'layers': one.layers, 'deviation': one.deviation, **one.measures}
             for one in directions}
    metadata = {'format': FORMAT, 'directions': json.dumps(about), **(notes or {})}
    if network_sha256 is not None:
        metadata['network_sha256'] = network_sha256
    tensor_file.write(path, {one.name: one.vector for one in directions}, metadata)


def _direction(path, file, name, about):
    """The Direction `name` of an open file, without checks of the network."""
    with tensor_file.reading_metadata(path):
        measures = {key: float(value) for key, value in about.items() if key != 'layers'}
        layers = tuple(int(layer) for layer in about['layers'])
        return Direction(name, file.get_tensor(name), layers, measures.pop('deviation'), measures)


def load(path, sampler, allow_other_network=False):
    """{name: Direction} of a file, in its order, for a Sampler's network.

    Raises:
        ValueError: naming the file; it is none, or was made for another network.
    """
    with tensor_file.opened(path, FORMAT) as (file, metadata):
        with tensor_file.reading_metadata(path):
            about = json.loads(metadata['directions'])
            names = list(about.items())
        size = sampler.config.dlatent_size
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
        wrong = [name for name, _ in names if shapes.get(name) != (size,)]
        if wrong:
            received = list(shapes.get(wrong[0], ()))
            raise ValueError(f'{path}: the direction {wrong[0]} must be [{size}], as the w of this '
                             f'network; received {received}. Take directions of this network.')
        found = {name: _direction(path, file, name, one) for name, one in names}
    _check_network(path, found, metadata.get('network_sha256'), sampler, allow_other_network)
    return found


def _check_network(path, found, network_sha256: Optional[str], sampler, allow_other_network):
    check_has_styles(sampler)
    for one in found.values():
        if not one.layers or not 0 <= min(one.layers) <= max(one.layers) < sampler.num_layers:
            raise ValueError(f'{path}: the direction {one.name} is for the layers '
                             f'{list(one.layers)}, this network has 0..{sampler.num_layers - 1}; '
                             'take directions of this network.')
    if network_sha256 and not allow_other_network:
        check_same_network(path, network_sha256, sampler)
