package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
)

// forger changes a real chain's headers and signs them anew. It has the validator's key, as nobody should.
type forger struct {
	t       *testing.T
	chain   *node.Client
	chainID string
	key     ed25519.PrivKey
}

func newForger(t *testing.T, n *devnet.Network) *forger {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(n.Home, "chain", "config", "priv_validator_key.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Key struct {
			Value ed25519.PrivKey `json:"value"`
		} `json:"priv_key"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	c, err := node.Dial(n.RPC)
	if err != nil {
		t.Fatal(err)
	}
	return &forger{t, c, n.ChainID, file.Key.Value}
}

// real gives a header as the chain has it.
func (f *forger) real(ctx context.Context, height uint64) *types.LightBlock {
	f.t.Helper()
	lb, err := f.chain.LightBlock(ctx, height)
	if err != nil {
		f.t.Fatal(err)
	}
	return lb
}

// after gives a header that may follow that of a height, to be changed and signed.
func (f *forger) after(ctx context.Context, height uint64) *types.LightBlock {
	f.t.Helper()
	lb := f.real(ctx, height)
	lb.LastBlockID = lb.Commit.BlockID
	lb.Height++
	lb.Time = lb.Time.Add(time.Millisecond)
	return lb
}

// sign has a key commit to the header as it is now, and encodes it.
func (f *forger) sign(lb *types.LightBlock, key ed25519.PrivKey) []byte {
	f.t.Helper()
	id := types.BlockID{Hash: lb.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: lb.DataHash}}
	vote := &types.Vote{Type: cmtproto.PrecommitType, Height: lb.Height, BlockID: id, Timestamp: lb.Time, ValidatorAddress: key.PubKey().Address()}
	var err error
	if vote.Signature, err = key.Sign(types.VoteSignBytes(lb.ChainID, vote.ToProto())); err != nil {
		f.t.Fatal(err)
	}
	lb.Commit = &types.Commit{Height: lb.Height, BlockID: id, Signatures: []types.CommitSig{vote.CommitSig()}}
	return f.encode(lb)
}

func (f *forger) encode(lb *types.LightBlock) []byte {
	f.t.Helper()
	b, err := light.Encode(lb)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// headers is the table of forgeries, each made of the header that would have come next.
func (f *forger) headers(ctx context.Context, height uint64) map[string][]byte {
	f.t.Helper()
	stranger := ed25519.GenPrivKeyFromSecret([]byte("mallory"))
	own, err := types.ValidatorSetFromExistingValidators([]*types.Validator{types.NewValidator(stranger.PubKey(), 10)})
	if err != nil {
		f.t.Fatal(err)
	}
	root := bytes.Repeat([]byte{1}, 32)
	forge := func(key ed25519.PrivKey, change func(lb *types.LightBlock)) []byte {
		lb := f.after(ctx, height)
		change(lb)
		return f.sign(lb, key)
	}
	altered := func(change func(lb *types.LightBlock)) []byte { // after it was signed
		lb := f.real(ctx, height+1)
		change(lb)
		return f.encode(lb)
	}
	swap := func(lb *types.LightBlock) {
		lb.ValidatorSet, lb.ValidatorsHash, lb.NextValidatorsHash, lb.ProposerAddress = own, own.Hash(), own.Hash(), stranger.PubKey().Address()
	}
	next := f.encode(f.real(ctx, height+1))
	return map[string][]byte{
		"nothing":                        {},
		"half a header":                  next[:len(next)/2],
		"another chain":                  forge(f.key, func(lb *types.LightBlock) { lb.ChainID = "phala-other-1" }),
		"swapped validators":             forge(stranger, swap),
		"swapped validators, jump":       forge(stranger, func(lb *types.LightBlock) { swap(lb); lb.Height += 50 }),
		"another set than the header's":  altered(func(lb *types.LightBlock) { lb.ValidatorSet = own }),
		"signed by a stranger":           forge(stranger, func(*types.LightBlock) {}),
		"signed by nobody":               altered(func(lb *types.LightBlock) { lb.Commit.Signatures[0] = types.NewCommitSigAbsent() }),
		"a signature flipped":            altered(func(lb *types.LightBlock) { lb.Commit.Signatures[0].Signature[5] ^= 1 }),
		"the commit of the block before": altered(func(lb *types.LightBlock) { lb.Commit = f.real(ctx, height).Commit }),
		"app hash changed":               altered(func(lb *types.LightBlock) { lb.AppHash = root }),
		"an old height by a stranger": forge(stranger, func(lb *types.LightBlock) {
			swap(lb)
			lb.Height = int64(height)
		}),
		"from the future": forge(f.key, func(lb *types.LightBlock) { lb.Time = time.Now().Add(time.Hour) }),
		"from the past":   forge(f.key, func(lb *types.LightBlock) { lb.Time = lb.Time.Add(-time.Hour) }),
	}
}

// values is the table of forged values of a height.
func (f *forger) values(ctx context.Context, height uint64) map[string]*wire.StoreValue {
	f.t.Helper()
	get := func(at uint64, k *wire.StoreKey) *wire.StoreValue {
		v, err := f.chain.Value(ctx, at, k)
		if err != nil {
			f.t.Fatal(err)
		}
		return v
	}
	here := &wire.StoreKey{Store: storekey.Attestation, Key: storekey.Policy(int32(wire.ROLE_EXECUTOR))}
	beside := &wire.StoreKey{Store: storekey.Attestation, Key: storekey.Policy(int32(wire.ROLE_GATEKEEPER))}
	nowhere := &wire.StoreKey{Store: storekey.Cluster, Key: storekey.ClusterKey(1 << 40)}
	changed := func(v *wire.StoreValue, change func(v *wire.StoreValue)) *wire.StoreValue {
		change(v)
		return v
	}
	if v := get(height, nowhere); len(v.Value) > 0 || len(get(height, here).Value) == 0 || len(get(height, beside).Value) == 0 {
		f.t.Fatal("the chain has not what the table is made of")
	}
	return map[string]*wire.StoreValue{
		"of another block's app hash": get(height-3, here),
		"another value":               changed(get(height, here), func(v *wire.StoreValue) { v.Value[0] ^= 1 }),
		"the proof of another key":    changed(get(height, here), func(v *wire.StoreValue) { v.IavlProof = get(height, beside).IavlProof }),
		"another key's value":         changed(get(height, here), func(v *wire.StoreValue) { v.Key = beside }),
		"another store's":             changed(get(height, here), func(v *wire.StoreValue) { v.Key = &wire.StoreKey{Store: storekey.Worker, Key: here.Key} }),
		"absence shown as presence":   changed(get(height, nowhere), func(v *wire.StoreValue) { v.Value = []byte("forged") }),
		"presence shown as absence":   changed(get(height, here), func(v *wire.StoreValue) { v.Value = nil }),
		"absence of what is there, by another's": changed(get(height, here), func(v *wire.StoreValue) {
			v.Value, v.IavlProof, v.StoreProof = nil, get(height, nowhere).IavlProof, get(height, nowhere).StoreProof
		}),
		"without a proof": changed(get(height, here), func(v *wire.StoreValue) { v.IavlProof = nil }),
	}
}

// TestP03_ForgeriesOfARealChain: the enclave of a real executor, whose offchaind is gone, is brought a real chain's headers and values with
// one thing changed each. It takes none, then the true ones. Time beyond the trusting period is tried in core/light.
func TestP03_ForgeriesOfARealChain(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	n, err := devnet.StartFree(ctx, devnet.Config{Home: filepath.Join(t.TempDir(), "net"), Bin: bin, BlockTime: 300 * time.Millisecond, Executors: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	c, f := cut(ctx, t, n, n.Executor(0)), newForger(t, n)
	h := c.at.VerifiedHeight
	eventually(ctx, t, "the next blocks", func() bool { _, err := f.chain.LightBlock(ctx, h+2); return err == nil })
	for name, block := range f.headers(ctx, h) {
		_, code := c.bring(ctx, block)
		if at := c.hello(ctx); code != "refused" || at.VerifiedHeight != h || !bytes.Equal(at.VerifiedHash, c.at.VerifiedHash) {
			t.Errorf("%s: the enclave says %q and is at %d with %x, it was at %d with %x", name, code, at.VerifiedHeight, at.VerifiedHash, h, c.at.VerifiedHash)
		}
	}
	bring := func(v *wire.StoreValue) string {
		_, code := c.say(ctx, &wire.In{Body: &wire.In_StoreValues{StoreValues: &wire.StoreValues{Height: h, Values: []*wire.StoreValue{v}}}})
		return code
	}
	for name, v := range f.values(ctx, h) {
		if code := bring(v); code != "refused" {
			t.Errorf("a value %s: the enclave says %q", name, code)
		}
	}
	if v, err := f.chain.Value(ctx, h, &wire.StoreKey{Store: storekey.Attestation, Key: storekey.Policy(int32(wire.ROLE_EXECUTOR))}); err != nil || bring(v) == "refused" {
		t.Errorf("the true value: %v", err)
	}
	for next := h + 1; next <= h+2; next++ {
		if _, code := c.bring(ctx, f.encode(f.real(ctx, next))); code != "" || c.hello(ctx).VerifiedHeight != next {
			t.Errorf("the true header %d: %q", next, code)
		}
	}
	if _, forks := c.given(); forks > 0 {
		t.Error("forgeries were taken for proofs of a fork")
	}
}
