"""Pictures for people: conversions as the reference makes them, grids, which reals are shown."""

import errno
import os
import pathlib

import numpy as np
import PIL.Image
import pytest

from formats.png import grid, grid_size, save_png
from training.grid import grid_indices
from training.sampler import to_png_uint8, to_uint8

MISC = np.load(pathlib.Path(__file__).parent / 'parity' / 'misc' / 'misc.npz')


def nhwc(array):
    return np.moveaxis(array, -3, -1)


def test_uint8_of_generated_images_equals_the_reference():
    found = to_uint8(nhwc(MISC['u8/in']))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, MISC['u8/out_nhwc'])


def test_uint8_of_shrunk_images_equals_the_reference():
    found = to_uint8(nhwc(MISC['u8/in']), shrink=2)
    np.testing.assert_array_equal(found, nhwc(MISC['u8/out_shrink2']))


def test_uint8_of_pngs_equals_the_reference():
    found = to_png_uint8(nhwc(MISC['u8/in'][0]))
    np.testing.assert_array_equal(found, MISC['pil/out'])


def test_the_two_conversions_differ_as_they_should():
    values = np.array([-2, -1, 0, 0.006, 1, 2], np.float32).reshape(1, 1, -1, 1)
    assert to_uint8(values).ravel().tolist() == [0, 0, 128, 128, 255, 255]
    assert to_png_uint8(values).ravel().tolist() == [0, 0, 128, 128, 255, 255]
    assert to_uint8(np.full([1, 1, 1, 1], 0.0118))[0, 0, 0, 0] == 129  # 129.50, truncated
    assert to_png_uint8(np.full([1, 1, 1, 1], -0.0079))[0, 0, 0, 0] == 126  # 126.49


def test_grid_equals_the_reference_with_a_cell_missing():
    found = grid(nhwc(MISC['grid/in']), columns=3, rows=2)
    np.testing.assert_array_equal(found, nhwc(MISC['grid/out']))


@pytest.mark.parametrize('width, height, kind, expected', [
    (1024, 1024, '1080p', (3, 2)), (256, 256, '1080p', (7, 4)), (32, 32, '1080p', (32, 32)),
    (512, 384, '1080p', (3, 2)), (1024, 1024, '4k', (7, 4)), (256, 256, '4k', (15, 8))])
def test_grid_fills_a_screen(width, height, kind, expected):
    assert grid_size(width, height, kind) == expected


def one_hot(classes, count):
    return np.eye(count, dtype=np.float32)[classes]


def test_random_layout_shows_each_image_once_before_any_twice():
    labels = np.zeros([10, 0])
    few = grid_indices(labels, 3, 2, 'random', np.random.RandomState(0))
    many = grid_indices(labels, 5, 4, 'random', np.random.RandomState(0))
    assert len(set(few)) == 6 and (np.bincount(many) == 2).all()


@pytest.mark.parametrize('layout, expected', [
    ('row_per_class', lambda row, column: row % 3),
    ('col_per_class', lambda row, column: column % 3),
    ('class4x4', lambda row, column: (row // 4 * 2 + column // 4) % 3)])
def test_layouts_put_classes_where_they_belong(layout, expected):
    classes = np.random.RandomState(1).randint(0, 3, 300)
    labels = one_hot(2 * classes, 6)  # classes 1, 3 and 5 have no images: they get no cells
    indices = grid_indices(labels, 8, 6, layout, np.random.RandomState(0))
    found = classes[indices].reshape(6, 8)
    for row in range(6):
        for column in range(8):
            assert found[row, column] == expected(row, column)
    assert len(set(indices)) == 48
    again = grid_indices(labels, 8, 6, layout, np.random.RandomState(0))
    np.testing.assert_array_equal(indices, again)


def test_small_class_repeats_its_images():
    labels = one_hot([0, 0, 1], 2)
    indices = grid_indices(labels, 4, 2, 'row_per_class', np.random.RandomState(0))
    assert sorted(indices[:4]) == [0, 0, 1, 1] and indices[4:].tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize('channels', [1, 3])
def test_png_holds_the_pixels(tmp_path, channels):
    picture = np.random.RandomState(0).randint(0, 256, [6, 5, channels], np.uint8)
    save_png(tmp_path / 'a.png', picture)
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
    loaded = np.asarray(PIL.Image.open(tmp_path / 'a.png')).reshape(6, 5, channels)
    np.testing.assert_array_equal(loaded, picture)


def test_failed_png_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    save_png(tmp_path / 'a.png', np.zeros([4, 4, 1], np.uint8))
    before = (tmp_path / 'a.png').read_bytes()

    def full_disk(source, target):
        assert pathlib.Path(source).is_file() and target == str(tmp_path / 'a.png')
        raise OSError(errno.ENOSPC, 'no space left')
    monkeypatch.setattr(os, 'replace', full_disk)
    with pytest.raises(OSError, match='no space left.*a.png'):
        save_png(tmp_path / 'a.png', np.ones([4, 4, 1], np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
    assert (tmp_path / 'a.png').read_bytes() == before
