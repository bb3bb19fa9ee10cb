#!/usr/bin/env bash
# backup.sh save [FOLDER]: the databases and every object, while everything runs.
# backup.sh load FOLDER: the stack as it was then; what has been stored since is lost.
set -euo pipefail
cd "$(dirname "$0")/../.."

objects() { docker compose run --rm -T --no-deps buckets python /opt/hazecast/objects.py "$1"; }

save() {
  local folder=${1:-backups/$(date -u +%Y-%m-%dT%H%M%SZ)}
  local unfinished=$folder.unfinished
  mkdir -p "$unfinished"
  chmod 700 "$unfinished"
  # MLflow's database before its models: what it knows of is then there.
  for name in mlflow prefect; do
    docker compose exec -T postgres pg_dump --username=postgres --format=custom "$name" >"$unfinished/$name.dump"
  done
  objects save >"$unfinished/objects.tar"
  (cd "$unfinished" && sha256sum mlflow.dump prefect.dump objects.tar >SHA256SUMS)
  mv "$unfinished" "$folder"
  du -sh "$folder"
}

load() {
  local folder=${1:?say from where: make restore FROM=backups/…}
  (cd "$folder" && sha256sum --check --quiet SHA256SUMS)
  docker compose stop worker stack-metrics api mlflow prefect
  docker compose up -d --wait postgres s3
  for name in mlflow prefect; do
    docker compose exec -T postgres pg_restore --username=postgres --dbname=postgres --clean --if-exists --create \
      --exit-on-error <"$folder/$name.dump"
  done
  objects load <"$folder/objects.tar"
  docker compose start prefect mlflow api worker stack-metrics
}

"$@"
