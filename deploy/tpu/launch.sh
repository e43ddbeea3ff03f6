#!/usr/bin/env bash
# Train with T5X on all workers of a slice, or go on training: see ../README.md.
set -euo pipefail
usage="usage: PROJECT=... BUCKET=... ZONE=... DATASET=... RUN=... [NAME=...] [TAG=...]
       [SUBMESH=1,1,1,1] [MICROBATCHES=1]
       launch.sh [--dry-run] --gin_file=FILE... [--gin.MACRO=VALUE...]
  DATASET       gs://... that pipelines.compress wrote; NAME=gs://... for a name of its own
  RUN           name of the run: checkpoints go to gs://BUCKET/runs/RUN, and are taken from there
  SUBMESH       chips along x,y,z,core that share one copy of the model: see docs/t5x.md
  MICROBATCHES  a batch is computed in so many parts
  FILE          in the checkout, as it is in the image, such as gin/runs/train_m2.gin
  --dry-run     print the command, run nothing"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$here/../.." && pwd)"
# shellcheck source=../training.sh
source "$ROOT/deploy/training.sh"
read_arguments "$@"
# shellcheck source=settings.sh
source "$here/settings.sh"
: "${RUN:?set RUN to a name for the run}"
DATASET="${DATASET:-}"
case "$DATASET" in
  "" | gs://* | *=gs://*) ;;
  *) echo "launch.sh: DATASET=$DATASET is not on gs://, where all workers can read it." >&2; exit 2 ;;
esac

# T5X has a default mesh for v2 to v4 only: on others NUM_PARTITIONS alone is an error.
# --multiprocess_gpu is T5X's name for jax.distributed.initialize(), which finds a slice's workers.
train=(sudo docker run --detach --name "$NAME" --privileged --net=host
  --env "EQUALINFO_DATASETS=$DATASET" "$IMAGE" t5x.train --multiprocess_gpu "${arguments[@]}"
  "--gin.MODEL_DIR='gs://$BUCKET/runs/$RUN'" --gin.NUM_PARTITIONS=None
  "--gin.MODEL_PARALLEL_SUBMESH=(${SUBMESH:-1,1,1,1})"
  "--gin.NUM_MICROBATCHES=${MICROBATCHES:-1}")
# `docker rm` without --force: it leaves a running container alone, and `docker run` then fails. Of one
# that ended, its log says why: it is kept before.
container="$(printf '%q' "$NAME")"
log="$(printf '%q' "gs://$BUCKET/runs/$RUN/logs")/\$(hostname)-\$(date -u +%Y%m%dT%H%M%SZ).txt"
commands="set -e
gcloud auth print-access-token | sudo docker login --username oauth2accesstoken --password-stdin https://$REGISTRY
sudo docker pull --quiet $(printf '%q' "$IMAGE")
if [ \"\$(sudo docker inspect --format '{{.State.Running}}' $container 2>/dev/null)\" = false ]; then
  sudo docker logs $container 2>&1 | gcloud storage cp - $log || echo 'its log is lost' >&2
fi
sudo docker rm $container 2>/dev/null || true
$(printf '%q ' "${train[@]}")"
run gcloud compute tpus tpu-vm ssh "$NAME" --project="$PROJECT" --zone="$ZONE" --worker=all \
  --command="$commands"
