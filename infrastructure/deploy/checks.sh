# shellcheck shell=bash disable=SC2154,SC2034
# Everything that can be found wrong before anything is changed.

check_environment() {
  case "$environment" in
    staging | prod) ;;
    *) die "there is no environment '$environment'" "staging and prod are; --env or ENVIRONMENT chooses" ;;
  esac
  profile="${PROFILE:-$environment}"
  var_file="environments/$profile.tfvars"
  [ -f "infrastructure/terraform/$var_file" ] || die "infrastructure/terraform/$var_file is not there" "PROFILE names a file of that folder"
  grep -q "^environment *= *\"$environment\"" "infrastructure/terraform/$var_file" || die "$var_file is not for $environment" "choose another PROFILE"
  case "${PREFECT_API_URL:-}" in
    *your-prefect*) die "PREFECT_API_URL still holds the guide's example" "unset it for a server of our own, or give that of your Prefect Cloud workspace" ;;
  esac
  region="${AWS_REGION:-${AWS_DEFAULT_REGION:-}}"
  [ -n "$region" ] || die "no region is chosen" "export AWS_REGION=us-east-1"
  export AWS_REGION="$region" AWS_DEFAULT_REGION="$region" AWS_PAGER=""
  # Terraform reads these as variables; they are write-only there and kept in no state.
  export TF_VAR_db_password="${DB_PASSWORD:-}" TF_VAR_prefect_api_url="${PREFECT_API_URL:-}"
  export TF_VAR_prefect_api_key="${PREFECT_API_KEY:-}" TF_VAR_openaq_api_key="${OPENAQ_API_KEY:-}"
  TF_VAR_runbooks=$(runbooks)
  export TF_VAR_runbooks
}

# Where this checkout came from shows them; a checkout from nowhere has them in its own folder.
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
  [ ${#missing[@]} -eq 0 ] || die "not installed: ${missing[*]}" "docs/aws/cloud.md says where to get them"
  local version
  version=$(terraform version -json | jq -r .terraform_version)
  printf '1.11.0\n%s\n' "$version" | sort --check --version-sort 2>/dev/null || die "Terraform $version is too old" "1.11 or newer keeps passwords out of the state"
  [[ ! ${tools[*]} =~ docker ]] || docker info >/dev/null 2>&1 || die "Docker does not answer" "start it; images are built on this machine"
  say "terraform $version and the others are there"
}

check_identity() {
  step "Checking identity"
  local identity
  identity=$(aws sts get-caller-identity --output json 2>&1) || die "AWS refuses these credentials: $(tail -n 1 <<<"$identity")" "aws configure, aws sso login, or export AWS_PROFILE"
  account=$(jq -r .Account <<<"$identity")
  say "account $account as $(jq -r .Arn <<<"$identity"), region $region, environment $environment ($var_file)"
}

# The release is named by its commit, so that every image says what it was made of.
check_commit() {
  commit=$(git rev-parse --short=12 HEAD)
  if [ -n "$(git status --porcelain)" ]; then
    [ "$environment" != prod ] || "$plan_only" || die "there are changes that are not committed" "commit them: production runs commits only"
    commit="$commit-$(git stash create | cut -c1-7)"
  fi
}
