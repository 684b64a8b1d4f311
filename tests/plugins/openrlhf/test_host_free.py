"""The parts of the OpenRLHF adapter that need neither OpenRLHF nor a GPU."""

import argparse
import importlib.metadata
import sys
from itertools import count, islice, product
from types import SimpleNamespace

import pytest
import torch
from hdpo_plugins.openrlhf import autoload, compat, heads, launch
from hdpo_plugins.openrlhf.flags import flat
from hdpo_plugins.openrlhf.groups import GroupRecord, grouped, rollout_of, verdict_of
from hdpo_plugins.openrlhf.labels import read_label
from hdpo_plugins.openrlhf.methods import PLUGINS, chosen
from hdpo_plugins.openrlhf.methods.own_rollouts import gates
from hdpo_plugins.openrlhf.methods.reread import reread
from hdpo_plugins.openrlhf.plugins import Plugin
from hdpo_plugins.openrlhf.refusals import complaints
from hdpo_plugins.openrlhf.sharpen import Reentry
from hdpo_plugins.openrlhf.source import ProblemSource
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.config import preset
from hdpo_env.errors import ConfigError, MissingDependencyError
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.types import GroupKind, Problem

# The host's flags that our refusals read, as a supported run sets them.
FINE = {
    "train.async_enable": False,
    "train.dynamic_batch_enable": False,
    "ds.ring_attn_size": 1,
    "ds.tensor_parallel_size": 1,
    "ds.deepcompile": False,
    "ds.zero_stage": 2,
    "ds.lora.rank": 0,
    "data.max_images_per_prompt": 0,
    "rollout.n_samples_per_prompt": 4,
    "rollout.temperature": 1.0,
    "vllm.num_engines": 1,
    "reward.remote_url": "reward.py",
    "train.agent_func_path": None,
    "train.enable_ema": False,
    "algo.kl.init_coef": 0.01,
    "ckpt.load_enable": False,
}


def parsed(*argv):
    """Our flags alone, parsed, beside the host's defaults above."""
    parser = argparse.ArgumentParser()
    launch.add_flags(parser)
    return FINE | vars(parser.parse_args(argv))


# ---- labels and verdicts


@given(st.text(min_size=1).filter(lambda t: t.strip() and not t.lstrip().startswith("{")))
def test_a_plain_label_is_its_own_answer(text):
    """Text that is no JSON object is the gold answer, character for character."""
    assert read_label(text) == ((text,), None)


def test_labels_that_look_like_json_and_are_not():
    """Braces belong to mathematics too; only an object with an answer is taken apart."""
    assert read_label("{1, 2}").answers == ("{1, 2}",)
    assert read_label('{"a": 1}').answers == ('{"a": 1}',)
    assert read_label({"answer": 72, "solution": "s"}) == (("72",), "s")
    assert read_label(["1/2", "0.5"]).answers == ("1/2", "0.5")
    assert read_label("").answers == ()


def test_a_fault_of_the_verifier_is_no_wrong_answer():
    """No score, NaN and an abstention leave the verdict open; 1 is right, less is wrong."""
    right, wrong = torch.tensor([1.0]), torch.tensor([[0.9]])
    assert [verdict_of(x, {}).correct for x in (right, wrong, 2.0, [0.0])] == [
        True, False, True, False,
    ]  # fmt: skip
    open_ones = [(None, {}), (float("nan"), {}), (0.0, {"abstained": torch.tensor([1.0])})]
    assert [verdict_of(*pair).correct for pair in open_ones] == [None] * 3


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=6))
def test_a_cliff_stays_one_however_its_abstentions_are_judged(correct):
    """A group counts as a cliff only if no judgement of its open rollouts could change that."""
    kind = GroupRecord("p", "l", (1,), tuple(correct)).kind()
    open_ones = [i for i, c in enumerate(correct) if c is None]
    worlds = []
    for judged in product([True, False], repeat=len(open_ones)):
        world = list(correct)
        for i, value in zip(open_ones, judged, strict=True):
            world[i] = value
        worlds.append(not any(world))
    assert (kind is GroupKind.CLIFF) == all(worlds)


