#!/bin/sh
# check-page.sh PAGE OUTDIR: opens a report in headless Chromium at phone and desktop width, in light and dark, and fails
# unless it drew all its charts, without a script error and with nothing sticking out of the page. Screenshots of the
# whole page go to OUTDIR. Exits with 77 (skipped) where there is no Chromium.
set -eu

if [ $# -ne 2 ]; then
  echo "usage: $0 PAGE OUTDIR" >&2
  exit 2
fi
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$chromium" ]; then
  echo "skipped: no chromium on this machine (Debian package: chromium)"
  exit 77
fi
[ -f "$1" ] || { echo "$0: no page $1" >&2; exit 2; }
page=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Chromium's own windows are at least 500 pixels wide; a frame inside can be as narrow as a phone. The frame is as high
# as the screen while the page measures itself, then as high as the page for the screenshot.
write_frame() {  # WIDTH HEIGHT
  cat >"$work/frame.html" <<HTML
<!doctype html>
<style>body { margin: 0 } iframe { border: 0; display: block; width: $1px; height: $2px }</style>
<iframe src="file://$page"></iframe>
<script>
const frame = document.querySelector('iframe');
const wait = setInterval(() => {
  const inner = frame.contentDocument.documentElement;
  if (!inner || inner.dataset.ready !== 'true') return;
  clearInterval(wait);
  Object.assign(document.documentElement.dataset, inner.dataset, {height: inner.scrollHeight});
  frame.style.height = inner.scrollHeight + 'px';
}, 20);
</script>
HTML
}

open_frame() {  # COLOURS WINDOW ACTION: 0 is dark in Chromium's setting, 1 is light
  "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$work/profile" --hide-scrollbars \
    --allow-file-access-from-files --virtual-time-budget=10000 --blink-settings=preferredColorScheme="$1" \
    --window-size="$2" "$3" "file://$work/frame.html" 2>"$work/log"
}

value_of() {  # NAME: of the frame's data-NAME
  sed -n "s/.*<html[^>]* data-$1=\"\([^\"]*\)\".*/\1/p" "$work/dom" | head -n 1
}

failed=0
for size in 390x844 1280x900; do
  width=${size%x*}
  write_frame "$width" "${size#*x}"
  for theme in dark light; do
    case $theme in dark) setting=0 ;; light) setting=1 ;; esac
    open_frame $setting "$width,${size#*x}" --dump-dom >"$work/dom" || { cat "$work/log" >&2; exit 1; }
    state="ready=$(value_of ready) theme=$(value_of theme) errors=$(value_of errors) overflow=$(value_of overflow)"
    drawn="charts=$(value_of charts)/$(value_of canvases)"
    echo "$size $theme: $state $drawn"
    if [ "$state" != "ready=true theme=$theme errors=0 overflow=0" ] || [ "$(value_of charts)" != "$(value_of canvases)" ] ||
      [ "$(value_of charts)" = 0 ]; then
      echo "$size $theme: expected ready=true theme=$theme errors=0 overflow=0 and every chart drawn; $(value_of error)" >&2
      failed=1
    fi
    height=$(value_of height)
    open_frame $setting "$width,${height:-4000}" --screenshot="$out/page-$width-$theme.png" >/dev/null
  done
done
exit $failed
