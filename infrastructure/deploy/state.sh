# shellcheck shell=bash disable=SC2154,SC2034
# Terraform state: one bucket, one locked file per environment.

tf() { terraform -chdir=infrastructure/terraform "$@"; }

prepare_state() {
  step "Preparing the state"
  state_bucket="hazecast-state-$account-$region"
  if aws s3api head-bucket --bucket "$state_bucket" >/dev/null 2>&1; then
    log "$state_bucket exists"
  else
    make_state_bucket
  fi
  # Written next to the configuration so that manual terraform commands use the same state.
  cat >infrastructure/terraform/backend_override.tf <<HCL
terraform {
  backend "s3" {
    bucket       = "$state_bucket"
    key          = "$environment.tfstate"
    region       = "$region"
    encrypt      = true
    use_lockfile = true
  }
}
HCL
  export TF_DATA_DIR=".terraform-$environment"
  tf init -input=false -reconfigure >/dev/null || die "terraform init failed" "see its message above"
}

make_state_bucket() {
  local place=()
  [ "$region" = us-east-1 ] || place=(--create-bucket-configuration "LocationConstraint=$region")
  aws s3api create-bucket --bucket "$state_bucket" "${place[@]}" >/dev/null
  aws s3api put-public-access-block --bucket "$state_bucket" --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
  aws s3api put-bucket-versioning --bucket "$state_bucket" --versioning-configuration Status=Enabled
  aws s3api put-bucket-encryption --bucket "$state_bucket" --server-side-encryption-configuration \
    '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms"},"BucketKeyEnabled":true}]}'
  aws s3api put-bucket-policy --bucket "$state_bucket" --policy "$(jq -n --arg bucket "arn:aws:s3:::$state_bucket" '{
    Version: "2012-10-17", Statement: [{Sid: "TlsOnly", Effect: "Deny", Principal: "*", Action: "s3:*",
    Resource: [$bucket, ($bucket + "/*")], Condition: {Bool: {"aws:SecureTransport": "false"}}}]}')"
  log "created $state_bucket: versioned, encrypted, not public"
}

plan() {
  step "Planning"
  local code=0
  tf plan -input=false -var-file="$var_file" -out="$environment.tfplan" -detailed-exitcode || code=$?
  [ "$code" != 1 ] || die "the plan failed" "if an interrupted run left the state locked: terraform force-unlock ID"
  has_changes=$([ "$code" = 2 ] && echo true || echo false)
}

apply() {
  step "Applying"
  if ! "$has_changes"; then
    log "nothing to change"
    return
  fi
  tf apply -input=false "$environment.tfplan" || die "the apply was interrupted" "run ./deploy.sh again; it continues"
}

read_outputs() {
  outputs=$(tf output -json)
  [ "$(jq 'has("cluster")' <<<"$outputs")" = true ] || die "$environment is not deployed" "./deploy.sh --env $environment"
  cluster=$(output .cluster.value)
}

output() { jq -r "$1" <<<"$outputs"; }

guard_destroy() {
  "$env_was_named" || die "--destroy needs --env" "this prevents removing the wrong environment"
  local kept
  kept=$(tf show -json | jq -r '[.. | objects | select(.values? | objects | .deletion_protection == true or .enable_deletion_protection == true) | .address] | join(", ")')
  [ -z "$kept" ] || die "protected: $kept" "set is_protected = false in $var_file, deploy that, then destroy"
  if [ "$environment" = prod ]; then
    [ "${CONFIRM_DESTROY:-}" = "prod-$account" ] || die "destroying production deletes its data and needs a confirmation" "export CONFIRM_DESTROY=prod-$account"
  fi
}

destroy() {
  step "Destroying $environment in account $account"
  tf plan -destroy -input=false -var-file="$var_file" -out="$environment.tfplan"
  if "$plan_only"; then exit 0; fi
  confirm "Destroy all of this?"
  tf apply -input=false "$environment.tfplan"
  aws s3 rm --quiet "s3://$state_bucket/releases-$environment.jsonl" || true
  log "destroyed; the state bucket $state_bucket is kept"
}
