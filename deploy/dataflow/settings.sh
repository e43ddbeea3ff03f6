# Names that build.sh and launch.sh share, and how they run a command. Sourced, not run.
# shellcheck shell=bash disable=SC2034

: "${PROJECT:?set PROJECT to the id of your Google Cloud project}"
: "${BUCKET:?set BUCKET to the name of a bucket, without gs://, in the region of the job}"
REGION="${REGION:-us-central1}"
REPOSITORY="${REPOSITORY:-equalinfo}"
VARIANT="${VARIANT:-cpu}"
# A tag that is never built twice: workers that start late must pull what the others run.
tag_given="${TAG:-}"
TAG="${TAG:-$(git -C "$ROOT" describe --always --dirty 2>/dev/null || true)}"
: "${TAG:?this is no git checkout: set TAG to a name for this build}"

# See that the tag names what is built: with changes in the checkout the next build would have it, too.
check_tag() {
  if [[ -z "$tag_given$DRY_RUN" && -n "$(git -C "$ROOT" status --porcelain)" ]]; then
    echo "build.sh: this checkout has changes that no commit names: commit them, or set TAG" >&2
    exit 2
  fi
}

case "$VARIANT" in
  cpu | gpu) ;;
  *) echo "VARIANT=$VARIANT is not cpu or gpu." >&2; exit 2 ;;
esac

IMAGE="$REGION-docker.pkg.dev/$PROJECT/$REPOSITORY/equalinfo-$VARIANT:$TAG"
TEMPLATE="gs://$BUCKET/templates/equalinfo-$VARIANT-$TAG.json"

# shellcheck source=../run.sh
source "$ROOT/deploy/run.sh"
