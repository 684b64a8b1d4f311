"""A policy whose truth is known, to test every statistic and adapter without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.filters import telltales_of
from hdpo_env.privileged import VIEWS
from hdpo_env.types import Completion, Problem, Prompt, by_id, derive_seed
from hdpo_env.verifiers.forms import stated


class SimulatedPolicy:
    r"""Answers each problem correctly with a pass rate that you choose.

    Args:
        problems: the problems it knows; their verifier decides the form of an answer.
        pass_rates: the student's pass rate p for each problem id, or one for all.
        view_lift: by view, as prompts name it (``prefix:0.5``, ``answer+feedback``), the share of
            the student's failures that the view turns into successes: the pass rate becomes
            ``p + (1 - p) * lift``. Views that are not named lift by 0.
        leak_rate: the share of privileged completions that give away that they had help.
        no_answer_rate: the share of failures that state no final answer.
        truncation_rate: the share of failures that are cut by the token limit.
        seed: distinguishes two simulated policies.

    Greedy decoding succeeds exactly when the pass rate is at least 1/2. Token ids are the UTF-8
    bytes of the text. The completions for a prompt depend on (seed, sampling seed, position).

    >>> problem = Problem("1+1=?", ("2",))
    >>> policy = SimulatedPolicy([problem], pass_rates=1.0)
    >>> prompt = Prompt(problem.id, ())
    >>> policy.sample([prompt], num=1, temperature=1.0, max_tokens=99, seed=0)[0][0].text
    'The answer is \\boxed{2}.'
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        pass_rates: float | Mapping[str, float],
        *,
        view_lift: Mapping[str, float] | None = None,
        leak_rate: float = 0.0,
        no_answer_rate: float = 0.0,
        truncation_rate: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.problems = by_id(problems)
        self.pass_rates = (
            dict(pass_rates)
            if isinstance(pass_rates, Mapping)
            else dict.fromkeys(self.problems, pass_rates)
        )
        self.view_lift = dict(view_lift or {})
        self.leak_rate = leak_rate
        self.no_answer_rate = no_answer_rate
        self.truncation_rate = truncation_rate
        self.seed = seed
        self._check()

    def _check(self) -> None:
        for view in self.view_lift:
            VIEWS[view]  # a misspelt view would lift nothing and say nothing
        rates = {
            **{f"pass_rates[{id!r}]": p for id, p in self.pass_rates.items()},
            **{f"view_lift[{view!r}]": lift for view, lift in self.view_lift.items()},
            "leak_rate": self.leak_rate,
            "no_answer_rate + truncation_rate": self.no_answer_rate + self.truncation_rate,
        }
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise ConfigError(f"{name} is {rate}: give a rate in [0, 1]")
        if self.leak_rate and any(p.verifier == "exact" for p in self.problems.values()):
            raise ConfigError(
                f"leak_rate is {self.leak_rate} but the exact verifier accepts no words around an "
                "answer: use problems with another verifier, or leak_rate 0"
            )
        if missing := sorted(set(self.problems) - set(self.pass_rates)):
            raise ConfigError(f"no pass rate for problems {missing[:5]}: give one for each problem")

    def pass_rate(self, prompt: Prompt) -> float:
        """The true chance of a correct completion of this prompt."""
        if prompt.problem_id not in self.problems:
            raise DataError(f"problem {prompt.problem_id} is not one this simulated policy knows")
        p = self.pass_rates[prompt.problem_id]
        return p + (1 - p) * self.view_lift.get(prompt.view, 0.0) if prompt.is_privileged else p

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
        """``num`` completions per prompt; ``temperature`` has no effect on a simulated truth."""
        groups = []
        for position, prompt in enumerate(prompts):
            rng = Random(derive_seed("simulated", self.seed, seed, position, prompt.problem_id))
            draw = [self._complete(prompt, rng, max_tokens, greedy) for _ in range(num)]
            groups.append(draw)
        return groups

    def _complete(self, prompt: Prompt, rng: Random, max_tokens: int, greedy: bool) -> Completion:
        rate = self.pass_rate(prompt)
        succeeds = rate >= 0.5 if greedy else rng.random() < rate
        problem = self.problems[prompt.problem_id]
        text, finish = _stated(problem, problem.gold), "stop"
        if not succeeds:
            text, finish = self._failure(problem, rng)
        if prompt.is_privileged and rng.random() < self.leak_rate:
            text = f"As {self._telltale(prompt)} says: {text}"
        return self._tokens(text, finish, max_tokens)

    def _failure(self, problem: Problem, rng: Random) -> tuple[str, str]:
        draw = rng.random()
        if draw < self.truncation_rate:
            return "Let us first consider", "length"
        if draw < self.truncation_rate + self.no_answer_rate:
            return "" if problem.verifier == "exact" else "I cannot tell.", "stop"
        # A number far from any gold of our families, so that a failure is never right by accident.
        return _stated(problem, str(-(10**12) - rng.randrange(10**6))), "stop"

    def _telltale(self, prompt: Prompt) -> str:
        return next(iter(telltales_of(prompt.template)), "the reference solution")

    def _tokens(self, text: str, finish: str, max_tokens: int) -> Completion:
        ids = tuple(text.encode())
        if len(ids) > max_tokens:
            ids, finish = ids[:max_tokens], "length"
            text = bytes(ids).decode(errors="ignore")
        return Completion(ids, text, logprobs=(0.0,) * len(ids), finish_reason=finish)


def _stated(problem: Problem, answer: str) -> str:
    form = stated(problem.verifier, answer)
    return f"The answer is {form}." if form.startswith(r"\boxed") else form
