#!/usr/bin/env bash
# HDPO on one GPU of 80 GB: the algorithm of hdpo_qwen2.5_math_1.5b.sh with 8 problems a step
# instead of 32, and Adam's state in the host's memory. Not a published setting; unmeasured, and
# estimated in plugins/openrlhf/README.md. Data and EVAL are those of that script: with EVAL a run
# evaluates 2048 problems x 8 completions every 10 steps of 128, so give it a smaller file.
#
# A frozen teacher: --hdpo.teacher frozen --algo.kl.init_coef 1e-9 --ref.num_gpus_per_node 1
#
# LAUNCHER=echo prints the command instead of running it. More flags may follow the script's name.
set -euo pipefail

MODEL=${MODEL:-Qwen/Qwen2.5-Math-1.5B-Instruct}
DATA=${DATA:-data/openmathinstruct2.jsonl}
OUT=${OUT:-runs/openrlhf/hdpo_one_gpu}
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
  --hdpo.max_cliff_prompts 8
  --hdpo.view solution

  --actor.model_name_or_path "$MODEL"
  --reward.remote_url "$REWARD"
  --data.prompt_dataset "$DATA"
  --data.input_key input
  --data.label_key label
  --data.solution_key solution
  --data.apply_chat_template

  --data.max_samples 16000
  --train.num_episodes 1
  --train.max_epochs 1
  --rollout.batch_size 8
  --rollout.n_samples_per_prompt 16
  --rollout.temperature 1.0
  --data.max_len 4096
  --rollout.max_new_tokens 3072
  --train.batch_size 128

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

  --actor.num_gpus_per_node 1
  --vllm.num_engines 1
  --vllm.tensor_parallel_size 1
  --vllm.gpu_memory_utilization 0.4
  --vllm.enable_sleep
  --ds.enable_sleep
  --ds.zero_stage 2
  --ds.adam_offload
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
