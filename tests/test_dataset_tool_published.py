"""Published data sets, each from a small file of its true format, made here."""

import gzip
import json
import pathlib
import struct

import h5py
import lmdb
import numpy as np
import pytest
import scipy.io
from PIL import Image
from reference_pickles import Python2Pickler

from conversion import celeba, cifar, hdf5, lsun, mnist, svhn, writing
from formats.records import pyramid
from training.dataset import TFRecordDataset

CASES = pathlib.Path(__file__).parent / 'parity' / 'misc' / 'dataset_tool'
RANDOM = np.random.RandomState(0)


def contents(directory):
    """Images uint8 [N, C, H, W] and labels of a dataset."""
    data = TFRecordDataset(directory, max_label_size='full')
    return data.read(data.resolution, range(data.num_images)).transpose(0, 3, 1, 2), data.labels


def write_idx(path, array):
    header = struct.pack('>' + 'I' * (1 + array.ndim), 0x800 + array.ndim, *array.shape)
    with gzip.open(path, 'wb') as file:
        file.write(header + array.tobytes())


@pytest.fixture
def mnist_files(tmp_path):
    """A directory with twenty MNIST images; the images and their classes."""
    digits = RANDOM.randint(0, 256, [20, 28, 28], np.uint8)
    classes = RANDOM.randint(0, 10, 20).astype(np.uint8)
    write_idx(tmp_path / 'train-images-idx3-ubyte.gz', digits)
    write_idx(tmp_path / 'train-labels-idx1-ubyte.gz', classes)
    return str(tmp_path), digits, classes


def test_mnist_is_padded_to_32_and_shuffled_with_its_labels(tmp_path, mnist_files):
    directory, digits, classes = mnist_files
    writing.write_arrays(str(tmp_path / 'out'), *mnist.read(directory))
    images, labels = contents(tmp_path / 'out')
    order = writing.shuffled(20)
    np.testing.assert_array_equal(images[:, 0, 2:30, 2:30], digits[order])
    assert images[:, 0].sum(dtype=int) == digits.sum(dtype=int)
    np.testing.assert_array_equal(labels, np.eye(10)[classes[order]])


def test_mnistrgb_draws_three_digits_for_each_image_in_turn(tmp_path, mnist_files):
    directory, digits, _ = mnist_files
    triples = mnist.RandomTriples(mnist.read(directory)[0], 7, 123)
    writing.write_arrays(str(tmp_path / 'out'), triples, shuffle=False)
    random = np.random.RandomState(123)
    expected = [digits[random.randint(20, size=3)] for _ in range(7)]
    images, labels = contents(tmp_path / 'out')
    np.testing.assert_array_equal(images[:, :, 2:30, 2:30], expected)
    assert labels.shape == (7, 0)


def test_damaged_mnist_files_are_named(tmp_path, mnist_files):
    directory, _, classes = mnist_files
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match='train-images-idx3-ubyte.gz: damaged'):
        mnist.read(directory)
    write_idx(path, classes)
    with pytest.raises(ValueError, match='expected a complete idx file of 3-dimensional bytes'):
        mnist.read(directory)
    path.unlink()
    with pytest.raises(ValueError, match='no such file; nearby: .*train-labels'):
        mnist.read(directory)


def dump(path, value):
    """A pickle as Python 2 wrote it."""
    with open(path, 'wb') as file:
        Python2Pickler(file, 2).dump(value)


def test_cifar10_batches_follow_each_other(tmp_path):
    pixels = RANDOM.randint(0, 256, [10, 3072], np.uint8)
    for number in range(5):
        dump(tmp_path / f'data_batch_{number + 1}', {
            'data': pixels[2 * number:][:2], 'labels': [number, number + 5],
            'batch_label': 'a batch', 'filenames': ['a.png', 'b.png']})
    names = [f'class {number}' for number in range(10)]
    dump(tmp_path / 'batches.meta', {'label_names': names, 'num_vis': 3072})
    images, labels, class_names = cifar.read_cifar10(str(tmp_path))
    np.testing.assert_array_equal(images, pixels.reshape(10, 3, 32, 32))
    assert labels.argmax(axis=1).tolist() == [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]
    assert class_names == names and labels.shape == (10, 10)


def test_cifar100_has_the_fine_labels(tmp_path):
    pixels = RANDOM.randint(0, 256, [3, 3072], np.uint8)
    dump(tmp_path / 'train', {'data': pixels, 'fine_labels': [99, 0, 5],
                              'coarse_labels': [1, 2, 3]})
    images, labels, class_names = cifar.read_cifar100(str(tmp_path))
    np.testing.assert_array_equal(images, pixels.reshape(3, 3, 32, 32))
    assert labels.argmax(axis=1).tolist() == [99, 0, 5] and class_names is None


