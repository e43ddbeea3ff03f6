#!/usr/bin/env bash
# Start a job from the Flex Template that build.sh wrote: see ../README.md.
set -euo pipefail
DRY_RUN=
usage="usage: PROJECT=... BUCKET=... [REGION=...] [REPOSITORY=...] [VARIANT=cpu|gpu] [TAG=...]
       [JOB=...] [MACHINE_TYPE=...] [MAX_WORKERS=...] [LABELS=key=value,...]
       launch.sh [--dry-run] NAME=VALUE... [-- FLAG...]
  NAME=VALUE  options of pipelines.compress, as metadata.json lists them:
              input=gs://b/c4/*.json.gz output=gs://b/out verify=true
  --dry-run   print the command, run nothing
  FLAG        more flags for gcloud dataflow flex-template run"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$here/../.." && pwd)"
parameters=()
hints=
while [[ $# -gt 0 ]]; do
  case "$1" in
    --dry-run) DRY_RUN=1 ;;
    -h | --help) echo "$usage"; exit 0 ;;
    --) shift; break ;;
    --*) echo "launch.sh: $1 is no parameter: write ${1#--}=VALUE"$'\n'"$usage" >&2; exit 2 ;;
    *=*)
      if ! grep -q "\"name\": \"${1%%=*}\"" "$here/metadata.json"; then
        echo "launch.sh: metadata.json has no parameter ${1%%=*}" >&2
        exit 2
      fi
      if [[ "$1" == *"|"* ]]; then
        echo "launch.sh: $1 has a |, which separates parameters for gcloud" >&2
        exit 2
      fi
      [[ "$1" == resource_hints=* ]] && hints=1
      parameters+=("$1")
      ;;
    *) echo "launch.sh: $1 is not NAME=VALUE"$'\n'"$usage" >&2; exit 2 ;;
  esac
  shift
done
# shellcheck source=settings.sh
source "$here/settings.sh"

machine_type=n2-standard-4 # its CPUs have the VNNI instructions that M1 uses
if [[ "$VARIANT" == gpu ]]; then
  machine_type=g2-standard-8
  [[ -n "$hints" ]] ||
    parameters+=("resource_hints=accelerator=type:nvidia-l4;count:1;install-nvidia-driver")
fi
parameters+=("sdk_container_image=$IMAGE")

command=(gcloud dataflow flex-template run "${JOB:-equalinfo-$(date -u +%Y%m%d-%H%M%S)}"
  --template-file-gcs-location="$TEMPLATE" --project="$PROJECT" --region="$REGION"
  --staging-location="gs://$BUCKET/staging" --temp-location="gs://$BUCKET/temp"
  --worker-machine-type="${MACHINE_TYPE:-$machine_type}" --max-workers="${MAX_WORKERS:-50}"
  --additional-user-labels="${LABELS:-application=equalinfo}")
for parameter in "${parameters[@]}"; do
  command+=("--parameters=^|^$parameter") # | for a separator: values have commas
done
run "${command[@]}" "$@"
