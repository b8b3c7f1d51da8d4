# shellcheck shell=bash disable=SC2034 # its variables are read by the scripts that source it
# Sourced by the scripts of this folder: places, messages, and processes that are known by pid and start time.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${RAILWEAVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/railweave}
# The minor version of Kubernetes: the name of a module folder beside this file.
minor=${KUBERNETES_MINOR:-1.36}
bin=$cache/bin/kubernetes-$minor
tools=$cache/bin/tools
cluster=${CLUSTER_DIR:-$cache/clusters/${CLUSTER_NAME:-default}}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# ticking WHAT COMMAND...: runs the command, and says every 15 s that it still does.
ticking() {
  local what=$1 begun=$SECONDS rc=0 ticker
  shift
  # The sleep outlives the ticker: it must not hold a pipe or a lock of ours.
  (while sleep 15 >/dev/null 2>&1 9>&-; do say "  ... $what: $((SECONDS - begun)) s"; done) &
  ticker=$!
  "$@" || rc=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  return $rc
}

# Start time of a process in clock ticks after boot (proc(5), field 22), nothing when it ended. With the pid it
# names one process for ever; a pid alone may be another program's by now. A zombie has ended.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The second field is the program's name in parentheses and may hold blanks: count from behind it.
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [ "$1" = Z ] || echo "${20}"
}

running() { # NAME
  local pid started
  read -r pid started 2>/dev/null <"$cluster/run/$1.pid" || return 1
  [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}

# define NAME COMMAND...: notes how a component is started, so that it can be started again just so.
define() {
  local name=$1
  shift
  printf '%q ' "$@" >"$cluster/run/$name.command"
}

launch() { # NAME: starts what `define` noted, in a session of its own, output appended to logs/NAME.log
  local name=$1 command pid
  command=$(cat "$cluster/run/$name.command")
  eval "exec setsid $command" >>"$cluster/logs/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid")" >"$cluster/run/$name.pid"
}

halt() { # NAME SIGNAL: KILL follows after 5 s
  local pid waited=0
  if running "$1"; then
    read -r pid _ <"$cluster/run/$1.pid"
    kill "-$2" "$pid" 2>/dev/null || true
    while running "$1"; do
      waited=$((waited + 1))
      [ $waited -ne 100 ] || kill -KILL "$pid" 2>/dev/null || true
      sleep 0.05
    done
  fi
  rm -f "$cluster/run/$1.pid"
}

# free_port VARIABLE: a loopback port that nobody listens on, below the range that the kernel hands to clients.
# Two clusters that start at once keep apart through a lock file for each port, given up with the cluster.
free_port() {
  local candidate
  mkdir -p "$cache/ports"
  find "$cache/ports" -type f -mmin +1440 -delete # left by a machine that went down
  while :; do
    candidate=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null && continue
    (set -o noclobber && echo "$cluster" >"$cache/ports/$candidate") 2>/dev/null || continue
    echo "$candidate" >>"$cluster/run/ports"
    printf -v "$1" '%s' "$candidate"
    return
  done
}

give_up_ports() {
  local held
  [ -f "$cluster/run/ports" ] || return 0
  while read -r held; do rm -f "$cache/ports/$held"; done <"$cluster/run/ports"
  rm -f "$cluster/run/ports"
}

ready() { # does the API server answer?
  [ "$("$bin/kubectl" --kubeconfig "$cluster/admin.kubeconfig" --request-timeout=2s get --raw /readyz 2>/dev/null)" = ok ]
}

await_ready() {
  local begun=$SECONDS
  until ready; do
    running etcd || die "etcd ended, see $cluster/logs/etcd.log"
    running kube-apiserver || die "kube-apiserver ended, see $cluster/logs/kube-apiserver.log"
    [ $((SECONDS - begun)) -lt 120 ] || die "the API server is not ready after 120 s, see $cluster/logs"
    sleep 0.1
  done
}
