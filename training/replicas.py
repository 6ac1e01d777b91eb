"""Data parallelism: the copies (replicas) of a training step that share one minibatch.

All of it is tf.distribute: `MirroredStrategy` for the GPUs of one machine and
`MultiWorkerMirroredStrategy` for many machines. Without a strategy there is one replica.
Each replica computes on its own rows of the minibatch; gradients, statistics and the average w
are averaged; then each replica updates its own copy of every variable in the same way, so that
all copies stay equal.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def mean_over_replicas(tensors):
    """The tensors (any nest), each averaged over all replicas; called on each replica."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors)


def over_all_replicas(count):
    """How many that are, where each replica has `count`; called on each replica."""
    return count * tf.distribute.get_replica_context().num_replicas_in_sync


def assign(variable, value):
    """Sets this replica's copy of a variable; every replica has to set the same value.

    `variable.assign` would merge the replicas first, which costs time, and cannot be done inside a
    tf.cond or a tf.while_loop.
    """
    if tf.distribute.in_cross_replica_context():
        variable.assign(value)
    else:
        tf.raw_ops.AssignVariableOp(resource=variable.handle,
                                    value=tf.cast(value, variable.dtype))


def replica_number():
    """0..replicas-1, of this replica over all machines."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group


class Replicas:
    """The devices that share a run's minibatch, and this process's part of them.

    Attributes: strategy; count, of all replicas; workers, processes that take part (one a machine);
    worker, the number of this one; is_chief, whether it is the one that writes files.
    """

    def __init__(self, strategy=None):
        self.strategy = strategy or tf.distribute.get_strategy()
        self.count = self.strategy.num_replicas_in_sync
        resolver = self.strategy.cluster_resolver
        cluster = resolver.cluster_spec().as_dict() if resolver else {}
        self.workers = sum(len(tasks) for tasks in cluster.values()) or 1
        self.worker = resolver.task_id if self.workers > 1 else 0
        self.is_chief = self.worker == 0
        self._sum = tf.function(lambda value: self.strategy.run(_sum_over_replicas, (value,)),
                                autograph=False)

    def own_rows(self, rows):
        """The calling replica's share of this process's rows [N, ...]."""
        here = self.count // self.workers
        if here == 1:
            return rows
        with tf.device('CPU:0'):  # so that only the share travels to a GPU
            shares = tf.reshape(rows, [here, rows.shape[0] // here, *rows.shape[1:]])
            return shares[replica_number() % here]

    def any_worker(self, flag):
        """Whether `flag` is true on at least one worker; the same answer for all of them."""
        if self.workers == 1:
            return flag
        total = self._sum(tf.constant(1.0 if flag else 0.0))
        return float(self.strategy.experimental_local_results(total)[0]) > 0

    def wait(self):
        """Returns when all workers have called it."""
        self.any_worker(False)

    def from_chief(self, value):
        """The chief's array or tensor; the others pass one of the same shape and type."""
        if self.workers == 1:
            return value
        with self.strategy.scope():  # a variable made in here starts with the chief's value
            return tf.Variable(value, trainable=False).read_value()

    def text_from_chief(self, text):
        """The chief's text; the text of the others is ignored."""
        codes = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
        length = int(self.from_chief(tf.constant(len(codes), tf.int64)))
        codes = np.asarray(self.from_chief(tf.constant(np.resize(codes, length))))
        return codes.astype(np.uint8).tobytes().decode()

    def spread(self, variables):
        """Gives all workers the chief's values of these variables."""
        if self.workers > 1:
            for variable in variables:
                variable.assign(self.from_chief(variable))


def _sum_over_replicas(value):
    value = tf.identity(value)  # on the replica's device
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def check_gpus(num_gpus, gpus, devices):
    """ValueError where --num_gpus asks for more than this machine's devices: GPUs, or its CPU."""
    if num_gpus and num_gpus > devices:
        raise ValueError(f'--num_gpus must be at most the {gpus} GPUs of this machine; received '
                         f'{num_gpus}.')


def local_devices(num_gpus=None):
    """Names of the GPUs of this machine; without any, of its CPU.

    Args:
        num_gpus: how many of them; None = all.
    Raises:
        ValueError: there are fewer.
    """
    gpus = tf.config.list_logical_devices('GPU')
    devices = gpus or tf.config.list_logical_devices('CPU')
    count = num_gpus or len(gpus) or 1
    check_gpus(num_gpus, len(gpus), len(devices))
    return [device.name for device in devices[:count]]


def local_replicas(num_gpus=None):
    """Replicas on `local_devices`."""
    names = local_devices(num_gpus)
    return Replicas(tf.distribute.MirroredStrategy(names) if len(names) > 1 else None)
