"""Contract checks for your own environments, verifiers, problem sources and divergences.

Each check raises AssertionError with a sentence that names what was found and what is promised.
Torch is imported by `check_divergence` only.
"""

from __future__ import annotations

import json
import pickle
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hdpo_env.problems.source import ProblemSource
from hdpo_env.types import Outcome, Problem, Verdict
from hdpo_env.verifiers.forms import stated
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier, check_gold, fault

if TYPE_CHECKING:
    import gymnasium
    from torch import Tensor

# Completions that break naive verifiers: none of them may raise.
NASTY = (
    "",
    " \n\t",
    "\\boxed{",
    "\\boxed{}",
    "}{" * 50,
    "\\frac{1}{0}",
    "$" * 99,
    "nan",
    "\x00\ud800",
    "∞" * 1000,
    "9" * 5000,
)


def _promise(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)


def check_env(env: gymnasium.Env, *, secrets: Sequence[str] = (), episodes: int = 5) -> None:
    """Check Gymnasium's contract without a warning, and that nothing secret comes out.

    Args:
        env: the environment, unwrapped.
        secrets: texts that no observation, info, rendering or repr may hold: plant them as gold
            answers, solutions and hints of the problems.
        episodes: how many episodes are played for the secrets.

    Raises:
        AssertionError: a promise is broken.
        Warning: what Gymnasium's own checker warns about.

    >>> from hdpo_env.env import MathEnv
    >>> check_env(MathEnv("linear"))
    """
    from gymnasium.utils.env_checker import check_env as check_gymnasium

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Its remark that an environment has no spec, or is wrapped, is not about its behaviour.
        warnings.filterwarnings("ignore", message=".*not having a spec.*")
        check_gymnasium(env)
    for episode in range(episodes):
        shown: list[Any] = [*env.reset(seed=episode), repr(env)]
        is_over = False
        for action in ("", "an answer", *(env.action_space.sample() for _ in range(20))):
            if not is_over:
                observation, _, terminated, truncated, info = env.step(action)
                is_over = terminated or truncated
                shown += [observation, info, env.render()]
        for secret in secrets:
            _promise(secret not in repr(shown), f"the environment shows the secret {secret!r}")


def check_verifier(
    verifier: Verifier,
    golds: Sequence[str] = ("42", "7", "100"),
    *,
    state: Callable[[str], str] = r"\boxed{{{}}}".format,
) -> None:
    r"""Check that a verifier judges, abstains, repeats itself and never raises.

    Args:
        verifier: what is checked.
        golds: gold answers, no two of which are equivalent.
        state: makes a completion that states an answer; ``str`` for the exact verifier.

    Raises:
        AssertionError: a promise is broken.

    >>> check_verifier(VERIFIERS["exact"](), state=str)
    """
    _promise(bool(verifier.name and verifier.version), "a verifier has a name and a version")
    pickle.loads(pickle.dumps(verifier))
    for gold in golds:
        for other in golds:
            verdict = verifier.verify(state(gold), other)
            _promise(
                verdict.correct is (gold == other),
                f"stating {gold!r} against gold {other!r} was judged {verdict.outcome.name}",
            )
        _check_stability(verifier, state(gold), gold)
    for text in NASTY:
        verdict = verifier.verify(text, golds[0])
        _promise(isinstance(verdict, Verdict), f"verify({text[:20]!r}) is no Verdict")
        _promise(verdict.correct is not True, f"{text[:20]!r} was judged CORRECT for {golds[0]!r}")
    blank = verifier.verify(state(golds[0]), " ")
    _promise(
        blank.outcome is Outcome.BAD_GOLD,
        f"a blank gold gave {blank.outcome.name}; it must give BAD_GOLD, an abstention",
    )


def _check_stability(verifier: Verifier, text: str, gold: str) -> None:
    first = verifier.verify(text, gold)
    variants = {
        "again": lambda: verifier.verify(text, gold),
        "with blanks around it": lambda: verifier.verify(f" \n{text}\n ", gold),
        "with the gold in a tuple": lambda: verifier.verify(text, (gold,)),
        "in a worker thread": lambda: _in_thread(lambda: verifier.verify(text, gold)),
    }
    for how, ask in variants.items():
        found = ask()
        _promise(
            isinstance(found, Verdict) and found.outcome is first.outcome,
            f"{text!r} was judged {first.outcome.name}, and {how} {found!r}",
        )


def _in_thread(call: Callable[[], Verdict]) -> Verdict | None:
    box: list[Verdict] = []
    thread = threading.Thread(target=lambda: box.append(call()))
    thread.start()
    thread.join()
    return box[0] if box else None


