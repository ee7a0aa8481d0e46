package main

import "syscall"

// ownGroup keeps a Ctrl-C in the terminal from reaching the child before its parent has decided in
// which order things stop; Pdeathsig makes the kernel end the child when this program is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