def test_pickles_that_would_run_something_are_refused(tmp_path):
    (tmp_path / 'train').write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    with pytest.raises(ValueError, match="train: .*refused: it asks for 'os.system'"):
        cifar.read_cifar100(str(tmp_path))


@pytest.mark.parametrize('content, words', [
    ([], 'expected a dictionary'), ({'data': 3, 'fine_labels': []}, 'expected uint8 images'),
    ({'data': np.zeros([1, 3072], np.uint8), 'fine_labels': [100]}, 'from 0 to 99'),
    ({'data': np.zeros([2, 3072], np.uint8), 'fine_labels': [1]}, r'int64 \[1\]')])
def test_wrong_cifar_contents_are_named(tmp_path, content, words):
    dump(tmp_path / 'train', content)
    with pytest.raises(ValueError, match=f'{tmp_path}/train: .*{words}'):
        cifar.read_cifar100(str(tmp_path))


def test_svhn_is_the_same_from_matlab_files_and_from_pickles(tmp_path):
    pixels = RANDOM.randint(0, 256, [6, 3, 32, 32], np.uint8)
    for folder in ('matlab', 'pickles'):
        (tmp_path / folder).mkdir()
    scipy.io.savemat(tmp_path / 'matlab/train_32x32.mat', {
        'X': pixels.transpose(2, 3, 1, 0),
        'y': np.array([[10], [1], [2], [10], [9], [3]], np.uint8)})
    for number in range(3):
        dump(tmp_path / f'pickles/train_{number + 1}.pkl', [
            pixels[2 * number:][:2].reshape(2, 3072),
            np.array([0, 1, 2, 0, 9, 3], np.uint8)[2 * number:][:2]])
    for folder in ('matlab', 'pickles'):
        images, labels = svhn.read(str(tmp_path / folder))
        np.testing.assert_array_equal(images, pixels)
        assert labels.argmax(axis=1).tolist() == [0, 1, 2, 0, 9, 3] and labels.shape == (6, 10)


def test_unreadable_svhn_files_are_named(tmp_path):
    with pytest.raises(ValueError, match='holds neither train_32x32.mat nor train_1.pkl'):
        svhn.read(str(tmp_path))
    (tmp_path / 'train_32x32.mat').write_bytes(b'MATLAB 5.0 MAT-file' + b'\xff' * 300)
    with pytest.raises(ValueError, match='train_32x32.mat: cannot be read'):
        svhn.read(str(tmp_path))


def write_lmdb(path, images):
    """An LSUN database: WebP files (lossless, to be compared) under hexadecimal keys."""
    with lmdb.open(str(path), map_size=2**24) as environment:
        with environment.begin(write=True) as transaction:
            for key, image in images.items():
                if isinstance(image, Image.Image):
                    image.save(path.parent / 'image', 'WEBP', lossless=True)
                    image = (path.parent / 'image').read_bytes()
                transaction.put(key.encode(), image)


def noise(width, height):
    return Image.fromarray(RANDOM.randint(0, 256, [height, width, 3], np.uint8))


