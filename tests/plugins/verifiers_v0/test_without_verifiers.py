"""What of the verifiers adapter needs no verifiers: reading a completion."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hdpo_plugins.verifiers.v0 import correct

INFO = {"answers": ["4"], "verifier": "math"}


@pytest.mark.parametrize(
    ("completion", "reward"),
    [
        (r"\boxed{4}", 1.0),
        ([{"role": "user", "content": "2+2"}, {"role": "assistant", "content": r"\boxed{4}"}], 1.0),
        ([SimpleNamespace(content=[{"type": "text", "text": r"\boxed{4}"}])], 1.0),
        ([{"role": "assistant", "content": None}], 0.0),
        ([SimpleNamespace(content=None)], 0.0),
        ([], 0.0),
    ],
)
def test_every_form_of_a_completion_is_judged(completion: Any, reward: float) -> None:
    """The last message is the answer; a call of a tool, or nothing at all, is no answer."""
    state: dict[str, Any] = {}
    assert correct(completion, INFO, state) == reward
    assert not state
