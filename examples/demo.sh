#!/usr/bin/env bash
# The main job in the sandbox, by ordinary commands: train, be interrupted twice, finish, leave nothing.
set -euo pipefail
cd "$(dirname "$0")"

run() { printf '\n\033[1m$ %s\033[0m\n' "$*" >&2; "$@"; }
within() { # within SECONDS COMMAND...: waits until the command succeeds
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ "$SECONDS" -lt "$end" ] || { echo "gave up waiting for: $*" >&2; exit 1; }; sleep 0.3; done
}
saved() { # saved N: attempt N runs and has uploaded a checkpoint of its own
    accelctl status demo --no-step --output json 2>/dev/null | python3 -c '
import json, sys
job = json.load(sys.stdin)["jobs"][0]
last, checkpoint = job["attempts"][-1], job["checkpoint"]
sys.exit(not (last["number"] == int(sys.argv[1]) and last["state"] == "running"
              and checkpoint and checkpoint["attempt"] == last["number"]))' "$1" 2>/dev/null
}

export ACCELCTL_SANDBOX_HOME="${TMPDIR:-/tmp}/accelctl-demo-$$"
trap 'accelctl sandbox stop >/dev/null 2>&1 || true; rm -rf "$ACCELCTL_SANDBOX_HOME"' EXIT

run accelctl sandbox start
eval "$(accelctl sandbox env)"
# A real cloud takes minutes where this one takes seconds; so does the pace of looking at it.
export ACCELCTL_POLL_EVERY=0.5s ACCELCTL_HEARTBEAT_EVERY=1s ACCELCTL_SETTLE=3s

run accelctl spot-train --instance p4d.24xlarge --name demo --yes --checkpoint-every 1s \
    --env JAX_PLATFORMS=cpu -- python train_jax.py --steps 400 --pace 0.03 --save-every 20 &
training=$!

within 60 saved 1
run accelctl sandbox interrupt demo --notice 3s
within 60 saved 2
run accelctl sandbox interrupt demo --notice 0s
wait "$training"

run accelctl fetch demo "$ACCELCTL_SANDBOX_HOME/results" --outputs outputs
run cat "$ACCELCTL_SANDBOX_HOME/results/outputs/result.json"
run accelctl status demo
run accelctl sandbox status
run accelctl teardown --everything --yes
