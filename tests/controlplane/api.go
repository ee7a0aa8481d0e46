package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// kubeconfig for one user, with all that it needs inside, so that the file can be copied.
func (p plane) kubeconfig(user identity) string {
	// The file was written by writePKI a moment ago; without it the components say what is missing.
	ca, _ := os.ReadFile(p.path("pki", "ca.crt"))
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: govcloud-test
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: %q
  user: {token: %s}
contexts:
- name: govcloud-test
  context: {cluster: govcloud-test, user: %q}
current-context: govcloud-test
`, p.server(), base64.StdEncoding.EncodeToString(ca), user.name, user.token, user.name)
}

// api is the little of an HTTP client that starting up needs.
type api struct {
	client http.Client
	server string
	token  string
}

func newAPI(p plane) (*api, error) {
	ca, err := os.ReadFile(p.path("pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &api{
		client: http.Client{
			Timeout: 10 * time.Second,
			// No proxy of the environment: the server is on this machine.
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		},
		server: p.server(),
		token:  p.users.admin.token,
	}, nil
}

func (a *api) request(method, path, body string) ([]byte, error) {
	request, err := http.NewRequest(method, a.server+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "govcloud-controlplane")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(content)))
	}
	return content, nil
}

func (a *api) ready() error {
	_, err := a.request(http.MethodGet, "/readyz", "")
	return err
}

func (a *api) createNode(name string) error {
	// Room for everything: what is tested is quotas, not the size of a machine.
	body := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {
		"name": %q, "labels": {"kubernetes.io/hostname": %q, "kubernetes.io/os": "linux", "type": "kwok"}},
		"status": {"capacity": {"cpu": "4k", "memory": "16Ti", "pods": "20k", "ephemeral-storage": "64Ti"},
		"allocatable": {"cpu": "4k", "memory": "16Ti", "pods": "20k", "ephemeral-storage": "64Ti"}}}`, name, name)
	_, err := a.request(http.MethodPost, "/api/v1/nodes", body)
	return err
}

// createMetrics has the API server serve pods of metrics.k8s.io, as metrics-server would, so that rights on them can be asked for.
// There is nothing in it: nobody measures pods that only seem to run.
func (a *api) createMetrics() error {
	_, err := a.request(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", `{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "pods.metrics.k8s.io",
		"annotations": {"api-approved.kubernetes.io": "unapproved, it stands in for metrics-server"}}, "spec": {"group": "metrics.k8s.io",
		"scope": "Namespaced", "names": {"plural": "pods", "singular": "podmetrics", "kind": "PodMetrics"}, "versions": [{"name": "v1beta1",
		"served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`)
	return err
}

// usable says what is still missing before a pod in the default namespace would run.
func (a *api) usable() error {
	if _, err := a.request(http.MethodGet, "/api/v1/namespaces/default/serviceaccounts/default", ""); err != nil {
		return err
	}
	content, err := a.request(http.MethodGet, "/api/v1/nodes", "")
	if err != nil {
		return err
	}
	var nodes struct {
		Items []struct {
			Spec struct {
				Taints []struct{ Key, Effect string }
			}
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := json.Unmarshal(content, &nodes); err != nil {
		return err
	}
	for _, node := range nodes.Items {
		isReady := false
		for _, condition := range node.Status.Conditions {
			isReady = isReady || condition.Type == "Ready" && condition.Status == "True"
		}
		// The controller-manager takes this taint off a little after the node is Ready.
		if !isReady || len(node.Spec.Taints) > 0 {
			return errors.New("the nodes are not Ready")
		}
	}
	return nil
}
