"""Surgery: networks in another shape do what the old ones did, as far as the shapes agree."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf
from small_data import SMALL_OPTIONS

from runs import directory
from training import plan, snapshot, starting, surgery
from training.build import build_network
from training.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)
from training.config_json import to_json
from training.layers import named_variables, upscale2d
from training.presets import run_config
from training.reference import variables
from training.schedule import training_schedule
from training.snapshot import Snapshot

SHAPE = {'resolution': 16, 'fmap_base': 64, 'fmap_max': 8}
MAPPING = {'dlatent_size': 8, 'mapping_fmaps': 8, 'mapping_layers': 2}
LATENT = 8
FAMILIES = {
    'stylegan': (GeneratorConfig, DiscriminatorConfig, MAPPING, {}),
    'unscaled': (GeneratorConfig, DiscriminatorConfig,
                 {**MAPPING, 'use_wscale': False, 'normalize_latents': False},
                 {'use_wscale': False}),
    'progan': (ProganGeneratorConfig, ProganDiscriminatorConfig, {}, {}),
    'progan-unscaled': (ProganGeneratorConfig, ProganDiscriminatorConfig, {'use_wscale': False},
                        {'use_wscale': False, 'fused_scale': False})}
every_family = pytest.mark.parametrize('family', FAMILIES)


def random_network(config, seed):
    """A network with every variable drawn, so that biases and noise strengths count too."""
    network = build_network(config)
    for number, (name, variable) in enumerate(named_variables(network).items()):
        spread = 1.0 if 'weight' in name or 'noise' in name else 0.3
        variable.assign(spread * tf.random.stateless_normal(variable.shape, [seed, number]))
    return network


def trained(family='stylegan', **shape):
    """A Snapshot whose Gs is not its G."""
    G_class, D_class, G_options, D_options = FAMILIES[family]
    shape = {**SHAPE, 'num_channels': 1, **shape}
    G = G_class(**shape, latent_size=LATENT, **G_options)
    return Snapshot(random_network(G, 1), random_network(D_class(**shape, **D_options), 2),
                    random_network(G, 3), kimg=7.0, lod=0.0)


def operated(old, **shape):
    """(networks in the shape, what became of them)."""
    wanted = dataclasses.replace(old.G.config, **shape)
    return surgery.operated(old, wanted, surgery.needed(old.G.config, wanted), 5)


def generators(old, new):
    return [(old.G, new.G), (old.Gs, new.Gs)]


def z_of(count=4):
    return tf.random.stateless_normal([count, LATENT], [8, 8])


def drawn(G, lod=0.0, labels=None):
    """Images of one z each, without what chance or truncation would change."""
    options = {'truncation_psi': 1.0, 'randomize_noise': False} if G.has_w else {}
    return G(z_of(), labels, lod=lod, **options)


def pictures(size=16, channels=1):
    return tf.random.stateless_uniform([4, size, size, channels], [9, 9], -1, 1)


def gray_of(images):
    return tf.reduce_sum(images * surgery.LUMA.astype(np.float32), axis=-1, keepdims=True)


def assert_close(ours, theirs, tolerance=2e-5):
    scale = max(1.0, float(tf.reduce_max(tf.abs(theirs))))
    np.testing.assert_allclose(ours, theirs, atol=tolerance * scale)


# Resolution

def in_names_of(values, finer):
    """{variable: array} with the lods of a network that is so many resolutions finer."""
    return {name if 'RGB_lod' not in name else
            name.replace(name.split('RGB_lod')[1][0], str(int(name.split('RGB_lod')[1][0]) + finer),
                         1): value for name, value in values.items()}


@every_family
@pytest.mark.parametrize('finer', [1, 2, -1])
def test_a_layer_of_a_size_that_both_have_is_kept_to_the_last_bit(family, finer):
    old = trained(family)
    new, fates = operated(old, resolution=2 ** (4 + finer))
    for part, network, its in [('G', old.G, new.G), ('D', old.D, new.D), ('G', old.Gs, new.Gs)]:
        before, after = in_names_of(variables(network), finer), variables(its)
        kept = {name for name, fate in fates[part].items() if fate == surgery.KEPT}
        assert kept == set(before) & set(after)
        for name in kept:
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
        fate = surgery.MADE if finer > 0 else surgery.DROPPED
        assert set(fates[part].values()) == {surgery.KEPT, fate}
    if family == 'stylegan':
        np.testing.assert_array_equal(new.Gs.dlatent_avg, old.Gs.dlatent_avg)


@every_family
@pytest.mark.parametrize('finer', [1, 2])
def test_a_grown_network_begins_with_exactly_the_old_images(family, finer):
    old = trained(family)
    new, _ = operated(old, resolution=16 << finer)
    for before, after in generators(old, new):
        np.testing.assert_array_equal(drawn(after, lod=float(finer)), drawn(before))


@every_family
def test_at_the_start_of_the_fade_the_old_images_are_upscaled(family):
    old = trained(family)
    new, _ = operated(old, resolution=32)
    for before, after in generators(old, new):
        assert_close(drawn(after, lod=1 - 1e-7), upscale2d(drawn(before)))


@every_family
def test_a_grown_discriminator_gives_the_old_scores(family):
    old = trained(family)
    new, _ = operated(old, resolution=32)
    images = pictures()
    np.testing.assert_array_equal(new.D(images, lod=1.0), old.D(images))
    assert_close(new.D(upscale2d(images), lod=1 - 1e-7), old.D(images))


def test_a_coarser_network_draws_and_scores_as_the_old_one_at_that_level():
    old = trained()
    new, _ = operated(old, resolution=8)
    np.testing.assert_array_equal(drawn(new.G), drawn(old.G, lod=1.0))
    np.testing.assert_array_equal(new.D(pictures(8)), old.D(pictures(8), lod=1.0))


def test_what_is_made_is_fresh_the_same_in_gs_and_follows_from_the_seed():
    old = trained()
    wanted = dataclasses.replace(old.G.config, resolution=32)
    first, again, another = (surgery.operated(old, wanted, ('resolution',), seed)[0]
                             for seed in (5, 5, 6))
    name = 'G_synthesis/32x32/Conv1/weight'
    made = variables(first.G)[name]
    assert abs(made.std() - 1) < 0.1 and abs(made.mean()) < 0.1
    for other in (first.Gs, again.G):
        np.testing.assert_array_equal(variables(other)[name], made)
    assert not np.array_equal(variables(another.G)[name], made)


# Channels

@every_family
def test_gray_of_rgb_draws_the_luma_and_reads_a_gray_picture_as_its_rgb_copy(family):
    old = trained(family, num_channels=3)
    new, fates = operated(old, num_channels=1)
    for before, after in generators(old, new):
        for lod in (0.0, 0.5, 2.0):
            assert_close(drawn(after, lod), gray_of(drawn(before, lod)))
    for lod, size in ((0.0, 16), (0.5, 16), (2.0, 4)):
        assert_close(new.D(pictures(size), lod=lod),
                     old.D(tf.repeat(pictures(size), 3, axis=-1), lod=lod))
    assert not {surgery.MADE, surgery.DROPPED} & {*fates['G'].values(), *fates['D'].values()}


@every_family
def test_rgb_of_gray_draws_and_reads_gray_rgb_pictures_as_before(family):
    old = trained(family)
    new, _ = operated(old, num_channels=3)
    for before, after in generators(old, new):
        np.testing.assert_array_equal(drawn(after), tf.repeat(drawn(before), 3, axis=-1))
    assert_close(new.D(tf.repeat(pictures(), 3, axis=-1)), old.D(pictures()))
    colours = pictures(channels=3)
    assert_close(new.D(colours), old.D(gray_of(colours)))


@every_family
def test_to_rgb_and_back_is_what_it_was(family):
    old = trained(family)
    back, _ = operated(operated(old, num_channels=3)[0], num_channels=1)
    for part in ('G', 'D', 'Gs'):
        for name, array in variables(getattr(old, part)).items():
            np.testing.assert_allclose(variables(getattr(back, part))[name], array, rtol=1e-6,
                                       err_msg=name)


# Labels

def one_hot(size):
    return tf.one_hot([0, 1, 2, 1], size)


@every_family
def test_a_label_of_zeros_draws_what_there_was_without_labels(family):
    old = trained(family)
    new, fates = operated(old, label_size=3)
    for before, after in generators(old, new):
        assert_close(drawn(after, labels=tf.zeros([4, 3])), drawn(before), 1e-4)
        assert not np.allclose(drawn(after, labels=one_hot(3)), drawn(before), atol=0.01)
    if 'progan' not in family:
        assert fates['G']['G_mapping/LabelConcat/weight'] == surgery.MADE
    back, _ = operated(new, label_size=0)
    for before, after in generators(old, back):
        assert_close(drawn(after), drawn(before), 1e-4)


@every_family
def test_scores_are_replicated_over_the_classes_and_averaged_without_them(family):
    old = trained(family)
    with_labels, _ = operated(old, label_size=3)
    assert_close(with_labels.D(pictures(), one_hot(3)), old.D(pictures()))
    old = trained(family, label_size=3)
    without, _ = operated(old, label_size=0)
    of_classes = [old.D(pictures(), tf.one_hot([number] * 4, 3)) for number in range(3)]
    assert_close(without.D(pictures()), tf.reduce_mean(of_classes, axis=0))
    others, _ = operated(old, label_size=5)
    assert_close(others.D(pictures(), one_hot(5)), tf.reduce_mean(of_classes, axis=0))


@pytest.mark.parametrize('family', ['stylegan', 'progan'])
def test_the_rows_of_z_are_kept_to_the_last_bit_where_the_input_is_normalized(family):
    old = trained(family)
    new, fates = operated(old, label_size=3)
    name = surgery.LABELLED[family == 'progan']
    assert fates['G'][name] == surgery.ADAPTED
    np.testing.assert_array_equal(variables(new.G)[name][:LATENT], variables(old.G)[name])
    assert variables(new.G)[name][LATENT:].std() > 0.5


def test_all_three_at_once():
    old = trained()
    new, fates = operated(old, resolution=32, num_channels=3, label_size=4)
    assert_close(drawn(new.Gs, 1.0, tf.zeros([4, 4])), tf.repeat(drawn(old.Gs), 3, axis=-1), 1e-4)
    assert_close(new.D(tf.repeat(pictures(), 3, axis=-1), one_hot(4), lod=1.0), old.D(pictures()))
    assert surgery.table(fates, new.G.config) == [
        ('G', 'kept', 'G_mapping, G_synthesis/4x4-16x16, dlatent_avg'),
        ('G', 'adapted', 'G_mapping/Dense0, G_synthesis/ToRGB at 4x4-16x16'),
        ('G', 'made', 'G_mapping/LabelConcat, G_synthesis/32x32, G_synthesis/ToRGB at 32x32'),
        ('D', 'kept', '4x4-16x16'),
        ('D', 'adapted', 'FromRGB at 4x4-16x16, 4x4/Dense1'),
        ('D', 'made', 'FromRGB at 32x32, 32x32')]


def test_the_table_names_what_is_dropped_by_its_size():
    new, fates = operated(trained(), resolution=8)
    assert ('G', 'dropped', 'G_synthesis/16x16, G_synthesis/ToRGB at 16x16') in surgery.table(
        fates, new.G.config)


# As --surgery

@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """{name: path} of network files of 8x8 or 16x16 pixels."""
    folder, found = tmp_path_factory.mktemp('networks'), {}
    for name, networks in {
            'gray8': trained(resolution=8), 'rgb8': trained(resolution=8, num_channels=3),
            'gray16': trained(), 'labels8': trained(resolution=8, label_size=3),
            'rgba8': trained(resolution=8, num_channels=4),
            'growing16': trained()._replace(lod=0.5),
            'progan16': trained('progan')}.items():
        found[name] = str(folder / f'{name}.safetensors')
        snapshot.save(found[name], *networks)
    return found


@pytest.fixture
def outdir(tmp_path):
    return str(tmp_path / 'results')


GROWING = {'lod_initial_resolution': 4, 'lod_training_kimg': 20, 'lod_transition_kimg': 10,
           'total_kimg': 500}


def starts(outdir, *surgeries, resolution=8, named=(), **options):
    """Starts of a command whose data are gray, without labels."""
    config = run_config('digits', 'datasets/dots', resolution, 1, 0,
                        {**SMALL_OPTIONS, **GROWING, **options})
    return starting.Starts(config, outdir, surgeries, named)


def test_without_the_flag_the_table_says_which_would_do(outdir, files):
    with pytest.raises(ValueError) as error:
        starts(outdir).find(files['gray16'])
    assert str(error.value).splitlines()[1:] == [
        '  G.resolution: gray16.safetensors: 16 | this command: 8',
        'Use a data set (and options) that fit, or another network, or have this one changed by '
        '--surgery=resolution; nothing was written.']
    with pytest.raises(ValueError, match='(?s)num_channels.*by --surgery=resolution,channels;'):
        starts(outdir, 'resolution', resolution=16).find(files['rgb8'])
    with pytest.raises(ValueError) as error:   # surgery would not do it
        starts(outdir).find(files['progan16'])
    assert '--surgery' not in str(error.value)


def test_the_architecture_is_the_files_and_the_shape_that_of_the_data(outdir, files):
    start = starts(outdir, 'channels', fmap_max=4).find(files['rgb8'])
    shape = {'resolution': 8, 'num_channels': 1, 'label_size': 0, 'fmap_max': 8}
    for config in (start.config.G, start.config.D, start.initial.G.config, start.initial.D.config,
                   start.initial.Gs.config):
        assert {name: getattr(config, name) for name in shape} == shape
    assert start.config.G.mapping_layers == 2


@pytest.mark.parametrize('name, resolution, kimg, lod', [
    ('gray8', 16, 50, 1), ('gray8', 32, 50, 2), ('gray16', 32, 80, 1),
    ('growing16', 32, 50, 2)])   # whose layers of 16x16 are not trained to the end
def test_finer_layers_begin_to_fade_in_where_the_run_starts(outdir, files, name, resolution, kimg,
                                                            lod):
    start = starts(outdir, 'resolution', resolution=resolution).find(files[name])
    assert start.kimg == kimg
    sched = training_schedule(int(kimg * 1000), resolution, 1, start.config.schedule)
    assert (sched.lod, sched.alpha) == (lod, 0)
    assert training_schedule(int(kimg * 1000) + 8, resolution, 1, start.config.schedule).lod < lod
    assert f'where {resolution >> (lod - 1)}x{resolution >> (lod - 1)} begins' in start.description
    told = starts(outdir, 'resolution', resolution=resolution).find(files[name], resume_kimg=3)
    assert told.kimg == 3 and 'begins' not in told.description


def test_coarser_or_other_channels_start_where_full_resolution_has_faded_in(outdir, files):
    assert starts(outdir, 'resolution').find(files['gray16']).kimg == 30
    assert starts(outdir, 'channels').find(files['rgb8']).kimg == 30


def test_the_same_command_goes_on_with_the_run(outdir, files):
    first = starts(outdir, 'resolution', 'labels').find(files['gray16'])
    run_dir = starts(outdir).make_run_dir(first)
    directory.save_options(run_dir, to_json(first.config))
    os.makedirs(os.path.join(run_dir, directory.CHECKPOINTS, 'checkpoint-30064'))
    for surgeries in (('resolution', 'labels'), ('resolution',)):
        again = starts(outdir, *surgeries).find(files['gray16'])
        assert (again.run_dir, again.initial, again.config) == (run_dir, None, first.config)
    assert starts(outdir).find('latest').run_dir == run_dir
    assert starts(outdir, 'resolution', seed=7).find(files['gray16']).run_dir is None


def test_surgery_that_is_not_needed_changes_nothing(outdir, files):
    start = starts(outdir, *surgery.FIELDS).find(files['gray8'])
    assert start.fates is None and plan.surgery_lines(start) == []
    for name, array in variables(start.initial.Gs).items():
        np.testing.assert_array_equal(array, variables(trained(resolution=8).Gs)[name])


@pytest.mark.parametrize('options, name, words', [
    ({}, 'progan16', '--surgery changes networks within one architecture; received '
                     'progan16.safetensors of progan and a --preset of stylegan'),
    ({'lod_initial_resolution': 16, 'resolution': 16}, 'gray8',
     '--lod_initial_resolution must be at most 8'),
    ({}, 'rgba8', r'--surgery=channels: rgba8.safetensors cannot be changed: .*received 4 -> 1'),
    ({'resolution': 1024, 'fmap_base': 8192}, 'gray8',
     'cannot be changed: fmap_base must be large enough'),
    ({'named': ['fmap_max', 'total_kimg'], 'fmap_max': 4}, 'gray16',
     '(?s)G.fmap_max: gray16.safetensors: 8 . this command: 4\n.*D.fmap_max: .*leave these')])
def test_what_surgery_cannot_do_is_refused(outdir, files, options, name, words):
    with pytest.raises(ValueError, match=words):
        starts(outdir, *surgery.FIELDS, **options).find(files[name])
    assert not os.path.exists(outdir)


@pytest.mark.parametrize('resume', ['auto', 'none', 'latest', '0', 'nowhere.safetensors'])
def test_surgery_without_a_network_file_is_refused(outdir, resume):
    with pytest.raises(ValueError, match=f'--surgery=labels needs --resume=NETWORK.*={resume}'):
        starts(outdir, 'labels').find(resume)


def test_names_of_surgeries_are_checked_and_ordered():
    assert surgery.parse(['labels', 'resolution']) == ('resolution', 'labels')
    assert surgery.parse([]) == ()
    with pytest.raises(ValueError, match="--surgery must be some of resolution, channels, labels.*"
                                         "received 'labels,width'"):
        surgery.parse(['labels', 'width'])


@pytest.mark.parametrize('name, freeze_d, warned', [
    ('gray8', 0, None), ('gray8', 1, True), ('gray16', 2, False), (None, 1, True)])
def test_the_plan_says_what_is_frozen_and_warns_of_random_layers(outdir, files, name, freeze_d,
                                                                 warned):
    its = starts(outdir, *(['resolution'] if name else ()), resolution=16, freeze_d=freeze_d)
    lines = plan.frozen_lines(its.config, its.find(files[name] if name else 'none'))
    if warned is None:
        assert lines == []
    else:
        assert lines[0].startswith('Frozen:     D from the image to ') and len(lines) == 1 + warned
        assert f'(--freezed={freeze_d}): ' in lines[0]
