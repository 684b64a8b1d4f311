"""Whole runs of OpenRLHF on the CPU, and what they log."""

import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
STEP = re.compile(r"Global step (\d+): (\{.*?\})$", re.MULTILINE)


class Run:
    """A finished run: its exit code, its log, and the metrics of each step."""

    def __init__(self, code, log, folder):
        self.code, self.log, self.folder = code, log, folder

    @property
    def steps(self):
        """Step number -> the metrics that OpenRLHF logged."""
        return {
            int(number): eval(text, {"__builtins__": {}, "nan": math.nan, "inf": math.inf})
            for number, text in STEP.findall(self.log)
        }

    def parameters(self):
        """The saved model's tensors."""
        from safetensors.torch import load_file

        return load_file(self.folder / "model" / "model.safetensors")


class Stack:
    """Runs the trainer with flags for the chain model; a run's name is its folder."""

    PLAIN = "openrlhf.cli.train_ppo_ray"
    PLUGIN = "hdpo_plugins.openrlhf.train_ppo_ray"

    def __init__(self, model, root):
        self.model, self.root = model, root

    def data(self, operators, count, split="train"):
        path = self.root / f"{split}-{operators.replace('*', 'x')}-{count}.jsonl"
        command = [sys.executable, HERE / "chain.py", "data", path, operators, str(count), split]
        subprocess.run(command, check=True)
        return path

    def flags(self, folder, data, **changed):
        """Two data-parallel ranks, 8 prompts x 4 completions, four micro-batches of 4 rows each."""
        given = {
            "actor.model_name_or_path": self.model,
            "data.prompt_dataset": data,
            "data.input_key": "input",
            "data.label_key": "label",
            "data.apply_chat_template": True,
            "data.max_len": 64,
            "rollout.max_new_tokens": 12,
            "rollout.batch_size": 8,
            "rollout.n_samples_per_prompt": 4,
            "rollout.micro_batch_size": 4,
            "train.batch_size": 32,
            "train.micro_batch_size": 4,
            "actor.num_gpus_per_node": 2,
            "vllm.num_engines": 1,
            "vllm.sync_backend": "gloo",
            "vllm.enforce_eager": True,
            "vllm.gpu_memory_utilization": 0.1,
            "algo.advantage.estimator": "group_norm",
            "algo.kl.init_coef": 0,
            "ds.zero_stage": 2,
            "ds.attn_implementation": "eager",
            "actor.lr_scheduler": "constant",
            "actor.adam.lr": 1e-3,
            "ckpt.output_dir": folder / "model",
            "ckpt.path": folder / "checkpoints",
            **changed,
        }
        return [text for name, value in given.items() for text in _spelled(name, value)]

    def run(self, name, module, data, *, environ=(), until=None, seconds=500, **changed):
        """Run to the end, or until the log holds the text ``until`` and then kill everything."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        log = folder / f"log-{time.time_ns()}.txt"
        flags = self.flags(folder, data, **changed)
        command = [sys.executable, HERE / "cpu.py", HERE / "train.py", module, *flags]
        judging = {
            "HDPO_REWARD_VERIFIER": "exact",
            "HDPO_REWARD_END_MARKS": ".",
            "HDPO_REWARD_WORKERS": "1",
        }
        with log.open("w") as file:
            process = subprocess.Popen(
                list(map(str, command)),
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **judging, **dict(environ)},
                start_new_session=True,
            )
            try:
                _wait(process, log, until, seconds)
            finally:
                _end(process)
        return Run(process.returncode, log.read_text(), folder)


def _spelled(name, value):
    """A flag as it is typed; one that may be repeated, such as --plugin, once for each value."""
    if value is None or value is False:
        return []
    if value is True:
        return [f"--{name}"]
    if name == "plugin":
        return [text for each in value for text in ("--plugin", each)]
    return [f"--{name}", *map(str, value if isinstance(value, (list, tuple)) else [value])]


def _wait(process, log, until, seconds):
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no end after {seconds} s:\n{log.read_text()[-4000:]}")
        if until and until in log.read_text():
            return
        time.sleep(0.1)


def _end(process):
    """Kill the run's process group; Ray's daemons have groups of their own and die with it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
