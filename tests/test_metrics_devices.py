"""Metrics on several devices: each takes its share, and the numbers are those of one."""

import threading
import types

import feature_files as files
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from metrics import features, frechet, registry
from metrics.perceptual_path_length import path_distances
from metrics.reals import Reals
from metrics.sources import GeneratorSource
from metrics.task import Task
from training import networks, networks_progan, reference
from training.config import GeneratorConfig, ProganGeneratorConfig
from training.devices import ONE_DEVICE, Devices

SMALL = {'resolution': 32, 'num_channels': 1, 'fmap_base': 64, 'fmap_max': 8, 'latent_size': 6}
WIDTHS = [2, 2, 3, 3, 4, 4, 4, 4, 4, 4, 5, 5, 5]  # of VGG16's convolutions
REALS = np.random.RandomState(0).randint(256, size=[30, 32, 32, 1]).astype(np.uint8)


def cpus(count):
    return Devices([device.name for device in tf.config.list_logical_devices('CPU')[:count]])


def generator():
    """A labelled generator whose noise is seen: its strength would be 0 at first."""
    Gs = networks.Generator(GeneratorConfig(dlatent_size=5, mapping_fmaps=7, mapping_layers=2,
                                            label_size=2, **SMALL))
    reference.assign(Gs, {name: 0.3 + array if 'Noise' in name else array
                          for name, array in reference.variables(Gs).items()})
    return Gs


@pytest.fixture(scope='module')
def network_files(tmp_path_factory):
    """Small feature networks, {name: file}."""
    folder = tmp_path_factory.mktemp('networks')
    (folder / 'graph.pb').write_bytes(files.InceptionGraph().graph.SerializeToString())
    safetensors.numpy.save_file(files.vgg16_weights(WIDTHS), folder / 'vgg.safetensors')
    safetensors.numpy.save_file(files.lpips_weights([2, 3, 4, 4, 5]), folder / 'lpips.safetensors')
    for name in features.CLASSIFIER_FILES[:3]:
        files.write_classifier(folder / name, resolution=32)
    return {'inception': folder / 'graph.pb', 'vgg16': folder / 'vgg.safetensors',
            'lpips': folder / 'lpips.safetensors', 'classifiers': folder}


@pytest.fixture(scope='module')
def task_on(network_files):
    """A function: Devices -> a Task with a generator and feature networks on them."""
    Gs = generator()

    def task(devices):
        source = GeneratorSource(Gs, 8, seed=1, labels=np.eye(2), devices=devices)
        reals = Reals(types.SimpleNamespace(images=lambda count: np.split(REALS[:count], 5),
                                            num_images=len(REALS)))
        return Task(fakes=source, reals=reals, seed=1,
                    networks=features.FeatureNetworks(network_files, devices=devices))

    return task


@pytest.fixture(scope='module')
def one_device(task_on):
    return task_on(ONE_DEVICE)


@pytest.mark.parametrize('count', [2, 3])
def test_items_go_to_the_devices_in_turn_and_come_back_in_order(count):
    devices = cpus(count)
    copies = devices.copies(lambda number: tf.Variable(float(number)))
    results = list(devices.map(
        lambda copy, item: (item, float(copy), copy.device, (copy + 1.0).device), copies, range(8)))
    for item, (received, number, of_variable, of_result) in enumerate(results):
        assert received == item and number == item % count
        assert of_variable == of_result and of_result.endswith(f'CPU:{item % count}')


def test_a_device_waits_while_another_is_behind():
    """Nothing is asked for that is more than one item in work and one waiting a device ahead."""
    asked = []
    items = (asked.append(item) or item for item in range(100))
    results = cpus(3).map(lambda copy, item: item, [None] * 3, items)
    for number in range(5):
        assert next(results) == number
    assert len(asked) == 4 + 2 * 3
    results.close()


def test_an_error_comes_out_in_its_turn_and_ends_the_threads():
    def refuse(copy, item):
        if item == 3:
            raise ValueError('no threes')
        return item

    before, received = threading.active_count(), []
    with pytest.raises(ValueError, match='no threes'):
        for item in cpus(2).map(refuse, [None] * 2, range(9)):
            received.append(item)
    assert received == [0, 1, 2] and threading.active_count() == before


def test_results_that_nobody_wants_leave_no_threads():
    before, done = threading.active_count(), []
    results = cpus(2).map(lambda copy, item: done.append(item), [None] * 2, range(100))
    next(results)
    assert threading.active_count() == before + 2
    results.close()
    assert threading.active_count() == before and len(done) <= 4


@pytest.mark.parametrize('count', [2, 3])
def test_samples_are_those_of_one_device(task_on, one_device, count):
    source = task_on(cpus(count)).fakes
    for sample, expected in zip(source.latents_and_images(44),
                                one_device.fakes.latents_and_images(44)):
        for array, expected_array in zip(sample, expected):
            np.testing.assert_array_equal(array, expected_array)
    assert sum(map(len, source.images(44))) == 44


def test_samples_without_w_are_those_of_one_device():
    Gs = networks_progan.Generator(ProganGeneratorConfig(**SMALL))
    one, two = (np.concatenate(list(GeneratorSource(Gs, 8, seed=1, devices=devices).images(20)))
                for devices in (ONE_DEVICE, cpus(2)))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize('space, count', [('z', 2), ('w', 3)])
def test_path_distances_are_those_of_one_device(task_on, one_device, space, count):
    several, one = (
        list(path_distances(task.fakes, 30, [lpips.distances for lpips in task.networks.lpips],
                            space, True, crop=False))
        for task in (task_on(cpus(count)), one_device))
    assert [len(part) for part in one] == [8, 8, 8, 6]
    np.testing.assert_array_equal(np.concatenate(several), np.concatenate(one))


@pytest.mark.parametrize('name', ['fid10k', 'pr50k3', 'ls'])
def test_metrics_are_those_of_one_device(task_on, one_device, monkeypatch, name):
    monkeypatch.setattr(frechet, 'INCEPTION_FEATURES', files.InceptionGraph.FEATURES)
    monkeypatch.setattr(features, 'CLASSIFIER_FILES', features.CLASSIFIER_FILES[:3])
    several, one = (registry.computed(name, task, count=30)
                    for task in (task_on(cpus(3)), one_device))
    assert several == one


def test_weights_are_read_once_for_all_devices(network_files, monkeypatch):
    read, paths = features.read_weights, []
    monkeypatch.setattr(features, 'read_weights',
                        lambda path, *args: paths.append(str(path)) or read(path, *args))
    nets = features.FeatureNetworks(network_files, devices=cpus(3))
    assert len(nets.lpips) == 3 and sorted(paths) == sorted(
        str(network_files[name]) for name in ('lpips', 'vgg16'))
    assert [vgg16.kernels[0].device[-1] for vgg16 in nets._vgg16s] == ['0', '1', '2']
