"""Training on several machines: who takes part (TF_CONFIG, Slurm), and what all agree on."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from typing import NamedTuple

import tensorflow as tf

from training.replicas import Replicas, check_gpus

EXAMPLE = ('TF_CONFIG=\'{"cluster": {"worker": ["machine1:2222", "machine2:2222"]}, '
           '"task": {"type": "worker", "index": 0}}\'')
FIRST_SLURM_PORT, SLURM_PORTS = 12000, 20000  # below the ports that systems give out themselves
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
        tf.errors.DeadlineExceededError)


class Cluster(NamedTuple):
    """The processes that train together, one a machine."""
    addresses: tuple[str, ...]  # host:port of each; the first one is the chief's
    worker: int                 # which of them this process is


def find_cluster(environment) -> Cluster:
    """The cluster that the environment variables of TF_CONFIG or of a Slurm step describe.

    Raises:
        ValueError: there are none, or they make no sense.
    """
    if environment.get('TF_CONFIG'):
        return _from_tf_config(environment['TF_CONFIG'])
    if 'SLURM_STEP_NODELIST' in environment:
        return _from_slurm(environment)
    raise ValueError('--strategy=multi_worker needs to know the machines; received neither a '
                     'TF_CONFIG nor the variables of a Slurm step (srun). Set, on the first of '
                     f'two machines: {EXAMPLE}')


def _from_tf_config(text):
    try:
        config = json.loads(text)
        jobs, task = config['cluster'], config['task']
        chiefs, workers = (list(jobs.get(job, [])) for job in ('chief', 'worker'))
        worker = int(task['index']) + (len(chiefs) if task['type'] == 'worker' else 0)
        addresses = chiefs + workers
        fits = (set(jobs) <= {'chief', 'worker'} and len(chiefs) <= 1
                and 0 <= int(task['index']) < len(jobs[task['type']])
                and all(re.fullmatch(r'.+:\d+', address) for address in addresses))
    except (ValueError, KeyError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise ValueError('TF_CONFIG must be JSON with the host:port of every worker (one of them '
                         'may be called chief), and which of them this is; received '
                         f'{text!r}. An example: {EXAMPLE}')
    return Cluster(tuple(addresses), worker)


def _from_slurm(environment):
    # TensorFlow's SlurmClusterResolver sorts host names as text, n10 before n9; Slurm does not.
    hosts = _slurm_hosts(environment['SLURM_STEP_NODELIST'])
    tasks = int(environment['SLURM_STEP_NUM_TASKS'])
    if tasks != len(hosts):
        raise ValueError('--strategy=multi_worker takes one Slurm task a machine, which uses all '
                         f'its GPUs; received {tasks} tasks on {len(hosts)} machines: start it '
                         'with srun --ntasks-per-node=1.')
    port = FIRST_SLURM_PORT + int(environment['SLURM_JOB_ID']) % SLURM_PORTS
    return Cluster(tuple(f'{host}:{port}' for host in hosts), int(environment['SLURM_PROCID']))


def _slurm_hosts(nodes):
    """'m5,n[09-11]' -> ['m5', 'n09', 'n10', 'n11']."""
    hosts = []
    for name, ranges in re.findall(r'([^,\[\]]+)(?:\[([^\]]+)\])?', nodes):
        for part in ranges.split(',') if ranges else []:
            first, _, last = part.partition('-')
            hosts.extend(f'{name}{number:0{len(first)}d}'
                         for number in range(int(first), int(last or first) + 1))
        hosts.extend([] if ranges else [name])
    return hosts


def cluster_replicas(cluster: Cluster, num_gpus=None):
    """Replicas on the GPUs of all machines (without any: on their CPUs). Waits for all workers.

    To be called before TensorFlow has computed anything.

    Args:
        num_gpus: how many GPUs of each machine; None = all.
    Raises:
        ValueError: this machine has fewer, or the others could not be reached.
    """
    gpus = len(tf.config.list_physical_devices('GPU'))
    check_gpus(num_gpus, gpus, gpus or 1)
    gpus = min(num_gpus or gpus, gpus)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({'worker': cluster.addresses}), task_type='worker',
        task_id=cluster.worker, num_accelerators={'GPU': gpus}, rpc_layer='grpc')
    communication = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=communication.NCCL if gpus else communication.RING)
    print(f'Worker {cluster.worker} of {len(cluster.addresses)}: waiting for all of them '
          f'({", ".join(cluster.addresses)})', flush=True)
    with _interruptible():
        try:
            return Replicas(tf.distribute.MultiWorkerMirroredStrategy(resolver, options))
        except tf.errors.OpError as error:
            raise ValueError(f'The {len(cluster.addresses)} workers could not be connected '
                             f'({error.message.splitlines()[0][:200]}). Check the addresses, that '
                             'the ports are free, and that all workers were started.') from error


@contextlib.contextmanager
def _interruptible():
    """Lets Ctrl-C end the process at once, also while it is deep inside TensorFlow.

    Afterwards signals do what they did before: TensorFlow has put its own handler in place.
    """
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def check_same_options(replicas: Replicas, options: str):
    """ValueError on a worker whose options (JSON) are not those of the chief; waits for all."""
    chiefs = replicas.text_from_chief(options)
    if chiefs != options:
        ours, theirs = (dict(_flat(json.loads(text))) for text in (options, chiefs))
        different = [f'{name} is {ours.get(name)}, there {theirs.get(name)}'
                     for name in sorted(set(ours) | set(theirs))
                     if ours.get(name) != theirs.get(name)]
        raise ValueError(f'Worker {replicas.worker} must have the options of worker 0: '
                         f'{"; ".join(different)}. Start all with the same command; nothing was '
                         'written.')
    replicas.wait()


def _flat(options, prefix=''):
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value


@contextlib.contextmanager
def plain_losses(replicas: Replicas, when=lambda: 'before the training began'):
    """Turns what TensorFlow says when another worker has gone away into one line, a ValueError.

    TensorFlow notices after ten seconds at most, by the heartbeat of its coordination service.

    Args:
        when: () -> words that say how far the training was.
    """
    try:
        yield
    except LOST as error:
        if replicas.workers == 1:
            raise
        others = [int(number) for number in re.findall(r'/task:(\d+)', error.message)
                  if int(number) != replicas.worker]
        lost = f'Worker {others[0]}' if others else 'Another worker'
        raise ValueError(f'{lost} was lost {when()}: it ended, or cannot be reached; what it '
                         'printed may say why. Start all workers again with the same command: '
                         'they resume from the newest checkpoint.') from error
