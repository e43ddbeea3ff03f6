#!/usr/bin/env bash
# Train with T5X on the GPUs of this machine, or go on training: see ../README.md.
set -euo pipefail
usage="usage: DATASET=... MODEL_DIR=... [MOUNTS=/a:/b] [IMAGE=...] [PARTITIONS=1] [MICROBATCHES=1]
       launch.sh [--dry-run] --gin_file=FILE... [--gin.MACRO=VALUE...]
  DATASET       /path or gs://... that pipelines.compress wrote; NAME=... for a name of its own
  MODEL_DIR     /path or gs://...: checkpoints go there, and are taken from there
  MOUNTS        other paths that arguments name, such as a checkpoint or text; read only
  IMAGE         an image that is there already; unset, it is built from this checkout
  PARTITIONS    of the model, among the GPUs; the others share the batch
  MICROBATCHES  a batch is computed in so many parts
  FILE          in the checkout, as it is in the image, such as gin/runs/train_m2.gin
  --dry-run     print the commands, run none"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$here/../.." && pwd)"
# shellcheck source=../training.sh
source "$ROOT/deploy/training.sh"
read_arguments "$@"
# shellcheck source=../run.sh
source "$ROOT/deploy/run.sh"
: "${MODEL_DIR:?set MODEL_DIR to a directory for checkpoints}"

mounts=()
mount() { # PATH OPTION
  case "$1" in
    gs://*) ;;
    /*) mounts+=("--volume=$1:$1$2") ;;
    *) echo "launch.sh: $1 is neither gs://... nor a path from /" >&2; exit 2 ;;
  esac
}
if [[ -n "${DATASET:-}" ]]; then
  place="$DATASET" # NAME=..., where it begins so; a path may have another =
  if [[ "$DATASET" =~ ^[A-Za-z0-9_.-]+=(.+)$ ]]; then place="${BASH_REMATCH[1]}"; fi
  mount "$place" :ro
fi
mount "$MODEL_DIR" ""
IFS=: read -ra others <<< "${MOUNTS:-}"
for other in ${others[@]+"${others[@]}"}; do
  mount "$other" :ro
done
# Who is logged in here is not logged in inside, but on Google's own machines.
login="${GOOGLE_APPLICATION_CREDENTIALS:-${HOME:-}/.config/gcloud/application_default_credentials.json}"
if [[ "${DATASET:-} $MODEL_DIR ${arguments[*]}" == *gs://* && -f "$login" ]]; then
  mounts+=("--volume=$login:/credentials.json:ro")
  mounts+=("--env=GOOGLE_APPLICATION_CREDENTIALS=/credentials.json")
fi

if [[ -z "${IMAGE:-}" ]]; then
  IMAGE=equalinfo-t5x-gpu
  run env DOCKER_BUILDKIT=1 docker build --platform=linux/amd64 \
    --file="$ROOT/deploy/tpu/Dockerfile" --build-arg=VARIANT=gpu --tag="$IMAGE" "$ROOT"
fi
run docker run --rm --gpus=all --net=host --shm-size=8g ${mounts[@]+"${mounts[@]}"} \
  --env "EQUALINFO_DATASETS=${DATASET:-}" "$IMAGE" t5x.train "${arguments[@]}" \
  "--gin.MODEL_DIR='$MODEL_DIR'" "--gin.NUM_PARTITIONS=${PARTITIONS:-1}" \
  "--gin.NUM_MICROBATCHES=${MICROBATCHES:-1}"
