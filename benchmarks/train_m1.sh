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

if [ ! -e "$out/rest/manifest.json" ]; then
  compress() { python -m pipelines.compress --workers 2 "$@"; }
  compress --method bytes --output "$out/bytes" --input "$data/train/c4-train.0000*.json.gz"
  compress --codec "$out/bytes/codec" --output "$out/bytes" --split validation \
    --input "$data/validation/*.json.gz"
  compress --codec "$out/bytes/codec" --output "$out/rest" --input "$data"/train/c4-train.00010-*.json.gz
fi
cp equalinfo/models/english-3m-v2.eqm "$out"

# Muon, at a constant rate and then down to 0. Every other example is cut into contexts of 32 symbols: windows
# begin anywhere and are short; `ac` wants the long ones.
train() { # NAME DATASET OPTIONS...
  equalinfo train --output "$out/$1" --dataset "$out/$2" --eval_dataset "$out/bytes" --size 3m --optimizer muon \
    --length 512 --segment_lengths 512,32 --batch_size 16 \
    --eval_every 250 --eval_batches 8 --checkpoint_every 100 --log_every 25 "${@:3}"
}
# The n-grams of english-3m-v2 (its card says how they were counted), with weights for another network.
freeze() { # NAME OPTIONS...
  equalinfo freeze "$out/$1" --text "$data/train/c4-train.00000-*.json.gz" -o "$out/$1-network.eqm"
  equalinfo count --counts "$out/english-3m-v2.eqm" --network "$out/$1-network.eqm" \
    --tune "$data"/train/c4-train.00011-*.json.gz "${@:2}"
}
train alone bytes --learning_rate 0.01 --adam_learning_rate 0.05 --bias_learning_rate 0.03 \
  --warmup_steps 50 --cooldown_steps 1900 --steps 4600 --seed 3
freeze alone -o "$out/alone.eqm"
# Beside the counts, on text that they have not seen: what they lack.
train beside rest --init_from "$out/alone" --counts "$out/alone.eqm" \
  --learning_rate 0.008 --adam_learning_rate 0.03 --bias_learning_rate 0.02 \
  --warmup_steps 20 --cooldown_steps 1100 --steps 1200 --seed 5
freeze beside --share_tables -o "$out/english-3m-v3.eqm"
