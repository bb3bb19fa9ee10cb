# shellcheck shell=bash disable=SC2154
# Logging, fatal errors and confirmation.

step() { printf '\n== %s\n' "$*"; }
log() { printf '   %s\n' "$*"; }

# die MESSAGE REMEDY: print both to standard error and exit.
die() {
  printf '\nerror: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '       %s\n' "$2" >&2
  exit 1
}

confirm() {
  if "$yes"; then return; fi
  [ -t 0 ] || die "no terminal to confirm: $1" "run it on a terminal, or with --yes"
  local answer
  read -r -p "$1 Type 'yes' to continue: " answer
  [ "$answer" = yes ] || die "aborted; nothing was changed"
}
