// SPDX-License-Identifier: Apache-2.0

package kubernetes

// kubeconfig takes the address of the API server, the authority, and the
// certificate and key of a client.
const kubeconfig = `apiVersion: v1
kind: Config
current-context: fleet
contexts: [{name: fleet, context: {cluster: fleet, user: admin}}]
clusters: [{name: fleet, cluster: {server: "%s", certificate-authority: "%s"}}]
users: [{name: admin, user: {client-certificate: "%s", client-key: "%s"}}]
`

// network takes the name of a bridge, the subnet of pods, an address in it that
// is taken, and a directory for the addresses in use.
const network = `{
  "cniVersion": "1.0.0", "name": "pods", "plugins": [{
    "type": "bridge", "bridge": "%s",
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "%s", "gateway": "%s"}]], "dataDir": "%s"}
  }]
}
`

// containerd takes its root, the path of runc, the directory with the network,
// and the image of the container that holds a pod's namespaces. A machine that
// is a container itself may not let scores for the killer of processes be
// lowered, hence restrict_oom_score_adj.
const containerd = `version = 3
root = "%s"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "%s"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "%s"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "%s"
`

// kubeletConfig takes the authority, the certificate and key of the server, a
// directory for plugins of volumes and one for the output of pods. It makes no
// groups for classes of pods and lets control groups be of version 1.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: "%s"}}
authorization: {mode: AlwaysAllow}
tlsCertFile: "%s"
tlsPrivateKeyFile: "%s"
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
volumePluginDir: "%s"
podLogsDir: "%s"
evictionHard: {imagefs.available: "0%%", nodefs.available: "0%%", nodefs.inodesFree: "0%%", memory.available: "1Mi"}
imageGCHighThresholdPercent: 100
`
