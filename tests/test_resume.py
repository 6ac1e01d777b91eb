"""Which run a command goes on with: --resume=auto, latest, and a network file."""

import dataclasses
import os

import pytest
from small_data import small_config

from runs import directory
from training import snapshot, starting
from training.build import build_network
from training.config import ProganDiscriminatorConfig, ProganGeneratorConfig
from training.config_json import to_json


@pytest.fixture
def outdir(tmp_path):
    return str(tmp_path / 'results')


def begun(outdir, start, nimg=64, finished=False):
    """A run that began as `start` says, as it is after `nimg` images; returns its directory."""
    run_dir = starting.Starts(start.config, outdir).make_run_dir(start)
    directory.save_options(run_dir, to_json(start.config))
    if nimg is not None:
        os.makedirs(os.path.join(run_dir, directory.CHECKPOINTS, f'checkpoint-{nimg}'))
    if finished:
        open(os.path.join(run_dir, directory.FINAL), 'w').close()
    return run_dir


def config_of(**options):
    return small_config('datasets/dots', **options)


def run_of(outdir, nimg=64, finished=False, **options):
    return begun(outdir, starting.Start(config_of(**options), ''), nimg, finished)


def auto(outdir, **options):
    return starting.Starts(config_of(**options), outdir).find('auto')


def test_the_same_command_goes_on(outdir):
    run_dir = run_of(outdir)
    start = auto(outdir)
    assert (start.run_dir, start.complete) == (run_dir, False)
    assert start.description == f'the newest checkpoint of {run_dir}, kimg 0.064'


def test_what_decides_no_number_may_change(outdir):
    run_dir = run_of(outdir)
    start = auto(outdir, total_kimg=9, image_snapshot_ticks=3, network_snapshot_ticks=4,
                 checkpoint_ticks=5, checkpoint_minutes=1, keep_checkpoints=9, keep_snapshots=2,
                 grid='4x4', tick_kimg_base=2)
    assert start.run_dir == run_dir and 'changed since: ' in start.description


@pytest.mark.parametrize('name, value, words', [
    ('seed', 7, 'seed 1000 there, 7 here'), ('r1_gamma', 3, 'losses.r1_gamma 1.0 there, 3 here'),
    ('fmap_max', 16, 'G.fmap_max 8 there, 16 here and 1 more'),
    ('minibatch_base', 16, 'schedule.minibatch_base 8 there, 16 here'),
    ('mirror_augment', True, 'mirror_augment False there, True here')])
def test_what_decides_numbers_makes_a_new_run_and_is_named(outdir, name, value, words):
    run_of(outdir)
    start = auto(outdir, **{name: value})
    assert start.run_dir is None
    assert words in start.description and '00000-sgan-dots-1gpu' in start.description
    assert '--resume=latest' in start.description


def test_an_older_run_with_the_same_options_goes_on(outdir):
    run_dir = run_of(outdir)
    newer = run_of(outdir, seed=5)
    assert auto(outdir).run_dir == run_dir
    assert auto(outdir, seed=5).run_dir == newer
    assert 'seed 5 there, 6 here' in auto(outdir, seed=6).description


def test_a_data_set_of_the_same_name_elsewhere_is_another(outdir):
    run_of(outdir)
    elsewhere = dataclasses.replace(config_of(), data='/other/dots')
    assert starting.Starts(elsewhere, outdir).find('auto').run_dir is None
    same = dataclasses.replace(config_of(), data=os.path.abspath('datasets/dots/'))
    assert starting.Starts(same, outdir).find('auto').run_dir is not None


def test_a_run_without_a_checkpoint_or_with_damaged_options_is_left_alone(outdir):
    run_of(outdir, nimg=None)
    assert 'there is no run *-sgan-dots-1gpu with a checkpoint' in auto(outdir).description
    damaged = run_of(outdir)
    with open(os.path.join(damaged, directory.OPTIONS_FILE), 'w') as file:
        file.write('{')
    start = auto(outdir)
    assert start.run_dir is None and directory.OPTIONS_FILE in start.description


def test_a_finished_run_is_complete_until_there_is_more_to_do(outdir):
    run_dir = run_of(outdir, nimg=256, finished=True)
    start = auto(outdir)
    assert start.complete and start.run_dir == run_dir
    for words in ('This run is complete: 0.256 of 0.256 kimg', '--total_kimg', '--resume=none'):
        assert words in start.description
    assert not auto(outdir, total_kimg=0.5).complete
    os.remove(os.path.join(run_dir, directory.FINAL))  # killed just before it was written
    assert not auto(outdir).complete


