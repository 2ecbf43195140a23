// SPDX-License-Identifier: Apache-2.0

// Package kubernetes tries caisson in pods of a real cluster of one node: etcd,
// the control plane, a kubelet, containerd and runc, all of them pinned by this
// module and the one in runtime, so that nothing of them reaches the module of
// caisson. `make e2e-kubernetes` builds what is pinned and runs the test.
//
// The cluster lives in namespaces of its own for processes, network, mounts,
// IPC, host name and control groups. Nothing of it listens on the machine's network, and it is gone with its
// process 1, however the test ends.
package kubernetes
