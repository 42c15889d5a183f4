//go:build !linux

package tee

import (
	"errors"
	"fmt"
)

// Open has no hardware to ask: enclaves run under Linux.
func Open(name string, _ Config) (TEE, error) {
	return nil, fmt.Errorf("--tee %s: enclaves run under Linux; elsewhere there is --tee simulated alone", name)
}

// Detect finds nothing outside Linux.
func Detect() (string, error) { return "", errors.New("enclaves run under Linux") }
