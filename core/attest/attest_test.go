package attest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
)

func digest(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// valid is evidence of an executor over block 990, judged at block 1000.
func valid() Input {
	id := &wire.WorkerIdentity{
		ChainId: "phala-test", GenesisHash: digest("genesis"), IdentityKey: digest("identity"), SealingKey: bytes.Repeat([]byte{3}, 1216),
		Worker: &wire.WorkerRef{Operator: "pha1operator", Slot: 2}, Role: wire.ROLE_EXECUTOR, SoftwareVersion: "v0.1.0",
		NonceHeight: 990, NonceHash: digest("block 990"),
	}
	return Input{
		Evidence: &wire.WorkerEvidence{Identity: id, Evidence: Simulate(digest("program"), ReportData(id))},
		Policy: &wire.Policy{
			Role: wire.ROLE_EXECUTOR, Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED}, MaxAgeBlocks: 500,
			Measurements: []*wire.Measurement{{Digest: digest("older"), ActivationHeight: 1}, {Digest: digest("program"), ActivationHeight: 1000}},
		},
		Network: &wire.NetworkParams{Development: true},
		ChainID: "phala-test", GenesisHash: digest("genesis"), Height: 1000, NonceHash: digest("block 990"),
	}
}

// quoteAnew makes a new quote for the identity as it is now.
func quoteAnew(in *Input) {
	in.Evidence.Evidence = Simulate(digest("program"), ReportData(in.Evidence.Identity))
}

