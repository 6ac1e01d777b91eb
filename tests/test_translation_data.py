"""Domains on the disk, and the balanced streams of training."""

import collections
import itertools
import shutil

import numpy as np
import pytest
from PIL import Image

from conversion import decode, from_images
from training.dataset import plain_errors
from translation.data import (
    DomainImages,
    TranslationStream,
    augmented,
    check_validation,
    crop_box,
    held_out,
    open_images,
    pixels,
)

SIZES = {'cat': 9, 'dog': 3, 'wild': 5}
RULES = decode.Rules(resolution=16, crop='center')
COLOURS = {'cat': (250, 0, 0), 'dog': (0, 250, 0), 'wild': (0, 0, 250)}


def write_domains(path, sizes=SIZES):
    """Images of any format and size, each domain in its colour, brighter to the right."""
    for domain, count in sizes.items():
        for i in range(count):
            suffix = ('png', 'jpg', 'webp')[i % 3]
            folder = path / domain / ('more' if i == 1 else '.')
            folder.mkdir(parents=True, exist_ok=True)
            ramp = np.linspace(0.2, 1, 40 + i)[None, :, None] * np.ones([30 + 2 * i, 1, 1])
            image = Image.fromarray((ramp * COLOURS[domain]).astype(np.uint8))
            image.save(folder / f'{i}.{suffix}')
    return path


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_domains(tmp_path_factory.mktemp('data') / 'train')


def stream_of(images, seed=1, **options):
    return TranslationStream(images, **{'img_size': 16, 'latent_dim': 4, 'randcrop_prob': 0.5,
                                        'seed': seed, **options})


def test_domains_are_the_folders_in_sorted_order(folder):
    images = open_images(folder)
    assert images.domains == ('cat', 'dog', 'wild')
    assert [len(members) for members in images.members] == [9, 3, 5]
    assert images.count == 17
    for domain, members in zip(images.domains, images.members):
        assert all(member.startswith(f'{domain}/') for member in members)
        brightest = np.asarray(images.read(members[0])).max(axis=(0, 1))
        assert brightest.argmax() == np.argmax(COLOURS[domain])


def test_a_labelled_data_set_has_the_domains_of_its_folders(folder, tmp_path):
    from_images.create(str(tmp_path / 'set'), str(folder), from_images.Options(
        rules=RULES, labels='folders'))
    images = open_images(tmp_path / 'set')
    assert images.domains == ('cat', 'dog', 'wild')
    assert [len(members) for members in images.members] == [9, 3, 5]
    for domain, members in zip(images.domains, images.members):
        image = np.asarray(images.read(members[0]))
        assert image.shape == (16, 16, 3)
        assert image.max(axis=(0, 1)).argmax() == np.argmax(COLOURS[domain])


def test_a_data_set_without_labels_is_refused(folder, tmp_path):
    from_images.create(str(tmp_path / 'set'), str(folder), from_images.Options(
        rules=RULES, labels='none'))
    with pytest.raises(ValueError, match='--labels=folders'):
        open_images(tmp_path / 'set')


@pytest.mark.parametrize('make, message', [
    (lambda path: write_domains(path, {'cat': 2}), r'one domain only \(cat\).*two or more'),
    (lambda path: (write_domains(path), (path / 'fox').mkdir()), r'fox: a domain without images'),
    (lambda path: (write_domains(path), Image.new('RGB', (4, 4)).save(path / 'stray.png')),
     r'outside of the domain folders \(stray.png\)'),
    (lambda path: (write_domains(path / 'train'), write_domains(path / 'val')),
     r'holds train, val, no domains; give the folder train itself'),
    (lambda path: write_domains(path / 'pets', {'cat': 1, 'dog': 1}),
     r'holds the one folder pets, with cat, dog in it; if these are the domains, give .*/pets$'),
    (lambda path: (write_domains(path), (path / 'cat' / 'broken.png').write_bytes(b'no image')),
     r'1 images cannot be used: cat/broken.png is not an image.*; remove'),
    (lambda path: None, 'no such folder')])
def test_what_cannot_be_trained_on_is_refused_with_the_folder_and_the_remedy(tmp_path, make,
                                                                            message):
    make(tmp_path / 'data')
    with pytest.raises(ValueError, match=message) as caught:
        open_images(tmp_path / 'data')
    assert str(tmp_path / 'data') in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_zip_of_the_folder_of_the_domains_is_refused_with_the_remedy(folder, tmp_path):
    path = shutil.make_archive(tmp_path / 'pets', 'zip', folder.parent, folder.name)
    with pytest.raises(ValueError, match='one folder train, with cat, dog, wild in it; .* zip of'):
        open_images(path)
    path = shutil.make_archive(tmp_path / 'good', 'zip', folder)
    assert open_images(path).domains == ('cat', 'dog', 'wild')


def test_training_and_validation_must_have_the_same_domains():
    def images(path, *domains):
        return DomainImages(path, domains, ((),) * len(domains), None)

    check_validation(images('train', 'a', 'b'), images('val', 'a', 'b'))
    with pytest.raises(ValueError, match='val has the domain c, which train lacks'):
        check_validation(images('train', 'a', 'b'), images('val', 'a', 'b', 'c'))
    with pytest.raises(ValueError, match='train has the domain b, which val lacks.*--holdout'):
        check_validation(images('train', 'a', 'b'), images('val', 'a'))


