package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func init() {
	// The kernel sends a Pdeathsig when the *thread* that started the child ends. init runs on the
	// main thread, and locking keeps the main goroutine, which starts every child, there for good.
	runtime.LockOSThread()
}

// process is one running child.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	// Closed when the child has ended; err is set before that.
	ended chan struct{}
	err   error
}

// startComponent starts this very program as one of its components, with its output in
// DIR/logs/NAME.log. Call it on the main goroutine only (see init).
func startComponent(dir, name string, args []string, env ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "logs", name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(self, append([]string{name}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), env...)
	return start(name, path, cmd)
}

func start(name, log string, cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name: name, log: log, cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop asks all to end, and makes those end that have not within the grace.
func stop(processes []*process, grace time.Duration) {
	for _, p := range processes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	deadline := time.After(grace)
	for _, p := range processes {
		select {
		case <-p.ended:
			continue
		case <-deadline:
		}
		for _, late := range processes {
			_ = late.cmd.Process.Kill()
		}
		break
	}
	for _, p := range processes {
		<-p.ended
	}
}

// failure says how a component ended and shows the end of its log.
func (p *process) failure() error {
	how := "ended"
	if p.err != nil {
		how = "ended: " + p.err.Error()
	}
	return fmt.Errorf("%s %s; the end of %s:\n%s", p.name, how, p.log, lastLines(p.log, 15))
}

func lastLines(path string, count int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

// told is closed when this program shall end: its stdin is closed, which happens however its parent
// ends, or it gets SIGTERM, SIGINT or SIGHUP.
func told() <-chan struct{} {
	done := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	go func() {
		select {
		case <-signals:
		case <-closed:
		}
		close(done)
	}()
	return done
}
