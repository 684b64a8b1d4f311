#!/usr/bin/env bash
# The data of SDPG's paper for OpenRLHF: DAPO-Math-17k to train on; AIME 2024, AIME 2025, AMC 2023.
#
#   bash examples/openrlhf/sdpg_data.sh                                 # from the hub
#   DAPO=dapo.jsonl AIME24=... AIME25=... AMC23=... bash examples/openrlhf/sdpg_data.sh  # from files
#
# Four passes over 12 800 problems are 400 steps of 128: the English ones, each once (the original
# repeats every row a hundred times). The set has answers and no solutions. OpenRLHF logs each
# datasource of the evaluation file by itself: eval_aime24_pass1 and so on.
set -euo pipefail

DAPO=${DAPO:-open-r1/DAPO-Math-17k-Processed}
AIME24=${AIME24:-aime24}
AIME25=${AIME25:-aime25}
AMC23=${AMC23:-amc23}
FOLDER=${FOLDER:-data}
TRAIN=${TRAIN:-12800}

mkdir -p "$FOLDER"
hdpo export "$DAPO" --field-map dapo --limit "$TRAIN" --view none \
  --to openrlhf --out "$FOLDER/dapo_math.jsonl"
for name in aime24 aime25 amc23; do
  source=${name^^}
  hdpo export "${!source}" --field-map "$name" --view none \
    --to openrlhf --out "$FOLDER/$name.jsonl" >&2
  sed "s/^{/{\"datasource\": \"$name\", /" "$FOLDER/$name.jsonl"
  rm "$FOLDER/$name.jsonl"
done >"$FOLDER/sdpg_eval.jsonl"
wc -l "$FOLDER"/dapo_math.jsonl "$FOLDER"/sdpg_eval.jsonl