def test_the_raw_score_decides_and_the_prompt_ends_at_the_first_action():
    """The score wins over a shaped reward; prompt ids are what stands before the first action."""

    def one(rewards, scores, info):
        return rollout_of(
            SimpleNamespace(
                sequences=torch.tensor([[5, 6, 7, 8, 9]]),
                action_mask=torch.tensor([[0, 0, 1, 1]]),
                rewards=rewards,
                scores=scores,
                prompts=["ask"],
                labels=["1"],
                info=info,
            )
        )

    shaped = one(torch.tensor([-0.5]), torch.tensor([1.0]), {})
    bare = one(torch.tensor([0.0]), None, {})
    fault = one(torch.tensor([0.0]), torch.tensor([0.0]), {"abstained": torch.tensor([1.0])})
    group = grouped([shaped, bare, fault])
    assert group == ("ask", "1", (5, 6, 7), (True, False, None))


# ---- from a rollout back to its problem


def source_of(rows, **settings):
    """Prompts as OpenRLHF would render them: a chat template, then the generation prompt."""

    def render(chat, in_template=True):
        messages = [{"role": "user", "content": chat}] if isinstance(chat, str) else chat
        text = "".join(f"<{m['role'][0]}>{m['content']}" for m in messages)
        return f"[{text}]" if in_template else text

    prompts = [render(row["input"]) for row in rows]
    defaults = {"input_key": "input", "solution_key": "solution"}
    return ProblemSource(rows, prompts, render=render, **{**defaults, **settings}), prompts


def test_the_teacher_reads_the_students_prompt_with_the_solution_inside():
    """The last user message is replaced by our template's words; the chat around it stays."""
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1+1?"},
    ]
    source, [prompt] = source_of([{"input": chat, "solution": "One and one is two."}])
    found = source.teacher_prompt(prompt, "2", "solution", "hdpo")
    text = found.messages[0].content
    assert text.startswith("[<s>Be brief.<u>What is 1+1?\n\n")
    assert "Final answer: 2" in text
    assert "One and one is two." in text
    assert "two" not in repr(found)
    assert chat[1]["content"] == "What is 1+1?"
    assert source.teacher_prompt("never seen", "2", "solution", "hdpo") is None


def test_problems_keep_their_ids_whatever_template_the_data_was_made_with():
    """The question inside a known student's template is recovered, and with it the id."""
    problem = Problem("3+7", ("02",), solution="3+7=02")
    asked = student_prompt(problem, "chain").messages[0].content
    source, [prompt] = source_of([{"input": asked, "solution": problem.solution}])
    assert source.problem_id(prompt, "02", "chain") == problem.id
    assert source.problem_id(prompt, "02", "hdpo") != problem.id  # there the Q is of the question
    found = source.teacher_prompt(prompt, "02", "solution", "chain").messages[0].content
    ours = privileged_prompt(problem, "solution", "chain").messages[0].content
    assert found == f"<u>{ours}"  # no input template around words that replace the prompt


def test_literal_templates_and_labels_that_carry_the_solution():
    """``{context}`` makes a template of any words; a JSON label needs no column."""
    source, [prompt] = source_of([{"input": "1+1?"}], solution_key=None)
    label = '{"answer": "2", "solution": "count"}'
    text = source.teacher_prompt(prompt, label, "solution", "{context}: {prompt}")
    assert text.messages[0].content == "[<u>2\n\ncount: 1+1?]"
    only = source.teacher_prompt(prompt, label, "answer", "ANS{context};{prompt}")
    assert only.messages[0].content == "[<u>ANS2;1+1?]"
    source.check([label], "solution", "hdpo", "hdpo")


def test_a_start_without_any_privileged_context_is_refused_with_the_flags_to_set():
    """No solutions and no answers are noticed before a model is loaded."""
    source, _ = source_of([{"input": "1+1?", "solution": None}])
    with pytest.raises(ConfigError, match=r"--data\.solution_key .* --hdpo\.view answer"):
        source.check(["2"], "solution", "hdpo", "hdpo")
    source.check(["2"], "answer", "hdpo", "hdpo")
    with pytest.raises(ConfigError, match=r"--data\.solution_key steps: .* columns input"):
        source_of([{"input": "1+1?"}], solution_key="steps")
    with pytest.raises(ConfigError, match="2 rows and OpenRLHF made 1 prompts"):
        ProblemSource([{}, {}], ["a"], input_key="i", solution_key=None, render=str)


