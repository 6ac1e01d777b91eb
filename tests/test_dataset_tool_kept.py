"""Pixels that the check decoded are kept for writing: in memory, on the disk, or not at all."""

import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from conversion import decode, from_images, kept
from conversion.decode import Rules

MEMORY, DISK, NEITHER = 'memory', 'disk', 'neither'


@pytest.fixture(name='mixed')
def folder_of_all_kinds(tmp_path):
    """Colour and gray, JPEG and PNG, 16 bits, transparent, turned by EXIF, wide and tall."""
    folder, random = tmp_path / 'in', np.random.RandomState(1)
    folder.mkdir()
    for index, (mode, size, kind) in enumerate([
            ('RGB', (40, 40), 'png'), ('RGB', (64, 44), 'jpg'), ('L', (48, 64), 'png'),
            ('RGBA', (40, 56), 'png'), ('LA', (40, 56), 'png'), ('RGB', (33, 70), 'jpg')]):
        channels = len(Image.new(mode, (1, 1)).getbands())
        noise = random.randint(0, 256, [size[1], size[0], channels]).astype(np.uint8)
        image = Image.fromarray(noise[:, :, 0] if channels == 1 else noise, mode)
        exif = image.getexif()
        exif[0x0112] = 6 if index == 5 else 1
        image.save(folder / f'{index}.{kind}', **({'exif': exif} if kind == 'jpg' else {}))
    deep = random.randint(0, 65536, [40, 40]).astype(np.uint16)
    Image.fromarray(deep).save(folder / '6.png')
    return folder


def restrict(monkeypatch, place):
    """Leaves this place only for pixels."""
    if place != MEMORY:
        monkeypatch.setattr(kept, 'MEMORY_BYTES', 0)
    if place == NEITHER:
        monkeypatch.setattr(from_images, 'LOOK_AT', 0)


def digests(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.iterdir()}


def counted(monkeypatch):
    """A list that grows by each file that is decoded after the check."""
    again, decoded = [], decode.decode

    def count(data, rules):
        again.append(data)
        return decoded(data, rules)

    monkeypatch.setattr(decode, 'decode', count)
    return again


# Gray files among coloured ones are decoded again, where the check could not know that.
@pytest.mark.parametrize('rules, num_images, num_again', [
    (Rules(16, crop='center'), 7, 3),
    (Rules(16, crop='pad', background='#ff8000'), 7, 3),
    (Rules(16, 1, crop='pad', background='#ff8000'), 7, 0),
    (Rules(64, 3, crop='center', resize='box'), 7, 0),
    (Rules(cut=decode.Cut((40, 40), 4, 8, 32)), 2, 1)])
@pytest.mark.parametrize('workers', [1, 2])
def test_the_dataset_is_the_same_wherever_pixels_are_kept(tmp_path, mixed, rules, num_images,
                                                          num_again, workers):
    options = from_images.Options(rules, skip_bad=True, workers=workers)
    found = []
    for place, expected in ((MEMORY, num_again), (DISK, num_again), (NEITHER, num_images)):
        with pytest.MonkeyPatch.context() as patch:
            restrict(patch, place)
            again = counted(patch)
            from_images.create(str(tmp_path / place / 'x'), str(mixed), options)
        found.append(digests(tmp_path / place / 'x'))
        assert workers == 2 or len(again) == expected  # other processes do not count here
    assert found[0] == found[1] == found[2]


def test_photographs_much_larger_than_the_dataset_are_checked_quickly(tmp_path, monkeypatch):
    (tmp_path / 'in').mkdir()
    for name, side in (('large.jpg', 48), ('less.jpg', 47), ('large.png', 48)):
        Image.new('RGB', (side, 60), (200, side, 40)).save(tmp_path / 'in' / name)
    again = counted(monkeypatch)
    from_images.create(str(tmp_path / 'x'), str(tmp_path / 'in'),
                       from_images.Options(Rules(16, crop='center'), workers=1))
    assert again == [(tmp_path / 'in/large.jpg').read_bytes()]


def test_images_beyond_memory_go_to_the_disk_and_beyond_that_nowhere(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, 'MEMORY_BYTES', 2 * 48 + 47)
    pixels = [np.full([3, 4, 4], index, np.uint8) for index in range(6)]
    with kept.slots(tmp_path, 6, 3, 4, disk_bytes=3 * 48) as slots:
        assert [count for _, count in slots.files] == [2, 3]
        assert [slots.put(index, pixels[index]) for index in (5, 4, 3, 2, 1, 0)] == \
            [False] + [True] * 5
        assert slots.put(1, np.full([1, 4, 4], 99, np.uint8))
        assert os.listdir(tmp_path) == []  # the file has no name: nothing is left of a killed run
        for index in (0, 2, 3, 4):
            np.testing.assert_array_equal(slots.get(index, 3), pixels[index])
        np.testing.assert_array_equal(slots.get(1, 1), 99)


def test_a_disk_that_fills_up_costs_time_only(tmp_path, mixed, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    options = from_images.Options(Rules(16, 3, crop='center'), workers=1)
    from_images.create(str(tmp_path / 'a/x'), str(mixed), options)
    with monkeypatch.context() as patch:
        put = kept.Slots.put

        def put_or_full(self, index, pixels):
            with monkeypatch.context() as inner:
                if index >= 3:
                    inner.setattr(os, 'pwrite', full)
                return put(self, index, pixels)

        patch.setattr(kept.Slots, 'put', put_or_full)
        again = counted(patch)
        from_images.create(str(tmp_path / 'b/x'), str(mixed), options)
    assert len(again) == 4 and digests(tmp_path / 'a/x') == digests(tmp_path / 'b/x')


def test_a_check_that_writes_nothing_keeps_nothing(tmp_path, mixed, monkeypatch):
    monkeypatch.setattr(kept, 'slots', None)  # calling it would fail
    from_images.create(str(tmp_path / 'x'), str(mixed),
                       from_images.Options(Rules(16, crop='center'), check_only=True))
    assert not (tmp_path / 'x').exists()
