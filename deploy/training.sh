# shellcheck shell=bash disable=SC2034,SC2154
# Arguments that tpu/launch.sh and gpu/launch.sh share. Sourced, not run.

# Sets DRY_RUN, and `arguments` to what goes to t5x.train; `usage` and ROOT are the script's.
read_arguments() {
  DRY_RUN=
  arguments=()
  local argument file files=0
  for argument in "$@"; do
    case "$argument" in
      --dry-run) DRY_RUN=1 ;;
      -h | --help) echo "$usage"; exit 0 ;;
      --gin.MODEL_DIR=* | --gin.NUM_PARTITIONS=* | --gin.MODEL_PARALLEL_SUBMESH=* | --gin.NUM_MICROBATCHES=*)
        echo "launch.sh: $argument is what this script sets"$'\n'"$usage" >&2
        exit 2
        ;;
      --gin_file=*)
        file="${argument#*=}"
        # The image has gin/ and nothing else.
        if [[ "$file" != gin/* || ! -f "$ROOT/$file" ]]; then
          echo "launch.sh: $file is no file of gin/ in this checkout" >&2
          exit 2
        fi
        files=$((files + 1))
        arguments+=("$argument")
        ;;
      --gin.*=*) arguments+=("$argument") ;;
      *) echo "launch.sh: unknown argument $argument"$'\n'"$usage" >&2; exit 2 ;;
    esac
  done
  if [[ "$files" == 0 ]]; then
    echo "launch.sh: no --gin_file"$'\n'"$usage" >&2
    exit 2
  fi
  if [[ " ${arguments[*]} " != *" --gin_file=gin/runs/seq2seq_codec.gin "* ]]; then # it reads text
    : "${DATASET:?set DATASET to a directory that pipelines.compress wrote}"
  fi
}
