"""Where the time of an iteration goes on a CPU, operation by operation, and where the limit lies.

Runs the training loop's own compiled iteration on one thread, under TensorFlow's profiler, and adds
up the time of each kind of operation. Beside it: the iteration with all threads, what they would
take if they shared those operations perfectly, and what the convolutions alone would take at the
best rate of large ones.

    python benchmarks/profile_ops.py [--preset=digits --resolution=32 --minibatch=16]
"""

from __future__ import annotations

import collections
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import benchmark_training  # noqa: E402

SHOWN = 14  # kinds of operations
ONE_THREAD = {'TF_NUM_INTRAOP_THREADS': '1', 'TF_NUM_INTEROP_THREADS': '1'}


def profiled(training, iterations):
    """{kind of operation: seconds an iteration}, by TensorFlow's profiler."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2
    with tempfile.TemporaryDirectory() as directory:
        tf.profiler.experimental.start(directory)
        training.seconds(iterations)
        tf.profiler.experimental.stop()
        path, = glob.glob(os.path.join(directory, '**', '*.xplane.pb'), recursive=True)
        space = xplane_pb2.XSpace()
        with open(path, 'rb') as file:
            space.ParseFromString(file.read())
    found = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(':')
                if name and name[-1] != ':' and kind.isidentifier():  # NAME:KIND, an operation
                    found[kind] += event.duration_ps / 1e12 / iterations
    return found


def serve(args):
    """In a process of its own, whose number of threads the environment sets: a line of JSON."""
    training = benchmark_training.Training(args, 'float32')
    training.warm_up()
    seconds = statistics.median(training.seconds(args.iterations))
    kinds = profiled(training, args.iterations)
    from machine import ConvolutionPeak
    print('FOUND', json.dumps({'seconds': seconds, 'kinds': kinds,
                               'peak': ConvolutionPeak().measure()}))


def main():
    args = benchmark_training.arguments()
    if args.serve:
        serve(args)
        return
    found = []
    for environment in (ONE_THREAD, {}):
        text = subprocess.run([sys.executable, os.path.abspath(__file__), '--serve', *sys.argv[1:]],
                              env={**os.environ, **environment}, check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        found.append(json.loads(text[text.index('FOUND ') + 6:]))
    one, many = found
    from training.arithmetic import iteration_flops
    config = benchmark_training.config_of(args).G
    limit = args.minibatch * iteration_flops(config, args.resolution, fused=True) / many['peak']
    cores = os.cpu_count()
    print(f'{args.resolution}x{args.resolution}, minibatch {args.minibatch}, preset {args.preset}: '
          f'{one["seconds"] * 1e3:.1f} ms on one thread, {many["seconds"] * 1e3:.1f} on all; '
          f'perfectly shared by {cores}: {one["seconds"] / cores * 1e3:.1f}; convolutions alone at '
          f'the peak of {many["peak"] / 1e9:.0f} GFLOP/s: {limit * 1e3:.1f}\n')
    kinds = collections.Counter(one['kinds'])
    total = sum(kinds.values())
    print('| operations, one thread | ms | share |\n| --- | --- | --- |')
    for kind, seconds in kinds.most_common(SHOWN):
        print(f'| {kind} | {seconds * 1e3:.2f} | {seconds / total:.1%} |')
    print(f'| all {len(kinds)} kinds | {total * 1e3:.2f} | |')


if __name__ == '__main__':
    main()