# ---- who is gated, and what lines up


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, None]), min_size=1, max_size=8))
def test_gates_follow_the_sign_of_the_advantage(rewards):
    """In above the mean, out below it and at it; a group without spread has no advantage."""
    known = [r for r in rewards if r is not None]
    mean = sum(known) / max(1, len(known))
    assert gates(rewards, "positive_advantage") == [r is not None and r > mean for r in rewards]
    assert gates(rewards, "any_advantage") == [r is not None and r != mean for r in rewards]
    assert gates(rewards, "all") == [r is not None for r in rewards]
    assert not any(gates(rewards, "none"))


def test_a_tie_in_floating_point_is_a_tie():
    """0.1 repeated has a mean that differs from 0.1 in the last place; nobody is above it."""
    assert not any(gates([0.1] * 10, "positive_advantage"))


@st.composite
def micro_batches(draw):
    """Right-padded rollouts, some with a turn of an environment between two actions."""
    size = draw(st.integers(1, 4))
    rows = []
    for i in range(size):
        prompt = draw(st.lists(st.integers(2, 9), min_size=1, max_size=4))
        actions = draw(st.lists(st.booleans(), max_size=4))
        rows.append((prompt, [True, *actions], draw(st.booleans()), f"p{i}"))
    width = max(len(p) + len(a) for p, a, _, _ in rows)
    ids = torch.zeros(size, width, dtype=torch.long)
    seen, acted = torch.zeros_like(ids), torch.zeros(size, width - 1, dtype=torch.long)
    for b, (prompt, actions, _, _) in enumerate(rows):
        length = len(prompt) + len(actions)
        ids[b, :length] = 10 * (b + 1) + torch.arange(length)  # every token is told apart
        seen[b, :length] = 1
        acted[b, len(prompt) - 1 : length - 1] = torch.tensor(actions).long()
    return SimpleNamespace(
        sequences=ids,
        attention_mask=seen,
        action_mask=acted,
        prompts=[row[3] for row in rows],
        info={"g": [torch.tensor(float(row[2])) for row in rows]},
    )


@given(micro_batches(), st.booleans())
def test_student_and_teacher_rows_are_the_same_tokens_in_the_same_order(experience, partitioned):
    """Token by token, whatever the prompts' lengths, gates and environment turns; packed too."""
    prompts = {name: [3] * (2 + i) for i, name in enumerate(experience.prompts)}
    longest = max(len(ids) for ids in prompts.values()) + experience.sequences.shape[1]
    worker = SimpleNamespace(pad_id=0, is_partitioned=partitioned, args={"data.max_len": longest})
    found = reread(experience, prompts, "g", worker)
    gated = [b for b, g in enumerate(experience.info["g"]) if g > 0]
    if not gated and not partitioned:
        assert found is None
        return
    wanted = [
        int(experience.sequences[b, t + 1])
        for b in gated
        for t in range(experience.action_mask.shape[1])
        if experience.action_mask[b, t]
    ]
    assert found.targets.tolist() == wanted
    assert found.batch.target[found.is_action].tolist() == wanted
    assert found.batch.input_ids.shape[0] == max(1, len(gated))
    # what the student's head reads, padded or packed: here a state is its own token's id
    states = experience.sequences[..., None].float()
    packed = states[experience.attention_mask.bool()][None]
    predictors = [w - 1 for w in wanted]
    assert found.of_student(states)[:, 0].tolist() == predictors
    assert found.of_student(packed)[:, 0].tolist() == predictors
    assert found.of_actions(experience.sequences[:, :-1]).tolist() == predictors


def test_a_rollout_that_is_too_long_for_the_teacher_is_left_out():
    """Its prompt and the completion must fit --data.max_len together; nothing is cut."""
    experience = SimpleNamespace(
        sequences=torch.tensor([[5, 6, 7], [5, 6, 0]]),
        attention_mask=torch.tensor([[1, 1, 1], [1, 1, 0]]),
        action_mask=torch.tensor([[1, 1], [1, 0]]),
        prompts=["a", "b"],
        info={"g": [torch.tensor(1.0)] * 2},
    )
    worker = SimpleNamespace(pad_id=0, is_partitioned=False, args={"data.max_len": 4})
    prompts = {"a": [1, 1, 1], "b": [1, 1, 1]}
    assert reread(experience, prompts, "g", worker).targets.tolist() == [6]


# ---- the head


@pytest.fixture(scope="module")
def model():
    from hdpo_env.policies.tiny import tiny_model

    return tiny_model(seed=0, hidden=32, heads=2)


