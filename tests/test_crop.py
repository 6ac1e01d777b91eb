"""Squares around faces: where they lie, what is left out, what is told; with drawn faces."""

import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from conversion import crop, detectors
from conversion.crop import Options, square
from conversion.detectors import Found


def face(size):
    """A drawn face, seen from the front, that OpenCV's cascade for faces finds: gray, size x size.

    What the cascade looks for: eyes darker than cheeks and nose, the bridge of the nose between
    them brighter, brows, a mouth.
    """
    s = 4 * size
    image = Image.new('L', (s, s), 90)
    draw = ImageDraw.Draw(image)
    draw.ellipse([.15 * s, .05 * s, .85 * s, .98 * s], fill=200)
    for x in (.34, .66):
        draw.ellipse([(x - .10) * s, .36 * s, (x + .10) * s, .46 * s], fill=60)
        draw.rectangle([(x - .12) * s, .28 * s, (x + .12) * s, .32 * s], fill=70)
        draw.ellipse([(x - .11) * s, .56 * s, (x + .11) * s, .72 * s], fill=225)
    draw.polygon([(.5 * s, .38 * s), (.57 * s, .64 * s), (.43 * s, .64 * s)], fill=225)
    draw.rectangle([.45 * s, .63 * s, .55 * s, .66 * s], fill=110)
    draw.ellipse([.35 * s, .76 * s, .65 * s, .84 * s], fill=80)
    return image.filter(ImageFilter.GaussianBlur(s * .015)).resize((size, size))


def scene(path, faces, size=(640, 480), mode='RGB', **options):
    """A picture with faces: [(left, top, side), ...]."""
    image = Image.new('L', size, 128)
    for left, top, side in faces:
        image.paste(face(side), (left, top))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert(mode).save(path, **options)


