# shellcheck shell=bash disable=SC2154
# What the script says, and how it ends.

step() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }

# die WHAT REMEDY: one line of what is wrong, one of what to do.
die() {
  printf '\nerror: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '       %s\n' "$2" >&2
  exit 1
}

confirm() {
  if "$yes"; then return; fi
  [ -t 0 ] || die "nobody is there to answer: $1" "run it on a terminal, or with --yes"
  local answer
  read -r -p "$1 Only 'yes' goes on: " answer
  [ "$answer" = yes ] || die "stopped; nothing was changed"
}
