"""Which images are converted: names, conditions over a table, so many of each class."""

import json

import numpy as np
import pytest
from test_dataset_tool_images import create, refused, save

from conversion import info, metadata, view
from conversion.choosing import Choice
from conversion.conditions import Condition
from pictures import image_sources
from training.config import DiscriminatorConfig

COLUMNS = {'width': float, 'label': str, 'good': bool}
CAT, DOG = {'width': 300.0, 'label': 'cat', 'good': True}, {'width': 200.0, 'label': 'dog'}


@pytest.mark.parametrize('text, cat, dog', [
    ('width >= 256 and label in ("cat", "dog")', True, False),
    ('width < 256', False, True),
    ('not width < 256 or label == "dog"', True, True),
    ('100 < width <= 200', False, True),
    ('label in ["bird"]', False, False),
    ('"o" in label', False, True),
    ('label not in ("cat",)', False, True),
    ('good', True, False),                    # a missing value is not true
    ('good == False', False, False),          # nor equal to anything
    ('width > -1 and (good or label != "cat")', True, True)])
def test_conditions_mean_what_they_say(text, cat, dog):
    condition = Condition(text, COLUMNS)
    assert (condition.holds(CAT), condition.holds(DOG)) == (cat, dog)


@pytest.mark.parametrize('text, message', [
    ('width >', 'is no condition'),
    ('', 'is no condition'),
    ('widht > 3', 'there is no column widht, but width'),
    ('label', 'label is neither true nor false'),
    ('width > "3"', 'compares a float with something else'),
    ('label in ("cat", 3)', 'compares a str with something else'),
    ('label == ("cat", "dog")', 'compares with a list; write in'),
    ('width in 3', 'looks in what is neither list nor string'),
    ('width is 3', 'a comparison that is not known'),
    ('__import__("os").getcwd() == "a"', 'is not known here'),
    ('label.upper() == "CAT"', 'is not known here'),
    ('[x for x in label]', 'is neither true nor false'),
    ('label in [x for x in label]', 'is not known here'),
    ('width + 1 > 3', 'is not known here'),
    ('(' * 5000 + 'good' + ')' * 5000, 'is no condition')])
def test_what_is_no_condition_is_refused_with_the_grammar(text, message):
    with pytest.raises(ValueError, match='--filter=') as caught:
        Condition(text, COLUMNS)
    assert message in str(caught.value) and 'width >= 256 and label in' in str(caught.value)
    assert '\n' not in str(caught.value)


TABLES = {
    'a.csv': 'path,width,image tags,good\na/1.png,300,"x,y",yes\n2,,,\n,7,,\n',
    'list.json': '[{"width": 300, "path": "a/1.png", "image tags": ["x", "y"], "good": "yes"}, '
                 '{"path": "2", "width": null}]',
    'dict.json': '{"a/1.png": {"width": 300, "image tags": "x,y", "good": "yes"}, "2": {}}',
    'lines.json': '{"path": "a/1.png", "width": 300, "image tags": "x,y", "good": "yes"}\n'
                  '{"path": "2"}\n'}


@pytest.mark.parametrize('name', TABLES)
def test_tables_are_read_alike_from_csv_and_json(tmp_path, name):
    (tmp_path / name).write_text(TABLES[name])
    table = metadata.read(str(tmp_path / name))
    assert table.columns == {'path': str, 'width': float, 'image_tags': str, 'good': str}
    assert table.of('a/1.png') == {'path': 'a/1.png', 'width': 300, 'image_tags': 'x,y',
                                   'good': 'yes'}
    assert table.of('b/2.jpg') == {'path': '2', 'width': None, 'image_tags': None, 'good': None}
    assert table.of('b/1.png') is None


@pytest.mark.parametrize('text, message', [
    ('', 'it has no rows'), ('path,a\nx.png,1,2\n', 'row 2 has another number of columns'),
    ('[1, 2]', 'got something else'), ('{"a": 3}', 'got something else'),
    ('path,a\nx.png,1\nx.png,2\n', 'two rows for x.png that differ')])
def test_a_table_that_is_none_is_refused(tmp_path, text, message):
    (tmp_path / 'table').write_text(text)
    with pytest.raises(ValueError, match='--metadata=.*table: ') as caught:
        metadata.read(str(tmp_path / 'table'))
    assert message in str(caught.value) and '\n' not in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """Six images: cat/0.png to cat/3.png, dog/4.png, dog/5.png, gray level 10 times the number."""
    for number in range(6):
        save(tmp_path / 'in' / ('cat' if number < 4 else 'dog') / f'{number}.png',
             color=10 * number, mode='L')
    return tmp_path / 'in'


