#!/usr/bin/env bash
# run.sh [OPTION...] COMMAND...: boots a guest, runs COMMAND there in a shell, and ends with its output and exit status.
#   -p N         SR-IOV ports (emulated Intel 82576, 7 virtual functions each), 0 to 8; default 2
#   -l CABLING   one: all ports on one segment (default); rails: each port on a segment of its own; OWN:OTHER: each port on
#                a cable to the same port of another guest, by sockets whose paths begin so
#   -i NUMBER    tells guests apart that are cabled to each other: the fifth byte of the ports' MACs
#   -s FOLDER    seen there as /share, read-only; COMMAND starts in it
#   -f FOLDER    seen there as /host; default is one of its own, with nothing from outside
#   -n ADDRESS:PORT   gives it a NIC with this address of 10.0.2.0/24, by which it reaches this machine's loopback as 10.0.2.2,
#                and forwards 127.0.0.1:PORT to the same port there
#   -o FOLDER    takes what the guest leaves in /host/out, its kernel's log and its console
#   -t SECONDS   hard limit for everything; default 300
#   -c CPUS      default 2
#   OWNER_PID    the guest ends when this process does
# Exit status 124: the time was over; 125: the guest ended without a report. Only this QEMU is ever ended, by its pid.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
ports=2 cabling=one number=0 share='' host='' uplink='' out='' limit=300 cpus=2
# From 2.75 GB on the firmware puts the registers of virtual functions above 4 GB, where QEMU's do not answer.
memory=2048
while getopts p:l:i:s:f:n:o:t:c: option; do
  case $option in
  p) ports=$OPTARG ;;
  l) cabling=$OPTARG ;;
  i) number=$OPTARG ;;
  s) share=$OPTARG ;;
  f) host=$OPTARG ;;
  n) uplink=$OPTARG ;;
  o) out=$OPTARG ;;
  t) limit=$OPTARG ;;
  c) cpus=$OPTARG ;;
  *) exit 125 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || die "run.sh: no command"
[ -f "$guest/root.img" ] || die "the guest is not built: e2e/vm/build.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/railweave-guest.XXXXXX")
mkdir "$folder/none"
host=${host:-$folder/host}
mkdir -p "$host/out"
printf '%s\n' "$*" >"$host/command"
touch "$host/output" "$folder/console"

# Emulation, unless the processor's own virtualisation is at hand. What only hardens costs a fifth of the time.
machine=(-accel "tcg,thread=multi" -cpu "max,la57=off,pku=off,smap=off,smep=off,umip=off")
if [ -w /dev/kvm ] && { [ -d /sys/module/kvm_intel ] || [ -d /sys/module/kvm_amd ]; }; then
  machine=(-accel kvm -cpu host)
fi
quick="init_on_alloc=0 apparmor=0 audit=0 rcupdate.rcu_expedited=1 nowatchdog randomize_kstack_offset=off"
machine+=(-M q35 -smp "$cpus" -m "$memory" -nodefaults -no-user-config -display none -no-reboot -monitor none
  -serial "file:$folder/console" -kernel "$guest/kernel/boot/vmlinuz-$(cat "$guest/kernel.version")"
  -initrd "$guest/initramfs.gz"
  -append "console=ttyS0 quiet panic=-1 nokaslr mitigations=off $quick"
  -drive "file=$guest/root.img,format=raw,if=none,id=root,snapshot=on" -device "virtio-blk-pci,drive=root"
  -virtfs "local,path=$host,mount_tag=host,security_model=none"
  -virtfs "local,path=${share:-$folder/none},mount_tag=share,security_model=none,readonly=on")
for ((port = 0; port < ports; port++)); do
  case $cabling in
  one) cable="hubport,hubid=0" ;;
  rails) cable="hubport,hubid=$port" ;;
  *) cable="dgram,local.type=unix,local.path=${cabling%%:*}$port,remote.type=unix,remote.path=${cabling#*:}$port" ;;
  esac
  mac=52:54:00:00:$(printf '%02x:%02x' "$number" $((port + 1)))
  machine+=(-device "pcie-root-port,id=slot$port,chassis=$((port + 1)),slot=$((port + 1))"
    -netdev "$cable,id=rail$port" -device "igb,bus=slot$port,netdev=rail$port,mac=$mac")
done
if [ -n "$uplink" ]; then
  machine+=(-netdev "user,id=uplink,net=10.0.2.0/24,hostfwd=tcp:127.0.0.1:${uplink#*:}-${uplink%:*}:${uplink#*:}"
    -device "virtio-net-pci,netdev=uplink,romfile=")
fi

qemu='' reader=''
# shellcheck disable=SC2317 # called by the trap
end() { # on exit
  [ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true
  [ -z "$reader" ] || kill "$reader" 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT
begun=$SECONDS
for boot in 1 2 3; do
  qemu-system-x86_64 "${machine[@]}" </dev/null >"$folder/qemu.log" 2>&1 &
  qemu=$!
  # The output as it comes; ends by itself, with all of it read, when the guest has ended.
  tail -n +1 -s 0.2 -f --pid="$qemu" "$host/output" &
  reader=$!
  while [ ! -s "$host/status" ] && kill -0 "$qemu" 2>/dev/null && [ $((SECONDS - begun)) -lt "$limit" ] &&
    kill -0 "${OWNER_PID:-$$}" 2>/dev/null; do
    sleep 0.1
  done
  # Without KVM, QEMU now and then trips over itself when one processor maps PCI memory that another uses ("iotlb_to_section");
  # that is at boot, before COMMAND has said anything.
  if [ $boot -eq 3 ] || [ -s "$host/status" ] || [ -s "$host/output" ] || ! grep -q iotlb_to_section "$folder/qemu.log"; then
    break
  fi
  wait "$qemu" 2>/dev/null || true
  wait "$reader" 2>/dev/null || true
  say "QEMU ended at boot by a defect of its own; once more"
done
if [ -s "$host/status" ]; then
  status=$(cat "$host/status")
elif kill -0 "$qemu" 2>/dev/null; then
  status=124
else
  status=125
fi
kill -KILL "$qemu" 2>/dev/null || true
wait "$qemu" 2>/dev/null || true
wait "$reader" 2>/dev/null || true
qemu='' reader=''
case $status in
124) say "the guest did not end within $limit s; the last lines of its console:" ;;
125) say "the guest ended without a report; the last lines of its console:" ;;
esac
if [ "$status" = 124 ] || [ "$status" = 125 ]; then
  tail -n 15 "$folder/console" >&2
  tail -n 5 "$folder/qemu.log" >&2
fi
if [ -n "$out" ]; then
  mkdir -p "$out"
  cp -r "$host/out/." "$out/"
  cp "$folder/console" "$out/"
  [ ! -f "$host/dmesg" ] || cp "$host/dmesg" "$out/"
fi
say "guest: $((SECONDS - begun)) s, exit status $status"
exit "$status"
