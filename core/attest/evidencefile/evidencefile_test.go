package evidencefile

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cosmos/gogoproto/jsonpb"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

func log(t testing.TB, register uint32, hashes ...crypto.Hash) []byte {
	t.Helper()
	b, err := eventlog.NewHeader(hashes...)
	if err == nil {
		b, err = eventlog.Append(b, eventlog.Measure(register, eventlog.Separator, []byte{0, 0, 0, 0}, hashes...))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func quote(version uint16, tee uint32) []byte {
	b := make([]byte, 700)
	binary.LittleEndian.PutUint16(b, version)
	binary.LittleEndian.PutUint16(b[2:], 2)
	binary.LittleEndian.PutUint32(b[4:], tee)
	return b
}

const tpmAttest = "\xffTCG\x80\x18 and so on"

func sized(b string) string {
	return base64.StdEncoding.EncodeToString(append([]byte{0, byte(len(b))}, b...))
}

func serialLog(t testing.TB) string {
	return "Linux version\nconsole=ttyS0 quiet nonce=0a0b\n@@AK " + sized("key") + "\n@@QUOTE " + sized(tpmAttest) + "\r\n@@SIG AQI=\n@@PCR00 " + strings.Repeat("00", 32) +
		"\n@@PCR11 " + strings.Repeat("11", 32) + "\n@@LOG " + base64.StdEncoding.EncodeToString(log(t, 4, crypto.SHA256)) + "\nreboot\n"
}

func snp(t testing.TB) (report, leaf, crl []byte) {
	t.Helper()
	m := sevsnptest.New(sevsnp.Milan)
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return e.Report, e.Collateral.Leaf, e.Collateral.CRL
}

func worker() *wire.WorkerEvidence {
	id := &wire.WorkerIdentity{ChainId: "c", NonceHeight: 7, Worker: &wire.WorkerRef{Operator: "pha1x", Slot: 1}, Role: wire.ROLE_EXECUTOR}
	return &wire.WorkerEvidence{Identity: id, Evidence: attest.Simulate(make([]byte, 32), attest.ReportData(id))}
}

func jsonOf(t testing.TB, w *wire.WorkerEvidence) string {
	t.Helper()
	s, err := (&jsonpb.Marshaler{}).MarshalToString(w)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRecognises(t *testing.T) {
	report, _, _ := snp(t)
	nitro := "\x84\x44\xa1\x01\x38\x22\xa0\x59\x11\x42\xbfimodule_idci-0\x69timestamp\x1b\x00\x00\x01\x9b\x56\x41\x01\x12rest"
	hexQuote := hex.EncodeToString(quote(4, 0x81))
	dstackLog := `[{\"imr\":0,\"event_type\":4,\"digest\":\"` + strings.Repeat("0a", 48) + `\",\"event\":\"\",\"event_payload\":\"\"},{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"app-id\",\"event_payload\":\"01\"}]`
	azure := fmt.Sprintf(`{"message":%q,"signature":"0102","pcrs":["00"]}`, hex.EncodeToString([]byte(tpmAttest)))
	for name, c := range map[string]struct {
		file   string
		format string
		kind   wire.TeeKind
		log    bool
	}{
		"SGX":            {string(quote(3, 0)), "SGX quote", wire.TEE_KIND_SGX, false},
		"TDX 4":          {string(quote(4, 0x81)), "TDX quote", wire.TEE_KIND_TDX, false},
		"TDX 5":          {string(quote(5, 0x81)), "TDX quote", wire.TEE_KIND_TDX, false},
		"SNP":            {string(report), "SNP report", wire.TEE_KIND_SEV_SNP, false},
		"SNP, cut":       {string(report[:700]), "SNP report", wire.TEE_KIND_SEV_SNP, false},
		"Nitro":          {nitro, "Nitro document", wire.TEE_KIND_NITRO, false},
		"Nitro, tagged":  {"\xd2" + nitro, "Nitro document", wire.TEE_KIND_NITRO, false},
		"HCL":            {"HCLA\x02\x00\x00\x00rest", "Azure HCL report", wire.TEE_KIND_AZURE_SEV_SNP, false},
		"CCEL":           {string(log(t, 1, crypto.SHA384)) + strings.Repeat("\xff", 99), "CCEL event log", 0, true},
		"TPM log":        {string(log(t, 1, crypto.SHA1, crypto.SHA256)), "TPM event log", 0, true},
		"TPM quote":      {tpmAttest, "TPM quote", wire.TEE_KIND_TPM, false},
		"serial":         {serialLog(t), "TPM serial log", wire.TEE_KIND_TPM, true},
		"worker":         {string(wire.Marshal(worker())), "worker's evidence (protobuf)", wire.TEE_KIND_SIMULATED, false},
		"evidence":       {string(wire.Marshal(worker().Evidence)), "evidence (protobuf)", wire.TEE_KIND_SIMULATED, false},
		"worker, JSON":   {"\n " + jsonOf(t, worker()), "worker's evidence (JSON)", wire.TEE_KIND_SIMULATED, false},
		"from a node":    {`{"evidence":` + jsonOf(t, worker()) + `}`, "worker's evidence from a node", wire.TEE_KIND_SIMULATED, false},
		"dstack":         {`{"quote":"` + hexQuote + `","event_log":"` + dstackLog + `","vm_config":"{}"}`, "dstack quote", wire.TEE_KIND_TDX, true},
		"TPM, JSON":      {azure, "TPM quote (JSON)", wire.TEE_KIND_TPM, false},
		"Azure":          {`{"version":1,"hcl_report":"SENMQQ","tpm_quote":` + azure + `}`, "Azure evidence", wire.TEE_KIND_AZURE_SEV_SNP, false},
		"TPM, its key":   {`{"ak_public":"AQ","tpm_quote":` + azure + `}`, "TPM evidence", wire.TEE_KIND_TPM, false},
		"Azure, numbers": {`{"report":[72,67,76,65],"quote":{"message":[255,84],"signature":[1],"pcrs":[[0],[1]]}}`, "Azure evidence of old", wire.TEE_KIND_AZURE_SEV_SNP, false},
	} {
		f, err := Read([]byte(c.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Format != c.format || f.Evidence.GetKind() != c.kind || (f.Log != nil) != c.log {
			t.Errorf("%s: %q, %s, log %t", name, f.Format, f.Evidence.GetKind(), f.Log != nil)
		}
	}
}

// What a file states beside the evidence itself.
func TestStates(t *testing.T) {
	f, err := Read([]byte(serialLog(t)))
	if err != nil {
		t.Fatal(err)
	}
	var q wire.TpmQuote
	if err := wire.Unmarshal(f.Evidence.Quote, &q); err != nil {
		t.Fatal(err)
	}
	if string(q.AkPublic) != "key" || string(q.Attest) != tpmAttest || !bytes.Equal(q.Signature, []byte{1, 2}) || len(q.Pcrs) != 2 || q.Pcrs[1].Index != 11 {
		t.Errorf("quote %+v", q)
	}
	if !bytes.Equal(f.Nonce, []byte{10, 11}) || f.LogKind != eventlog.PCR || len(f.Log.Events) != 1 || !f.At.IsZero() {
		t.Errorf("nonce %x, log %+v, time %s", f.Nonce, f.Log, f.At)
	}
}

func TestRefuses(t *testing.T) {
	var unknown *Unknown
	serial, text := serialLog(t), jsonOf(t, worker())
	dstack := func(event string) string { return `{"quote":"00","event_log":"[` + event + `]"}` }
	for name, c := range map[string]struct {
		file string
		word string // "": an Unknown
	}{
		"empty":                    {"", "empty"},
		"too large":                {strings.Repeat("x", MaxSize+1), "at most"},
		"noise":                    {strings.Repeat("\x07", 64), ""},
		"another version of quote": {string(quote(2, 0)), ""},
		"protobuf and more":        {string(wire.Marshal(worker())) + "\x00", ""},
		"protobuf, cut":            {string(wire.Marshal(worker()))[:40], ""},
		"evidence of no kind":      {string(wire.Marshal(&wire.Evidence{Quote: []byte{1}})), ""},
		"JSON of something else":   {`{"quote":1}`, ""},
		"JSON and more":            {text + "x", "JSON"},
		"JSON twice":               {text + text, "behind its end"},
		"a name twice":             {`{"quote_hex":"00","quote_hex":"00"}`, "twice"},
		"a name twice, inside":     {`{"quote_hex":"00","collateral":{"tcb_info":"","tcb_info":""}}`, "collateral.tcb_info"},
		"nested":                   {`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, "nested"},
		"a case without parts":     {`{"quote_hex":"00"}`, "collateral"},
		"an unknown member":        {strings.Replace(text, `"identity"`, `"more":1,"identity"`, 1), "more"},
		"a node's other answer":    {`{"evidence":{"kind":"TEE_KIND_TDX"}}`, "identity and evidence"},
		"a number that is no byte": {`{"message":[256],"signature":"","pcrs":[]}`, "256"},
		"many PCRs":                {`{"message":"","signature":"","pcrs":[` + strings.Repeat(`"00",`, 24) + `"00"]}`, "at most 24"},
		"a PCR that is none":       {serial + "@@PCR99 00\n", "99"},
		"a line twice":             {serial + "@@SIG AQI=\n", "twice"},
		"a line that is no base64": {strings.Replace(serial, "AQI=", "A!", 1), "@@SIG"},
		"a log cut off":            {string(log(t, 1, crypto.SHA384))[:100], "event log"},
		"a table cut off":          {"CCEL8", "56"},
		"an event of no register":  {dstack(`{\"imr\":4}`), "0 to 3"},
		"an event's other digest":  {dstack(`{\"imr\":3,\"event_type\":134217729,\"digest\":\"00\",\"event\":\"app-id\"}`), "digest of app-id"},
		"an event's payload":       {dstack(`{\"event_payload\":\"x\"}`), "payload"},
		"a log that is no list":    {`{"quote":"00","event_log":"{}"}`, "event_log"},
	} {
		_, err := Read([]byte(c.file))
		switch {
		case err == nil:
			t.Errorf("%s: was read", name)
		case c.word == "" && !errors.As(err, &unknown):
			t.Errorf("%s: %v, want an Unknown", name, err)
		case !strings.Contains(err.Error(), c.word):
			t.Errorf("%s: %v, want %q", name, err, c.word)
		}
	}
}

func TestAddCollateral(t *testing.T) {
	report, leaf, crl := snp(t)
	f, err := Read(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{crl, leaf, leaf} {
		if err := f.AddCollateral(b); err != nil {
			t.Fatal(err)
		}
	}
	items, err := attest.ParseCollateral(f.Evidence.Collateral)
	if err != nil || len(items) != 2 || !bytes.Equal(items[0].Data, leaf) || items[1].Kind != wire.COLLATERAL_KIND_SNP_CRL {
		t.Fatalf("%v, %v", items, err)
	}
	whole := f.Evidence.Collateral
	f.Evidence.Collateral = nil
	if err := f.AddCollateral(whole); err != nil || !bytes.Equal(f.Evidence.Collateral, whole) {
		t.Errorf("our own form: %v", err)
	}
	for name, b := range map[string]string{"nothing": "", "text": "hello", "JSON": `{"a":1}`, "a name twice": `{"a":1,"a":1}`, "HCL": "HCLA0123"} {
		if err := f.AddCollateral([]byte(b)); err == nil {
			t.Errorf("%s was collateral", name)
		}
	}
	if err := (&File{}).AddCollateral(leaf); err == nil {
		t.Error("a file without evidence took collateral")
	}
	vtpm, err := Read([]byte(tpmAttest))
	if err != nil {
		t.Fatal(err)
	}
	if err := vtpm.AddCollateral([]byte("HCLA0123")); err != nil || vtpm.Evidence.Kind != wire.TEE_KIND_AZURE_SEV_SNP {
		t.Errorf("%s, %v", vtpm.Evidence.Kind, err)
	}
}

// Whatever is read, nothing panics, and a file is evidence, a log, a table or an error.
func FuzzRead(f *testing.F) {
	report, leaf, _ := snp(f)
	for _, seed := range [][]byte{report, leaf, quote(4, 0x81), log(f, 1, crypto.SHA384), []byte(serialLog(f)), wire.Marshal(worker()), []byte(jsonOf(f, worker()))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Read(b)
		if (file == nil) == (err == nil) {
			t.Fatalf("%v and %v", file, err)
		}
		if err == nil && file.Format == "" {
			t.Fatal("a file of no format")
		}
		if err == nil && file.Evidence != nil {
			_ = file.AddCollateral(b) // must not panic; most files are no collateral
		}
	})
}
