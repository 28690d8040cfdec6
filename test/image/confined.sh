#!/bin/sh
# Runs a container's root as the deployment has it run: read-only, `/data` and a `/tmp` in memory writable, user 1000, without
# capabilities and without new privileges, under the memory limit of the control group MEMORY_GROUP, if it is set. Called in a mount namespace of its own: confined.sh ROOT DATA COMMAND...
set -e
[ -z "${MEMORY_GROUP:-}" ] || echo 0 > "$MEMORY_GROUP/cgroup.procs"
root=$1
data=$2
shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
for node in null zero random urandom; do
  : > "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
# As engines do: its own name and localhost.
: > "$root/etc/hosts"
mount --bind /etc/hosts "$root/etc/hosts"
mount --bind "$data" "$root/data"
mount -t tmpfs -o noexec,nosuid,nodev,size=16m tmpfs "$root/tmp"
mount -o remount,ro,bind "$root"
exec chroot "$root" setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --reuid=1000 --regid=1000 --clear-groups "$@"
