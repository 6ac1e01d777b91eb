"""Folders and zip files of images become datasets: the reference's bytes, labels, every mode."""

import csv
import hashlib
import io
import json
import pathlib
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageOps

from conversion import decode, from_images, info, writing
from conversion.choosing import Choice
from conversion.decode import Rules
from formats import records
from training.dataset import TFRecordDataset

CASES = pathlib.Path(__file__).parent / 'parity' / 'misc' / 'dataset_tool'
RED, GRAY = (200, 30, 40), 77


def save(path, size=(16, 16), color=RED, mode='RGB', **options):
    """An image file of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **options)
    return path


def hashes(directory):
    """sha256 of each file that the reference writes too: all but the list of sources."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.iterdir() if not path.name.endswith('.sources.json')}


def create(source, target, rules=Rules(), **options):
    """Converts; returns the images of the dataset, uint8 [N, H, W, C]."""
    from_images.create(str(target), str(source), from_images.Options(rules, **options))
    data = TFRecordDataset(target)
    return data.read(data.resolution, range(data.num_images))


def refused(source, target, rules=Rules(), **options):
    """The message with which a conversion ends; nothing is written."""
    before = set(target.parent.iterdir())
    with pytest.raises(ValueError) as caught:
        from_images.create(str(target), str(source), from_images.Options(rules, **options))
    assert set(target.parent.iterdir()) == before
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('case, shuffle, workers', [
    ('rgb32', True, None), ('gray16', False, None), ('rgb32', True, 2)])
def test_folder_becomes_the_bytes_of_the_reference(tmp_path, case, shuffle, workers):
    create(CASES / case / 'images', tmp_path / case, shuffle=shuffle, workers=workers)
    expected = json.loads((CASES / case / 'sha256.json').read_text())
    assert hashes(tmp_path / case) == expected
    assert [path.name for path in tmp_path.iterdir()] == [case]


def test_jpeg_pixels_are_those_of_the_reference_within_two_grey_levels(tmp_path):
    pixels = create(CASES / 'rgb64jpg/images', tmp_path / 'rgb64jpg')
    reference = TFRecordDataset(CASES / 'rgb64jpg/expected/rgb64jpg')
    assert np.abs(pixels.astype(int) - reference.read(64, range(4))).max() <= 2


def test_zip_gives_the_dataset_of_the_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / 'some.zip', 'w') as file:
        for path in (CASES / 'rgb32/images').iterdir():
            file.write(path, path.name)
        file.writestr('__MACOSX/._im000.png', b'not an image')
    create(tmp_path / 'some.zip', tmp_path / 'rgb32', workers=2)
    expected = json.loads((CASES / 'rgb32/sha256.json').read_text())
    assert hashes(tmp_path / 'rgb32') == expected


def test_predicted_size_is_the_real_one(tmp_path):
    create(CASES / 'rgb32/images', tmp_path / 'x')
    real = sum(path.stat().st_size for path in (tmp_path / 'x').glob('*.tfrecords'))
    assert records.dataset_bytes(9, 32, 3) == real


