// Package boot is pruntime as the first process of the measured image: it makes the kernel's file systems appear, loads the modules
// that the image brought, and finds what the host says of chain and role and the port that the host speaks through. What the host
// gives is hostile: the hardware records it before the first key exists, and who reads the evidence judges it. The package must never
// start another program, open a network, write to a disk, or wait for ever.
package boot

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Where the image keeps what it is made of, and how the host's side is named.
const (
	initName    = "/init" // the kernel starts the first process of an initramfs by this name
	modulesDir  = "/phala/modules"
	cmdlineFile = "/phala/cmdline"
	// Names of virtio-serial ports: the endpoint, and one that the host may give, ahead of the endpoint, to be told the firmware's log.
	endpointPort = "phala.enclave"
	logPort      = "phala.eventlog"
)

// logs are where the kernel keeps what firmware and loader have logged of their measurements: a TPM's, or a TDX guest's.
var logs = []string{"/sys/kernel/security/tpm0/binary_bios_measurements", "/sys/firmware/acpi/tables/data/CCEL"}

// patience is how long devices may take to appear.
const patience = 20 * time.Second

// mount is a file system of the kernel's. One that is optional may be missing from the kernel, or from what it allows.
type mount struct {
	kind, target string
	optional     bool
}

// mounts come before the modules are loaded, late ones after: configfs is a module.
var (
	mounts = []mount{{"proc", "/proc", false}, {"sysfs", "/sys", false}, {"devtmpfs", "/dev", false}, {"tmpfs", "/run", false}}
	late   = []mount{{"configfs", "/sys/kernel/config", true}, {"securityfs", "/sys/kernel/security", true}}
)

// Guest is what a machine was started for, and where its host speaks to it.
type Guest struct {
	Config
	Endpoint *Port
}

// kernel is what Up needs of it.
type kernel interface {
	mount(kind, target string) error
	readFile(path string) ([]byte, error)
	list(dir string) ([]string, error)
	loadModule(path string) error
	open(device string) (io.ReadCloser, error)
	openPort(device string) (*Port, error)
	sleep(time.Duration)
}

// up brings the machine up. An error means that it can do nothing but be switched off.
func up(k kernel, log *slog.Logger) (*Guest, error) {
	if err := mountAll(k, mounts, log); err != nil {
		return nil, err
	}
	if err := checkCmdline(k); err != nil {
		return nil, err
	}
	if err := loadModules(k, log); err != nil {
		return nil, err
	}
	if err := mountAll(k, late, log); err != nil {
		return nil, err
	}
	g := &Guest{}
	disk, err := await(k, "a disk that holds the configuration (pruntime --write-config makes one)", findDisk)
	if err != nil {
		return nil, err
	}
	if g.Config, err = readDisk(k, "/dev/"+disk); err != nil {
		return nil, fmt.Errorf("reading the configuration from /dev/%s: %w", disk, err)
	}
	port, err := await(k, "a virtio-serial port of the name "+endpointPort, findEndpoint)
	if err != nil {
		return nil, err
	}
	if g.Endpoint, err = k.openPort("/dev/" + port); err != nil {
		return nil, fmt.Errorf("opening the endpoint /dev/%s: %w", port, err)
	}
	tellLog(k, log)
	log.Info("the machine is up", "configuration", "/dev/"+disk, "endpoint", "/dev/"+port, "role", g.Role.String())
	return g, nil
}

// tellLog gives the host the firmware's log, if it wants it. It proves nothing by itself and hides nothing.
func tellLog(k kernel, log *slog.Logger) {
	port, err := findPort(k, logPort)
	if err != nil || port == "" {
		return
	}
	for _, path := range logs {
		b, err := k.readFile(path)
		if err != nil {
			continue
		}
		p, err := k.openPort("/dev/" + port)
		if err == nil {
			_, err = (&conn{port: p}).Write(b)
		}
		if err != nil {
			log.Warn("the firmware's log was not told", "port", port, "reason", err)
		}
		return
	}
	log.Warn("the firmware's log was not told", "reason", "the kernel has none")
}

func readDisk(k kernel, device string) (Config, error) {
	f, err := k.open(device)
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	return parseConfig(f)
}

func mountAll(k kernel, list []mount, log *slog.Logger) error {
	for _, m := range list {
		err := k.mount(m.kind, m.target)
		if err != nil && m.optional {
			log.Warn("a file system is missing", "kind", m.kind, "reason", err)
		} else if err != nil {
			return fmt.Errorf("mounting %s at %s: %w", m.kind, m.target, err)
		}
	}
	return nil
}

// await asks find until it names something.
func await(k kernel, what string, find func(kernel) (string, error)) (string, error) {
	const step = 100 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		name, err := find(k)
		if err != nil {
			return "", fmt.Errorf("looking for %s: %w", what, err)
		}
		if name != "" {
			return name, nil
		}
		if waited >= patience {
			return "", fmt.Errorf("the host gave the machine no %s within %s", what[2:], patience)
		}
		k.sleep(step)
	}
}
