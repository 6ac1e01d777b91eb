"""Hundreds of damaged files: each ends in a reason, none in a traceback, a hang or a dataset."""

import io
import os
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from conversion import decode, from_images
from conversion.collection import find_collection, read_file
from formats import records

KINDS = [('PNG', {}), ('PNG', {'mode': 'P'}), ('PNG', {'mode': 'RGBA'}), ('PNG', {'mode': 'I;16'}),
         ('JPEG', {}), ('JPEG', {'mode': 'CMYK'}), ('JPEG', {'progressive': True}), ('WEBP', {}),
         ('GIF', {'mode': 'P'}), ('BMP', {}), ('TIFF', {'compression': 'tiff_lzw'}), ('PPM', {}),
         ('TGA', {})]


def encoded(kind, mode='RGB', **options):
    """The bytes of a 16x16 image."""
    random = np.random.RandomState(1)
    if mode == 'I;16':
        image = Image.fromarray(random.randint(0, 65536, [16, 16]).astype(np.uint16))
    else:
        image = Image.fromarray(random.randint(0, 256, [16, 16, 3], np.uint8)).convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width, height, pixels=b'', bits=8, color=0):
    """A PNG of whatever its header says, all checksums right."""
    def chunk(name, data):
        return (struct.pack('>I', len(data)) + name + data
                + struct.pack('>I', zlib.crc32(name + data)))
    header = struct.pack('>IIBBBBB', width, height, bits, color, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
            + chunk(b'IDAT', zlib.compress(pixels, 9)) + chunk(b'IEND', b''))


def damaged(data, random):
    """One of many ways to spoil a file."""
    kind = random.randint(4)
    content = bytearray(data)
    if kind == 0:
        return bytes(content[:random.randint(len(content))])
    if kind == 1:
        for place in random.randint(len(content), size=random.randint(1, 10)):
            content[place] ^= 1 << random.randint(8)
    elif kind == 2:
        place = random.randint(min(len(content), 64))  # in the header
        content[place:place + 4] = random.bytes(4)
    else:
        place = random.randint(len(content))
        content[place:place + random.randint(1, 50)] = random.bytes(random.randint(50))
    return bytes(content)


@pytest.mark.parametrize('kind, options', KINDS, ids=str)
def test_damaged_images_have_a_reason_or_decode_to_what_was_checked(kind, options):
    whole = encoded(kind, **options)
    assert decode.check(whole).size == (16, 16)
    random, refused = np.random.RandomState(2), 0
    for _ in range(60):
        data = damaged(whole, random)
        try:
            facts = decode.check(data)
        except decode.Unusable as error:
            assert str(error) and '\n' not in str(error) and len(str(error)) < 300
            refused += 1
            continue
        if not decode.size_problem(facts.size, decode.Rules(8, crop='center')):
            pixels = decode.decode(data, decode.Rules(8, 3, crop='center'))
            assert pixels.shape == (3, 8, 8) and pixels.dtype == np.uint8
    assert refused > 5


@pytest.mark.parametrize('kind, options', [('PNG', {}), ('PNG', {'mode': 'RGBA'})], ids=str)
def test_no_flipped_bit_of_a_png_passes(kind, options):
    whole = encoded(kind, **options)
    for place in range(8, len(whole) - 12, 7):  # up to the end chunk, which holds nothing
        content = bytearray(whole)
        content[place] ^= 4
        with pytest.raises(decode.Unusable):
            decode.check(bytes(content))


