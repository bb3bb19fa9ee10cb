#!/usr/bin/env bash
# standins.sh FOLDER: images of Alertmanager and the blackbox exporter for a machine that reaches no image registry, made of
# the Debian packages (prometheus-alertmanager_*.deb, prometheus-blackbox-exporter_*.deb) in FOLDER, laid out like the originals.
set -euo pipefail
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package in alertmanager blackbox-exporter; do
  mkdir -p "$work/$package/root"
  dpkg-deb --extract "$folder"/prometheus-"$package"_*.deb "$work/$package/unpacked"
  for program in "$work/$package"/unpacked/usr/bin/*; do
    name=$(basename "$program")
    cp "$program" "$work/$package/root/${name#prometheus-}"
  done
  # Debian's Alertmanager reads its template from here; the original carries it inside.
  mkdir -p "$work/$package/share" && cp -r "$work/$package"/unpacked/usr/share/prometheus/. "$work/$package/share/" || true
  rm -rf "$work/$package/unpacked"
done
mv "$work/blackbox-exporter/root/blackbox-exporter" "$work/blackbox-exporter/root/blackbox_exporter"
docker build --quiet --tag prom/alertmanager:v0.28.1 --file - "$work/alertmanager" <<'D'
FROM debian:bookworm-slim
COPY root/ /bin/
COPY share/ /usr/share/prometheus/
RUN install -d -o 65534 -g 65534 /alertmanager
USER 65534
WORKDIR /alertmanager
VOLUME /alertmanager
ENTRYPOINT ["/bin/alertmanager"]
D
docker build --quiet --tag prom/blackbox-exporter:v0.26.0 --file - "$work/blackbox-exporter" <<'D'
FROM debian:bookworm-slim
COPY root/ /bin/
USER 65534
ENTRYPOINT ["/bin/blackbox_exporter"]
D
