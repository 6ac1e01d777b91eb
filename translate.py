"""Translates images between domains with a StarGAN v2 network: a cat into dogs, day into night.

  translate.py --network=afhq.safetensors --source=cat.jpg --domain=dog --seeds=0-9 --trunc=0.7
  translate.py --network=afhq.safetensors --source=cats --reference=afhq/val/dog      each as each
  translate.py --network=100000_nets_ema.ckpt --source=cat.jpg --reference=rex.jpg --domain=dog
  translate.py --network=afhq.safetensors --source=cats --domain=dog --sheet          one picture
  translate.py --network=afhq.safetensors --source=cats --reference=dogs --domain=dog --film
  translate.py --network=afhq.safetensors --source=cat.jpg --seeds=7 --domain=dog --save_s=s.npz
  translate.py --network=afhq.safetensors --source=wolf.jpg --s=s.npz         in the same style

Images may be of any size: the middle square of each is scaled to that of the network. Every source
is shown in every style, a file each, unless --sheet or --film is given.
"""

import os

from absl import flags

from cli import shared_flags, startup
from pictures.latents import parse_numbers

FLAGS = flags.FLAGS
DEFAULT_SEEDS = '0-9'
COMPILED_FROM = 16   # sources; fewer are translated before a graph is made

flags.DEFINE_string('network', None, 'Translation network: a path or URL of a file of '
                    'train_translation.py, or of an official 100000_nets_ema.ckpt.')
flags.DEFINE_string('source', None, 'What is translated: an image, or a folder or zip of images.')
flags.DEFINE_list('domain', None, 'Into which domains, such as dog,cat. Default: all for seeds; of '
                  'a reference the one whose name its folder has.')
flags.DEFINE_string('seeds', None, 'Which latents the styles are of: numbers and ranges, such as '
                    f'0-35,99. Default: {DEFAULT_SEEDS}.')
flags.DEFINE_float('trunc', None, 'Truncation psi of the styles of seeds: 1 = none, 0 = the '
                   'average style of the domain. Default: 1.')
flags.DEFINE_string('reference', None, 'Instead of seeds: an image, or a folder or zip of images, '
                    'that the styles are taken from.')
flags.DEFINE_string('s', None, 'Instead of seeds: .npz file of styles that --save_s wrote.')
flags.DEFINE_string('save_s', None, 'Also write the styles to this .npz file, for --s.')
flags.DEFINE_boolean('sheet', False, 'One picture, sheet.png: sources at the top, styles below.')
flags.DEFINE_boolean('film', False, 'A film, film.mp4: from each style to the next of its domain.')
flags.DEFINE_string('outdir', 'out/translations', 'Where the pictures are written.')
shared_flags.define('face_network', 'cache_dir')
flags.mark_flags_as_required(['network', 'source'])


def check_flags():
    """ValueError for flags that do not go together."""
    given = [name for name in ('seeds', 'reference', 's') if FLAGS[name].value is not None]
    if len(given) > 1:
        raise ValueError(f'--{given[0]} and --{given[1]} both say which styles; give one of them.')
    if FLAGS.trunc is not None and given not in ([], ['seeds']):
        raise ValueError(f'--trunc is for the styles of seeds; leave it out with --{given[0]}.')
    if FLAGS.s and FLAGS.domain:
        raise ValueError('--domain is in the file that --s names; leave it out.')
    if FLAGS.reference and len(FLAGS.domain or []) > 1:
        raise ValueError('--domain must be one domain, of all references; leave it out where each '
                         'lies in the folder of its own.')
    if FLAGS.sheet and FLAGS.film:
        raise ValueError('only one of --sheet and --film may be given; run the command for each.')
    if FLAGS.save_s and not FLAGS.save_s.endswith('.npz'):
        raise ValueError(f'--save_s={FLAGS.save_s}: must end in .npz; name it {FLAGS.save_s}.npz, '
                         'say.')


def chosen_domains(domains):
    """Numbers of the domains that --domain names; None without the flag."""
    unknown = [name for name in FLAGS.domain or [] if name not in domains]
    if unknown:
        raise ValueError(f'--domain={unknown[0]}: must be one of {", ".join(domains)}, which the '
                         'network knows.')
    return FLAGS.domain and [domains.index(name) for name in FLAGS.domain]


