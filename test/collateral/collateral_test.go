// Package collateral runs offchaind's own code with an operator's files against a real node: a TD's evidence registers with collateral that
// the chain keeps by hash. The TD and its maker are generated; the chain, its consensus and the operator's account are the real ones.
package collateral

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	"github.com/phala-go/phala/chain/app/devhome"
	attestationtypes "github.com/phala-go/phala/chain/x/attestation/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain"
)

const chainID = "phala-test-1"

// td is a TD behind a socket: it says who it is, attests, and follows no chain.
type td struct {
	t       *testing.T
	machine dcaptest.Machine
	key     byte
}

func (e *td) serve(path string) {
	e.t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go e.talk(c)
		}
	}()
}

func (e *td) talk(c net.Conn) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		var in wire.In
		if err := wire.Unmarshal(b, &in); err != nil {
			e.t.Errorf("the enclave got nonsense: %v", err)
			return
		}
		outs := []*wire.Out{{Body: &wire.Out_Done{Done: &wire.Done{}}}}
		if o := e.answer(&in); o != nil {
			outs = append([]*wire.Out{o}, outs...)
		}
		for _, o := range outs {
			o.ReplyTo = in.Id
			b := wire.Marshal(o)
			if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
				return
			}
		}
	}
}

func (e *td) identity() []byte { return append(make([]byte, 31), e.key) }

func (e *td) answer(in *wire.In) *wire.Out {
	switch b := in.Body.(type) {
	case *wire.In_Hello:
		return &wire.Out{Body: &wire.Out_Identity{Identity: &wire.Identity{
			ChainId: chainID, GenesisHash: make([]byte, 32), Role: wire.ROLE_EXECUTOR, Kind: wire.TEE_KIND_TDX, IdentityKey: e.identity(),
		}}}
	case *wire.In_Attest:
		id := &wire.WorkerIdentity{
			ChainId: chainID, GenesisHash: make([]byte, 32), IdentityKey: e.identity(), SealingKey: make([]byte, 1216), Worker: b.Attest.Worker,
			Role: wire.ROLE_EXECUTOR, SoftwareVersion: "test", NonceHeight: b.Attest.NonceHeight, NonceHash: b.Attest.NonceHash,
		}
		m := e.machine
		copy(m.ReportData[:], attest.ReportData(id))
		_, register := attest.RuntimeRegister(wire.TEE_KIND_TDX, attest.RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
		copy(m.RTMR[3][:], register)
		made, err := m.Make()
		if err != nil {
			e.t.Error(err)
			return nil
		}
		return &wire.Out{Body: &wire.Out_Evidence{Evidence: &wire.WorkerEvidence{Identity: id, Evidence: &wire.Evidence{Kind: wire.TEE_KIND_TDX, Quote: made.Quote}}}}
	}
	return nil
}

// world is a chain that believes the TD's maker and approves what it measures.
func world(t *testing.T, m dcaptest.Machine, operators ...*cosmostx.Key) (n *apptest.Node, rpc string) {
	t.Helper()
	app.Configure()
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	c, err := dcap.Verify(e.Quote, e.Collateral, e.Options)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	cfg := devhome.Config{ChainID: chainID, Development: true, AppState: json.RawMessage(fmt.Sprintf(`{"attestation":{
		"network":{"development":true,"development_roots":[{"kind":"TEE_KIND_TDX","certificate":%q}]},
		"policies":[{"role":"ROLE_EXECUTOR","kinds":["TEE_KIND_TDX"],"max_age_blocks":"10000","worst_level":1,"warnings":["cached-keys","dynamic-platform"],"measurements":[{"digest":%q}]}]
	}}`, b64(e.Options.Root), b64(c.Measurement)))}
	for i, k := range operators {
		addr, err := sdk.AccAddressFromBech32(k.Address())
		if err != nil {
			t.Fatal(err)
		}
		cfg.Accounts = append(cfg.Accounts, devhome.Account{Name: fmt.Sprint(i), Address: addr, Coins: sdk.NewCoins(sdk.NewCoin(app.BaseDenom, app.PHA(100)))})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.RPC = l.Addr().String()
	l.Close() // the node takes the port
	return apptest.StartNode(t, cfg), "http://" + cfg.RPC
}

func file(t *testing.T, m dcaptest.Machine) string {
	t.Helper()
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	c := e.Collateral
	b, err := json.Marshal(map[string]string{
		"tcb_info": string(c.TCBInfo), "tcb_info_signature": hex.EncodeToString(c.TCBInfoSignature), "tcb_info_issuer_chain": string(c.TCBInfoChain),
		"qe_identity": string(c.QEIdentity), "qe_identity_signature": hex.EncodeToString(c.QEIdentitySignature), "qe_identity_issuer_chain": string(c.QEIdentityChain),
		"pck_crl": hex.EncodeToString(c.PCKCRL), "pck_crl_issuer_chain": string(c.PCKCRLChain), "root_ca_crl": hex.EncodeToString(c.RootCRL),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "machine.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, rpc, files string, k *cosmostx.Key, e *td) {
	t.Helper()
	dir := t.TempDir()
	e.serve(filepath.Join(dir, "s"))
	o, err := offchain.New(offchain.Config{Home: filepath.Join(dir, "home"), RPC: rpc, Socket: filepath.Join(dir, "s"), Listen: "127.0.0.1:0", Key: k, Collateral: files})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func registered(t *testing.T, n *apptest.Node, k *cosmostx.Key) *workertypes.QueryEvidenceResponse {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var r workertypes.QueryEvidenceResponse
		err := n.Query("/phala.worker.v1.Query/Evidence", &workertypes.QueryEvidenceRequest{Operator: k.Address()}, &r)
		if err == nil {
			return &r
		}
		if time.Now().After(end) {
			t.Fatalf("the worker does not register: %v", err)
		}
	}
}

// Two operators of machines of one make: the first one's offchaind stores what both share, the second's finds it there.
func TestFilesRegisterOnAChain(t *testing.T) {
	m := dcaptest.New("a real chain", 5, time.Now())
	var keys []*cosmostx.Key
	for range 2 {
		k, err := cosmostx.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	n, rpc := world(t, m, keys...)
	files := file(t, m)
	var kept []uint64
	for i, k := range keys {
		start(t, rpc, files, k, &td{t: t, machine: m, key: byte(i + 1)})
		ev := registered(t, n, k)
		hashes := attest.Hashes(ev.Evidence.Evidence)
		if len(hashes) < 5 {
			t.Fatalf("%d pieces are named by hash", len(hashes))
		}
		for _, h := range hashes {
			var c attestationtypes.QueryCollateralResponse
			if err := n.Query("/phala.attestation.v1.Query/Collateral", &attestationtypes.QueryCollateralRequest{Hash: h}, &c); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, c.KeptUntil)
		}
	}
	for i, k := range keys {
		addr, err := sdk.AccAddressFromBech32(k.Address())
		if err != nil {
			t.Fatal(err)
		}
		// The first has sent two transactions, a store and a registration; the second one.
		if acc := n.App.AccountKeeper.GetAccount(n.App.NewContext(true), addr); acc == nil || acc.GetSequence() != uint64(2-i) {
			t.Errorf("operator %d: %v", i, acc)
		}
	}
	if len(kept) == 0 || kept[0] < 20_000 {
		t.Errorf("kept until %v", kept)
	}
}
