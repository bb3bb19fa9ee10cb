# shellcheck shell=bash disable=SC2154,SC2034
# Checks that run before anything is changed.

check_environment() {
  case "$environment" in
    staging | prod) ;;
    *) die "unknown environment '$environment'" "set --env or ENVIRONMENT to staging or prod" ;;
  esac
  profile="${PROFILE:-$environment}"
  var_file="environments/$profile.tfvars"
  [ -f "infrastructure/terraform/$var_file" ] || die "infrastructure/terraform/$var_file does not exist" "PROFILE names a file in that folder"
  grep -q "^environment *= *\"$environment\"" "infrastructure/terraform/$var_file" || die "$var_file is not for $environment" "choose another PROFILE"
  case "${PREFECT_API_URL:-}" in
    *your-prefect*) die "PREFECT_API_URL still has the guide's example value" "unset it to use a self-hosted server, or set the URL of your Prefect Cloud workspace" ;;
  esac
  region="${AWS_REGION:-${AWS_DEFAULT_REGION:-}}"
  [ -n "$region" ] || die "no region is set" "export AWS_REGION=us-east-1"
  export AWS_REGION="$region" AWS_DEFAULT_REGION="$region" AWS_PAGER=""
  # Terraform reads these as variables; they are write-only and not stored in the state.
  export TF_VAR_db_password="${DB_PASSWORD:-}" TF_VAR_prefect_api_url="${PREFECT_API_URL:-}"
  export TF_VAR_prefect_api_key="${PREFECT_API_KEY:-}" TF_VAR_openaq_api_key="${OPENAQ_API_KEY:-}"
  TF_VAR_runbooks=$(runbooks)
  export TF_VAR_runbooks
}

# URL of the runbooks: at the git remote if there is one, else the path in this checkout.
runbooks() {
  local origin
  origin=$(git remote get-url origin 2>/dev/null | sed -E 's#^(ssh://)?git@([^:/]+)[:/]#https://\2/#; s#^https://[^/@]*@#https://#; s#\.git$##') || true
  case "$origin" in
    https://*) echo "$origin/blob/HEAD/docs/aws/runbooks.md" ;;
    *) echo docs/aws/runbooks.md ;;
  esac
}

check_tools() {
  step "Checking tools"
  local tool tools=(aws terraform jq curl git) missing=()
  if [ "$action" = deploy ] && ! "$plan_only"; then tools+=(docker); fi
  for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} -eq 0 ] || die "not installed: ${missing[*]}" "see Prerequisites in docs/aws/cloud.md"
  local version
  version=$(terraform version -json | jq -r .terraform_version)
  printf '1.11.0\n%s\n' "$version" | sort --check --version-sort 2>/dev/null || die "Terraform $version is too old" "1.11 or newer keeps passwords out of the state"
  [[ ! ${tools[*]} =~ docker ]] || docker info >/dev/null 2>&1 || die "Docker is not running" "start it; images are built on this machine"
  log "terraform $version and the other tools are installed"
}

check_identity() {
  step "Checking identity"
  local identity
  identity=$(aws sts get-caller-identity --output json 2>&1) || die "AWS refuses these credentials: $(tail -n 1 <<<"$identity")" "aws configure, aws sso login, or export AWS_PROFILE"
  account=$(jq -r .Account <<<"$identity")
  log "account $account as $(jq -r .Arn <<<"$identity"), region $region, environment $environment ($var_file)"
}

# The release is named by its commit, so each image identifies its source.
check_commit() {
  commit=$(git rev-parse --short=12 HEAD)
  if [ -n "$(git status --porcelain)" ]; then
    [ "$environment" != prod ] || "$plan_only" || die "there are uncommitted changes" "commit them: production releases commits only"
    commit="$commit-$(git stash create | cut -c1-7)"
  fi
}
