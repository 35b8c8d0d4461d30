#!/usr/bin/env bash
# Makes the Debian package of a build and looks into it: what it depends on, and whether its program runs from where it
# lies. Exit code 77 (skipped) without Debian's tools.
#   scripts/check-deb.sh BUILD      such as: scripts/check-deb.sh build/release
set -euo pipefail
build=$(cd "$1" && pwd)
command -v dpkg-shlibdeps >/dev/null && command -v file >/dev/null || {
  echo "check-deb: dpkg-dev and file are missing; scripts/setup.sh test"
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
give_up() {
  echo "check-deb: $1" >&2
  exit 1
}

cpack --config "$build/CPackConfig.cmake" -B "$work/made" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
package=$(ls "$work"/made/*.deb)
depends=$(dpkg-deb -f "$package" Depends)
for library in libc6 libstdc++6 libgomp1 libdnnl2 libfmt9 libpcre2-8-0 libutf8proc2 libssl3 libcurl4 ca-certificates; do
  grep -q "\(^\|[, ]\)$library\($\|[, ]\)" <<<"$depends" || give_up "$library isn't among what it depends on: $depends"
done
dpkg-deb -x "$package" "$work/root"
"$work/root/usr/bin/layerboost" --version
for file in bin/layerboost include/layerboost/layerboost.h share/man/man1/layerboost.1 share/doc/layerboost/copyright \
  share/bash-completion/completions/layerboost share/layerboost/models/smollm2-135m{,-recall}/adapter.safetensors \
  share/layerboost/models/smollm2-135m-ladder/ladder.json \
  share/layerboost/scripts/get-model.sh lib/systemd/system/layerboost.service; do
  [ -s "$work/root/usr/$file" ] || give_up "$file is missing"
done
grep -q "^ExecStart=/usr/bin/layerboost serve" "$work/root/usr/lib/systemd/system/layerboost.service" || give_up "the service starts another program"
echo "$(basename "$package"): $(stat -c %s "$package") bytes; depends on $depends"