def check_problem_source(
    source: ProblemSource,
    *,
    verifier: Verifier | None = None,
    state: Callable[[Problem], str] | None = None,
    limit: int = 200,
) -> None:
    r"""Check that a source is consistent and that each problem can be solved as it is verified.

    Args:
        source: what is checked.
        verifier: judges all problems; None takes the one that each problem names.
        state: makes the completion that ought to be correct; None states the gold in
            the form that the verifier reads.
        limit: how many problems are looked at, the first ones.

    Raises:
        AssertionError: a promise is broken.

    >>> from hdpo_env.problems import LinearFamily
    >>> check_problem_source(LinearFamily(2).source(size=5))
    """
    _promise(len(source) > 0, "the source is empty")
    listed = [problem for problem, _ in zip(source, range(limit), strict=False)]
    _promise(
        listed == [source[i] for i in range(len(listed))],
        "iterating over the source and indexing it give different problems",
    )
    _promise(
        len(listed) == min(limit, len(source)),
        f"the source says it has {len(source)} problems and iterates over {len(listed)}",
    )
    first: dict[str, int] = {}
    for i, problem in enumerate(listed):
        earlier = first.setdefault(problem.id, i)
        same = listed[earlier].question == problem.question
        _promise(same, f"problems {earlier} and {i} share the id {problem.id} and differ")
        _check_problem(problem, verifier or VERIFIERS[problem.verifier](), state)


def _check_problem(
    problem: Problem, verifier: Verifier, state: Callable[[Problem], str] | None
) -> None:
    copy = Problem.from_dict(json.loads(problem.to_json()))
    _promise(copy == problem, f"problem {problem.id} does not survive JSON")
    try:
        complaint = check_gold(verifier, problem.answers)
        statement = state(problem) if state else stated(verifier.name, problem.gold)
        verdict = verifier.verify(statement, problem.answers)
    except Exception as error:  # its words may quote the gold, and its frames hold it
        raise AssertionError(
            f"problem {problem.id}: {verifier.name} raised {fault(error)}; it must abstain"
        ) from None
    if complaint is not None and _quotes(complaint, problem.answers):
        complaint = "its verifier's reason, which quotes it, is left out here"
    _promise(complaint is None, f"the gold of problem {problem.id} cannot be used: {complaint}")
    _promise(
        verdict.correct is True,
        f"problem {problem.id}: its own gold is judged {verdict.outcome.name} by {verifier.name}",
    )


def _quotes(reason: str, golds: Sequence[str]) -> bool:
    """Whether a verifier's words hold a gold; ``gold 2`` is a position, not the gold 2."""
    told = re.sub(r"\bgold \d+\b", "", reason)
    return any(re.search(rf"(?<!\w){re.escape(gold.strip())}(?!\w)", told) for gold in golds)


def check_divergence(
    divergence: Callable[[Tensor, Tensor], Tensor],
    *,
    vocabulary: int = 7,
    rows: int = 32,
    seed: int = 0,
) -> None:
    """Check a divergence of student and teacher logits, [N V] and [N V] -> [N], in nats.

    It is at least 0, 0 at equality and above 0 off it; it ignores constants added to logits and the
    order of the vocabulary; its gradient is finite, equals finite differences in the student's
    logits, and does not reach the teacher's.

    Raises:
        AssertionError: a promise is broken.
        MissingDependencyError: torch is not installed.
    """
    torch = _torch()
    draw = torch.Generator().manual_seed(seed)
    shape = (rows, vocabulary)
    student, teacher = (
        2 * torch.randn(shape, generator=draw, dtype=torch.float64) for _ in range(2)
    )
    value = divergence(student, teacher)
    _promise(tuple(value.shape) == (rows,), f"shape {tuple(value.shape)}: give one value a row")
    _promise(bool(value.isfinite().all()), "some values are not finite")
    _promise(bool((value > 0).all()), f"different rows gave {value.min():.3g}; it must be above 0")
    equal = divergence(student, student.clone())
    _promise(bool((equal.abs() < 1e-12).all()), f"equal rows gave {equal.abs().max():.3g}, not 0")
    order = torch.randperm(vocabulary, generator=draw)
    shift = torch.randn((rows, 1), generator=draw, dtype=torch.float64)
    for name, again in {
        "adding a constant to the student's logits": divergence(student + shift, teacher),
        "adding a constant to the teacher's logits": divergence(student, teacher + shift),
        "permuting the vocabulary": divergence(student[:, order], teacher[:, order]),
    }.items():
        gap = float((again - value).abs().max())
        _promise(gap < 1e-9, f"{name} changed the value by {gap:.3g}")
    _check_gradient(divergence, student, teacher)


def _check_gradient(
    divergence: Callable[[Tensor, Tensor], Tensor], student: Tensor, teacher: Tensor
) -> None:
    torch = _torch()
    mine, theirs = student[:3].clone().requires_grad_(), teacher[:3].clone().requires_grad_()
    divergence(mine, theirs).sum().backward()
    _promise(
        theirs.grad is None or not bool(theirs.grad.any()),
        "gradient reaches the teacher's logits: detach them inside",
    )
    fixed = teacher[:3]
    try:
        torch.autograd.gradcheck(lambda z: divergence(z, fixed), student[:3].requires_grad_())
    except Exception as error:
        raise AssertionError(f"the gradient is not the derivative: {error}") from None
    far = (torch.eye(2, 7, dtype=torch.float64) * 1e4).requires_grad_()
    divergence(far, -far.detach()).sum().backward()
    _promise(
        far.grad is not None and bool(far.grad.isfinite().all()),
        "the gradient is not finite where student and teacher exclude each other",
    )


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        from hdpo_env.errors import MissingDependencyError

        raise MissingDependencyError(
            "check_divergence needs torch: pip install 'hdpo_env[train]'"
        ) from None
    return torch
