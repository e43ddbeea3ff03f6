#!/usr/bin/env bash
# Build the image of T5X for TPUs and push it: see ../README.md.
set -euo pipefail
DRY_RUN=
usage="usage: PROJECT=... BUCKET=... ZONE=... [REGION=...] [REPOSITORY=...] [TAG=...]
       build.sh [--docker] [--dry-run]
  --docker   build with the docker of this machine, not with Cloud Build
  --dry-run  print the commands, run none"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$here/../.." && pwd)"
docker=
for argument in "$@"; do
  case "$argument" in
    --docker) docker=1 ;;
    --dry-run) DRY_RUN=1 ;;
    -h | --help) echo "$usage"; exit 0 ;;
    *) echo "build.sh: unknown argument $argument"$'\n'"$usage" >&2; exit 2 ;;
  esac
done
# shellcheck source=settings.sh
source "$here/settings.sh"

check_tag
run cd "$ROOT"
if [[ -n "$docker" ]]; then
  run env DOCKER_BUILDKIT=1 docker build --platform=linux/amd64 --file=deploy/tpu/Dockerfile \
    --build-arg=VARIANT=tpu --tag="$IMAGE" .
  run docker push "$IMAGE"
else
  run gcloud builds submit --project="$PROJECT" --config=deploy/tpu/cloudbuild.yaml \
    --substitutions="_IMAGE=$IMAGE" .
fi
