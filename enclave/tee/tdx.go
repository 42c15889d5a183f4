package tee

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/phala-go/phala/core/wire"
)

// tdxRTMR3 is the register that belongs to programs, as Linux 6.16 and later shows it: reading gives 48 bytes, writing 48 extends.
// Source: Linux, Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest.
const tdxRTMR3 = "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384"

// TDX is an Intel TDX guest.
type TDX struct {
	unmeasured
	tsm *tsm
}

// newTDX records the configuration in RTMR3. Where the kernel cannot, there is no TDX enclave: its evidence would not tell one
// configuration from another.
func newTDX(t *tsm, c Config) (*TDX, error) {
	if err := record(rtmr3{t.files}, wire.TEE_KIND_TDX, c); err != nil {
		return nil, err
	}
	return &TDX{tsm: t}, nil
}

// Kind is TDX.
func (*TDX) Kind() wire.TeeKind { return wire.TEE_KIND_TDX }

// Evidence is a quote; Intel's collateral is added outside.
func (x *TDX) Evidence(reportData []byte) (*wire.Evidence, error) {
	q, _, err := x.tsm.report(reportData)
	if err != nil {
		return nil, err
	}
	if q, err = trimTDX(q); err != nil {
		return nil, err
	}
	return &wire.Evidence{Kind: wire.TEE_KIND_TDX, Quote: q}, nil
}

// trimTDX cuts off the zeros with which some hosts fill up a quote; verifiers refuse what trails.
// Source: Intel TDX DCAP Quoting Library API, A.3 (versions 4 and 5).
func trimTDX(q []byte) ([]byte, error) {
	le := binary.LittleEndian
	if len(q) < 54 {
		return nil, fmt.Errorf("a TDX quote of %d bytes is too short to be one", len(q))
	}
	at := 48 + 584
	switch v := le.Uint16(q); v {
	case 4:
	case 5:
		at = 54
		if n := le.Uint32(q[50:]); n <= 4096 {
			at += int(n)
		}
	default:
		return nil, fmt.Errorf("a TDX quote of version %d: want 4 or 5", v)
	}
	if len(q) < at+4 || uint64(len(q)) < uint64(at)+4+uint64(le.Uint32(q[at:])) {
		return nil, fmt.Errorf("a TDX quote of %d bytes is cut off", len(q))
	}
	end := at + 4 + int(le.Uint32(q[at:]))
	if len(bytes.Trim(q[end:], "\x00")) != 0 {
		return nil, fmt.Errorf("a TDX quote of %d bytes is followed by something else", end)
	}
	return q[:end], nil
}

type rtmr3 struct{ files Files }

func (r rtmr3) read() ([]byte, error) {
	b, err := r.files.ReadFile(tdxRTMR3, 48)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the kernel cannot extend RTMR3. It takes Linux 6.16 or later with CONFIG_TSM_MEASUREMENTS and tdx_guest loaded, in a TDX guest", err)
	}
	return b, err
}

func (r rtmr3) extend(digest []byte) error { return r.files.WriteFile(tdxRTMR3, digest) }
