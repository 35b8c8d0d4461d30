#!/usr/bin/env bash
# Makes the Debian package of a build and looks into it: what it depends on, and whether its program runs from where it
# lies. Exit code 77 (skipped) without Debian's tools.
#   scripts/check-deb.sh [--bare] BUILD      such as: scripts/check-deb.sh build/release
# --bare: also installs it on a bare Debian 12 and does there what the program is for: its version, a text, and boost with
# small settings, from the analysis to the page. The Debian is made for this and thrown away, about 700 MB in /var/tmp, and
# is entered through chroot; it fetches its packages from where this machine does. Needs root, debootstrap and the right
# to mount (77 where one is missing), and some minutes.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
skip() {
  echo "check-deb: $1"
  exit 77
}
give_up() {
  echo "check-deb: $1" >&2
  exit 1
}

bare=
if [ "${1:-}" = --bare ]; then
  bare=1
  shift
fi
[ $# -eq 1 ] || give_up "usage: scripts/check-deb.sh [--bare] BUILD"
build=$(cd "$1" && pwd)
command -v dpkg-shlibdeps >/dev/null && command -v file >/dev/null || skip "dpkg-dev and file are missing; scripts/setup.sh test"
if [ -n "$bare" ]; then
  [ "$(id -u)" -eq 0 ] || skip "--bare needs root, for chroot"
  command -v debootstrap >/dev/null || skip "--bare needs debootstrap (apt-get install debootstrap)"
  unshare --mount true 2>/dev/null || skip "--bare needs to mount, which isn't allowed here"
fi
work=$(mktemp -d)
debian= # the bare one
# Nothing of this machine is mounted in it any more: the mounts were those of a process that has ended (unshare).
trap 'rm -rf --one-file-system "$work" ${debian:+"$debian"}' EXIT

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
grep -q "Georgi Gerganov" "$work/root/usr/share/doc/layerboost/copyright" || give_up "the licence of ggml's tables is missing"
grep -q "^ExecStart=/usr/bin/layerboost serve" "$work/root/usr/lib/systemd/system/layerboost.service" || give_up "the service starts another program"
echo "$(basename "$package"): $(stat -c %s "$package") bytes; depends on $depends"
[ -n "$bare" ] || exit 0

# What is done in the bare Debian, by its own shell.
cat >"$work/bare.sh" <<'BARE'
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends /root/layerboost.deb >/root/log 2>&1 || { tail -n 20 /root/log; exit 1; }
layerboost --version
cd /root
text=$(layerboost generate smollm2-135m "The capital of France is" --tokens 12)
echo "$text"
case $text in *Paris*) ;; *) echo "not the text that was expected"; exit 1 ;; esac
layerboost boost smollm2-135m -o out --tokens 2048 --window 64 --retrieval-items 3 --kv 0.5 --search additive --retrieval 512 \
  --batch 1 --prompt 64 >/root/log 2>&1 || { tail -n 20 /root/log; exit 1; }
for file in boost.json analysis.json plan.json curve.json quality.base.json quality.plan.json speed.base.json speed.plan.json report.html; do
  [ -s "out/$file" ] || { echo "boost left no $file"; exit 1; }
done
layerboost info out
BARE

# bare_debian FOLDER MODEL MIRROR: makes a Debian in FOLDER and runs FOLDER.sh there, with the default model's folder MODEL,
# read-only. In a mount namespace of its own, which takes all mounts with it, however it ends.
bare_debian() {
  local root=$1 model=$2 mirror=$3 there=/root/.cache/layerboost/models/smollm2-135m file
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 5 "$root.log"; return 1; }
  for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || cp -L "$file" "$root$file"
  done
  apt-config dump --no-empty | grep -E '^Acquire::(Check-|https?::)' >"$root/etc/apt/apt.conf.d/99as-outside" || true # proxies
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --rbind /sys "$root/sys"
  mkdir -p "$root$there"
  mount --bind -o ro "$model" "$root$there"
  cp "$root.deb" "$root/root/layerboost.deb"
  cp "$root.sh" "$root/root/bare.sh"
  env -i ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb \
    chroot "$root" /bin/sh /root/bare.sh
}
export -f bare_debian

"$source/scripts/get-model.sh"
debian=$(mktemp -d /var/tmp/layerboost-bare.XXXXXX)
mv "$work/bare.sh" "$debian/debian.sh"
cp "$package" "$debian/debian.deb"
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list.d/*.sources \
  /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null | head -n 1) || true
start=$SECONDS
unshare --mount bash -euo pipefail -c 'bare_debian "$@"' bare_debian \
  "$debian/debian" "${XDG_CACHE_HOME:-$HOME/.cache}/layerboost/models/smollm2-135m" "${mirror:-http://deb.debian.org/debian}" ||
  give_up "on a bare Debian it fails"
echo "on a bare Debian $(cat "$debian/debian/etc/debian_version"): installed, generates and boosts, $((SECONDS - start)) s"
