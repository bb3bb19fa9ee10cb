#!/bin/sh
# The rings of a Swift with one copy on one volume; made when the image is built.
set -eu
for server in account:6202 container:6201 object:6200; do
  ring=/etc/swift/${server%:*}.builder
  swift-ring-builder "$ring" create 6 1 1
  swift-ring-builder "$ring" add "r1z1-127.0.0.1:${server#*:}/d1" 1
  swift-ring-builder "$ring" rebalance 1
  rm -r "$ring" /etc/swift/backups
done