def test_latest_goes_on_whatever_the_options_but_not_with_other_networks(outdir):
    run_of(outdir)
    run_dir = run_of(outdir, seed=5)
    start = starting.Starts(config_of(r1_gamma=3), outdir).find('latest')
    assert start.run_dir == run_dir
    assert '(changed since: losses.r1_gamma, seed)' in start.description
    with pytest.raises(ValueError, match='G.fmap_max: run 00001-sgan-dots-1gpu: 8 | this'):
        starting.Starts(config_of(fmap_max=16), outdir).find('latest')


@pytest.fixture(scope='module')
def networks(tmp_path_factory):
    """Network files of other architectures than the commands here name."""
    folder = tmp_path_factory.mktemp('networks')
    shape = {'resolution': 8, 'num_channels': 1, 'fmap_base': 64, 'fmap_max': 4}
    config = config_of(mapping_layers=2, fmap_max=4)
    for name, G, D in (('a', config.G, config.D), ('b', config.G, config.D),
                       ('progan', ProganGeneratorConfig(**shape, latent_size=8),
                        ProganDiscriminatorConfig(**shape))):
        snapshot.save(folder / f'{name}.safetensors', build_network(G), build_network(D),
                      build_network(G), kimg=3)
    return folder


@pytest.mark.parametrize('name', ['a', 'progan'])
def test_a_run_from_a_network_file_goes_on_by_the_same_command(outdir, networks, name):
    path = str(networks / f'{name}.safetensors')
    first = starting.Starts(config_of(), outdir).find(path)
    assert first.run_dir is None and first.kimg == 0 and first.initial is not None
    run_dir = begun(outdir, first)
    again = starting.Starts(config_of(), outdir).find(path)
    assert (again.run_dir, again.initial) == (run_dir, None)
    assert again.config.G == first.config.G != config_of().G
    assert 'began with' in auto(outdir).description
    assert auto(outdir).run_dir is None


def test_latest_takes_the_architecture_of_a_run_from_a_network_file(outdir, networks):
    run_of(outdir)
    first = starting.Starts(config_of(), outdir).find(str(networks / 'progan.safetensors'))
    run_dir = begun(outdir, first)
    assert os.path.basename(run_dir) == '00001-pgan-dots-1gpu'
    start = starting.Starts(config_of(), outdir).find('latest')
    assert start.run_dir == run_dir
    assert (start.config.G, start.config.D) == (first.config.G, first.config.D)


def test_another_file_another_kimg_or_other_options_make_a_new_run(outdir, networks):
    path = str(networks / 'a.safetensors')
    run_dir = begun(outdir, starting.Starts(config_of(), outdir).find(path))
    for config, file, kimg in ((config_of(), networks / 'b.safetensors', None),
                               (config_of(), path, 0.1), (config_of(seed=7), path, None)):
        start = starting.Starts(config, outdir).find(str(file), resume_kimg=kimg)
        assert start.run_dir is None and start.origin.network == str(file)
        assert '; a new run: 00000-sgan-dots-1gpu' in start.description
    moved = networks / 'moved.safetensors'
    os.link(path, moved)
    assert starting.Starts(config_of(), outdir).find(str(moved)).run_dir == run_dir


def test_a_run_from_a_snapshot_of_another_run_goes_on(outdir, networks):
    source = run_of(outdir, mapping_layers=2, fmap_max=4)
    os.link(networks / 'a.safetensors', os.path.join(source, directory.snapshot_name(3)))
    for run in ('0', 'latest'):
        first = starting.Starts(config_of(total_kimg=9), outdir).find(run, resume_snapshot=3)
        assert (first.run_dir is None) == (run == '0')
        if first.run_dir is None:
            assert first.kimg == 3
            begun(outdir, first, nimg=3064)
    with pytest.raises(ValueError, match='--resume_snapshot=4: no run .* has a network snapshot'):
        starting.Starts(config_of(), outdir).find('latest', resume_snapshot=4)


def test_a_run_is_trained_by_one_process_at_a_time(outdir):
    run_dir = run_of(outdir)
    with directory.locked(run_dir):
        with pytest.raises(ValueError, match='is being trained by another process'):
            with directory.locked(run_dir):
                pass
    with directory.locked(run_dir):
        pass


def test_old_snapshots_are_removed_and_the_rest_stays(tmp_path):
    said = []
    names = [directory.snapshot_name(kimg) for kimg in (1, 2, 10)]
    others = ['network-best-swd16k.safetensors', 'network-final.safetensors', 'fakes000001.png']
    for name in names + others:
        (tmp_path / name).write_text('')
    directory.remove_old_snapshots(str(tmp_path), 0, said.append)
    assert said == []
    directory.remove_old_snapshots(str(tmp_path), 2, said.append)
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:] + others)
    assert len(said) == 1 and names[0] in said[0]
