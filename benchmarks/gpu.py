"""What a GPU does with this project: one command, about ten minutes, a report to send on.

Checks the environment (driver, CUDA, whether TensorFlow sees the GPU, NCCL), runs the parity tests
on the GPU with TF32 off, then measures iterations at the paper's width at each resolution, in each
precision, with and without XLA (images/s, peak memory, share of the machine's own rate, the host's
time for an iteration); generating at batch 1 and 16; Inception features; and works out from the
schedule how many days FFHQ takes. Writes report.md, report.json, rates.png and a profiler's trace
into --outdir. Each measurement is a process of its own: what runs out of memory or time, or what
XLA refuses, is a word in the table. Without a GPU it does the same with small sizes, to be tested.

    python benchmarks/gpu.py [--minutes=10] [--outdir=out/gpu] [--resolutions=8,64,1024]
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import statistics
import subprocess
import sys
import threading
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path[:0] = [ROOT, HERE]

VARIANTS = {  # {what it is called: (precision, TF32, XLA)}
    'float32': ('float32', False, False), 'float32, XLA': ('float32', False, True),
    'TF32': ('float32', True, False), 'TF32, XLA': ('float32', True, True),
    'mixed_bfloat16': ('mixed_bfloat16', False, False),
    'mixed_bfloat16, XLA': ('mixed_bfloat16', False, True),
    'mixed_float16': ('mixed_float16', False, False),
    'mixed_float16, XLA': ('mixed_float16', False, True)}
SIZES, CPU_SIZES = (8, 16, 32, 64, 128, 256, 512, 1024), (8, 16)
FFHQ = (128, 256, 512, 1024)
ITERATIONS, BATCHES, FEATURES = 5, (1, 16), 32
PARITY_SHARE, MEASURE_SHARE = 0.2, 0.6      # of the minutes, at most


def environment():
    """[(what, what was found)] of the machine; nothing of it is fatal but what the report says."""
    import tensorflow as tf
    build = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices('GPU')
    rows = [('TensorFlow', f'{tf.__version__}, built for CUDA {build.get("cuda_version", "none")}, '
             f'cuDNN {build.get("cudnn_version", "none")}'), ('driver', _driver())]
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        capability = '.'.join(map(str, details.get('compute_capability', ())))
        rows.append((gpu.name.rpartition('physical_device:')[2],
                     f'{details.get("device_name")}, compute capability {capability}'))
    if not gpus:
        rows.append(('GPU', 'none that TensorFlow sees' + (
            '' if rows[1][1] == 'none' else ', although there is a driver: pip install -r '
            'requirements-gpu.txt')))
    rows.append(('NCCL', _nccl(len(gpus))))
    return rows


def _driver():
    try:
        asked = subprocess.run(
            ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader'],
            capture_output=True, text=True, timeout=30)
        return asked.stdout.split('\n')[0].strip() or 'none'
    except (OSError, subprocess.TimeoutExpired):
        return 'none'


def _nccl(count):
    """What a sum over all GPUs by NCCL gives."""
    if count < 2:
        return 'not tried: it is for several GPUs'
    import tensorflow as tf
    strategy = tf.distribute.MirroredStrategy(cross_device_ops=tf.distribute.NcclAllReduce())
    total = strategy.reduce('SUM', strategy.run(lambda: tf.constant(1.0)), axis=None)
    return f'a sum over {count} GPUs gives {float(total):g}'


def parity(seconds):
    """What the parity tests end with, with TF32 off, in so many seconds."""
    try:
        done = subprocess.run(
            [sys.executable, '-m', 'pytest', '-q', 'tests/test_parity.py', 'tests/test_steps.py'],
            cwd=ROOT, capture_output=True, text=True, timeout=seconds,
            env={**os.environ, 'NVIDIA_TF32_OVERRIDE': '0'})
    except subprocess.TimeoutExpired:
        return 'out of time'
    return next((line for line in reversed(done.stdout.splitlines())
                 if re.search(r'\d+ (passed|failed|error)', line)), done.stderr[-200:])


def minibatch_of(resolution, has_gpu):
    """That of the default preset with one GPU; few without, for it takes long."""
    from training.presets import run_config
    schedule = run_config('auto', 'noise', resolution, 3, 0).schedule
    return dict(schedule.minibatch_dict).get(resolution, schedule.minibatch_base) if has_gpu else 4


def train(task):
    """Yields what iterations take at each resolution, the smallest first."""
    import tensorflow as tf
    from benchmark_training import Training
    from machine import ConvolutionPeak

    from training.arithmetic import iteration_flops
    from training.precision import allow_tf32, is_fast
    allow_tf32(task['tf32'])
    low = task['precision'].rpartition('_')[2]
    peak = ConvolutionPeak(low if low == 'float32' or is_fast(low) else 'float32').measure()
    for resolution in task['resolutions']:
        args = argparse.Namespace(
            resolution=resolution, minibatch=minibatch_of(resolution, task['has_gpu']),
            preset='auto', fmap_base=task['fmap_base'], fmap_max=task['fmap_max'], num_gpus=1,
            virtual_cpus=None)
        for gpu in tf.config.list_logical_devices('GPU'):
            tf.config.experimental.reset_memory_stats(gpu.name.split('device:')[-1])
        training = Training(args, task['precision'], jit_compile=task['xla'] or None)
        warmed_up = training.warm_up()
        seconds = statistics.median(training.seconds(ITERATIONS))
        host = statistics.median(training.host_seconds(ITERATIONS))
        flops = iteration_flops(training.config.G, resolution, fused=True)
        yield {'resolution': resolution, 'images_per_sec': args.minibatch / seconds, 'host': host,
               'seconds': seconds, 'compile': warmed_up['compile'],
               'memory_gb': warmed_up['memory_gb'],
               'of_peak': args.minibatch * flops / seconds / peak}
        if task.get('trace'):
            with tf.profiler.experimental.Profile(task['trace']):
                training.seconds(3)
        del training


def generate(task):
    """Yields images/s of a generator at each batch size."""
    import tensorflow as tf

    from training.config import GeneratorConfig
    from training.networks import Generator
    from training.sampler import Sampler
    for resolution in task['resolutions']:
        config = GeneratorConfig(resolution=resolution, fmap_base=task['fmap_base'] or 8192,
                                 fmap_max=task['fmap_max'] or 512)
        sampler = Sampler(Generator(config), compiled=True)
        for batch in BATCHES:
            rate = _rate(lambda z, draw=sampler.draw: draw(z)[0].numpy(),
                         tf.random.normal([batch, config.latent_size]))
            yield {'resolution': resolution, 'batch': batch, 'images_per_sec': rate}


def features(task):
    """Yields images/s of Inception at 299x299: what FID and KID wait for."""
    import tensorflow as tf
    inception = tf.keras.applications.InceptionV3(weights=None, include_top=False, pooling='avg')
    batch = FEATURES if task['has_gpu'] else 2
    call = tf.function(lambda images: inception(images, training=False))
    yield {'images_per_sec': _rate(lambda images: call(images).numpy(),
                                   tf.zeros([batch, 299, 299, 3]))}


def _rate(function, batch):
    function(batch)   # compiles
    times = []
    for _ in range(ITERATIONS):
        start = time.perf_counter()
        function(batch)
        times.append(time.perf_counter() - start)
    return len(batch) / statistics.median(times)


KINDS = {'train': train, 'generate': generate, 'features': features}


def serve(task):
    """Prints a line of JSON for each thing that is measured; of what fails, in a word or two."""
    import tensorflow as tf

    from training.memory import is_exhaustion
    try:
        for found in KINDS[task['kind']](task):
            print(f'FOUND {json.dumps(found)}', flush=True)
    except (tf.errors.OpError, ValueError, TypeError, RuntimeError) as error:
        words = 'out of memory' if is_exhaustion(error) else str(error).split('\n')[0][:80]
        print(f'FOUND {json.dumps({"error": words})}', flush=True)


def measured(task, seconds):
    """What a task gives within so many seconds, in a process of its own: [dict]."""
    process = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), f'--task={json.dumps(task)}'],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = queue.Queue()
    threading.Thread(target=lambda: [*map(lines.put, process.stdout), lines.put('')],
                     daemon=True).start()
    found, deadline = [], time.monotonic() + seconds
    while True:
        try:
            line = lines.get(timeout=max(deadline - time.monotonic(), 0.01))
        except queue.Empty:
            process.kill()
            return [*found, {'error': 'out of time'}]
        if not line:
            code = process.wait()
            return found if not code else [*found, {'error': f'ended with exit code {code}'}]
        if line.startswith('FOUND '):
            found.append(json.loads(line[len('FOUND '):]))


def days_of(rates, resolution):
    """(days, whether all of it was measured) of FFHQ by images/s at each resolution.

    Resolutions that were not measured are at the rate of the nearest one, by their arithmetic.
    """
    from training.arithmetic import iteration_flops
    from training.presets import run_config
    from training.schedule import stages_left
    config = run_config('auto', 'ffhq', resolution, 3, 0)
    seconds, whole = 0.0, True
    for sched, images in stages_left(0, int(config.total_kimg * 1000), resolution, 1,
                                     config.schedule):
        size = sched.resolution
        nearest = min(rates, key=lambda other: abs(other.bit_length() - size.bit_length()))
        ratio = iteration_flops(config.G, size, True) / iteration_flops(config.G, nearest, True)
        seconds += images / rates[nearest] * ratio
        whole = whole and nearest == size
    return seconds / 86400, whole


def iteration_tables(found, sizes):
    """Markdown: images/s, memory, share of peak, and the host's share, by resolution."""
    text = []
    for title, number in (
            ('Images/s', lambda row: f'{row["images_per_sec"]:.1f}'),
            ('Peak memory, GiB', lambda row: f'{row["memory_gb"]:.1f}'),
            ('Share of the rate of large convolutions in this precision',
             lambda row: f'{row["of_peak"]:.0%}'),
            ("The host's time to start an iteration, as a share of it",
             lambda row: f'{row["host"] / row["seconds"]:.0%}')):
        lines = [['', *map(str, sizes)], ['---'] * (len(sizes) + 1)]
        for name, rows in found.items():
            by_size = {row['resolution']: number(row) for row in rows if 'resolution' in row}
            error = next((row['error'] for row in rows if 'error' in row), '')
            missing = iter([error])
            lines.append([name, *(by_size.get(size) or next(missing, '') for size in sizes)])
        text += [f'### {title}\n', *(f'| {" | ".join(line)} |' for line in lines), '']
    return '\n'.join(text)


