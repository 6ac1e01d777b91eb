"""Exported networks beside ours: the size of a file, how far its images are off, and how fast.

Networks of the paper's width with random weights, biases and noise strengths, or --network. Errors
are the largest of 20 seeds, truncated with psi 0.7, as a share of the largest number, in each
format, against ours in one minibatch; beside them ours one at a time, which rounds differently too;
for quantized weights also the root mean square in levels of 255. Times are of z to image, each
runtime with all cores, in turn; medians.

    python benchmarks/export.py [--resolutions=64,256] [--batches=1,8] [--rounds=7]
    python benchmarks/export.py --network=faces.pkl
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from export import about, forms, signatures  # noqa: E402
from training import snapshot  # noqa: E402
from training.config import GeneratorConfig  # noqa: E402
from training.layers import named_variables  # noqa: E402
from training.networks import Generator  # noqa: E402
from training.sampler import Sampler, Truncation, to_float  # noqa: E402

OURS, ONE = 'ours', 'LiteRT, one image'
CASES = {  # {what it is called: (format, quantize)}
    'SavedModel': ('savedmodel', 'none'), 'ONNX Runtime': ('onnx', 'none'),
    'LiteRT': ('tflite', 'none'), ONE: ('tflite', 'none'),
    'LiteRT, float16': ('tflite', 'float16'), 'LiteRT, int8': ('tflite', 'int8')}
SEEDS, PSI, NAME = 20, 0.7, signatures.IMAGE_SIGNATURE


def random_generator(resolution):
    """A generator of the paper's width in which nothing is 0."""
    tf.random.set_seed(0)
    G = Generator(GeneratorConfig(resolution=resolution))
    for name, variable in named_variables(G).items():
        if name.endswith(('bias', 'Noise/weight')):
            variable.assign(tf.random.normal(variable.shape, stddev=0.1))
    return G


def size_of(directory):
    """Bytes that z to image needs."""
    names = [os.path.join(folder, name) for folder, _, found in os.walk(directory)
             for name in found if name.startswith((NAME, 'saved_model', 'variables'))]
    return sum(map(os.path.getsize, names))


def runner(directory, form):
    """z -> images, as that format's runtime draws them."""
    own = {'psi': np.array(PSI, 'float32'), 'cutoff': np.array(8, 'int32')}
    if form == 'savedmodel':
        loaded = tf.saved_model.load(directory)
        own = {name: tf.constant(value) for name, value in own.items()}
        return lambda z, keep=loaded: loaded.signatures[NAME](z=tf.constant(z), **own)[
            'images'].numpy()
    if form == 'onnx':
        import onnxruntime
        session = onnxruntime.InferenceSession(os.path.join(directory, f'{NAME}.onnx'))
        return lambda z: session.run(None, {'z': z, **own})[0]
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(os.path.join(directory, f'{NAME}.tflite'),
                              num_threads=os.cpu_count())
    run = interpreter.get_signature_runner(NAME)
    return lambda z: run(z=z, **own)['images']


def measured(sampler, folder, batches, rounds):
    """({case: (bytes, errors of SEEDS images, {batch: median seconds})}, the largest number)."""
    config = sampler.config
    found = signatures.of_generator(sampler)
    content = about.about(config, sampler.resolution, {'network': '', 'sha256': '', 'licence': ''},
                          found)
    truncation = Truncation(PSI, 8)
    runners = {OURS: (0, lambda z: sampler.draw(z, truncation=truncation)[0].numpy())}
    for case, (form, quantize) in CASES.items():
        directory = os.path.join(folder, case)
        first = signatures.for_one_image(found[0]) if case == ONE else found[0]
        forms.export(directory, form, [first], [sampler.Gs], content, quantize)
        runners[case] = size_of(directory), runner(directory, form)
    z = np.random.RandomState(0).randn(SEEDS, config.latent_size).astype('float32')
    images = {case: np.concatenate([run(z[i:i + 1]) for i in range(SEEDS)])
              for case, (_, run) in runners.items()}
    expected = sampler.images_of(z, None, truncation, to_float)
    seconds = {case: {batch: [] for batch in batches if case != ONE or batch == 1}
               for case in runners}
    for batch in batches:
        for turn in range(rounds + 1):
            for case, (_, run) in runners.items():
                if batch not in seconds[case]:
                    continue
                start = time.perf_counter()
                run(z[:batch])
                if turn:   # the first time, some compile
                    seconds[case][batch].append(time.perf_counter() - start)
    return {case: (runners[case][0], images[case] - expected,
                   {batch: statistics.median(times) for batch, times in seconds[case].items()})
            for case in runners}, np.abs(expected).max()


def table(found, largest, batches):
    """Markdown of what `measured` found."""
    head = ['', 'MB', 'largest error', 'RMS, levels', *(f'ms an image, {batch} at once'
                                                        for batch in batches)]
    lines = [head, ['---'] * len(head)]
    ours = found[OURS][2]
    for case, (size, errors, seconds) in found.items():
        lines.append([case, f'{size / 2 ** 20:.1f}' if size else '',
                      f'{np.abs(errors).max() / largest:.1e}',
                      f'{127.5 * np.sqrt(np.mean(errors ** 2)):.2f}',
                      *(f'{1000 * seconds[batch] / batch:.1f} ({seconds[batch] / ours[batch]:.2f})'
                        if batch in seconds else '' for batch in batches)])
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--network')
    parser.add_argument('--resolutions', default='64,256')
    parser.add_argument('--batches', default='1,8')
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    batches = [int(batch) for batch in args.batches.split(',')]
    if args.network:
        file = snapshot.load(args.network)
        samplers = [Sampler(file.Gs, file.lod, compiled=True)]
    else:
        samplers = [Sampler(random_generator(int(resolution)), compiled=True)
                    for resolution in args.resolutions.split(',')]
    for sampler in samplers:
        with tempfile.TemporaryDirectory() as folder:
            found, largest = measured(sampler, folder, batches, args.rounds)
        print(f'\n{sampler.resolution}x{sampler.resolution}; in brackets, times as a share of '
              f'ours\n\n{table(found, largest, batches)}')


if __name__ == '__main__':
    main()
