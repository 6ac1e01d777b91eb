"""Opens a network in the browser: sliders for seeds, mixing, walks, directions, projection, runs.

  explore.py --network=faces.pkl                                  then open the address it prints
  explore.py --network=faces.pkl --directions=out/directions.safetensors
  explore.py --network=faces.pkl --host=0.0.0.0 --port=8080       for others who reach this machine

Needs Gradio: .venv/bin/python -m pip install -r requirements-web.txt. docs/explorer.md shows it.
"""

import os

from absl import flags

from cli import feature_flags, shared_flags, startup

FLAGS = flags.FLAGS

shared_flags.define('network', 'which', 'lod', 'allow_other_network', 'vgg16', 'lpips', 'cache_dir')
flags.DEFINE_string('directions', None, 'Files that edit.py directions wrote, separated by commas. '
                    'Default: the directions of sefa.')
flags.DEFINE_string('host', '127.0.0.1', 'Address that is listened at. With another than this one, '
                    'whoever reaches this machine can use the page.')
flags.DEFINE_integer('port', 7860, 'Port that is listened at; 0 = any free one.', lower_bound=0,
                     upper_bound=65535)
flags.DEFINE_string('outdir', 'results', 'Where the runs are that the page shows.')
flags.mark_flag_as_required('network')


def opened():
    """(Studio, distance of projections: LPIPS where its files are there, else pixels)."""
    from explorer.studio import open_studio
    directions = FLAGS.directions.split(',') if FLAGS.directions else ()
    studio = open_studio(FLAGS.network, directions, FLAGS.cache_dir, FLAGS.which, FLAGS.lod,
                         FLAGS.allow_other_network)
    resolution = studio.sampler.resolution
    given = feature_flags.given(FLAGS)
    return studio, feature_flags.distance(given, 'auto', resolution, FLAGS.cache_dir)


def main(args):
    startup.refuse_positional(args)
    from explorer import serving
    from formats import download
    serving.check_gradio()
    download.local_path(FLAGS.network, FLAGS.cache_dir)
    with serving.listening(FLAGS.host, FLAGS.port) as listener, serving.private_folder() as folder:
        startup.load_tensorflow()
        studio, distance = opened()
        from explorer.page import Page, application
        app = application(Page(studio, distance, FLAGS.outdir, folder),
                          os.path.basename(FLAGS.network))
        if not serving.is_loopback(listener):
            print(f'--host={FLAGS.host}: whoever reaches this machine can use the page.')
        print(f'{serving.address_of(listener)}   (Ctrl-C ends it)', flush=True)
        serving.serve(app, listener)


if __name__ == '__main__':
    startup.run(main)
