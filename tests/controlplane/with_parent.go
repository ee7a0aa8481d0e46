package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// An operator gets this long to finish its writes before it is killed.
const withParentGrace = 10 * time.Second

// runWithParent runs a command that ends with the parent of this program: when stdin closes or a
// signal comes the command gets SIGTERM, and when this program itself is killed, SIGKILL.
func runWithParent(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: controlplane with-parent COMMAND [ARGUMENT...]")
		return 2
	}
	end := told()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	child, err := start(args[0], "", cmd)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	select {
	case <-child.ended:
	case <-end:
		stop([]*process{child}, withParentGrace)
	}
	return exitCode(child.err)
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	default:
		// Ended by a signal.
		return 1
	}
}
