# shellcheck shell=bash disable=SC2154 # $cluster is set by lib.sh
# Sourced by up.sh: one certificate authority for each cluster, EC keys, and the kubeconfigs made from them.

authority() { # FILE NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$2" \
    -keyout "$cluster/pki/$1.key" -out "$cluster/pki/$1.crt" 2>/dev/null
}

certificate() { # FILE SUBJECT EXTENSIONS: signed by the cluster's authority
  local base=$cluster/pki/$1
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$base.key" -out "$base.csr" 2>/dev/null
  openssl x509 -req -in "$base.csr" -CA "$cluster/pki/ca.crt" -CAkey "$cluster/pki/ca.key" -days 30 \
    -set_serial "0x$(openssl rand -hex 16)" -extfile <(printf 'keyUsage=critical,digitalSignature\n%b\n' "$3") \
    -out "$base.crt" 2>/dev/null
  rm "$base.csr"
}

make_pki() {
  command -v openssl >/dev/null || die "openssl is not installed"
  # 10.0.2.2 is what guests of QEMU see of this machine's loopback address.
  local names=IP:10.0.2.2,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
  authority ca e2e-ca
  certificate apiserver /CN=kube-apiserver "extendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1,IP:10.96.0.1,$names"
  certificate admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
  certificate controller-manager /CN=system:kube-controller-manager extendedKeyUsage=clientAuth
  certificate scheduler /CN=system:kube-scheduler extendedKeyUsage=clientAuth
  openssl ecparam -name prime256v1 -genkey -noout -out "$cluster/pki/accounts.key" 2>/dev/null
  openssl ec -in "$cluster/pki/accounts.key" -pubout -out "$cluster/pki/accounts.pub" 2>/dev/null
}

kubeconfig() { # USER SERVER FILE
  (umask 077 && cat >"$3") <<YAML
apiVersion: v1
kind: Config
current-context: e2e
contexts: [{name: e2e, context: {cluster: e2e, user: $1}}]
clusters: [{name: e2e, cluster: {server: "$2", certificate-authority-data: $(base64 -w0 <"$cluster/pki/ca.crt")}}]
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 <"$cluster/pki/$1.crt")
    client-key-data: $(base64 -w0 <"$cluster/pki/$1.key")
YAML
}

kubeconfigs() { # SERVER
  local user
  for user in admin controller-manager scheduler; do
    kubeconfig $user "$1" "$cluster/$user.kubeconfig"
  done
}
