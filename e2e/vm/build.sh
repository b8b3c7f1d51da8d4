#!/usr/bin/env bash
# Makes the guest: a Debian kernel, a root file system with rdma-core and containerd, and rdma_rxe with rxe.patch.
# Everything lies under $RAILWEAVE_CACHE/guest; each step is done again only when what it is made of has changed.
# From nothing it takes about 2.5 minutes and 375 MB of Debian packages.
# Exit status 77, with the reason, where it cannot be done: not Debian 12, not root, QEMU not to be had.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
release=bookworm
# On this machine. QEMU is apart: the release's own has no emulated NIC with virtual functions.
host_packages=(debootstrap busybox-static kmod xz-utils e2fsprogs gcc-12 make libc6-dev patch)
guest_packages=(iproute2 iputils-ping kmod procps rdma-core ibverbs-providers ibverbs-utils rdmacm-utils containerd runc
  containernetworking-plugins ca-certificates curl strace)
boot_modules=(virtio_pci virtio_blk ext4 crc32c_generic)
modules=("${boot_modules[@]}" 9p 9pnet_virtio virtio_net igb igbvf rdma_rxe ib_uverbs rdma_ucm ib_umad ib_ipoib
  macvlan ipvlan veth dummy bridge br_netfilter 8021q bonding vrf overlay vfio-pci nf_tables nft_chain_nat nft_nat
  nft_masq nft_ct nft_compat xt_nat xt_tcpudp xt_conntrack xt_MASQUERADE xt_mark xt_comment crc32_generic)

# Package lists of our own, with backports beside the machine's suites, so that its configuration stays as it is.
apt_options=(-o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$guest/apt/sources"
  -o "Dir::State::Lists=$guest/apt/lists" -o APT::Sandbox::User=root)
prepare_apt() {
  [ -n "${apt_prepared:-}" ] && return
  apt_prepared=1
  mkdir -p "$guest"/apt/{sources,lists}
  cp /etc/apt/sources.list.d/*.sources "$guest/apt/sources/"
  awk -v updates="$release-updates" -v backports="$release-backports" 'BEGIN { RS = ""; ORS = "\n\n" }
    $0 ~ updates { sub(/Suites:[^\n]*/, "Suites: " backports); print }' /etc/apt/sources.list.d/*.sources \
    >"$guest/apt/sources/railweave-backports.sources"
  [ -s "$guest/apt/sources/railweave-backports.sources" ] ||
    skip "no guest: no $release-updates among the package sources of this machine, so none for backports either"
  ticking "package lists" apt-get "${apt_options[@]}" -qq update ||
    skip "no guest: the package lists of Debian cannot be had"
}
install_packages() { # PACKAGE... or options of apt-get
  prepare_apt
  DEBIAN_FRONTEND=noninteractive ticking "installing ${*: -1}" \
    apt-get "${apt_options[@]}" install -y -qq --no-install-recommends "$@" >"$guest/host-packages.log" 2>&1 ||
    skip "no guest: installing ${*: -1} failed, see $guest/host-packages.log"
}
has_qemu() { [ "$(qemu-system-x86_64 -device help 2>/dev/null | grep -c '"igb"')" = 1 ]; }
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

