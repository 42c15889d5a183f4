//go:build !linux

package devnet

import (
	"errors"
	"syscall"
)

func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func pss(int) (uint64, error) { return 0, errors.New("memory is measured on Linux only") }
