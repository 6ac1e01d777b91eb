"""The data set on disk: bytes as the reference writes them, reading, and what is refused."""

import hashlib
import json
import os
import pathlib

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from training import dataset

PARITY = pathlib.Path(__file__).parent / 'parity' / 'misc'


def parity_images(case):
    """The images of a parity case as [C, H, W] arrays, sorted by file name."""
    arrays = [np.asarray(PIL.Image.open(path))
              for path in sorted((PARITY / 'dataset_tool' / case / 'images').iterdir())]
    return [a[None] if a.ndim == 2 else a.transpose(2, 0, 1) for a in arrays]


@pytest.mark.parametrize('case, shuffled', [('rgb32', True), ('gray16', False)])
def test_files_equal_the_references_byte_for_byte(tmp_path, case, shuffled):
    images = parity_images(case)
    order = np.arange(len(images))
    if shuffled:
        np.random.RandomState(123).shuffle(order)
    with dataset.Writer(tmp_path / 'unfinished', case, images[0].shape[1], len(images[0])) as out:
        for i in order:
            out.add(dataset.pyramid(images[i]))
    expected = json.loads((PARITY / 'dataset_tool' / case / 'sha256.json').read_text())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
             for path in (tmp_path / 'unfinished').iterdir()}
    assert found == expected


def test_pyramid_averages_before_rounding():
    image = np.zeros([1, 16, 16], np.uint8)
    image[0, :2, :4] = [[4, 3, 0, 2], [0, 0, 0, 0]]
    levels = dataset.pyramid(image)
    assert [level.shape for level in levels] == [(1, 16, 16), (1, 8, 8), (1, 4, 4)]
    assert levels[1][0, 0, :3].tolist() == [2, 0, 0]  # 1.75 and 0.5: halves go to the even number
    assert levels[2][0, 0, 0] == 1  # (1.75 + 0.5) / 4 = 0.5625; of rounded values 2 / 4 -> 0


@pytest.mark.parametrize('shape', [(1, 4, 4), (3, 4, 4), (3, 128, 128), (1, 1024, 1024)])
def test_envelope_round_pixels_is_a_real_example(shape):
    pixels = np.random.RandomState(0).randint(0, 256, shape, np.uint8).tobytes()
    before, after = dataset._envelope(shape)
    example = tf.train.Example.FromString(before + pixels + after)
    assert example.features.feature['shape'].int64_list.value == list(shape)
    assert example.features.feature['data'].bytes_list.value == [pixels]
    assert example.SerializeToString(deterministic=True) == before + pixels + after


def test_labels_are_a_float32_stream_in_record_order(tmp_path):
    with dataset.Writer(tmp_path, 'some', 4, 1) as out:
        out.add([np.zeros([1, 4, 4], np.uint8)])
        out.add([np.zeros([1, 4, 4], np.uint8)])
        with pytest.raises(ValueError, match=r'expected labels of shape \[2, label size\]'):
            out.write_labels(np.eye(3))
        out.write_labels(np.eye(2), class_names=['café', 'b'])
    labels = np.load(tmp_path / 'some-rxx.labels')
    assert labels.dtype == np.float32 and labels.tolist() == [[1, 0], [0, 1]]
    assert json.loads((tmp_path / 'some-rxx.classes.json').read_text('utf-8')) == ['café', 'b']


def test_writer_refuses_levels_of_a_wrong_shape_or_type(tmp_path):
    with dataset.Writer(tmp_path, 'some', 8, 1) as out:
        right = dataset.pyramid(np.zeros([1, 8, 8], np.uint8))
        for wrong in (right[:1], right[::-1], [level.astype(np.float32) for level in right]):
            with pytest.raises(ValueError, match='image 0 of some: expected uint8 levels'):
                out.add(wrong)
        assert out.num_images == 0


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full on this system')
def test_full_disk_is_an_os_error(tmp_path):
    os.symlink('/dev/full', tmp_path / 'some-r02.tfrecords')
    with pytest.raises(OSError, match='cannot write the data set some: .*space'):
        with dataset.Writer(tmp_path, 'some', 4, 1) as out:
            out.add([np.zeros([1, 4, 4], np.uint8)])
