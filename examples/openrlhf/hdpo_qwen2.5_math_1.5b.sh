#!/usr/bin/env bash
# HDPO as in its paper: Qwen2.5-Math-1.5B-Instruct on OpenMathInstruct-2, one node of eight GPUs.
# The numbers are those of the preset "hdpo"; plugins/openrlhf/README.md says what OpenRLHF does
# otherwise, and estimates memory and time.
#
# bash examples/openrlhf/hdpo_data.sh makes the data, once. EVAL=data/openmathinstruct2_eval.jsonl
# also evaluates, every 10 steps: 2048 problems x 8 completions, more than three times the
# completions that are trained on. Without EVAL nothing is evaluated.
#
# LAUNCHER=echo prints the command instead of running it. More flags may follow the script's name.
set -euo pipefail

MODEL=${MODEL:-Qwen/Qwen2.5-Math-1.5B-Instruct}
DATA=${DATA:-data/openmathinstruct2.jsonl}
OUT=${OUT:-runs/openrlhf/hdpo}
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
  --plugin hdpo
  --hdpo.lambda 0.01
  --hdpo.top_k 64
  --hdpo.rollouts_per_cliff 4
  --hdpo.max_cliff_prompts 32
  --hdpo.view solution

  --actor.model_name_or_path "$MODEL"
  --reward.remote_url "$REWARD"
  --data.prompt_dataset "$DATA"
  --data.input_key input
  --data.label_key label
  --data.solution_key solution
  --data.apply_chat_template

  --data.max_samples 64000
  --train.num_episodes 1
  --train.max_epochs 1
  --rollout.batch_size 32
  --rollout.n_samples_per_prompt 16
  --rollout.temperature 1.0
  --data.max_len 4096
  --rollout.max_new_tokens 3072
  --train.batch_size 512

  --algo.advantage.estimator group_norm
  --algo.kl.init_coef 0
  --actor.eps_clip 0.2
  --actor.adam.lr 1e-6
  --actor.adam.betas 0.9 0.999
  --actor.adam.eps 1e-8
  --actor.adam.weight_decay 0.01
  --actor.max_norm 1.0
  --actor.lr_scheduler constant_with_warmup
  --actor.lr_warmup_ratio 0.025

  --actor.num_gpus_per_node 8
  --vllm.num_engines 8
  --vllm.tensor_parallel_size 1
  --vllm.gpu_memory_utilization 0.5
  --vllm.enable_sleep
  --ds.enable_sleep
  --ds.zero_stage 2
  --train.colocate_all
  --train.micro_batch_size 2
  --rollout.micro_batch_size 4
  --actor.gradient_checkpointing_enable

  --ckpt.output_dir "$OUT/model"
  --ckpt.path "$OUT/checkpoints"
  --ckpt.save_steps 50
  --logger.tensorboard_dir "$OUT/tensorboard"
)
if [[ -n ${EVAL:-} ]]; then
  flags+=(--eval.dataset "$(place "$EVAL")" --eval.steps 10)
  flags+=(--eval.n_samples_per_prompt 8 --eval.temperature 1.0)
fi
exec $LAUNCHER "${flags[@]}" "$@"
