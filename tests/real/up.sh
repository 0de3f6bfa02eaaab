#!/usr/bin/env bash
# Starts real Kubernetes control planes on loopback: one etcd, and for each of the clusters hub and foo an API server, the
# core controllers, the scheduler, and kwok as the kubelet of one node. Deployments become Running pods; logs, exec
# and port-forward answer. Ready in some six seconds.
#
#   tests/real/up.sh FOLDER          starts what does not run yet and returns; tests/real/down.sh FOLDER stops it
#   tests/real/up.sh --hold FOLDER   the same, then waits until its stdin ends, stops all and removes FOLDER
#   tests/real/up.sh --bare …        of the hub the API server alone, and no foo: for what is stopped and started again.
#                                    It keeps no snapshots to list from, so that what etcd forgets is forgotten
#
# The programs are taken from $KUBEBUILDER_ASSETS, else target/testbed/bin (tests/real/build.sh makes them). Needs
# openssl and curl. FOLDER holds everything that is made:
#   hub.kubeconfig  contexts hub (an administrator) and operator, reader, namespaced: users of those names without any
#                   permission but those that RBAC gives them; foo.kubeconfig likewise
#   pod.log         what every pod logs: append lines such as "2026-11-23T11:31:42.000000000Z stdout F text"
#   exec            runs its command on this machine; every port-forward reaches the port on 127.0.0.1 that `ports` names
#   log/            what the programs wrote
# Ports are chosen free at the first start, so that several can run beside each other; FOLDER/ports keeps them.
set -euo pipefail
cd "$(dirname "$0")/../.."
hold=false
bare=false
while [ $# -gt 1 ]; do
  case $1 in --hold) hold=true ;; --bare) bare=true ;; *) break ;; esac
  shift
