"""docs/options.md is what scripts/options_page.py makes of the code, and complete."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from cli.options import all_options
from training.presets import PRESETS

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs/options.md').read_text(encoding='utf-8')


def check(*argv, **environment):
    """The finished process of the script with --check."""
    return subprocess.run([sys.executable, str(ROOT / 'scripts/options_page.py'), '--check', *argv],
                          capture_output=True, text=True, env={**os.environ, **environment})


@pytest.mark.parametrize('columns', ['20', '200'])
def test_the_page_is_what_the_code_says_whatever_the_terminal(columns):
    result = check(COLUMNS=columns)
    assert result.returncode == 0, result.stderr


def test_every_option_is_documented():
    undocumented = [name for name, option in all_options().items() if len(option.help) < 12]
    assert not undocumented, undocumented


@pytest.mark.parametrize('names', [
    pytest.param([f'| `--{option.name}` |' for option in all_options().values()], id='options'),
    pytest.param([f'| `{name}` |' for name in PRESETS], id='presets'),
    pytest.param([f'### {path.name}\n' for path in ROOT.glob('*.py')], id='scripts')])
def test_the_page_names_every_one(names):
    assert names and not [name for name in names if name not in PAGE]


def test_every_row_has_a_meaning():
    rows = re.findall(r'^\| `.*\|$', PAGE, re.MULTILINE)
    assert len(rows) > 200 and not [row for row in rows if row.endswith('|  |')]


def test_a_page_that_differs_is_refused_with_the_lines_that_do(tmp_path):
    other = tmp_path / 'options.md'
    other.write_text(PAGE.replace('length of training', 'height of training'))
    result = check(f'--output={other}')
    assert result.returncode == 1
    assert 'run make docs' in result.stderr and 'height of training' in result.stderr