func codes(v Verdict) string {
	var out []string
	for _, r := range v.Reasons {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}

func TestGoodEvidence(t *testing.T) {
	v := Verify(valid())
	if !v.Accepted || v.Err() != nil || len(v.Reasons) != 0 {
		t.Fatalf("refused: %v", v.Err())
	}
	if v.Kind != wire.TEE_KIND_SIMULATED || !bytes.Equal(v.Measurement, digest("program")) || v.ExpiryHeight != 1490 {
		t.Errorf("verdict %+v", v)
	}
	for name, change := range map[string]func(*Input){
		"the chain does not know its genesis file": func(i *Input) { i.GenesisHash, i.GenesisUnknown = nil, true },
		"nonce checked by the chain":               func(i *Input) { i.NonceHash, i.NonceChecked, i.Height = nil, true, 1489 },
		"nonce at the edge":                        func(i *Input) { i.Height = 990 + NonceWindow },
	} {
		in := valid()
		change(&in)
		if v := Verify(in); !v.Accepted {
			t.Errorf("%s: %v", name, v.Err())
		}
	}
}

// Every reason for a refusal. change happens before the quote is made, forge after it.
func TestP15_EveryReason(t *testing.T) {
	type in = *Input
	id := func(i in) *wire.WorkerIdentity { return i.Evidence.Identity }
	for _, c := range []struct {
		codes, name   string
		change, forge func(in)
	}{
		{"incomplete", "no evidence", nil, func(i in) { i.Evidence = nil }},
		{"incomplete", "no identity", nil, func(i in) { i.Evidence.Identity = nil }},
		{"incomplete", "no quote", nil, func(i in) { i.Evidence.Evidence = nil }},
		{"incomplete", "no policy", nil, func(i in) { i.Policy = nil }},
		{"incomplete", "no network", nil, func(i in) { i.Network = nil }},
		{"malformed-identity", "identity key", func(i in) { id(i).IdentityKey = id(i).IdentityKey[1:] }, nil},
		{"malformed-identity", "sealing key of another KEM", func(i in) { id(i).SealingKey = make([]byte, 32) }, nil},
		{"malformed-identity wrong-genesis", "genesis hash", func(i in) { id(i).GenesisHash = nil }, nil},
		{"malformed-identity nonce-unknown", "nonce hash", func(i in) { id(i).NonceHash = nil }, nil},
		{"malformed-identity", "no worker", func(i in) { id(i).Worker = nil }, nil},
		{"malformed-identity", "no operator", func(i in) { id(i).Worker.Operator = "" }, nil},
		{"malformed-identity", "long version", func(i in) { id(i).SoftwareVersion = strings.Repeat("v", 65) }, nil},
		{"wrong-chain", "another chain", func(i in) { id(i).ChainId = "phala-other" }, nil},
		{"wrong-genesis", "another genesis", func(i in) { id(i).GenesisHash = digest("other") }, nil},
		{"wrong-genesis", "no genesis to compare with", nil, func(i in) { i.GenesisHash = nil }},
		{"wrong-role", "a gatekeeper under the executors' policy", func(i in) { id(i).Role = wire.ROLE_GATEKEEPER }, nil},
		{"wrong-role", "no role", func(i in) { id(i).Role = wire.ROLE_UNSPECIFIED }, nil},
		{"wrong-role", "no role in both", func(i in) { id(i).Role = wire.ROLE_UNSPECIFIED; i.Policy.Role = wire.ROLE_UNSPECIFIED }, nil},
		{"nonce-future", "this block", func(i in) { id(i).NonceHeight = 1000 }, nil},
		{"nonce-future", "a block to come, though checked", func(i in) { id(i).NonceHeight = 2000; i.NonceChecked = true }, nil},
		{"nonce-future expired", "a block at the end of time", func(i in) { id(i).NonceHeight = 1<<64 - 300 }, nil},
		{"nonce-too-old", "beyond the window", func(i in) { i.Height = 990 + NonceWindow + 1 }, nil},
		{"nonce-unknown", "a fork's block", func(i in) { id(i).NonceHash = digest("fork") }, nil},
		{"nonce-unknown", "a block the chain has forgotten", func(i in) { i.NonceHash = nil }, nil},
		{"kind-not-allowed", "a policy without kinds", func(i in) { i.Policy.Kinds = nil }, nil},
		{"kind-not-allowed", "a policy for others", func(i in) { i.Policy.Kinds = []wire.TeeKind{wire.TEE_KIND_TDX} }, nil},
		{"simulated", "production", func(i in) { i.Network.Development = false }, nil},
		{"kind-not-allowed no-time no-root", "claims to be TDX, and nobody is believed", nil, func(i in) { i.Evidence.Evidence.Kind = wire.TEE_KIND_TDX }},
		{strings.TrimSpace(strings.Repeat("collateral-missing ", 9)), "claims to be SGX", nil, func(i in) {
			i.Policy.Kinds = append(i.Policy.Kinds, wire.TEE_KIND_SGX)
			i.Evidence.Evidence.Kind = wire.TEE_KIND_SGX
			i.Time, i.Roots = time.Unix(1_700_000_000, 0), VendorRoots()
		}},
		{"no-verifier", "no kind", nil, func(i in) {
			i.Policy.Kinds = append(i.Policy.Kinds, wire.TEE_KIND_UNSPECIFIED)
			i.Evidence.Evidence.Kind = wire.TEE_KIND_UNSPECIFIED
		}},
		{"bad-quote", "empty", nil, func(i in) { i.Evidence.Evidence.Quote = nil }},
		{"bad-quote", "truncated", nil, func(i in) { q := i.Evidence.Evidence; q.Quote = q.Quote[:len(q.Quote)-1] }},
		{"bad-quote", "trailing bytes", nil, func(i in) { q := i.Evidence.Evidence; q.Quote = append(q.Quote, 0x20, 1) }},
		{"bad-quote", "flipped", nil, func(i in) { q := i.Evidence.Evidence; q.Quote[len(q.Quote)-3] ^= 1 }},
		{"bad-quote", "collateral", nil, func(i in) { i.Evidence.Evidence.Collateral = []byte{1} }},
		{"bad-quote", "short measurement", nil, func(i in) {
			i.Evidence.Evidence = Simulate(digest("program")[1:], ReportData(id(i)))
		}},
		{"bad-quote", "short report data", nil, func(i in) {
			i.Evidence.Evidence = Simulate(digest("program"), ReportData(id(i))[1:])
		}},
		{"bad-quote", "signed with another key", nil, func(i in) {
			q := &wire.SimulatedQuote{Measurement: digest("program"), ReportData: ReportData(id(i))}
			key := ed25519.NewKeyFromSeed(digest("mine"))
			q.Signature = ed25519.Sign(key, simulatedBytes(q.Measurement, q.ReportData))
			i.Evidence.Evidence.Quote = wire.Marshal(q)
		}},
		{"too-large", "quote", nil, func(i in) { i.Evidence.Evidence.Quote = make([]byte, MaxQuote+1) }},
		{"too-large", "collateral", nil, func(i in) { i.Evidence.Evidence.Collateral = make([]byte, MaxCollateral+1) }},
		{"report-data", "a quote of another identity", nil, func(i in) { id(i).IdentityKey = digest("mine") }},
		{"report-data", "a quote of another worker", nil, func(i in) { id(i).Worker.Slot++ }},
		{"report-data", "an empty report", nil, func(i in) { i.Evidence.Evidence = Simulate(digest("program"), make([]byte, 64)) }},
		{"unknown-measurement", "another program", nil, func(i in) {
			i.Evidence.Evidence = Simulate(digest("mine"), ReportData(id(i)))
		}},
		{"unknown-measurement", "none approved", nil, func(i in) { i.Policy.Measurements = nil }},
		{"not-active", "approved for later", nil, func(i in) { i.Policy.Measurements[1].ActivationHeight = 1001 }},
		{"expired", "no age allowed", nil, func(i in) { i.Policy.MaxAgeBlocks = 0 }},
		{"expired", "at its last block", nil, func(i in) { i.Policy.MaxAgeBlocks = 10 }},
		{"expired", "an age that overflows", nil, func(i in) { i.Policy.MaxAgeBlocks = 1<<64 - 1 }},
		{"expired", "long ago, nonce checked then", nil, func(i in) { i.NonceChecked = true; i.Height = 1490 }},
		{"wrong-chain simulated unknown-measurement", "all reasons are named", func(i in) {
			id(i).ChainId = "x"
			i.Network.Development = false
			i.Policy.Measurements = nil
		}, nil},
	} {
		t.Run(c.codes+"/"+c.name, func(t *testing.T) {
			in := valid()
			if c.change != nil {
				c.change(&in)
				quoteAnew(&in)
			}
			if c.forge != nil {
				c.forge(&in)
			}
			v := Verify(in)
			if v.Accepted || v.Err() == nil {
				t.Fatal("accepted")
			}
			if got := codes(v); got != c.codes {
				t.Errorf("reasons %q, want %q", got, c.codes)
			}
			for _, r := range v.Reasons {
				if r.Code == "" || !strings.Contains(v.Err().Error(), r.String()) {
					t.Errorf("reason %q is not told", r.Code)
				}
			}
		})
	}
}

// The zero value of every option accepts nothing.
func TestP15_ZeroValuesFailClosed(t *testing.T) {
	if Verify(Input{}).Accepted || (Verdict{}).Accepted {
		t.Error("nothing was accepted")
	}
	in := valid()
	in.Policy, in.Network = &wire.Policy{}, &wire.NetworkParams{}
	if v := Verify(in); v.Accepted {
		t.Error("an empty policy accepted")
	}
	if (Verdict{}).Err() == nil {
		t.Error("the zero verdict is no error")
	}
}

// report_data is SHA-512("phala/worker-identity/v1" || identity): vendors' quotes in the field carry it.
func TestReportDataVector(t *testing.T) {
	const want = "a18818a8b9c6b9ffb9707bd560787e9802994c887f2facdd7cd83908695999f941722fc521db713fb79045662839a60625b865bbefc9c4b6b5f83e8cd51f8434"
	if got := hex.EncodeToString(ReportData(valid().Evidence.Identity)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzSimulatedQuote(f *testing.F) {
	in := valid()
	f.Add(in.Evidence.Evidence.Quote, []byte{})
	f.Add([]byte{0x0a, 0}, []byte{1})
	f.Fuzz(func(t *testing.T, quote, collateral []byte) {
		in := valid()
		good := in.Evidence.Evidence.Quote
		in.Evidence.Evidence = &wire.Evidence{Kind: wire.TEE_KIND_SIMULATED, Quote: quote, Collateral: collateral}
		if v := Verify(in); v.Accepted && !bytes.Equal(quote, good) {
			t.Errorf("accepted %x", quote)
		}
	})
}