machine() { # what this machine has to have
  # shellcheck disable=SC1091 # of the machine, not of the project
  [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = $release ] ||
    skip "no guest: it is made of Debian packages with apt, on Debian 12 only"
  [ "$(id -u)" = 0 ] || skip "no guest: installing packages and making a root file system need root"
  local package missing=()
  has_qemu || install_packages -t $release-backports qemu-system-x86
  has_qemu || skip "no guest: this QEMU has no emulated NIC with virtual functions (igb)"
  for package in "${host_packages[@]}"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

download() { # PACKAGE[=VERSION]: into downloads/, once
  compgen -G "$guest/downloads/${1%%=*}_*.deb" >/dev/null && return
  prepare_apt
  mkdir -p "$guest/downloads"
  (cd "$guest/downloads" && ticking "downloading ${1%%=*}" apt-get "${apt_options[@]}" -qq download "$1") ||
    die "Debian's package $1 cannot be downloaded"
}
unpack() { # PACKAGE FOLDER
  mkdir -p "$2"
  dpkg-deb -x "$guest"/downloads/"$1"_*.deb "$2"
}

# step NAME STAMP FUNCTION: runs it unless it was done with the same stamp.
step() {
  local begun=$SECONDS
  [ "$(cat "$guest/$1.stamp" 2>/dev/null)" != "$2" ] || return 0
  rm -f "$guest/$1.stamp" "$guest/images.stamp" # the images are made of all that comes before
  "$3"
  echo "$2" >"$guest/$1.stamp"
  say "  guest, $1: $((SECONDS - begun)) s"
}
stamp() { sha256sum | cut -d ' ' -f 1; }

choose_kernel() { # sets kernel, base: kept, so that a new kernel in Debian makes nothing anew by surprise
  if [ ! -s "$guest/kernel.version" ]; then
    prepare_apt
    mkdir -p "$guest"
    apt-cache "${apt_options[@]}" show linux-image-6.12-amd64 |
      sed -n 's/^Depends: linux-image-\([^ ,]*\).*/\1/p' | head -n 1 >"$guest/kernel.version"
    [ -s "$guest/kernel.version" ] || skip "no guest: Debian has no package linux-image-6.12-amd64"
  fi
  kernel=$(cat "$guest/kernel.version") base=${kernel%-amd64}
}

kernel_step() {
  rm -rf "$guest/kernel"
  download "linux-image-$kernel"
  unpack "linux-image-$kernel" "$guest/kernel"
  depmod -b "$guest/kernel" "$kernel"
}

# The soft RDMA driver with the patch: see README.md for what hardware can that the plain one cannot.
rxe_step() {
  local package version source=$guest/source/linux-source-6.12/drivers/infiniband/sw/rxe headers=$guest/headers
  version=$(dpkg-deb -f "$guest"/downloads/linux-image-"$kernel"_*.deb Version)
  rm -rf "$guest/source" "$headers"
  for package in "linux-headers-$kernel" "linux-headers-$base-common" "linux-kbuild-$base"; do
    download "$package"
    unpack "$package" "$headers"
  done
  download "linux-source-6.12=$version"
  mkdir -p "$guest/source"
  say "unpacking the driver's source"
  dpkg-deb --fsys-tarfile "$guest"/downloads/linux-source-6.12_*.deb | tar xO ./usr/src/linux-source-6.12.tar.xz |
    xz -dc | tar x -C "$guest/source" --wildcards 'linux-source-6.12/drivers/infiniband/sw/rxe/*'
  patch -s -d "$source" -p1 <"$vm_source/rxe.patch" || die "rxe.patch does not fit the source of Linux $version"
  # Debian's Makefiles name their own absolute places.
  sed -i "s,/usr/src/,$headers/usr/src/,; s,/usr/lib/,$headers/usr/lib/," \
    "$headers/usr/src/linux-headers-$kernel/Makefile" "$headers/usr/src/linux-headers-$base-common/Makefile"
  relink "$headers"
  ticking "compiling rdma_rxe" make -s -j "$(nproc)" -C "$headers/usr/src/linux-headers-$kernel" M="$source" \
    CONFIG_RDMA_RXE=m CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$guest/rxe.log" 2>&1 ||
    die "rdma_rxe does not compile, see $guest/rxe.log"
  strip --strip-debug -o "$guest/rdma_rxe.ko" "$source/rdma_rxe.ko"
  rm -rf "$guest/source"
}
relink() { # FOLDER: absolute links below it lead into it
  local link target
  find "$1" -type l -lname '/usr/*' | while read -r link; do
    target=$(readlink "$link")
    ln -sfn "$1$target" "$link"
  done
}

root_step() {
  local mirror iproute2
  prepare_apt
  mirror=$(sed -n 's/^URIs: *//p' "$guest/apt/sources/railweave-backports.sources" | head -n 1)
  rm -rf "$guest/root"
  ticking "root file system" debootstrap --variant=minbase --include="$(IFS=,; echo "${guest_packages[*]}")" \
    $release "$guest/root" "$mirror" >"$guest/root.log" 2>&1 || die "debootstrap failed, see $guest/root.log"
  # The release's own `ip` does not show all that the tests compare.
  iproute2=$(apt-cache "${apt_options[@]}" madison iproute2 | awk -v suite="$release-backports" '$0 ~ suite { print $3; exit }')
  download "iproute2=$iproute2"
  dpkg-deb --fsys-tarfile "$guest"/downloads/iproute2_*.deb | tar x -C "$guest/root" --keep-directory-symlink
  rm -rf "$guest"/root/var/cache/apt/archives/*.deb "$guest"/root/var/lib/apt/lists/*
  mkdir -p "$guest"/root/{host,share,opt}
}

# The modules and all they need, unpacked here because unpacking is slow under emulation.
copy_modules() {
  local into=$guest/root/lib/modules/$kernel module file place
  rm -rf "$guest/root/lib/modules"
  mkdir -p "$into/updates"
  cp "$guest/kernel/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$into/"
  sed -i 's/\.xz$//' "$into/modules.order"
  for module in "${modules[@]}"; do
    modprobe -d "$guest/kernel" -S "$kernel" --show-depends "$module"
  done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
    place=$into/${file#*/lib/modules/"$kernel"/}
    mkdir -p "${place%/*}"
    case $file in
    *.xz) xz -dc "$file" >"${place%.xz}" ;;
    *) cp "$file" "$place" ;;
    esac
  done
  cp "$guest/rdma_rxe.ko" "$into/updates/"
  depmod -b "$guest/root" "$kernel"
}

images_step() {
  local early=$guest/initramfs module file number=100
  copy_modules
  cp "$vm_source/guest/init" "$guest/root/railweave-init"
  rm -rf "$early"
  mkdir -p "$early"/{bin,dev,proc,sys,root,modules}
  cp "$(command -v busybox)" "$early/bin/busybox"
  cp "$vm_source/guest/initramfs" "$early/init"
  for module in "${boot_modules[@]}"; do
    modprobe -d "$guest/root" -S "$kernel" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
    cp "$file" "$early/modules/$number-${file##*/}" # the order in which they are to be loaded
    number=$((number + 1))
  done
  (cd "$early" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$guest/initramfs.gz"
  rm -f "$guest/root.img.new"
  truncate -s 3G "$guest/root.img.new"
  mkfs.ext4 -q -F -E lazy_itable_init=1 -d "$guest/root" "$guest/root.img.new"
  mv "$guest/root.img.new" "$guest/root.img"
}

machine
mkdir -p "$guest"
# One build at a time, and none while a cluster is built: both use all cores.
exec 9>"$cache/build.lock"
flock -n 9 || { say "waiting for another build"; ticking "waiting for another build" flock 9; }
choose_kernel
kernel_stamp=$(echo "$kernel" | stamp)
rxe_stamp=$({ echo "$kernel_stamp"; cat "$vm_source/rxe.patch"; } | stamp)
root_stamp=$(echo "${guest_packages[*]}" | stamp)
step kernel "$kernel_stamp" kernel_step
step rxe "$rxe_stamp" rxe_step
step root "$root_stamp" root_step
images_stamp=$({ echo "$rxe_stamp $root_stamp ${modules[*]}"; cat "$vm_source"/guest/init*; } | stamp)
step images "$images_stamp" images_step
