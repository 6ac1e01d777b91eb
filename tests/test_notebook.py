"""docs/first-steps.ipynb: valid, true to the scripts, and (slow) runs, also where it was killed."""

import json
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'docs/first-steps.ipynb'
CONTENT = json.loads(NOTEBOOK.read_text(encoding='utf-8'))
CODE = [''.join(cell['source']) for cell in CONTENT['cells'] if cell['cell_type'] == 'code']


def test_it_is_a_notebook_without_outputs():
    assert CONTENT['nbformat'] == 4
    for cell in CONTENT['cells']:
        assert cell['cell_type'] == 'markdown' or not cell['outputs']
    for source in CODE:
        compile(source, NOTEBOOK.name, 'exec')


def test_its_scripts_and_pages_are_there():
    text = ' '.join(''.join(cell['source']) for cell in CONTENT['cells'])
    named = set(re.findall(r"'([\w/]+\.(?:py|sh|txt))'", text)) | set(
        re.findall(r'`(docs/[\w-]+\.md)`', text))
    assert {'train.py', 'dataset_tool.py', 'docs/training.md', 'scripts/setup_venv.sh'} <= named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_its_flags_are_those_of_the_scripts():
    flags = set(re.findall(r"'(--\w+)", ' '.join(CODE)) + re.findall(r"f'(--\w+)=", ' '.join(CODE)))
    known = (ROOT / 'docs/options.md').read_text(encoding='utf-8')
    foreign = {'--quiet', '--depth'}   # pip's and git's
    assert '--total_kimg' in flags
    assert not [flag for flag in flags - foreign if f'`{flag}`' not in known]


@pytest.mark.slow
def test_it_runs_from_pictures_to_pictures_and_goes_on_after_it_was_killed(tmp_path):
    nbclient, nbformat = pytest.importorskip('nbclient'), pytest.importorskip('nbformat')
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    [parameters] = [cell for cell in notebook.cells
                    if 'parameters' in cell.metadata.get('tags', ())]
    parameters.source += (f'\nPYTHON = {sys.executable!r}\nDRIVE = {str(tmp_path / "drive")!r}\n'
                          'KIMG = 4\n')
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name='python3',
                                     resources={'metadata': {'path': str(NOTEBOOK.parent)}})
    client.execute()
    [run_dir] = (tmp_path / 'drive/results').iterdir()
    log = (run_dir / 'log.txt').read_text(encoding='utf-8')
    assert 'Resuming' in log or 'Resumed' in log
    assert (run_dir / 'network-final.safetensors').exists()
    assert (tmp_path / 'drive/pictures/sweep.png').stat().st_size > 1000
    shown = [output for cell in notebook.cells if cell.cell_type == 'code'
             for output in cell.outputs if 'image/png' in output.get('data', {})]
    assert len(shown) == 3
