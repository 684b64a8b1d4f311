"""The model, the data and the runner of whole runs that the tests of this folder share."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def _script(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chain_model():
    """The base model, pre-trained once and kept with the environment."""
    folder = Path(sys.prefix) / "models" / "chain"
    _script("chain").write_model(folder)
    return folder


@pytest.fixture(scope="session")
def seeded_agent():
    """An agent file whose generations depend on nothing but the seed."""
    return HERE / "files" / "seeded_agent.py"


@pytest.fixture(scope="session")
def stack(chain_model, tmp_path_factory):
    return _script("stack").Stack(chain_model, tmp_path_factory.mktemp("openrlhf"))
