#!/usr/bin/env bash
# Bring a run here: checkpoints, metrics, and the workers' logs: see ../README.md.
set -euo pipefail
DRY_RUN=
usage="usage: PROJECT=... BUCKET=... ZONE=... RUN=... [NAME=...] [OUT=runs/RUN]
       collect.sh [--no-logs] [--dry-run]
  --no-logs  the slice is gone: take what is in the bucket
  --dry-run  print the commands, run none"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$here/../.." && pwd)"
logs=1
for argument in "$@"; do
  case "$argument" in
    --no-logs) logs= ;;
    --dry-run) DRY_RUN=1 ;;
    -h | --help) echo "$usage"; exit 0 ;;
    *) echo "collect.sh: unknown argument $argument"$'\n'"$usage" >&2; exit 2 ;;
  esac
done
# shellcheck source=settings.sh
source "$here/settings.sh"
: "${RUN:?set RUN to the name of the run}"

from="gs://$BUCKET/runs/$RUN"
if [[ -n "$logs" ]]; then
  run gcloud compute tpus tpu-vm ssh "$NAME" --project="$PROJECT" --zone="$ZONE" --worker=all \
    --command="set -o pipefail; sudo docker logs $(printf '%q' "$NAME") 2>&1 | gcloud storage cp - $(printf '%q' "$from")/logs/\$(hostname).txt"
fi
out="${OUT:-runs/$RUN}"
run mkdir -p "$out"
run gcloud storage rsync --recursive "$from" "$out"
