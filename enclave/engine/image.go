package engine

import (
	"github.com/tetratelabs/wazero/experimental"

	"github.com/phala-go/phala/enclave/engine/meter"
)

const wasmPage = 64 << 10

// image is what the memory of a contract holds when a call begins.
type image interface {
	size() uint64
	// memory makes one that holds the image and may grow to the image's bound.
	memory() (linear, error)
	// close frees the image. No memory made of it is in use any more.
	close() error
}

// linear is the memory of one instance. wazero asks for the module's least
// size first and is given the image's, then for whatever the contract grows to.
type linear interface {
	experimental.LinearMemory
	// shrink makes Reallocate answer with the image's size whatever is asked.
	shrink(on bool)
	// restore makes the memory hold the image again. Its first used bytes may
	// have been written, those behind never. After an error it must be freed.
	restore(used uint64) error
	// kept is how many bytes of RAM it occupies on its own between calls.
	kept() int64
}

// newImage makes the best image that this machine supports.
func (e *Engine) newImage(content []byte, maxPages uint32) image {
	most := uint64(maxPages) * wasmPage
	if m, err := e.mapper.image(content, most); err == nil {
		return m
	}
	return &heapImage{append([]byte(nil), content...), most}
}

// firstImage is the memory of a module before anything has run.
func firstImage(m *meter.Module) (image, error) {
	b := make([]byte, uint64(m.MinPages)*wasmPage)
	if err := m.Load(b); err != nil {
		return nil, err
	}
	return &heapImage{b, uint64(m.MaxPages) * wasmPage}, nil
}

// heapImage works everywhere: memories are copies of it.
type heapImage struct {
	b    []byte
	most uint64
}

func (i *heapImage) size() uint64 { return uint64(len(i.b)) }
func (i *heapImage) close() error { return nil }

func (i *heapImage) memory() (linear, error) {
	return &heapMemory{image: i, b: append([]byte(nil), i.b...)}, nil
}

type heapMemory struct {
	image     *heapImage
	b         []byte // what was ever given out; behind what is in use it is zero
	shrinking bool
}

func (m *heapMemory) Reallocate(n uint64) []byte {
	size := m.image.size()
	switch {
	case m.shrinking || n <= size:
		return m.b[:size:size]
	case n > m.image.most:
		return nil
	case n > uint64(len(m.b)):
		m.b = append(make([]byte, 0, n), m.b...)[:n]
	}
	return m.b[:n:n]
}

func (m *heapMemory) Free()          { m.b = nil }
func (m *heapMemory) shrink(on bool) { m.shrinking = on }

func (m *heapMemory) restore(used uint64) error {
	clear(m.b[m.image.size():max(used, m.image.size())])
	copy(m.b, m.image.b)
	return nil
}

func (m *heapMemory) kept() int64 { return int64(len(m.b)) }
