#!/usr/bin/env bash
# Builds what the tests on real API servers need, from the Go modules: etcd, kube-apiserver,
# kube-controller-manager, kube-scheduler and kwok. What is there already is not built again.
#
#   tests/real/build.sh [FOLDER]       FOLDER: $KUBEBUILDER_ASSETS, else target/testbed/bin
#
# Needs go (1.21 or newer: it fetches the toolchain that the modules ask for) and access to
# the Go module proxy. Some four minutes on two cores with the modules downloaded. Prints the folder, last.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-${KUBEBUILDER_ASSETS:-target/testbed/bin}}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

kubernetes=1.34.4
etcd=v3.6.5
kwok=v0.7.0

missing=()
for program in etcd kube-apiserver kube-controller-manager kube-scheduler kwok; do
  [ -x "$folder/$program" ] || missing+=("$program")
done
if [ ${#missing[@]} -eq 0 ]; then echo "$folder"; exit 0; fi
# Where Go's own installer puts it, for a PATH that does not say so.
PATH=$PATH:/usr/local/go/bin
go=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
if [ "${go:-0}" -lt 21 ]; then
  echo "build.sh: ${missing[*]} not found in $folder, and no Go 1.21 or newer to build them with: install it, or set KUBEBUILDER_ASSETS to a folder that has them" >&2
  exit 1
fi

export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' GOTOOLCHAIN=${GOTOOLCHAIN:-auto} GOWORK=off
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A program is written beside its name and renamed, so that a build that was broken off leaves nothing half.
compile() { # name package linker-flags
  echo "building $1" >&2
  go build -trimpath -ldflags "-s -w $3" -o "$folder/.$1.new" "$2"
  mv "$folder/.$1.new" "$folder/$1"
}

# k8s.io/kubernetes takes its staging modules by a path inside its repository, which a module of another name does
# not inherit: a module made here replaces each by the version that was released with it.
kubernetes_module() {
  mkdir "$scratch/kubernetes"
  cd "$scratch/kubernetes"
  local its_go_mod
  its_go_mod=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
  {
    echo "module testbed"
    echo "go $(sed -n 's/^go //p' "$its_go_mod")"
    echo "require k8s.io/kubernetes v$kubernetes"
    sed -n 's#^\t\(k8s.io/[a-z0-9-]*\) => ./staging.*#replace \1 => \1 v0.'"${kubernetes#1.}"'#p' "$its_go_mod"
  } >go.mod
}

for program in "${missing[@]}"; do
  case $program in
    kube-*)
      [ -d "$scratch/kubernetes" ] || (kubernetes_module)
      cd "$scratch/kubernetes"
      version=k8s.io/component-base/version
      minor=${kubernetes#*.}
      compile "$program" "k8s.io/kubernetes/cmd/$program" \
        "-X $version.gitVersion=v$kubernetes -X $version.gitMajor=${kubernetes%%.*} -X $version.gitMinor=${minor%%.*}"
      ;;
    etcd | kwok)
      mkdir "$scratch/$program"
      cd "$scratch/$program"
      go mod init "testbed/$program" 2>/dev/null
      if [ "$program" = etcd ]; then
        go get "go.etcd.io/etcd/server/v3@$etcd"
        compile etcd go.etcd.io/etcd/server/v3 ""
      else
        go get "sigs.k8s.io/kwok@$kwok"
        compile kwok sigs.k8s.io/kwok/cmd/kwok ""
      fi
      ;;
  esac
done
echo "$folder"
