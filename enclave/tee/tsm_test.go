package tee

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// kernel behaves as configfs-tsm and the TDX guest's measurements do in Linux 6.16: a request counts the writes into it, refuses
// them when nobody reads what they made, and gives no report without report data.
type kernel struct {
	noTSM, noDriver, noRTMR bool
	provider                string
	quote                   func(reportData []byte) []byte
	aux                     []byte
	rtmr                    []byte
	busy                    int // the next so many reports are EBUSY
	overtake                int // before so many reports, somebody else writes
	requests                map[string]*request
	slept                   time.Duration
	made                    int
}

type request struct {
	in            []byte
	written, read uint64
	out           []byte
}

func newKernel(provider string) *kernel {
	return &kernel{
		provider: provider, requests: map[string]*request{}, rtmr: make([]byte, 48),
		quote: func(rd []byte) []byte { return tdxQuote(4, rd, 0) },
	}
}

func (k *kernel) tsm() *tsm {
	return &tsm{files: k, provider: k.provider, sleep: func(d time.Duration) { k.slept += d }}
}

func pathError(op, name string, errno error) error {
	return &fs.PathError{Op: op, Path: name, Err: errno}
}

func (k *kernel) Mkdir(name string) error {
	switch {
	case k.noTSM || path.Dir(name) != tsmReports:
		return pathError("mkdir", name, syscall.ENOENT)
	case k.noDriver:
		return pathError("mkdir", name, syscall.ENXIO)
	case k.requests[name] != nil:
		return pathError("mkdir", name, syscall.EEXIST)
	}
	k.made++
	k.requests[name] = &request{}
	return nil
}

func (k *kernel) Remove(name string) error {
	if k.requests[name] == nil {
		return pathError("rmdir", name, syscall.ENOENT)
	}
	delete(k.requests, name)
	return nil
}

func (k *kernel) WriteFile(name string, b []byte) error {
	if name == tdxRTMR3 && !k.noRTMR {
		if len(b) != 48 {
			return pathError("write", name, syscall.EINVAL)
		}
		h := sha512.Sum384(append(bytes.Clone(k.rtmr), b...))
		k.rtmr = h[:]
		return nil
	}
	r := k.requests[path.Dir(name)]
	if r == nil || path.Base(name) != "inblob" {
		return pathError("open", name, syscall.ENOENT)
	}
	if len(b) == 0 || len(b) > 64 {
		return pathError("write", name, syscall.EINVAL)
	}
	if r.written+1 == r.read {
		return pathError("write", name, syscall.EBUSY)
	}
	r.in, r.written = bytes.Clone(b), r.written+1
	return nil
}

func (k *kernel) ReadFile(name string, limit int) (out []byte, err error) {
	defer func() {
		if len(out) > limit {
			out, err = nil, fmt.Errorf("%s has more than %d bytes", name, limit)
		}
	}()
	if name == tdxRTMR3 && !k.noRTMR {
		return bytes.Clone(k.rtmr), nil
	}
	r := k.requests[path.Dir(name)]
	if r == nil {
		return nil, pathError("open", name, syscall.ENOENT)
	}
	switch path.Base(name) {
	case "provider":
		return []byte(k.provider + "\n"), nil
	case "generation":
		return fmt.Appendf(nil, "%d\n", r.written), nil
	case "outblob":
		if k.overtake > 0 {
			k.overtake--
			r.in, r.written = make([]byte, 64), r.written+1
		}
		if r.in == nil {
			return nil, pathError("read", name, syscall.EINVAL)
		}
		if k.busy > 0 {
			k.busy--
			return nil, pathError("read", name, syscall.EBUSY)
		}
		r.out, r.read = k.quote(r.in), r.written
		return r.out, nil
	case "auxblob":
		if k.aux == nil {
			return nil, pathError("open", name, syscall.ENOENT)
		}
		return k.aux, nil
	}
	return nil, pathError("open", name, syscall.ENOENT)
}

// tdxQuote has the frame of a quote, with the report data where it belongs, and fill zeros behind.
func tdxQuote(version uint16, reportData []byte, fill int) []byte {
	le := binary.LittleEndian
	q := make([]byte, 48)
	le.PutUint16(q, version)
	body := make([]byte, 584)
	copy(body[520:], reportData)
	if version == 5 {
		q = le.AppendUint16(q, 2)
		q = le.AppendUint32(q, uint32(len(body)))
	}
	q = append(q, body...)
	q = le.AppendUint32(q, 100)
	return append(append(q, bytes.Repeat([]byte{7}, 100)...), make([]byte, fill)...)
}

func testConfig() Config {
	return Config{ChainID: "phala-test-1", GenesisHash: bytes.Repeat([]byte{9}, 32), Role: wire.ROLE_EXECUTOR}
}

func reportData() []byte { return bytes.Repeat([]byte{0xab}, 64) }

