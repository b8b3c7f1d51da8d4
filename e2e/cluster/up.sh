#!/usr/bin/env bash
# up.sh: starts etcd, kube-apiserver and the components asked for on 127.0.0.1, waits until they serve, and
# prints the path of an administrator's kubeconfig. `build.sh` comes first.
#   CLUSTER_NAME or CLUSTER_DIR   which cluster; any number can run side by side
#   COMPONENTS                    "controller-manager scheduler" (default), either, or ""
#   KUBERNETES_MINOR              1.36 (default), or another module folder's version
#   OWNER_PID                     the cluster ends when this process does
#   NODE_HOSTS                    a file in the manner of /etc/hosts by which the API server finds kubelets (needs root)
#   APISERVER_ARGS, KCM_ARGS, SCHEDULER_ARGS   further arguments
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$here/pki.sh"
components=${COMPONENTS-controller-manager scheduler}

for program in etcd kube-apiserver kubectl; do [ -x "$bin/$program" ] || die "$bin/$program is not there: run build.sh"; done
mkdir -p "$cluster"/{run,logs,pki}
chmod 700 "$cluster"
if running kube-apiserver; then echo "$cluster/admin.kubeconfig"; exit 0; fi
undo() { # what was started, with the last words of each process
  [ "$1" -ne 0 ] || return 0
  tail -n 5 "$cluster"/logs/*.log >&2 || true
  "$here/down.sh" || true
}
trap 'undo $?' EXIT
rm -f "$cluster"/logs/*.log

api_port='' etcd_port='' peer_port='' port='' # set by free_port
free_port api_port
free_port etcd_port
free_port peer_port
make_pki
kubeconfigs "https://127.0.0.1:$api_port"
pki=$cluster/pki

# The data ends with the cluster, so nothing is gained by waiting for the disk.
define etcd "$bin/etcd" --name=e2e --data-dir="$cluster/etcd" --unsafe-no-fsync --log-level=warn \
  --listen-client-urls="http://127.0.0.1:$etcd_port" --advertise-client-urls="http://127.0.0.1:$etcd_port" \
  --listen-peer-urls="http://127.0.0.1:$peer_port" --initial-advertise-peer-urls="http://127.0.0.1:$peer_port" \
  --initial-cluster="e2e=http://127.0.0.1:$peer_port"

# In a mount namespace of its own, so that this machine's file stays as it is.
with_hosts=() to_kubelets=()
if [ -n "${NODE_HOSTS:-}" ]; then
  # shellcheck disable=SC2016 # expanded by that shell
  with_hosts=(unshare --mount bash -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$NODE_HOSTS")
  to_kubelets=(--kubelet-preferred-address-types=Hostname
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key")
fi

# --advertise-address becomes the endpoint of the `kubernetes` Service, which may not be a loopback address;
# nobody dials it here (192.0.2.0/24 is for documentation, RFC 5737).
# shellcheck disable=SC2086
define kube-apiserver "${with_hosts[@]}" "$bin/kube-apiserver" "${to_kubelets[@]}" --etcd-servers="http://127.0.0.1:$etcd_port" \
  --bind-address=127.0.0.1 --secure-port="$api_port" --advertise-address=192.0.2.1 \
  --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC --allow-privileged=true \
  --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/accounts.pub" \
  --service-account-signing-key-file="$pki/accounts.key" \
  --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy \
  --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
  --requestheader-extra-headers-prefix=X-Remote-Extra- ${APISERVER_ARGS:-}

launch etcd
launch kube-apiserver
await_ready

for component in $components; do
  own=$cluster/$component.kubeconfig
  # Upstream's client limits (20 requests/s) would make the controller manager the slowest part of every test.
  common=(--kubeconfig="$own" --authentication-kubeconfig="$own" --authorization-kubeconfig="$own"
    --bind-address=127.0.0.1 --leader-elect=false --kube-api-qps=500 --kube-api-burst=500)
  free_port port
  # shellcheck disable=SC2086
  case $component in
  controller-manager)
    define kube-controller-manager "$bin/kube-controller-manager" --secure-port="$port" "${common[@]}" \
      --use-service-account-credentials=true --service-account-private-key-file="$pki/accounts.key" \
      --root-ca-file="$pki/ca.crt" ${KCM_ARGS:-} ;;
  scheduler)
    define kube-scheduler "$bin/kube-scheduler" --secure-port="$port" "${common[@]}" ${SCHEDULER_ARGS:-} ;;
  *) die "$component is not a component; there are: controller-manager scheduler" ;;
  esac
  launch "kube-$component"
done

# Pods are refused until their namespace has its service account, which is the controller manager's work. Without
# one, the account of `default` is made here.
kubectl() { "$bin/kubectl" --kubeconfig "$cluster/admin.kubeconfig" "$@"; }
case " $components " in
*" controller-manager "*)
  begun=$SECONDS
  until kubectl get serviceaccount default >/dev/null 2>&1; do
    running kube-controller-manager || die "kube-controller-manager ended"
    [ $((SECONDS - begun)) -lt 120 ] || die "no default service account after 120 s"
    sleep 0.1
  done ;;
*) kubectl create serviceaccount default >/dev/null ;;
esac

if [ -n "${OWNER_PID:-}" ]; then
  define owner-watch "$here/end-with.sh" "$OWNER_PID" "$(start_time "$OWNER_PID")" "$cluster"
  launch owner-watch
fi
echo "$cluster/admin.kubeconfig"
