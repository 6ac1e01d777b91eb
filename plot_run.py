"""Draws losses, scores, lod, speed and metrics of training runs against kimg, into one PNG.

  plot_run.py results/00012-sgan-faces-1gpu        one run
  plot_run.py 12 13 15                             several, by their numbers in --outdir, compared
  plot_run.py 12 --output=faces.png                into that file

Runs may be training still. Metrics are those of the metric-*.jsonl in the run directory.
"""

import os

from absl import flags

from cli import startup

FLAGS = flags.FLAGS

flags.DEFINE_string('outdir', 'results', 'Where the runs are that are given by number.')
flags.DEFINE_string('output', 'out/plot.png', 'Picture to write.')


def main(args):
    if len(args) < 2:
        raise ValueError('RUN must be a run directory or the number of a run, one or several; '
                         'received none.')
    if not FLAGS.output.endswith('.png'):
        raise ValueError(f'--output={FLAGS.output}: must end in .png.')
    from runs import plots
    from runs.directory import find_run
    runs = [plots.read_run(find_run(FLAGS.outdir, run, said='')) for run in dict.fromkeys(args[1:])]
    os.makedirs(os.path.dirname(os.path.abspath(FLAGS.output)), exist_ok=True)
    plots.draw(runs, FLAGS.output)
    print(f'Wrote {FLAGS.output}: {len(runs)} run{"s" if len(runs) > 1 else ""}')


if __name__ == '__main__':
    startup.run(main)
