#!/usr/bin/env bash
# Give a slice back; nothing else ends its costs. Checkpoints stay in the bucket: see ../README.md.
set -euo pipefail
DRY_RUN=
usage="usage: PROJECT=... BUCKET=... ZONE=... [NAME=...]
       delete.sh [--dry-run]
  --dry-run  print the command, run nothing"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$here/../.." && pwd)"
for argument in "$@"; do
  case "$argument" in
    --dry-run) DRY_RUN=1 ;;
    -h | --help) echo "$usage"; exit 0 ;;
    *) echo "delete.sh: unknown argument $argument"$'\n'"$usage" >&2; exit 2 ;;
  esac
done
# shellcheck source=settings.sh
source "$here/settings.sh"

# --force: the slice too, not only the request for it.
run gcloud compute tpus queued-resources delete "$NAME" --project="$PROJECT" --zone="$ZONE" \
  --force --quiet
