"""Hint fading: as much privileged context as a problem needs, and less each time it is solved.

In the reference trainer, ``hdpo train --algo.distill.view solution --algo.distill.fade prefix:0.5
hints:1`` fades what HDPO's teacher sees of each cliff, by its privileged rollouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hdpo_env.errors import CheckpointError, ConfigError


class HintLadder:
    """A ladder of views for each problem, from the most telling one to none.

    A problem starts on the first rung. A group with a success share of at least ``up`` moves it to
    the next, less telling rung; one of at most ``down`` moves it back. On the last rung (``none``)
    the problem is solved without help.

    Raises:
        ConfigError: there are fewer than two rungs, two are equal, or not
            ``0 <= down < up <= 1``.

    >>> ladder = HintLadder(["solution", "prefix:0.5", "none"])
    >>> ladder.update("p", num_correct=3, num_wrong=1), ladder.view("p"), ladder.view("q")
    (None, 'prefix:0.5', 'solution')
    """

    def __init__(self, views: Sequence[str], *, up: float = 0.5, down: float = 0.0) -> None:
        if len(views) < 2 or len(set(views)) < len(views):
            raise ConfigError(f"views {list(views)}: give at least two different ones")
        if not 0 <= down < up <= 1:
            raise ConfigError(f"up={up}, down={down}: both are shares, and down lies below up")
        self.views, self.up, self.down = tuple(views), up, down
        self._rungs: dict[str, int] = {}

    def view(self, problem_id: str) -> str:
        """The view in which the problem is to be shown next."""
        return self.views[self._rungs.get(problem_id, 0)]

    def shown(self, problem_id: str) -> tuple[str, ...]:
        """The view and, from there back, every more telling one: the first that a problem has."""
        return self.views[self._rungs.get(problem_id, 0) :: -1]

    def update(self, problem_id: str, *, num_correct: int, num_wrong: int) -> None:
        """Say what a group in the problem's current view came to; nothing judged changes nothing.

        Raises:
            ConfigError: a count is negative.
        """
        if min(num_correct, num_wrong) < 0:
            raise ConfigError(f"counts {num_correct} and {num_wrong}: neither may be negative")
        if not (judged := num_correct + num_wrong):
            return
        rung, rate = self._rungs.get(problem_id, 0), num_correct / judged
        step = (rate >= self.up) - (rate <= self.down)
        self._rungs[problem_id] = min(max(rung + step, 0), len(self.views) - 1)

    def counts(self) -> dict[str, int]:
        """How many of the problems that were ever updated stand on each rung."""
        rungs = list(self._rungs.values())
        return {view: rungs.count(i) for i, view in enumerate(self.views)}

    def state_dict(self) -> dict[str, Any]:
        """Where every problem stands, JSON-able."""
        return {"views": list(self.views), "rungs": dict(self._rungs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            CheckpointError: the state is that of another ladder.
        """
        if tuple(state["views"]) != self.views:
            raise CheckpointError(
                f"the checkpoint's ladder is {state['views']} and this one {list(self.views)}: "
                "make it with the same views"
            )
        self._rungs = dict(state["rungs"])
