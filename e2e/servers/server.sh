# Read by the scripts of this folder. They run a server of Debian's packages on loopback, with its data in a folder of its own:
#   NAME up [PORT]      starts it; prints its version, then folder=… and port=…
#   NAME stop FOLDER    kills it; its data stay
#   NAME start FOLDER   starts it again, with its data, on the same port
#   NAME down FOLDER    ends it and removes its data
# User and password are sluice and secret. The service of the machine itself is left alone.
# A script sets `packages`, `programs` and `port`, and defines `prepare` (once), `begin`, `is_ready` and `version`.
set -euo pipefail
user=sluice password=secret
export PATH=$PATH:/usr/sbin:/usr/lib/postgresql/15/bin

serve() {
  case ${1:-} in
  up)
    for program in $programs; do
      # Tests skip, or fail if they must not, by this exit code.
      command -v "$program" >/dev/null || { echo "$name: $program is missing; apt-get install --no-install-recommends $packages"; exit 69; }
    done
    port=${2:-$port}
    folder=$(mktemp -d "/tmp/sluice-$name-XXXXXX")
    chmod 755 "$folder"
    echo "$port" >"$folder/port"
    trap 'down' EXIT
    prepare >"$folder/prepare.log" 2>&1 || { cat "$folder/prepare.log" >&2; exit 1; }
    started
    trap - EXIT
    version
    printf 'folder=%s\nport=%s\n' "$folder" "$port"
    ;;
  stop) at "$2" && killed ;;
  start) at "$2" && started ;;
  down) at "$2" && down ;;
  *) sed -n 's/^#   //p' "${BASH_SOURCE[0]}" && exit 64 ;;
  esac
}

at() { folder=$1 port=$(<"$1/port"); }

# A program in a process group of its own, which `killed` and `down` end.
run() { # LABEL PROGRAM ARGUMENT…
  local label=$1
  shift
  setsid "$@" >>"$folder/$label.log" 2>&1 </dev/null &
  echo $! >"$folder/$label.pid"
}

# In front of a command: as a user that owns nothing else, for servers that refuse root.
as_nobody=()
if [ "$(id -u)" = 0 ]; then as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups); fi

started() {
  begin
  for _ in $(seq 600); do
    if is_ready >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  tail -n 20 "$folder"/*.log >&2
  echo "$name does not answer after a minute" >&2
  exit 1
}

killed() {
  local file pid
  for file in "$folder"/*.pid; do
    [ -e "$file" ] || continue
    pid=$(<"$file")
    kill "-${signal:-KILL}" -- "-$pid" 2>/dev/null || true
    for _ in $(seq 100); do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    rm "$file"
  done
}

down() {
  killed
  rm -rf "$folder"
}

# ca.crt, and server.crt and client.crt with their keys, for 127.0.0.1 and localhost.
certificates() {
  (
    cd "$folder"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=sluice-e2e -keyout ca.key -out ca.crt
    for who in server client; do
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$user" -keyout "$who.key" -out "$who.csr"
      printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n' >"$who.ext"
      openssl x509 -req -in "$who.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile "$who.ext" -out "$who.crt"
    done
    chmod 644 ./*.key
  )
}
