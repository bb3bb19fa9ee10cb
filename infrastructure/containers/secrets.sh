#!/usr/bin/env bash
# Makes the passwords of the compose stack in secrets/; what is there already is kept, since volumes remember it.
# ALERT_WEBHOOK=https://… make secrets: where Prometheus's alerts go. Without it they are shown, and sent nowhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Containers of several users read the files; the folder keeps everybody else on this machine out.
install -d -m 700 secrets
for name in postgres mlflow_db prefect_db s3_tables s3_artifacts grafana; do
  if [ ! -s "secrets/$name" ]; then
    LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 40 >"secrets/$name" || [ -s "secrets/$name" ]
    echo "made secrets/$name"
  fi
done
if [ ! -s secrets/alertmanager ] || [ -n "${ALERT_WEBHOOK:-}" ]; then
  rm -f secrets/alertmanager # nobody may write into it
  {
    printf 'route: {receiver: operators, group_by: [alertname], repeat_interval: 12h}\nreceivers:\n  - name: operators\n'
    [ -z "${ALERT_WEBHOOK:-}" ] || printf '    webhook_configs: [{url: "%s", send_resolved: true}]\n' "$ALERT_WEBHOOK"
  } >secrets/alertmanager
  echo "made secrets/alertmanager"
fi
chmod 444 secrets/*
