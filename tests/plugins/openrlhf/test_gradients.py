"""Gradient truth: what DeepSpeed's ranks are about to apply, against one process in float32."""

import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.host
HERE = Path(__file__).resolve().parent
BASE = {
    "vllm.num_engines": 1,
    "reward.remote_url": "unused.py",
    "rollout.n_samples_per_prompt": 2,
    "rollout.batch_size": 4,
    "rollout.micro_batch_size": 2,
    "train.batch_size": 8,
    "train.micro_batch_size": 2,
    "actor.num_gpus_per_node": 2,
    "algo.advantage.estimator": "group_norm",
    "algo.kl.init_coef": 0,
    "actor.max_norm": 0,
    "ds.attn_implementation": "eager",
    "actor.adam.lr": 1e-3,
}
TOP_K = 6
HDPO = {"hdpo.lambda": 0.5, "hdpo.top_k": TOP_K}
BOTH = HDPO | {"sdpg.beta": 0.3, "sdpg.warmup_steps": 0, "sdpg.decay_steps": 0}
DYNAMIC = {"train.dynamic_batch_enable": True, "train.max_tokens_per_gpu": 20}
EMA = {"hdpo.teacher": "ema", "sdpg.teacher": "ema", "actor.adam.lr": 1e-2}
EMA |= {"hdpo.ema_decay": 0.5, "sdpg.ema_decay": 0.5}


def save_model(folder, seed):
    """A random model whose logits are far from uniform, exact in bfloat16."""
    from hdpo_env.policies.tiny import tiny_policy

    policy = tiny_policy(seed=seed, hidden=64, heads=2)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.module.parameters():
            noise = torch.randn(parameter.shape, generator=draw) * 0.15
            parameter.add_(noise if parameter.dim() > 1 else 0 * noise)
            parameter.copy_(parameter.bfloat16())
    policy.save(folder)
    return folder


def loaded(folder):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model"), 3)


@pytest.fixture(scope="module")
def net(model):
    return loaded(model)


def adapted(net):
    """A copy with LoRA's matrices."""
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=4,
        target_modules="all-linear",
        bias="none",
        fan_in_fan_out=True,  # as the model's Conv1D stores its weights
    )
    return get_peft_model(copy.deepcopy(net), config)


def logits_of(net, prompt, completion, temperature=1.0):
    """[T, V]: what predicts each completion token."""
    ids = torch.tensor([[*prompt, *completion]])
    return net(ids).logits[0, len(prompt) - 1 : -1] / temperature


def rollouts_of(net, count, seed, temperature):
    """Random rollouts of two prompts; half have a positive advantage and are gated in."""
    draw = torch.Generator().manual_seed(seed)
    found = []
    for i in range(count):
        prompt = torch.randint(2, 20, (4 + seed % 2,), generator=draw).tolist()
        completion = torch.randint(1, 20, (3 + i,), generator=draw).tolist()
        with torch.no_grad():
            dist = logits_of(net, prompt, completion, temperature).log_softmax(-1)
        old = dist.gather(-1, torch.tensor(completion)[:, None])[:, 0].tolist()
        good = i % 2 == 0
        row = {"prompt": prompt, "completion": completion, "old": old, "text": f"p{seed}-{i}"}
        found.append(row | {"advantage": 0.8 if good else -0.6, "gate": good, "reward": good * 1.0})
    return found


def pairs_of(count, seed):
    """Survivors of different lengths: the student's prompt, the teacher's, the completion."""
    draw = torch.Generator().manual_seed(100 + seed)
    part = lambda size: torch.randint(2, 20, (size,), generator=draw).tolist()
    return [[part(4), part(9 + i), part(2 + 2 * i)] for i in range(count)]


SURROGATES = {  # of log(pi / reference), as the paper has them
    "ufkl": lambda gap: 1 / gap.exp() + gap,
    "urkl": lambda gap: gap * gap / 2,
    "fkl": lambda gap: 1 / gap.exp(),
    "rkl": lambda gap: (gap + 1) * (gap + 1) / 2,
}
PULL = {"sdpg.alpha": 0.7, "algo.kl.use_loss": True, "algo.kl.init_coef": 1e-9}


