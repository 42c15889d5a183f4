package howto

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/evidencefile"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/collateral"
)

func recorded(t *testing.T, name string) []byte {
	t.Helper()
	root := os.Getenv("PHALA_EVIDENCE")
	if root == "" {
		t.Skip("PHALA_EVIDENCE names no folder of recorded evidence: nothing real can be fetched")
	}
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shown is what phala attest show prints of a file under a name.
func (o *operator) shown(file, name string) string {
	o.t.Helper()
	out, code := o.types("phala attest show " + file)
	m := regexp.MustCompile(`(?m)^  ` + name + ` +(\S+)$`).FindStringSubmatch(out)
	if code != 0 || m == nil {
		o.t.Fatalf("no %s (exit code %d) in\n%s", name, code, out)
	}
	return m[1]
}

// Intel's answers become the file that offchaind and phala attest take, and the commands that the how-to names then accept the machine.
func TestIntelsCollateral(t *testing.T) {
	doc := document(t, "attestation.md")
	r, err := dcap.ParseRecorded(recorded(t, "dcap/tdx-v4-UpToDate-0441bfc6ebb8.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := r.Collateral
	escaped := func(name string, text []byte) string {
		return name + ": " + strings.ReplaceAll(url.QueryEscape(string(text)), "+", "%20")
	}
	o := newOperator(t, map[string][]byte{
		"/tdx/certification/v4/tcb?fmspc=90c06f000000": answer(fmt.Appendf(nil, `{"tcbInfo":%s,"signature":"%x"}`, c.TCBInfo, c.TCBInfoSignature),
			escaped("TCB-Info-Issuer-Chain", c.TCBInfoChain)),
		"/tdx/certification/v4/qe/identity": answer(fmt.Appendf(nil, `{"enclaveIdentity":%s,"signature":"%x"}`, c.QEIdentity, c.QEIdentitySignature),
			escaped("SGX-Enclave-Identity-Issuer-Chain", c.QEIdentityChain)),
		"/sgx/certification/v4/pckcrl?ca=platform&encoding=der": answer(c.PCKCRL, escaped("SGX-PCK-CRL-Issuer-Chain", c.PCKCRLChain)),
		"/IntelSGXRootCA.der": answer(c.RootCRL),
	})
	o.write("QUOTE", r.Quote)
	text := script(t, doc, "api.trustedservices.intel.com")
	for from, to := range map[string]string{"fmspc=00806f050000": "fmspc=" + o.shown("QUOTE", "FMSPC"), "ca=platform": "ca=" + o.shown("QUOTE", "PCK CA")} {
		if !strings.Contains(text, from) {
			t.Fatalf("the script names no %s", from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	if out, code := o.types("set -euo pipefail\n" + text); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	at := fmt.Sprintf(" --at %d", r.At.Unix())
	for _, line := range lines(t, doc) {
		if !strings.HasPrefix(line, "phala attest ") {
			continue
		}
		out, code := o.types(line + at)
		if code != 0 || !strings.Contains(out, "UpToDate") {
			t.Errorf("%s: exit code %d: %s", line, code, out)
		}
		if out, code = o.types(line + " --at 2026-08-01"); strings.Contains(line, "verify") && code != 7 || !strings.Contains(out, "collateral") {
			t.Errorf("%s, when it has run out: exit code %d: %s", line, code, out)
		}
	}
	judged(t, filepath.Join(o.dir, "intel.json"), &wire.Evidence{Kind: wire.TEE_KIND_TDX, Quote: r.Quote}, r.At)
}

// judged is what offchaind does with the files before it registers.
func judged(t *testing.T, files string, ev *wire.Evidence, at time.Time) {
	t.Helper()
	s := collateral.Source(files)
	if err := s.Add(ev); err != nil {
		t.Fatal(err)
	}
	if err := s.Judge(ev, attest.VendorRoots(), at); err != nil {
		t.Error(err)
	}
}

// AMD's answers become the folder that offchaind takes. Nobody has recorded a list of revoked certificates: its request is seen, and fails.
func TestAMDsCollateral(t *testing.T) {
	report, vcek := recorded(t, "snp/trustee-milan-vcek.report.bin"), recorded(t, "snp/trustee-milan-vcek.cert.der")
	ask := intermediate(t)
	parsed, err := sevsnp.Parse(report)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("/vcek/v1/Milan/%x?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115", parsed.ChipID)
	o := newOperator(t, map[string][]byte{address: answer(vcek), "/vcek/v1/Milan/cert_chain": answer(ask)})
	o.write("REPORT", report)
	text := script(t, document(t, "attestation.md"), "kdsintf.amd.com")
	for _, name := range []string{"blSPL", "teeSPL", "snpSPL", "ucodeSPL", "chip"} {
		if v := o.shown("REPORT", name); !strings.Contains(text, name+"="+v) {
			t.Errorf("the how-to's machine is another: %s is %s", name, v)
		}
	}
	out, _ := o.types(text)
	if !strings.Contains(out, "nobody serves https://kdsintf.amd.com/vcek/v1/Milan/crl") {
		t.Errorf("the list is not asked for: %s", out)
	}
	judged(t, filepath.Join(o.dir, "amd"), &wire.Evidence{Kind: wire.TEE_KIND_SEV_SNP, Quote: report}, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
}

// Azure's metadata become the folder that offchaind takes.
func TestAzuresCollateral(t *testing.T) {
	f, err := evidencefile.Read(recorded(t, "snp/azure-evidence-v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	items, err := attest.ParseCollateral(f.Evidence.Collateral)
	if err != nil || len(items) != 1 {
		t.Fatalf("%d pieces: %v", len(items), err)
	}
	vcek := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: items[0].Data})
	body, err := json.Marshal(map[string]string{"vcekCert": string(vcek), "certificateChain": string(intermediate(t)), "tcbm": "DB18000000000004"})
	if err != nil {
		t.Fatal(err)
	}
	o := newOperator(t, map[string][]byte{"/metadata/THIM/amd/certification": answer(body)})
	if out, code := o.types("set -euo pipefail\n" + script(t, document(t, "attestation.md"), "THIM")); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	judged(t, filepath.Join(o.dir, "azure"), &wire.Evidence{Kind: f.Evidence.Kind, Quote: f.Evidence.Quote}, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
}

// intermediate is AMD's own chain of the line Milan, in PEM.
func intermediate(t *testing.T) []byte {
	t.Helper()
	return recorded(t, "snp/roots/ask_ark_milan.pem")
}
