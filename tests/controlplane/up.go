package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// A slow machine that builds something else at the same time still makes it.
	startTimeout = 90 * time.Second
	// The state is thrown away, so nothing is worth waiting for.
	stopGrace = 800 * time.Millisecond
)

// What `up` prints when the control plane can be used.
type ready struct {
	Kubeconfig string `json:"kubeconfig"`
	AuditLog   string `json:"audit_log"`
	Server     string `json:"server"`
}

// runUp starts a control plane in a directory and keeps it until it is told to end or a component dies.
func runUp(args []string) int {
	end := told()
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory for data, keys, logs and the kubeconfig; made when missing")
	if flags.Parse(args) != nil {
		return 2
	}
	if *dir == "" {
		fmt.Fprintln(os.Stderr, "usage: controlplane up --dir DIR")
		return 2
	}
	if err := up(*dir, end); err != nil {
		fmt.Fprintln(os.Stderr, "control plane:", err)
		return 1
	}
	return 0
}

func up(dir string, end <-chan struct{}) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	p := plane{dir: dir, port: port, users: newIdentities()}
	if err := p.writeConfiguration(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, raised)
	r := &running{plane: p, end: end, died: make(chan *process, 8)}
	defer r.stop()
	if err := r.start(); err != nil {
		return stopped(err)
	}
	if err := r.announce(); err != nil {
		return err
	}
	return stopped(r.wait(nil, 0))
}

// running is a control plane with its processes.
type running struct {
	plane
	end       <-chan struct{}
	died      chan *process
	processes []*process
}

var errTold = errors.New("told to end")

// stopped makes the wished-for end no error.
func stopped(err error) error {
	if errors.Is(err, errTold) {
		return nil
	}
	return err
}

// start runs the components in the order in which they need each other, as parallel as that allows.
func (r *running) start() error {
	api, err := newAPI(r.plane)
	if err != nil {
		return err
	}
	if err := r.run("etcd", r.etcd()); err != nil {
		return err
	}
	if err := r.run("kube-apiserver", r.apiserver()); err != nil {
		return err
	}
	if err := r.wait(api.ready, startTimeout); err != nil {
		return err
	}
	for _, component := range []struct {
		name string
		args []string
		env  []string
	}{
		{"kube-controller-manager", r.controllerManager(), nil},
		{"kube-scheduler", r.scheduler(), nil},
		// Its own settings, not those that somebody keeps in their home directory.
		{"kwok", r.kwok(), []string{"KWOK_WORKDIR=" + r.path("kwok")}},
	} {
		if err := r.run(component.name, component.args, component.env...); err != nil {
			return err
		}
	}
	for _, node := range []string{"node-a", "node-b"} {
		if err := api.createNode(node); err != nil {
			return err
		}
	}
	if err := api.createMetrics(); err != nil {
		return err
	}
	return r.wait(api.usable, startTimeout)
}

func (r *running) run(name string, args []string, env ...string) error {
	p, err := startComponent(r.dir, name, args, env...)
	if err != nil {
		return err
	}
	r.processes = append(r.processes, p)
	go func() {
		<-p.ended
		r.died <- p
	}()
	return nil
}

// wait returns when the check passes, and with an error when this program is told to end, a component
// dies or the time is up. Without a check it waits for one of the ends.
func (r *running) wait(check func() error, limit time.Duration) error {
	var tick, timeout <-chan time.Time
	if check != nil {
		ticker := time.NewTicker(25 * time.Millisecond)
		defer ticker.Stop()
		tick, timeout = ticker.C, time.After(limit)
	}
	var last error
	for {
		select {
		case <-r.end:
			return errTold
		case p := <-r.died:
			return p.failure()
		case <-timeout:
			return fmt.Errorf("not ready after %s (%w); the logs are in %s", limit, last, r.path("logs"))
		case <-tick:
			if last = check(); last == nil {
				return nil
			}
		}
	}
}

// announce writes the kubeconfig and prints where it is, on one line, for the program that waits.
func (r *running) announce() error {
	kubeconfig := r.path("kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(r.kubeconfig(r.users.admin)), 0o600); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(ready{kubeconfig, r.path("audit.log"), r.server()})
}

// stop ends all components. Logs stay, for whoever wants to know what happened; the data don't.
func (r *running) stop() {
	stop(r.processes, stopGrace)
	for _, name := range []string{"etcd", "etcd.sock:0", "etcd-peer.sock:0", "pki"} {
		_ = os.RemoveAll(r.path(name))
	}
}

// freePort finds a port below the range from which the kernel takes the ports of outgoing
// connections, so that none of those can take it before the API server does.
func freePort() (int, error) {
	for range 200 {
		port := 16384 + rand.IntN(16384)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.New("no free port on 127.0.0.1 between 16384 and 32767: end what listens there")
}