def off_policy(rollouts):
    """The same rollouts, drawn from older weights, with what a reference model says of them."""
    shift = lambda row, size: [size * math.sin(3 * t + len(row["completion"])) for t in range(99)]
    return [
        row
        | {"old": [a + b for a, b in zip(row["old"], shift(row, 0.15), strict=False)]}
        | {"base": [a + b for a, b in zip(row["old"], shift(row, 0.9), strict=False)]}
        for row in rollouts
    ]


def flags_of(model, plugins, **changed):
    given = {"actor.model_name_or_path": model, **BASE, **changed}
    flags = []
    for name, value in given.items():
        flags += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return flags + [x for name in plugins for x in ("--plugin", name)]


def run(specs, folder):
    """Run ranks.py in the CPU stack; what rank 0 wrote for each spec."""
    paths = []
    for name, spec in specs.items():
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(json.dumps({**spec, "out": str(folder / f"{name}.pt")}))
    command = [sys.executable, HERE / "cpu.py", HERE / "ranks.py", *paths]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return {name: torch.load(folder / f"{name}.pt", weights_only=True) for name in specs}


def expected(
    net, spec, *, weight=0.0, beta=0.0, rlsd=None, teacher=None, temperature=1.0, divergence="jsd",
    pull=None,
):  # fmt: skip
    """The gradient of the definition, in float32 on full logits; by default the net teaches."""
    from hdpo_env.losses import reference

    def own(prompt, completion):
        return logits_of(net, prompt, completion, temperature)

    @torch.no_grad()
    def taught(prompt, completion):
        return logits_of(teacher or net, prompt, completion, temperature)

    net.zero_grad()
    rows = [r for rank in spec["rollouts"] for r in rank]
    tokens = sum(len(r["completion"]) for r in rows)
    total = torch.zeros(())
    for r in rows:
        logits, chosen = own(r["prompt"], r["completion"]), torch.tensor(r["completion"])[:, None]
        logp = logits.log_softmax(-1).gather(-1, chosen)[:, 0]
        ratio = (logp - torch.tensor(r["old"])).exp()
        advantages = torch.full_like(ratio, r["advantage"])
        if rlsd and r["gate"]:
            theirs = taught(spec["prompts"][r["text"]], r["completion"]).log_softmax(-1)
            gap = (theirs.gather(-1, chosen)[:, 0] - logp).detach() * advantages.sign()
            mix, clip = rlsd
            advantages = advantages * ((1 - mix) + mix * gap.exp().clamp(1 - clip, 1 + clip))
        clipped = ratio.clamp(0.8, 1.2) * advantages
        total = total - torch.minimum(ratio * advantages, clipped).sum() / tokens
        if pull:
            kind, alpha = pull
            gap = logp - torch.tensor(r["base"])
            total = total + alpha * (ratio.detach() * SURROGATES[kind](gap)).sum() / tokens
        if beta and r["gate"]:
            theirs = taught(spec["prompts"][r["text"]], r["completion"])
            kl = reference.kl_student_teacher(logits, theirs)
            total = total + beta * (ratio.detach() * kl).sum() / tokens
    pairs = [p for rank in spec["pairs"] for p in rank]
    distance = {"jsd": reference.topk_jsd, "kl_teacher_student": reference.topk_kl_teacher_student}
    distilled = sum(len(completion) for _, _, completion in pairs)
    for prompt, privileged, completion in pairs if weight else []:
        top, ids = taught(privileged, completion).log_softmax(-1).topk(TOP_K, dim=-1)
        each = distance[divergence](own(prompt, completion), ids, top)
        total = total + weight * each.sum() / distilled
    total.backward()
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def compared(found, wanted):
    """Cosine and ratio of norms of all gradients together."""
    assert set(found) == set(wanted)
    mine = torch.cat([found[name].flatten().double() for name in wanted])
    theirs = torch.cat([wanted[name].flatten().double() for name in wanted])
    cosine = torch.nn.functional.cosine_similarity(mine, theirs, dim=0)
    return float(cosine), float(mine.norm() / theirs.norm())


