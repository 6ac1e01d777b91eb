"""Imports run one way: from the scripts down to formats, never back up (docs/architecture.md)."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS = {path.stem for path in ROOT.glob('*.py')}

# What of ours each package may import. Whatever it may not is an error, a script above all.
MAY_USE = {
    'formats': set(),
    'runs': {'formats'},
    'training': {'formats', 'runs'},
    'conversion': {'formats', 'runs', 'training'},
    'metrics': {'formats', 'runs', 'training', 'conversion'},
    'pictures': {'formats', 'runs', 'training', 'conversion', 'metrics'},
    'editing': {'formats', 'runs', 'training', 'conversion', 'metrics', 'pictures'},
    # Sheets and films of translations are laid out by the pieces of pictures.
    'translation': {'formats', 'runs', 'training', 'conversion', 'metrics', 'pictures'},
    'export': {'formats', 'runs', 'training'},
    'explorer': {'formats', 'runs', 'training', 'conversion', 'metrics', 'pictures', 'editing'},
    'cli': {'formats', 'runs', 'training', 'conversion', 'metrics', 'pictures', 'editing',
            'translation', 'explorer', 'export'},
}
OURS = set(MAY_USE)
ANYTHING = {'benchmarks', 'tests'}   # these may import whatever they measure or test
# All that conversion may use of training: what describes a data set.
OF_TRAINING_FOR_CONVERSION = {'dataset'}
OF_ONNX = {'onnx', 'tf2onnx'}                           # installed for one format only
OF_THE_PAGE = {'gradio', 'gradio_client', 'fastapi'}   # installed for explore.py only
FILES = sorted(path.relative_to(ROOT)
               for pattern in ['*.py', *(f'{room}/**/*.py' for room in [*MAY_USE, *ANYTHING])]
               for path in ROOT.glob(pattern))

# All that each of these files of training may import from training. A file that is not named here
# may import anything but the loop.
MAY_IMPORT = {
    'config': {'pipes'},
    'pipes': set(),
    'build': {'config', 'networks', 'networks_progan'},
    'config_json': {'build', 'config', 'pipes'},
    'plan': {'build', 'config', 'config_json', 'layers', 'schedule', 'summary', 'surgery'},
    'presets': {'build', 'config', 'pipes', 'schedule'},
    'memorising': {'augment', 'config', 'dataset', 'seeds'},
    'rollback': {'layers'},
    'run_state': {'layers', 'replicas'},
    'run': {'cluster', 'config', 'layers', 'memory', 'precision', 'rollback'},
    'schedule': {'config'},
    'arithmetic': {'config'},
    'remaining': {'arithmetic', 'schedule'},
    'compat': set(),
    'layers': {'compat', 'precision', 'prepared', 'scoped'},
    'prepared': {'scoped'},
    'scoped': set(),
    'precision': {'config'},
    'losses': {'config', 'layers'},
    'adam': {'replicas'},
    'networks': {'config', 'layers', 'replicas', 'seeds'},
    'replicas': set(),
    'cluster': {'replicas'},
    'networks_progan': {'config', 'layers', 'networks'},
    'field_types': {'config'},
    'reference': {'build', 'field_types', 'layers'},
    'snapshot': {'build', 'config_json', 'layers', 'reference'},
    'state': {'adam', 'augment', 'build', 'config', 'layers', 'replicas', 'run_state'},
    'steps': {'augment', 'config', 'layers', 'losses', 'networks', 'prepared', 'replicas', 'seeds',
              'state'},
    'surgery': {'build', 'layers', 'reference'},
    'devices': set(),
    'sampler': {'devices', 'layers', 'networks'},
}


def imported_names(path, source):
    """Dotted names of everything that a file imports, relative imports resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parts[:len(path.parts) - node.level] if node.level else ()
            module = '.'.join([*package, *filter(None, [node.module])])
            yield module
            yield from (f'{module}.{alias.name}' for alias in node.names)