def report(rows, outcome, found, generated, inception, sizes, width):
    """The report as Markdown."""
    text = ['# GPU report\n', '| | |', '| --- | --- |',
            *(f'| {name} | {value} |' for name, value in rows), '',
            f'Parity tests, TF32 off: {outcome}\n', f'## Iterations, {width}\n',
            iteration_tables(found, sizes), '## Generating\n']
    text += [f'- {row["resolution"]}x{row["resolution"]}, batch {row["batch"]}: '
             f'{row["images_per_sec"]:.1f} images/s' if 'batch' in row else f'- {row["error"]}'
             for row in generated]
    text += ['\n## Features\n', *(f'- Inception, 299x299: {row["images_per_sec"]:.0f} images/s'
                                  if 'images_per_sec' in row else f'- {row["error"]}'
                                  for row in inception), '\n## FFHQ, 25,000 kimg on one GPU\n',
             f'| | {" | ".join(map(str, FFHQ))} |', '| --- |' + ' --- |' * len(FFHQ)]
    for name, measured_rows in found.items():
        rates = {row['resolution']: row['images_per_sec'] for row in measured_rows
                 if 'resolution' in row}
        if rates:
            days = [days_of(rates, size) for size in FFHQ]
            text.append(f'| {name} | ' + ' | '.join(
                f'{value:.1f} days' + ('' if whole else ' (extrapolated)')
                for value, whole in days) + ' |')
    return '\n'.join(text) + '\n'


