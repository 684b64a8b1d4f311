"""OpenRLHF, Ray and vLLM by name: versions, base classes, and their seams.

The other modules of this adapter subclass and call what they find here; they read attributes of
what they are handed. One more imports the host: ``reward/agent_func.py``, which OpenRLHF loads by
its path. Nothing of the host is imported before it is asked for: base classes are module attributes
that load on first use.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hdpo_env.errors import ConfigError, MissingDependencyError
from hdpo_env.hosting import require

log = logging.getLogger(__name__)

SUPPORTED = (0, 11)
TESTED = "0.11.2"  # by all tests; 0.11.0 was run whole once, by hand
INSTALL = f"openrlhf[vllm]=={TESTED}"  # vLLM is only an extra of it
# On no package index: the training extra is installed from the sources.
INSTALL_ALL = f"in the folder of hdpo_env's sources, pip install '.[train]' '{INSTALL}'"
CLI = "openrlhf.cli.train_ppo_ray"

# Our name -> module, attribute, whether the attribute is a Ray actor class around the real one.
_BASES = {
    "SamplesGenerator": ("openrlhf.trainer.ppo_utils.samples_generator", "SamplesGenerator", False),
    "ActorPPOTrainer": ("openrlhf.trainer.ray.ppo_actor", "ActorPPOTrainer", False),
    "PolicyModelActor": ("openrlhf.trainer.ray.ppo_actor", "PolicyModelActor", True),
    "ReferenceModelActor": ("openrlhf.trainer.ray.launcher", "ReferenceModelActor", True),
    "PPOTrainer": ("openrlhf.trainer.ppo_trainer", "PPOTrainer", True),
}


def __getattr__(name: str) -> Any:
    if name not in _BASES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute, is_actor = _BASES[name]
    found = getattr(_host(module), attribute)
    return undecorated(found) if is_actor else found


def undecorated(actor_class: Any) -> type:
    """The class under ``@ray.remote``; Ray's own modified copy of it must not be subclassed."""
    return actor_class.__ray_metadata__.modified_class.__ray_actor_class__


def _host(module: str) -> Any:
    return require(module, INSTALL)


def check_version() -> None:
    """Refuse a version of OpenRLHF whose code may differ, and warn of one that no test has run.

    Raises:
        MissingDependencyError: OpenRLHF is not installed.
        ConfigError: its version is not supported.
    """
    try:
        found = version("openrlhf")
    except PackageNotFoundError:
        raise MissingDependencyError(f"this needs openrlhf: pip install '{INSTALL}'") from None
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers != SUPPORTED:
        raise ConfigError(
            f"openrlhf {found} is not supported: this adapter was tested on {TESTED}; install "
            f"{INSTALL}, or a newer hdpo_env that names your version"
        )
    if found != TESTED:
        log.warning("openrlhf %s: the plugins were tested on %s; install that", found, INSTALL)


def swap(trainer: type, policy: type, reference: type, before_start: Callable[[], None]) -> None:
    """Put our classes where OpenRLHF's command line will look for its own.

    The command line's module (``__main__``) imported some of them by name before it parsed its
    arguments. ``before_start`` runs once Ray is up, before any model is loaded.
    """
    ray = _host("ray")
    main: Any = sys.modules["__main__"]
    policy_module, launcher = _module_of("PolicyModelActor"), _module_of("ReferenceModelActor")
    policy_module.PolicyModelActor = ray.remote(num_gpus=1)(policy)
    launcher.ReferenceModelActor = ray.remote(num_gpus=1)(reference)
    _module_of("PPOTrainer").PPOTrainer = ray.remote(trainer)
    main.PolicyModelActor = policy_module.PolicyModelActor
    main.ReferenceModelActor = launcher.ReferenceModelActor
    utils = _host("openrlhf.utils")
    get_strategy = utils.get_strategy

    def checked_strategy(args: Any) -> Any:
        before_start()
        return get_strategy(args)

    main.get_strategy = checked_strategy


def _module_of(base: str) -> Any:
    return _host(_BASES[base][0])


