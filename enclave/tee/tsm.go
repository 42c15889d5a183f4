package tee

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"syscall"
	"time"

	"github.com/phala-go/phala/core/attest"
)

// ReportData is as large as every TEE of this package takes.
const reportDataSize = 64

// Files is what of the kernel's file systems is needed to ask for quotes; paths are absolute.
type Files interface {
	Mkdir(name string) error
	Remove(name string) error
	// ReadFile gives a whole file; one larger than limit bytes is an error.
	ReadFile(name string, limit int) ([]byte, error)
	// WriteFile writes b into a file that exists, by one write.
	WriteFile(name string, b []byte) error
}

// tsmReports is where Linux 6.7 and later hands out quotes of any TEE that it knows.
// Source: Linux, Documentation/ABI/testing/configfs-tsm-report.
const tsmReports = "/sys/kernel/config/tsm/report"

// Patience with a kernel that is busy: another quote is under way, or the host lets one wait.
const (
	tsmTries = 20
	tsmPause = 250 * time.Millisecond
)

// maxAux bounds the certificates beside a quote, in bytes: what core/attest takes in all.
const maxAux = attest.MaxCollateral

// tsm asks for quotes.
type tsm struct {
	files    Files
	provider string // the driver that must answer
	sleep    func(time.Duration)
}

// errOvertaken means that somebody else wrote into the request.
var errOvertaken = errors.New("somebody else wrote into the request")

// report asks for a quote over 64 bytes, and for what the hardware's driver gives beside it (empty if it gives nothing).
func (t *tsm) report(reportData []byte) (quote, aux []byte, err error) {
	if len(reportData) != reportDataSize {
		return nil, nil, fmt.Errorf("report data of %d bytes: want %d", len(reportData), reportDataSize)
	}
	for range tsmTries {
		quote, aux, err = t.once(reportData)
		if !transient(err) {
			break
		}
		t.sleep(tsmPause)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("asking %s for a quote: %w", t.provider, err)
	}
	return quote, aux, nil
}

func transient(err error) bool {
	return errors.Is(err, errOvertaken) || errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}

// once makes a request of its own, so that nobody else's comes between, and looks afterwards that nobody's did.
func (t *tsm) once(reportData []byte) (quote, aux []byte, err error) {
	var name [8]byte
	if _, err := rand.Read(name[:]); err != nil {
		return nil, nil, fmt.Errorf("drawing a name: %w", err)
	}
	dir := path.Join(tsmReports, "phala-"+hex.EncodeToString(name[:]))
	if err := t.files.Mkdir(dir); err != nil {
		return nil, nil, noTSM(err)
	}
	defer func() { err = errors.Join(err, t.files.Remove(dir)) }()

	who, err := t.files.ReadFile(path.Join(dir, "provider"), 64)
	if err != nil {
		return nil, nil, err
	}
	if p := string(bytes.TrimSpace(who)); p != t.provider {
		return nil, nil, fmt.Errorf("the kernel's quotes come from %q, want %q: say the --tee that this machine is", p, t.provider)
	}
	before, err := t.generation(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := t.files.WriteFile(path.Join(dir, "inblob"), reportData); err != nil {
		return nil, nil, fmt.Errorf("writing the report data: %w", err)
	}
	if quote, err = t.files.ReadFile(path.Join(dir, "outblob"), attest.MaxQuote); err != nil {
		return nil, nil, fmt.Errorf("reading the quote: %w", err)
	}
	if aux, err = t.aux(dir); err != nil {
		return nil, nil, err
	}
	after, err := t.generation(dir)
	if err != nil {
		return nil, nil, err
	}
	if after != before+1 {
		return nil, nil, errOvertaken
	}
	return quote, aux, nil
}

// aux is what the driver gives beside the quote; most give nothing, and then the file is missing or cannot be read.
func (t *tsm) aux(dir string) ([]byte, error) {
	b, err := t.files.ReadFile(path.Join(dir, "auxblob"), maxAux)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the certificates beside the quote: %w", err)
	}
	return b, nil
}

// generation counts the writes into a request.
func (t *tsm) generation(dir string) (uint64, error) {
	b, err := t.files.ReadFile(path.Join(dir, "generation"), 32)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the generation of a request: %w", err)
	}
	return n, nil
}

// noTSM says what is missing.
func noTSM(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the kernel offers no TSM reports. It takes Linux 6.7 or later with CONFIG_TSM_REPORTS, its module loaded and configfs mounted", err)
	case errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%w: no driver gives quotes. Load tdx_guest or sev_guest; on a machine without a TEE neither works", err)
	}
	return err
}