def draw(found, path):
    """A PNG: images/s by resolution, a line for each precision, dashed and hollow with XLA."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter
    figure = Figure((8, 4.5), layout='constrained', dpi=110)
    axes = figure.subplots()
    colors = {}
    for name, rows in found.items():
        points = [(row['resolution'], row['images_per_sec']) for row in rows if 'resolution' in row]
        if points:
            color = colors.setdefault(name.partition(',')[0], f'C{len(colors)}')
            by_xla = name.endswith('XLA')
            axes.plot(*zip(*points), marker='o', color=color, label=name,
                      markerfacecolor='white' if by_xla else color,
                      linestyle='--' if by_xla else '-')
    axes.set_xscale('log', base=2)
    axes.set_yscale('log')
    axes.xaxis.set_major_formatter('{x:.0f}')
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter(LogFormatter())  # shown within few powers of ten only
    axes.set_xlabel('resolution')
    axes.set_ylabel('images a second, training')
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    if colors:
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path)


def arguments():
    """The command line's."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--minutes', type=float, default=10, help='all of it together')
    parser.add_argument('--outdir', default='out/gpu')
    parser.add_argument('--resolutions', help='default: 8 to 1024; without a GPU 8 and 16')
    parser.add_argument('--variants', help='names, separated by semicolons; default: all that the '
                        'machine has')
    parser.add_argument('--skip', default='', help='parity, separated by commas with generate, '
                        'features')
    parser.add_argument('--fmap_base', type=int, help="default: the paper's")
    parser.add_argument('--fmap_max', type=int)
    parser.add_argument('--task', help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    if args.task:
        serve(json.loads(args.task))
        return
    start = time.monotonic()

    def left(share=1.0):
        return max(60 * args.minutes * share - (time.monotonic() - start), 1)

    os.makedirs(args.outdir, exist_ok=True)
    rows = environment_of_a_process()
    has_gpu = not any(value.startswith('none that') for _, value in rows)
    print('\n'.join(f'{name}: {value}' for name, value in rows), flush=True)
    skip = args.skip.split(',')
    outcome = 'skipped' if 'parity' in skip else parity(left(PARITY_SHARE))
    print(f'parity: {outcome}', flush=True)
    sizes = ([int(size) for size in args.resolutions.split(',')] if args.resolutions
             else SIZES if has_gpu else CPU_SIZES)
    names = args.variants.split(';') if args.variants else [
        name for name in VARIANTS if has_gpu or not VARIANTS[name][1]]
    task = {'resolutions': sizes, 'has_gpu': has_gpu, 'fmap_base': args.fmap_base,
            'fmap_max': args.fmap_max}
    found = {}
    for number, name in enumerate(names):
        precision, tf32, xla = VARIANTS[name]
        seconds = left(PARITY_SHARE + MEASURE_SHARE) / (len(names) - number)
        trace = os.path.join(args.outdir, 'trace') if not number else None
        found[name] = measured({**task, 'kind': 'train', 'precision': precision, 'tf32': tf32,
                                'xla': xla, 'trace': trace}, seconds)
        print(f'{name}: {found[name]}', flush=True)
    generated = [] if 'generate' in skip else measured({**task, 'kind': 'generate'}, left() / 2)
    inception = [] if 'features' in skip else measured({**task, 'kind': 'features'}, left())
    width = 'narrow networks' if args.fmap_base or args.fmap_max else "the paper's width"
    text = report(rows, outcome, found, generated, inception, sizes, width)
    with open(os.path.join(args.outdir, 'report.md'), 'w', encoding='utf-8') as file:
        file.write(text)
    with open(os.path.join(args.outdir, 'report.json'), 'w', encoding='utf-8') as file:
        json.dump({'environment': rows, 'parity': outcome, 'iterations': found,
                   'generate': generated, 'features': inception}, file, indent=2)
    draw(found, os.path.join(args.outdir, 'rates.png'))
    print(f'\n{text}\nWrote report.md, report.json, rates.png and trace/ (for TensorBoard) to '
          f'{args.outdir}')


def environment_of_a_process():
    """`environment()`, asked in a process that ends: it would keep the GPU's memory."""
    code = ('import sys, json; sys.path[:0] = [sys.argv[1]]; import gpu; '
            'print("FOUND", json.dumps(gpu.environment()))')
    done = subprocess.run([sys.executable, '-c', code, HERE], capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith('FOUND ')]
    if not lines:
        raise SystemExit(f'TensorFlow does not start here:\n{done.stderr[-2000:]}')
    return json.loads(lines[0][len('FOUND '):])


if __name__ == '__main__':
    main()
