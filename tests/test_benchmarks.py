"""The benchmarks count arithmetic rightly, and run."""

import pathlib
import subprocess
import sys

import pytest

from training.config import DiscriminatorConfig, GeneratorConfig

BENCHMARKS = pathlib.Path(__file__).resolve().parents[1] / 'benchmarks'
sys.path.append(str(BENCHMARKS))

import arithmetic  # noqa: E402


@pytest.mark.parametrize('config', [GeneratorConfig(), DiscriminatorConfig()])
def test_a_pass_is_counted_layer_by_layer(config):
    at_4, at_8, at_64 = 16 * 9 * 512 * 512, 64 * 9 * 512 * 512, 4096 * 9 * 256
    assert arithmetic.pass_flops(config, 4) == 2 * at_4
    assert arithmetic.pass_flops(config, 8) == 2 * (at_4 + 2 * at_8)
    assert arithmetic.pass_flops(config, 8, fused=True) == pytest.approx(
        2 * (at_4 + at_8 * (1 + 16 / 36)))
    added = arithmetic.pass_flops(config, 64) - arithmetic.pass_flops(config, 32)
    assert added == 2 * at_64 * (512 + 256)


@pytest.mark.parametrize('resolution, gflops', [(8, 10.19), (32, 191.4), (64, 408.8)])
def test_an_iteration_is_fifteen_passes(resolution, gflops):
    assert arithmetic.iteration_flops(GeneratorConfig(), resolution) / 1e9 == pytest.approx(
        gflops, rel=0.002)


def test_two_precisions_take_turns_in_one_table():
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / 'benchmark_training.py'), '--preset=digits',
         '--resolution=8', '--minibatch=4', '--fmap_max=8', '--rounds=1', '--iterations=1',
         '--precision=float32,mixed_bfloat16'], capture_output=True, text=True, check=True)
    rows = [line.split('|')[1].strip() for line in result.stdout.splitlines()
            if line.startswith('| ')]
    assert rows == ['', '---', 'float32', 'mixed_bfloat16']
