# What the checks with outside clients share: a virtual environment with the clients, and a server with the default model on a free port.
# Sourced with $root set to the top of the source.
venv=${XDG_CACHE_HOME:-$HOME/.cache}/layerboost/serve/venv
binary=${LAYERBOOST:-$root/build/release/layerboost}
packages=(openai==3.54.0 prometheus-client==0.26.0 'lm-eval[api]==0.4.13' 'jsonschema[format-nongpl]==4.26.0')
[ -x "$binary" ] || { echo "no $binary: run scripts/build.sh" >&2; exit 1; }
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false

make_venv() {
  [ "$(cat "$venv/.made-from" 2>/dev/null)" != "${packages[*]}" ] || return 0
  echo "installing ${packages[*]}"
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  echo "${packages[*]}" >"$venv/.made-from"
}

# start_server ARGUMENT...: serves until the script ends; its address is in $url, its messages in $work/server.log.
start_server() {
  work=$(mktemp -d)
  touch "$work/server.log"
  "$binary" serve "$@" --port 0 2>"$work/server.log" &
  server=$!
  trap '{ kill $server && wait $server; } 2>/dev/null || true; rm -rf "$work"' EXIT # a failing command in a trap would become the exit code
  for _ in $(seq 300); do
    url=$(sed -n 's|.* is served at \(http://[^ ]*\)/ .*|\1|p' "$work/server.log")
    [ -z "$url" ] || return 0
    kill -0 $server 2>/dev/null || break
    sleep 0.2
  done
  cat "$work/server.log" >&2
  exit 1
}
