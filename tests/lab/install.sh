#!/bin/sh
# Make the roots in which the lab runs real mail servers. Run as root on Debian 12; a second run changes nothing.
#
# Postfix and Exim cannot be installed beside each other, so each one lives in a minimal Debian of its own; the name
# server with signed zones (NSD) and the validating resolver (Unbound) have a third:
#   $TLSMON_LAB_CACHE/{postfix-bookworm,exim-bookworm,postfix-sid,exim-sid,names-bookworm}   (default ~/.cache/tlsmon-lab)
# Nothing is started and nothing outside that folder changes, except that missing tools are installed with apt.
#
#   install.sh [ROOT…]      only the roots named
set -eu

CACHE=${TLSMON_LAB_CACHE:-"$HOME/.cache/tlsmon-lab"}
MIRROR=${TLSMON_LAB_MIRROR:-}

need_tools() {
    missing=
    for pair in debootstrap:debootstrap ip:iproute2 unshare:util-linux; do
        command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
    done
    [ -z "$missing" ] && return
    apt-get update -q
    # shellcheck disable=SC2086 # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $missing
}

make_root() { # NAME SUITE PACKAGES
    root=$CACHE/$1
    [ -e "$root/lab-complete" ] && return
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase --include=ca-certificates "$2" "$root" ${MIRROR:+"$MIRROR"} \
        || { echo "lab: $root could not be made; its log is $root/debootstrap/debootstrap.log" >&2; exit 1; }
    # apt orders what debootstrap cannot, with the package lists that debootstrap has just verified and left there.
    # Packages are set up inside a chroot; nothing there may start a service.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    # Maintainer scripts want /proc; mounted in a namespace of its own, it goes with the command.
    # shellcheck disable=SC2016,SC2086 # the inner shell expands; a list of package names
    DEBIAN_FRONTEND=noninteractive unshare --mount sh -euc '
        mount -t proc proc "$0/proc"
        exec chroot "$0" apt-get install -yq --no-install-recommends "$@"' "$root" $3
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
    # Every run mounts its own /var/log, so that the syslog socket of a run is found by its own daemons only.
    ln -sf /var/log/socket "$root/dev/log"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    touch "$root/lab-complete"
}

[ "$(id -u)" = 0 ] || { echo "lab: must be root, for network namespaces and chroots" >&2; exit 1; }
need_tools
mkdir -p "$CACHE"
for root in ${*:-postfix-bookworm exim-bookworm postfix-sid exim-sid names-bookworm}; do
    case $root in
    postfix-*) make_root "$root" "${root#postfix-}" 'postfix rsyslog' ;;
    exim-*) make_root "$root" "${root#exim-}" 'exim4-daemon-heavy rsyslog' ;;
    names-*) make_root "$root" "${root#names-}" 'nsd unbound ldnsutils' ;;
    *) echo "lab: no such root: $root" >&2; exit 2 ;;
    esac
done
echo "lab: ready in $CACHE"
