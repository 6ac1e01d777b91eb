"""The data set on disk: bytes as the reference writes them, reading, and what is refused."""

import hashlib
import json
import os
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from formats import records
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
    before, after = records.envelopes(shape)[0]
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


def parity_reads(level_log2):
    """The images of parity rgb32 at one level [9, H, W, 3], parsed without the code under test."""
    directory = PARITY / 'dataset_tool' / 'rgb32' / 'expected' / 'rgb32'
    path = directory / f'rgb32-r0{level_log2}.tfrecords'
    images = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        pixels = np.frombuffer(features['data'].bytes_list.value[0], np.uint8)
        images.append(pixels.reshape(features['shape'].int64_list.value).transpose(1, 2, 0))
    return np.stack(images)


@pytest.fixture
def rgb32(tmp_path):
    """A copy of the nine images of parity rgb32, 32x32, under a directory name of its own."""
    shutil.copytree(PARITY / 'dataset_tool' / 'rgb32' / 'expected' / 'rgb32', tmp_path / 'faces')
    return tmp_path / 'faces'


def flip_byte(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def refused(directory, **arguments):
    """The one line with which a directory is refused."""
    with pytest.raises(ValueError) as caught:
        dataset.TFRecordDataset(directory, **arguments)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_every_level_reads_in_any_order(rgb32):
    data = dataset.TFRecordDataset(rgb32)
    assert (data.name, data.resolution, data.num_channels, data.num_images) == ('rgb32', 32, 3, 9)
    for log2 in range(2, 6):
        expected = parity_reads(log2)
        np.testing.assert_array_equal(data.read(2**log2, [7, 0, 8, 8]), expected[[7, 0, 8, 8]])


def test_gray_images_have_one_channel():
    data = dataset.TFRecordDataset(PARITY / 'dataset_tool' / 'gray16' / 'expected' / 'gray16')
    expected = parity_images('gray16')
    assert data.num_channels == 1
    np.testing.assert_array_equal(data.read(16, range(5)), np.stack(expected).transpose(0, 2, 3, 1))


def test_both_feature_orders_are_read_from_one_file(tmp_path):
    pixels = np.arange(64, dtype=np.uint8).reshape([4, 1, 4, 4])
    data_first, shape_first = records.envelopes((1, 4, 4))
    with tf.io.TFRecordWriter(str(tmp_path / 'x-r02.tfrecords')) as file:
        for image, (before, after) in zip(pixels, [data_first, shape_first] * 2):
            record = before + image.tobytes() + after
            parsed = tf.train.Example.FromString(record).features.feature
            assert parsed['shape'].int64_list.value == [1, 4, 4]
            assert parsed['data'].bytes_list.value == [image.tobytes()]
            file.write(record)
    data = dataset.TFRecordDataset(tmp_path)
    np.testing.assert_array_equal(data.read(4, range(4)), pixels.transpose(0, 2, 3, 1))


def test_smaller_resolution_leaves_the_larger_levels_alone(rgb32):
    (rgb32 / 'rgb32-r05.tfrecords').write_bytes(b'')
    data = dataset.TFRecordDataset(rgb32, resolution=16)
    assert data.resolution == 16
    np.testing.assert_array_equal(data.read(16, range(9)), parity_reads(4))


def test_every_epoch_is_a_permutation_of_its_own(rgb32):
    data = dataset.TFRecordDataset(rgb32)
    epochs = data.indices_at(0, 27, seed=5).reshape(3, 9)
    assert (np.sort(epochs) == np.arange(9)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert (data.indices_at(0, 27, seed=6).reshape(3, 9) != epochs).any()


def test_stream_can_be_entered_anywhere(rgb32):
    whole = dataset.TFRecordDataset(rgb32).indices_at(0, 60, seed=5)
    again = dataset.TFRecordDataset(rgb32)
    for position, count in [(0, 1), (8, 2), (9, 9), (13, 40), (59, 1)]:
        np.testing.assert_array_equal(again.indices_at(position, count, seed=5),
                                      whole[position:position + count])


def test_batches_continue_at_a_position_with_the_right_labels():
    data = dataset.TFRecordDataset(PARITY / 'dataset_tool' / 'hdf5' / 'expected' / 'hdf5',
                                   max_label_size='full')
    order = data.indices_at(4, 12, seed=1)
    batches = data.batches(8, minibatch=4, position=4, seed=1)
    assert batches.element_spec == (tf.TensorSpec([4, 8, 8, 3], tf.uint8),
                                    tf.TensorSpec([4, data.label_size], tf.float32))
    for i, (images, labels) in enumerate(batches.take(3)):
        indices = order[4 * i:4 * i + 4]
        np.testing.assert_array_equal(images, data.read(8, indices))
        np.testing.assert_array_equal(labels, data.labels[indices])


def test_labels_none_first_or_all():
    directory = PARITY / 'dataset_tool' / 'hdf5' / 'expected' / 'hdf5'
    expected = np.load(directory / 'hdf5-rxx.labels')
    none, first, whole = (dataset.TFRecordDataset(directory, max_label_size=size)
                          for size in (0, 2, 'full'))
    assert none.labels.shape == (len(expected), 0) and none.random_labels([0, 1], 7).shape == (7, 0)
    np.testing.assert_array_equal(first.labels, expected[:, :2])
    np.testing.assert_array_equal(whole.labels, expected)
    assert whole.label_size == expected.shape[1] and whole.class_names is None


def test_random_labels_are_rows_drawn_uniformly_by_the_seed(tmp_path):
    with dataset.Writer(tmp_path, 'x', 4, 1) as out:
        for _ in range(4):
            out.add([np.zeros([1, 4, 4], np.uint8)])
        out.write_labels(np.eye(4))
    data = dataset.TFRecordDataset(tmp_path, max_label_size='full')
    drawn = data.random_labels([3, 1], 4000)
    assert drawn.dtype == np.float32 and set(map(tuple, drawn)) == set(map(tuple, np.eye(4)))
    assert abs(drawn.mean(axis=0) - 0.25).max() < 0.03  # 4.4 standard deviations
    np.testing.assert_array_equal(drawn, data.random_labels([3, 1], 4000))
    assert (drawn != data.random_labels([3, 2], 4000)).any()


def test_class_names_are_read_beside_the_labels(tmp_path):
    with dataset.Writer(tmp_path, 'x', 4, 1) as out:
        out.add([np.zeros([1, 4, 4], np.uint8)])
        out.write_labels([[0, 1]], class_names=['café', 'b'])
    assert dataset.TFRecordDataset(tmp_path, max_label_size='full').class_names == ['café', 'b']
    assert dataset.TFRecordDataset(tmp_path, max_label_size=1).class_names == ['café']
    assert dataset.TFRecordDataset(tmp_path).class_names is None
    for wrong in ('["a"]', '{"a": 0}', '[', '[1, 2]'):
        (tmp_path / 'x-rxx.classes.json').write_text(wrong)
        assert 'x-rxx.classes.json: ' in refused(tmp_path, max_label_size='full')


def test_missing_directory_says_what_is_near(rgb32):
    assert 'no such directory' in refused(rgb32.parent / 'face')
    assert 'has: faces' in refused(rgb32.parent / 'face')  # a similar name
    assert 'has: faces' in refused(rgb32.parent / 'qqqqqqqq')  # a data set
    assert f'neither is {rgb32.parent}/none' in refused(rgb32.parent / 'none' / 'faces')
    assert 'the data sets are one level below: faces' in refused(rgb32.parent)


def test_what_is_no_data_set_says_what_it_holds(tmp_path):
    assert 'it is empty' in refused(tmp_path)
    PIL.Image.new('L', [4, 4]).save(tmp_path / 'a.png')
    assert (f'it holds 1 images; to convert images: dataset_tool.py create_from_images '
            f'NEW_DIRECTORY {tmp_path}') in refused(tmp_path)
    assert 'is a file, not a data set' in refused(tmp_path / 'a.png')


def test_two_data_sets_in_one_directory_are_refused(rgb32):
    shutil.copy(rgb32 / 'rgb32-r02.tfrecords', rgb32 / 'other-r02.tfrecords')
    assert 'several data sets (other, rgb32)' in refused(rgb32)


def test_missing_level_is_named(rgb32):
    (rgb32 / 'rgb32-r03.tfrecords').unlink()
    assert 'rgb32-r03.tfrecords is missing' in refused(rgb32)


def test_resolution_that_is_not_there_is_refused(rgb32):
    assert 'its images are 32x32, resolution 64' in refused(rgb32, resolution=64)
    assert 'power of two from 4 to 32, got 24' in refused(rgb32, resolution=24)


def test_truncated_file_is_refused(rgb32):
    path = rgb32 / 'rgb32-r05.tfrecords'
    path.write_bytes(path.read_bytes()[:-1])
    assert 'rgb32-r05.tfrecords: is truncated' in refused(rgb32, verify=False)
    path.write_bytes(path.read_bytes()[:-3126])  # a whole record is gone
    assert 'rgb32-r05.tfrecords 8 with 3' in refused(rgb32, verify=False)
    path.write_bytes(b'')
    assert 'rgb32-r05.tfrecords: holds no records' in refused(rgb32)


@pytest.mark.parametrize('offset', [0, 8, 11], ids=['length', 'checksum', 'end of checksum'])
def test_damaged_first_header_is_refused(rgb32, offset):
    flip_byte(rgb32 / 'rgb32-r04.tfrecords', offset)
    assert 'rgb32-r04.tfrecords: is damaged from its first bytes on' in refused(rgb32, verify=False)


@pytest.mark.parametrize('offset', [0, 9, 12, 500, 3126], ids=[
    'length', 'checksum of the length', 'Example', 'pixels', 'checksum'])
def test_flipped_byte_is_found_at_opening_and_at_reading(rgb32, offset):
    flip_byte(rgb32 / 'rgb32-r05.tfrecords', 6 * 3127 + offset)
    for verify in ('auto', True):
        assert 'rgb32-r05.tfrecords: record 6 of 9 is damaged' in refused(rgb32, verify=verify)
    data = dataset.TFRecordDataset(rgb32, verify=False)
    data.read(32, [5, 7])
    with pytest.raises(ValueError, match='rgb32-r05.tfrecords: record 6 of 9 is damaged'):
        data.read(32, [5, 6])
    with pytest.raises(ValueError, match=r'^[^\n]*record 6 of 9 is damaged[^\n]*again[^\n]*$'):
        with dataset.plain_errors():
            list(data.batches(32, minibatch=9, position=0, seed=0).take(1))


def test_large_files_are_sampled_at_opening(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, 'VERIFIED_WHOLE_BYTES', 0)
    with dataset.Writer(tmp_path, 'x', 4, 1) as out:
        for _ in range(200):
            out.add([np.zeros([1, 4, 4], np.uint8)])
    path = tmp_path / 'x-r02.tfrecords'
    stride = path.stat().st_size // 200
    flip_byte(path, stride * 1 + 30)
    dataset.TFRecordDataset(tmp_path)  # 64 of the records: 0, 3, 6, ... 199
    assert 'record 1 of 200' in refused(tmp_path, verify=True)
    flip_byte(path, stride * 199 + 30)
    assert 'record 199 of 200' in refused(tmp_path)


def test_records_of_another_kind_are_refused(tmp_path, rgb32):
    shutil.copy(rgb32 / 'rgb32-r03.tfrecords', rgb32 / 'rgb32-r02.tfrecords')
    assert 'rgb32-r02.tfrecords: its records (231 bytes) are no images of 4x4' in refused(rgb32)
    with tf.io.TFRecordWriter(str(tmp_path / 'x-r02.tfrecords')) as file:
        file.write(b'x' * sum(map(len, records.envelopes((1, 4, 4))[0])) + b'x' * 16)
    assert 'record 0 of 1 is no image of [C, H, W] = [1, 4, 4]' in refused(tmp_path)


def test_labels_that_do_not_fit_are_refused(rgb32):
    assert 'rgb32-rxx.labels: no such file' in refused(rgb32, max_label_size=3)
    assert dataset.TFRecordDataset(rgb32, max_label_size='full').label_size == 0
    path = rgb32 / 'rgb32-rxx.labels'
    with open(path, 'wb') as file:
        np.save(file, np.eye(8))
    assert 'must be [9, label size]' in refused(rgb32, max_label_size='full')
    with open(path, 'wb') as file:
        np.save(file, np.eye(9))
    for damaged in (b'', b'text', path.read_bytes()[:-1]):
        path.write_bytes(damaged)
        assert 'is no NumPy stream of numbers' in refused(rgb32, max_label_size='full')


@pytest.mark.parametrize('case', range(5))
def test_process_reals_equals_the_reference(case):
    misc = np.load(PARITY / 'misc.npz')
    images, lod, out = (misc[f'pr{case}/{key}'] for key in ('in', 'lod', 'out'))
    factor = out.shape[2] // images.shape[2]  # the reference repeats the pixels to full resolution
    expected = out[:, :, ::factor, ::factor].transpose(0, 2, 3, 1)
    found = dataset.process_reals(images.transpose(0, 2, 3, 1), lod, mirror=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7)


def test_no_blend_leaves_the_image_exactly():
    images = np.random.RandomState(0).randint(0, 256, [2, 8, 8, 3], np.uint8)
    plain = images.astype(np.float32) * np.float32(2 / 255) - 1
    for lod in (0, 2, 3.0, tf.constant(1.0)):
        np.testing.assert_array_equal(dataset.process_reals(images, lod, mirror=False), plain)


def test_mirror_flips_about_half_of_the_images_by_the_seed():
    images = np.random.RandomState(0).randint(0, 256, [400, 4, 4, 1], np.uint8)
    plain = dataset.process_reals(images, 0.5, mirror=False).numpy()
    process = tf.function(lambda seed: dataset.process_reals(images, 0.5, mirror=True, seed=seed))
    found = process(tf.constant([1, 2])).numpy()
    kept, flipped = (np.isclose(found, other, atol=1e-6).all(axis=(1, 2, 3))
                     for other in (plain, plain[:, :, ::-1]))
    assert (kept | flipped).all() and 150 < flipped.sum() < 250
    np.testing.assert_array_equal(found, process(tf.constant([1, 2])))
    assert (found != process(tf.constant([1, 3])).numpy()).any()
    assert (found != dataset.process_reals(images, 0.5, mirror=True).numpy()).any()


def test_the_fingerprint_is_that_of_images_and_labels(tmp_path):
    def written(name, first_pixel, label):
        image = np.full([1, 8, 8], 5, np.uint8)
        image[0, 0, 0] = first_pixel
        with dataset.Writer(tmp_path / name, name, 8, 1) as out:
            out.add(dataset.pyramid(image))
            out.write_labels(np.float32([[label]]))
        return dataset.TFRecordDataset(tmp_path / name, max_label_size='full').fingerprint()

    assert written('a', 5, 0) == written('b', 5, 0)
    assert len({written('c', 5, 0), written('d', 6, 0), written('e', 5, 1)}) == 3
