"""How far off a run's estimates of the time left were: those in its stats.jsonl, when it is over.

For the first tick at or after each of --percents of the run: the ETA that its line said, the time
that it then really took (until the final network file was written), and by how much the one was
off; beside it what the pace of that tick alone would have said. A run in one go is needed, and a
machine that has nothing else to do.

    python train.py --data=datasets/digits --preset=digits --outdir=results --resume=none
    python benchmarks/eta.py results/00000-sgan-digits-1gpu
"""

from __future__ import annotations

import argparse
import json
import os


def ticks_of(run_dir):
    """(the lines of stats.jsonl as dicts, seconds of the whole run)."""
    path = os.path.join(run_dir, 'stats.jsonl')
    with open(path, encoding='utf-8') as file:
        ticks = [json.loads(line) for line in file]
    final = os.path.join(run_dir, 'network-final.safetensors')
    return ticks, ticks[-1]['seconds'] + os.path.getmtime(final) - os.path.getmtime(path)


def rows_of(ticks, whole, percents):
    """[(percent, seconds so far, ETA, really left, off, what the tick's pace says, off)]."""
    rows, total_kimg = [], ticks[-1]['kimg']
    for percent in percents:
        tick = next(tick for tick in ticks if tick['kimg'] >= total_kimg * percent / 100)
        left = whole - tick['seconds']
        by_tick = (total_kimg - tick['kimg']) * tick['sec_per_kimg']
        rows.append((100 * tick['kimg'] / total_kimg, tick['seconds'], tick['eta_sec'], left,
                     tick['eta_sec'] / left - 1, by_tick, by_tick / left - 1))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('run_dir')
    parser.add_argument('--percents', default='10,30,50', help='of the run')
    args = parser.parse_args()
    ticks, whole = ticks_of(args.run_dir)
    print(f'{whole:.0f} seconds in all\n')
    print('| of the run | after | ETA | really left | off | by the last tick | off |\n'
          f'|{" --- |" * 7}')
    for percent, *seconds, off, by_tick, off_by_tick in rows_of(
            ticks, whole, [float(percent) for percent in args.percents.split(',')]):
        so_far, eta, left = (f'{number:.0f} s' for number in seconds)
        print(f'| {percent:.0f}% | {so_far} | {eta} | {left} | {100 * off:+.0f}% | {by_tick:.0f} s '
              f'| {100 * off_by_tick:+.0f}% |')


if __name__ == '__main__':
    main()
