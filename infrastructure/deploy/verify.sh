# shellcheck shell=bash disable=SC2154
# Whether visitors get what they should: asked from outside, as they do.

# SMOKE_URL: another address of the same load balancer, for instance through a tunnel.
smoke_url() { echo "${SMOKE_URL:-$(output .url.value)}"; }

# answers PATH: the body, if it comes with status 200.
answers() { curl --silent --show-error --fail-with-body --max-time 20 --retry 5 --retry-delay "${RETRY_SECONDS:-10}" --retry-all-errors "$(smoke_url)$1"; }

# The first deployment has no forecast yet, and one after a long pause has an old one.
ensure_forecast() {
  step "Looking for a fresh forecast"
  local answer command='["hazecast", "run", "prediction"]'
  if answer=$(RETRY_SECONDS=1 answers /api/v1/ready 2>/dev/null); then
    say "issued at $(jq -r .issued_at <<<"$answer")"
    return
  fi
  say "none: $(jq -rs 'last | .detail // "the API does not answer"' <<<"$answer" 2>/dev/null || true)"
  if grep -q 'no forecast yet' <<<"$answer"; then command='["hazecast", "run", "full"]'; fi
  (run_once "$(output .one_off.value.worker)" worker "$command")
}

is_verified() { (verify_release "$1"); }

# verify_release RELEASE: its revisions run, all answer, and the forecast is fresh; dies otherwise.
verify_release() {
  [ -n "$1" ] || die "no release of $environment was ever verified" "./deploy.sh --env $environment"
  steady "$1" || die "not the released revisions"
  step "Asking $(smoke_url)"
  local ready
  answers /api/v1/health >/dev/null || die "the API does not answer at /api/v1/health"
  answers /_stcore/health >/dev/null || die "the dashboard does not answer at /_stcore/health"
  ready=$(answers /api/v1/ready) || die "there is no fresh forecast: $(jq -rs 'last | .detail // .' <<<"$ready" 2>/dev/null)" "docs/aws/runbooks.md#forecast-age"
  say "API and dashboard answer; the forecast was issued at $(jq -r .issued_at <<<"$ready")"
}
