#!/bin/sh
# accelctl: this machine ends itself ten minutes after its label says so, should nobody else have done it by then.
case "$0" in */instance/scripts/*)  # cloud-init runs this once, and what lies in per-boot at every later boot
    later="${0%/instance/scripts/*}/scripts/per-boot"
    mkdir -p "$later" && cp "$0" "$later/accelctl-end" ;;
esac
[ "$1" = watch ] || { setsid "$0" watch </dev/null >/dev/null 2>&1 & exit; }

imds="${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest"
label() {
    token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/api/token") &&
        curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$imds/meta-data/tags/instance/accelctl:expires-at"
}
ends=$(($(date +%s) + 14 * 24 * 3600))  # the longest end there is, where no label can be read
while :; do
    said=$(label) && [ -n "$said" ] && moment=$(date -u -d "$said" +%s) && ends=$moment  # 'pulumi up' moves the label
    [ "$(date +%s)" -lt $((ends + 600)) ] || shutdown -P now
    sleep 60
done