class Engine(torch.nn.Module):
    """As DeepSpeed's: the model under ``module``."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


def test_a_replaced_head_gives_the_gradients_of_the_logits_it_avoids(model):
    """The loss inside the head's call equals the loss on the logits, and so do all gradients."""
    from hdpo_env.batching import token_batch
    from hdpo_env.losses import head_loss

    batch = token_batch([[5, 6], [7, 8, 9]], [[3, 4, 1], [2]], pad_id=0)
    head = heads.output_head(model)

    def nll(h, W, bias):
        return head_loss(h, W, batch.target, lambda logprobs, rows: -logprobs, bias=bias).loss

    model.zero_grad()
    found = heads.run(Engine(model), head, batch, nll)
    found.backward()
    mine = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    mask = batch.attention_mask.long()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(batch.input_ids, attention_mask=mask, position_ids=positions).logits
    wanted = torch.nn.functional.cross_entropy(batch.gather(logits), batch.target, reduction="sum")
    wanted.backward()
    assert torch.allclose(found, wanted, rtol=1e-5)
    for name, parameter in model.named_parameters():
        assert torch.allclose(mine[name], parameter.grad, rtol=1e-4, atol=1e-6), name


def test_the_head_is_put_back_even_after_an_error(model):
    """Whatever happens inside, the next forward pass is the model's own."""
    from hdpo_env.batching import token_batch

    batch, head = token_batch([[5]], [[3]], pad_id=0), heads.output_head(model)
    before = model(batch.input_ids).logits

    def fail(h, W, bias):
        raise KeyError("inside")

    with pytest.raises(KeyError):
        heads.run(Engine(model), head, batch, fail)
    assert "forward" not in head.__dict__
    assert torch.equal(model(batch.input_ids).logits, before)


def test_reading_takes_no_gradient_and_leaves_the_mode_alone(model):
    """A teacher reads in evaluation mode; whoever was training goes on training."""
    from hdpo_env.batching import token_batch

    engine = Engine(model).train()
    batch, modes = token_batch([[5]], [[3, 4]], pad_id=0), []

    def states(h, W, bias):
        modes.append((engine.training, torch.is_grad_enabled()))
        return (h,)

    (found,) = heads.read(engine, heads.output_head(model), batch, states)
    assert modes == [(False, False)]
    assert engine.training
    assert not found.requires_grad
    assert found.shape == (2, 32)


def test_models_that_change_their_logits_after_the_head_are_refused(model):
    """The rows would be another distribution's; LoRA on the head is no linear map either."""
    capped = SimpleNamespace(
        get_output_embeddings=model.get_output_embeddings,
        config=SimpleNamespace(final_logit_softcapping=30.0),
    )
    with pytest.raises(ConfigError, match="final_logit_softcapping"):
        heads.output_head(capped)
    wrapped = SimpleNamespace(get_output_embeddings=lambda: torch.nn.Identity(), config=None)
    with pytest.raises(ConfigError, match=r"leave lm_head out of --ds\.lora\.target_modules"):
        heads.output_head(wrapped)


# ---- expand, then sharpen


@given(
    delay=st.integers(1, 3),
    distilled=st.lists(st.sets(st.integers(0, 4), max_size=3), min_size=1, max_size=8),
    size=st.sampled_from([2, 4, 6]),
    resumed=st.integers(0, 8),
)
def test_every_former_cliff_comes_back_once_and_never_too_early(delay, distilled, size, resumed):
    """Each comes `delay` steps later or after, at most half a batch; a resume loses none."""
    queue, due, loader = Reentry(delay), {}, count(100)
    for step in range(len(distilled) + delay + 20):
        if step == resumed:
            state, queue = queue.state(), Reentry(delay)
            queue.load_state(state)
        batch = list(islice(queue.stream(loader, step, size, lambda row: row), size))
        back = [row for row in batch if row < 100]
        assert len(back) <= size // 2
        assert [row for row in range(5) if queue.came_back(row)] == sorted(back)
        for row in back:
            assert due.pop(row) <= step
        for row in sorted(distilled[step]) if step < len(distilled) else ():
            queue.add(row, step)
            due.setdefault(row, step + delay)
    assert not due


