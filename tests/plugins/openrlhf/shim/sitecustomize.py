"""What OpenRLHF, DeepSpeed and vLLM lack to run on the CPU, put in as they are imported.

On PYTHONPATH, so that Ray's workers and vLLM's engine processes get it too. Nothing is touched in a
process that imports none of the modules of AFTER_IMPORT.

With SEED_EVERY_PROCESS in the environment torch is seeded there as well: the --train.seed does
not reach OpenRLHF's controller, which shuffles the prompts.
"""

import os
import sys
from importlib.machinery import PathFinder


class _CpuDevice(str):
    """A torch device ("cpu") that reads "0" inside OpenRLHF's f"cuda:{device}"."""

    __slots__ = ()

    def __format__(self, spec):
        return "0"


def _speak_cpu(_module):
    """Let torch.cuda's calls name the CPU, and "cuda" where OpenRLHF writes it mean "cpu"."""
    import torch
    from torch.distributed import device_mesh

    device, make_mesh, empty = _CpuDevice("cpu"), device_mesh.init_device_mesh, torch.empty

    def init_device_mesh(kind, *args, **kwargs):
        return make_mesh("cpu" if kind == "cuda" else kind, *args, **kwargs)

    def empty_on_cpu(*args, **kwargs):
        if kwargs.get("device") == "cuda":  # the buffer into which vLLM receives a weight
            kwargs["device"] = "cpu"
        return empty(*args, **kwargs)

    torch.cuda.current_device = lambda: device
    for name in ("set_device", "synchronize", "empty_cache", "current_stream"):
        setattr(torch.cuda, name, lambda *args, **kwargs: None)
    device_mesh.init_device_mesh = init_device_mesh
    if seed := os.environ.get("SEED_EVERY_PROCESS"):
        torch.manual_seed(int(seed))
    torch.empty = empty_on_cpu


class _StoreGroup:
    """NCCL's broadcast over vLLM's own TCP store."""

    def __init__(self, group):
        self.group = group

    def broadcast(self, tensor, src=0, stream=None):
        # ZeRO's parameters are views of one buffer, and pickle would write all of it each time
        received = self.group.broadcast(tensor.detach().clone(), src)
        if self.group.rank != src:
            tensor.copy_(received)


def _sync_over_store(module):
    """Send weights from DeepSpeed to vLLM through the store group instead of NCCL."""

    def stateless_init_process_group(master_address, master_port, rank, world_size, device):
        from vllm.distributed.utils import StatelessProcessGroup

        return _StoreGroup(
            StatelessProcessGroup.create(master_address, master_port, rank, world_size)
        )

    module.stateless_init_process_group = stateless_init_process_group


def _keep_linear_weights(module):
    """Keep vLLM's linear layers on their live weights.

    On the CPU they are packed once and the Parameter is dropped, so no later update would find it.
    """
    import torch

    def dispatch_cpu_unquantized_gemm(layer, remove_weight):
        layer.cpu_linear = torch.nn.functional.linear

    module.dispatch_cpu_unquantized_gemm = dispatch_cpu_unquantized_gemm


def _attend_eagerly(module):
    """Let OpenRLHF, which packs with flash attention only, load models with eager attention.

    It too keeps packed rows apart: transformers sees from their positions where one begins.
    """
    init = module.Actor.__init__

    def eager(self, *args, attn_implementation=None, **kwargs):
        init(self, *args, attn_implementation="eager", **kwargs)

    module.Actor.__init__ = eager


AFTER_IMPORT = {
    "openrlhf": _speak_cpu,
    "openrlhf.models.actor": _attend_eagerly,
    "openrlhf.utils.distributed_util": _sync_over_store,
    "vllm.model_executor.layers.utils": _keep_linear_weights,
}


class _AfterImport:
    """A finder that runs AFTER_IMPORT's function when its module has been executed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in AFTER_IMPORT:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            AFTER_IMPORT[name](module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _AfterImport)
