#!/usr/bin/env bash
# Run a command with its temporary files on a disk whose figures can be compared:
#
#   tests/bench/disk.sh [--tmpfs] COMMAND [ARGUMENT ...]
#
# Test machines often have an ext4 without a journal, which makes each new file 10 to 30 times more
# expensive than on an installed system. So the files go to a new ext4 with a journal (a mounted
# image; as root), or else, and with --tmpfs, to memory. The first line of output names the place.
# COMMAND finds the directory in TMPDIR, and in BENCH_RUN for load generators. The directory is
# removed when COMMAND ends.

set -euo pipefail

only_tmpfs=
if [ "${1:-}" = --tmpfs ]; then
    only_tmpfs=1
    shift
fi
[ $# -gt 0 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }

place='' image='' mounted=''
# shellcheck disable=SC2329  # called by the trap
clean() {
    if [ -n "$mounted" ]; then umount "$place" || umount -l "$place"; fi
    rm -rf ${place:+"$place"} ${image:+"$image"}
}
trap clean EXIT

journalled_image() {
    [ -z "$only_tmpfs" ] && [ "$(id -u)" = 0 ] && type -P mkfs.ext4 >/dev/null || return 1
    image=$(mktemp "${TMPDIR:-/tmp}/disk-XXXXXX.img")
    place=$(mktemp -d "${TMPDIR:-/tmp}/disk-XXXXXX")
    truncate -s 8G "$image"
    if mkfs.ext4 -q -F -O has_journal "$image" && mount -o loop "$image" "$place" 2>/dev/null; then
        mounted=1
        chmod 1777 "$place"
        return
    fi
    clean
    place='' image=''
    return 1
}

if journalled_image; then
    echo "disk: ext4 with a journal, on an image" >&2
elif [ -d /dev/shm ] && place=$(mktemp -d /dev/shm/disk-XXXXXX); then
    echo "disk: tmpfs" >&2
else
    place=$(mktemp -d)
    echo "disk: $(stat -f -c %T "$place"), as it is: figures of file creation cannot be compared" >&2
fi
mkdir "$place/tmp" "$place/run"
TMPDIR="$place/tmp" BENCH_RUN="$place/run" "$@"
