#!/usr/bin/env bash
# The data of HDPO's paper for OpenRLHF: 95 % to train on and 2048 problems of the other 5 %.
#
#   bash examples/openrlhf/hdpo_data.sh                                 # from the hub
#   SOURCE=rows.jsonl bash examples/openrlhf/hdpo_data.sh               # from a file of its rows
#
# 64 000 problems are 2000 steps of 32. Of a question's many solutions the first is taken, so that no
# held-out question is trained on. The shuffle has the paper's seed, but not its generator: who is
# held out differs.
set -euo pipefail

SOURCE=${SOURCE:-nvidia/OpenMathInstruct-2}
FOLDER=${FOLDER:-data}
TRAIN=${TRAIN:-64000}
HELD_OUT=${HELD_OUT:-2048}
all=$FOLDER/openmathinstruct2_all.jsonl

mkdir -p "$FOLDER"
hdpo export "$SOURCE" --field-map openmathinstruct2 --limit $((TRAIN * 20 / 19)) \
  --to openrlhf --out "$all"
shuf --random-source=<(yes 42) "$all" >"$all.shuffled"
head -n "$TRAIN" "$all.shuffled" >"$FOLDER/openmathinstruct2.jsonl"
tail -n "+$((TRAIN + 1))" "$all.shuffled" | head -n "$HELD_OUT" >"$FOLDER/openmathinstruct2_eval.jsonl"
rm "$all" "$all.shuffled"
wc -l "$FOLDER"/openmathinstruct2.jsonl "$FOLDER"/openmathinstruct2_eval.jsonl
