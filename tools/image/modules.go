package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path"
	"strings"
)

// wanted are the modules that the image needs beyond what Debian's cloud kernel has built in; what they depend on comes along.
// The order is the order of loading.
var wanted = []string{
	"configfs", "tsm_report", "tdx_guest", "sev_guest", // quotes; the drivers of TPMs are built in
	"virtio_blk", // the configuration's disk; NVMe is built in, and the console that the endpoint is a port of
	"virtio_rng",
}

// Module is a kernel module, decompressed.
type Module struct {
	Name string
	Body []byte
}

// moduleName is the name the kernel knows a file by.
func moduleName(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(base, "-", "_")
}

// inLoadOrder decompresses the wanted modules of a package's files and what they depend on, dependencies first.
func inLoadOrder(files map[string][]byte, names []string) ([]Module, error) {
	byName := map[string]string{}
	for p := range files {
		if strings.HasSuffix(p, ".ko.xz") || strings.HasSuffix(p, ".ko") {
			byName[moduleName(p)] = p
		}
	}
	var out []Module
	done := map[string]bool{}
	var add func(name, by string) error
	add = func(name, by string) error {
		if done[name] {
			return nil
		}
		done[name] = true
		p, ok := byName[name]
		if !ok {
			return fmt.Errorf("the kernel's package has no module %s, which %s needs: pin another kernel", name, by)
		}
		body := files[p]
		if strings.HasSuffix(p, ".xz") {
			var err error
			if body, err = unxz(body); err != nil {
				return fmt.Errorf("decompressing %s: %w", p, err)
			}
		}
		needs, err := depends(body)
		if err != nil {
			return fmt.Errorf("reading %s: %w", p, err)
		}
		for _, n := range needs {
			if err := add(n, name); err != nil {
				return err
			}
		}
		out = append(out, Module{name, body})
		return nil
	}
	for _, n := range names {
		if err := add(n, "the image"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// depends reads what a module says it needs.
func depends(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("no .modinfo")
	}
	info, err := s.Data()
	if err != nil {
		return nil, err
	}
	for _, field := range strings.Split(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}
