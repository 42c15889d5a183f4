package dcaptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/phala-go/phala/core/attest/dcap"
)

// sign is r || s of 32 bytes each, the same each time.
func sign(k *ecdsa.PrivateKey, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	der, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, nil
}

func (p *pki) collateral() (c dcap.Collateral, err error) {
	info, identity := p.m.tcbInfo(), p.m.qeIdentity()
	if p.m.TCBInfo != nil {
		info = p.m.TCBInfo(info)
	}
	if p.m.QEIdentity != nil {
		identity = p.m.QEIdentity(identity)
	}
	signer, err := p.key(Signer)
	if err != nil {
		return c, err
	}
	c.TCBInfo, c.QEIdentity = []byte(info), []byte(identity)
	c.TCBInfoChain, c.QEIdentityChain, c.PCKCRLChain = p.chain(Signer, Root), p.chain(Signer, Root), p.chain(PCKCA, Root)
	if p.m.LoosePCK {
		c.PCKChain = p.chain(PCK, PCKCA, Root)
	}
	if c.TCBInfoSignature, err = sign(signer, c.TCBInfo); err != nil {
		return c, err
	}
	if c.QEIdentitySignature, err = sign(signer, c.QEIdentity); err != nil {
		return c, err
	}
	if c.PCKCRL, err = p.list(PCKCA); err != nil {
		return c, fmt.Errorf("making the PCK CRL: %w", err)
	}
	c.RootCRL, err = p.list(Root)
	return c, err
}

func (m Machine) dates() string {
	stamp := func(d time.Duration) string { return m.At.Add(d).Format("2006-01-02T15:04:05Z") }
	return fmt.Sprintf(`"issueDate":%q,"nextUpdate":%q`, stamp(-10*day), stamp(20*day))
}

func components(svn ...int) string {
	var out []string
	for i := range 16 {
		n := 0
		if i < len(svn) {
			n = svn[i]
		}
		out = append(out, fmt.Sprintf(`{"svn":%d}`, n))
	}
	return "[" + strings.Join(out, ",") + "]"
}

// tcbInfo has three levels: up to date, software hardening, out of date, which differ in SGX component 1 and TDX component 3.
func (m Machine) tcbInfo() string {
	id, module := "SGX", ""
	if m.Version != 3 {
		zero := strings.Repeat("0", 96)
		body := `"mrsigner":"` + zero + `","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF"`
		id, module = "TDX", `"tdxModule":{`+body+`},"tdxModuleIdentities":[{"id":"TDX_01",`+body+`,"tcbLevels":[`+
			`{"tcb":{"isvsvn":6},"tcbDate":"2025-05-14T00:00:00Z","tcbStatus":"UpToDate"},`+
			`{"tcb":{"isvsvn":4},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["INTEL-SA-01099"]}]}],`
	}
	var levels []string
	for i, l := range []string{
		`"tcbDate":"2025-05-14T00:00:00Z","tcbStatus":"UpToDate"`,
		`"tcbDate":"2024-11-13T00:00:00Z","tcbStatus":"SWHardeningNeeded","advisoryIDs":["INTEL-SA-00615"]`,
		`"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["INTEL-SA-01036","INTEL-SA-01079"]`,
	} {
		tcb := `"sgxtcbcomponents":` + components(3-i, 2, 2, 2, 3, 1, 0, 5) + `,"pcesvn":13`
		if id == "TDX" {
			tcb += `,"tdxtcbcomponents":` + components(5, 0, 3-i)
		}
		levels = append(levels, `{"tcb":{`+tcb+`},`+l+`}`)
	}
	return `{"id":"` + id + `","version":3,` + m.dates() + `,"fmspc":"` + hex.EncodeToString(m.FMSPC[:]) +
		`","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":19,` + module + `"tcbLevels":[` + strings.Join(levels, ",") + `]}`
}

// Signers and product ids of the two quoting enclaves; real ones, since nothing else would look right in a report.
const (
	qeSigner   = "8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF"
	tdQESigner = "DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5"
)

func (m Machine) qe() (id, signer string, product byte) {
	if m.Version == 3 {
		return "QE", qeSigner, 1
	}
	return "TD_QE", tdQESigner, 2
}

func (m Machine) qeIdentity() string {
	id, signer, product := m.qe()
	return fmt.Sprintf(`{"id":%q,"version":2,%s,"tcbEvaluationDataNumber":19,"miscselect":"00000000","miscselectMask":"FFFFFFFF",`+
		`"attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":%q,"isvprodid":%d,`+
		`"tcbLevels":[{"tcb":{"isvsvn":4},"tcbDate":"2025-05-14T00:00:00Z","tcbStatus":"UpToDate"},`+
		`{"tcb":{"isvsvn":2},"tcbDate":"2023-05-14T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["INTEL-SA-00837"]}]}`, id, m.dates(), signer, product)
}
