#!/bin/bash
# service.sh define NAME COMMAND... | start NAME | stop NAME [SIGNAL]: the programs of the node, each with a log in
# /host/log. `stop` waits until it has ended.
set -euo pipefail
verb=$1 name=$2
shift 2
mkdir -p /run/node /host/log
case $verb in
define) printf '%q ' "$@" >"/run/node/$name.command" ;;
start)
  command=$(cat "/run/node/$name.command")
  eval "exec setsid $command" >>"/host/log/$name.log" 2>&1 </dev/null &
  echo $! >"/run/node/$name.pid"
  ;;
stop)
  pid=$(cat "/run/node/$name.pid")
  kill "-${1:-TERM}" "$pid"
  # Its parent is gone, so that process 1 reaps it.
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  ;;
esac
