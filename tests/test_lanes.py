"""What one lane of TensorFlow writes the other reads: checkpoints, network files, data sets, runs.

Both environments are needed: `make test-lanes` has them, and so has any checkout with .venv and
.venv-2.15. Elsewhere these tests are skipped.
"""

import pathlib
import subprocess
import sys

import lane_files
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from small_data import SMALL, stats_of, write_dataset

ROOT = pathlib.Path(__file__).resolve().parents[1]
HELPER = lane_files.__file__
VERSION = 'import importlib.metadata as m; print(m.version("tensorflow"))'
DEADLINE_SECONDS = 600


def answer(*command):
    """What a command prints; it has to succeed."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope='module')
def other():
    """The other lane's Python."""
    for venv in ('.venv', '.venv-2.15', '.venv-2.21'):
        python = ROOT / venv / 'bin' / 'python'
        if python.exists() and answer(python, '-c', VERSION).strip() != tf.__version__:
            return str(python)
    return pytest.skip('the other lane is not installed: make test-lanes does that')


def assert_same(found, expected):
    assert sorted(found) == sorted(expected) and len(found) > 150
    for name in expected:
        if name == 'drawn':  # each lane has convolutions of its own
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_files_that_are_written_here_are_read_there(other, tmp_path):
    written = lane_files.write(tmp_path)
    answer(other, HELPER, 'read', tmp_path)
    assert_same(dict(np.load(tmp_path / 'read.npz')), written)


def test_files_that_are_written_there_are_read_here(other, tmp_path):
    answer(other, HELPER, 'write', tmp_path)
    assert_same(lane_files.read(tmp_path), dict(np.load(tmp_path / 'written.npz')))


def trained(python, data, outdir, kimg):
    """Trains until `kimg`, or goes on until then; returns what is printed."""
    return answer(python, ROOT / 'train.py', f'--data={data}', f'--outdir={outdir}', *SMALL,
                  '--lod_initial_resolution=4', '--mapping_layers=1', '--tick_kimg_base=0.064',
                  f'--total_kimg={kimg}', '--metrics=none', '--noprobe')


def weights_of(run_dir):
    """All final weights, one vector."""
    arrays = load_file(run_dir / 'network-final.safetensors')
    return np.concatenate([arrays[name].ravel() for name in sorted(arrays)])


def test_a_run_goes_on_in_the_other_lane_and_back_as_if_it_had_never_left(other, tmp_path):
    data = write_dataset(tmp_path / 'spots', resolution=4)
    crossing, whole = tmp_path / 'crossing', tmp_path / 'whole'
    trained(sys.executable, data, crossing, 0.128)
    for python, kimg in ((other, 0.256), (sys.executable, 0.384)):
        assert 'optimizers restored' in trained(python, data, crossing, kimg)
    trained(sys.executable, data, whole, 0.384)
    crossing, whole = (next(folder.iterdir()) for folder in (crossing, whole))
    assert [line['nimg'] for line in stats_of(crossing)] == [64, 128, 192, 256, 320, 384]
    for line, expected in zip(stats_of(crossing), stats_of(whole)):
        assert line == pytest.approx({**expected, 'percent': line['percent']}, rel=1e-3,
                                     abs=2e-3)
    found, expected = (weights_of(run_dir) for run_dir in (crossing, whole))
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