def violations(path, source):
    """One line for each import of `source`, the text of the file `path`, that breaks a rule."""
    room, name = path.parts[0], path.stem
    found = []
    for imported in imported_names(path, source):
        top, _, rest = imported.partition('.')
        module = rest.partition('.')[0]
        if top in SCRIPTS:
            found.append(f'{path} imports the script {top}.py')
        if room in MAY_USE and top in OURS - MAY_USE[room] - {room}:
            found.append(f'{path}: {room} imports {top}')
        if room == 'formats' and top in ('tensorflow', 'keras'):
            found.append(f'{path}: formats imports {top}')
        if room == 'conversion' and top == 'training' and module not in (
                {''} | OF_TRAINING_FOR_CONVERSION):
            found.append(f'{path}: conversion imports training/{module}.py')
        if top == 'tensorflow_addons' and path.as_posix() != 'tests/test_layers.py':
            found.append(f'{path}: tensorflow_addons is for tests/test_layers.py alone')
        if top in OF_THE_PAGE and path.as_posix() != 'explorer/page.py' and room not in ANYTHING:
            found.append(f'{path}: {top} is for explorer/page.py alone')
        if top in OF_ONNX and path.as_posix() != 'export/onnx_file.py' and room not in ANYTHING:
            found.append(f'{path}: {top} is for export/onnx_file.py alone')
        if imported.startswith('absl.flags') and len(path.parts) > 1 and room not in (
                'tests', 'cli'):
            found.append(f'{path}: only scripts, and what they share, read flags')
        if room == 'training' and top == 'training' and module:
            if module not in MAY_IMPORT.get(name, {module} - {'loop'}):
                found.append(f'{path}: training/{name}.py imports training/{module}.py')
    return sorted(set(found))


@pytest.mark.parametrize('path', FILES, ids=str)
def test_imports_run_one_way(path):
    assert violations(path, (ROOT / path).read_text(encoding='utf-8')) == []


@pytest.mark.parametrize('path, source', [
    ('training/schedule.py', 'from training.networks import Generator'),
    ('training/schedule.py', 'from training import networks'),
    ('training/schedule.py', 'from . import networks'),
    ('training/schedule.py', 'from .networks import Generator'),
    ('training/schedule.py', 'def f():\n    import training.networks as n'),
    ('training/layers.py', 'from training import networks'),
    ('training/grid.py', 'from training import loop'),
    ('training/sampler.py', 'from training.state import TrainingState'),
    ('training/loop.py', 'from metrics import registry'),
    ('training/dataset.py', 'import conversion.writing'),
    ('training/networks.py', 'import tensorflow_addons as tfa'),
    ('training/loop.py', 'from absl import flags'),
    ('metrics/registry.py', 'from absl.flags import FLAGS'),
    ('tests/test_dataset_tool.py', 'import dataset_tool'),
    ('explorer/seeds.py', 'import gradio as gr'),
    ('export/forms.py', 'import onnx'),
    ('training/sampler.py', 'from export import signatures'),
    ('editing/moves.py', 'from explorer import moving'),
    ('pretrained_example.py', 'from dataset_tool import main'),
])
def test_a_wrong_import_is_found(path, source):
    assert len(violations(pathlib.Path(path), source)) == 1


@pytest.mark.parametrize('path, source', [
    ('training/schedule.py', 'import math\nfrom training.config import ScheduleConfig'),
    ('tests/test_layers.py', 'import tensorflow_addons as tfa'),
    ('training/loop.py', 'from training import dataset, steps, state'),
    ('cli/startup.py', 'from absl import app'),
    ('dataset_tool.py', 'from absl import flags\nfrom conversion import from_images'),
])
def test_a_right_import_is_let_through(path, source):
    assert violations(pathlib.Path(path), source) == []


def loaded_by(statements):
    """The names of all modules that a fresh interpreter has loaded after `statements`."""
    code = f'{statements}\nimport sys\nprint("LOADED", *sys.modules)'
    result = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split('LOADED ')[1].split())


def test_reading_a_network_file_and_drawing_load_no_optimizer():
    pictures = [f'pictures.{path.stem}' for path in ROOT.glob('pictures/*.py')]
    loaded = loaded_by(f'import training.snapshot, {", ".join(pictures)}')
    assert {'training.snapshot', 'tensorflow', *pictures} <= loaded
    assert not {'training.adam', 'training.state', 'training.steps', 'training.loop'} & loaded


@pytest.mark.parametrize('flag', ['--list_presets', '--help'])
def test_flags_and_presets_of_train_load_no_tensorflow(flag):
    loaded = loaded_by(f'import contextlib, sys, train\nsys.argv = ["train.py", {flag!r}]\n'
                       'with contextlib.suppress(SystemExit):\n    train.startup.run(train.main)')
    assert 'training.presets' in loaded and 'tensorflow' not in loaded
