package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
)

const chainID = "phala-test"

var (
	start = time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	opts  = Options{TrustingPeriod: 24 * time.Hour, MaxClockDrift: 10 * time.Second}
)

func private(i int) ed25519.PrivKey {
	return ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "validator %d", i))
}

// set is a validator set of equal powers.
func set(t testing.TB, members ...int) *types.ValidatorSet {
	t.Helper()
	var vals []*types.Validator
	for _, m := range members {
		vals = append(vals, types.NewValidator(private(m).PubKey(), 10))
	}
	s, err := types.ValidatorSetFromExistingValidators(vals)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func genesisFile(initial string, members ...int) []byte {
	var vals []string
	for _, m := range members {
		vals = append(vals, fmt.Sprintf(`{"address":"","pub_key":{"type":"tendermint/PubKeyEd25519","value":%q},"power":"10","name":""}`,
			base64.StdEncoding.EncodeToString(private(m).PubKey().Bytes())))
	}
	return fmt.Appendf(nil, `{"chain_id":%q,"genesis_time":%q,"initial_height":%s,"consensus":{"validators":[%s]},"app_state":{"attestation":{"network":{"development":true}}}}`,
		chainID, start.Format(time.RFC3339Nano), initial, strings.Join(vals, ","))
}

func genesis(t testing.TB, members ...int) *Genesis {
	t.Helper()
	g, err := ParseGenesis(genesisFile("1", members...))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// block is a light block to be: change it, then sign it.
type block struct {
	header     types.Header
	validators *types.ValidatorSet
	signers    []int
	chainID    string // that signers sign for
	nilVotes   bool
}

func newBlock(t testing.TB, height int64, vals, next []int) *block {
	t.Helper()
	h := sha256.Sum256(fmt.Appendf(nil, "block before %d", height))
	vs := set(t, vals...)
	return &block{
		header: types.Header{
			Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: chainID, Height: height, Time: start.Add(time.Duration(height) * time.Second),
			LastBlockID:    types.BlockID{Hash: h[:], PartSetHeader: types.PartSetHeader{Total: 1, Hash: h[:]}},
			LastCommitHash: h[:], DataHash: h[:], ValidatorsHash: vs.Hash(), NextValidatorsHash: set(t, next...).Hash(), ConsensusHash: h[:],
			AppHash: h[:], LastResultsHash: h[:], EvidenceHash: h[:], ProposerAddress: vs.Validators[0].Address,
		},
		validators: vs,
		signers:    vals,
		chainID:    chainID,
	}
}

func (b *block) sign(t testing.TB) *types.LightBlock {
	t.Helper()
	id := types.BlockID{Hash: b.header.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: b.header.DataHash}}
	commit := &types.Commit{Height: b.header.Height, BlockID: id}
	for i, v := range b.validators.Validators {
		k := slices.IndexFunc(b.signers, func(m int) bool { return bytes.Equal(private(m).PubKey().Address(), v.Address) })
		if k < 0 {
			commit.Signatures = append(commit.Signatures, types.NewCommitSigAbsent())
			continue
		}
		vote := &types.Vote{Type: cmtproto.PrecommitType, Height: b.header.Height, BlockID: id, Timestamp: b.header.Time, ValidatorAddress: v.Address, ValidatorIndex: int32(i)}
		if b.nilVotes {
			vote.BlockID = types.BlockID{}
		}
		sig, err := private(b.signers[k]).Sign(types.VoteSignBytes(b.chainID, vote.ToProto()))
		if err != nil {
			t.Fatal(err)
		}
		vote.Signature = sig
		commit.Signatures = append(commit.Signatures, vote.CommitSig())
	}
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: &b.header, Commit: commit}, ValidatorSet: b.validators}
}

func later(height int64) time.Time { return start.Add(time.Duration(height) * time.Second) }

var four = []int{0, 1, 2, 3}

