"""How the cost of an iteration grows with resolution, minibatch and replicas, as one plot.

Measures benchmark_training.py for each, one at a time, and draws seconds and memory of an
iteration; beside the seconds those that the convolutions alone would take at the machine's best
rate, counted as training/arithmetic.py does.

    python benchmarks/cost_growth.py [--plot=FILE.png]
        [--fmap_base=N --fmap_max=N, or what else benchmark_training.py takes]
"""

from __future__ import annotations

import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import benchmark_training  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import NullFormatter  # noqa: E402

from training.arithmetic import iteration_flops  # noqa: E402

RESOLUTIONS = (8, 16, 32, 64)   # at MINIBATCH
MINIBATCHES = (2, 4, 8, 16)          # at RESOLUTION
REPLICAS = (1, 2, 4)                 # of MINIBATCHES[-1] images in all, at RESOLUTION
RESOLUTION, MINIBATCH = 16, 8


def case(others, resolution, minibatch, replicas=1):
    """{'seconds', 'memory_gb', 'flops', ...} of one iteration."""
    args = benchmark_training.arguments(
        ['--iterations=1', '--rounds=2', *others, f'--resolution={resolution}',
         f'--minibatch={minibatch}', f'--num_gpus={replicas}',
         *([f'--virtual_cpus={replicas}'] if replicas > 1 else [])])
    rows, peak = benchmark_training.measured(args)
    config = benchmark_training.config_of(args).G
    result = {'resolution': resolution, 'minibatch': minibatch, 'replicas': replicas,
              'flops': minibatch * iteration_flops(config, resolution), 'peak': peak,
              **next(iter(rows.values()))}
    print(json.dumps(result), flush=True)
    return result


def draw(panels, path):
    """One row of two panels, seconds and memory, for each {title: (key, results)}."""
    figure = Figure(figsize=(10, 3.4 * len(panels)), layout='constrained')
    axes = figure.subplots(len(panels), 2, squeeze=False)
    for (title, (key, results)), (left, right) in zip(panels.items(), axes):
        x = [result[key] for result in results]
        bound = [result['flops'] / result['peak'] for result in results]
        left.plot(x, [result['seconds'] for result in results], 'o-', label='measured')
        left.plot(x, bound, ':', label="3x3 convolutions at the machine's peak rate")
        left.set_yscale('log')
        left.set_ylim(min(bound) / 2, max(bound) * 4)
        left.set_ylabel('seconds of an iteration')
        right.plot(x, [result['memory_gb'] for result in results], 'o-')
        right.set_ylim(0, 1.2 * max(result['memory_gb'] for result in results))
        right.set_ylabel('peak memory, GB')
        for axis in (left, right):
            axis.set_xscale('log', base=2)
            axis.set_xticks(x, [f'{result[key]}\n{result["flops"] / 1e9:.0f} GFLOP'
                                for result in results])
            axis.set_xlabel(title)
            axis.grid(True, which='both', alpha=0.3)
        left.yaxis.set_major_formatter('{x:g}')
        left.yaxis.set_minor_formatter(NullFormatter())
        left.legend()
    figure.savefig(path, dpi=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--plot', default=os.path.join(HERE, 'cost_growth.png'))
    args, others = parser.parse_known_args()
    most = MINIBATCHES[-1]
    panels = {
        f'resolution (minibatch {MINIBATCH})': (
            'resolution', [case(others, resolution, MINIBATCH) for resolution in RESOLUTIONS]),
        f'minibatch ({RESOLUTION}x{RESOLUTION})': (
            'minibatch', [case(others, RESOLUTION, minibatch) for minibatch in MINIBATCHES]),
        f'replicas on one CPU ({RESOLUTION}x{RESOLUTION}, {most} images in all)': (
            'replicas', [case(others, RESOLUTION, most, replicas) for replicas in REPLICAS])}
    draw(panels, args.plot)
    print(f'Wrote {args.plot}')


if __name__ == '__main__':
    main()
