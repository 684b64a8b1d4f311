"""Without reasoning-gym: the adapter can be imported, and says what to install when it is used."""

from __future__ import annotations

import importlib.util

import pytest

from hdpo_env.errors import MissingDependencyError


@pytest.mark.skipif(
    importlib.util.find_spec("reasoning_gym") is not None, reason="reasoning-gym is installed"
)
def test_its_absence_is_said_with_the_remedy() -> None:
    """Importing needs nothing; making a source names the extra."""
    from hdpo_plugins.reasoning_gym.source import ReasoningGymFamily

    with pytest.raises(MissingDependencyError, match=r"pip install 'hdpo_env\[reasoning-gym\]'"):
        ReasoningGymFamily("chain_sum")
