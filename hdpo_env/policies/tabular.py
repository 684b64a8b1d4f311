"""A policy small enough to enumerate: one row of logits for every context of a trajectory tree.

It stands behind the same interface as a language model, so the trainer and the losses run on it
unchanged, while every expectation can be computed by listing all completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.policies.base import Head
from hdpo_env.types import Completion, Prompt

Context = tuple[int, ...]  # the prompt's id, then the completion's ids so far


class LogitTable(nn.Module):
    """The trainable logits ``[C, V]``, one row a context, and the identity as head."""

    head: Tensor

    def __init__(self, logits: Float[Tensor, "C V"]) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)
        eye = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
        self.register_buffer("head", eye)


class TabularPolicy:
    """A ``TorchPolicy`` over a finite tree: known prompts, V tokens, ``max_tokens`` at most.

    A context (prompt and completion prefix) owns one row of ``module.logits``; hidden states are
    these rows and the head is the identity, so d = V. A prompt is one token id, V or above; ids
    below V are completion tokens, the last of which ends a completion. Prompts with equal messages
    are the same prompt.

    Args:
        prompts: every prompt that will be asked, privileged ones included.
        alphabet: one character a token; the last one ends a completion.
        max_tokens: T, the depth of the tree.
        scale: standard deviation of the initial logits; 0 is the uniform policy.
        seed: of the initial logits.
        dtype: float64 by default, so that tests can be exact to 1e-12.

    Raises:
        ConfigError: no prompt, fewer than two tokens or a repeated one, or a tree without depth.

    >>> from hdpo_env.types import Message
    >>> ask = Prompt("p", (Message("user", "?"),))
    >>> policy = TabularPolicy([ask], "a.", max_tokens=2)
    >>> [(policy.decode(ids), logp.exp().item()) for ids, logp in policy.enumerate(ask)]
    [('aa', 0.25), ('a', 0.25), ('', 0.5)]
    """

    def __init__(
        self,
        prompts: Sequence[Prompt],
        alphabet: str,
        *,
        max_tokens: int,
        scale: float = 0.0,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if not prompts or len(set(alphabet)) < max(2, len(alphabet)) or max_tokens < 1:
            raise ConfigError(
                f"{len(prompts)} prompts, alphabet {alphabet!r}, max_tokens {max_tokens}: a tree "
                "needs a prompt, two different tokens (the last ends a completion) and a depth of 1"
            )
        self.alphabet, self.max_tokens = alphabet, max_tokens
        self.eos_id = self.pad_id = len(alphabet) - 1
        distinct = dict.fromkeys(p.messages for p in prompts)
        self._prompt_ids = {m: len(alphabet) + i for i, m in enumerate(distinct)}
        contexts = (c for i in self._prompt_ids.values() for c in self._contexts(i))
        self._row_of = {context: row for row, context in enumerate(contexts)}
        rng = torch.Generator().manual_seed(seed)
        noise = torch.randn(len(self._row_of), len(alphabet), generator=rng, dtype=dtype)
        self.module = LogitTable(scale * noise)

    def _contexts(self, prompt_id: int) -> Iterator[Context]:
        for depth in range(self.max_tokens):
            for prefix in product(range(self.eos_id), repeat=depth):
                yield (prompt_id, *prefix)

    @property
    def device(self) -> torch.device:
        """Where the table lives."""
        return self.module.logits.device

    def encode(self, prompt: Prompt) -> tuple[int, ...]:
        """The prompt's own id.

        Raises:
            DataError: the prompt is not one of those the table was built for.
        """
        if prompt.messages not in self._prompt_ids:
            raise DataError(
                f"a prompt of problem {prompt.problem_id!r} (view {prompt.view!r}) is not among "
                f"the {len(self._prompt_ids)} prompts of this table: pass it when building it"
            )
        return (self._prompt_ids[prompt.messages],)

    def decode(self, token_ids: Sequence[int]) -> str:
        """The completion's characters, the ending one left out."""
        return "".join(self.alphabet[i] for i in token_ids if i != self.eos_id)

    def encode_completion(self, text: str) -> tuple[int, ...]:
        """The ids of a written text as a completion, ended by ``eos_id``."""
        return (*(self.alphabet.index(c) for c in text), self.eos_id)

    def row(self, prompt: Prompt, prefix: Sequence[int] = ()) -> int:
        """Which row of ``module.logits`` predicts the token after this prefix."""
        return self._row_of[(*self.encode(prompt), *prefix)]

    def hidden(
        self, input_ids: Int[Tensor, "B L"], attention_mask: Bool[Tensor, "B L"]
    ) -> Float[Tensor, "B L d"]:
        """The table's row at every position; zeros where a completion cannot go on."""
        ids, mask = input_ids.tolist(), attention_mask.tolist()
        nowhere = len(self._row_of)
        rows = [
            [
                self._row_of.get(tuple(r[: i + 1]), nowhere) if m[i] else nowhere
                for i in range(len(r))
            ]
            for r, m in zip(ids, mask, strict=True)
        ]
        logits = self.module.logits
        table = torch.cat([logits, logits.new_zeros(1, logits.shape[1])])
        index = torch.tensor(rows, dtype=torch.long, device=self.device)
        return table[index.reshape(input_ids.shape)]

    def head(self) -> Head:
        """The identity."""
        return Head(self.module.head)

    def log_prob(
        self, prompt: Prompt, token_ids: Sequence[int], *, temperature: float = 1.0
    ) -> Float[Tensor, ""]:
        """``log pi(completion | prompt)``, differentiable; no token after the last is implied."""
        rows = [self.row(prompt, token_ids[:i]) for i in range(len(token_ids))]
        log_dist = (self.module.logits[rows] / temperature).log_softmax(-1)
        return log_dist[range(len(rows)), list(token_ids)].sum()

    def enumerate(
        self, prompt: Prompt, *, temperature: float = 1.0
    ) -> list[tuple[tuple[int, ...], Tensor]]:
        """Every completion with its log-probability; the probabilities sum to 1.

        A completion ends with ``eos_id`` or has ``max_tokens`` tokens.
        """
        going = list(product(range(self.eos_id), repeat=self.max_tokens))
        ended = [
            (*prefix, self.eos_id)
            for depth in range(self.max_tokens)
            for prefix in product(range(self.eos_id), repeat=depth)
        ]
        return [
            (ids, self.log_prob(prompt, ids, temperature=temperature))
            for ids in sorted(going + ended)
        ]

    @torch.no_grad()
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
        """``num`` completions of each prompt, drawn from a generator seeded here.

        Raises:
            ConfigError: ``num`` or ``temperature`` is not positive, or ``max_tokens`` is not
                between 1 and the depth of the tree.
        """
        if num < 1 or temperature <= 0 or not 1 <= max_tokens <= self.max_tokens:
            raise ConfigError(
                f"num={num}, temperature={temperature}, max_tokens={max_tokens}: num and "
                f"temperature must be positive and max_tokens at most {self.max_tokens}, the depth"
            )
        rng = None if greedy else torch.Generator(self.device).manual_seed(seed)
        logits = self.module.logits / (1.0 if greedy else temperature)
        log_dist = logits.log_softmax(-1)
        rows = [
            self._draw(self.encode(p), log_dist, max_tokens, rng)
            for p in prompts
            for _ in range(num)
        ]
        return [rows[i : i + num] for i in range(0, len(rows), num)]

    def _draw(
        self, context: Context, log_dist: Tensor, max_tokens: int, rng: torch.Generator | None
    ) -> Completion:
        start, logprobs = len(context), []
        while len(context) - start < max_tokens and context[-1] != self.eos_id:
            here = log_dist[self._row_of[context]]
            drawn = (
                here.argmax() if rng is None else torch.multinomial(here.exp(), 1, generator=rng)
            )
            logprobs.append(float(here[int(drawn)]))
            context = (*context, int(drawn))
        ids = context[start:]
        reason = "stop" if ids[-1] == self.eos_id else "length"
        return Completion(ids, self.decode(ids), tuple(logprobs), reason)