def assert_equal_gradients(found, wanted):
    cosine, ratio = compared(found["gradients"], wanted)
    assert cosine >= 0.9999
    assert abs(ratio - 1) <= 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "divergence", "batches"),
    [
        (2, "jsd", {}),
        (3, "jsd", {}),
        (2, "kl_teacher_student", DYNAMIC),
        (3, "jsd", DYNAMIC),
    ],
)
def test_the_gradient_of_two_uneven_ranks_is_that_of_the_definition(
    stage, divergence, batches, model, net, tmp_path
):
    """All pairs on rank 0, none on rank 1, two micro-steps: policy + HDPO + SDPG in one backward.

    Dynamic batches make three micro-steps of the same rows, of two, one and one packed rollouts.
    The reference is one process on full logits by autograd. Both sides compute in float32: in
    bfloat16 rounding alone costs 1e-4 of the cosine.
    """
    rollouts = [rollouts_of(net, 4, seed, 0.8) for seed in (1, 2)]
    changed = {**BOTH, **batches, "ds.zero_stage": stage, "rollout.temperature": 0.8}
    changed["hdpo.divergence"] = divergence
    spec = {
        "flags": flags_of(model, ["hdpo", "sdpg"], **changed),
        "rollouts": rollouts,
        "pairs": [pairs_of(3, 0), []],
        "prompts": teacher_prompts(rollouts),
        "float32": True,
        "packed": bool(batches),
    }
    found = run({"two": spec}, tmp_path)["two"]
    assert sorted(found["dynamic"]) == ([1, 1, 2] if batches else [])
    wanted = {"weight": 0.5, "beta": 0.3, "divergence": divergence}
    assert_equal_gradients(found, expected(net, spec, **wanted, temperature=0.8))
    # and the terms matter: without one of them, or with another, the same comparison fails
    another = {"jsd": "kl_teacher_student", "kl_teacher_student": "jsd"}[divergence]
    for changed in ({"weight": 0.0}, {"beta": 0.0}, {"divergence": another}):
        other = expected(net, spec, **{**wanted, **changed}, temperature=0.8)
        assert compared(found["gradients"], other)[0] < 0.999


def teacher_prompts(rollouts):
    return {r["text"]: [5, 6, 7, *r["prompt"]] for rank in rollouts for r in rank}


ONE = {"actor.num_gpus_per_node": 1, "train.batch_size": 4, "train.micro_batch_size": 2}
OFF = {"hdpo.lambda": 0, "sdpg.beta": 0, "rlsd.mix": 0}
VARIANTS = {  # name: plugins, flags, settings of the spec
    "plain": ([], {}, {"launcher": False}),
    "off": (["hdpo", "sdpg", "rlsd"], OFF, {}),
    "on": (["hdpo", "sdpg"], BOTH, {}),
    "rlsd": (["rlsd"], {"rlsd.mix": 0.7, "rlsd.clip": 0.5}, {}),
    "packed": (["hdpo", "sdpg"], BOTH, {"packed": True}),
    "two updates": (
        ["hdpo", "sdpg"],
        BOTH | DYNAMIC | {"train.batch_size": 2, "actor.adam.lr": 0, "hdpo.lambda": 5},
        {"packed": True},
    ),
    "given": (["hdpo"], HDPO | {"hdpo.teacher": "frozen", "algo.kl.init_coef": 0.01}, {}),
    "ema": (["hdpo", "sdpg"], BOTH | EMA, {"rounds": 2}),
    "ema of lora": (["hdpo", "sdpg"], BOTH | EMA | {"ds.lora.rank": 4}, {"rounds": 2}),
    "lora": (
        ["hdpo", "sdpg"],
        BOTH | {"hdpo.teacher": "frozen", "sdpg.teacher": "frozen", "ds.lora.rank": 4},
        {},
    ),
}