@pytest.mark.parametrize('data, words', [
    (b'', 'is empty'), (b'\0' * 1000, 'is not an image'), (b'hello', 'is not an image'),
    (png(2**31 - 1, 2**31 - 1), 'has more than'), (png(60000, 60000), 'has more than'),
    (png(10000, 10000, b'\0' * 100), 'is 10000x10000, more than'),
    (png(64, 64, b'\0' * 100), 'is damaged'), (png(0, 8), 'is not an image'),
    (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n', 'is not an image'),
    (encoded('TIFF', mode='F'), 'floating-point'), (encoded('PNG')[:-12], 'is damaged'),
    (encoded('PNG')[:60] + b'\xff' * 30 + encoded('PNG')[90:], 'is damaged'),
    (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'is not an image')])
def test_absurd_files_have_a_plain_reason(data, words):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(decode.Unusable, match=words):
            decode.check(data)


def test_a_folder_of_damaged_images_gives_a_report_and_a_dataset_of_the_rest(tmp_path, capsys):
    random = np.random.RandomState(4)
    (tmp_path / 'in').mkdir()
    for index in range(260):
        kind, options = KINDS[index % len(KINDS)]
        (tmp_path / f'in/{index:03}.png').write_bytes(damaged(encoded(kind, **options), random))
    rules = decode.Rules(8, 3, crop='center')
    from_images.create(str(tmp_path / 'out'), str(tmp_path / 'in'),
                  from_images.Options(rules, skip_bad=True, workers=2))
    output, errors = capsys.readouterr()
    skipped = (tmp_path / 'out/skipped.txt').read_text().splitlines()
    assert [line.strip() for line in errors.splitlines()[1:]] == skipped
    assert 50 < len(skipped) < 260 and f'{260 - len(skipped)} images' in output
    size = records.dataset_bytes(260 - len(skipped), 8, 3)
    assert sum(path.stat().st_size for path in (tmp_path / 'out').glob('*.tfrecords')) == size


def bad_names(folder):
    """Things in a folder that are no readable image files; how many images find() sees."""
    (folder / 'directory.png').mkdir()
    os.symlink(folder / 'nowhere', folder / 'broken-link.png')
    os.symlink(folder, folder / 'loop')
    os.mkfifo(folder / 'pipe.png')
    for name in (b'with space.png', b'with\nnewline.png', b'bad-\xff-byte.png', b'-dash.png',
                 b'percent%s{0}.png'):
        with open(os.path.join(os.fsencode(folder), name), 'wb') as file:
            file.write(b'no image')
    return 7


def test_odd_names_and_things_are_reported_on_a_line_each(tmp_path, capsys):
    (tmp_path / 'in').mkdir()
    count = bad_names(tmp_path / 'in')
    with pytest.raises(ValueError, match=f'{count} of {count} files'):
        from_images.create(str(tmp_path / 'out'), str(tmp_path / 'in'))
    listed = capsys.readouterr().err.splitlines()
    assert len(listed) == count + 1
    for words in ('broken-link.png: is a broken symbolic link', 'pipe.png: is not a regular file',
                  'with\\nnewline.png: is not an image', 'bad-\\udcff-byte.png: is not an image'):
        assert any(words in line for line in listed), words
    assert not (tmp_path / 'out').exists()


def test_odd_names_of_good_images_are_no_obstacle(tmp_path):
    (tmp_path / 'in').mkdir()
    for name in (b'with space.png', b'with\nnewline.png', b'bad-\xff-byte.png', b'-dash.png'):
        with open(os.path.join(os.fsencode(tmp_path / 'in'), name), 'wb') as file:
            file.write(encoded('PNG'))
    from_images.create(str(tmp_path / 'out'), str(tmp_path / 'in'), from_images.Options(workers=2))
    assert (tmp_path / 'out/out-r04.tfrecords').stat().st_size > 4 * 16 * 16 * 3


def test_damaged_zip_files_have_a_reason(tmp_path):
    with zipfile.ZipFile(tmp_path / 'whole.zip', 'w', zipfile.ZIP_DEFLATED) as file:
        for index in range(4):
            file.writestr(f'sub/{index}.png', encoded('PNG'))
    whole, random = (tmp_path / 'whole.zip').read_bytes(), np.random.RandomState(3)
    for index in range(100):
        path = tmp_path / f'{index}.zip'
        path.write_bytes(damaged(whole, random))
        try:
            collection = find_collection(str(path))
        except ValueError as error:
            assert str(path) in str(error) and '\n' not in str(error)
            continue
        for name in collection.names:
            try:
                decode.check(read_file(str(path), name))
            except decode.Unusable as error:
                assert '\n' not in str(error)
