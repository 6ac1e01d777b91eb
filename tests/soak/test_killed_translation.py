"""A translation run that is killed again and again: in the end it is the run that was not."""

import pathlib
import signal
import subprocess
import sys

import pytest
from safetensors.numpy import load_file
from small_data import stats_of
from small_translation import write_images
from test_training import run_until_tick

from runs.checkpoints import newest_nimg
from runs.directory import FINAL

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOTAL_KIMG, TICK_KIMG, KILLS = 0.64, 0.032, 3   # 20 ticks of 8 iterations
OPTIONS = ['--preset=small', '--img_size=16', '--w_hpf=1', '--latent_dim=4', '--hidden_dim=8',
           '--style_dim=4', '--conv_dim_base=64', '--max_conv_dim=8', '--batch=4',
           f'--total_kimg={TOTAL_KIMG}', f'--tick_kimg={TICK_KIMG}', '--checkpoint_ticks=2',
           '--image_snapshot_ticks=8', '--network_snapshot_ticks=8', '--sheet_images=2',
           '--holdout=0.25', '--metrics=swd_latent']
RUN = '00000-stargan2-animals-1gpu'


def command(data, outdir):
    return [sys.executable, str(ROOT / 'train_translation.py'), f'--data={data}',
            f'--outdir={outdir}', *OPTIONS]


def finished(command_line):
    """What a training printed, to its end."""
    result = subprocess.run(command_line, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_a_killed_translation_run_goes_on_bit_for_bit(tmp_path):
    data = write_images(tmp_path / 'animals', {'cat': 12, 'dog': 8})
    finished(command(data, tmp_path / 'whole'))
    killed, run_dir = command(data, tmp_path / 'killed'), tmp_path / 'killed' / RUN
    for number in range(KILLS):
        tick = 5 + 5 * number   # the newest whole checkpoint is of one before
        code, _ = run_until_tick(killed, run_dir, tick, signal.SIGKILL)
        assert code == -signal.SIGKILL and not (run_dir / FINAL).exists()
        assert newest_nimg(run_dir / 'checkpoints') < 1000 * TOTAL_KIMG
    assert 'Resuming at kimg' in finished(killed)
    assert sorted(tmp_path.glob('killed/*')) == [run_dir]
    assert stats_of(run_dir) == stats_of(tmp_path / 'whole' / RUN)
    expected = load_file(tmp_path / 'whole' / RUN / FINAL)
    networks = load_file(run_dir / FINAL)
    assert networks.keys() == expected.keys() and any(name.startswith('D/') for name in networks)
    for name, array in networks.items():
        assert array.tobytes() == expected[name].tobytes(), name
