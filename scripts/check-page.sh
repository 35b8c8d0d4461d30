#!/bin/sh
# check-page.sh PAGE OUTDIR [CHARTS]: opens a report in headless Chromium at two phone widths and one of a desktop, in
# light and dark, uses all its controls, and fails unless it drew all its charts (and CHARTS of them, if given) without
# a script error and with nothing sticking out of the page. Screenshots of the whole page go to OUTDIR ("": none). Exits
# with 77 (skipped) where there is no Chromium.
set -eu

if [ $# -lt 2 ]; then
  echo "usage: $0 PAGE OUTDIR [CHARTS]" >&2
  exit 2
fi
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$chromium" ]; then
  echo "skipped: no chromium on this machine (Debian package: chromium)"
  exit 77
fi
[ -f "$1" ] || { echo "$0: no page $1" >&2; exit 2; }
page=$(realpath "$1")
out=$2
charts=${3:-all}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run_chromium() {  # ARGUMENT...
  "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$work/profile" --hide-scrollbars \
    --allow-file-access-from-files --virtual-time-budget=600000 "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
}

# Chromium's own windows are at least 500 pixels wide; frames in a page can be as narrow as a phone. This one opens the
# report in a frame of each size, uses its controls, lets it measure itself again, and says on one line what came out.
# A frame prefers the colours that its own color-scheme says (the address' #dark or #light).
cat >"$work/sizes.html" <<HTML
<!doctype html>
<pre></pre>
<script>
function useControls(page, view) {
  page.querySelectorAll('details').forEach((details) => { details.open = true; });
  page.querySelectorAll('input[type=radio]').forEach((button) => button.click());
  page.querySelectorAll('input[type=range]').forEach((slider) => {
    for (const value of [slider.min, slider.max]) {
      slider.value = value;
      slider.dispatchEvent(new view.Event('input'));
    }
  });
  for (const key of ['End', 'ArrowLeft', 'Home', 'ArrowRight']) {
    const cell = page.querySelector('.strip button.selected');
    if (cell) cell.focus();
    if (cell) cell.dispatchEvent(new view.KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
  }
  page.querySelectorAll('#theme').forEach((button) => { button.click(); button.click(); });
  view.dispatchEvent(new view.Event('beforeprint'));
  view.dispatchEvent(new view.Event('afterprint'));
}

const theme = location.hash.slice(1);

async function openReport(width, height) {
  const frame = document.createElement('iframe');
  frame.style = \`border: 0; color-scheme: \${theme}; width: \${width}px; height: \${height}px\`;
  frame.src = 'file://$page';
  document.body.append(frame);
  const state = () => frame.contentDocument?.documentElement?.dataset;
  // Chromium may tell a new frame of its colours only after a moment; the page follows.
  for (let wait = 0; wait < 1000 && !(state()?.ready && state().theme === theme); wait++) {
    await new Promise((go) => setTimeout(go, 50));
  }
  const root = frame.contentDocument.documentElement;
  const tall = root.scrollHeight;
  useControls(frame.contentDocument, frame.contentWindow);
  frame.contentWindow.sayReady();
  const {theme: drawnIn, errors, overflow, charts, canvases, error = ''} = root.dataset;
  const drawn = charts === canvases ? charts : charts + ' of ' + canvases;
  document.querySelector('pre').append(\`\${width}x\${height} theme=\${drawnIn} errors=\${errors} overflow=\${overflow} charts=\${drawn} tall=\${tall} \${error}\n\`);
}

(async () => {
  for (const [width, height] of [[360, 780], [390, 844], [1280, 900]]) await openReport(width, height);
})();
</script>
HTML

# check_sizes THEME: the lines of sizes.html in $work/result are as they should be.
check_sizes() {
  for size in 360x780 390x844 1280x900; do
    line=$(grep "^$size " "$work/result" || echo "$size was never drawn")
    echo "$line"
    case "$line" in
      "$size theme=$1 errors=0 overflow=0 charts=${charts#all} tall="*) ;;
      "$size theme=$1 errors=0 overflow=0 charts="[0-9]*" tall="*) [ "$charts" = all ] || failed=1 ;;
      *) failed=1 ;;
    esac
    case "$line" in *charts=*" of "*) failed=1 ;; esac
  done
}

take_screenshots() {  # THEME
  for width in 390 1280; do
    tall=$(sed -n "s/^${width}x.* tall=\([0-9]*\).*/\1/p" "$work/result")
    echo "<!doctype html><style>body { margin: 0 } iframe { border: 0; display: block; color-scheme: $1; width: ${width}px; height: ${tall}px }</style>
      <iframe src='file://$page'></iframe>" >"$work/frame.html"
    run_chromium --window-size="$width,$tall" --screenshot="$work/shot.png" "file://$work/frame.html" >/dev/null
    mv "$work/shot.png" "$out/page-$width-$1.png"
  done
}

failed=0
[ -z "$out" ] || mkdir -p "$out"
for theme in dark light; do
  run_chromium --window-size=1400,2700 --dump-dom "file://$work/sizes.html#$theme" >"$work/dom"
  sed -n 's/.*<pre>//; /^[0-9]*x[0-9]* /p' "$work/dom" >"$work/result"
  check_sizes $theme
  [ -z "$out" ] || [ $failed = 1 ] || take_screenshots $theme
done
if [ $failed = 1 ]; then
  echo "$0: expected the theme asked for, no errors, no overflow, and $charts charts drawn at each size" >&2
fi
exit $failed