def test_held_out_images_are_of_all_domains_and_stay_held_out(folder, tmp_path):
    images = open_images(folder)
    train, val = held_out(images, 0.3)
    assert [len(members) for members in val.members] == [3, 1, 2]
    for all_of, *parts in zip(images.members, train.members, val.members):
        assert sorted(itertools.chain(*parts)) == sorted(all_of)
    assert held_out(images, 0.3)[1].members == val.members
    assert [len(members) for members in held_out(images, 0.999)[0].members] == [1, 1, 1]
    with pytest.raises(ValueError, match='--holdout must be'):
        held_out(images, 1.0)
    with pytest.raises(ValueError, match='dog has one image'):
        held_out(open_images(write_domains(tmp_path, {'cat': 3, 'dog': 1})), 0.3)


def test_streams_are_balanced_and_independent_of_each_other(folder):
    stream = stream_of(open_images(folder, check=False))
    choices = [stream.choices(position)[0] for position in range(3000)]
    pairs = collections.Counter((source[0], target[0]) for source, target, _ in choices)
    assert len(pairs) == 9
    assert all(abs(count - 3000 / 9) < 4 * np.sqrt(3000 / 9) for count in pairs.values())
    for place in range(3):
        images = collections.Counter(choice[place] for choice in choices)
        assert len(images) == 17
        for (domain, _), count in images.items():
            expected = 1000 / len(stream.images.members[domain])
            assert abs(count - expected) < 5 * np.sqrt(expected)
    assert all(target[0] == second[0] for _, target, second in choices)
    different = np.mean([target[1] != second[1] for _, target, second in choices
                         if target[0] == 0])
    assert different == pytest.approx(8 / 9, abs=0.05)


def test_latents_are_normal_and_differ():
    stream = stream_of(DomainImages('', ('a', 'b'), ((0,), (1,)), None))
    latents = np.stack([stream.choices(position)[1] for position in range(2000)])
    assert np.abs(latents.mean(axis=0)).max() < 0.12
    assert np.abs(latents.std(axis=0) - 1).max() < 0.1
    assert np.abs(np.mean(latents[:, 0] * latents[:, 1])) < 0.05


def test_a_position_says_all_of_its_row(folder):
    stream, same = (stream_of(open_images(folder, check=False)) for _ in range(2))
    other = stream_of(open_images(folder, check=False), seed=2)
    differ = 0
    for position in (0, 7, 10 ** 9):
        for a, b, c in zip(stream.row(position), same.row(position), other.row(position)):
            np.testing.assert_array_equal(a, b)
            differ += not np.array_equal(a, c)
    assert differ > 15


def test_batches_go_on_where_another_stream_stopped_and_can_be_shared(folder):
    stream = stream_of(open_images(folder, check=False))
    first, second = itertools.islice(stream.batches(4, 0), 2)
    resumed = next(iter(stream.batches(4, 4)))
    shares = [next(iter(stream.batches(4, 4, (number, 2)))) for number in range(2)]
    for name, whole in second._asdict().items():
        np.testing.assert_array_equal(getattr(resumed, name), whole)
        np.testing.assert_array_equal(np.concatenate([getattr(share, name) for share in shares]),
                                      whole)
    assert not np.array_equal(first.z_trg, second.z_trg)
    assert second.x_real.shape == [4, 16, 16, 3] and second.x_real.dtype == 'float32'
    assert second.y_org.dtype == second.y_trg.dtype == 'int32'
    assert -1 <= np.min(second.x_real) < 0 < np.max(second.x_real) <= 1
    for images, labels in ((second.x_real, second.y_org), (second.x_ref, second.y_trg),
                           (second.x_ref2, second.y_trg)):
        np.testing.assert_array_equal(np.max(images, axis=(1, 2)).argmax(axis=1), labels)


def test_an_image_damaged_later_ends_the_stream_in_one_line(tmp_path):
    images = open_images(write_domains(tmp_path, {'cat': 1, 'dog': 1}))
    (tmp_path / 'cat' / '0.png').write_bytes(b'')
    with pytest.raises(ValueError, match=r'cat/0.png: is empty') as caught, plain_errors():
        list(itertools.islice(stream_of(images).batches(8, 0), 1))
    assert '\n' not in str(caught.value)


def test_crops_have_the_area_and_the_ratio_of_the_paper():
    rng = np.random.default_rng(0)
    boxes = np.array([crop_box((512, 512), rng) for _ in range(2000)])
    assert boxes.min() >= 0 and boxes.max() <= 512
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area, ratio = width * height / 512 ** 2, width / height
    assert 0.795 < area.min() < 0.81 and 0.97 < area.max() <= 1
    assert 0.895 < ratio.min() < 0.92 and 1.08 < ratio.max() < 1.105
    assert len(set(boxes[:, 0])) > 40 and len(set(boxes[:, 1])) > 40


def test_where_no_crop_fits_the_largest_of_an_allowed_ratio_is_taken():
    rng = np.random.default_rng(0)
    assert crop_box((400, 100), rng) == (145, 0, 255, 100)
    assert crop_box((100, 400), rng) == (0, 144, 100, 255)


def test_half_of_the_images_are_cropped_and_half_are_flipped():
    image = Image.fromarray(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None]
                            * np.ones([64, 1, 3], np.uint8))
    whole = pixels(image, 16)
    flipped = kept = 0
    for seed in range(400):
        array = augmented(image, 16, 0.5, np.random.default_rng(seed))
        is_flipped = int(array[0, 0, 0]) > int(array[0, -1, 0])
        flipped += is_flipped
        kept += np.array_equal(array[:, ::-1] if is_flipped else array, whole)
    assert flipped == pytest.approx(200, abs=40)
    assert kept == pytest.approx(200, abs=40)


def test_images_are_made_smaller_with_antialiasing():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8)[None, :, None], [64, 32, 3]))
    assert np.abs(pixels(stripes, 16)[:, 1:-1].astype(int) - 127).max() <= 1
