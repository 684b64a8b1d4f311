"""Any Hugging Face causal language model as a policy, from a folder, a hub id or memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.utils import HFValidationError, validate_repo_id
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.policies.base import Head
from hdpo_env.policies.probe import head_input, output_head
from hdpo_env.policies.sampling import sample_tokens
from hdpo_env.types import Completion, Prompt


class HFPolicy:
    """A ``TorchPolicy`` around a ``transformers`` model and its tokenizer.

    On CUDA the weights stay fp32 and the arithmetic runs in bf16 (autocast): updates of size
    lr = 1e-6 would vanish in bf16 weights. On the CPU everything is fp32.

    Without a chat template the messages' texts are joined by blank lines. Without a pad token the
    end-of-sequence id pads; padded positions are masked, so the choice changes nothing. A
    completion also ends with any other id that the model's generation config lists.

    Raises:
        ConfigError: the tokenizer has no end-of-sequence token, or the model's logits are not
            ``hidden @ head.T + bias`` (soft-capped or scaled logits), which the losses rely on.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: Any, *, rows_per_batch: int = 256
    ) -> None:
        self.module, self.tokenizer, self.rows_per_batch = model, tokenizer, rows_per_batch
        if tokenizer.eos_token_id is None:
            raise ConfigError(
                "the tokenizer has no end-of-sequence token, so no completion could end; "
                "set tokenizer.eos_token before training"
            )
        self.eos_id: int = tokenizer.eos_token_id
        self.pad_id: int = self.eos_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self.stop_ids = {self.eos_id} | _listed(model.generation_config.eos_token_id)
        _check_head(self)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", **kwargs: Any) -> HFPolicy:
        """A policy from a local checkpoint folder or a hub id.

        Raises:
            ConfigError: nothing can be loaded from there; the message says what was tried.
        """
        check_place(path)
        try:
            tokenizer = AutoTokenizer.from_pretrained(path)
            model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"cannot load a model from {str(path)!r}: give a folder with config.json, weights "
                f"and tokenizer files, or a hub id that is reachable ({error})"
            ) from error
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        model.to(torch.device(device))
        return cls(model.eval(), tokenizer, **kwargs)

    def save(self, path: str | Path) -> None:
        """Write model and tokenizer as a folder that ``transformers`` can load."""
        self.module.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return self.module.device

    @property
    def max_positions(self) -> int | None:
        """The longest sequence the model was built for, None where its config does not say."""
        return getattr(self.module.config.get_text_config(), "max_position_embeddings", None)

    def encode(self, prompt: Prompt) -> tuple[int, ...]:
        """The chat template's ids up to where the assistant begins."""
        messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
        if self.tokenizer.chat_template is None:
            text = "\n\n".join(m["content"] for m in messages) + "\n\n"
            return tuple(self.tokenizer(text)["input_ids"])
        ids = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        return tuple(ids)

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of completion ids, special tokens left out."""
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=True)

    def encode_completion(self, text: str) -> tuple[int, ...]:
        """The ids of a written text (such as a solution) as a completion, ended by ``eos_id``."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return (*ids, self.eos_id)

    def hidden(
        self, input_ids: Int[Tensor, "B L"], attention_mask: Bool[Tensor, "B L"]
    ) -> Float[Tensor, "B L d"]:
        """Last hidden states of right-padded rows; bf16 on CUDA, fp32 on the CPU."""
        with self._autocast():
            body = self.module.base_model
            return body(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)[0]

    def head(self) -> Head:
        """The output embedding's weight and bias."""
        layer: Any = self.module.get_output_embeddings()
        return Head(layer.weight, getattr(layer, "bias", None))

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

        A completion that fills the model's context is cut there, as by ``max_tokens``.

        Raises:
            ConfigError: ``num``, ``max_tokens`` or ``temperature`` is not positive.
            DataError: a prompt leaves no room in the model's context.
        """
        _check_positive(num=num, max_tokens=max_tokens, temperature=temperature)
        generator = None
        if not greedy:
            generator = torch.Generator(self.device).manual_seed(seed)
        ids = [self.encode(p) for p in prompts]
        _check_room(ids, self.max_positions)
        rows = [
            r
            for part in self._batches(ids, num)
            for r in self._draw(part, num, temperature, max_tokens, generator)
        ]
        done = [
            Completion(
                token_ids=tuple(r.token_ids),
                text=self.decode(r.token_ids),
                logprobs=tuple(r.logprobs),
                finish_reason="stop" if r.is_done else "length",
            )
            for r in rows
        ]
        return [done[i : i + num] for i in range(0, len(done), num)]

    def _batches(self, ids: list[tuple[int, ...]], num: int) -> Iterator[list[tuple[int, ...]]]:
        per_batch = max(1, self.rows_per_batch // num)
        for i in range(0, len(ids), per_batch):
            yield ids[i : i + per_batch]

    def _draw(
        self,
        ids: list[tuple[int, ...]],
        num: int,
        temperature: float,
        max_tokens: int,
        generator: torch.Generator | None,
    ) -> list[Any]:
        with self._autocast():
            return sample_tokens(
                self.module,
                ids,
                num=num,
                stop_ids=self.stop_ids,
                pad_id=self.pad_id,
                temperature=temperature,
                max_tokens=max_tokens,
                generator=generator,
                max_positions=self.max_positions,
            )

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()


def check_place(path: str | Path) -> None:
    """Refuse a place that is neither a folder nor a hub id, for which no hub need be asked.

    Raises:
        ConfigError: it is neither.
    """
    if Path(path).exists():
        return
    try:
        validate_repo_id(str(path))
    except HFValidationError:
        raise ConfigError(
            f"there is no folder {str(path)!r}, and it cannot be a hub id: give a checkpoint's "
            "folder, or a hub id such as gpt2 or owner/name"
        ) from None


def _check_positive(**settings: int | float) -> None:
    if not all(value > 0 for value in settings.values()):  # NaN is not positive either
        told = ", ".join(f"{name}={value}" for name, value in settings.items())
        raise ConfigError(f"{told}: all must be positive (greedy=True takes the most likely token)")


def _check_room(ids: Sequence[Sequence[int]], room: int | None) -> None:
    longest = max(map(len, ids), default=0)
    if room is not None and longest >= room:
        raise DataError(
            f"a prompt of {longest} tokens leaves no room in the model's context of {room}: "
            "leave such problems out, or take a model with a longer context"
        )


def _listed(ids: int | list[int] | None) -> set[int]:
    """What a generation config names as ends of a completion: none, one or several ids."""
    return set() if ids is None else {ids} if isinstance(ids, int) else set(ids)


@torch.no_grad()
def _check_head(policy: HFPolicy) -> None:
    """Refuse models whose logits are not ``hidden @ head.T + bias``."""
    model = policy.module
    ids = torch.arange(min(8, model.config.get_text_config().vocab_size), device=model.device)[None]

    def forward() -> Tensor:
        with policy._autocast():
            return model(input_ids=ids, attention_mask=ids >= 0).logits

    ours = policy.hidden(ids, ids >= 0).float()
    theirs = head_input(forward, output_head(model), type(model).__name__).float()
    gap, size = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    if not gap <= 0.05 * size + 1e-4:
        raise ConfigError(
            f"{type(model).__name__}'s head reads something else than the last hidden states "
            f"(they differ by {gap:.3g}, the largest is {size:.3g}): such models are not supported"
        )