for kind in SURROGATES:
    VARIANTS[kind] = (["sdpg"], BOTH | PULL | {"sdpg.reference": kind}, {"off": True})
VARIANTS["rkl alone"] = (
    ["sdpg"], PULL | {"sdpg.reference": "rkl", "sdpg.beta": 0}, {"off": True}
)  # fmt: skip


@pytest.fixture(scope="module")
def other_model(tmp_path_factory):
    """A teacher with weights of its own."""
    return save_model(tmp_path_factory.mktemp("other"), 4)


@pytest.fixture(scope="module")
def variants(model, other_model, net, tmp_path_factory):
    """Every variant once, on one rank in one process: its spec and what came out."""
    rollouts = [rollouts_of(net, 4, 5, 1.0)]
    for rollout in rollouts[0]:
        rollout["gate"] = True  # RLSD lets all in; SDPG is held to the same
    common = {"rollouts": rollouts, "pairs": [pairs_of(3, 1)], "float32": True}
    common["prompts"] = teacher_prompts(rollouts)
    specs = {}
    for name, (plugins, flags, settings) in VARIANTS.items():
        flags = flags_of(model, plugins, **{**ONE, **(flags if plugins else {})})
        specs[name] = {**common, "flags": flags, **settings}
        if settings.get("off"):
            flags = {k: v for k, v in VARIANTS[name][1].items() if not k.startswith("hdpo")}
            specs[name]["flags"] = flags_of(model, plugins, **{**ONE, **flags})
            specs[name]["rollouts"] = [off_policy(rollouts[0])]
    specs["given"]["teacher_model"] = str(other_model)
    found = run(specs, tmp_path_factory.mktemp("variants"))
    return {name: (spec, found[name]) for name, spec in specs.items()}


@pytest.mark.slow
def test_coefficients_of_0_are_plain_openrlhf_bit_for_bit(variants):
    """With lambda, beta and mix 0 no parameter differs in a single bit; with others they do."""
    plain, off, on = (variants[name][1] for name in ("plain", "off", "on"))
    moved = [n for n, p in plain["parameters"].items() if not torch.equal(p, plain["before"][n])]
    assert moved
    for name, parameter in plain["parameters"].items():
        assert torch.equal(parameter, off["parameters"][name]), name
    assert any(not torch.equal(p, on["parameters"][n]) for n, p in plain["parameters"].items())
    assert not any(key.startswith(("hdpo/", "sdpg/", "rlsd/")) for key in off["status"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("plain", {}),
        ("on", {"weight": 0.5, "beta": 0.3}),
        ("packed", {"weight": 0.5, "beta": 0.3}),
        ("rlsd", {"rlsd": (0.7, 0.5)}),
    ],
)
def test_one_rank_has_the_gradient_of_the_definition(name, terms, variants, net):
    """Also where rollouts are packed into one row, and where RLSD changes the advantages."""
    spec, found = variants[name]
    assert_equal_gradients(found, expected(net, spec, **terms))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SURROGATES, "rkl alone"])
def test_the_reference_term_is_the_papers_off_policy_too(name, variants, net):
    """``alpha sg[rho] L_K`` of each kind, on rollouts of older weights; also where beta is 0."""
    spec, found = variants[name]
    kind, beta = name.split()[0], 0.0 if "alone" in name else 0.3
    assert_equal_gradients(found, expected(net, spec, beta=beta, pull=(kind, 0.7)))
    for other in [None, *((k, 0.7) for k in SURROGATES if k != kind)]:
        changed = expected(net, spec, beta=beta, pull=other)
        assert compared(found["gradients"], changed)[0] < 0.999
    assert found["status"]["sdpg/reference_kl"] > 0


