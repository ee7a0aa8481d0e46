package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The controller-manager's own client is limited to 20 requests/s by default, so filling the status
// of some hundred new quotas takes half a minute. What is tested is the operator, not that limit.
const (
	controllerQPS   = "1000"
	controllerBurst = "2000"
)

// raised is what a reader of a measurement has to know.
const raised = "kube-controller-manager and kube-scheduler: --kube-api-qps " + controllerQPS +
	" --kube-api-burst " + controllerBurst + " (raised from 20/30 and 50/100)"

// Every request at Metadata level, once, when it is answered: enough to count by user agent and verb.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// plane is one control plane: where it lives and who may talk to it.
type plane struct {
	dir   string
	port  int
	users identities
}

func (p plane) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

func (p plane) server() string {
	return fmt.Sprintf("https://127.0.0.1:%d", p.port)
}

// A Unix socket in a directory of ours needs no port and lets nobody else in. Its address is relative
// to the working directory, because a socket's path may not be longer than about 100 bytes.
const etcdSocket = "unix://etcd.sock:0"

func (p plane) etcd() []string {
	return []string{
		"--data-dir=" + p.path("etcd"),
		"--listen-client-urls=" + etcdSocket,
		"--advertise-client-urls=" + etcdSocket,
		"--listen-peer-urls=unix://etcd-peer.sock:0",
		"--initial-advertise-peer-urls=unix://etcd-peer.sock:0",
		"--initial-cluster=default=unix://etcd-peer.sock:0",
		"--log-level=warn",
		// The data are thrown away with the directory.
		"--unsafe-no-fsync",
	}
}

func (p plane) apiserver() []string {
	return []string{
		"--etcd-servers=" + etcdSocket,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", p.port),
		// Nothing runs in this cluster that would reach the API server by its service, and a loopback
		// address is refused in an endpoint.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + p.path("pki", "apiserver.crt"),
		"--tls-private-key-file=" + p.path("pki", "apiserver.key"),
		"--client-ca-file=" + p.path("pki", "ca.crt"),
		"--token-auth-file=" + p.path("pki", "tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + p.path("pki", "service-accounts.key"),
		"--service-account-signing-key-file=" + p.path("pki", "service-accounts.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		// Beside those that are on by default, those that clouds commonly add: they write into pods too.
		"--enable-admission-plugins=ExtendedResourceToleration,PodNodeSelector,PodTolerationRestriction",
		"--audit-policy-file=" + p.path("audit-policy.yaml"),
		"--audit-log-path=" + p.path("audit.log"),
		// Written before the answer, and never rotated away: what is counted is complete.
		"--audit-log-mode=blocking",
		"--audit-log-maxsize=0",
		"--max-requests-inflight=2000",
		"--max-mutating-requests-inflight=1000",
	}
}

func (p plane) controllerManager() []string {
	return []string{
		"--kubeconfig=" + p.path("pki", "controller-manager.kubeconfig"),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + p.path("pki", "service-accounts.key"),
		"--root-ca-file=" + p.path("pki", "ca.crt"),
		"--cluster-signing-cert-file=" + p.path("pki", "ca.crt"),
		"--cluster-signing-key-file=" + p.path("pki", "ca.key"),
		"--kube-api-qps=" + controllerQPS,
		"--kube-api-burst=" + controllerBurst,
		"--concurrent-namespace-syncs=20",
		"--concurrent-resource-quota-syncs=20",
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	}
}

func (p plane) scheduler() []string {
	return []string{
		"--kubeconfig=" + p.path("pki", "scheduler.kubeconfig"),
		"--kube-api-qps=" + controllerQPS,
		"--kube-api-burst=" + controllerBurst,
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	}
}

func (p plane) kwok() []string {
	return []string{
		"--kubeconfig=" + p.path("pki", "kwok.kubeconfig"),
		"--config=" + p.path("kwok.yaml"),
		"--manage-all-nodes=true",
		"--node-lease-duration-seconds=40",
		"--node-ip=127.0.0.1",
		"--cidr=10.244.0.0/16",
	}
}

// writeConfiguration writes all that the components read. The directory is the owner's alone.
func (p plane) writeConfiguration() error {
	for _, dir := range []string{p.dir, p.path("pki"), p.path("logs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := writePKI(p.path("pki")); err != nil {
		return err
	}
	files := map[string]string{
		"pki/tokens.csv":                    p.users.tokenFile(),
		"pki/controller-manager.kubeconfig": p.kubeconfig(p.users.controllerManager),
		"pki/scheduler.kubeconfig":          p.kubeconfig(p.users.scheduler),
		"pki/kwok.kubeconfig":               p.kubeconfig(p.users.kwok),
		"audit-policy.yaml":                 auditPolicy,
		"kwok.yaml":                         kwokStages(),
	}
	for name, content := range files {
		if err := os.WriteFile(p.path(strings.Split(name, "/")...), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
