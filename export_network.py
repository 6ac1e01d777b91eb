"""Writes a trained generator in a form that other programs load.

  export_network.py --network=faces.pkl --format=savedmodel    TensorFlow's own, for a web service
  export_network.py --network=faces.pkl --format=onnx          for ONNX Runtime, browsers, games
  export_network.py --network=faces.pkl --format=tflite --quantize=float16    for phones
  export_network.py --network=faces.pkl --format=torchstate    weights for the PyTorch port

OUTDIR/README.md says what each function takes and gives, with lines of Python that run it.
docs/export.md has sizes, errors and speeds.
"""

from __future__ import annotations

import os

from absl import flags

from cli import shared_flags, startup

FLAGS = flags.FLAGS
OF_FUNCTIONS = 'which', 'lod', 'noise', 'uint8', 'single', 'discriminator'   # flags, not of weights

shared_flags.define('network', 'which', 'lod', 'cache_dir')
flags.DEFINE_enum('format', None, ['savedmodel', 'onnx', 'tflite', 'torchstate'], 'What is '
                  'written: a SavedModel, ONNX, TensorFlow Lite, or a checkpoint of the PyTorch '
                  'port.')
flags.DEFINE_string('outdir', None, 'New directory to write. Default: out/FORMAT.')
flags.DEFINE_boolean('overwrite', False, 'Replace the export that is in OUTDIR.')
flags.DEFINE_enum('noise', 'stored', ['stored', 'input', 'none'], 'Noise of the images: the maps '
                  'stored in the network, an input for each layer, or none.')
flags.DEFINE_boolean('uint8', False, 'Images are bytes, 0..255, instead of float32, [-1, 1].')
flags.DEFINE_enum('quantize', 'none', ['none', 'float16', 'int8'], 'How TensorFlow Lite keeps '
                  'weights: as float32, as float16, or as bytes with scales.')
flags.DEFINE_boolean('single', False, 'One image at a time, instead of any number: twice as fast '
                     'with LiteRT.')
flags.DEFINE_boolean('discriminator', False, 'Also export D, as image_to_score.')
flags.mark_flags_as_required(['network', 'format'])


def check_flags():
    """ValueError where a flag is not for this --format."""
    if FLAGS.quantize != 'none' and FLAGS.format != 'tflite':
        raise ValueError(f'--quantize={FLAGS.quantize}: is for --format=tflite; leave it out.')
    for name in OF_FUNCTIONS if FLAGS.format == 'torchstate' else ():
        if FLAGS[name].value != FLAGS[name].default:
            raise ValueError(f'--{name}: is not for --format=torchstate, which is the weights of '
                             'all networks; leave it out.')


def notes_of(path):
    """{str: str}: what an export says of the network file."""
    from formats import download
    from formats.files import file_sha256
    from training import snapshot
    licence = snapshot.read_metadata(path).get('licence') or download.licence_of(path)
    return {'network': os.path.basename(path), 'sha256': file_sha256(path), 'licence': licence}


def export_functions(path, outdir):
    """Writes the functions of a network file; returns their names."""
    from export import about, forms, signatures
    from pictures.opening import chosen_generator
    from training import snapshot
    from training.sampler import Sampler
    forms.check_installed(FLAGS.format)
    file = snapshot.load(path)
    generator, lod = chosen_generator(file, path, FLAGS.which, FLAGS.lod)
    sampler, networks = Sampler(generator, lod), [generator]
    found = signatures.of_generator(sampler, FLAGS.noise, FLAGS.uint8)
    if FLAGS.discriminator:
        if file.D is None:
            raise ValueError(f'--discriminator: {path} holds Gs only; leave it out.')
        found.append(signatures.of_discriminator(file.D, sampler.level, sampler.alpha))
        networks.append(file.D)
    if FLAGS.single:
        found = [signatures.for_one_image(signature) for signature in found]
    content = about.about(sampler.config, sampler.resolution, notes_of(path), found)
    forms.export(outdir, FLAGS.format, found, networks, content, FLAGS.quantize, FLAGS.overwrite)
    return [signature.name for signature in found]


def export_weights(path, outdir):
    """Writes the weights of a network file for PyTorch; returns the names of the parts."""
    from export import about, forms
    from training import snapshot
    from training.reference import ROLES
    file = snapshot.load(path)
    networks = {role: getattr(file, role) for role in ROLES if getattr(file, role) is not None}
    content = about.about(file.Gs.config, file.Gs.config.resolution, notes_of(path))
    left_out = forms.export_weights(outdir, networks, content, file.kimg, file.lod,
                                    snapshot.read_beside(path), FLAGS.overwrite)
    for part, reason in left_out.items():
        print(f'Left out {part}: {reason}')
    return [role for role in networks if role != 'D' or not left_out]


def main(args):
    startup.refuse_positional(args)
    check_flags()
    outdir = FLAGS.outdir or os.path.join('out', FLAGS.format)
    from export.about import FOLDER
    from formats import download, folders
    folders.check(outdir, FLAGS.overwrite, FOLDER)
    startup.load_tensorflow()
    path = download.local_path(FLAGS.network, FLAGS.cache_dir)
    write = export_weights if FLAGS.format == 'torchstate' else export_functions
    names = write(path, outdir)
    print(f'Wrote {", ".join(names)} to {outdir}; README.md there says how to use them')


if __name__ == '__main__':
    startup.run(main)
