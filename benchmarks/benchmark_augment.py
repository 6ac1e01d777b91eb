"""What augmentation costs: an iteration with a pipe beside one without, and the pipe's passes.

An iteration takes the pipe three times: reals in D's step, with R1 through it; fakes in D's step;
fakes in G's step, with G's gradient. These are compiled alone, and take turns with the training
loop's own iterations, without and with the pipe, so that a busy moment of the machine strikes all
alike. Prints medians, and processor seconds, which other programs disturb less, as shares of the
iteration's without.

    python benchmarks/benchmark_augment.py --preset=digits --minibatch=16
    python benchmarks/benchmark_augment.py --minibatch=8 --pipe=bgcfnc
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def compiled_passes(shape, pipe, p):
    """{name: a compiled function () -> a tensor}: what one iteration asks of the pipe."""
    import tensorflow as tf

    from training import augment
    config, p = augment.AugmentConfig(pipe=pipe), tf.Variable(p)
    images = tf.random.stateless_normal(shape, [0, 0])
    scales = tf.Variable(tf.ones(shape))  # for a D, which R1's second derivative reaches

    def score(images):
        return tf.reduce_sum(scales * augment.augment(images, p, config) ** 2)

    def reals_with_r1():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                tape.watch(images)
                total = score(images)
            penalty = tf.reduce_sum(tape.gradient(total, images) ** 2)
        return outer.gradient(penalty, scales)

    def fakes():
        return augment.augment(images, p, config)

    def fakes_with_gradient():
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = score(images)
        return tape.gradient(total, images)

    return {function.__name__: tf.function(function, autograph=False)
            for function in (reals_with_r1, fakes, fakes_with_gradient)}


def measured(args):
    """{name: (median seconds, median processor seconds)} of both iterations and of the passes."""
    from benchmark_training import Training

    from training.augment import AugmentConfig
    plain = Training(args, 'float32')
    augmented = Training(args, 'float32', AugmentConfig(args.pipe, args.p, target=None))
    shape = [args.minibatch, args.resolution, args.resolution, 3]
    passes = compiled_passes(shape, args.pipe, args.p)
    contestants = {'iteration': lambda: plain.seconds(1),
                   'iteration_with_the_pipe': lambda: augmented.seconds(1)}
    for name, function in passes.items():
        contestants[name] = lambda function=function: function().numpy()
    for run in contestants.values():
        run()  # compiles
    times = {name: [] for name in contestants}
    for _ in range(args.rounds):
        for name, run in contestants.items():
            start, processor = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - start, time.process_time() - processor))
    return {name: tuple(map(statistics.median, zip(*pairs))) for name, pairs in times.items()}


def table(args, rows):
    """The Markdown table of `measured`'s numbers."""
    lines = [f'{args.resolution}x{args.resolution} RGB, minibatch {args.minibatch}, preset '
             f'{args.preset}, pipe {args.pipe}, p {args.p}\n',
             '| | ms | of the iteration | processor ms | of the iteration |', f'|{" --- |" * 5}']
    whole = rows['iteration']
    passes = [times for name, times in rows.items() if not name.startswith('iteration')]
    rows = {**rows, 'the pipe in all': [sum(part) for part in zip(*passes)]}
    for name, (seconds, processor) in rows.items():
        lines.append(f'| {name.replace("_", " ")} | {1e3 * seconds:.1f} | {seconds / whole[0]:.1%} '
                     f'| {1e3 * processor:.1f} | {processor / whole[1]:.1%} |')
    return '\n'.join(lines)


def arguments(argv=None):
    """The command line's, or those of the list `argv`."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--resolution', type=int, default=32)
    parser.add_argument('--minibatch', type=int, default=16)
    parser.add_argument('--preset', default='auto', help="of train.py; digits = the demo's")
    parser.add_argument('--pipe', default='bgc')
    parser.add_argument('--p', type=float, default=0.5)
    parser.add_argument('--rounds', type=int, default=20, help='they take turns so often')
    args = parser.parse_args(argv)
    args.fmap_base = args.fmap_max = args.virtual_cpus = args.num_gpus = None
    return args


def main():
    args = arguments()
    sys.path.insert(0, ROOT)
    print(table(args, measured(args)))


if __name__ == '__main__':
    main()
