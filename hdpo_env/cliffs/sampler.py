"""Which problems to sample next, from what became of them so far: a resumable curriculum.

A `CliffSampler` is an iterable of dataset indices with a length, which is all that
``torch.utils.data.DataLoader(sampler=...)`` asks for; it does not import torch. The reference
trainer draws by one with ``hdpo train --curriculum retry`` (or frontier, drop, pools; ``hdpo train
--help`` lists their settings); its default, uniform, draws epochs and keeps no state.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, get_args

from hdpo_env.cliffs.beta import Beta
from hdpo_env.config import Strategy
from hdpo_env.errors import CheckpointError, ConfigError
from hdpo_env.types import derive_seed

POOLS = ("unseen", "cliff", "mixed", "solved")


class CliffSampler:
    """Draws indices of problems, one epoch of ``size`` draws at a time.

    Strategies, for problems with counts (c correct, w wrong) under a Beta prior:

    * ``uniform``: every epoch is a shuffle of all problems, whatever their counts.
    * ``frontier``: weights ``E[p (1-p)]`` of the posterior, the expected variance of a reward.
    * ``retry``: uniform, but a cliff waits for ``delay`` draws, then for twice as many, and so on:
      expand while others are tried, sharpen once the policy has moved.
    * ``drop``: a problem whose last group had no variance is left out of the epochs that follow,
      for ``rest`` epochs (DAPO drops such groups, here before they are paid for).
    * ``pools``: unseen, cliff, mixed and solved problems by fixed shares, ``pool_shares``.

    Draws depend on the seed, the epoch, the draw's number and the counts, not on the process:
    `state_dict` after any draw goes on identically.

    Args:
        size: number of problems, and of draws in an epoch.
        strategy: see above.
        seed: distinguishes two samplers.
        prior: belief about a pass rate before any rollout.
        delay: draws until a cliff's first retry.
        rest: epochs for which ``drop`` leaves a problem out.
        pool_shares: weights of the pools; empty pools give theirs to the others.
        threshold: successes up to which a group is a cliff to ``retry``, as in `classify`.

    Raises:
        ConfigError: a setting is impossible.

    >>> sampler = CliffSampler(4, "retry", delay=2)
    >>> draws = iter(sampler)
    >>> first = next(draws)
    >>> sampler.update(first, num_correct=0, num_wrong=8)
    >>> [next(draws), next(draws), next(draws)].index(first)
    2
    """

    def __init__(
        self,
        size: int,
        strategy: Strategy = "uniform",
        *,
        seed: int = 0,
        prior: Beta | None = None,
        delay: int = 1000,
        rest: int = 2,
        pool_shares: Mapping[str, float] | None = None,
        threshold: float = 0.0,
    ) -> None:
        self.size, self.strategy, self.seed = size, strategy, seed
        self.prior, self.delay, self.rest = prior or Beta(1.0, 1.0), delay, rest
        self.pool_shares = dict(pool_shares or dict.fromkeys(POOLS, 1.0))
        self.threshold = threshold
        self._check()
        self.epoch = 0
        self._drawn = 0  # draws of this epoch
        self._order: list[int] = []  # what is left of a shuffled epoch, next one last
        self._counts: dict[int, list[int]] = {}
        self._weights: list[float] | None = None  # of the frontier, until a count changes
        self._pools: dict[str, list[int]] | None = None  # likewise
        self._failures: dict[int, int] = {}  # cliffs in a row, for the delay
        self._due: list[tuple[int, int]] = []  # (draw at which it comes back, index)
        self._resting: dict[int, int] = {}  # index -> epoch from which it may come again

    def _check(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise ConfigError(
                f"strategy {self.strategy!r} is unknown: choose {', '.join(get_args(Strategy))}"
            )
        if self.size < 1 or self.delay < 1 or self.rest < 1:
            raise ConfigError(
                f"size={self.size}, delay={self.delay}, rest={self.rest}: each must be at least 1"
            )
        shares = self.pool_shares
        if set(shares) - set(POOLS) or min(shares.values()) < 0 or not sum(shares.values()):
            raise ConfigError(f"pool_shares {shares}: give weights >= 0 for {', '.join(POOLS)}")

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        """The rest of the current epoch; the next iteration is the next epoch."""
        while self._drawn < self.size:
            index = self._draw(self._rng("draw", self._drawn))
            self._drawn += 1
            yield index
        self._drawn = 0
        self._order = []
        self.epoch += 1

    def update(self, index: int, *, num_correct: int, num_wrong: int) -> None:
        """Say what a group of this problem came to; abstentions are left out of the counts.

        A problem that has to wait leaves the current epoch too, if it is still to come in it.

        Raises:
            ConfigError: there is no such problem, or a count is negative.
        """
        if not 0 <= index < self.size or min(num_correct, num_wrong) < 0:
            raise ConfigError(
                f"index {index}, counts {num_correct} and {num_wrong}: the index must lie in 0 to "
                f"{self.size - 1} and no count may be negative"
            )
        if not num_correct + num_wrong:
            return
        counts = self._counts.setdefault(index, [0, 0])
        counts[0] += num_correct
        counts[1] += num_wrong
        self._weights = self._pools = None
        is_cliff = num_correct <= self.threshold and num_wrong > 0
        self._failures[index] = self._failures.get(index, 0) + 1 if is_cliff else 0
        self._due = [item for item in self._due if item[1] != index]
        self._resting.pop(index, None)
        if self.strategy == "retry" and is_cliff:
            wait = self.delay * 2 ** (self._failures[index] - 1)
            insort(self._due, (self._place() + wait, index))
        elif self.strategy == "drop" and not (num_correct and num_wrong):
            self._resting[index] = self.epoch + 1 + self.rest
        else:
            return
        self._order = [i for i in self._order if i != index]

    def posterior(self, index: int) -> Beta:
        """What is believed of one problem's pass rate."""
        return self.prior.updated(*self._counts.get(index, (0, 0)))

    def pool(self, index: int) -> str:
        """Which of `POOLS` a problem is in, by all of its counts."""
        correct, wrong = self._counts.get(index, (0, 0))
        if not correct + wrong:
            return "unseen"
        return "mixed" if correct and wrong else ("solved" if correct else "cliff")

    def _place(self) -> int:
        return self.epoch * self.size + self._drawn

    def _rng(self, *path: str | int) -> Random:
        return Random(derive_seed("cliff sampler", self.seed, self.epoch, *path))

    def _draw(self, rng: Random) -> int:
        if self.strategy == "frontier":
            self._weights = self._weights or [self._variance(i) for i in range(self.size)]
            return rng.choices(range(self.size), self._weights)[0]
        if self.strategy == "pools":
            return self._from_pools(rng)
        if self._due and self._due[0][0] <= self._place():
            return self._due.pop(0)[1]
        return self._shuffled()

    def _variance(self, index: int) -> float:
        belief = self.posterior(index)
        return belief.mean - belief.mean**2 - belief.variance  # E[p] - E[p^2]

    def _from_pools(self, rng: Random) -> int:
        if self._pools is None:
            self._pools = {}
            for index in range(self.size):
                self._pools.setdefault(self.pool(index), []).append(index)
        weights = [self.pool_shares.get(name, 0.0) for name in self._pools]
        if not sum(weights):
            weights = [1.0] * len(weights)  # only pools without a share are left
        return rng.choice(self._pools[rng.choices(list(self._pools), weights)[0]])

    def _shuffled(self) -> int:
        if not self._order:
            waiting = {index for _, index in self._due}
            waiting |= {index for index, until in self._resting.items() if until > self.epoch}
            self._order = [i for i in range(self.size) if i not in waiting]
            self._order = self._order or list(range(self.size))  # all wait: none does
            self._rng("order", self._drawn).shuffle(self._order)
        return self._order.pop()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next draws depend on, JSON-able."""
        return {
            "size": self.size,
            "strategy": self.strategy,
            "seed": self.seed,
            "epoch": self.epoch,
            "drawn": self._drawn,
            "order": list(self._order),
            "counts": [[i, *c] for i, c in self._counts.items()],
            "failures": [list(item) for item in self._failures.items()],
            "due": [list(item) for item in self._due],
            "resting": [list(item) for item in self._resting.items()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            CheckpointError: the state is that of another sampler.
        """
        for name in ("size", "strategy", "seed"):
            if state[name] != getattr(self, name):
                raise CheckpointError(
                    f"the sampler's {name} is {getattr(self, name)} and the checkpoint's "
                    f"{state[name]}: make it with the same settings"
                )
        self.epoch, self._drawn = int(state["epoch"]), int(state["drawn"])
        self._order = list(state["order"])
        self._counts = {i: [c, w] for i, c, w in state["counts"]}
        self._failures = dict(state["failures"])
        self._due = [(at, i) for at, i in state["due"]]
        self._resting = dict(state["resting"])
        self._weights = self._pools = None
