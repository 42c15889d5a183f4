package boot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"syscall"
)

// checkCmdline refuses any other command line than the image's own: whoever starts the machine could switch off with it what keeps
// the guest's memory to itself.
func checkCmdline(k kernel) error {
	want, err := k.readFile(cmdlineFile)
	if err != nil {
		return fmt.Errorf("reading the image's command line: %w", err)
	}
	got, err := k.readFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("reading the kernel's command line: %w", err)
	}
	if w, g := strings.TrimSpace(string(want)), strings.TrimSpace(string(got)); g != w {
		return fmt.Errorf("the kernel was started with the command line %q, the image says %q: start the image's disk as it is", g, w)
	}
	return nil
}

// loadModules loads the image's modules by their names, which are numbered. Hardware that is not there is no reason to stop: the TEE
// that is asked for says so later.
func loadModules(k kernel, log *slog.Logger) error {
	names, err := k.list(modulesDir)
	if err != nil {
		return fmt.Errorf("listing the modules: %w", err)
	}
	slices.Sort(names)
	for _, n := range names {
		err := k.loadModule(path.Join(modulesDir, n))
		switch {
		case err == nil, errors.Is(err, syscall.EEXIST):
		case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO): // another maker's hardware
			log.Debug("no hardware for a module", "module", n)
		default:
			log.Warn("a module was not loaded", "module", n, "reason", err)
		}
	}
	return nil
}

// findDisk gives the first block device, by name, that begins as a configuration; none yet is no error.
func findDisk(k kernel) (string, error) {
	const dir = "/sys/class/block"
	names, err := k.list(dir)
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	for _, n := range names {
		if holdsConfig(k, "/dev/"+n) {
			return n, nil
		}
	}
	return "", nil
}

// holdsConfig is false for a device that cannot be read, as an empty drive.
func holdsConfig(k kernel, device string) bool {
	f, err := k.open(device)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [len(magic)]byte
	_, err = io.ReadFull(f, b[:])
	return err == nil && string(b[:]) == magic
}

func findEndpoint(k kernel) (string, error) { return findPort(k, endpointPort) }

// findPort gives the virtio-serial port of that name; none yet is no error.
func findPort(k kernel, name string) (string, error) {
	const dir = "/sys/class/virtio-ports"
	names, err := k.list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, n := range names {
		if b, err := k.readFile(path.Join(dir, n, "name")); err == nil && strings.TrimSpace(string(b)) == name {
			return n, nil
		}
	}
	return "", nil
}