@given(rows=st.integers(1, 20), size=st.sampled_from([2, 4]), cliffs=st.integers(1, 3))
def test_no_row_of_the_loader_is_lost_and_every_batch_is_whole(rows, size, cliffs):
    """Former cliffs fill the last batch; after it the stream is over, however many still wait."""
    queue, loader, seen = Reentry(1), iter(range(100, 100 + rows)), []
    for row in range(cliffs):
        queue.add(row, 0)
    for step in range(100):
        batch = list(islice(queue.stream(loader, step, size, lambda row: row), size))
        if not batch:
            break
        assert len(batch) == size
        seen += [row for row in batch if row >= 100]
    assert seen == list(range(100, 100 + rows))
    assert list(queue.stream(loader, 200, size, lambda row: row)) == []


def test_without_a_delay_the_stream_is_the_loaders():
    """0 switches re-entry off, partial batches included."""
    queue = Reentry(0)
    queue.add(5, 0)
    assert list(queue.stream(iter([1, 2, 3]), 99, 2, lambda row: row)) == [1, 2, 3]


# ---- flags and refusals


def test_defaults_are_the_papers():
    """Every default of a flag is that of the preset in config.py."""
    args = parsed()
    hdpo, sdpg, rlsd = (preset(name).algo for name in ("hdpo", "sdpg", "rlsd"))
    plugins = {p.name: p for p in chosen(["hdpo", "sdpg"])}
    assert plugins["hdpo"].config(args) == hdpo.distill
    assert plugins["sdpg"].config(args) == sdpg.distill
    assert (args["rlsd.rlsd_mix"], args["rlsd.rlsd_clip"]) == (
        rlsd.policy.rlsd_mix, rlsd.policy.rlsd_clip,
    )  # fmt: skip
    assert args["hdpo.template"] == preset("hdpo").rollout.teacher_template


def test_flags_reach_the_config():
    """--hdpo.lambda is spelled like the paper's letter and stored where Python can reach it."""
    args = parsed("--hdpo.lambda", "0.3", "--hdpo.top_k", "8", "--no-hdpo.drop_leaks")
    config = chosen(["hdpo"])[0].config(args)
    assert (config.weight, config.top_k, config.drop_leaks) == (0.3, 8, False)


def test_a_supported_run_has_no_complaints():
    """All three plugins together, at their defaults."""
    assert list(complaints(parsed(), chosen(["hdpo", "sdpg", "rlsd"]))) == []


REFUSED = [
    ({"train.async_enable": True}, "--train.async_enable"),
    ({"train.dynamic_batch_enable": True}, "--train.dynamic_batch_enable"),
    ({"ds.ring_attn_size": 2}, "--ds.ring_attn_size"),
    ({"ds.tensor_parallel_size": 2}, "--ds.tensor_parallel_size"),
    ({"ds.deepcompile": True}, "--ds.deepcompile"),
    ({"data.max_images_per_prompt": 1}, "--data.max_images_per_prompt"),
    ({"rollout.n_samples_per_prompt": 1}, "--rollout.n_samples_per_prompt"),
    ({"rollout.temperature": 0.0}, "--rollout.temperature"),
    ({"vllm.num_engines": None}, "--vllm.num_engines"),
    ({"reward.remote_url": None}, "--reward.remote_url"),
    ({"hdpo.teacher": "frozen", "algo.kl.init_coef": 0}, "--algo.kl.init_coef"),
    ({"hdpo.teacher": "ema"}, "--train.enable_ema"),
    (
        {"hdpo.teacher": "ema", "train.enable_ema": True, "ckpt.load_enable": True},
        "--ckpt.load_enable",
    ),
    ({"hdpo.view": "none"}, "view"),
    ({"hdpo.weight": -1.0}, "distill weight"),
    ({"hdpo.reenter_after": -1}, "--hdpo.reenter_after"),
]


@pytest.mark.parametrize(("changed", "named"), REFUSED)
def test_each_refusal_is_one_sentence_that_names_the_flag(changed, named):
    """One cause, one sentence, with the flag to change."""
    [sentence] = complaints(parsed() | changed, chosen(["hdpo"]))
    assert named in sentence
    assert "\n" not in sentence


def test_teachers_of_whole_distributions_need_their_head_at_hand():
    """SDPG's frozen teacher is LoRA's base; its average is not to be had under ZeRO-3."""
    frozen = parsed() | {"sdpg.teacher": "frozen"}
    [sentence] = complaints(frozen, chosen(["sdpg"]))
    assert "--ds.lora.rank" in sentence
    assert list(complaints(frozen | {"ds.lora.rank": 8}, chosen(["sdpg"]))) == []
    ema = parsed() | {"sdpg.teacher": "ema", "train.enable_ema": True, "ds.zero_stage": 3}
    [sentence] = complaints(ema, chosen(["sdpg"]))
    assert "--ds.zero_stage 2" in sentence


