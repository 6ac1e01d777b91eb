"""translate.py: images in the styles of latents, references and files; bad input is one line."""

import dataclasses

import feature_files
import numpy as np
import PIL.Image
import pytest
from commands import results_of
from parity_data import PARITY
from small_translation import small_networks
from test_translation_wing import face_network

from translation import reference, snapshot
from translation.sampler import Translator, to_still
from translation.state import TranslationState

DOMAINS = ('day', 'night')
RANDOM = np.random.RandomState(2)


def image_file(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.randint(256, size=[height, width, 3], dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    return pixels


def input_files(folder):
    """What the command lines below work on."""
    image_file(folder / 'photo.png', 48, 32)
    image_file(folder / 'sources/a.jpg', 40, 40)
    image_file(folder / 'sources/b/a.png', 20, 70)
    for k in range(2):
        image_file(folder / f'references/night/{k}.png', 32, 32)
        image_file(folder / f'references/day/{k}.png', 32, 32)
    (folder / 'broken').mkdir()
    (folder / 'broken/bad.png').write_bytes(b'\x89PNG, no more')
    np.savez(folder / 'other.npz', s=np.zeros([1, 3]), domains=['day'])
    np.savez(folder / 'evil.npz', s=np.zeros([1, 4]), domains=['../dusk'])
    plain = small_networks(DOMAINS)
    masks = TranslationState(dataclasses.replace(plain.config, w_hpf=2.0))  # to train on, too
    for name, networks in (('plain', plain), ('masks', masks)):
        snapshot.save(folder / f'{name}.safetensors', networks, DOMAINS)
    feature_files.write_zip_pth(folder / 'wing.ckpt', {
        'epoch': 3, 'state_dict': {**reference.variables(face_network()),
                                   'more': np.ones(1, np.float32)}})
    feature_files.write_zip_pth(folder / 'no-wing.ckpt', {'state_dict': {
        'conv1.conv.weight': np.ones([1, 2], np.float32)}})


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('translate')
    input_files(folder)
    plain, masks = (f'--network={folder}/{name}.safetensors' for name in ('plain', 'masks'))
    photo, sources = f'--source={folder}/photo.png', f'--source={folder}/sources'
    references, npz = f'--reference={folder}/references', f'={folder}/saved/s.npz'
    lines = {
        'seeds': [plain, photo, '--domain=night', '--seeds=0-2', '--trunc=0.5', f'--save_s{npz}'],
        's': [plain, photo, f'--s{npz}'],
        'all': [plain, sources, '--seeds=4'],
        'references': [plain, photo, references],
        'reference': [plain, photo, f'{references}/day/1.png', '--domain=night'],
        'folder': [plain, photo, f'{references}/day'],
        'sheet': [plain, sources, references, '--sheet'],
        'latent_sheet': [plain, sources, '--seeds=0-1', '--sheet'],
        'film': [plain, sources, f'{references}/day', '--film'],
        'no_masks': [masks, photo, '--seeds=0'],
        'masks': [masks, photo, '--seeds=0', f'--face_network={folder}/wing.ckpt'],
        'unknown': [plain, photo, '--domain=dusk'],
        'stylegan': [f'--network={PARITY}/digits/network-final.pkl', photo],
        'nowhere': [f'--network={folder}/nothing.safetensors', photo],
        'no_source': [plain, f'--source={folder}/nothing.jpg'],
        'bad_source': [plain, f'--source={folder}/broken'],
        'no_domain': [plain, photo, f'--reference={folder}/sources'],
        'two_styles': [plain, photo, references, '--seeds=1'],
        'two_domains': [plain, photo, references, '--domain=day,night'],
        'trunc': [plain, photo, references, '--trunc=0.7'],
        's_domain': [plain, photo, f'--s{npz}', '--domain=day'],
        's_nowhere': [plain, photo, '--s=nothing.npz'],
        's_other': [plain, photo, f'--s={folder}/other.npz'],
        's_evil': [plain, photo, f'--s={folder}/evil.npz'],
        'save_name': [plain, photo, '--save_s=styles'],
        'seed': [plain, photo, '--seeds=x'],
        'both': [plain, photo, '--sheet', '--film'],
        'short_film': [plain, photo, '--seeds=1', '--film'],
        'no_high_pass': [plain, photo, f'--face_network={folder}/wing.ckpt'],
        'no_face_network': [masks, photo, f'--face_network={folder}/nothing.ckpt'],
        'bad_face_network': [masks, photo, f'--face_network={folder}/no-wing.ckpt'],
    }
    results = results_of('translate', [[*line, f'--outdir={folder}/out/{name}']
                                       for name, line in lines.items()])
    return folder, dict(zip(lines, results))


def written(outcomes, case):
    """{file name: uint8 image} of what a command line wrote."""
    folder, results = outcomes
    assert results[case][0] == 0, results[case][2]
    return {path.name: np.asarray(PIL.Image.open(path))
            for path in sorted((folder / 'out' / case).iterdir()) if path.suffix == '.png'}


def expected_image(folder, source, draw_style):
    """Photo `source`, its middle square scaled, in the style that draw_style(Translator) gives."""
    translator = Translator(snapshot.load(folder / 'plain.safetensors'), compiled=False)
    image = PIL.Image.open(folder / source)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop([left, top, left + side, top + side]).resize([32, 32], 2)
    pixels = np.asarray(image, np.float32)[np.newaxis] / 127.5 - 1
    return translator.images(pixels, draw_style(translator), to_still)[0]


def assert_same_image(image, expected):
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_a_photo_of_any_size_is_shown_in_the_style_of_each_seed(outcomes):
    images = written(outcomes, 'seeds')
    assert list(images) == [f'photo_night-seed000{seed}.png' for seed in range(3)]
    z = np.random.RandomState(2).randn(1, 4)
    assert_same_image(images['photo_night-seed0002.png'], expected_image(
        outcomes[0], 'photo.png', lambda translator: translator.styles_of_latents(z, 1, 0.5)))


def test_saved_styles_bring_the_images_back(outcomes):
    images, again = written(outcomes, 'seeds'), written(outcomes, 's')
    assert list(again) == [f'photo_night-style000{number}.png' for number in range(3)]
    for first, second in zip(images.values(), again.values()):
        np.testing.assert_array_equal(first, second)


def test_without_a_domain_seeds_go_to_all_and_folders_keep_names_apart(outcomes):
    assert list(written(outcomes, 'all')) == [
        'a_day-seed0004.png', 'a_night-seed0004.png',
        'b-a_day-seed0004.png', 'b-a_night-seed0004.png']


def test_references_are_of_the_domain_of_their_folder_or_of_the_flag(outcomes):
    images = written(outcomes, 'references')
    assert list(images) == [f'photo_{name}.png' for name in ('day-0', 'day-1', 'night-0',
                                                             'night-1')]
    folder = written(outcomes, 'folder')
    assert list(folder) == ['photo_0.png', 'photo_1.png']
    np.testing.assert_array_equal(folder['photo_1.png'], images['photo_day-1.png'])

    pixels = np.asarray(PIL.Image.open(outcomes[0] / 'references/day/1.png'), np.float32)
    one = pixels[np.newaxis] / 127.5 - 1
    for y, image in ((0, images['photo_day-1.png']),
                     (1, written(outcomes, 'reference')['photo_1.png'])):
        assert_same_image(image, expected_image(
            outcomes[0], 'photo.png',
            lambda translator, y=y: translator.styles_of_images(one, y)))


def test_a_sheet_is_one_picture(outcomes):
    [(name, sheet)] = written(outcomes, 'sheet').items()
    assert name == 'sheet.png' and sheet.shape == (5 * 264, 3 * 264, 3)
    [sheet] = written(outcomes, 'latent_sheet').values()
    assert sheet.shape == (5 * 264 + 2 * 24 - 8, 2 * 264 - 8, 3)


def test_a_film_is_one_file(outcomes):
    folder, results = outcomes
    assert results['film'][0] == 0, results['film'][2]
    [path] = (folder / 'out/film').iterdir()
    assert path.name == 'film.mp4' and b'ftyp' in path.read_bytes()[:16]
    assert '98 frames' in results['film'][1]


def test_masks_count_where_a_face_network_is_given_and_their_lack_is_said(outcomes):
    assert 'Without --face_network' in outcomes[1]['no_masks'][1]
    assert 'Without --face_network' not in outcomes[1]['masks'][1]
    with_masks, without = written(outcomes, 'masks'), written(outcomes, 'no_masks')
    assert list(with_masks) == list(without)
    assert not np.array_equal(with_masks['photo_day-seed0000.png'],
                              without['photo_day-seed0000.png'])


@pytest.mark.parametrize('case, error', [
    ('unknown', '--domain=dusk: must be one of day, night'),
    ('stylegan', 'which generate.py takes'), ('nowhere', 'there is no such network file'),
    ('no_source', 'nothing.jpg: there is no such file or folder'),
    ('bad_source', '1 images cannot be used: bad.png'), ('no_domain', 'a.jpg is of no domain'),
    ('two_styles', '--seeds and --reference both say'), ('two_domains', 'must be one domain'),
    ('trunc', '--trunc is for the styles of seeds'), ('s_domain', '--domain is in the file'),
    ('s_nowhere', '--s=nothing.npz: there is no such file'), ('s_other', 's must be [N, 4]'),
    ('s_evil', 'a style of the domain ../dusk'), ('save_name', 'must end in .npz'),
    ('seed', '--seeds=x: must be integers'), ('both', 'only one of --sheet and --film'),
    ('short_film', 'give two seeds or references'), ('no_high_pass', 'Leave the flag out'),
    ('no_face_network', 'there is no such face network'),
    ('bad_face_network', 'conv1.conv.weight must be [64, 6, 7, 7]')])
def test_errors_are_one_line_and_come_before_anything_is_written(outcomes, case, error):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and errors.startswith('translate.py: error: ') and error in errors
    assert errors.count('\n') == 1 and not (folder / 'out' / case).exists()
