#!/usr/bin/env bash
# Build the image, push it, and write the Flex Template: see ../README.md.
set -euo pipefail
DRY_RUN=
usage="usage: PROJECT=... BUCKET=... [REGION=...] [REPOSITORY=...] [VARIANT=cpu|gpu] [TAG=...]
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
  run env DOCKER_BUILDKIT=1 docker build --platform=linux/amd64 --file=deploy/dataflow/Dockerfile \
    --build-arg="VARIANT=$VARIANT" --tag="$IMAGE" .
  run docker push "$IMAGE"
else
  run gcloud builds submit --project="$PROJECT" --config=deploy/dataflow/cloudbuild.yaml \
    --substitutions="_IMAGE=$IMAGE,_VARIANT=$VARIANT" .
fi
run gcloud dataflow flex-template build "$TEMPLATE" --project="$PROJECT" --image="$IMAGE" \
  --sdk-language=PYTHON --metadata-file=deploy/dataflow/metadata.json