def reads_images(model: str) -> bool:
    """Whether OpenRLHF loads this checkpoint with a processor in the tokenizer's place."""
    return _host("openrlhf.utils.utils").is_vlm_model(model)


def training_rows(strategy: Any) -> Any:
    """The rows behind the prompt data loader, in its data set's order (as prepare_datasets)."""
    data, load = strategy.args.data, _host("openrlhf.datasets.utils").blending_datasets
    rows = load(
        data.prompt_dataset,
        data.prompt_probs,
        strategy,
        strategy.args.train.seed,
        max_count=data.max_samples,
        dataset_split=data.prompt_split,
    )
    return rows.select(range(min(data.max_samples, len(rows))))


def rendered(chat: Any, tokenizer: Any, data: Any, *, in_template: bool = True) -> str:
    """A chat, or a user message, as the prompt text that OpenRLHF would make of it."""
    make = _host("openrlhf.datasets.prompts_dataset").preprocess_data
    chat_template = tokenizer.apply_chat_template if data.apply_chat_template else None
    template = data.input_template if in_template else None
    return make({"prompt": chat}, template, "prompt", None, chat_template)[0]


def sampling_params(max_tokens: int, generate: dict[str, Any]) -> Any:
    """The parameters with which OpenRLHF samples the student, for a prompt with this much room."""
    return _host("vllm").SamplingParams(
        temperature=generate.get("temperature", 1.0),
        top_p=generate.get("top_p", 1.0),
        top_k=generate.get("top_k", -1),
        min_tokens=generate.get("min_new_tokens", 1),
        skip_special_tokens=generate.get("skip_special_tokens", False),
        max_tokens=max_tokens,
    )


def generate(engines: Sequence[Any], prompts: Sequence[list[int]], params: Sequence[Any]) -> list:
    """One completion of each prompt of token ids; requests are dealt out to the engines in turn.

    Ask for several by repeating the prompt: of a request with ``n > 1`` the engines return only
    what came last.
    """
    refs = [
        engines[i % len(engines)].generate.remote(prompt, param)
        for i, (prompt, param) in enumerate(zip(prompts, params, strict=True))
    ]
    return [output.outputs[0] for output in get(refs)]


def get(refs: Any) -> Any:
    """What Ray's references refer to."""
    return _host("ray").get(refs)


def reward_executor(args: Any) -> Any:
    """What scores a completion: the agent file's executor, or OpenRLHF's for a remote reward."""
    if args.train.agent_func_path:
        load = _host("openrlhf.trainer.ray.vllm_engine")._load_agent_executor
        return load(args.train.agent_func_path)
    return _host("openrlhf.utils.agent").SingleTurnAgentExecutor(args.reward.remote_url)


def on_every_node(function: Callable[[], str], seconds: float) -> dict[str, str]:
    """What a function returns on each live node of the cluster, by the node's address."""
    ray = _host("ray")
    affinity = _host("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    task = ray.remote(num_cpus=0, max_retries=0)(function)
    refs = {
        key: task.options(scheduling_strategy=affinity(key, soft=False)).remote() for key in nodes
    }
    answers = {}
    for key, ref in refs.items():
        try:
            answers[nodes[key]] = ray.get(ref, timeout=seconds)
        except Exception as error:  # the node's own failure is the answer
            answers[nodes[key]] = f"{type(error).__name__}: no answer within {seconds:.0f} s"
    return answers


def data_parallel_group(strategy: Any) -> Any:
    """The process group of ranks that hold different data, or None outside a distributed run."""
    return _host("openrlhf.utils.loss_utils")._get_dp_group(strategy)


def dynamic_loss_info(trainer: Any, experience: Any, step: int) -> Any:
    """What OpenRLHF divides a dynamic micro-batch's loss by: the tokens and rows of its update."""
    return _host("openrlhf.utils.loss_utils").get_loss_batch_info(
        trainer.strategy,
        experience.action_mask,
        replay_buffer=trainer.replay_buffer,
        step=step,
        dynamic_batch=True,
    )


def current_device() -> Any:
    """Where the policy's tensors live."""
    return _host("torch").cuda.current_device()
