# shellcheck shell=bash disable=SC2154
# A release is one task definition per service, stored as a line of JSON in the state bucket.

release() {
  local before wanted
  before=$(running_release)
  wanted=$(register_revisions)
  step "Releasing $commit"
  move_to "$wanted"
  if steady "$wanted" && register_schedules && ensure_forecast && is_verified "$wanted"; then
    keep_release "$wanted"
    log "$commit is released: $(smoke_url)"
    output '.hosts.value | to_entries[] | "   \(.key): https://\(.value)"'
  else
    step "The release failed"
    roll_back_to "$before"
    die "$commit was not released; $environment runs the previous release" "see the messages above; logs: aws logs tail /ecs/… --follow"
  fi
}

# Running task definitions: {"service": "task definition", …}.
running_release() {
  local service
  output '.services.value[].service' | while read -r service; do
    describe "$service" | jq '{(.serviceName): .taskDefinition}'
  done | jq -cs add
}

describe() { aws ecs describe-services --cluster "$cluster" --services "$1" --query 'services[0]' --output json; }

# The newest revision of each family (written by Terraform) with the image of this commit. Registered once.
register_revisions() {
  local service family image url digest newest
  output '.services.value | to_entries | sort_by(.key)[].value | "\(.service) \(.family) \(.image)"' |
    while read -r service family image; do
      url=$(output ".repositories.value.\"$image\"")
      digest=$(digest_of "${url#*/}")
      newest=$(aws ecs describe-task-definition --task-definition "$family" --query taskDefinition --output json)
      revision_with "$url@$digest" "$newest" | jq --arg service "$service" '{($service): .}'
    done | jq -cs add
}

# revision_with IMAGE REVISION: ARN of that revision with that image; registers a new one if needed.
revision_with() {
  if [ "$(jq -r '.containerDefinitions[0].image' <<<"$2")" = "$1" ]; then
    jq .taskDefinitionArn <<<"$2"
    return
  fi
  local wanted
  wanted=$(jq -c --arg image "$1" '.containerDefinitions[0].image = $image | del(.taskDefinitionArn, .revision, .status,
    .requiresAttributes, .compatibilities, .registeredAt, .registeredBy, .deregisteredAt)' <<<"$2")
  aws ecs register-task-definition --cli-input-json "$wanted" --query taskDefinition.taskDefinitionArn --output json
}

# move_to RELEASE: update each service that does not run its revision yet.
move_to() {
  local service revision
  while read -r service revision; do
    if [ "$(describe "$service" | jq -r .taskDefinition)" = "$revision" ]; then
      log "$service already runs ${revision##*/}"
    else
      aws ecs update-service --cluster "$cluster" --service "$service" --task-definition "$revision" >/dev/null
      log "$service → ${revision##*/}"
    fi
  done < <(pairs "$1")
}

pairs() { jq -r 'to_entries[] | "\(.key) \(.value)"' <<<"$1"; }

# steady RELEASE: every service is stable on its revision. A service that ECS rolled back is stable too, on another.
steady() {
  step "Waiting for a steady state"
  local service revision primary services deadline=$((SECONDS + ${SETTLE_MINUTES:-30} * 60))
  mapfile -t services < <(jq -r 'keys[]' <<<"$1")
  aws ecs wait services-stable --cluster "$cluster" --services "${services[@]}" || log "not stable after ten minutes"
  while read -r service revision; do
    primary=$(settled "$service" "$deadline")
    if [ "$primary" != "$revision COMPLETED" ]; then
      log "$service should run ${revision##*/} and runs ${primary##*/}"
      return 1
    fi
  done < <(pairs "$1")
  log "all services run their revisions"
}

# settled SERVICE DEADLINE: revision and state once the rollout has ended; ECS watches the alarms for a while first.
settled() {
  local primary
  while primary=$(describe "$1" | jq -r '.deployments[] | select(.status == "PRIMARY") | "\(.taskDefinition) \(.rolloutState)"'); do
    if [[ $primary != *" IN_PROGRESS" ]] || [ "$SECONDS" -ge "$2" ]; then break; fi
    sleep "${RETRY_SECONDS:-10}"
  done
  echo "$primary"
}

register_schedules() { (run_once "$(output .one_off.value.worker)" worker '["python", "flows/deployments.py"]'); }

roll_back_to() {
  [ -n "$1" ] || die "there is no previous release"
  step "Rolling back"
  move_to "$1"
  steady "$1" || die "the previous release does not become stable either" "docs/aws/runbooks.md#rollback"
}

# Verified releases, oldest first.
releases() { aws s3 cp --quiet "s3://$state_bucket/releases-$environment.jsonl" - 2>/dev/null || true; }

newest_release() { releases | tail -n 1 | jq -c '.services // empty'; }

# The release to return to. The log is read as a stack: a rollback removes the releases after its target, so that a second
# one goes further back and never to a release that was rolled back from.
release_before() {
  local running
  running=$(running_release)
  releases | jq -cs --argjson running "$running" '
    reduce .[] as $one ([];
      if $one.rollback then .[: (map(.services == $one.services) | rindex(true) // -1) + 1]
      else map(select(.services != $one.services)) + [$one] end)
    | [.[] | select(.services != $running)] | last | .services // empty'
}

# keep_release RELEASE [true]: add it to the log; true: as a rollback.
keep_release() {
  { releases; jq -nc --arg commit "$commit" --argjson services "$1" --argjson rollback "${2:-false}" \
    '{at: (now | todate), commit: $commit, services: $services} + if $rollback then {rollback: true} else {} end'; } |
    tail -n 50 | aws s3 cp --quiet - "s3://$state_bucket/releases-$environment.jsonl"
}

rollback() {
  local wanted
  wanted=$(release_before)
  roll_back_to "$wanted"
  commit=$(releases | jq -rs --argjson wanted "$wanted" '[.[] | select(.services == $wanted)] | first | .commit')
  keep_release "$wanted" true
  log "$commit runs again"
}
