"""Sets the environment of all tests, before any of them imports TensorFlow."""

import os
import signal

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Recorded numbers are float32; on a GPU the libraries would otherwise round to TF32.
os.environ.setdefault('NVIDIA_TF32_OVERRIDE', '0')
# Some tests start scripts, which have to share the GPU with the process that runs the tests.
os.environ.setdefault('TF_FORCE_GPU_ALLOW_GROWTH', 'true')

from cli import startup  # noqa: E402

startup.load_tensorflow()  # after the environment that it reads

import tensorflow as tf  # noqa: E402

# Four CPUs where there is one, to try several replicas without a GPU; all else runs on the first.
tf.config.set_logical_device_configuration(tf.config.list_physical_devices('CPU')[0],
                                           [tf.config.LogicalDeviceConfiguration()] * 4)

# A shell's background jobs are deaf to Ctrl-C, and so would be the scripts that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
