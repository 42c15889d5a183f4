package engine

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapper makes images that are mapped into the memories made of them.
type mapper struct {
	page    int
	pagemap int // descriptor of /proc/self/pagemap, or -1: then memories are dropped as a whole
}

func newMapper() *mapper {
	m := &mapper{page: unix.Getpagesize(), pagemap: -1}
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return m
	}
	m.pagemap = fd
	if !m.truthful() {
		_ = unix.Close(fd)
		m.pagemap = -1
	}
	return m
}

// truthful tells whether the page map says what it should of a page that was
// written and of its neighbours that were not.
func (m *mapper) truthful() bool {
	i, err := m.image(make([]byte, 3*m.page), uint64(3*m.page))
	if err != nil {
		return false
	}
	defer func() { _ = i.close() }()
	mem, err := i.memory()
	if err != nil {
		return false
	}
	defer mem.Free()
	b := mem.Reallocate(0)
	b[m.page] = 1 + b[0] // the first page is read only
	entries := make([]byte, 3*8)
	if m.read(unsafe.Pointer(&b[0]), entries) != nil {
		return false
	}
	return !private(entries, 0) && private(entries, 1) && !private(entries, 2)
}

// read asks for the entries of the pages from p on.
func (m *mapper) read(p unsafe.Pointer, entries []byte) error {
	n, err := unix.Pread(m.pagemap, entries, int64(uintptr(p)/uintptr(m.page)*8))
	if err == nil && n != len(entries) {
		err = errors.New("the page map is cut short")
	}
	return err
}

// private tells whether a page is no longer the image's: swapped out, or
// present and anonymous.
func private(entries []byte, i int) bool {
	top := entries[8*i+7]
	return top&0x40 != 0 || top&0xa0 == 0x80
}

func (m *mapper) close() error {
	if m.pagemap < 0 {
		return nil
	}
	return unix.Close(m.pagemap)
}

// mapped is an image in a file that has no name, with holes where it is zero.
type mapped struct {
	*mapper
	fd   int
	view []byte // of the file, read only
	hole []bool // by page
	most uint64
}

func (m *mapper) image(content []byte, most uint64) (image, error) {
	if len(content) == 0 || len(content)%m.page != 0 || most%uint64(m.page) != 0 {
		return nil, errors.ErrUnsupported
	}
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	i := &mapped{mapper: m, fd: fd, hole: make([]bool, len(content)/m.page), most: most}
	if err := i.write(content); err != nil {
		return nil, errors.Join(fmt.Errorf("making an image: %w", err), i.close())
	}
	return i, nil
}

func (i *mapped) write(content []byte) error {
	if err := unix.Ftruncate(i.fd, int64(len(content))); err != nil {
		return err
	}
	for n := range i.hole {
		page := content[n*i.page : (n+1)*i.page]
		if i.hole[n] = zero(page); i.hole[n] {
			continue
		}
		for at := n * i.page; len(page) > 0; {
			k, err := unix.Pwrite(i.fd, page, int64(at))
			if err != nil {
				return err
			}
			at, page = at+k, page[k:]
		}
	}
	view, err := unix.Mmap(i.fd, 0, len(content), unix.PROT_READ, unix.MAP_SHARED)
	i.view = view
	return err
}

func zero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

func (i *mapped) size() uint64 { return uint64(len(i.view)) }

func (i *mapped) close() error {
	var err error
	if i.view != nil {
		err = unix.Munmap(i.view)
	}
	return errors.Join(err, unix.Close(i.fd))
}

func (i *mapped) memory() (linear, error) {
	const access = unix.PROT_READ | unix.PROT_WRITE
	size := uintptr(max(i.most, i.size()))
	base, err := unix.MmapPtr(-1, 0, nil, size, access, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserving memory: %w", err)
	}
	m := &mappedMemory{image: i, base: base, b: unsafe.Slice((*byte)(base), size), heat: make([]uint8, len(i.hole))}
	m.entries = make([]byte, 8*len(i.hole))
	// One huge page in what grows would cost more to clear than is ever used.
	// Some kernels have none and refuse: nothing is lost.
	_ = unix.Madvise(m.b, unix.MADV_NOHUGEPAGE)
	const fixed = unix.MAP_PRIVATE | unix.MAP_FIXED | unix.MAP_NORESERVE
	if _, err := unix.MmapPtr(i.fd, 0, base, uintptr(i.size()), access, fixed); err != nil {
		m.Free()
		return nil, fmt.Errorf("mapping an image: %w", err)
	}
	return m, nil
}
