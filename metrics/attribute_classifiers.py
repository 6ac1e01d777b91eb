"""Classifiers of face attributes, from the reference's pickles: what linear separability needs.

Each is a discriminator for one size, 256x256, without minibatch stddev: one logit an image.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses

import tensorflow as tf

from formats import network_states
from training import layers, networks, reference

# The file name of each is celebahq-classifier-NAME.pkl.
NAMES = (
    '00-male', '01-smiling', '02-attractive', '03-wavy-hair', '04-young', '05-5-o-clock-shadow',
    '06-arched-eyebrows', '07-bags-under-eyes', '08-bald', '09-bangs', '10-big-lips',
    '11-big-nose', '12-black-hair', '13-blond-hair', '14-blurry', '15-brown-hair',
    '16-bushy-eyebrows', '17-chubby', '18-double-chin', '19-eyeglasses', '20-goatee',
    '21-gray-hair', '22-heavy-makeup', '23-high-cheekbones', '24-mouth-slightly-open',
    '25-mustache', '26-narrow-eyes', '27-no-beard', '28-oval-face', '29-pale-skin',
    '30-pointy-nose', '31-receding-hairline', '32-rosy-cheeks', '33-sideburns', '34-straight-hair',
    '35-wearing-earrings', '36-wearing-hat', '37-wearing-lipstick', '38-wearing-necklace',
    '39-wearing-necktie')
BLURS = {'D_basic': True, 'D_paper': False}  # {build function: does it blur before it halves?}


class AttributeClassifier(tf.Module):
    """Images [N, R, R, C], about [-1, 1], R the config's resolution -> logits [N].

    `compiled` is the same as a compiled function, for whatever weights are set.
    """

    def __init__(self, config):
        super().__init__()
        self.config, self.compiled = config, tf.function(self, reduce_retracing=True)
        activation = layers.NONLINEARITIES[config.nonlinearity]
        top = config.resolution_log2
        self.from_rgb = networks.FromRGB('FromRGB_lod0', config.num_channels, config.nf(top - 1),
                                         activation, config.use_wscale)
        for r in range(top, 2, -1):
            names = [f'{2 ** r}x{2 ** r}/Conv0', f'{2 ** r}x{2 ** r}/Conv1_down']
            setattr(self, f'block{r}', networks.DiscriminatorBlock(
                names, config.nf(r - 1), config.nf(r - 2), activation, config.blur_filter,
                config.use_wscale))
        self.head = networks.DiscriminatorHead(config, 1, 0, activation)

    def __call__(self, images):
        x = self.from_rgb(images)
        for r in range(self.config.resolution_log2, 2, -1):
            x = getattr(self, f'block{r}')(x)
        return self.head(x)[:, 0]


def _build_function(state):
    """The syntax tree of the function that builds the network; its source is parsed, never run."""
    rule = f'network {state.name!r:.40}: its source must define {state.build_func_name!r:.60}'
    try:
        statements = ast.parse(state.build_module_src).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # too deep
        raise ValueError(f'{rule}; received what is no Python 3 ({type(error).__name__})') from None
    found = [statement for statement in statements if isinstance(statement, ast.FunctionDef)
             and statement.name == state.build_func_name]
    if not found:
        raise ValueError(f'{rule}; received a source without it')
    return found[-1]  # of several definitions of a name the last one holds


def _blurs(state):
    """Whether the network blurs: its function's body says, or where the source is blank its name.

    What else the module defines does not matter: it may be for other networks.
    """
    if state.build_module_src.strip():
        nodes = (node for part in _build_function(state).body for node in ast.walk(part))
        names = (node.id if isinstance(node, ast.Name) else node.attr for node in nodes
                 if isinstance(node, (ast.Name, ast.Attribute)))
        return any('blur' in name for name in names)
    if state.build_func_name not in BLURS:
        raise ValueError(f'network {state.name!r:.40} is built by {state.build_func_name!r:.60}, '
                         f'which must be one of {", ".join(BLURS)} where its source is blank')
    return BLURS[state.build_func_name]


@contextlib.contextmanager
def _naming(path):
    """Puts the file's name before what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{path}: not an attribute classifier: {error}.') from None


class ClassifierFile:
    """A pickle with one network; nothing from it is executed.

    Attributes: config, a DiscriminatorConfig.
    Raises:
        ValueError: one line that names the file and says what it is instead.
    """

    def __init__(self, path):
        states = network_states.read_states(path)
        with _naming(path):
            if len(states) != 1:
                raise ValueError(f'must hold one network; received {len(states)}')
            state = dataclasses.replace(states[0], build_func_name='D_basic')
            config = dataclasses.replace(reference.config_of(state), mbstd_group_size=0)
            if not _blurs(states[0]):
                config = dataclasses.replace(config, blur_filter=None)
        self.config, self._path, self._arrays = config, path, state.variables

    def assign_to(self, classifier):
        """Sets the weights of an AttributeClassifier of this config."""
        with _naming(self._path):
            reference.assign(classifier, self._arrays)
