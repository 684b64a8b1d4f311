#!/usr/bin/env bash
# Submits OpenRLHF's trainer as a Ray job, with the plugins' flags:
#
#   LAUNCHER="bash examples/openrlhf/ray_job.sh" bash examples/openrlhf/hdpo_qwen2.5_math_1.5b.sh
#
# The reward's settings of this shell (HDPO_REWARD_*) go with it: a job sees no other variables of
# the shell that submits it. It has no working directory of its own, in which Ray would leave
# whatever the run writes: every path among the flags must be absolute, as the scripts make them.
#
# RAY_JOB is the address of Ray's dashboard, PYTHON the interpreter on the nodes. RAY="echo ray"
# prints the command instead of running it.
set -euo pipefail

RAY=${RAY:-ray}
RAY_JOB=${RAY_JOB:-http://127.0.0.1:8265}
PYTHON=${PYTHON:-python}
CARRY='import json, os
carried = {name: value for name, value in os.environ.items() if name.startswith("HDPO_REWARD_")}
print(json.dumps({"env_vars": carried}))'

exec $RAY job submit --address "$RAY_JOB" --runtime-env-json "$($PYTHON -c "$CARRY")" \
  -- $PYTHON -m hdpo_plugins.openrlhf.train_ppo_ray "$@"
