# Names that the scripts of this folder share. Sourced, not run.
# shellcheck shell=bash disable=SC2034

: "${ZONE:?set ZONE to a zone that has the TPU, such as us-central1-a}"
REGION="${REGION:-${ZONE%-*}}"
# shellcheck source=../dataflow/settings.sh
source "$ROOT/deploy/dataflow/settings.sh" # PROJECT, BUCKET, REPOSITORY, TAG, run

NAME="${NAME:-equalinfo}" # of the slice, and of the container on its workers
REGISTRY="$REGION-docker.pkg.dev"
IMAGE="$REGISTRY/$PROJECT/$REPOSITORY/equalinfo-t5x-tpu:$TAG"
