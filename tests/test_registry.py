"""Name tables: duplicates refused, choices listed, third parties loaded when asked for."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

import hdpo_env.registry
from hdpo_env.errors import RegistryError
from hdpo_env.registry import Registry


def test_names_are_unique() -> None:
    """A second value for a name is refused, the first stays."""
    table: Registry[int] = Registry("verb")
    table.add("go", 1)
    with pytest.raises(RegistryError, match="verb 'go' is already registered"):
        table.add("go", 2)
    assert table["go"] == 1
    assert list(table) == ["go"]
    assert "go" in table
    assert "gone" not in table


def test_unknown_names_list_the_choices_in_order() -> None:
    """The message is the sentence itself, not the repr that KeyError would print."""
    table: Registry[int] = Registry("verb")
    with pytest.raises(RegistryError) as caught:
        table["go"]
    assert str(caught.value) == "unknown verb 'go'; choose one of: (none)"
    table.add("stop", 1)
    table.add("run", 2)
    with pytest.raises(KeyError, match="choose one of: run, stop"):
        table["go"]


def test_other_packages_add_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point of the group is listed at once and loaded when its name is asked for."""
    offers = [EntryPoint(name="tau", value="math:tau", group="hdpo_env.number")]
    loaded = []

    def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
        loaded.append(name)
        return [e for e in offers if e.group == group and name in (None, e.name)]

    monkeypatch.setattr(hdpo_env.registry, "entry_points", entry_points)
    table: Registry[float] = Registry("number")
    table.add("one", 1.0)
    assert set(table) == {"one", "tau"}
    assert table["tau"] == pytest.approx(6.2831853, abs=1e-6)
    assert "tau" in loaded
    assert table["one"] == 1.0


def test_a_name_may_carry_an_argument() -> None:
    """What follows the colon is the factory's first argument; a full name with a colon wins."""
    table: Registry = Registry("verb")
    table.add("say", lambda words, mark="!": words + mark)
    assert table["say:hello: you"](mark="?") == "hello: you?"
    table.add("say:nothing", lambda: "")
    assert table["say:nothing"]() == ""
    with pytest.raises(RegistryError, match="unknown verb 'sey:hello'; choose one of: say"):
        table["sey:hello"]


@pytest.mark.parametrize("value", [3, lambda: "", lambda *, mark="!": mark])
def test_an_argument_that_nothing_takes_is_refused(value: object) -> None:
    """A value, and a factory with settings by name alone, are asked for without a colon."""
    table: Registry = Registry("verb")
    table.add("go", value)
    table.add("say", lambda words: words)
    assert [name in table for name in ("go:far", "say:far", "sey:far")] == [False, True, False]
    with pytest.raises(RegistryError, match="verb 'go' takes no argument, and 'far' was given"):
        table["go:far"]
