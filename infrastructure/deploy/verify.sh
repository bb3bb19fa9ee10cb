# shellcheck shell=bash disable=SC2154
# Smoke tests through the public address.

# SMOKE_URL overrides the address, for example to use a tunnel.
smoke_url() { echo "${SMOKE_URL:-$(output .url.value)}"; }

# answers PATH: the response body; fails unless the status is 200.
answers() { curl --silent --show-error --fail-with-body --max-time 20 --retry 5 --retry-delay "${RETRY_SECONDS:-10}" --retry-all-errors "$(smoke_url)$1"; }

# Run a pipeline if there is no forecast (first deployment) or only a stale one (after a pause).
ensure_forecast() {
  step "Checking for a fresh forecast"
  local answer command='["hazecast", "run", "prediction"]'
  if answer=$(RETRY_SECONDS=1 answers /api/v1/ready 2>/dev/null); then
    log "issued at $(jq -r .issued_at <<<"$answer")"
    return
  fi
  log "none: $(jq -rs 'last | .detail // "the API does not respond"' <<<"$answer" 2>/dev/null || true)"
  if grep -q 'no forecast yet' <<<"$answer"; then command='["hazecast", "run", "full"]'; fi
  (run_once "$(output .one_off.value.worker)" worker "$command")
}

is_verified() { (verify_release "$1"); }

# verify_release RELEASE: exit unless its revisions run, all endpoints respond and the forecast is fresh.
verify_release() {
  [ -n "$1" ] || die "$environment has no verified release" "./deploy.sh --env $environment"
  steady "$1" || die "the running revisions are not the released ones"
  step "Verifying $(smoke_url)"
  local ready
  answers /api/v1/health >/dev/null || die "the API does not respond at /api/v1/health"
  answers /_stcore/health >/dev/null || die "the dashboard does not respond at /_stcore/health"
  ready=$(answers /api/v1/ready) || die "there is no fresh forecast: $(jq -rs 'last | .detail // .' <<<"$ready" 2>/dev/null)" "docs/aws/runbooks.md#forecast-age"
  log "API and dashboard respond; the forecast was issued at $(jq -r .issued_at <<<"$ready")"
}
