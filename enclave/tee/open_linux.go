package tee

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Paths of devices.
const (
	nsmDevice = "/dev/nsm"
	tpmDevice = "/dev/tpmrm0" // the kernel's resource manager: our handles are ours alone
)

// Names that Open knows, besides simulated, in the order in which Detect looks.
const (
	NameTDX    = "tdx"
	NameSEVSNP = "sev-snp"
	NameNitro  = "nitro"
	NameTPM    = "tpm"
	NameAzure  = "azure-sev-snp"
)

// Open asks the hardware of that name to record the configuration, before the first key exists, and makes it ready for evidence.
func Open(name string, c Config) (TEE, error) {
	reports := func(provider string) *tsm { return &tsm{files: kernelFiles{}, provider: provider, sleep: time.Sleep} }
	switch name {
	case NameTDX:
		return newTDX(reports("tdx_guest"), c)
	case NameSEVSNP:
		return &SEVSNP{tsm: reports("sev_guest")}, nil
	case NameNitro:
		f, err := os.OpenFile(nsmDevice, os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("opening the Nitro Security Module: %w", err)
		}
		return newNitro(nsmFile{f}, c)
	case NameTPM, NameAzure:
		dev, err := openTPM()
		if err != nil {
			return nil, err
		}
		if name == NameAzure {
			return newAzure(dev, c)
		}
		return newTPM(dev, c)
	}
	return nil, fmt.Errorf("no TEE of the name %q: want tdx, sev-snp, azure-sev-snp, nitro, tpm or simulated", name)
}

// openTPM: reads and writes of the resource manager are whole messages, without buffering and poller.
func openTPM() (rawFile, error) {
	fd, err := unix.Open(tpmDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening the TPM at %s: %w", tpmDevice, err)
	}
	return rawFile(fd), nil
}

// Detect names the hardware that this machine is. A host can hide one kind behind another; the evidence says then what it says.
func Detect() (string, error) {
	for _, d := range []struct{ device, name string }{
		{"/dev/tdx_guest", NameTDX}, {"/dev/sev-guest", NameSEVSNP}, {nsmDevice, NameNitro}, {tpmDevice, NameTPM},
	} {
		if _, err := os.Stat(d.device); err != nil {
			continue
		}
		if d.name == NameTPM && azureTPM() {
			return NameAzure, nil
		}
		return d.name, nil
	}
	return "", errors.New("this machine is no TDX or SEV-SNP guest and no Nitro enclave, and has no TPM")
}

// azureTPM is whether the machine's TPM is one of Azure's confidential VMs.
func azureTPM() bool {
	dev, err := openTPM()
	if err != nil {
		return false
	}
	defer unix.Close(int(dev))
	return hasHCL(dev)
}

// kernelFiles are the kernel's file systems.
type kernelFiles struct{}

func (kernelFiles) Mkdir(name string) error  { return os.Mkdir(name, 0o700) }
func (kernelFiles) Remove(name string) error { return os.Remove(name) }

func (kernelFiles) ReadFile(name string, limit int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return b, err
}

func (kernelFiles) WriteFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// nsmFile speaks to the driver. Source: Linux, include/uapi/linux/nsm.h.
type nsmFile struct{ f *os.File }

const (
	nsmRaw         = 0xc0200a00 // _IOWR(0x0A, 0, struct nsm_raw)
	nsmMaxRequest  = 0x1000
	nsmMaxResponse = 0x3000
)

type nsmVec struct {
	addr *byte // 8 bytes on the machines that Nitro runs on
	size uint64
}

func (n nsmFile) call(request []byte) ([]byte, error) {
	if len(request) == 0 || len(request) > nsmMaxRequest {
		return nil, fmt.Errorf("a request of %d bytes: at most %d", len(request), nsmMaxRequest)
	}
	response := make([]byte, nsmMaxResponse)
	raw := struct{ request, response nsmVec }{
		nsmVec{unsafe.SliceData(request), uint64(len(request))}, nsmVec{unsafe.SliceData(response), uint64(len(response))},
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(raw.request.addr)
	pin.Pin(raw.response.addr)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, n.f.Fd(), nsmRaw, uintptr(unsafe.Pointer(&raw))); errno != 0 {
		return nil, errno
	}
	if raw.response.size > uint64(len(response)) {
		return nil, fmt.Errorf("a response of %d bytes: at most %d", raw.response.size, len(response))
	}
	return response[:raw.response.size], nil
}

// rawFile is a descriptor without Go's poller.
type rawFile int

func (f rawFile) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), b)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

func (f rawFile) Write(b []byte) (int, error) {
	for {
		n, err := unix.Write(int(f), b)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}