def test_a_plugin_that_is_off_asks_for_nothing():
    """Lambda 0 runs with a reward model too: there is nothing to distil."""
    off = parsed() | {"hdpo.weight": 0.0, "reward.remote_url": None, "hdpo.teacher": "ema"}
    assert list(complaints(off, chosen(["hdpo"]))) == []


def test_nested_arguments_are_flattened_to_their_names():
    """OpenRLHF hands its workers nested namespaces; we read both forms by one name."""
    nested = SimpleNamespace(plugin=["hdpo"], ds=SimpleNamespace(lora=SimpleNamespace(rank=2), z=3))
    assert flat(nested) == {"plugin": ["hdpo"], "ds.lora.rank": 2, "ds.z": 3}


# ---- third parties, versions, loading


class Theirs(Plugin):
    """A third party's plugin with a flag of its own."""

    name = "theirs"

    def add_flags(self, parser):
        parser.add_argument("--theirs.size", type=int, default=3)

    def complaints(self, args):
        if args["theirs.size"] > 5:
            yield "--theirs.size is too large: choose at most 5"


def test_third_parties_add_plugins_by_an_entry_point(monkeypatch):
    """An entry point is a choice of --plugin, has its flags, and is asked for refusals."""
    point = importlib.metadata.EntryPoint("theirs", "unused:Theirs", "hdpo_env.openrlhf_plugins")
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: Theirs)
    monkeypatch.setattr(
        "hdpo_env.registry.entry_points",
        lambda group, name=None: [point] if "openrlhf_plugins" in group else [],
    )
    table = dict(PLUGINS._table)
    try:
        args = parsed("--plugin", "theirs", "--theirs.size", "9")
        assert args["plugin"] == ["theirs"]
        assert list(complaints(args, chosen(["theirs"]))) == [
            "--theirs.size is too large: choose at most 5"
        ]
    finally:
        PLUGINS._table.clear()
        PLUGINS._table.update(table)


@pytest.mark.parametrize("found", ["0.10.9", "0.12.0", "1.0"])
def test_untested_versions_are_refused_with_what_to_install(monkeypatch, found):
    """Nobody has tried the adapter on them; the sentence says which ones were tried."""
    monkeypatch.setattr(compat, "version", lambda name: found)
    with pytest.raises(ConfigError, match=rf"openrlhf {found} .* install openrlhf==0\.11\.2"):
        compat.check_version()


@pytest.mark.parametrize("found", ["0.11.0", "0.11.1", "0.11.2"])
def test_tested_versions_pass(monkeypatch, found):
    """The three that exist of 0.11."""
    monkeypatch.setattr(compat, "version", lambda name: found)
    compat.check_version()


def test_without_openrlhf_the_sentence_says_what_to_install(monkeypatch):
    """At the launcher and wherever a base class is needed."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(compat, "version", missing)
    with pytest.raises(MissingDependencyError, match=r"pip install 'openrlhf==0\.11\.2'"):
        compat.check_version()
    monkeypatch.setitem(sys.modules, "openrlhf", None)
    for name in [m for m in sys.modules if m.startswith("openrlhf.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'openrlhf==0\.11\.2'"):
        _ = compat.PPOTrainer


def test_the_pth_line_does_nothing_elsewhere(monkeypatch, tmp_path):
    """Installing writes one line and removing deletes it; the line only acts on --plugin."""
    monkeypatch.setattr(autoload, "place", lambda: tmp_path / autoload.NAME)
    autoload.main(["--install"])
    line = (tmp_path / autoload.NAME).read_text()
    assert line.count("\n") == 1
    called = []
    monkeypatch.setattr(launch, "install", lambda: called.append(True))
    for argv, acts in [
        (["python", "x.py"], False),
        (["python", "-m", "pytest", "--plugin", "hdpo"], False),
        (["python", "-m", compat.CLI], False),
        (["python", "-m", compat.CLI, "--plugin", "hdpo"], True),
        (["python", "/a/openrlhf/cli/train_ppo_ray.py", "--plugin=hdpo"], True),
    ]:
        called.clear()
        monkeypatch.setattr(sys, "orig_argv", argv)
        exec(line)
        assert bool(called) is acts, argv
    autoload.main(["--remove"])
    assert not (tmp_path / autoload.NAME).exists()
