#!/usr/bin/env bash
# Lints the files of the stack and scans its images if they are built; needs hadolint and trivy in PATH.
# Works offline: known vulnerabilities are scanned in .github/workflows/security.yml.
set -euo pipefail
cd "$(dirname "$0")/../.."
dockerfiles=(Dockerfile.*)

# Print the report only if there are findings.
scan() {
  local report
  report=$(trivy "$@" --quiet --skip-check-update --exit-code 1 2>&1) || { echo "$report"; exit 1; }
}

hadolint "${dockerfiles[@]}"
for file in "${dockerfiles[@]}"; do
  scan config "$file"
done
if docker compose version >/dev/null 2>&1; then
  docker compose --file docker-compose.yml --file docker-compose.override.example.yml config --quiet
fi
for name in api dashboard prefect mlflow; do
  image=hazecast-$name:${HAZECAST_TAG:-dev}
  if docker image inspect "$image" >/dev/null 2>&1; then
    scan image --scanners secret,misconfig "$image"
  else
    echo "$image is not built: only its Dockerfile was checked"
  fi
done
echo "container files: no findings"
