"""How far more replicas carry: measured on this machine's CPU, reckoned for up to 512 GPUs.

Measured: iterations of one minibatch shared by 1 to 8 replicas in one process, and by 1 to 4 worker
processes, which talk over loopback. All share the same cores, so the arithmetic stays what it is
and each further replica adds its copy of the weights, which is updated, and its part of the
exchange: seconds = a + b n. The line through the counts of 1 and in the middle is compared with the
others.

Reckoned: the arithmetic of an iteration over a GPU's rate, and the bytes of all gradients over the
links' (a ring: each byte passes 2 (n - 1) / n times), one after the other, as here.

    python benchmarks/scaling.py [--tflops=495 --nvlink=450 --network=50,12.5] [--arithmetic_only]
        [--resolution=32 --minibatch=32, or what else benchmark_training.py takes]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import benchmark_training  # noqa: E402

REPLICAS, WORKERS = (1, 2, 4, 8), (1, 2, 4)
OPTIONS = ('--preset=digits', '--minibatch=32', '--iterations=5', '--rounds=4')  # unless given
GPUS = (8, 16, 32, 64, 128, 256, 512)
PER_MACHINE, PER_GPU = 8, 4  # GPUs; images of the largest size, a group of minibatch stddev


def addresses(count):
    """So many free host:port of this machine."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return [f'127.0.0.1:{port}' for port in ports]


def work(args, workers):
    """One process: iterations in step with the others; prints their seconds."""
    from training.cluster import cluster_replicas, find_cluster
    replicas = cluster_replicas(find_cluster(os.environ)) if workers > 1 else None
    training = benchmark_training.Training(args, 'float32', replicas=replicas)
    training.warm_up()
    print('SECONDS', json.dumps(training.seconds(args.iterations * args.rounds)), flush=True)


def seconds_of(options, replicas=1, workers=1):
    """Median of an iteration whose minibatch is shared by replicas, or by worker processes.

    options: of benchmark_training.py.
    """
    command = [sys.executable, os.path.abspath(__file__), '--serve', f'--workers={workers}',
               *options, f'--num_gpus={replicas}',
               *([f'--virtual_cpus={replicas}'] if replicas > 1 else [])]
    hosts = addresses(workers)
    processes = [subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, 'TF_CONFIG': json.dumps(
            {'cluster': {'worker': hosts}, 'task': {'type': 'worker', 'index': index}})})
        for index in range(workers)]
    outputs = [process.communicate()[0] for process in processes]
    line = next((line for line in outputs[0].splitlines() if line.startswith('SECONDS ')), None)
    if line is None:
        raise SystemExit(f'{workers} workers of {replicas} replicas ended without a result.')
    return statistics.median(json.loads(line.removeprefix('SECONDS ')))


def print_measured(args, options):
    """The table of seconds, beside the line through two of them. options: as for `seconds_of`."""
    print(f'\n{args.resolution}x{args.resolution}, {args.minibatch} images in all, '
          f'{os.cpu_count()} cores\n\n| shared by | seconds | times one | a + b n says | off |\n'
          '| --- | --- | --- | --- | --- |')
    for what, counts in (('replicas', REPLICAS), ('workers', WORKERS)):
        found = {count: seconds_of(options, **{what: count}) for count in counts}
        middle = counts[len(counts) // 2]
        slope = (found[middle] - found[1]) / (middle - 1)
        for count, seconds in found.items():
            said = found[1] + slope * (count - 1)
            print(f'| {count} {what} | {seconds:.3f} | {seconds / found[1]:.2f} | {said:.3f} | '
                  f'{said / seconds - 1:+.0%} |', flush=True)


def gradient_bytes(config):
    """What replicas exchange in an iteration at the full resolution: float32, of G and of D."""
    from training.layers import trained_variables
    from training.networks import Discriminator, Generator
    return sum(4 * variable.shape.num_elements() for network in
               (Generator(config.G), Discriminator(config.D))
               for variable in trained_variables(network))


def exchange_seconds(num_bytes, gpus, nvlink, network):
    """Of a ring within each machine and one among the machines, bytes/s each."""
    within, machines = min(gpus, PER_MACHINE), max(1, gpus // PER_MACHINE)
    return num_bytes * 2 * ((within - 1) / within / nvlink + (machines - 1) / machines / network)


def print_arithmetic(args):
    """The table of an iteration at 1024x1024 for each number of GPUs."""
    from training.arithmetic import iteration_flops
    from training.presets import run_config
    config = run_config('auto', 'ffhq', 1024, 3, 0, {}, num_gpus=8)
    num_bytes = gradient_bytes(config)
    compute = PER_GPU * iteration_flops(config.G, 1024, fused=True) / (args.tflops * 1e12)
    networks = [float(rate) for rate in args.network.split(',')]
    print(f'\n1024x1024, paper\'s width: {num_bytes / 1e6:.0f} MB of gradients an iteration; '
          f'{PER_GPU} images a GPU at {args.tflops:g} TFLOP/s: {compute * 1e3:.1f} ms; NVLink '
          f'{args.nvlink:g} GB/s, machines of {PER_MACHINE}\n')
    print('| GPUs | minibatch | iterations for 10,000 kimg | '
          + ' | '.join(f'{rate:g} GB/s: exchange, ms | of the time, computing'
                       for rate in networks) + ' |')
    print('| ' + ' | '.join(['---'] * (3 + 2 * len(networks))) + ' |')
    for gpus in GPUS:
        cells = []
        for rate in networks:
            exchange = exchange_seconds(num_bytes, gpus, args.nvlink * 1e9, rate * 1e9)
            cells += [f'{exchange * 1e3:.1f}', f'{compute / (compute + exchange):.0%}']
        print(f'| {gpus} | {PER_GPU * gpus} | {1e7 / PER_GPU / gpus:,.0f} | '
              f'{" | ".join(cells)} |')


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--tflops', type=float, default=495, help='of a GPU; the default is half '
                        "of an H100's bfloat16 peak")
    parser.add_argument('--nvlink', type=float, default=450, help='GB/s between GPUs of a machine')
    parser.add_argument('--network', default='400,50,12.5', help='GB/s between machines')
    parser.add_argument('--arithmetic_only', action='store_true')
    parser.add_argument('--workers', type=int, default=1, help=argparse.SUPPRESS)
    args, others = parser.parse_known_args()
    options = [*OPTIONS, *others]
    training = benchmark_training.arguments(options)
    if training.serve:
        work(training, args.workers)
        return
    print_arithmetic(args)
    if not args.arithmetic_only:
        print_measured(training, options)


if __name__ == '__main__':
    main()
