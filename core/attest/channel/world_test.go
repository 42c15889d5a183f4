package channel

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

func digest(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

func key(name string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(digest(name)) }

func public(name string) ed25519.PublicKey { return key(name).Public().(ed25519.PublicKey) }

func noon() time.Time { return sevsnptest.Now() }

// world is an enclave that shows a certificate, and a reader who means it.
type world struct {
	identity *wire.WorkerIdentity
	cert     Certificate
	rules    Rules
	signer   ed25519.PrivateKey
}

func valid() *world {
	id := &wire.WorkerIdentity{
		ChainId: "phala-test", GenesisHash: digest("genesis"), IdentityKey: public("identity"), SealingKey: bytes.Repeat([]byte{3}, 1216),
		Worker: &wire.WorkerRef{Operator: "pha1operator", Slot: 2}, Role: wire.ROLE_EXECUTOR, SoftwareVersion: "v0.1.0",
		NonceHeight: 990, NonceHash: digest("block 990"),
	}
	w := &world{identity: id, signer: key("identity"), cert: Certificate{Key: public("channel"), NotBefore: noon(), NotAfter: noon().Add(MaxLife)}}
	w.rules = Rules{
		ChainID: "phala-test", GenesisHash: digest("genesis"), Height: 1000, Time: noon(),
		Policy: &wire.Policy{
			Role: wire.ROLE_EXECUTOR, Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED}, MaxAgeBlocks: 500,
			Measurements: []*wire.Measurement{{Digest: digest("program"), ActivationHeight: 1}},
		},
		Network: &wire.NetworkParams{Development: true},
		Worker:  &wire.Worker{Worker: &wire.WorkerRef{Operator: "pha1operator", Slot: 2}, Role: wire.ROLE_EXECUTOR, IdentityKey: public("identity"), ExpiryHeight: 1490},
	}
	w.quote()
	return w
}

// quote makes evidence of the identity as it is now.
func (w *world) quote() {
	w.cert.Evidence = &wire.WorkerEvidence{Identity: w.identity, Evidence: attest.Simulate(digest("program"), attest.ReportData(w.identity))}
}

// der signs the certificate as it is now, whoever the signer is.
func (w *world) der(t testing.TB) []byte {
	t.Helper()
	tbs, err := w.cert.signed()
	if err != nil {
		t.Fatal(err)
	}
	der, err := w.cert.assemble(tbs, ed25519.Sign(w.signer, tbs))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// machine gives the enclave evidence of hardware, and its collateral apart.
func (w *world) machine(t *testing.T) {
	t.Helper()
	m := sevsnptest.New(sevsnp.Genoa)
	m.SendMid = true
	copy(m.ReportData[:], attest.ReportData(w.identity))
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	w.cert.Evidence = &wire.WorkerEvidence{Identity: w.identity, Evidence: &wire.Evidence{Kind: wire.TEE_KIND_SEV_SNP, Quote: e.Report}}
	w.rules.Collateral = wire.Marshal(&wire.Collateral{Items: []*wire.CollateralItem{
		{Kind: wire.COLLATERAL_KIND_SNP_LEAF, Data: e.Collateral.Leaf},
		{Kind: wire.COLLATERAL_KIND_SNP_INTERMEDIATE, Data: e.Collateral.Intermediate},
		{Kind: wire.COLLATERAL_KIND_SNP_CRL, Data: e.Collateral.CRL},
	}})
	w.rules.Network.DevelopmentRoots = []*wire.TrustedRoot{{Kind: wire.TEE_KIND_SEV_SNP, Certificate: e.Options.Roots[0].ARK}}
	w.rules.Roots = attest.RootsOf(w.rules.Network)
	w.rules.Policy.Kinds, w.rules.Policy.WorstLevel = []wire.TeeKind{wire.TEE_KIND_SEV_SNP}, 1
	w.rules.Policy.Measurements[0].Digest = m.Measurement[:]
}

func codes(v Verdict) string {
	var out []string
	for _, r := range v.Reasons {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}