func TestTDXEvidence(t *testing.T) {
	for _, version := range []uint16{4, 5} {
		k := newKernel("tdx_guest")
		k.quote = func(rd []byte) []byte { return tdxQuote(version, rd, 50) }
		x, err := newTDX(k.tsm(), testConfig())
		if err != nil {
			t.Fatal(err)
		}
		c := testConfig()
		_, want := attest.RuntimeRegister(wire.TEE_KIND_TDX, attest.RuntimeConfig(c.ChainID, c.GenesisHash, c.Role))
		if !bytes.Equal(k.rtmr, want) {
			t.Errorf("RTMR3 is %x, want %x", k.rtmr, want)
		}
		ev, err := x.Evidence(reportData())
		if err != nil || !bytes.Equal(ev.Quote, tdxQuote(version, reportData(), 0)) || len(ev.Collateral) != 0 || ev.Kind != x.Kind() || x.Kind() != wire.TEE_KIND_TDX {
			t.Errorf("version %d: %v %v", version, ev, err)
		}
		if len(k.requests) != 0 {
			t.Error("a request stays behind")
		}
	}
}

// The register takes one configuration in the machine's life; a program that starts twice with it finds it there.
func TestConfigurationIsRecordedOnce(t *testing.T) {
	k := newKernel("tdx_guest")
	for range 2 {
		if _, err := newTDX(k.tsm(), testConfig()); err != nil {
			t.Fatal(err)
		}
	}
	other := testConfig()
	other.Role = wire.ROLE_GATEKEEPER
	if _, err := newTDX(k.tsm(), other); err == nil || !strings.Contains(err.Error(), "Start the machine anew") {
		t.Errorf("two roles in one boot: %v", err)
	}
	for name, c := range map[string]Config{
		"no chain":   {GenesisHash: make([]byte, 32), Role: wire.ROLE_EXECUTOR},
		"no genesis": {ChainID: "x", Role: wire.ROLE_EXECUTOR},
		"no role":    {ChainID: "x", GenesisHash: make([]byte, 32)},
	} {
		if _, err := newTDX(newKernel("tdx_guest").tsm(), c); err == nil {
			t.Errorf("%s: recorded", name)
		}
	}
}

func TestTDXWithoutARegisterDoesNotStart(t *testing.T) {
	k := newKernel("tdx_guest")
	k.noRTMR = true
	if _, err := newTDX(k.tsm(), testConfig()); err == nil || !strings.Contains(err.Error(), "Linux 6.16") {
		t.Errorf("%v", err)
	}
}

func TestTSMPatience(t *testing.T) {
	for _, c := range []struct {
		name           string
		busy, overtake int
		want           string // of the error
	}{
		{"busy for a while", 3, 0, ""},
		{"overtaken", 0, 3, ""},
		{"busy for ever", 1000, 0, "device or resource busy"},
		{"overtaken for ever", 0, 1000, "somebody else wrote"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKernel("tdx_guest")
			k.busy, k.overtake = c.busy, c.overtake
			q, _, err := k.tsm().report(reportData())
			if c.want == "" {
				if err != nil || !bytes.Contains(q, reportData()) || k.slept != 3*tsmPause {
					t.Errorf("%d bytes, %v, after %s", len(q), err, k.slept)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) || k.made != tsmTries {
				t.Errorf("%v after %d tries", err, k.made)
			}
			if len(k.requests) != 0 {
				t.Error("a request stays behind")
			}
		})
	}
}

func TestTSMRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*kernel)
		data   int
		want   string
	}{
		{"no configfs", func(k *kernel) { k.noTSM = true }, 64, "Linux 6.7"},
		{"no driver", func(k *kernel) { k.noDriver = true }, 64, "Load tdx_guest"},
		{"short report data", func(*kernel) {}, 63, "want 64"},
		{"quote too large", func(k *kernel) { k.quote = func([]byte) []byte { return make([]byte, attest.MaxQuote+1) } }, 64, "more than"},
		{"certificates too large", func(k *kernel) { k.aux = make([]byte, maxAux+1) }, 64, "more than"},
	} {
		k := newKernel("tdx_guest")
		c.change(k)
		if _, _, err := k.tsm().report(make([]byte, c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if k.slept != 0 {
			t.Errorf("%s: waits for what does not change", c.name)
		}
	}
	k := newKernel("sev_guest")
	x := &tsm{files: k, provider: "tdx_guest", sleep: func(time.Duration) {}}
	if _, _, err := x.report(reportData()); err == nil || !strings.Contains(err.Error(), `"sev_guest", want "tdx_guest"`) {
		t.Errorf("another TEE's quote: %v", err)
	}
}

func TestTrimTDXRefuses(t *testing.T) {
	good := tdxQuote(4, reportData(), 0)
	for name, q := range map[string][]byte{
		"empty":     nil,
		"cut":       good[:len(good)-1],
		"head only": good[:100],
		"version":   tdxQuote(3, reportData(), 0),
		"trailing":  append(bytes.Clone(good), 0, 1),
		"length":    append(bytes.Clone(good[:632]), 0xff, 0xff, 0xff, 0xff),
	} {
		if _, err := trimTDX(q); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzTrimTDX(f *testing.F) {
	f.Add(tdxQuote(4, reportData(), 3))
	f.Add(tdxQuote(5, reportData(), 0))
	f.Fuzz(func(t *testing.T, q []byte) {
		if out, err := trimTDX(q); err == nil && !bytes.HasPrefix(q, out) {
			t.Error("changed")
		}
	})
}

// table makes AMD's certificate table.
func table(certs ...[2][]byte) []byte {
	le := binary.LittleEndian
	at := uint32(24 * (len(certs) + 1))
	var head, body []byte
	for _, c := range certs {
		head = append(head, c[0]...)
		head = le.AppendUint32(head, at+uint32(len(body)))
		head = le.AppendUint32(head, uint32(len(c[1])))
		body = append(body, c[1]...)
	}
	return append(append(head, make([]byte, 24)...), body...)
}

// guidBytes are those of a GUID in text, as AMD lays them down.
func guidBytes(t *testing.T, s string) []byte {
	t.Helper()
	var a uint32
	var b, c uint16
	var d, e uint64
	if _, err := fmt.Sscanf(s, "%08x-%04x-%04x-%04x-%012x", &a, &b, &c, &d, &e); err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint32(nil, a)
	out = binary.LittleEndian.AppendUint16(out, b)
	out = binary.LittleEndian.AppendUint16(out, c)
	out = binary.BigEndian.AppendUint16(out, uint16(d))
	return append(out, binary.BigEndian.AppendUint64(nil, e)[2:]...)
}

func TestSEVSNPEvidence(t *testing.T) {
	vcek, vlek := guidBytes(t, "63da758d-e664-4564-adc5-f4b93be8accd"), guidBytes(t, "a8074bc2-a25a-483e-aae6-39c045a0b8a1")
	ask, ark := guidBytes(t, "4ab7b379-bbac-4fe4-a02f-05aef327c782"), guidBytes(t, "c0b406a4-a803-4952-9743-3fb6014cd0ae")
	crl := guidBytes(t, "92f81bc3-5811-4d3d-97ff-d19f88dc67ea")
	for _, c := range []struct {
		name string
		aux  []byte
		want string
	}{
		{"nothing", nil, ""},
		{"an empty table", table(), ""},
		{"all", table([2][]byte{ark, []byte("ark")}, [2][]byte{ask, []byte("ask")}, [2][]byte{crl, []byte("crl")}, [2][]byte{vcek, []byte("vcek")}),
			"SNP_LEAF=vcek SNP_INTERMEDIATE=ask SNP_CRL=crl"},
		{"vlek", table([2][]byte{vlek, []byte("vlek")}, [2][]byte{ask, []byte("asvk")}), "SNP_LEAF=vlek SNP_INTERMEDIATE=asvk"},
		{"an empty entry", table([2][]byte{vcek, nil}, [2][]byte{ask, []byte("ask")}), "SNP_INTERMEDIATE=ask"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKernel("sev_guest")
			k.aux = c.aux
			k.quote = func(rd []byte) []byte { return append(bytes.Repeat([]byte{5}, 0x50), rd...) }
			x := &SEVSNP{tsm: k.tsm()}
			ev, err := x.Evidence(reportData())
			if err != nil || ev.Kind != wire.TEE_KIND_SEV_SNP || x.Kind() != ev.Kind || x.Measurement() != nil || !bytes.HasSuffix(ev.Quote, reportData()) {
				t.Fatalf("%v %v", ev, err)
			}
			items, err := attest.ParseCollateral(ev.Collateral)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range items {
				got = append(got, strings.TrimPrefix(i.Kind.String(), "COLLATERAL_KIND_")+"="+string(i.Data))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
	for name, aux := range map[string][]byte{
		"no end":  table([2][]byte{vcek, []byte("x")})[:24],
		"outside": append(append(bytes.Clone(vcek), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), make([]byte, 24)...),
	} {
		k := newKernel("sev_guest")
		k.aux = aux
		if _, err := (&SEVSNP{tsm: k.tsm()}).Evidence(reportData()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	k := newKernel("sev_guest")
	k.busy = 1000
	if _, err := (&SEVSNP{tsm: k.tsm()}).Evidence(reportData()); !errors.Is(err, syscall.EBUSY) {
		t.Error(err)
	}
}

func FuzzCertificates(f *testing.F) {
	f.Add(table([2][]byte{make([]byte, 15), []byte("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := certificates(b)
		if err == nil && len(items) > 3 {
			t.Error("more kinds than there are")
		}
	})
}