// follow verifies heights 1 to n of four validators.
func follow(t testing.TB, n int64) State {
	t.Helper()
	s := FromGenesis(genesis(t, four...))
	for h := int64(1); h <= n; h++ {
		var err error
		if s, err = s.Verify(newBlock(t, h, four, four).sign(t), later(h), opts); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestFollowsHeaderByHeader(t *testing.T) {
	s := FromGenesis(genesis(t, four...))
	if s.Height != 0 || s.ChainID != chainID {
		t.Fatalf("%+v", s)
	}
	first := newBlock(t, 1, four, four)
	first.header.Time = start // as CometBFT makes it
	s, err := s.Verify(first.sign(t), later(1), opts)
	if err != nil {
		t.Fatal(err)
	}
	// The set changes: height 2 names the validators of height 3.
	if s, err = s.Verify(newBlock(t, 2, four, []int{4, 5}).sign(t), later(2), opts); err != nil {
		t.Fatal(err)
	}
	three := newBlock(t, 3, []int{4, 5}, []int{4, 5}).sign(t)
	if s, err = s.Verify(three, later(3), opts); err != nil {
		t.Fatal(err)
	}
	if s.Height != 3 || !bytes.Equal(s.Hash, three.Hash()) || !bytes.Equal(s.AppHash, three.AppHash) || !s.Time.Equal(later(3)) {
		t.Errorf("%+v", s)
	}
}

func TestJumps(t *testing.T) {
	s := follow(t, 1)
	for name, b := range map[string]*block{
		"the same validators": newBlock(t, 500, four, four),
		"half of them left":   newBlock(t, 500, []int{0, 1, 4, 5}, four),
		"signed by three of four": func() *block {
			b := newBlock(t, 500, four, four)
			b.signers = four[:3]
			return b
		}(),
	} {
		if got, err := s.Verify(b.sign(t), later(500), opts); err != nil || got.Height != 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromGenesis(genesis(t, four...)).Verify(newBlock(t, 500, four, four).sign(t), later(500), opts); err != nil {
		t.Errorf("from the genesis: %v", err)
	}
	if _, err := s.Verify(newBlock(t, 500, four, four).sign(t), start.Add(opts.TrustingPeriod), opts); err != nil {
		t.Errorf("within the trusting period: %v", err)
	}
}

// P3: the table of forged headers; the state after a refusal is the state before it.
func TestP03_ForgedHeaders(t *testing.T) {
	trusted := follow(t, 10)
	at := func(h int64, change func(b *block)) *types.LightBlock {
		b := newBlock(t, h, four, four)
		change(b)
		return b.sign(t)
	}
	none := func(*block) {}
	day := opts.TrustingPeriod
	for _, c := range []struct {
		name string
		lb   *types.LightBlock
		now  time.Time
		want string // part of the error
	}{
		{"nothing", nil, later(11), "no header"},
		{"no header", &types.LightBlock{ValidatorSet: set(t, 0)}, later(11), "no header"},
		{"no validators", &types.LightBlock{SignedHeader: at(11, none).SignedHeader}, later(11), "no header"},
		{"an empty signed header", &types.LightBlock{SignedHeader: &types.SignedHeader{}, ValidatorSet: set(t, 0)}, later(11), "missing header"},
		{"wrong chain", at(11, func(b *block) { b.header.ChainID = "phala-fork"; b.chainID = "phala-fork" }), later(11), "another chain"},
		{"votes for another chain", at(11, func(b *block) { b.chainID = "phala-fork" }), later(11), "wrong signature"},
		{"swapped validators, adjacent", newBlock(t, 11, []int{6, 7, 8, 9}, four).sign(t), later(11), "the trusted header named"},
		{"one validator swapped, adjacent", newBlock(t, 11, []int{0, 1, 2, 9}, four).sign(t), later(11), "the trusted header named"},
		{"swapped validators, jump", newBlock(t, 50, []int{6, 7, 8, 9}, four).sign(t), later(50), "jump from 10 to 50"},
		{"one trusted validator of four, jump", newBlock(t, 50, []int{0, 6, 7, 8}, four).sign(t), later(50), "jump from 10 to 50"},
		{"another set than the header's", func() *types.LightBlock {
			lb := at(11, none)
			lb.ValidatorSet = set(t, 6, 7, 8, 9)
			return lb
		}(), later(11), "validator"},
		{"half of the power, adjacent", at(11, func(b *block) { b.signers = four[:2] }), later(11), "power"},
		{"half of the power, jump", at(50, func(b *block) { b.signers = four[:2] }), later(50), "power"},
		{"nobody's signature", at(11, func(b *block) { b.signers = nil }), later(11), ""},
		{"votes for nil", at(11, func(b *block) { b.nilVotes = true }), later(11), ""},
		{"exactly two thirds", func() *types.LightBlock {
			b := newBlock(t, 50, []int{0, 1, 2, 3, 4, 5}, four)
			b.signers = four // all that are trusted, so the jump is one
			return b.sign(t)
		}(), later(50), "height 50: invalid commit"},
		{"jump past the trusting period", at(50, none), start.Add(10*time.Second + day), "trusting period"},
		{"adjacent past the trusting period", at(11, none), start.Add(10*time.Second + day), "trusting period"},
		{"old height", at(9, none), later(11), "height 9"},
		{"same height", at(10, none), later(11), "height 10"},
		{"another block of the same height", at(10, func(b *block) { b.header.AppHash = bytes.Repeat([]byte{1}, 32) }), later(11), "height 10"},
		{"time before the trusted", at(11, func(b *block) { b.header.Time = later(9) }), later(11), "not after"},
		{"time of the trusted", at(11, func(b *block) { b.header.Time = later(10) }), later(11), "not after"},
		{"from the future", at(11, none), later(11).Add(-opts.MaxClockDrift - time.Millisecond), "future"},
		{"app hash changed after signing", func() *types.LightBlock {
			lb := at(11, none)
			lb.AppHash = bytes.Repeat([]byte{1}, 32)
			return lb
		}(), later(11), "commit signs block"},
		{"commit of another block", func() *types.LightBlock {
			lb := at(11, none)
			lb.Commit = at(11, func(b *block) { b.header.AppHash = bytes.Repeat([]byte{1}, 32) }).Commit
			return lb
		}(), later(11), "commit signs block"},
		{"commit of another height", func() *types.LightBlock {
			lb := at(11, none)
			lb.Commit = at(12, none).Commit
			return lb
		}(), later(11), "height"},
		{"signatures moved", func() *types.LightBlock {
			lb := at(11, none)
			lb.Commit.Signatures[0], lb.Commit.Signatures[1] = lb.Commit.Signatures[1], lb.Commit.Signatures[0]
			return lb
		}(), later(11), ""},
		{"one signature repeated", func() *types.LightBlock {
			lb := at(11, none)
			for i := range lb.Commit.Signatures {
				lb.Commit.Signatures[i] = lb.Commit.Signatures[0]
			}
			return lb
		}(), later(11), ""},
		{"a signature flipped", func() *types.LightBlock {
			lb := at(11, none)
			lb.Commit.Signatures[0].Signature[3] ^= 1
			return lb
		}(), later(11), "wrong signature"},
		{"a signature too few in the list", func() *types.LightBlock {
			lb := at(11, none)
			lb.Commit.Signatures = lb.Commit.Signatures[:3]
			return lb
		}(), later(11), ""},
		{"no commit", func() *types.LightBlock {
			lb := at(11, none)
			lb.Commit = nil
			return lb
		}(), later(11), "missing commit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := trusted.Verify(c.lb, c.now, opts)
			if err == nil {
				t.Fatal("taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want something about %q", err, c.want)
			}
			if s.Height != trusted.Height || !bytes.Equal(s.Hash, trusted.Hash) {
				t.Errorf("the state went to height %d", s.Height)
			}
		})
	}
}

// More than a third is what a jump takes: a third might all be liars.
func TestP03_AThirdIsNoJump(t *testing.T) {
	three := []int{0, 1, 2}
	s, err := FromGenesis(genesis(t, three...)).Verify(newBlock(t, 1, three, three).sign(t), later(1), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(newBlock(t, 50, []int{0, 6, 7}, four).sign(t), later(50), opts); err == nil || !strings.Contains(err.Error(), "jump from 1 to 50") {
		t.Errorf("one of three: %v", err)
	}
	if _, err := s.Verify(newBlock(t, 50, []int{0, 1, 6}, four).sign(t), later(50), opts); err != nil {
		t.Errorf("two of three: %v", err)
	}
}

// Who bought the keys of a genesis that is older than the trusting period makes no headers from it, near or far.
func TestP03_OldGenesisIsNoStart(t *testing.T) {
	s := FromGenesis(genesis(t, four...))
	now := start.Add(opts.TrustingPeriod)
	for _, h := range []int64{1, 500} {
		b := newBlock(t, h, four, four)
		b.header.Time = now.Add(-time.Second)
		if _, err := s.Verify(b.sign(t), now, opts); err == nil {
			t.Errorf("height %d was taken", h)
		}
	}
	before := newBlock(t, 1, four, four)
	before.header.Time = start.Add(-time.Second)
	if _, err := s.Verify(before.sign(t), start, opts); err == nil {
		t.Error("a first block before the genesis was taken")
	}
	if _, err := s.Verify(newBlock(t, 1, four, four).sign(t), later(1), Options{}); err == nil {
		t.Error("options of zero took a header")
	}
}

func TestInitialHeight(t *testing.T) {
	for text, want := range map[string]uint64{"7": 7, `"7"`: 7, "0": 1, `"1"`: 1} {
		g, err := ParseGenesis(genesisFile(text, four...))
		if err != nil || g.InitialHeight != want {
			t.Errorf("%s: %v, %v", text, g, err)
		}
	}
	g, err := ParseGenesis(genesisFile("7", four...))
	if err != nil {
		t.Fatal(err)
	}
	s := FromGenesis(g)
	if _, err := s.Verify(newBlock(t, 6, four, four).sign(t), later(7), opts); err == nil {
		t.Error("a height before the first was taken")
	}
	if _, err := s.Verify(newBlock(t, 7, []int{0, 1, 2, 9}, four).sign(t), later(7), opts); err == nil {
		t.Error("the first block of other validators was taken")
	}
	if _, err := s.Verify(newBlock(t, 7, four, four).sign(t), later(7), opts); err != nil {
		t.Error(err)
	}
}

func TestGenesis(t *testing.T) {
	file := genesisFile("1", four...)
	g, err := ParseGenesis(file)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(file)
	if g.ChainID != chainID || !g.Time.Equal(start) || !g.Development || !bytes.Equal(g.Hash, hash[:]) || !bytes.Equal(g.Validators.Hash(), set(t, four...).Hash()) {
		t.Errorf("%+v", g)
	}
	good := string(file)
	for name, bad := range map[string]string{
		"no JSON":             "{",
		"no chain id":         strings.Replace(good, chainID, "", 1),
		"no validators":       `{"chain_id":"x"}`,
		"another kind of key": strings.Replace(good, "Ed25519", "Secp256k1", 1),
		"a short key":         strings.Replace(good, base64.StdEncoding.EncodeToString(private(0).PubKey().Bytes()), "AAAA", 1),
		"no power":            strings.Replace(good, `"power":"10"`, `"power":"0"`, 1),
		"negative power":      strings.Replace(good, `"power":"10"`, `"power":"-1"`, 1),
		"power is no number":  strings.Replace(good, `"power":"10"`, `"power":"ten"`, 1),
		"power overflows":     strings.ReplaceAll(good, `"power":"10"`, `"power":"9223372036854775807"`),
		"the same twice":      string(genesisFile("1", 0, 0)),
		"negative height":     string(genesisFile("-1", 0)),
		"height is a word":    string(genesisFile(`"x"`, 0)),
		"height is a quote":   string(genesisFile(`""`, 0)),
	} {
		if g, err := ParseGenesis([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestLightBlocksEncode(t *testing.T) {
	lb := newBlock(t, 5, four, four).sign(t)
	b, err := Encode(lb)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil || !bytes.Equal(got.Hash(), lb.Hash()) {
		t.Fatalf("%v", err)
	}
	if _, err := Decode(b[:len(b)-1]); err == nil {
		t.Error("a truncated block was decoded")
	}
}

func FuzzDecode(f *testing.F) {
	good, err := Encode(newBlock(f, 11, four, four).sign(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	huge := newBlock(f, 11, four, four)
	for _, v := range huge.validators.Validators {
		v.VotingPower = 1<<63 - 1
	}
	if p, err := (&types.LightBlock{SignedHeader: huge.sign(f).SignedHeader, ValidatorSet: set(f, 0)}).ToProto(); err == nil {
		for range 3 {
			v := *p.ValidatorSet.Validators[0]
			v.VotingPower = 1<<63 - 1
			p.ValidatorSet.Validators = append(p.ValidatorSet.Validators, &v)
		}
		if b, err := p.Marshal(); err == nil {
			f.Add(b)
		}
	}
	trusted := follow(f, 10)
	f.Fuzz(func(t *testing.T, b []byte) {
		lb, err := Decode(b)
		if err != nil {
			return
		}
		s, err := trusted.Verify(lb, later(11), opts)
		if err == nil && !bytes.Equal(s.Hash, newBlock(t, 11, four, four).header.Hash()) {
			t.Error("a forged header was taken")
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	s := follow(b, 10)
	lb := newBlock(b, 11, four, four).sign(b)
	for b.Loop() {
		if _, err := s.Verify(lb, later(11), opts); err != nil {
			b.Fatal(err)
		}
	}
}
