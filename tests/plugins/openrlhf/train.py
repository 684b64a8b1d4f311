"""Run OpenRLHF's trainer, or the plugin's launcher, on a Ray of this process's own.

    python tests/plugins/openrlhf/cpu.py tests/plugins/openrlhf/train.py MODULE FLAGS...

MODULE is openrlhf.cli.train_ppo_ray or hdpo_plugins.openrlhf.train_ppo_ray. The GPUs are counts
that Ray hands out; OpenRLHF waits in silence when there are fewer than it asks for.
"""

import runpy
import sys

import ray

if __name__ == "__main__":
    ray.init(
        address="local",  # never another run's Ray
        num_cpus=8,
        num_gpus=8,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
    )
    module, sys.argv = sys.argv[1], sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
