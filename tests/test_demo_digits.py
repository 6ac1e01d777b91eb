"""The folder of images that the demo starts from."""

import collections
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]


def demo_digits(*args):
    return subprocess.run([sys.executable, ROOT / 'demo_digits.py', *args], text=True,
                          capture_output=True)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('datasets') / 'digits-images'
    result = demo_digits(folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_every_digit_is_in_the_folder_of_its_class(folder):
    images = collections.Counter(path.parent.name for path in folder.glob('*/*.png'))
    assert images == {'0': 178, '1': 182, '2': 177, '3': 183, '4': 181,
                      '5': 182, '6': 181, '7': 179, '8': 174, '9': 180}
    assert not folder.with_name('digits-images.partial').exists()


def test_images_are_32x32_gray_and_use_the_whole_range(folder):
    image = Image.open(folder / '0' / '0000.png')
    assert (image.size, image.mode) == ((32, 32), 'L')
    pixels = np.asarray(image)
    assert pixels[:, :2].max() < 20 and pixels.max() > 230, 'a bright stroke on a dark ground'


def test_a_second_run_leaves_the_folder_as_it_is(folder):
    first = (folder / '0' / '0000.png').stat().st_mtime_ns
    result = demo_digits(folder)
    assert result.returncode == 0 and 'already' in result.stdout
    assert (folder / '0' / '0000.png').stat().st_mtime_ns == first


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    result = demo_digits(tmp_path)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert str(tmp_path) in result.stderr and 'delete it' in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']
