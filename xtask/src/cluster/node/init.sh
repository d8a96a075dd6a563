# The first process of the node, in namespaces of its own: makes its private mounts, then takes in
# the processes that others leave behind. $1 is the folder of the cluster, the rest are the folders
# of this machine that the node has its own of.
set -e
state=$1
shift
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
# The file may be a link into /run.
resolv_conf=$(readlink -m /etc/resolv.conf)
mkdir -p "$(dirname "$resolv_conf")"
[ -e "$resolv_conf" ] || : > "$resolv_conf"
mount --bind "$state/config/resolv.conf" "$resolv_conf"
for folder in "$@"; do
    mkdir -p "$state/folders$folder"
    mount --bind "$state/folders$folder" "$folder"
done
mount --make-rshared /
: > "$state/mounted"
while :; do
    sleep 2147483647 &
    wait
done
