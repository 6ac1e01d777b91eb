"""The Inception network of 2015-12-05, from its original graph: the features of FID.

The graph's batch normalisations are an op that TensorFlow no longer runs in functions; here they
become the present one, so that the graph runs compiled, on GPUs, and on several. The images are
resized inside the graph, as TensorFlow 1 did it: no other resizing gives the published numbers.
"""

from __future__ import annotations

import os
import tarfile

import tensorflow as tf
from google.protobuf import message

GRAPH_FILE = 'classify_image_graph_def.pb'
IMAGES = 'ExpandDims'               # float32 [N, H, W, 3], 0..255: all before it decodes a JPEG
FEATURES = 'pool_3'                 # [N, 1, 1, 2048]
LOGITS = 'softmax/logits/MatMul'    # of features and weights [2048, 1008]
OLD_BATCH_NORM = 'BatchNormWithGlobalNormalization'


def read_graph(path):
    """GraphDef of a .pb file, or of the tar archive that it was published in."""
    path = os.fspath(path)
    try:
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                members = [member for member in archive.getmembers()
                           if os.path.basename(member.name) == GRAPH_FILE and member.isfile()]
                if not members:
                    raise ValueError(f'the archive must hold {GRAPH_FILE}')
                data = archive.extractfile(members[0]).read()
        else:
            with open(path, 'rb') as file:
                data = file.read()
        return tf.compat.v1.GraphDef.FromString(data)
    except (ValueError, tarfile.TarError, EOFError, message.DecodeError) as error:
        raise ValueError(f'{path}: not the Inception graph ({error}). Download it again.') from None


def _input_name(reference):
    """Name of the node that 'node', 'node:0' or '^node' refers to."""
    return reference.lstrip('^').split(':')[0]


def _needed_nodes(nodes, outputs):
    """Names of the nodes of `nodes`, {name: NodeDef}, that `outputs` are computed from.

    IMAGES is fed, so neither it nor what comes before it is among them.
    """
    needed, waiting = set(), list(outputs)
    while waiting:
        name = waiting.pop()
        if name not in needed and name != IMAGES:
            if name not in nodes:
                raise ValueError(f'the node {name} is missing; it must be that of 2015-12-05, '
                                 f'{GRAPH_FILE}')
            needed.add(name)
            waiting += map(_input_name, nodes[name].input)
    return needed


def _add_batch_norm(graph, old):
    """Adds to `graph` what the old batch normalisation `old` stands for, under its name."""
    images, mean, variance, beta, gamma = old.input
    if not old.attr['scale_after_normalization'].b:
        gamma = f'{old.name}/ones'
        ones = graph.node.add(op='OnesLike', name=gamma, input=[variance])
        ones.attr['T'].type = tf.float32.as_datatype_enum
    node = graph.node.add(op='FusedBatchNormV3', name=old.name,
                          input=[images, gamma, beta, mean, variance])
    node.attr['T'].type = node.attr['U'].type = tf.float32.as_datatype_enum
    node.attr['epsilon'].f = old.attr['variance_epsilon'].f
    node.attr['is_training'].b = False


def modern_graph(old_graph, outputs):
    """The part of a GraphDef that `outputs`, names of nodes, need, in ops that TensorFlow has."""
    nodes = {node.name: node for node in old_graph.node}
    needed = _needed_nodes(nodes, outputs)
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = tf.version.GRAPH_DEF_VERSION
    for node in old_graph.node:  # in the file's order, so that equal files give equal graphs
        if node.name not in needed:
            continue
        if node.op == OLD_BATCH_NORM:
            _add_batch_norm(graph, node)
        else:
            copy = graph.node.add()
            copy.CopyFrom(node)
            copy.device = ''               # where it runs is its caller's choice,
            copy.attr.pop('_class', None)  # and what it was to run beside may not be in the graph
    return graph


def load_inception(path):
    """A compiled function: images [N, H, W, 3], [0, 255] -> (features, class probabilities).

    Features are [N, 2048]. The probabilities, [N, 1008], are of the Inception score: their logits
    have no bias, as in the score's first implementation.
    """
    old_graph = read_graph(path)
    logits = [node for node in old_graph.node if node.name == LOGITS]
    try:
        if not logits:
            raise ValueError(f'the node {LOGITS} is missing; it must be that of 2015-12-05')
        weights = _input_name(logits[0].input[1])
        graph = modern_graph(old_graph, [FEATURES, weights])
    except ValueError as error:
        raise ValueError(f'{path}: not the Inception graph ({error}).') from None

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def inception(images):
        features, matrix = tf.graph_util.import_graph_def(
            graph, input_map={f'{IMAGES}:0': images}, name='',
            return_elements=[f'{FEATURES}:0', f'{weights}:0'])
        features = tf.squeeze(features, [1, 2])
        return features, tf.nn.softmax(tf.matmul(features, matrix))

    return inception
