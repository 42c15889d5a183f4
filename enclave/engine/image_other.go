//go:build !linux

package engine

import "errors"

// mapper makes images that are mapped into the memories made of them.
type mapper struct{}

func newMapper() *mapper { return &mapper{} }

func (*mapper) image([]byte, uint64) (image, error) { return nil, errors.ErrUnsupported }

func (*mapper) close() error { return nil }
