#!/usr/bin/env bash
# Ask for a TPU slice: see ../README.md. It costs money from the moment it is ACTIVE.
set -euo pipefail
DRY_RUN=
usage="usage: PROJECT=... BUCKET=... ZONE=... ACCELERATOR=... [NAME=...] [RUNTIME=...]
       create.sh [--dry-run] [-- FLAG...]
  ACCELERATOR  such as v5litepod-8, v6e-4, v5p-8, v4-16: see docs/t5x.md
  --dry-run    print the commands, run none
  FLAG         more flags for gcloud compute tpus queued-resources create, such as --spot"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$here/../.." && pwd)"
while [[ $# -gt 0 ]]; do
  case "$1" in
    --dry-run) DRY_RUN=1 ;;
    -h | --help) echo "$usage"; exit 0 ;;
    --) shift; break ;;
    *) echo "create.sh: unknown argument $1"$'\n'"$usage" >&2; exit 2 ;;
  esac
  shift
done
# shellcheck source=settings.sh
source "$here/settings.sh"
: "${ACCELERATOR:?set ACCELERATOR to a slice, such as v5litepod-8: see docs/t5x.md}"

if [[ -z "${RUNTIME:-}" ]]; then
  case "$ACCELERATOR" in
    v4-*) RUNTIME=tpu-ubuntu2204-base ;;
    v5litepod-*) RUNTIME=v2-alpha-tpuv5-lite ;;
    v5p-*) RUNTIME=v2-alpha-tpuv5 ;;
    v6e-*) RUNTIME=v2-alpha-tpuv6e ;;
    *)
      echo "create.sh: ACCELERATOR=$ACCELERATOR is not v4-N, v5litepod-N, v5p-N or v6e-N." \
        "For another, set RUNTIME too." >&2
      exit 2
      ;;
  esac
fi
run gcloud compute tpus queued-resources create "$NAME" --node-id="$NAME" \
  --project="$PROJECT" --zone="$ZONE" \
  --accelerator-type="$ACCELERATOR" --runtime-version="$RUNTIME" "$@"
# launch.sh works when this says ACTIVE.
run gcloud compute tpus queued-resources describe "$NAME" \
  --project="$PROJECT" --zone="$ZONE" "--format=value(state.state)"
