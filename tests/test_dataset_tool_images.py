"""Folders and zip files of images become datasets, with the reference's bytes."""

import hashlib
import json
import os

import numpy as np
import pytest
from PIL import Image

from conversion import decode, images

CASES = os.path.join(os.path.dirname(__file__), 'parity', 'misc', 'dataset_tool')


def save(path, size=(16, 16), color=(200, 30, 40), mode='RGB', **options):
    """An image file of one colour."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.new('RGB', size, color).convert(mode).save(path, **options)
    return str(path)


@pytest.mark.parametrize('case, shuffle', [('rgb32', True), ('gray16', False)])
def test_folder_becomes_the_bytes_of_the_reference(tmp_path, case, shuffle):
    target = tmp_path / case
    images.create(str(target), os.path.join(CASES, case, 'images'), images.Options(shuffle=shuffle))
    with open(os.path.join(CASES, case, 'sha256.json'), encoding='utf-8') as file:
        expected = json.load(file)
    assert sorted(os.listdir(target)) == sorted(expected)
    for name, digest in expected.items():
        assert hashlib.sha256((target / name).read_bytes()).hexdigest() == digest, name
    assert os.listdir(tmp_path) == [case]


def test_every_unusable_image_is_named_before_anything_is_written(tmp_path, capsys):
    source = tmp_path / 'in'
    for index in range(5):
        save(str(source / f'good{index}.png'))
    save(str(source / 'small.png'), size=(8, 8))
    save(str(source / 'sub/wide.png'), size=(16, 8))
    (source / 'text.png').write_text('hello')
    whole = (source / 'good0.png').read_bytes()
    (source / 'cut.png').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match='4 of 9 files .* cannot be used'):
        images.create(str(tmp_path / 'out'), str(source))
    listed = capsys.readouterr().err
    for words in ('small.png: is 8x8, while most images are 16x16', 'sub/wide.png: is 16x8',
                  'text.png: is not an image', 'cut.png: is damaged'):
        assert words in listed
    assert os.listdir(tmp_path) == ['in']


def test_sub_folders_become_classes(tmp_path):
    for index, name in enumerate(['9/a.png', '10/a.png', '9/b.png']):
        save(str(tmp_path / 'in' / name), color=(index * 50,) * 3, mode='L')
    images.create(str(tmp_path / 'out'), str(tmp_path / 'in'),
                  images.Options(labels='folders', shuffle=False))
    labels = np.load(tmp_path / 'out/out-rxx.labels')
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, [[0, 1], [1, 0], [1, 0]])  # 10/a, 9/a, 9/b
    assert json.loads((tmp_path / 'out/out-rxx.classes.json').read_text()) == ['9', '10']
