#!/usr/bin/env bash
# Create the passwords of the compose stack in secrets/; existing ones are kept because the volumes depend on them.
# ALERT_WEBHOOK=https://… make secrets: receiver of Prometheus's alerts. Without it they are only shown.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Containers of several users read the files; the folder's mode excludes other users of this machine.
install -d -m 700 secrets
for name in postgres mlflow_db prefect_db grafana; do
  if [ ! -s "secrets/$name" ]; then
    LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 40 >"secrets/$name" || [ -s "secrets/$name" ]
    echo "created secrets/$name"
  fi
done
if [ ! -s secrets/alertmanager ] || [ -n "${ALERT_WEBHOOK:-}" ]; then
  rm -f secrets/alertmanager # it is read-only
  {
    printf 'route: {receiver: operators, group_by: [alertname], repeat_interval: 12h}\nreceivers:\n  - name: operators\n'
    [ -z "${ALERT_WEBHOOK:-}" ] || printf '    webhook_configs: [{url: "%s", send_resolved: true}]\n' "$ALERT_WEBHOOK"
  } >secrets/alertmanager
  echo "created secrets/alertmanager"
fi
chmod 444 secrets/*