@pytest.mark.slow
def test_each_dynamic_update_is_normalised_by_its_own_tokens(variants, net):
    """Two updates of a batch, of one and two micro-steps: three pairs are dealt one to each.

    The learning rate is 0, so that the second update's gradient is that of its rows at the start.
    """
    spec, found = variants["two updates"]
    assert found["dynamic"] == [2, 1, 1]
    (rollouts,), (pairs,) = spec["rollouts"], spec["pairs"]
    second = {**spec, "rollouts": [rollouts[2:]], "pairs": [pairs[1:]]}
    assert_equal_gradients(found, expected(net, second, weight=5.0, beta=0.3))
    # and normalised by the tokens of all three pairs, 12 instead of 10, it would be another one
    by_all = expected(net, second, weight=5.0 * 10 / 12, beta=0.3)
    assert compared(found["gradients"], by_all)[0] < 0.999


@pytest.mark.slow
def test_a_teacher_with_weights_of_its_own(variants, net, other_model):
    """Reference workers that send their top k."""
    spec, found = variants["given"]
    wanted = expected(net, spec, weight=0.5, teacher=loaded(other_model))
    assert_equal_gradients(found, wanted)
    drifting = expected(net, spec, weight=0.5)
    assert compared(found["gradients"], drifting)[0] < 0.999


def assert_taught_by_the_average(spec, found, net):
    """The second round's gradient is that of a teacher half way between round one's ends."""
    first, second, third, again = found["history"]
    [(decay, average)] = found["averages"].items()
    assert decay == 0.5
    for name, value in average.items():
        wanted = first[name] / 4 + second[name] / 4 + third[name] / 2
        assert torch.allclose(value, wanted, rtol=1e-6, atol=1e-7), name
        assert torch.equal(again[name], third[name])  # the policy is what it was
    student, teacher, drifted = (copy.deepcopy(net) for _ in range(3))
    student.load_state_dict(second)
    teacher.load_state_dict({name: (first[name] + second[name]) / 2 for name in second})
    drifted.load_state_dict(first)
    both = {"weight": 0.5, "beta": 0.3}
    wanted = expected(student, spec, **both, teacher=teacher)
    assert_equal_gradients(found, wanted)
    for other in (student, drifted):
        wrong = expected(student, spec, **both, teacher=other)
        assert compared(found["gradients"], wrong)[0] < 0.999


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ema", "ema of lora"])
def test_an_averaged_teacher(name, variants, net):
    """Of all weights, or of an adapter's matrices."""
    spec, found = variants[name]
    assert_taught_by_the_average(spec, found, adapted(net) if "lora" in name else net)


@pytest.mark.slow
def test_an_averaged_teacher_of_two_ranks(model, net, tmp_path):
    """Whole weights on each rank and partitioned ones (ZeRO-3); rank 1 has no pairs.

    Each rank also saves a checkpoint, and a second policy finds its averages in it.
    """
    rollouts = [rollouts_of(net, 4, seed, 1.0) for seed in (1, 2)]
    common = {"rollouts": rollouts, "pairs": [pairs_of(3, 0), []], "float32": True, "rounds": 2}
    common["prompts"] = teacher_prompts(rollouts)
    specs = {
        f"stage{stage}": {
            **common,
            "flags": flags_of(model, ["hdpo", "sdpg"], **BOTH, **EMA, **{"ds.zero_stage": stage}),
        }
        for stage in (2, 3)
    }
    found = run(specs, tmp_path)
    for name, spec in specs.items():
        assert_taught_by_the_average(spec, found[name], net)


@pytest.mark.slow
def test_an_adapter_is_taught_by_its_own_base_model(variants, net):
    """With LoRA the frozen teacher is the policy with its adapter switched off."""
    spec, found = variants["lora"]
    student = adapted(net)
    student.load_state_dict(found["before"], strict=True)
    wanted = expected(student, spec, weight=0.5, beta=0.3, teacher=net)
    assert set(wanted) == {name for name in wanted if "lora" in name}
    assert_equal_gradients(found, wanted)
    drifting = expected(student, spec, weight=0.5, beta=0.3)
    assert compared(found["gradients"], drifting)[0] < 0.999
