"""dataset_tool.py clean: what is found, on which side of its limit; what is written and kept."""

import csv
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from test_dataset_tool_images import create

from conversion import clean as cleaning
from conversion import duplicates, info, measuring, view
from conversion.choosing import Choice
from conversion.decode import Rules
from conversion.quality import CHECKS, Limits, judge


def photo(seed, size=(96, 96)):
    """Something like a photograph: smooth colours, shapes with edges, some grain."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(40, 216, [5, 5, 3], dtype=np.uint8))
    image = coarse.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = random.integers(0, size[0]), random.integers(0, size[1])
        draw.ellipse([left, top, left + random.integers(10, 50), top + random.integers(10, 50)],
                     fill=tuple(int(x) for x in random.integers(0, 256, 3)))
    grain = random.normal(0, 4, [size[1], size[0], 3])
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def found_in(images, **limits):
    """{name of a check: numbers of the images that have the fault} of these images."""
    verdicts = judge([measuring.of_image(image) for image in images], Limits(**limits))
    return {name: sorted(numbers) for name, numbers in verdicts.reasons.items() if numbers}


def barred(seed, share, sides='both'):
    image = photo(seed)
    bar = round(96 * share / 2)
    image.paste((0, 0, 0), [0, 0, 96, bar])
    image.paste((0, 0, 0) if sides != 'different' else (255, 255, 255), [0, 96 - bar, 96, 96])
    if sides == 'all':
        image.paste((0, 0, 0), [0, 0, bar, 96])
        image.paste((0, 0, 0), [96 - bar, 0, 96, 96])
    return image


def plain(deviation):
    noise = np.random.default_rng(0).choice([-deviation, deviation], [32, 32, 3])
    return Image.fromarray((128 + noise).astype(np.uint8))


SMALL = Rules(resolution=32, crop='center')
GOOD = [photo(seed) for seed in range(30)]


@pytest.mark.parametrize('bad, good, check', [
    (photo(90, (63, 80)), photo(90, (64, 80)), 'small'),
    (photo(91, (140, 66)), photo(91, (130, 66)), 'aspect'),
    (plain(5), plain(7), 'plain'),
    (photo(92).convert('L').convert('RGB'), photo(92), 'gray'),
    (photo(93).filter(ImageFilter.GaussianBlur(3)), photo(93), 'blurred'),
    (barred(94, 0.2), barred(94, 0.05), 'bars'),
    (barred(95, 0.2), barred(95, 0.2, 'all'), 'bars'),
    (barred(96, 0.2), barred(96, 0.2, 'different'), 'bars')])
def test_each_fault_is_found_and_what_is_just_good_is_not(bad, good, check):
    limits = {} if check in ('small', 'gray') else {'gray': 0}
    limits = limits if check == 'small' else {**limits, 'min_size': 0}
    found = found_in([*GOOD, bad, good], **limits)
    assert found.get(check) == [30], found
    assert found_in([*GOOD, bad, good], **limits, **{
        {'small': 'min_size', 'aspect': 'max_aspect', 'blurred': 'blur'}.get(check, check): 0}).get(
            check) is None


def test_good_images_have_no_fault():
    assert found_in(GOOD) == {}
    assert found_in([image.convert('L').convert('RGB') for image in GOOD]) == {}   # all are gray


def test_copies_are_found_and_the_best_is_kept(tmp_path):
    image = photo(50, (192, 192))
    half = image.resize((96, 96), Image.Resampling.LANCZOS)
    image.save(tmp_path / 'low.jpg', quality=40)
    with Image.open(tmp_path / 'low.jpg') as file:
        low = file.convert('RGB')
    brighter = Image.fromarray(np.clip(np.asarray(half).astype(int) + 6, 0, 255).astype(np.uint8))
    cropped = half.crop((1, 1, 95, 95))
    images = [*GOOD, half, low, image, brighter, cropped, half.copy(), photo(51)]
    verdicts = judge([measuring.of_image(one) for one in images], Limits())
    assert sorted(verdicts.reasons['near']) == [30, 31, 33, 34, 35]
    assert set(verdicts.kept[30:36]) == {32}         # the largest and, of two, the sharper one
    verdicts = judge([measuring.of_image(one) for one in images], Limits(near=0))
    assert sorted(verdicts.reasons['same']) == [35] and not verdicts.reasons['near']


def test_hashes_that_differ_in_few_bits_are_found_as_by_comparing_all():
    random = np.random.default_rng(3)
    base = random.integers(0, 2**63, 40, dtype=np.uint64)
    flips = [sum(1 << int(bit) for bit in random.choice(64, count, replace=False))
             for count in random.integers(0, 10, 200)]
    hashes = np.unique(np.concatenate([base, base[random.integers(0, 40, 200)] ^ np.array(
        flips, np.uint64)]))
    for bits in (0, 3, duplicates.MOST_BITS):
        expected = [(a, b) for a in range(len(hashes)) for b in range(a + 1, len(hashes))
                    if bin(int(hashes[a] ^ hashes[b])).count('1') <= bits]
        assert duplicates.near_pairs(hashes, bits).tolist() == [list(pair) for pair in expected]


@pytest.fixture
def folder(tmp_path):
    """Thirty good images, a copy, a plain one, a transparent one, a damaged one."""
    path = tmp_path / 'in'
    path.mkdir()
    for number, image in enumerate(GOOD):
        image.save(path / f'{number:02d}.png')
    GOOD[3].save(path / 'copy.png')
    Image.new('RGB', (80, 80), 'red').save(path / 'plain.png')
    clear = photo(60).convert('RGBA')
    clear.putalpha(Image.fromarray(np.repeat([[0, 255]], [60, 36], axis=1).repeat(96, 0).astype(
        np.uint8)))
    clear.save(path / 'clear.png')
    (path / 'damaged.png').write_bytes((path / '00.png').read_bytes()[:-900])
    return path


def rows(path):
    with open(path, encoding='utf-8', newline='') as file:
        return {row['path']: row for row in csv.DictReader(file)}


def test_a_report_says_what_is_wrong_and_is_what_create_from_images_excludes(folder, tmp_path,
                                                                             capsys):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    cleaning.clean(str(folder), str(tmp_path / 'report'), Limits())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    report = tmp_path / 'report'
    assert sorted(path.name for path in report.iterdir()) == [
        'clean.csv', 'exclude.txt', 'measured.jsonl', 'plain-01.png', 'same-01.png',
        'transparent-01.png', 'unusable-01.png']
    table = rows(report / 'clean.csv')
    assert len(table) == 34 and sum(int(row['kept']) for row in table.values()) == 30
    assert table['copy.png']['reasons'] == 'the same as another'
    assert table['copy.png']['same_as'] == '03.png'
    assert table['plain.png']['reasons'] == 'nearly one colour'
    assert table['clear.png']['transparent'] == '0.625'
    assert 'is damaged' in table['damaged.png']['reasons']
    assert (report / 'exclude.txt').read_text().split() == [
        'clear.png', 'copy.png', 'damaged.png', 'plain.png']
    assert 'Good     30 of 34 images' in capsys.readouterr().out
    with Image.open(report / 'same-01.png') as page:
        assert page.size[0] >= 2 * 128 and page.size[1] == 32 + 128 + 2 * 16
    pixels = create(folder, tmp_path / 'out', rules=SMALL,
                    choice=Choice(exclude=str(report / 'exclude.txt')))
    assert len(pixels) == 30


def test_a_run_that_was_killed_goes_on_and_changed_images_are_measured_anew(folder, tmp_path,
                                                                            monkeypatch, capsys):
    report = str(tmp_path / 'report')
    measured, original = [], measuring.of_file

    def counting(data):
        measured.append(data)
        if len(measured) == 20:
            raise KeyboardInterrupt
        return original(data)

    monkeypatch.setattr(measuring, 'of_file', counting)
    with pytest.raises(KeyboardInterrupt):
        cleaning.clean(str(folder), report, Limits())
    with open(tmp_path / 'report/measured.jsonl', 'ab') as file:
        file.write(b'["07.png", [1')       # the line at which it was killed
    known = len((tmp_path / 'report/measured.jsonl').read_text().splitlines()) - 1
    assert 0 < known < 20
    cleaning.clean(str(folder), report, Limits())
    assert f'{known} images were measured before' in capsys.readouterr().out
    assert len(measured) == 20 + 34 - known
    first = (tmp_path / 'report/clean.csv').read_text()
    measured.clear()
    photo(70).save(folder / 'plain.png')
    cleaning.clean(str(folder), report, Limits(min_size=90))
    assert len(measured) == 1 and not (tmp_path / 'report/plain-01.png').exists()
    assert (tmp_path / 'report/clean.csv').read_text() != first
    assert rows(tmp_path / 'report/clean.csv')['plain.png']['kept'] == '1'


def test_a_zip_is_measured_as_the_folder_is(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / 'in.zip', 'w') as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    for source in (folder, tmp_path / 'in.zip'):
        cleaning.clean(str(source), str(tmp_path / f'{source.name}-report'), Limits())
    a, b = ((tmp_path / name / 'clean.csv').read_text() for name in ('in-report', 'in.zip-report'))
    assert a == b


def test_info_has_the_same_verdicts_on_a_dataset_of_the_same_images(folder, tmp_path, capsys):
    for name in ('damaged.png', 'clear.png'):
        (folder / name).unlink()
    for path in folder.iterdir():       # squares of one power of two, which are written as they are
        with Image.open(path) as image:
            image.resize((64, 64)).save(path)
    photo(80).resize((64, 64)).filter(ImageFilter.GaussianBlur(3)).save(folder / 'blurred.png')
    create(folder, tmp_path / 'out')
    cleaning.clean(str(folder), str(tmp_path / 'report'), Limits())
    info.info(tmp_path / 'out', worst=tmp_path / 'worst.txt')
    assert sorted((tmp_path / 'worst.txt').read_text().split()) == sorted(
        (tmp_path / 'report/exclude.txt').read_text().split())
    printed = capsys.readouterr().out
    assert 'images nearly one colour' in printed and 'plain.png (spread' in printed


def test_pages_show_all_images_of_a_dataset_with_their_names(folder, tmp_path, capsys):
    (folder / 'damaged.png').unlink()
    create(folder, tmp_path / 'out', rules=SMALL)
    view.display(tmp_path / 'out', str(tmp_path / 'pages'), pages=True)
    assert '33 images on 1 pages' in capsys.readouterr().out
    with Image.open(tmp_path / 'pages/out-01.png') as page:
        assert page.size[0] > 10 * 128 and page.size[1] > 4 * (128 + 2 * 16)
    with pytest.raises(ValueError, match='pages: is not empty'):
        view.display(tmp_path / 'out', str(tmp_path / 'pages'), pages=True)


@pytest.mark.parametrize('limits, message', [
    ({'near': 8}, '--near=8: must be within 0..7; 0 turns'),
    ({'max_aspect': 0.5}, '--max_aspect=0.5: must be 1 or more'),
    ({'bars': -1.0}, '--bars=-1: must be within 0..1')])
def test_limits_that_make_no_sense_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        Limits(**limits)


def test_a_report_is_not_written_among_the_images_or_over_other_things(folder, tmp_path):
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(ValueError, match='--report=.*: lies in the folder of the images'):
        cleaning.clean(str(folder), str(folder / 'report'), Limits())
    with pytest.raises(ValueError, match='no such folder'):
        cleaning.clean(str(folder) + 'x', str(tmp_path / 'report'), Limits())
    assert sorted(tmp_path.rglob('*')) == before
    (tmp_path / 'report').mkdir()
    (tmp_path / 'report/thesis.txt').write_text('x')
    with pytest.raises(ValueError, match='holds more than a report .thesis.txt.'):
        cleaning.clean(str(folder), str(tmp_path / 'report'), Limits())
    assert [path.name for path in (tmp_path / 'report').iterdir()] == ['thesis.txt']


def test_every_check_has_a_limit_that_turns_it_off():
    names = {'same': None, 'near': 'near', 'small': 'min_size', 'aspect': 'max_aspect',
             'blurred': 'blur'}
    for check in CHECKS:
        field = names.get(check.name, check.name)
        assert field is None or Limits(**{field: 0})
