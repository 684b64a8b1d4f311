"""Flags that would do nothing are refused, and none that does something is."""

import argparse

import pytest

from hdpo_plugins.openrlhf import launch
from hdpo_plugins.openrlhf.idle import idle_complaints
from hdpo_plugins.openrlhf.methods import PLUGINS
from hdpo_plugins.openrlhf.plugins import Plugin


def found(*argv):
    """What is said of these flags, by the name of the flag."""
    parser = argparse.ArgumentParser()
    launch.add_flags(parser)
    sentences = list(idle_complaints(vars(parser.parse_args(argv))))
    assert len({sentence.split()[0] for sentence in sentences}) == len(sentences)
    return {sentence.split()[0]: sentence for sentence in sentences}


def test_a_flag_of_a_plugin_that_was_not_chosen_is_named_as_it_is_typed():
    """With no plugin or another one; the remedy is the plugin, or to drop the flag."""
    for plugin in ((), ("--plugin", "sdpg")):
        [(flag, sentence)] = found(*plugin, "--hdpo.lambda", "0.1").items()
        assert flag == "--hdpo.lambda"
        assert sentence.endswith("would do nothing: add --plugin hdpo or drop it")
    given = ("--rlsd.mix", "0.2", "--no-hdpo.drop_leaks", "--hdpo.reenter_after", "4")
    assert set(found("--plugin", "sdpg", *given)) == {
        "--rlsd.mix", "--hdpo.drop_leaks", "--hdpo.reenter_after",
    }  # fmt: skip
    assert found("--plugin", "hdpo", "--plugin", "rlsd", *given) == {}


def test_what_every_plugin_reads_needs_any_plugin():
    """Solutions and the ledger; what counts as a cliff in everybody's metrics."""
    common = ("--data.solution_key", "solution", "--hdpo.ledger", "somewhere")
    shared = ("--hdpo.cliff_threshold", "1")
    without = found(*common, *shared)
    assert set(without) == {"--data.solution_key", "--hdpo.ledger", "--hdpo.cliff_threshold"}
    assert "add --plugin (one of hdpo, rlsd, sdpg) or drop it" in without["--hdpo.ledger"]
    for name in ("hdpo", "rlsd", "sdpg"):
        assert found("--plugin", name, *common, *shared) == {}


def test_defaults_are_no_complaint():
    """Nobody typed them."""
    assert found() == found("--plugin", "rlsd") == {}


def test_a_plugin_without_a_template_of_its_own_reads_hdpos():
    """Its ledger finds the question by it; SDPG has its own."""

    class Bare(Plugin):
        name = "bare"

    table = dict(PLUGINS._table)
    try:
        PLUGINS.add("bare", Bare)
        assert found("--plugin", "bare", "--hdpo.template", "chain") == {}
        assert set(found("--plugin", "sdpg", "--hdpo.template", "chain")) == {"--hdpo.template"}
    finally:
        PLUGINS._table.clear()
        PLUGINS._table.update(table)


def test_the_command_ends_before_anything_starts(monkeypatch, capsys):
    """Exit code 2, as argparse does; a parser that is not OpenRLHF's is left alone."""
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", argparse.ArgumentParser.parse_args)
    launch.install()
    host = argparse.ArgumentParser()
    host.add_argument(launch.MARK)
    assert host.parse_args([launch.MARK, "model"]).plugin == []
    with pytest.raises(SystemExit) as ended:
        host.parse_args(["--sdpg.beta", "0.5"])
    assert ended.value.code == 2
    assert "--sdpg.beta is a flag of the plugin sdpg" in capsys.readouterr().err
    other = argparse.ArgumentParser()
    other.add_argument("--sdpg.beta")
    assert vars(other.parse_args(["--sdpg.beta", "0.5"])) == {"sdpg.beta": "0.5"}