def test_lsun_images_are_cropped_and_scaled_in_the_order_of_their_keys(tmp_path):
    wide, tall = noise(40, 32), noise(31, 64)
    write_lmdb(tmp_path / 'lmdb', {'b': tall, 'a': wide, 'aa': b'no image'})
    lsun.create(str(tmp_path / 'out'), str(tmp_path / 'lmdb'), resolution=16)
    images, _ = contents(tmp_path / 'out')
    expected = [wide.crop((4, 0, 36, 32)), tall.crop((0, 16, 31, 47))]
    for pixels, image in zip(images, expected):
        image = image.resize((16, 16), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(pixels.transpose(1, 2, 0), image)
    assert len(images) == 2
    skipped = (tmp_path / 'out/skipped.txt').read_text()
    assert skipped == 'aa: is not an image in a supported format\n'


def test_lsun_stops_at_max_images(tmp_path):
    write_lmdb(tmp_path / 'lmdb', {f'{index:03}': noise(8, 8) for index in range(20)})
    lsun.create(str(tmp_path / 'out'), str(tmp_path / 'lmdb'), 8, max_images=3, num_workers=2)
    assert len(contents(tmp_path / 'out')[0]) == 3


def test_wide_lsun_images_lie_between_black_bars(tmp_path):
    fits, large, tall, odd = noise(32, 24), noise(64, 48), noise(32, 65), noise(50, 45)
    write_lmdb(tmp_path / 'lmdb', {'a': fits, 'b': large, 'c': tall, 'd': odd,
                                   'e': noise(31, 64), 'f': noise(64, 40)})
    lsun.create(str(tmp_path / 'out'), str(tmp_path / 'lmdb'), width=32, height=24)
    images, _ = contents(tmp_path / 'out')
    assert images.shape == (4, 3, 32, 32)
    assert not images[:, :, :4].any() and not images[:, :, 28:].any()
    # ch = round(32 h / w) rows of the unscaled image, from (h - ch) // 2 to (h + ch) // 2.
    taken = [fits, large.crop((0, 12, 64, 36)), tall, odd.crop((0, 8, 50, 37))]
    for pixels, image in zip(images, taken):
        image = image.resize((32, 24), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(pixels[:, 4:28].transpose(1, 2, 0), image)
    assert 'e: is 31x64' in (tmp_path / 'out/skipped.txt').read_text()


def test_lsun_errors_are_one_line(tmp_path):
    with pytest.raises(ValueError, match='nothing: cannot be read as an LMDB directory'):
        lsun.create(str(tmp_path / 'out'), str(tmp_path / 'nothing'))
    write_lmdb(tmp_path / 'lmdb', {'a': b'x'})
    with pytest.raises(ValueError, match='there are no usable images'):
        lsun.create(str(tmp_path / 'out'), str(tmp_path / 'lmdb'))
    assert not (tmp_path / 'out').exists()


def test_celeba_is_cropped_round_the_point_given(tmp_path):
    (tmp_path / 'img_align_celeba_png').mkdir()
    faces = [noise(178, 218) for _ in range(2)]
    for index, face in enumerate(faces):
        face.save(tmp_path / f'img_align_celeba_png/{index:06}.png')
    celeba.create(str(tmp_path / 'out'), str(tmp_path))
    images, _ = contents(tmp_path / 'out')
    for pixels, index in zip(images, writing.shuffled(2)):
        crop = faces[index].crop((25, 57, 153, 185))
        np.testing.assert_array_equal(pixels.transpose(1, 2, 0), crop)
    noise(128, 128).save(tmp_path / 'img_align_celeba_png/x.png')
    with pytest.raises(ValueError, match='1 of 3 files'):
        celeba.create(str(tmp_path / 'other'), str(tmp_path))
    with pytest.raises(ValueError, match='--cx and --cy'):
        celeba.create(str(tmp_path / 'other'), str(tmp_path), cx=20)


def test_hdf5_becomes_the_bytes_of_the_reference(tmp_path):
    with hdf5.opened(str(CASES / 'hdf5/mini.h5')) as (images, labels):
        writing.write_arrays(str(tmp_path / 'hdf5'), images, labels)
    expected = CASES / 'hdf5/expected/hdf5'
    assert len(list(expected.iterdir())) == len(list((tmp_path / 'hdf5').iterdir())) == 4
    for path in expected.iterdir():
        assert (tmp_path / 'hdf5' / path.name).read_bytes() == path.read_bytes(), path.name


def test_hdf5_takes_the_largest_images_under_a_name_with_data(tmp_path):
    pixels = RANDOM.randint(0, 256, [2, 1, 8, 8], np.uint8)
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        file['data4x4'] = np.stack([pyramid(image)[1] for image in pixels])
        file['data8x8'] = pixels
        file['other16x16'] = np.zeros([2, 1, 16, 16], np.uint8)
    with hdf5.opened(str(tmp_path / 'x.h5')) as (images, labels):
        np.testing.assert_array_equal([images[0], images[1]], pixels)
        assert images.shape == (2, 1, 8, 8) and labels is None


def test_unfit_hdf5_files_are_named(tmp_path):
    path = tmp_path / 'x.h5'
    path.write_bytes(b'nonsense')
    with pytest.raises(ValueError, match='x.h5: cannot be read as HDF5'):
        with hdf5.opened(str(path)):
            pass
    with h5py.File(path, 'w') as file:
        file['images'] = np.zeros([2, 1, 8, 8], np.uint8)
    with pytest.raises(ValueError, match='begins with "data", only: images'):
        with hdf5.opened(str(path)):
            pass
    with h5py.File(path, 'w') as file:
        file['data'] = np.zeros([2, 1, 8, 6], np.uint8)
    np.save(tmp_path / 'x-labels.npy', np.zeros([3, 2]))
    with pytest.raises(ValueError, match=r'x-labels.npy: expected numbers \[2, label size\]'):
        with hdf5.opened(str(path)):
            pass
    (tmp_path / 'x-labels.npy').unlink()
    with pytest.raises(ValueError, match='images must be square'):
        with hdf5.opened(str(path)) as (images, labels):
            writing.write_arrays(str(tmp_path / 'out'), images, labels)


def test_class_names_are_kept_beside_the_labels(tmp_path):
    writing.write_arrays(str(tmp_path / 'out'), np.zeros([2, 1, 4, 4], np.uint8), np.eye(2),
                         ['cat', 'dog'])
    assert json.loads((tmp_path / 'out/out-rxx.classes.json').read_text()) == ['cat', 'dog']
