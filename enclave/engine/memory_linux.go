package engine

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A page that was written by hotCalls calls stays mapped from then on and is
// copied back after each: cheaper than a fault and a shootdown of other cores'
// address caches. No memory keeps more than hotPages; after coolCalls calls it
// learns anew.
const (
	hotCalls  = 3
	hotPages  = 192
	coolCalls = 4096
)

// mappedMemory is a range of addresses as large as a memory can get, with the
// image mapped copy-on-write at its front.
type mappedMemory struct {
	image     *mapped
	base      unsafe.Pointer
	b         []byte
	shrinking bool

	heat    []uint8 // by page of the image: calls after which it was found written
	entries []byte  // of the page map
	hot     int     // pages that stay mapped
	calls   int
}

func (m *mappedMemory) Reallocate(n uint64) []byte {
	size := m.image.size()
	switch {
	case m.shrinking || n <= size:
		return m.b[:size:size]
	case n > m.image.most:
		return nil
	}
	return m.b[:n:n]
}

func (m *mappedMemory) shrink(on bool) { m.shrinking = on }

// Free may be called twice.
func (m *mappedMemory) Free() {
	if m.base != nil {
		_ = unix.MunmapPtr(m.base, uintptr(len(m.b)))
		m.base, m.b = nil, nil
	}
}

func (m *mappedMemory) kept() int64 {
	if m.image.pagemap < 0 {
		return 0
	}
	return int64(m.hot * m.image.page)
}

func (m *mappedMemory) restore(used uint64) error {
	size := m.image.size()
	if used > size { // drop what has grown
		if err := m.drop(size, used); err != nil {
			return err
		}
	}
	m.calls++
	if m.image.pagemap < 0 || m.calls%coolCalls == 0 {
		clear(m.heat)
		m.hot = 0
		return m.drop(0, size)
	}
	if err := m.image.read(m.base, m.entries); err != nil {
		return fmt.Errorf("reading the page map: %w", err)
	}
	return m.revert()
}

// revert restores the image's pages that the page map calls private: the hot
// ones by copying, the others by giving them up, in runs.
func (m *mappedMemory) revert() error {
	page := m.image.page
	first, hot := -1, 0 // of the run
	for i := range m.heat {
		if private(m.entries, i) {
			if m.heat[i] < hotCalls {
				m.heat[i]++
			}
			if m.heat[i] < hotCalls || hot == hotPages {
				if first < 0 {
					first = i
				}
				continue
			}
			hot++
			if b := m.b[i*page : (i+1)*page]; m.image.hole[i] {
				clear(b)
			} else {
				copy(b, m.image.view[i*page:])
			}
		}
		if first >= 0 {
			if err := m.drop(uint64(first*page), uint64(i*page)); err != nil {
				return err
			}
			first = -1
		}
	}
	m.hot = hot
	if first >= 0 {
		return m.drop(uint64(first*page), m.image.size())
	}
	return nil
}

// drop gives pages up: the next access finds the image's, or zeros.
func (m *mappedMemory) drop(from, to uint64) error {
	if err := unix.Madvise(m.b[from:to], unix.MADV_DONTNEED); err != nil {
		return fmt.Errorf("dropping pages: %w", err)
	}
	return nil
}
