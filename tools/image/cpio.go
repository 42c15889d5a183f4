package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
)

// entry is a file or, with a mode of a folder, a folder of the initramfs.
type entry struct {
	name string
	mode uint32 // S_IFMT and permissions
	body []byte
}

const (
	folder     = 0o040755
	plain      = 0o100444
	executable = 0o100555
)

// cpio writes an archive in the kernel's format ("newc"): entries as given, owned by root, no times, inodes counted from 1.
// Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
func cpio(entries []entry) []byte {
	var b bytes.Buffer
	add := func(inode int, e entry) {
		links := 1
		if e.mode == folder {
			links = 2
		}
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			inode, e.mode, 0, 0, links, 0, len(e.body), 0, 0, 0, 0, len(e.name)+1, 0)
		b.WriteString(e.name + "\x00")
		align(&b, 4)
		b.Write(e.body)
		align(&b, 4)
	}
	for i, e := range entries {
		add(i+1, e)
	}
	add(0, entry{name: "TRAILER!!!"})
	align(&b, 512)
	return b.Bytes()
}

func align(b *bytes.Buffer, n int) {
	b.WriteString(strings.Repeat("\x00", (n-b.Len()%n)%n))
}

// compress is gzip without name and time. What it gives depends on Go's version, which the module file fixes.
func compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
