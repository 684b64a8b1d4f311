"""Rewards without the host: what of a query is judged, and under which settings."""

import doctest
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError
from hdpo_plugins.openrlhf.reward.judging import Judge, Settings
from hdpo_plugins.openrlhf.reward.texts import completion_of, without_marks

words = st.text("ab1 \n", max_size=12)


@given(prompt=words, completion=words)
def test_the_completion_is_what_follows_the_prompt(prompt, completion):
    """Prompt and completion joined give the completion back, up to white space at the border."""
    assert completion_of(prompt + completion, prompt).strip() == completion.strip()


@given(prompt=words, completion=words, other=words)
def test_white_space_in_the_prompt_is_not_compared_and_all_else_is(prompt, completion, other):
    """A prompt that was decoded without its spaces is still found; another prompt never is."""
    squeezed = "".join(prompt.split())
    assert completion_of(squeezed + completion, prompt).split() == completion.split()
    query = "x" + other
    assert completion_of(query, prompt) == (None if squeezed else query)


@given(text=st.text("42.", max_size=6), marks=st.lists(st.just("</s>"), max_size=3))
def test_end_marks_are_cut_off_the_end_alone(text, marks):
    """Marks after the last word go, however many; a mark within the text stays."""
    assert without_marks(text + "".join(marks), ["</s>"]) == text
    assert without_marks(f"</s>{text}1", ["</s>"]) == f"</s>{text}1"


def test_settings_come_from_the_environment(monkeypatch):
    """The reward file, which OpenRLHF loads by path, takes its settings from HDPO_REWARD_*."""
    monkeypatch.setenv("HDPO_REWARD_VERIFIER", "exact")
    monkeypatch.setenv("HDPO_REWARD_END_MARKS", ". !")
    monkeypatch.setenv("HDPO_REWARD_WORKERS", "0")
    settings = Settings.from_environ()
    assert settings == Settings("exact", 0, Settings().timeout_s, (".", "!"))
    assert Judge(settings)(["Q=12.!"], ["Q="], ["12"])[0].correct is True
    monkeypatch.setenv("HDPO_REWARD_WORKERS", "many")
    with pytest.raises(ConfigError, match="numbers"):
        Settings.from_environ()


@pytest.mark.parametrize("name", ["judging", "texts"])
def test_the_examples_in_the_docstrings_hold(name):
    """The modules' doctests run as they stand."""
    module = importlib.import_module(f"hdpo_plugins.openrlhf.reward.{name}")
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
