#!/bin/bash
# test.sh VFS [FILTER]: all tests of the guest; fails if any does, or if the kernel complains.
vfs=$1 filter=${2:-}
failed=0
modprobe -a 8021q
modprobe bonding max_bonds=0
# Of the library alone: the plugins are tested below.
./kernel --skip coordinator --skip addresses --skip host_interfaces ${filter:+"$filter"} || failed=1
begun=$SECONDS
./start.sh "$vfs" && ./plugins.sh || exit
echo "the node stands after $((SECONDS - begun)) s"
./node ${filter:+"$filter"} || failed=1
if dmesg | grep -E 'WARNING|BUG:|Oops|Call Trace|unregister_netdevice: waiting'; then
  echo "the kernel of the guest complained" >&2
  failed=1
fi
exit $failed
