# shellcheck shell=bash disable=SC2034 # its variables are read by the scripts that source it
# Sourced by the scripts of this folder: places.
nodes_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$nodes_source/../vm/lib.sh"
nodes=$cache/nodes
