#!/usr/bin/env bash
# SDPG as in its paper: Qwen3-1.7B or Qwen3-4B on DAPO-Math-17k, one node of eight GPUs.
# The numbers are those of the preset "sdpg"; plugins/openrlhf/README.md says what OpenRLHF does
# otherwise, and estimates memory and time. MODEL=Qwen/Qwen3-1.7B takes the smaller model.
#
# bash examples/openrlhf/sdpg_data.sh makes the data, once; the set has answers and no solutions, so
# that the teacher is shown the answer. EVAL=data/sdpg_eval.jsonl also evaluates, every 10 steps: AIME
# 2024, AIME 2025 and AMC 2023, 32 completions of each problem. Without EVAL nothing is evaluated.
#
# LAUNCHER=echo prints the command instead of running it. More flags may follow the script's name.
set -euo pipefail

MODEL=${MODEL:-Qwen/Qwen3-4B}
DATA=${DATA:-data/dapo_math.jsonl}
OUT=${OUT:-runs/openrlhf/sdpg}
PYTHON=${PYTHON:-python}
LAUNCHER=${LAUNCHER:-$PYTHON -m hdpo_plugins.openrlhf.train_ppo_ray}
FIND_REWARD='import hdpo_plugins.openrlhf.reward.reward_func as file; print(file.__file__)'
REWARD=${REWARD:-$($PYTHON -c "$FIND_REWARD")}

# A Ray job runs in another folder: files are named by absolute paths, names of the hub stay.
place() { if [[ -e $1 || $1 == *.jsonl ]]; then realpath -m -- "$1"; else printf '%s\n' "$1"; fi; }
MODEL=$(place "$MODEL")
DATA=$(place "$DATA")
OUT=$(realpath -m -- "$OUT")

flags=(
  --plugin sdpg
  --sdpg.beta 1e-3
  --sdpg.warmup_steps 50
  --sdpg.decay_steps 350
  --sdpg.gate positive_advantage
  --sdpg.view answer

  --actor.model_name_or_path "$MODEL"
  --reward.remote_url "$REWARD"
  --data.prompt_dataset "$DATA"
  --data.input_key input
  --data.label_key label
  --data.apply_chat_template

  --data.max_samples 12800
  --train.num_episodes 4
  --train.max_epochs 1
  --rollout.batch_size 128
  --rollout.n_samples_per_prompt 8
  --rollout.temperature 1.0
  --data.max_len 6144
  --rollout.max_new_tokens 4096
  --train.batch_size 1024

  --algo.advantage.estimator group_norm
  --algo.kl.use_loss
  --algo.kl.estimator k3
  --algo.kl.init_coef 1e-3
  --actor.adam.lr 1e-6
  --actor.adam.betas 0.9 0.999
  --actor.adam.eps 1e-8
  --actor.adam.weight_decay 0.1
  --actor.max_norm 1.0
  --actor.lr_scheduler constant_with_warmup
  --actor.lr_warmup_ratio 0.025

  --actor.num_gpus_per_node 8
  --ref.num_gpus_per_node 8
  --vllm.num_engines 8
  --vllm.tensor_parallel_size 1
  --vllm.gpu_memory_utilization 0.5
  --vllm.enable_sleep
  --ds.enable_sleep
  --ds.zero_stage 2
  --train.colocate_all
  --train.micro_batch_size 1
  --rollout.micro_batch_size 2
  --actor.gradient_checkpointing_enable

  --ckpt.output_dir "$OUT/model"
  --ckpt.path "$OUT/checkpoints"
  --ckpt.save_steps 50
  --logger.tensorboard_dir "$OUT/tensorboard"
)
if [[ -n ${EVAL:-} ]]; then
  flags+=(--eval.dataset "$(place "$EVAL")" --eval.steps 10)
  flags+=(--eval.n_samples_per_prompt 32 --eval.temperature 1.0)
fi
exec $LAUNCHER "${flags[@]}" "$@"
