"""Python with the environment in which the OpenRLHF stack runs on the CPU.

python tests/plugins/openrlhf/cpu.py <what python takes: a script, -m module, -c code>
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SETTINGS = {
    "DS_ACCELERATOR": "cpu",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCHDYNAMO_DISABLE": "1",  # compiling costs more than it saves on a small model
    "TORCH_EXTENSIONS_DIR": str(Path(sys.prefix) / "torch_extensions"),  # DeepSpeed's compiled ops
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; vLLM takes a large share of the memory otherwise
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}


def environment() -> dict[str, str]:
    """This process's environment with the settings above and the shim first on PYTHONPATH."""
    inherited = os.environ.get("PYTHONPATH")
    path = [str(HERE / "shim"), *([inherited] if inherited else [])]
    scripts = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"  # ninja
    return {**os.environ, **SETTINGS, "PYTHONPATH": os.pathsep.join(path), "PATH": scripts}


if __name__ == "__main__":
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], environment())