def test_a_dataset_that_does_not_fit_on_the_disk_is_refused(tmp_path, monkeypatch):
    save(tmp_path / 'in/a.png')
    monkeypatch.setattr(writing.shutil, 'disk_usage',
                        lambda path: type('Usage', (), {'free': 0})())
    with pytest.raises(OSError, match='needs 1 kB, but only 0 kB are free'):
        create(tmp_path / 'in', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_every_unusable_image_is_named_before_anything_is_written(tmp_path, capsys):
    for index in range(5):
        whole = save(tmp_path / f'in/good{index}.png').read_bytes()
    save(tmp_path / 'in/small.png', size=(8, 8))
    save(tmp_path / 'in/sub/wide.png', size=(16, 8))
    (tmp_path / 'in/text.png').write_text('hello')
    (tmp_path / 'in/empty.jpg').write_bytes(b'')
    (tmp_path / 'in/cut.png').write_bytes(whole[:len(whole) // 2])
    message = refused(tmp_path / 'in', tmp_path / 'out')
    assert '5 of 10 files' in message and '--resolution=16 --crop=center' in message
    listed = capsys.readouterr().err
    for words in ('small.png: is 8x8, while most images are 16x16', 'sub/wide.png: is 16x8',
                  'text.png: is not an image', 'empty.jpg: is empty', 'cut.png: is damaged'):
        assert words in listed


def test_unusable_images_are_left_out_on_demand_and_noted(tmp_path):
    save(tmp_path / 'in/a.png', color=(1, 1, 1))
    save(tmp_path / 'in/b.png', size=(8, 4))
    save(tmp_path / 'in/c.png', color=(3, 3, 3))
    pixels = create(tmp_path / 'in', tmp_path / 'out', skip_bad=True, shuffle=False)
    assert pixels[:, 0, 0, 0].tolist() == [1, 3]
    assert (tmp_path / 'out/skipped.txt').read_text() == 'b.png: is 8x4, not square\n'


def test_check_only_writes_nothing(tmp_path, capsys):
    save(tmp_path / 'in/a.png')
    from_images.create(str(tmp_path / 'out'), str(tmp_path / 'in'),
                       from_images.Options(check_only=True))
    assert not (tmp_path / 'out').exists()
    assert 'Images   1 of 16x16, RGB' in capsys.readouterr().out


def test_max_images_takes_those_that_would_be_written_first(tmp_path):
    for index in range(6):
        save(tmp_path / f'in/{index}.png', color=index, mode='L')
    first = create(tmp_path / 'in', tmp_path / 'first', max_images=2, shuffle=False)
    assert first[:, 0, 0, 0].tolist() == [0, 1]
    mixed = create(tmp_path / 'in', tmp_path / 'mixed', max_images=2)
    assert sorted(mixed[:, 0, 0, 0]) == sorted(writing.shuffled(6)[:2])


# Labels


def test_sub_folders_become_classes_in_numeric_order(tmp_path):
    for index, name in enumerate(['9/a.png', '10/a.png', '9/deep/b.png']):
        save(tmp_path / 'in/wrapped' / name, color=index, mode='L')
    create(tmp_path / 'in', tmp_path / 'out', labels='folders', shuffle=False)
    labels = np.load(tmp_path / 'out/out-rxx.labels')
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, [[0, 1], [1, 0], [1, 0]])  # 10/a, 9/a, 9/deep/b
    assert json.loads((tmp_path / 'out/out-rxx.classes.json').read_text()) == ['9', '10']


def test_labels_go_with_their_images_through_the_shuffle(tmp_path):
    for index in range(20):
        save(tmp_path / f'in/class{index % 4}/{index}.png', color=index, mode='L')
    pixels = create(tmp_path / 'in', tmp_path / 'out', labels='folders')
    labels = np.load(tmp_path / 'out/out-rxx.labels')
    assert pixels[:, 0, 0, 0].tolist() != sorted(pixels[:, 0, 0, 0])
    np.testing.assert_array_equal(labels.argmax(axis=1), pixels[:, 0, 0, 0] % 4)


@pytest.mark.parametrize('text, expected, names', [
    ('{"labels": [["a.png", 2], ["sub/b.png", 0]]}', [[0, 0, 1], [1, 0, 0]], None),
    ('{"labels": {"a.png": "dog", "sub/b.png": "cat"}}', [[0, 1], [1, 0]], ['cat', 'dog']),
    ('{"labels": [["a.png", 1], ["sub/b.png", 0]], "classes": ["x", "y"]}', [[0, 1], [1, 0]],
     ['x', 'y']),
    ('[["a.png", [0.5, 2]], ["sub/b.png", [0, 1]]]', [[0.5, 2], [0, 1]], None),
    ('path,class\na.png,1\nsub\\b.png,0\nnot-there.png,1\n', [[0, 1], [1, 0]], None),
    ('"a.png",dog\n"sub/b.png",cat\n', [[0, 1], [1, 0]], ['cat', 'dog'])])
def test_label_files(tmp_path, text, expected, names):
    save(tmp_path / 'in/a.png')
    save(tmp_path / 'in/sub/b.png')
    (tmp_path / 'labels').write_text(text)
    create(tmp_path / 'in', tmp_path / 'out', labels=str(tmp_path / 'labels'), shuffle=False)
    np.testing.assert_array_equal(np.load(tmp_path / 'out/out-rxx.labels'), expected)
    names_file = tmp_path / 'out/out-rxx.classes.json'
    assert (json.loads(names_file.read_text()) if names_file.exists() else None) == names


def test_dataset_json_is_used_unless_labels_are_none(tmp_path):
    save(tmp_path / 'in/a.png')
    (tmp_path / 'in/dataset.json').write_text('{"labels": [["a.png", 1]]}')
    create(tmp_path / 'in', tmp_path / 'with')
    create(tmp_path / 'in', tmp_path / 'without', labels='none')
    np.testing.assert_array_equal(np.load(tmp_path / 'with/with-rxx.labels'), [[0, 1]])
    assert not (tmp_path / 'without/without-rxx.labels').exists()


@pytest.mark.parametrize('text, words', [
    ('nonsense', 'expected JSON like'), ('{"labels": 3}', 'expected JSON like'),
    ('{"labels": [["a.png", 123456]]}', 'class numbers must run from 0 to at most 9999'),
    ('{"labels": [["a.png", -1]]}', 'class numbers must run from 0'),
    ('{"labels": [["a.png", true]]}', 'must be all numbers from 0'),
    ('{"labels": [["a.png", [1]], ["b.png", [1, 2]]]}', 'must have the same length'),
    ('{"labels": [["a.png", ["1"]]]}', 'must hold numbers only'),
    ('{"labels": [["a.png", 1], ["./a.png", 0]]}', 'lists a.png twice'),
    ('{"labels": [["a.png", 1]], "classes": ["one"]}', 'expected 2 class names'),
    ('{"labels": [["a.png", 0]], "classes": 7}', 'is not a list of names')])
def test_bad_label_files_are_refused(tmp_path, text, words):
    save(tmp_path / 'in/a.png')
    (tmp_path / 'labels').write_text(text)
    message = refused(tmp_path / 'in', tmp_path / 'out', labels=str(tmp_path / 'labels'))
    assert words in message and str(tmp_path / 'labels') in message


def test_images_without_a_label_are_unusable(tmp_path, capsys):
    save(tmp_path / 'in/a.png')
    save(tmp_path / 'in/b.png')
    (tmp_path / 'labels.csv').write_text('a.png,0\n')
    refused(tmp_path / 'in', tmp_path / 'out', labels=str(tmp_path / 'labels.csv'))
    assert 'b.png: has no label in the labels file' in capsys.readouterr().err


# Modes


def encoded(image, kind='PNG', **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def half_transparent(mode, color):
    """The left half opaque, the right half wholly transparent."""
    image = Image.new(mode, (8, 8), color)
    alpha = Image.new('L', (8, 8), 255)
    alpha.paste(0, (4, 0, 8, 8))
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize('data, expected, conversion', [
    (encoded(Image.new('L', (8, 8), GRAY)), GRAY, None),
    (encoded(Image.new('RGB', (8, 8), RED)), RED, None),
    (encoded(Image.new('1', (8, 8), 1)), 255, 'black and white'),
    (encoded(Image.new('RGB', (8, 8), RED).quantize(4)), RED, 'palette'),
    (encoded(Image.fromarray(np.full([8, 8], 200 * 257, np.uint16))), 200, '16-bit gray'),
    (encoded(Image.new('CMYK', (8, 8), (0, 255, 255, 0)), 'TIFF'), (255, 0, 0), 'CMYK'),
    (encoded(half_transparent('RGBA', RED)), RED, 'transparent, placed on the background'),
    (encoded(half_transparent('LA', (GRAY, 255))), GRAY, 'transparent, placed on the background'),
    (encoded(Image.new('L', (8, 8), GRAY), 'GIF', save_all=True,
             append_images=[Image.new('L', (8, 8), 0)]), (GRAY,) * 3, 'first of several frames')])
def test_every_mode_becomes_eight_bit_gray_or_rgb(data, expected, conversion):
    facts = decode.check(data)
    assert conversion is None or conversion in facts.conversions
    assert bool(facts.conversions) == (conversion is not None)
    gray = isinstance(expected, int)
    assert facts.gray == gray
    pixels = decode.decode(data, Rules(num_channels=1 if gray else 3))
    assert np.abs(pixels[:, 0, 0].astype(int) - expected).max() <= 1
    right = 255 if 'transparent, placed on the background' in facts.conversions else expected
    assert np.abs(pixels[:, 0, -1].astype(int) - right).max() <= 1


def test_transparent_pixels_show_the_chosen_background():
    data = encoded(half_transparent('RGBA', RED))
    pixels = decode.decode(data, Rules(num_channels=3, background='#0000ff'))
    assert pixels[:, 0, 0].tolist() == list(RED) and pixels[:, 0, -1].tolist() == [0, 0, 255]


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_rotation_is_carried_out_as_pillow_does(kind, orientation):
    image = Image.new('RGB', (32, 16))
    image.paste(RED, (0, 0, 16, 8))  # one corner
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, kind, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert decode.check(data).size == expected.size == ((16, 32) if orientation > 4 else (32, 16))
    np.testing.assert_array_equal(decode.upright(data, Rules(num_channels=3)), expected)


def test_turned_images_are_counted(tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / 'in/a.jpg', exif=exif)
    create(tmp_path / 'in', tmp_path / 'out')
    assert 'Convert  1 turned upright as EXIF says' in capsys.readouterr().out


@pytest.mark.parametrize('channels, expected', [(None, 3), (1, 1), (3, 3)])
def test_mixed_gray_and_colour_become_rgb_unless_told_otherwise(tmp_path, capsys, channels,
                                                                expected):
    save(tmp_path / 'in/gray.png', color=GRAY, mode='L')
    save(tmp_path / 'in/red.png')
    pixels = create(tmp_path / 'in', tmp_path / 'out', Rules(num_channels=channels), shuffle=False)
    assert pixels.shape == (2, 16, 16, expected)
    assert (pixels[0] == GRAY).all()
    assert ('1 colour, to gray' if channels == 1 else '1 gray, to RGB') in capsys.readouterr().out


# Sizes


def striped():
    """32x16: columns 0-7 black, 8-23 white, 24-31 black."""
    image = Image.new('L', (32, 16), 0)
    image.paste(255, (8, 0, 24, 16))
    return image


@pytest.mark.parametrize('rules, expected', [
    (dict(crop='center'), np.full([16, 16], 255)),
    (dict(crop='center', resolution=8), np.full([8, 8], 255)),
    (dict(crop='center', resolution=8, resize='none'), np.full([8, 8], 255)),
    (dict(crop='pad', background='#777777'),
     np.pad(np.repeat([[0] * 8 + [255] * 16 + [0] * 8], 16, axis=0), [(8, 8), (0, 0)],
            constant_values=0x77)),
    (dict(crop='pad', resolution=8, resize='box', background='#777777'),
     np.pad(np.repeat([[0, 0, 255, 255, 255, 255, 0, 0]], 4, axis=0), [(2, 2), (0, 0)],
            constant_values=0x77))])
def test_crop_and_resize(rules, expected):
    pixels = decode.decode(encoded(striped()), Rules(num_channels=1, **rules))
    np.testing.assert_array_equal(pixels[0], expected)


def test_resize_is_pillows_antialiasing_filter():
    noise = Image.fromarray(np.random.RandomState(0).randint(0, 256, [64, 64, 3], np.uint8))
    for name, filter_ in (('lanczos', Image.Resampling.LANCZOS), ('box', Image.Resampling.BOX)):
        pixels = decode.decode(encoded(noise), Rules(16, 3, name))
        np.testing.assert_array_equal(pixels.transpose(1, 2, 0), noise.resize((16, 16), filter_))


@pytest.mark.parametrize('size, rules, words', [
    ((16, 8), {}, 'is 16x8, not square'),
    ((12, 12), {}, 'is 12x12: 12 is not a power of two'),
    ((2, 2), {}, '2 is not a power of two of at least 4'),
    ((16, 8), dict(resolution=8), 'is 16x8, not square'),
    ((16, 16), dict(resolution=8, resize='none'), 'is 16x16, not 8x8'),
    ((16, 4), dict(resolution=8, resize='none', crop='center'), 'is 16x4, smaller than 8x8'),
    ((16, 4), dict(resolution=8, resize='none', crop='pad'), 'is 16x4, larger than 8x8'),
    ((16, 12), dict(crop='center'), '12 is not a power of two'),
    ((16, 8), dict(resolution=8, crop='center'), None),
    ((8, 4), dict(resolution=8, resize='none', crop='pad'), None)])
def test_size_rules(size, rules, words):
    problem = decode.size_problem(size, Rules(**rules))
    assert problem == words or words in problem


def test_enlarged_images_are_counted(tmp_path, capsys):
    save(tmp_path / 'in/a.png', size=(8, 8))
    create(tmp_path / 'in', tmp_path / 'out', Rules(resolution=16))
    assert 'Enlarge  1 images smaller than 16x16' in capsys.readouterr().out


@pytest.mark.parametrize('options, words', [
    (dict(rules=Rules(resolution=100)), '--resolution must be a power of two'),
    (dict(rules=Rules(background='no-colour')), '--background'),
    (dict(max_images=0), '--max_images'), (dict(labels='folders'), 'has no sub-folders'),
    (dict(labels='folder'),
     '--labels=folder: must be folders, none or a file, but there is no such file')])
def test_bad_options_are_refused(tmp_path, options, words):
    save(tmp_path / 'in/a.png')
    assert words in refused(tmp_path / 'in', tmp_path / 'out', **options)


# Where the images are


def test_hidden_and_other_files_are_passed_over_and_counted(tmp_path, capsys):
    save(tmp_path / 'in/a.png')
    for name in ('.hidden.png', 'Thumbs.db', 'notes.txt', '.git/b.png'):
        (tmp_path / 'in' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'in' / name).write_bytes(b'')
    assert len(create(tmp_path / 'in', tmp_path / 'out')) == 1
    assert 'Ignored  1 .db, 1 .txt, 2 hidden files' in capsys.readouterr().out


def test_missing_and_empty_folders_say_what_is_there(tmp_path):
    (tmp_path / 'faces').mkdir()
    assert f'nearby: {tmp_path}/faces' in refused(tmp_path / 'facse', tmp_path / 'out')
    assert 'no files at all' in refused(tmp_path / 'faces', tmp_path / 'out')
    (tmp_path / 'faces/a.txt').write_text('x')
    assert 'only 1 .txt' in refused(tmp_path / 'faces', tmp_path / 'out')
    assert 'another kind of file' in refused(tmp_path / 'faces/a.txt', tmp_path / 'out')


@pytest.mark.parametrize('name', ['../up.png', '/root.png', 'a/../../up.png', 'c:/x.png'])
def test_zip_that_points_outside_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / 'some.zip', 'w') as file:
        file.writestr(zipfile.ZipInfo(name), encoded(Image.new('L', (8, 8))))
    assert 'points outside' in refused(tmp_path / 'some.zip', tmp_path / 'out')


def test_zip_bombs_and_damaged_zips_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / 'bomb.zip', 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('bomb.png', b'\0' * (2**26 + 1))
    assert 'perhaps a zip bomb' in refused(tmp_path / 'bomb.zip', tmp_path / 'out')
    whole = (tmp_path / 'bomb.zip').read_bytes()
    (tmp_path / 'cut.zip').write_bytes(whole[:len(whole) // 2])
    assert 'another kind of file' in refused(tmp_path / 'cut.zip', tmp_path / 'out')


def test_damaged_and_encrypted_zip_members_are_unusable(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / 'some.zip', 'w') as file:
        for name in 'abc':
            file.writestr(f'{name}.png', encoded(Image.new('L', (16, 16))))
    content = bytearray((tmp_path / 'some.zip').read_bytes())
    content[60] ^= 1  # inside a.png: its checksum does not fit any more
    start = content.index(b'PK\x01\x02', content.index(b'PK\x01\x02') + 1)
    content[start + 8] |= 1  # b.png says it is encrypted
    (tmp_path / 'some.zip').write_bytes(content)
    assert '2 of 3 files' in refused(tmp_path / 'some.zip', tmp_path / 'out')
    listed = capsys.readouterr().err
    assert 'a.png: cannot be unpacked' in listed and 'b.png: cannot be unpacked' in listed


def test_csv_written_by_spreadsheets_is_read(tmp_path):
    save(tmp_path / 'in/a,b.png')
    with open(tmp_path / 'labels.csv', 'w', encoding='utf-8-sig', newline='') as file:
        csv.writer(file).writerows([['filename', 'label'], ['a,b.png', 'cat']])
    create(tmp_path / 'in', tmp_path / 'out', labels=str(tmp_path / 'labels.csv'))
    assert json.loads((tmp_path / 'out/out-rxx.classes.json').read_text()) == ['cat']


def test_excluded_images_are_left_out_and_counted(tmp_path, capsys):
    for number in range(3):
        save(tmp_path / f'in/{number % 2}/{number}.png', color=(number, 0, 0))
    (tmp_path / 'worst.txt').write_text('1/1.png\n')
    pixels = create(tmp_path / 'in', tmp_path / 'out', shuffle=False,
                    choice=Choice(exclude=str(tmp_path / 'worst.txt')))
    assert pixels[:, 0, 0, 0].tolist() == [0, 2]
    assert '1 images named by --exclude' in capsys.readouterr().out


def test_an_excluded_name_that_is_not_there_is_an_error(tmp_path):
    save(tmp_path / 'in/a.png')
    (tmp_path / 'worst.txt').write_text('a.png\nb.png\n')
    message = refused(tmp_path / 'in', tmp_path / 'out',
                      choice=Choice(exclude=str(tmp_path / 'worst.txt')))
    assert 'worst.txt' in message and 'b.png' in message


def test_what_info_finds_is_named_by_its_files_and_excluded_with_them(tmp_path, capsys):
    random = np.random.default_rng(1)
    (tmp_path / 'in/b').mkdir(parents=True)
    kept = ['b/one.png', 'two.png']
    for name in kept:
        pixels = random.integers(256, size=[16, 16, 3], dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'in' / name)
    Image.fromarray(pixels).save(tmp_path / 'in/two, again.png')
    save(tmp_path / 'in/b/plain.png', size=(16, 16))
    create(tmp_path / 'in', tmp_path / 'out')
    info.info(tmp_path / 'out', worst=tmp_path / 'worst.txt')
    worst = (tmp_path / 'worst.txt').read_text().splitlines()
    near = ({'two.png', 'two, again.png'} & set(worst)).pop()
    assert sorted(worst) == sorted(['b/plain.png', near])
    output = capsys.readouterr().out
    assert 'b/plain.png' in output and f'{near} (as ' in output
    create(tmp_path / 'in', tmp_path / 'clean', choice=Choice(exclude=str(tmp_path / 'worst.txt')))
    sources = json.loads((tmp_path / 'clean/clean-rxx.sources.json').read_text())
    assert sorted(sources) == sorted({*kept, 'two, again.png'} - {near})
    with pytest.raises(ValueError, match='worst.txt: is there already; remove it or choose'):
        info.info(tmp_path / 'out', worst=tmp_path / 'worst.txt')


def test_a_dataset_without_sources_says_what_gives_it_some(tmp_path, capsys):
    save(tmp_path / 'in/a.png')
    create(tmp_path / 'in', tmp_path / 'out')
    (tmp_path / 'out/out-rxx.sources.json').unlink()
    info.info(tmp_path / 'out', quality=True)
    assert 'images nearly one colour: 0 (spread 0.0)\n' in capsys.readouterr().out
    with pytest.raises(ValueError, match='does not say which files .*--worst.* convert the images '
                                         'again with create_from_images'):
        info.info(tmp_path / 'out', worst=tmp_path / 'worst.txt')
    assert not (tmp_path / 'worst.txt').exists()
