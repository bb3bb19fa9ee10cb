#!/usr/bin/env bash
# Looks over the files of the stack, and over its images where they are built: hadolint and trivy must be in PATH.
# trivy's list of known vulnerabilities needs the internet: .github/workflows/security.yml asks it, this does not.
set -euo pipefail
cd "$(dirname "$0")/../.."
dockerfiles=(Dockerfile.* infrastructure/containers/Dockerfile.s3)

# Prints what is found only when something is.
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
for name in api dashboard prefect mlflow s3; do
  image=hazecast-$name:${HAZECAST_TAG:-dev}
  if docker image inspect "$image" >/dev/null 2>&1; then
    scan image --scanners secret,misconfig "$image"
  else
    echo "$image is not built here: only its Dockerfile was looked over"
  fi
done
echo "container files: no findings"
