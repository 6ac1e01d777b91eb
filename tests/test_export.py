"""Exported networks: the numbers of the sampler, whoever runs them; their READMEs; refusals."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from commands import results_of
from parity_data import PARITY

from export import about, forms, signatures
from training import snapshot
from training.config import ProganDiscriminatorConfig, ProganGeneratorConfig
from training.networks_progan import Discriminator as ProganDiscriminator
from training.networks_progan import Generator as ProganGenerator
from training.sampler import ALL_LAYERS, Sampler, Truncation, to_float, to_uint8

DIGITS = str(PARITY / 'digits/network-final.pkl')
CONDITIONAL = str(PARITY / 'gray64cond/network-snapshot-000123.pkl')
FUNCTIONS = 'savedmodel', 'onnx', 'tflite'
SEEDS = 20


@pytest.fixture(scope='module')
def progan(tmp_path_factory):
    """The path of a network file of a small conditional ProGAN."""
    sizes = {'resolution': 16, 'label_size': 3, 'fmap_base': 64, 'fmap_max': 8}
    tf.random.set_seed(1)
    G, Gs = (ProganGenerator(ProganGeneratorConfig(latent_size=8, **sizes)) for _ in range(2))
    D = ProganDiscriminator(ProganDiscriminatorConfig(**sizes))
    path = tmp_path_factory.mktemp('progan') / 'network-final.safetensors'
    snapshot.save(path, G, D, Gs)
    return str(path)


@pytest.fixture(scope='module')
def exported(tmp_path_factory, progan):
    """{case: directory} of what export_network.py wrote."""
    folder = tmp_path_factory.mktemp('exported')
    networks = {'digits': DIGITS, 'conditional': CONDITIONAL, 'progan': progan}
    cases = {f'{name}-{form}': [f'--network={path}', f'--format={form}']
             for name, path in networks.items() for form in FUNCTIONS}
    cases.update({
        f'{form}-all': [f'--network={CONDITIONAL}', f'--format={form}', '--noise=input', '--uint8',
                        '--discriminator'] for form in FUNCTIONS})
    cases['no-noise'] = [f'--network={DIGITS}', '--format=onnx', '--noise=none', '--lod=1.25']
    cases['single'] = [f'--network={DIGITS}', '--format=tflite', '--single']
    for kind in ('float16', 'int8'):
        cases[kind] = [f'--network={DIGITS}', '--format=tflite', f'--quantize={kind}']
    results = results_of('export_network', [
        [*flags, f'--outdir={folder / case}'] for case, flags in cases.items()])
    assert all(code == 0 for code, _, _ in results), results
    return {case: folder / case for case in cases}


def run(directory, name, **inputs):
    """What the function `name` of an export gives, by the runtime of its format."""
    if (directory / f'{name}.onnx').exists():
        import onnxruntime
        session = onnxruntime.InferenceSession(directory / f'{name}.onnx')
        return session.run(None, inputs)[0]
    if (directory / f'{name}.tflite').exists():
        from ai_edge_litert.interpreter import Interpreter
        runner = Interpreter(str(directory / f'{name}.tflite')).get_signature_runner(name)
        [output] = runner(**inputs).values()
        return output
    function = tf.saved_model.load(str(directory)).signatures[name]
    [output] = function(**{key: tf.constant(value) for key, value in inputs.items()}).values()
    return output.numpy()


def truncation(psi, cutoff):
    return {'psi': np.array(psi, 'float32'), 'cutoff': np.array(cutoff, 'int32')}


def latents(config, count=SEEDS):
    return np.concatenate([np.random.RandomState(seed).randn(1, config.latent_size)
                           for seed in range(count)]).astype('float32')


def labels(config, count=SEEDS):
    return np.eye(config.label_size, dtype='float32')[np.arange(count) % config.label_size]


def error(result, expected):
    """The largest difference, as a share of the largest number."""
    assert result.shape == expected.shape
    return np.abs(result - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize('psi, cutoff', [(1.0, 8), (0.7, 8), (0.7, 4)])
@pytest.mark.parametrize('form', FUNCTIONS)
def test_images_are_those_of_the_sampler(exported, form, psi, cutoff):
    sampler = Sampler(snapshot.load(DIGITS).Gs)
    z = latents(sampler.config)
    expected = sampler.images_of(z, None, Truncation(psi, cutoff), to_float)
    images = run(exported[f'digits-{form}'], 'z_to_image', z=z, **truncation(psi, cutoff))
    assert error(images, expected) < 1e-5


@pytest.mark.parametrize('form', FUNCTIONS)
def test_a_class_and_each_half_of_the_way_are_those_of_the_sampler(exported, form):
    sampler, directory = Sampler(snapshot.load(CONDITIONAL).Gs), exported[f'conditional-{form}']
    z, classes = latents(sampler.config), labels(sampler.config)
    w = sampler.w(z, classes, Truncation(0.7, ALL_LAYERS))
    own = {**truncation(0.7, sampler.num_layers), 'labels': classes}
    assert error(run(directory, 'z_to_w', z=z, **own), w) < 1e-5
    expected = sampler.images(w, convert=to_float)
    assert error(run(directory, 'w_to_image', w=w), expected) < 1e-5
    assert error(run(directory, 'z_to_image', z=z, **own), expected) < 1e-5


@pytest.mark.parametrize('form', FUNCTIONS)
def test_progan_draws_from_z_alone(exported, progan, form):
    sampler, directory = Sampler(snapshot.load(progan).Gs), exported[f'progan-{form}']
    z, classes = latents(sampler.config), labels(sampler.config)
    expected = sampler.images_of(z, classes, convert=to_float)
    assert error(run(directory, 'z_to_image', z=z, labels=classes), expected) < 1e-5
    assert list(json.loads((directory / 'about.json').read_text())['signatures']) == ['z_to_image']


@pytest.mark.parametrize('form', FUNCTIONS)
def test_any_minibatch_will_do(exported, form):
    directory = exported[f'digits-{form}']
    z = latents(snapshot.load(DIGITS).Gs.config, 5)
    five = run(directory, 'z_to_image', z=z, **truncation(0.7, 8))
    one = run(directory, 'z_to_image', z=z[:1], **truncation(0.7, 8))
    assert len(five) == 5 and error(one, five[:1]) < 1e-5


def test_one_image_at_a_time_on_request(exported):
    z = latents(snapshot.load(DIGITS).Gs.config, 1)
    one, any_number = (run(exported[case], 'z_to_image', z=z, **truncation(0.7, 8))
                       for case in ('single', 'digits-tflite'))
    assert error(one, any_number) < 1e-5
    sizes = [os.path.getsize(exported[case] / 'z_to_image.tflite')
             for case in ('single', 'digits-tflite')]
    assert sizes[0] < 1.02 * sizes[1]   # noise was not multiplied by the strengths of all channels
    content = json.loads((exported['single'] / 'about.json').read_text())
    assert content['signatures']['w_to_image']['output']['shape'] == [1, 32, 32, 1]


@pytest.mark.parametrize('form', FUNCTIONS)
def test_noise_is_an_input_images_are_bytes_and_d_is_there_on_request(exported, form):
    file, directory = snapshot.load(CONDITIONAL), exported[f'{form}-all']
    sampler, random = Sampler(file.Gs), np.random.RandomState(0)
    z, classes = latents(sampler.config, 4), labels(sampler.config, 4)
    noise = [random.randn(4, *maps.shape[1:]).astype('float32') for maps in sampler.stored_noise()]
    w = sampler.w(z, classes, Truncation(0.5, 6))
    images = run(directory, 'z_to_image', z=z, labels=classes, **truncation(0.5, 6),
                 **{f'noise_{i}': maps for i, maps in enumerate(noise)})
    assert images.dtype == np.uint8
    difference = images.astype(int) - sampler.images(w, noise, to_uint8)
    assert np.abs(difference).max() <= 1 and (difference != 0).mean() < 1e-3
    floats = sampler.images(w, noise, to_float)
    scores = run(directory, 'image_to_score', images=floats, labels=classes)
    assert error(scores, file.D(floats, classes).numpy()) < 1e-5


def test_without_noise_and_at_a_level_of_detail(exported):
    sampler = Sampler(snapshot.load(DIGITS).Gs, 1.25, noise='none')
    z = latents(sampler.config)
    images = run(exported['no-noise'], 'z_to_image', z=z, **truncation(0.7, 8))
    assert images.shape[1:3] == (16, 16)
    assert error(images, sampler.images_of(z, None, Truncation(0.7, 8), to_float)) < 1e-5


def test_quantized_weights_make_smaller_files_of_nearly_the_same_images(exported):
    z = latents(snapshot.load(DIGITS).Gs.config)
    expected = run(exported['digits-tflite'], 'z_to_image', z=z, **truncation(0.7, 8))
    sizes = {case: os.path.getsize(exported[case] / 'z_to_image.tflite')
             for case in ('digits-tflite', 'float16', 'int8')}
    assert sizes['float16'] < 0.6 * sizes['digits-tflite']
    assert sizes['int8'] < 0.7 * sizes['float16']
    for case, most in (('float16', 0.01), ('int8', 0.3)):
        images = run(exported[case], 'z_to_image', z=z, **truncation(0.7, 8))
        assert 0 < np.sqrt(np.mean((images - expected) ** 2)) < most


def test_a_saved_model_has_gradients(exported):
    loaded = tf.saved_model.load(str(exported['digits-savedmodel']))
    function = loaded.signatures['w_to_image']
    sampler = Sampler(snapshot.load(DIGITS).Gs)
    w, gradients = tf.constant(sampler.w(latents(sampler.config, 1))), []
    for draw in (lambda: function(w=w)['images'],
                 lambda: sampler.drawn(w, sampler.stored_noise())):
        with tf.GradientTape() as tape:
            tape.watch(w)
            value = tf.reduce_sum(tf.square(draw()))
        gradients.append(tape.gradient(value, w).numpy())
    assert error(*gradients) < 1e-4


def python_of(directory):
    return re.search(r'```python\n(.*?)```', (directory / 'README.md').read_text(), re.DOTALL)[1]


@pytest.mark.parametrize('case', ['digits-savedmodel', 'conditional-onnx', 'progan-tflite',
                                  'onnx-all', 'no-noise'])
def test_the_lines_of_the_readme_run_where_this_project_is_not(exported, case, tmp_path):
    """In a process of its own, isolated, whose modules are checked."""
    code = (f'{python_of(exported[case])}\nimport sys\n'
            "assert not {'training', 'export', 'formats', 'cli'} & set(sys.modules)\n"
            f"numpy.save({str(tmp_path / 'images.npy')!r}, images)")
    done = subprocess.run([sys.executable, '-I', '-c', code], cwd=exported[case],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    images = np.load(tmp_path / 'images.npy')
    if case == 'digits-savedmodel':
        sampler = Sampler(snapshot.load(DIGITS).Gs)
        expected = sampler.images_of(latents(sampler.config, 1), None, Truncation(), to_float)
        assert error(images, expected) < 1e-5
    assert len(images) == 1 and images.std() > 0


@pytest.mark.parametrize('case, name', [('conditional-onnx', 'z_to_w'),
                                        ('digits-tflite', 'z_to_w')])
def test_files_tell_what_they_take(exported, case, name):
    directory = exported[case]
    content = json.loads((directory / 'about.json').read_text())
    inputs = {value['name']: value for value in content['signatures'][name]['inputs']}
    assert 'randn(1, ' in inputs['z']['words'] and inputs['psi']['shape'] == []
    if case.endswith('onnx'):
        import onnx
        model = onnx.load(directory / f'{name}.onnx')
        onnx.checker.check_model(model, full_check=True)
        [metadata] = [entry.value for entry in model.metadata_props if entry.key == 'about']
        assert json.loads(metadata) == content
        assert {value.name: value.doc_string for value in model.graph.input} == {
            key: value['words'] for key, value in inputs.items()}
        assert [domain.version for domain in model.opset_import if not domain.domain] == [18]
    else:
        from tensorflow.lite.tools import flatbuffer_utils
        model = flatbuffer_utils.read_model(str(directory / f'{name}.tflite'))
        [buffer] = [entry.buffer for entry in model.metadata if entry.name == b'about']
        assert json.loads(bytes(model.buffers[buffer].data)) == content


@pytest.mark.parametrize('name, licence', [
    ('karras2019stylegan-cats-256x256.pkl', 'CC BY-NC 4.0, NVIDIA'),
    ('mine.pkl', 'not stated in the file')])
def test_the_licence_of_a_published_network_goes_with_its_export(name, licence, tmp_path):
    (tmp_path / name).write_bytes(pathlib.Path(DIGITS).read_bytes())
    [(code, _, errors)] = results_of('export_network', [
        [f'--network={tmp_path / name}', '--format=torchstate', f'--outdir={tmp_path / "out"}']])
    assert code == 0, errors
    content = json.loads((tmp_path / 'out/about.json').read_text())
    assert content['licence'].startswith(licence)
    assert f'Licence of the weights: {licence}' in (tmp_path / 'out/README.md').read_text()


def refusal(*flags):
    """The one line with which the script ends, without its name; nothing is printed before it."""
    [(code, output, errors)] = results_of('export_network', [flags])
    assert code == 1 and errors.count('\n') == 1, errors
    assert 'Wrote' not in output
    return errors


def test_an_export_that_is_there_is_replaced_on_demand_only_and_nothing_else_ever(tmp_path):
    network, mine = f'--network={DIGITS}', tmp_path / 'mine'
    mine.mkdir()
    (mine / 'README.md').write_text('old')
    assert 'exists already; add --overwrite' in refusal(network, '--format=savedmodel',
                                                        f'--outdir={mine}')
    assert (mine / 'README.md').read_text() == 'old'
    [(code, _, errors)] = results_of('export_network', [
        [network, '--format=torchstate', f'--outdir={mine}', '--overwrite']])
    assert code == 0 and (mine / 'network.pt').exists(), errors
    (mine / 'thesis.tex').write_text('years')
    assert "more than an export ('thesis.tex')" in refusal(
        network, '--format=savedmodel', f'--outdir={mine}', '--overwrite')
    assert sorted(os.listdir(tmp_path)) == ['mine']


@pytest.mark.parametrize('flags, words', [
    (['--format=onnx', '--quantize=int8'], '--quantize=int8: is for --format=tflite'),
    (['--format=torchstate', '--uint8'], '--uint8: is not for --format=torchstate'),
    (['--format=savedmodel', '--lod=9'], '--lod=9: must be within 0..3'),
    (['--format=savedmodel', '--network=none.pkl'], 'none.pkl: no such file'),
    (['--format=savedmodel', '--outdir=FILE/below'], 'cannot be made (File exists)')])
def test_wrong_flags_are_one_line(flags, words, tmp_path):
    (tmp_path / 'file').write_text('')
    flags = [flag.replace('FILE', str(tmp_path / 'file')) for flag in flags]
    assert words in refusal(f'--network={DIGITS}', f'--outdir={tmp_path / "out"}', *flags)
    assert os.listdir(tmp_path) == ['file']


def test_a_form_whose_packages_are_not_there_names_the_command(monkeypatch):
    monkeypatch.setattr(forms.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match=r'needs tf2onnx and onnx, .* pip install -r '
                                         r'requirements-export\.txt'):
        forms.check_installed('onnx')
    forms.check_installed('savedmodel')


@pytest.mark.parametrize('form', ['onnx', 'tflite'])
def test_an_operation_without_a_counterpart_is_named_and_nothing_is_left(form, tmp_path):
    x = signatures.Value('x', (None, 4), 'float32', 'numbers', '')
    odd = signatures.Signature('z_to_image', 'odd', (x,), x._replace(name='y'),
                               lambda x: tf.raw_ops.Betainc(a=x, b=x, x=x))
    content = {'network': 'odd', 'sha256': '', 'licence': '', 'architecture': 'stylegan',
               'resolution': 4, 'num_channels': 1}
    with pytest.raises(ValueError, match=f'--format={form}: the converter refuses .*Betainc'):
        forms.export(str(tmp_path / 'out'), form, [odd], [], content)
    assert os.listdir(tmp_path) == []


def test_all_that_an_export_writes_may_be_replaced():
    written = ['about.json', 'README.md', 'z_to_image.onnx', 'z_to_w.tflite', 'saved_model.pb',
               'fingerprint.pb', 'variables', 'assets', 'network.pt']
    assert all(about.FOLDER.names.fullmatch(name) for name in written)
