// Command image builds the measured image: a disk that boots one unified kernel image whose only program is pruntime, and the
// measurements that hardware will report of it. What it builds depends on its arguments and the pinned packages alone: it must
// never put in a time, a path or anything of the machine it runs on.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// options are what to build, and from what.
type options struct {
	program, out, cache, pins, kernel, version string
	cpus, rtmr0                                string
}

func run(args []string, out, warn io.Writer) error {
	var o options
	f := flag.NewFlagSet("image", flag.ContinueOnError)
	f.SetOutput(warn)
	f.StringVar(&o.program, "pruntime", "", "the enclave program, linked for linux/amd64 without cgo")
	f.StringVar(&o.out, "out", "", "folder for the image")
	f.StringVar(&o.cache, "cache", "", "folder where downloaded packages stay")
	f.StringVar(&o.pins, "pins", "", "file with other pins than those built in: what, package, version, suite, SHA-256 on each line")
	f.StringVar(&o.kernel, "kernel", "", "a kernel's .deb, instead of the pinned one")
	f.StringVar(&o.version, "version", "unknown", "version that the image names")
	f.StringVar(&o.cpus, "cpus", "1,2,4,8", "numbers of CPUs for which SEV-SNP's launch digest is computed")
	f.StringVar(&o.rtmr0, "rtmr0", "", "RTMR0 of the machines that TDX guests run in, in hexadecimal: completes their measurement")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if o.program == "" || o.out == "" || o.cache == "" || f.NArg() > 0 {
		return errors.New("-pruntime, -out and -cache are needed, and nothing but flags: see image -help")
	}
	return build(o, out, warn)
}

// build makes the image and says what it measures.
func build(o options, out, warn io.Writer) error {
	pins, err := o.readPins()
	if err != nil {
		return err
	}
	pruntime, err := os.ReadFile(o.program)
	if err != nil {
		return fmt.Errorf("reading the enclave program: %w", err)
	}
	parts, err := o.gather(pins, pruntime)
	if err != nil {
		return err
	}
	disk, err := parts.disk()
	if err != nil {
		return err
	}
	files := map[string][]byte{"disk.img": disk, "uki.efi": parts.UKI, "pruntime": pruntime}
	for name, fw := range firmwares(pins, o.cache, warn) {
		files[name] = fw
	}
	m, err := o.measure(parts, files)
	if err != nil {
		return err
	}
	if files[measurementsFile], err = m.json(); err != nil {
		return err
	}
	if err := write(o.out, files); err != nil {
		return err
	}
	m.table(out)
	_, err = out.Write(files[measurementsFile])
	return err
}

func (o *options) readPins() (map[string]Pin, error) {
	text := pinned
	if o.pins != "" {
		b, err := os.ReadFile(o.pins)
		if err != nil {
			return nil, fmt.Errorf("reading the pins: %w", err)
		}
		text = string(b)
	}
	return parsePins(text)
}

// gather fetches what the image is made of and makes it.
func (o *options) gather(pins map[string]Pin, pruntime []byte) (*Parts, error) {
	deb, err := obtain(pins[pinStub], o.cache)
	if err != nil {
		return nil, err
	}
	stub, err := readFile(deb, "usr/lib/systemd/boot/efi/linuxx64.efi.stub")
	if err != nil {
		return nil, fmt.Errorf("the loader's stub: %w", err)
	}
	if o.kernel != "" {
		deb, err = os.ReadFile(o.kernel)
	} else {
		deb, err = obtain(pins[pinKernel], o.cache)
	}
	if err != nil {
		return nil, err
	}
	kernel, release, modules, err := readKernel(deb)
	if err != nil {
		return nil, err
	}
	return assemble(stub, kernel, release, modules, pruntime, o.version)
}

// Names of the firmware beside the image.
const (
	firmwareTDX = "OVMF.tdx.fd"
	firmwareSNP = "OVMF.snp.fd"
)

// firmwares are those that are pinned and can be had. The image does not depend on them, so one that is missing is a warning.
func firmwares(pins map[string]Pin, cache string, warn io.Writer) map[string][]byte {
	files := map[string][]byte{}
	for _, fw := range []struct{ pin, path, name string }{
		{pinTDX, "usr/share/ovmf/OVMF.fd", firmwareTDX}, {pinSNP, "usr/share/ovmf/OVMF.amdsev.fd", firmwareSNP},
	} {
		pin, ok := pins[fw.pin]
		if !ok {
			continue
		}
		deb, err := obtain(pin, cache)
		if err == nil {
			files[fw.name], err = readFile(deb, fw.path)
		}
		if err != nil {
			delete(files, fw.name)
			fmt.Fprintf(warn, "image: no measurements of machines that start with %s: %v\n", fw.name, err)
		}
	}
	return files
}
