"""How fast training is: whole iterations, beside the best rate of the machine's convolutions.

An iteration is one D step with R1, the moving average, and one G step, with fresh latents, style
mixing and noise: the training loop's own compiled function, at one resolution (in bfloat16 even
where train.py would take float32 for want of hardware). Several precisions, or this code and that
of another checkout, take turns in one run, each in a process of its own, so that a busy moment of
the machine strikes all alike. Prints for each a row of medians; `of peak` is the arithmetic of the
convolutions (training/arithmetic.py) over the time, as a share of the best rate of large float32
convolutions in the same run; memory is in GiB, of a GPU where there is one.

    python benchmarks/benchmark_training.py --resolution=32 --minibatch=8
    python benchmarks/benchmark_training.py --resolution=32 --precision=float32,mixed_bfloat16
    python benchmarks/benchmark_training.py --resolution=32 --minibatch=32 --preset=digits \\
        --other_code=../checkout-of-an-older-commit
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def config_of(args, precision='float32', num_gpus=1):
    """The RunConfig that the arguments name."""
    from training.presets import run_config
    widths = {name: getattr(args, name) for name in ('fmap_base', 'fmap_max')
              if getattr(args, name) is not None}
    return run_config(args.preset, 'noise', args.resolution, 3, 0,
                      {'precision': precision, **widths}, num_gpus=num_gpus)


class Training:
    """A run at one resolution, in this process, on images of noise.

    augment: AugmentConfig of what D is shown; None = images as they are.
    jit_compile: compile the iteration by XLA.
    replicas: Replicas that share the minibatch; None = those of `args`.
    """

    def __init__(self, args, precision, augment=None, jit_compile=None, replicas=None):
        import numpy as np
        import tensorflow as tf

        from runs.log import memory_gb
        from training.config import Precision
        from training.iterations import compiled_iteration
        from training.layers import trained_variables
        from training.replicas import local_replicas
        from training.state import TrainingState
        if args.virtual_cpus:
            tf.config.set_logical_device_configuration(
                tf.config.list_physical_devices('CPU')[0],
                [tf.config.LogicalDeviceConfiguration()] * args.virtual_cpus)
        replicas = replicas or local_replicas(args.num_gpus)
        config = self.config = config_of(args, precision, replicas.count)
        state = TrainingState(config.G, config.D, Precision(precision), replicas.strategy, augment)
        share = args.minibatch // replicas.workers
        shape = [share, args.resolution, args.resolution, 3]
        images = tf.constant(np.random.default_rng(0).integers(256, size=shape), tf.uint8)
        labels = tf.zeros([share, 0])
        iterate = compiled_iteration(state, config, replicas, 0, args.minibatch, jit_compile)
        scalars = [tf.constant(value) for value in (0.0, 0.001, 0.001, 0.999)]
        place = tf.constant(0, tf.int64), tf.constant(0, tf.int64)   # of the run's random numbers
        self._iterate = lambda: iterate(*place, [(images, labels)], labels, *scalars)
        self._wait = lambda: trained_variables(state.G)[-1].numpy()  # a GPU answers before
        self._memory_gb = memory_gb

    def warm_up(self):
        """Compiles: the seconds of the first iteration, less those of a later one."""
        first = self.seconds(1)[0]
        later = self.seconds(2)[1]
        gpu, cpu = self._memory_gb()
        return {'compile': first - later, 'memory_gb': gpu or cpu}

    def host_seconds(self, iterations):
        """Of starting each of so many iterations, none of which is waited for until the last."""
        result = []
        for _ in range(iterations):
            start = time.perf_counter()
            self._iterate()
            result.append(time.perf_counter() - start)
        self._wait()
        return result

    def seconds(self, iterations):
        """Of each of so many iterations."""
        result = []
        for _ in range(iterations):
            start = time.perf_counter()
            self._iterate()
            self._wait()
            result.append(time.perf_counter() - start)
        return result


def serve(args):
    """Answers a line `warm_up`, `iterate N` or `peak` with a line of JSON."""
    from machine import ConvolutionPeak
    training, peak = Training(args, args.precision), None
    for line in sys.stdin:
        command = line.split()
        if command[0] == 'warm_up':
            answer = training.warm_up()
        elif command[0] == 'iterate':
            answer = training.seconds(int(command[1]))
        else:
            peak = peak or ConvolutionPeak()
            answer = peak.measure()
        print(json.dumps(answer), flush=True)


class Contestant:
    """A process that trains when it is told to."""

    def __init__(self, name, code, args, precision):
        self.name, self.seconds = name, []
        options = [f'--{key}={value}' for key, value in vars(args).items()
                   if key not in ('precision', 'other_code', 'serve') and value is not None]
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), '--serve', f'--precision={precision}',
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join([code, HERE])})
        self.warmed_up = self.ask('warm_up')

    def ask(self, command):
        print(command, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f'{self.name} ended with exit code {self._process.wait()}.')
        return json.loads(answer)

    def iterate(self, count):
        self.seconds += self.ask(f'iterate {count}')


def contestants(args):
    """One for each precision and checkout, compiled one after the other."""
    codes = {'this code': ROOT}
    if args.other_code:
        codes['other code'] = os.path.abspath(args.other_code)
    return [Contestant(f'{precision}, {name}' if len(codes) > 1 else precision, code, args,
                       precision)
            for precision in args.precision.split(',') for name, code in codes.items()]


def measured(args):
    """({contestant's name: numbers}, peak in FLOP/s): the rounds in turn."""
    entrants, peak = contestants(args), 0.0
    for _ in range(args.rounds):
        for entrant in entrants:
            entrant.iterate(args.iterations)
        peak = entrants[0].ask('peak')
    rows = {}
    for entrant in entrants:
        seconds = statistics.median(entrant.seconds)
        rows[entrant.name] = {'seconds': seconds, 'images_per_sec': args.minibatch / seconds,
                              **entrant.warmed_up}
    return rows, peak


def table(args, rows, peak):
    """The Markdown table of `measured`'s numbers."""
    from training.arithmetic import iteration_flops
    config = config_of(args).G
    flops = iteration_flops(config, args.resolution)
    fused = iteration_flops(config, args.resolution, fused=True)
    lines = [f'{args.resolution}x{args.resolution}, minibatch {args.minibatch}, fmap_base '
             f'{config.fmap_base}, fmap_max {config.fmap_max}: {flops / 1e9:.1f} GFLOP an image '
             f'({fused / 1e9:.1f} with stride 2); peak {peak / 1e9:.0f} GFLOP/s\n',
             '| | s/iteration | images/s | of peak | with stride 2 | compile s | memory GiB | '
             'times the first |', f'|{" --- |" * 8}']
    first = next(iter(rows.values()))['seconds']
    for name, row in rows.items():
        rate = row['images_per_sec']
        lines.append(f'| {name} | {row["seconds"]:.3f} | {rate:.2f} | {rate * flops / peak:.2f} | '
                     f'{rate * fused / peak:.2f} | {row["compile"]:.1f} | {row["memory_gb"]:.2f} | '
                     f'{row["seconds"] / first:.2f} |')
    return '\n'.join(lines)


def arguments(argv=None):
    """The command line's, or those of the list `argv`."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--resolution', type=int, default=32)
    parser.add_argument('--minibatch', type=int, default=8)
    parser.add_argument('--preset', default='auto', help="of train.py; digits = the demo's")
    parser.add_argument('--fmap_base', type=int, help="default: the preset's")
    parser.add_argument('--fmap_max', type=int, help="default: the preset's")
    parser.add_argument('--iterations', type=int, default=3, help='in each round')
    parser.add_argument('--rounds', type=int, default=5, help='the contestants take turns so often')
    parser.add_argument('--precision', default='float32', help='names, separated by commas')
    parser.add_argument('--num_gpus', type=int, help='default: all; without any, the CPU')
    parser.add_argument('--virtual_cpus', type=int,
                        help='replicas without GPUs: so many devices share the CPU')
    parser.add_argument('--other_code', help='another checkout to compare with')
    parser.add_argument('--serve', action='store_true', help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main():
    args = arguments()
    if args.serve:
        serve(args)
        return
    rows, peak = measured(args)
    sys.path.insert(0, ROOT)
    print(table(args, rows, peak))


if __name__ == '__main__':
    main()
