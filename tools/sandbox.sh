#!/bin/bash
# For scripts to source: start_sandbox LUA LOG starts the sandbox on a free port of loopback, and sets `sandbox`, its process, and
# `url`. What ends the script ends the sandbox: `end TERM "$sandbox"`.
# shellcheck disable=SC2034 # sandbox and url are the caller's

start_sandbox() {
  "$1" bin/avito-messenger sandbox --port 0 >"$2" 2>&1 </dev/null &
  sandbox=$!
  url=
  local _
  # Until the log says where it listens, or it ends, or 20 s have passed.
  for _ in {1..400}; do
    url=$(sed -n 's|.*listening on \(http://127\.0\.0\.1:[0-9]*\).*|\1|p' "$2" | head -n 1)
    [ -z "$url" ] || return 0
    kill -0 "$sandbox" 2>/dev/null || break
    sleep 0.05
  done
  echo "The sandbox did not start:" >&2
  cat "$2" >&2
  exit 1
}

# $1 = signal, $2 = process, or nothing
end() {
  [ -n "$2" ] || return 0
  kill "-$1" "$2" 2>/dev/null || true
  wait "$2" 2>/dev/null || true
}
