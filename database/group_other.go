//go:build !unix

package database

import "os/exec"

func ownGroup(*exec.Cmd) {}

// killGroup kills the program alone: there are no groups here.
func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