def levels(pixels):
    return sorted((pixels[:, 0, 0, 0] // 10).tolist())


def test_included_images_alone_are_taken(folder, tmp_path, capsys):
    (tmp_path / 'good.txt').write_text('cat/1.png\ndog/4.png\n')
    choice = Choice(include=str(tmp_path / 'good.txt'))
    assert levels(create(folder, tmp_path / 'out', choice=choice)) == [1, 4]
    assert '4 images not named by --include' in capsys.readouterr().out
    (tmp_path / 'all.txt').write_text('cat/1.png\n')
    both = Choice(include=str(tmp_path / 'all.txt'), exclude=str(tmp_path / 'all.txt'))
    assert 'all.txt' in refused(folder, tmp_path / 'none', choice=both)


def test_a_condition_takes_the_images_of_which_it_holds(folder, tmp_path, capsys):
    (tmp_path / 'table.csv').write_text('file,width,quality\n' + ''.join(
        f'{number}.png,{100 * number},{"good" if number % 2 else "bad"}\n' for number in range(5)))
    choice = Choice(metadata=str(tmp_path / 'table.csv'),
                    condition='width >= 100 and quality == "good" and not "dog/" in path')
    assert levels(create(folder, tmp_path / 'out', choice=choice)) == [1, 3]
    printed = capsys.readouterr().out
    assert '1 images have no row' in printed and '4 images that --filter leaves out' in printed


@pytest.mark.parametrize('condition, table, message', [
    ('width > 9999', 'file,width\n1.png,3\n', 'leaves none of the 6 images'),
    ('width > 1', 'file,width\nx.png,3\n', 'has no row for any image'),
    ('width > 1', None, 'needs --metadata'), (None, 'file,width\n1.png,3\n', 'without --filter')])
def test_a_condition_that_takes_nothing_is_refused(folder, tmp_path, condition, table, message):
    if table:
        (tmp_path / 'table.csv').write_text(table)
    with pytest.raises(ValueError, match=message):
        create(folder, tmp_path / 'out', choice=Choice(
            metadata=str(tmp_path / 'table.csv') if table else None, condition=condition))


def test_classes_are_cut_to_the_images_that_would_be_written_first(folder, tmp_path, capsys):
    create(folder, tmp_path / 'all', labels='folders')
    assert 'Balance  from dog 2 to cat 4' in capsys.readouterr().out
    order = json.loads((tmp_path / 'all/all-rxx.sources.json').read_text())
    pixels = create(folder, tmp_path / 'out', labels='folders', choice=Choice(max_per_class=2))
    cats = [name for name in order if name.startswith('cat')]
    assert levels(pixels) == sorted([4, 5, *(int(name[4]) for name in cats[:2])])
    assert 'Balance' not in capsys.readouterr().out
    assert 'needs classes' in refused(folder, tmp_path / 'none', choice=Choice(max_per_class=2))


def test_names_of_files_come_back_in_what_reads_a_dataset(folder, tmp_path, capsys):
    create(folder, tmp_path / 'out', labels='folders')
    order = json.loads((tmp_path / 'out/out-rxx.sources.json').read_text())
    source = image_sources.open_source(str(tmp_path / 'out'), DiscriminatorConfig(16, 1), 0)
    assert list(source.names) == order
    view.extract(tmp_path / 'out', tmp_path / 'png')
    assert sorted(path.name for path in (tmp_path / 'png').glob('*.png')) == [
        f'img{index:08d}-{name[:-4].replace("/", "_")}.png' for index, name in enumerate(order)]
    (tmp_path / 'out/out-rxx.sources.json').rename(tmp_path / 'names')   # an older dataset
    source = image_sources.open_source(str(tmp_path / 'out'), DiscriminatorConfig(16, 1), 0)
    assert source.names[0] == 'img00000000.png' and np.shape(source.read(0)) == (16, 16, 1)
    (tmp_path / 'names').rename(tmp_path / 'out/out-rxx.sources.json')
    path = tmp_path / 'out/out-r04.tfrecords'
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    assert info.info(tmp_path / 'out', verify=True) == 1
    assert f'(made of {order[-1]})' in capsys.readouterr().out