done
[ $# = 1 ] || { echo "usage: up.sh [--hold] [--bare] FOLDER" >&2; exit 2; }
bin=$(cd "${KUBEBUILDER_ASSETS:-target/testbed/bin}" && pwd) || { echo "up.sh: no folder of programs: run tests/real/build.sh" >&2; exit 1; }
down=$PWD/tests/real/down.sh
for program in etcd kube-apiserver kube-controller-manager kube-scheduler kwok; do
  [ -x "$bin/$program" ] || { echo "up.sh: $program is not in $bin: run tests/real/build.sh" >&2; exit 1; }
done
for program in openssl curl; do
  command -v $program >/dev/null || { echo "up.sh: $program is missing: install it" >&2; exit 1; }
done
mkdir -p "$1"
state=$(cd "$1" && pwd)
pki=$state/pki
mkdir -p "$pki" "$state/pids" "$state/log"
if $hold; then trap '"$down" "$state" >/dev/null 2>&1; rm -rf "$state"' EXIT; trap 'exit 130' INT TERM HUP; fi

certificates() {
  cd "$pki"
  openssl genrsa -out sa.key 2048
  openssl rsa -in sa.key -pubout -out sa.pub
  for ca in ca proxy-ca; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $ca.key -out $ca.crt -days 30 -subj "/CN=$ca"
  done
  certificate server /CN=kube-apiserver "subjectAltName=IP:127.0.0.1,DNS:localhost"
  certificate kubelet /CN=kubelet "subjectAltName=IP:127.0.0.1,DNS:localhost"
  certificate kubelet-client /O=system:masters/CN=kubelet-client "extendedKeyUsage=clientAuth"
  certificate admin /O=system:masters/CN=admin "extendedKeyUsage=clientAuth"
  certificate front-proxy /CN=front-proxy "extendedKeyUsage=clientAuth" proxy-ca
  for user in operator reader namespaced; do echo "$user-$RANDOM$RANDOM$RANDOM,$user,$user"; done >tokens.csv
  touch done
}
certificate() { # name subject extensions [ca]
  local ca=${4:-ca}
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
  openssl x509 -req -in "$1.csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -days 30 -out "$1.crt" -extfile <(echo "$3")
}
[ -f "$pki/done" ] || (certificates) 2>"$state/log/openssl" || { cat "$state/log/openssl" >&2; exit 1; }

# A run of free ports below those that the kernel gives to clients. That nobody answers is all that can be asked without
# holding them; a start that loses a race fails, and says so in FOLDER/log.
free_ports() {
  local base port
  for _ in $(seq 50); do
    base=$((20000 + 16 * (RANDOM % 750)))
    for port in $(seq $base $((base + 10))); do
      (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
    done
    echo $base
    return
  done
  echo "up.sh: no free ports between 20000 and 32000" >&2
  return 1
}
if [ ! -f "$state/ports" ]; then
  base=$(free_ports)
  cat >"$state/ports" <<PORTS
etcd=$base
peer=$((base + 1))
hub=$((base + 2))
foo=$((base + 6))
pod=${POD_PORT:-$((base + 10))}
PORTS
fi
# shellcheck source=/dev/null
. "$state/ports"

start() { # name program arguments…
  local name=$1
  shift
  if [ -f "$state/pids/$name" ] && kill -0 "$(cat "$state/pids/$name")" 2>/dev/null; then return; fi
  setsid nohup "$@" >>"$state/log/$name" 2>&1 </dev/null &
  echo $! >"$state/pids/$name"
}
ready() { # name command…: waits until the command succeeds, at most a minute, and no longer than the program lives
  local name=$1
  shift
  for _ in $(seq 600); do
    "$@" >/dev/null 2>&1 && return
    kill -0 "$(cat "$state/pids/$name")" 2>/dev/null || break
    sleep 0.1
  done
  echo "up.sh: $name did not become ready; its last words:" >&2
  tail -n 15 "$state/log/$name" >&2
  return 1
}
ask() { # port path curl-arguments…
  local url=https://127.0.0.1:$1$2
  shift 2
  curl -sSf --max-time 10 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" "$@" "$url"
}

kubeconfig() { # name port
  cat <<YAML
apiVersion: v1
kind: Config
current-context: $1
clusters:
- {name: $1, cluster: {server: "https://127.0.0.1:$2", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}
users:
- {name: admin, user: {client-certificate-data: $(base64 -w0 "$pki/admin.crt"), client-key-data: $(base64 -w0 "$pki/admin.key")}}
$(while IFS=, read -r token user _; do echo "- {name: $user, user: {token: $token}}"; done <"$pki/tokens.csv")
contexts:
- {name: $1, context: {cluster: $1, user: admin, namespace: default}}
$(for user in operator reader namespaced; do echo "- {name: $user, context: {cluster: $1, user: $user, namespace: default}}"; done)
YAML
}

cluster() { # name port service-range pod-range
  local name=$1 port=$2 config=$state/$1.kubeconfig
  (umask 077 && kubeconfig "$name" "$port" >"$config")
  local features=()
  if $bare; then features=(--feature-gates=ListFromCacheSnapshot=false); fi
  start "apiserver-$name" "$bin/kube-apiserver" "${features[@]}" --etcd-servers="http://127.0.0.1:$etcd" --etcd-prefix="/$name" \
    --bind-address=127.0.0.1 --secure-port="$port" --advertise-address=10.255.255.1 --endpoint-reconciler-type=none \
    --authorization-mode=RBAC --client-ca-file="$pki/ca.crt" --token-auth-file="$pki/tokens.csv" \
    --tls-cert-file="$pki/server.crt" --tls-private-key-file="$pki/server.key" --service-cluster-ip-range="$3" \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/sa.pub" \
    --service-account-signing-key-file="$pki/sa.key" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
    --requestheader-client-ca-file="$pki/proxy-ca.crt" --requestheader-allowed-names=front-proxy \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key"
  ready "apiserver-$name" ask "$port" /readyz
  if $bare; then return; fi
  local same=(--kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config"
    --bind-address=127.0.0.1 --leader-elect=false)
  # kwok renews no leases: a node is not called lost for their age.
  start "controllers-$name" "$bin/kube-controller-manager" "${same[@]}" --secure-port=$((port + 1)) \
    --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" --use-service-account-credentials=true \
    --node-monitor-grace-period=3600s \
    --controllers='*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller'
  start "scheduler-$name" "$bin/kube-scheduler" "${same[@]}" --secure-port=$((port + 2))
  ask "$port" "/api/v1/nodes/$name-1" >/dev/null 2>&1 || ask "$port" /api/v1/nodes -o /dev/null -H 'content-type: application/yaml' --data-binary @- <<YAML
apiVersion: v1
kind: Node
metadata:
  name: $name-1
  annotations: {kwok.x-k8s.io/node: fake}
  labels: {kubernetes.io/hostname: $name-1, kubernetes.io/os: linux}
status:
  allocatable: {cpu: "64", memory: 256Gi, pods: "1000"}
  capacity: {cpu: "64", memory: 256Gi, pods: "1000"}
YAML
  start "kwok-$name" "$bin/kwok" --kubeconfig="$config" --config="$state/kwok.yaml" --manage-all-nodes=true --cidr="$4" \
    --node-ip=127.0.0.1 --node-port=$((port + 3)) --server-address="127.0.0.1:$((port + 3))" \
    --tls-cert-file="$pki/kubelet.crt" --tls-private-key-file="$pki/kubelet.key" --node-lease-duration-seconds=0
}

touch "$state/pod.log"
cat >"$state/kwok.yaml" <<YAML
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: {name: all}
spec: {logs: [{logsFile: "$state/pod.log", follow: true}]}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterExec
metadata: {name: all}
spec: {execs: [{local: {workDir: "$state"}}]}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterPortForward
metadata: {name: all}
spec: {forwards: [{target: {address: 127.0.0.1, port: $pod}}]}
YAML

start etcd "$bin/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls "http://127.0.0.1:$etcd" --advertise-client-urls "http://127.0.0.1:$etcd" \
  --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
  --initial-cluster "default=http://127.0.0.1:$peer"
ready etcd curl -sf "http://127.0.0.1:$etcd/health"
cluster hub "$hub" 10.96.0.0/16 10.51.0.1/24
$bare || cluster foo "$foo" 10.97.0.0/16 10.52.0.1/24

echo "ready $state"
if $hold; then cat >/dev/null; fi
