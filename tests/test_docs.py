"""The documentation: the Python runs, links lead somewhere, README is short."""

import json
import pathlib
import re
import shutil
import urllib.parse

import pytest
from small_data import write_dataset

from training import snapshot
from training.config import DiscriminatorConfig, GeneratorConfig
from training.state import TrainingState

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [*(ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')),
         *sorted((ROOT / 'docs').glob('*.md')), ROOT / 'benchmarks' / 'README.md']
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def sections_of(text):
    """{heading of level 2: [(line, code) of its Python blocks]}, in order."""
    found = {}
    for block in FENCE.finditer(text):
        if block[1] == 'python':
            heading = re.findall(r'^## (.+)$', text[:block.start()], re.MULTILINE)[-1]
            line = text.count('\n', 0, block.start(2))
            found.setdefault(heading, []).append((line, block[2]))
    return found


def anchors_of(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.+)$', FENCE.sub('', page.read_text()), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def broken_links(page):
    """The links and images of a page whose file, or whose heading in it, is not there."""
    links = re.findall(r'\]\(([^)\s]+)\)', FENCE.sub('', page.read_text()))
    broken = []
    for link in links:
        target, _, anchor = urllib.parse.unquote(link).partition('#')
        if re.match(r'[a-z]+:', link):
            continue
        path = page.parent / target if target else page
        if not path.exists() or anchor and anchor not in anchors_of(path):
            broken.append(link)
    return broken


PYTHON = sections_of((ROOT / 'docs' / 'python.md').read_text())


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Small files under the names that docs/python.md uses."""
    folder = tmp_path_factory.mktemp('docs')
    write_dataset(folder / 'datasets' / 'faces', resolution=32, channels=3, label_size=2)
    shape = {'resolution': 32, 'num_channels': 3, 'fmap_base': 64, 'fmap_max': 8}
    state = TrainingState(GeneratorConfig(latent_size=8, dlatent_size=8, mapping_fmaps=8, **shape),
                          DiscriminatorConfig(**shape))
    snapshot.save(folder / 'network.safetensors', state.G, state.D, state.Gs, kimg=12.0)
    shutil.copy(ROOT / 'tests' / 'parity' / 'digits' / 'network-final.pkl', folder / 'network.pkl')
    run = folder / 'results' / '00000-sgan-faces-1gpu'
    run.mkdir(parents=True)
    line = {'metric': 'swd16k', 'swd16k': 9.5, 'kimg': 12.0}
    (run / 'metric-swd16k.jsonl').write_text(json.dumps(line) + '\n')
    return folder


@pytest.mark.parametrize('section', PYTHON)
def test_the_python_of_each_section_runs(section, folder, monkeypatch):
    monkeypatch.chdir(folder)
    namespace = {}
    for line, code in PYTHON[section]:
        exec(compile('\n' * line + code, 'docs/python.md', 'exec'), namespace)


def test_no_other_page_has_python_that_nothing_runs():
    others = {page.name: sections_of(page.read_text()) for page in PAGES
              if page.name != 'python.md'}
    assert {name for name, sections in others.items() if sections} == set()


def test_no_section_of_the_python_page_is_longer_than_25_lines_of_code():
    lengths = {section: sum(len(code.splitlines()) for _, code in blocks)
               for section, blocks in PYTHON.items()}
    assert len(lengths) >= 7 and {s: n for s, n in lengths.items() if n > 25} == {}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_picture_is_there(page):
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / 'page.md').write_text('# A page\n[a](page.md#a-page) [b](none.md) ![c](page.md)\n'
                                      '[d](#nowhere) [e](https://example.org/none)\n')
    assert broken_links(tmp_path / 'page.md') == ['none.md', '#nowhere']


def test_every_picture_is_shown_somewhere():
    pages = ''.join(page.read_text() for page in PAGES)
    assert [path.name for path in (ROOT / 'docs' / 'images').iterdir()
            if f'images/{path.name})' not in pages] == []


def test_every_script_of_the_pages_commands_is_there():
    commands = [word for page in PAGES for block in FENCE.findall(page.read_text())
                for word in re.findall(r'\.venv/bin/python (\S+\.py)', block[1])]
    assert len(commands) > 40
    assert {name for name in commands if not (ROOT / name).exists()} == set()


def test_the_readme_has_at_most_150_lines():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 150
