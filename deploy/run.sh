# shellcheck shell=bash
# How the scripts of deploy/ run a command. Sourced, not run.

# Run a command, or with DRY_RUN only print it, quoted for a shell.
run() {
  if [[ -n "${DRY_RUN:-}" ]]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}
