//go:build unix && !linux

package main

import "syscall"

// ownGroup keeps a Ctrl-C in the terminal from reaching the child before its parent has decided in
// which order things stop. Only Linux can end a child with a parent that was killed; elsewhere
// children outlive a `kill -9` of this very program, but no other end of it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
