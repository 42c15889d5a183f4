//go:build !linux

package boot

import (
	"errors"
	"log/slog"
)

// First is false: the image runs Linux.
func First() bool { return false }

// Up is for Linux alone.
func Up(*slog.Logger) (*Guest, error) { return nil, errors.New("the measured image runs Linux") }

// Off is for Linux alone.
func Off() {}
