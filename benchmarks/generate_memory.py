"""How much memory generate.py takes for few images and for many, as a whole program.

The network is narrow, to be quick, but its w is as large as the paper's at its resolution: what a
job keeps for each image shows. `--other_code` measures another checkout beside this one.

    python benchmarks/generate_memory.py --counts=1000,10000,100000 [--flags=--save_w]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from training import snapshot  # noqa: E402
from training.config import GeneratorConfig  # noqa: E402
from training.networks import Generator  # noqa: E402


def peak_and_seconds(command, directory):
    """(resident memory at its peak, in MB of 2^20 bytes; seconds) of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == 'darwin' else 1024
    return usage.ru_maxrss * unit / 2 ** 20, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--counts', default='1000,10000')
    parser.add_argument('--resolution', type=int, default=32)
    parser.add_argument('--fmap_base', type=int, default=64)
    parser.add_argument('--flags', default='', help='further flags of generate.py')
    parser.add_argument('--other_code', help='root of another checkout')
    args = parser.parse_args()
    roots = [ROOT] + ([args.other_code] if args.other_code else [])
    print(f'{args.resolution}x{args.resolution} {args.flags}\n\n'
          '| code | images | peak, MB | seconds |\n| --- | --- | --- | --- |')
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'network.safetensors')
        config = GeneratorConfig(resolution=args.resolution, fmap_base=args.fmap_base)
        snapshot.save(path, None, None, Generator(config))
        for count in map(int, args.counts.split(',')):
            for root in map(os.path.abspath, roots):
                with tempfile.TemporaryDirectory() as outdir:
                    peak, seconds = peak_and_seconds(
                        [sys.executable, os.path.join(root, 'generate.py'), f'--network={path}',
                         f'--seeds=0-{count - 1}', f'--outdir={outdir}', *args.flags.split()], root)
                print(f'| {"this" if root == os.path.abspath(ROOT) else "other"} | {count:,} | '
                      f'{peak:.0f} | {seconds:.0f} |', flush=True)


if __name__ == '__main__':
    main()
