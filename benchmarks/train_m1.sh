#!/usr/bin/env bash
# The recipe of english-3m-v3 in equalinfo/models, from text to the .eqm file. Some two hours on two cores.
#
#   benchmarks/train_m1.sh DATA OUT
#
# DATA: a folder with train/c4-train.*.json.gz and validation/*.json.gz in C4's layout (C4 itself, say).
# OUT: a folder for data sets, the run and english-3m-v3.eqm. Run it again to go on where it was stopped.
set -euo pipefail
data=${1:?usage: train_m1.sh DATA OUT} out=${2:?usage: train_m1.sh DATA OUT}
mkdir -p "$out"
# glibc gives large buffers back to the system at every step, and the kernel clears them again.
export MALLOC_MMAP_THRESHOLD_=10000000000 MALLOC_TRIM_THRESHOLD_=20000000000

if [ ! -e "$out/bytes/manifest.json" ]; then
  python -m pipelines.compress --method bytes --output "$out/bytes" --workers 2 \
    --input "$data/train/c4-train.0000*.json.gz"
  python -m pipelines.compress --codec "$out/bytes/codec" --output "$out/bytes" --split validation \
    --input "$data/validation/*.json.gz"
fi

# Muon, at a constant rate and then down to 0. Every other example is cut into contexts of 32 symbols: windows
# begin anywhere and are short; `ac` wants the long ones.
equalinfo train --dataset "$out/bytes" --size 3m --output "$out/network" \
  --optimizer muon --learning_rate 0.01 --adam_learning_rate 0.05 --bias_learning_rate 0.03 \
  --warmup_steps 50 --cooldown_steps 1900 --steps 4600 --seed 3 \
  --length 512 --segment_lengths 512,32 --batch_size 16 \
  --eval_every 250 --eval_batches 8 --checkpoint_every 100 --log_every 25

equalinfo freeze "$out/network" --text "$data/train/c4-train.00000-*.json.gz" -o "$out/network.eqm"
# The n-grams of english-3m-v2 (its card says how they were counted), with weights for the new network.
cp equalinfo/models/english-3m-v2.eqm "$out"
equalinfo count --counts "$out/english-3m-v2.eqm" --share_tables --network "$out/network.eqm" \
  --tune "$data"/train/c4-train.00011-*.json.gz -o "$out/english-3m-v3.eqm"