def table(path):
    with open(path, encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def pixels(path):
    return np.asarray(Image.open(path))


@pytest.mark.parametrize('box, size, outside, expected', [
    ((100, 100, 40, 60), (640, 480), 'inside', (60, 70, 120)),
    ((0, 0, 40, 60), (640, 480), 'inside', (0, 0, 120)),      # moved
    ((600, 440, 40, 40), (640, 480), 'inside', (560, 400, 80)),
    ((100, 0, 400, 400), (640, 480), 'inside', (60, 0, 480)),  # as large as fits
    ((0, 0, 40, 60), (640, 480), 'pad', (-40, -30, 120))])
def test_squares_have_the_margin_and_lie_where_they_may(box, size, outside, expected):
    assert square(Found(*box, 1), 0.5, size, outside) == expected


def test_drawn_faces_are_found_and_cut_out(tmp_path, capsys):
    pytest.importorskip('cv2')
    scene(tmp_path / 'in/a/one.png', [(300, 100, 128)])
    scene(tmp_path / 'in/two.jpg', [(40, 60, 120), (360, 160, 220)], mode='L', quality=95)
    scene(tmp_path / 'in/none.png', [])
    scene(tmp_path / 'in/small.png', [(300, 100, 64)])
    (tmp_path / 'in/broken.png').write_bytes(b'no image')
    crop.crop(tmp_path / 'in', tmp_path / 'out', Options(per_image='all'))
    assert sorted(str(path.relative_to(tmp_path / 'out')) for path in
                  (tmp_path / 'out').rglob('*.*')) == ['a/one.png', 'two-2.png', 'two.png']
    assert sorted(path.name for path in (tmp_path / 'out-report').iterdir()) == [
        'crop.csv', 'doubtful.png', 'without.png']
    rows = table(tmp_path / 'out-report/crop.csv')
    assert [(row['source'], row['file'], row['found'], row['note']) for row in rows] == [
        ('a/one.png', 'a/one.png', '1', ''), ('broken.png', '', '0', rows[1]['note']),
        ('none.png', '', '0', 'nothing found'), ('small.png', '', '0', 'nothing found'),
        ('two.jpg', 'two.png', '2', ''), ('two.jpg', 'two-2.png', '2', '')]
    assert 'not an image' in rows[1]['note']
    row = rows[0]
    left, top, side = (int(row[name]) for name in ('left', 'top', 'side'))
    assert abs(left + side / 2 - 364) < 15 and abs(top + side / 2 - 164) < 15   # its middle
    assert 1.6 * 110 < side < 1.6 * 145
    np.testing.assert_array_equal(pixels(tmp_path / 'out/a/one.png'), pixels(
        tmp_path / 'in/a/one.png')[top:top + side, left:left + side])
    assert Image.open(tmp_path / 'out/two.png').mode == 'L'
    printed = capsys.readouterr().out
    assert 'none in 3 images (60%), one in 1 images (20%), several in 1 images (20%)' in printed
    assert '2 nothing found' in printed and '3 squares' in printed


def test_the_largest_face_is_taken_unless_told_otherwise(tmp_path):
    pytest.importorskip('cv2')
    scene(tmp_path / 'in/two.png', [(40, 60, 120), (360, 160, 220)])
    crop.crop(tmp_path / 'in', tmp_path / 'out')
    [row] = table(tmp_path / 'out-report/crop.csv')
    assert (row['file'], row['found']) == ('two.png', '2') and int(row['left']) > 240


BOXES = {
    'boxes.csv': 'path,x,y,w,h,score\na.png,10,20,30,40,0.5\na.png,100,100,50,50,0.9\nb.png,,,,,\n',
    'boxes.json': json.dumps([
        {'path': 'a.png', 'left': 10, 'top': 20, 'width': 30, 'height': 40, 'score': 0.5},
        {'path': 'a.png', 'left': 100, 'top': 100, 'width': 50, 'height': 50, 'score': 0.9},
        {'path': 'b.png'}])}


@pytest.mark.parametrize('name', BOXES)
def test_boxes_of_a_table_are_cut_out_without_opencv(tmp_path, monkeypatch, name):
    monkeypatch.setattr(detectors.importlib.util, 'find_spec', lambda _: None)
    (tmp_path / name).write_text(BOXES[name])
    random = np.random.default_rng(0)
    (tmp_path / 'in').mkdir()
    image = random.integers(256, size=[160, 200, 3], dtype=np.uint8)
    for file in ('a.png', 'b.png'):
        Image.fromarray(image).save(tmp_path / 'in' / file)
    crop.crop(tmp_path / 'in', tmp_path / 'out', Options(
        str(tmp_path / name), margin=0, min_side=32, per_image='all'))
    np.testing.assert_array_equal(pixels(tmp_path / 'out/a.png'), image[100:150, 100:150])
    np.testing.assert_array_equal(pixels(tmp_path / 'out/a-2.png'), image[20:60, 5:45])
    assert [row['note'] for row in table(tmp_path / 'out-report/crop.csv')] == [
        '', '', 'nothing found']


def test_boxes_hold_for_the_upright_image_and_padding_has_the_background(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6    # turn by 90 degrees, clockwise
    image = Image.new('RGB', (60, 40))
    image.putpixel((0, 39), (255, 0, 0))     # upright: at the top left
    (tmp_path / 'in').mkdir()
    image.save(tmp_path / 'in/a.png', exif=exif)
    (tmp_path / 'boxes.csv').write_text('path,left,top,width,height\na.png,0,0,40,40\n')
    crop.crop(tmp_path / 'in', tmp_path / 'out', Options(
        str(tmp_path / 'boxes.csv'), margin=0.25, min_side=1, outside='pad', background='#00ff00'))
    result = pixels(tmp_path / 'out/a.png')
    assert result.shape == (60, 60, 3)
    assert result[10, 10].tolist() == [255, 0, 0] and result[9, 9].tolist() == [0, 255, 0]


def test_images_that_differ_in_their_extension_alone_keep_it(tmp_path):
    for name in ('a.png', 'a.jpg', 'b.png'):
        scene(tmp_path / 'in' / name, [])
    (tmp_path / 'boxes.csv').write_text('path,left,top,width,height\n' + ''.join(
        f'{name},0,0,200,200\n' for name in ('a', 'b')))
    crop.crop(tmp_path / 'in', tmp_path / 'out', Options(str(tmp_path / 'boxes.csv')))
    assert sorted(path.name for path in (tmp_path / 'out').glob('?.*')) == [
        'a.jpg.png', 'a.png.png', 'b.png']


@pytest.mark.parametrize('options, message', [
    ({'detector': 'faces'}, '--detector=faces: must be face, catface, the file'),
    ({'detector': 'IN/wrong.xml'}, 'wrong.xml: is no cascade that OpenCV can read'),
    ({'detector': 'IN/bad.csv'}, 'bad.csv: must have the columns left, top'),
    ({'detector': 'IN/flat.csv'}, 'the box of a.png has no extent'),
    ({'detector': 'IN/small.csv'}, 'no square came of its 1 images .1 smaller than --min_side.'),
    ({'margin': -1.0}, '--margin=-1: must be within 0..10'),
    ({'background': 'blau'}, '--background must be a colour')])
def test_bad_input_is_one_line_and_nothing_is_written(tmp_path, options, message):
    pytest.importorskip('cv2')
    scene(tmp_path / 'in/a.png', [(300, 100, 128)])
    (tmp_path / 'wrong.xml').write_text('<a/>')
    (tmp_path / 'bad.csv').write_text('path,left\na.png,3\n')
    (tmp_path / 'flat.csv').write_text('path,x,y,w,h\na.png,3,3,0,9\n')
    (tmp_path / 'small.csv').write_text('path,x,y,w,h\na.png,3,3,9,9\n')
    options = {name: value.replace('IN', str(tmp_path)) if isinstance(value, str) else value
               for name, value in options.items()}
    with pytest.raises(ValueError, match=message) as caught:
        crop.crop(tmp_path / 'in', tmp_path / 'out', Options(**options))
    assert '\n' not in str(caught.value)
    assert not [path for path in tmp_path.iterdir() if 'out' in path.name]


def test_a_directory_that_holds_something_is_not_touched(tmp_path):
    scene(tmp_path / 'in/a.png', [(300, 100, 128)])
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/mine').write_text('x')
    with pytest.raises(ValueError, match='out: is there already; remove it or choose another'):
        crop.crop(tmp_path / 'in', tmp_path / 'out')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['mine']


def test_without_opencv_the_error_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(detectors.importlib.util, 'find_spec', lambda _: None)
    with pytest.raises(ValueError, match='needs OpenCV; install it with .*requirements-crop.txt'):
        detectors.choose('face', 80)
