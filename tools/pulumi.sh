#!/usr/bin/env bash
# Prints the folder of a Pulumi CLI. The one on PATH is preferred; otherwise the version that go.mod pins is built with
# Go, once, and kept outside the tree. Exit 3: there is neither.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if found=$(command -v pulumi); then
    dirname "$found"
    exit 0
fi
version=$(sed -n 's|.*github.com/pulumi/pulumi/pkg/v3 \(v[0-9.]*\).*|\1|p' "$here/go.mod" | head -n 1)
kept="${XDG_CACHE_HOME:-$HOME/.cache}/accelctl/pulumi-$version"
if [ ! -x "$kept/pulumi" ]; then
    if ! command -v go >/dev/null; then
        echo "error: there is no Pulumi CLI, and no Go to build one." >&2
        echo "hint: install Pulumi, or Go 1.26 or newer." >&2
        exit 3
    fi
    echo "building the Pulumi CLI $version with Go: three to seven minutes, once" >&2
    mkdir -p "$kept"
    name="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$version"
    (cd "$here" && go build -ldflags "-s -w -X $name" -o "$kept/pulumi.new" github.com/pulumi/pulumi/pkg/v3/cmd/pulumi)
    mv "$kept/pulumi.new" "$kept/pulumi" # whole or not at all
fi
echo "$kept"
