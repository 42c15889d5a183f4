package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

var errUsage = errors.New("used wrongly")

// command runs phala attest with the clock at sevsnptest's time and no network.
func command(in io.Reader, asJSON bool, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := Command(Env{
		In: in, Out: &out, Now: sevsnptest.Now,
		Print: func(data any, text func(io.Writer)) error {
			if asJSON {
				return json.NewEncoder(&out).Encode(data)
			}
			text(&out)
			return nil
		},
		Usage: func(format string, args ...any) error {
			return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
		},
		Node: func(context.Context) (*client.Client, error) { return nil, errors.New("no network in this test") },
	})
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func put(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func asJSON(t testing.TB, m proto.Message) []byte {
	t.Helper()
	s, err := (&jsonpb.Marshaler{}).MarshalToString(m)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(s)
}

// worker is simulated evidence of an identity; the same each time.
func worker() *wire.WorkerEvidence {
	id := &wire.WorkerIdentity{
		ChainId: "phala-test", GenesisHash: bytes.Repeat([]byte{1}, 32), IdentityKey: bytes.Repeat([]byte{2}, 32), SealingKey: bytes.Repeat([]byte{3}, 1216),
		Worker: &wire.WorkerRef{Operator: "pha1operator", Slot: 2}, Role: wire.ROLE_EXECUTOR, SoftwareVersion: "v0.1.0",
		NonceHeight: 990, NonceHash: bytes.Repeat([]byte{4}, 32),
	}
	return &wire.WorkerEvidence{Identity: id, Evidence: attest.Simulate(bytes.Repeat([]byte{5}, 32), attest.ReportData(id))}
}

// machine is an SNP report with all its collateral, under a root of its own that a development network believes.
func machine(t testing.TB, change func(*sevsnptest.Machine)) (*wire.Evidence, *wire.NetworkParams) {
	t.Helper()
	m := sevsnptest.New(sevsnp.Genoa)
	m.SendMid = true
	if change != nil {
		change(&m)
	}
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	ev := &wire.Evidence{Kind: wire.TEE_KIND_SEV_SNP, Quote: e.Report, Collateral: wire.Marshal(&wire.Collateral{Items: []*wire.CollateralItem{
		{Kind: wire.COLLATERAL_KIND_SNP_LEAF, Data: e.Collateral.Leaf},
		{Kind: wire.COLLATERAL_KIND_SNP_INTERMEDIATE, Data: e.Collateral.Intermediate},
		{Kind: wire.COLLATERAL_KIND_SNP_CRL, Data: e.Collateral.CRL},
	}})}
	return ev, &wire.NetworkParams{Development: true, DevelopmentRoots: []*wire.TrustedRoot{{Kind: wire.TEE_KIND_SEV_SNP, Certificate: e.Options.Roots[0].ARK}}}
}

// policyFile is a policy with its network, as the command reads it.
func policyFile(t testing.TB, p *wire.Policy, n *wire.NetworkParams) string {
	t.Helper()
	return put(t, "policy.json", fmt.Appendf(nil, `{"policy":%s,"network":%s}`, asJSON(t, p), asJSON(t, n)))
}

func approving(digest []byte) *wire.Policy {
	return &wire.Policy{
		Role: wire.ROLE_EXECUTOR, Kinds: []wire.TeeKind{wire.TEE_KIND_SEV_SNP}, MaxAgeBlocks: 500, WorstLevel: 2,
		Measurements: []*wire.Measurement{{Digest: digest, SourceCommit: strings.Repeat("ab", 20), ActivationHeight: 700, RetireHeight: 900}},
	}
}

func codes(err error) string {
	var r *Refused
	if !errors.As(err, &r) {
		return fmt.Sprint(err)
	}
	var out []string
	for _, x := range r.Reasons {
		out = append(out, x.Code)
	}
	return strings.Join(out, " ")
}
