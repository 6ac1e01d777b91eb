"""display, extract, compare and info on small datasets."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from conversion import compare, from_images, info, view, writing

CASES = pathlib.Path(__file__).parent / 'parity' / 'misc' / 'dataset_tool'
HDF5 = CASES / 'hdf5/expected/hdf5'  # six labelled images of 16x16


def flip_byte(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def make(path, pixels, labels=None, names=None):
    """A dataset of images [N, H, W, C], not shuffled."""
    writing.write_arrays(str(path), np.asarray(pixels).transpose(0, 3, 1, 2), labels, names,
                         shuffle=False)
    return path


def noise(*shape):
    return np.random.RandomState(0).randint(0, 256, shape, np.uint8)


def test_display_writes_the_first_images_in_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = noise(40, 16, 16, 3)
    make(tmp_path / 'faces', pixels)
    view.display('faces')
    sheet = np.asarray(Image.open('faces-sheet.png'))
    assert sheet.shape == (32, 32 * 16, 3)
    np.testing.assert_array_equal(sheet[16:, :16], pixels[32])
    assert not sheet[16:, 8 * 16:].any()


def test_display_without_a_screen_says_so(tmp_path, monkeypatch):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(view.os, 'uname', lambda: type('System', (), {'sysname': 'Linux'}))
    with pytest.raises(ValueError, match='--window: found no program'):
        view.display(HDF5, tmp_path / 'sheet.png', window=True)
    assert (tmp_path / 'sheet.png').exists()


@pytest.mark.parametrize('labels, names', [
    (None, None), (np.eye(3)[[0, 2, 1, 0]], None), (np.eye(5)[[0, 2, 1, 0]], None),
    (np.eye(3)[[0, 2, 1, 0]], ['a cat', 'dog/2', 'émeu']),
    (np.array([[0.5, 1], [0, 0], [1, 1], [2, 3]]), None)])
def test_extracted_images_make_the_same_dataset_again(tmp_path, labels, names):
    make(tmp_path / 'faces', noise(4, 8, 8, 1), labels, names)
    view.extract(tmp_path / 'faces', tmp_path / 'out')
    from_images.create(str(tmp_path / 'again/faces'), str(tmp_path / 'out'),
                  from_images.Options(shuffle=False))
    assert sorted(path.name for path in (tmp_path / 'again/faces').iterdir()) == sorted(
        ['faces-rxx.sources.json', *(path.name for path in (tmp_path / 'faces').iterdir())])
    for path in (tmp_path / 'faces').iterdir():
        assert path.read_bytes() == (tmp_path / 'again/faces' / path.name).read_bytes()


def test_extract_names_files_by_index_and_class(tmp_path):
    make(tmp_path / 'x', noise(2, 8, 8, 1), np.eye(2), ['a cat', 'dog'])
    view.extract(tmp_path / 'x', tmp_path / 'out')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'dataset.json', 'img00000000-a_cat.png', 'img00000001-dog.png']
    assert json.loads((tmp_path / 'out/dataset.json').read_text())['labels'] == [
        ['img00000000-a_cat.png', 0], ['img00000001-dog.png', 1]]
    with pytest.raises(ValueError, match='is not empty'):
        view.extract(tmp_path / 'x', tmp_path / 'out')


def test_compare_finds_nothing_between_equal_datasets(tmp_path, capsys):
    shutil.copytree(HDF5, tmp_path / 'copy')
    assert compare.compare(HDF5, tmp_path / 'copy') == 0
    assert capsys.readouterr().out == 'Identical: 6 images, labels of size 3\n'


def test_compare_names_images_and_labels_by_index(tmp_path, capsys):
    pixels, labels = noise(70, 8, 8, 1), np.eye(3)[np.arange(70) % 3]
    make(tmp_path / 'a', pixels, labels)
    pixels, labels = pixels.copy(), labels.copy()
    pixels[66, 3, 4] ^= 128
    labels[5] = [0.5, 0.5, 0]
    make(tmp_path / 'b', pixels, labels)
    capsys.readouterr()
    assert compare.compare(tmp_path / 'a', tmp_path / 'b') == 2
    assert capsys.readouterr().out.splitlines() == [
        'image 66: 1 pixels differ, by at most 128, on average 2',
        'label 5: class 2 and [0.5, 0.5, 0.0]', '2 differences']
    assert compare.compare(tmp_path / 'a', tmp_path / 'b', ignore_labels=True) == 1


def test_compare_tells_other_sizes_and_missing_images(tmp_path, capsys):
    pixels = noise(5, 8, 8, 1)
    for name, part in (('a', pixels), ('fewer', pixels[:3]), ('smaller', pixels[:, :4, :4])):
        make(tmp_path / name, part)
    assert compare.compare(tmp_path / 'a', tmp_path / 'fewer') == 1
    assert 'num_images: 5 and 3' in capsys.readouterr().out
    assert compare.compare(tmp_path / 'a', tmp_path / 'smaller') == 1
    assert 'resolution: 8 and 4' in capsys.readouterr().out


def test_info_counts_images_levels_and_classes(capsys):
    assert info.info(HDF5, verify=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'Images   6 of 16x16, RGB'
    assert [line.split()[1] for line in lines if line.startswith('Level')] == [
        '16x16:', '8x8:', '4x4:']
    assert 'Labels   3 classes (0 2, 1 1, 2 3)' in lines
    assert 'Verified all records: none damaged' in lines


def test_info_gives_mean_and_deviation_of_all_pixels(tmp_path, capsys):
    pixels = noise(7, 8, 8, 3)
    info.info(make(tmp_path / 'x', pixels))
    flat = pixels.reshape(-1, 3).astype(float)
    expected = 'Pixels   mean {:.2f}, {:.2f}, {:.2f}; standard deviation {:.2f}, {:.2f}, {:.2f}'
    assert expected.format(*flat.mean(axis=0), *flat.std(axis=0)) in capsys.readouterr().out


def test_info_lists_every_damaged_record(tmp_path, capsys):
    shutil.copytree(HDF5, tmp_path / 'x')
    record = (tmp_path / 'x/hdf5-r04.tfrecords').stat().st_size // 6
    flip_byte(tmp_path / 'x/hdf5-r04.tfrecords', record * 1 + 100)
    flip_byte(tmp_path / 'x/hdf5-r04.tfrecords', record * 4 + 100)
    flip_byte(tmp_path / 'x/hdf5-r02.tfrecords', 30)
    assert info.info(tmp_path / 'x', verify=True) == 3
    output = capsys.readouterr().out
    for words in ('hdf5-r04.tfrecords: record 1 of 6', 'hdf5-r04.tfrecords: record 4 of 6',
                  'hdf5-r02.tfrecords: record 0 of 6'):
        assert words in output


def test_info_lists_plain_images_and_near_duplicates(tmp_path, capsys):
    pixels = np.clip(np.kron(noise(600, 8, 8, 3), np.ones([1, 4, 4, 1])), 20, 230).astype(np.uint8)
    pixels[7] = (10, 20, 30)
    pixels[20] = pixels[3] + 2
    pixels[599] = pixels[3]
    pixels[300] = pixels[4] + 20  # not near enough
    info.info(make(tmp_path / 'x', pixels), quality=True)
    lines = capsys.readouterr().out.splitlines()
    assert 'Plain    1 images nearly one colour: 7 (spread 0.0)' in lines
    assert 'Same     1 images the same as another: 599 (as 3)' in lines
    assert lines[-1] == 'Near     1 images nearly the same as another: 20 (as 3)'
