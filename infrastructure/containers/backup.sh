#!/usr/bin/env bash
# Save and load the compose stack: databases, tables and model artifacts. `make backup`, `make restore FROM=…`.
# Saving needs no pause. Loading replaces what is stored; anything written since the backup is lost.
set -euo pipefail
cd "$(dirname "$0")/../.."

volumes() { docker compose run --rm -T backup python /opt/hazecast/volumes.py "$1"; }

save() {
  local folder=${1:-backups/$(date -u +%Y-%m-%dT%H%M%SZ)}
  local unfinished=$folder.unfinished
  mkdir -p "$unfinished"
  chmod 700 "$unfinished"
  # MLflow's database before its artifacts, so that every artifact it references is in the backup.
  for name in mlflow prefect; do
    docker compose exec -T postgres pg_dump --username=postgres --format=custom "$name" >"$unfinished/$name.dump"
  done
  volumes save >"$unfinished/volumes.tar"
  (cd "$unfinished" && sha256sum mlflow.dump prefect.dump volumes.tar >SHA256SUMS)
  mv "$unfinished" "$folder"
  du -sh "$folder"
}

load() {
  local folder=${1:?usage: make restore FROM=backups/…}
  (cd "$folder" && sha256sum --check --quiet SHA256SUMS)
  local users=(prefect mlflow api worker)
  ! docker compose ps --services | grep -qx stack-metrics || users+=(stack-metrics)
  docker compose stop "${users[@]}"
  docker compose up -d --wait postgres
  for name in mlflow prefect; do
    docker compose exec -T postgres pg_restore --username=postgres --dbname=postgres --clean --if-exists --create \
      --exit-on-error <"$folder/$name.dump"
  done
  local archive=$folder/volumes.tar
  [ -e "$archive" ] || archive=$folder/objects.tar # backups of the former s3 service have the same layout
  volumes load <"$archive"
  docker compose start "${users[@]}"
}

"$@"