def shown(photos, flag):
    """All Photos, or as many as a sheet or film shows."""
    from translation.sheets import SHOWN
    if not (FLAGS.sheet or FLAGS.film) or len(photos.names) <= SHOWN:
        return photos
    print(f'Showing the first {SHOWN} of {len(photos.names)} images of --{flag}.')
    return photos.first(SHOWN)


def opened():
    """(Translator, names of its domains, Photos of the sources, Photos of references or None)."""
    from formats.download import local_path
    from translation import face_masks, snapshot
    from translation.photos import open_photos
    from translation.sampler import Translator
    url = '://' in FLAGS.network
    file = snapshot.load(local_path(FLAGS.network, FLAGS.cache_dir) if url else FLAGS.network,
                         averages_only=True)
    chosen_domains(file.domains)
    sources, references = (shown(open_photos(FLAGS[flag].value, file.config.img_size, flag), flag)
                           if FLAGS[flag].value else None for flag in ('source', 'reference'))
    mask_fn = face_masks.mask_fn(file.config, FLAGS.face_network)
    compiled = FLAGS.film or len(sources.names) >= COMPILED_FROM
    return Translator(file, mask_fn, compiled=compiled), file.domains, sources, references


def chosen_styles(translator, domains, references):
    """The Styles that the flags ask for."""
    from translation import photos, styles
    chosen = chosen_domains(domains)
    if FLAGS.s:
        return styles.load(FLAGS.s, translator.config, domains)
    if references is not None:
        y = (chosen * len(references.names) if chosen else
             photos.domains(references, domains, 'reference'))
        return styles.of_references(translator, references, y)
    seeds = parse_numbers(FLAGS.seeds or DEFAULT_SEEDS, 'seeds')
    return styles.of_seeds(translator, domains, seeds, chosen or range(len(domains)),
                           1 if FLAGS.trunc is None else FLAGS.trunc)


def all_images(photos):
    return None if photos is None else photos.read(range(len(photos.names)))


def save_sheet(translator, sources, styles):
    from formats.png import save_png
    from translation import sheets
    images, references = all_images(sources), all_images(styles.references)
    if references is None:
        sheet = sheets.by_styles(translator, images, [styles.s[part] for part in styles.groups()])
    else:
        sheet = sheets.reference_sheet(translator, images, references, styles.s)
    path = os.path.join(FLAGS.outdir, 'sheet.png')
    save_png(path, sheet)
    print(f'Wrote {path}')


def save_film(translator, sources, styles):
    import tqdm

    from pictures import mp4
    from translation import films
    count = films.num_frames(films.ways(styles.y))
    frames = films.frames(translator, all_images(sources), styles.s, styles.y,
                          all_images(styles.references))
    path = os.path.join(FLAGS.outdir, 'film.mp4')
    mp4.write_mp4(path, tqdm.tqdm(frames, 'Frames', count), films.FPS)
    print(f'Wrote {path}: {count} frames, {count / films.FPS:.1f} seconds')


def save_images(translator, sources, styles):
    """A file for each source in each style, SOURCE_STYLE.png."""
    from formats.png import save_png
    titles = sources.titles()
    for numbers in sources.in_parts(translator.minibatch):
        images = translator.combinations(sources.read(numbers), styles.s)
        for number, row in zip(numbers, images):
            for title, image in zip(styles.titles, row):
                name = f'{titles[number]}_{title}.png'.replace('/', '-').replace(os.sep, '-')
                save_png(os.path.join(FLAGS.outdir, name), image)
    print(f'Wrote {len(titles) * len(styles.s)} images to {FLAGS.outdir}')


def main(args):
    startup.refuse_positional(args)
    check_flags()
    startup.load_tensorflow()
    translator, domains, sources, references = opened()
    styles = chosen_styles(translator, domains, references)
    if FLAGS.film:
        from translation import films
        films.ways(styles.y)
    os.makedirs(FLAGS.outdir, exist_ok=True)
    if FLAGS.save_s:
        from translation.styles import save as save_styles
        os.makedirs(os.path.dirname(FLAGS.save_s) or '.', exist_ok=True)
        save_styles(FLAGS.save_s, styles, domains)
        print(f'Wrote {FLAGS.save_s}')
    save = save_sheet if FLAGS.sheet else save_film if FLAGS.film else save_images
    save(translator, sources, styles)


if __name__ == '__main__':
    startup.run(main)
