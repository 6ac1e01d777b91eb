"""How scripts start: quietly, and without hiding what is wrong."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# TensorFlow's greetings, then its last words on a processor that it was not made for.
CRASHING_TENSORFLOW = r'''
import os
os.write(2, b'WARNING: All log messages before absl::InitializeLog() is called are written to ...\n'
            b'I0000 00:00:1790000000.123456    4711 port.cc:153] oneDNN custom operations are on.\n'
            b'W0000 00:00:1790000000.123456    4711 gpu_device.cc:2447] No kernels for this GPU.\n'
            b'F0000 00:00:1790000000.123456    4711 cpu_feature_guard.cc:11] AVX is not here.\n')
os.abort()
'''
MISSING = [
    ('train.py', '--data={}'), ('generate.py', '--network={}'),
    ('generate_figures.py', '--network={}'), ('generate_video.py', '--network={}'),
    ('pretrained_example.py', '--network={}'), ('rank_images.py', '--network={}', '--data={}'),
    ('run_metrics.py', '--network={}', '--reals={}', '--metrics=swd16k'),
    ('convert_network.py', '{}', 'out.safetensors'), ('dataset_tool.py', 'info', '{}'),
    ('train_translation.py', '--data={}'),
    ('translate.py', '--network={}', '--source={}', '--seeds=0')]


def python(statements, **more):
    return subprocess.run([sys.executable, '-c', statements], capture_output=True, text=True,
                          cwd=ROOT, **more)


def test_tensorflow_is_loaded_without_a_word():
    result = python('import sys\nfrom cli import startup\nstartup.load_tensorflow()\n'
                    'print(sys.modules["tensorflow"].constant(7).numpy(), file=sys.stderr)')
    assert (result.stderr, result.returncode) == ('7\n', 0)


def test_what_keras_would_load_for_itself_is_not_loaded_and_can_be_imported_later():
    result = python('import sys\nfrom cli import startup\nstartup.load_tensorflow()\n'
                    'import tensorflow as tf\ntf.keras.layers.Layer\n'
                    'print({"sklearn", "matplotlib"} & set(sys.modules))\n'
                    'import matplotlib.pyplot, sklearn.svm')
    assert (result.stdout, result.returncode) == ('set()\n', 0), result.stderr


def test_the_last_words_of_an_import_that_crashes_are_shown(tmp_path):
    (tmp_path / 'tensorflow.py').write_text(CRASHING_TENSORFLOW)
    result = python(f'import sys\nsys.path.insert(0, {str(tmp_path)!r})\n'
                    'from cli import startup\nstartup.load_tensorflow()')
    assert result.returncode < 0
    assert [line[:5] for line in result.stderr.splitlines()] == ['W0000', 'F0000'], result.stderr


def test_an_import_that_fails_shows_why_and_leaves_stderr_as_it_was(tmp_path):
    (tmp_path / 'tensorflow.py').write_text('raise ImportError("no such thing")')
    result = python(f'import sys\nsys.path.insert(0, {str(tmp_path)!r})\n'
                    'from cli import startup\nstartup.load_tensorflow()')
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == 'ImportError: no such thing'


@pytest.mark.parametrize('flag, shown', [('', ['W']), ('--verbosity=0', ['I', 'W'])])
def test_absl_tells_of_warnings_and_of_more_where_it_is_asked_to(flag, shown):
    result = python('import sys\nfrom absl import logging\nfrom cli import startup\n'
                    f'sys.argv = ["x.py", *{flag.split()}]\n'
                    'startup.run(lambda args: logging.info("a") or logging.warning("b"))')
    assert [line[0] for line in result.stderr.splitlines()] == shown


def test_no_script_shows_anything_but_its_own_line_where_a_file_is_missing(tmp_path):
    missing = str(tmp_path / 'missing')
    processes = [subprocess.Popen([sys.executable, ROOT / script,
                                   *(argument.format(missing) for argument in arguments)],
                                  stderr=subprocess.PIPE, text=True, cwd=tmp_path)
                 for script, *arguments in MISSING]
    for process, (script, *_) in zip(processes, MISSING):
        _, errors = process.communicate()
        assert process.returncode == 1
        assert len(errors.splitlines()) == 1 and script in errors and missing in errors, errors
