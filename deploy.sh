#!/usr/bin/env bash
# Deploy Hazecast to AWS, or change, check, roll back or remove a deployment. `./deploy.sh --help` teaches it.
#
# Every step looks at what is there first and does only what is missing: after an interruption, run it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'HELP'
Usage: ./deploy.sh [--env staging|prod] [--plan-only] [--yes]
       ./deploy.sh --verify   [--env …]     is what should run running, with a fresh forecast?
       ./deploy.sh --rollback [--env …]     back to the release before this one
       ./deploy.sh --destroy --env …        remove everything (guarded)

Steps: check tools, identity and configuration; make the state bucket; plan; ask; apply; build and push the images;
set up the databases; release one revision of each service; register the schedules; wait; verify that exactly these
revisions serve a fresh forecast; else go back to the release before.

  --env NAME    staging or prod (ENVIRONMENT, else prod)
  --plan-only   show what would change, and stop
  --yes         do not ask

Configuration: infrastructure/terraform/environments/NAME.tfvars (PROFILE=minimal chooses another file) and these
variables: AWS_REGION and the usual AWS credentials; DB_PASSWORD (else AWS makes one); PREFECT_API_URL and
PREFECT_API_KEY (for Prefect Cloud; else a server of our own); OPENAQ_API_KEY. More in docs/aws/cloud.md.
HELP
}

# shellcheck disable=SC2034 # read by the parts
environment="${ENVIRONMENT:-prod}" action=deploy plan_only=false yes=false env_was_named=false
# shellcheck disable=SC2034 # read by the parts
while [ $# -gt 0 ]; do
  case "$1" in
    --env) environment="${2:?--env needs staging or prod}"; env_was_named=true; shift ;;
    --plan-only) plan_only=true ;;
    --yes) yes=true ;;
    --verify | --rollback | --destroy) action="${1#--}" ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown option $1; ./deploy.sh --help" >&2; exit 2 ;;
  esac
  shift
done

for part in say checks state images tasks release verify; do
  # shellcheck source=/dev/null
  . "infrastructure/deploy/$part.sh"
done

check_environment
check_tools
check_identity
prepare_state

case "$action" in
  verify)
    read_outputs
    verify_release "$(newest_release)"
    ;;
  rollback)
    read_outputs
    roll_back_to "$(release_before)"
    ;;
  destroy)
    guard_destroy
    destroy
    ;;
  deploy)
    check_commit
    plan
    if "$plan_only"; then exit 0; fi
    confirm "Apply this to $environment?"
    apply
    read_outputs
    push_images
    run_once "$(output .one_off.value.database_setup)" database-setup '[]'
    release
    ;;
esac
