package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
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

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
)

const fakeChain = "phala-test"

var fakeStart = time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)

// fakeNode serves a chain whose validators, three of equal power, are replaced one every tenth block.
type fakeNode struct {
	height  int64
	forged  bool // headers signed by others
	asked   []uint64
	answers func(*wire.StoreKey) (*wire.StoreValue, error)
}

func fakeKey(i int) ed25519.PrivKey {
	return ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "validator %d", i))
}

func membersAt(height int64) []int {
	first := int(height / 10)
	return []int{first, first + 1, first + 2}
}

func fakeSet(members []int) *types.ValidatorSet {
	var vals []*types.Validator
	for _, m := range members {
		vals = append(vals, types.NewValidator(fakeKey(m).PubKey(), 10))
	}
	s, err := types.ValidatorSetFromExistingValidators(vals)
	if err != nil {
		panic(err)
	}
	return s
}

func fakeGenesis(t *testing.T) *light.Genesis {
	t.Helper()
	var vals []string
	for _, m := range membersAt(1) {
		vals = append(vals, fmt.Sprintf(`{"pub_key":{"type":"tendermint/PubKeyEd25519","value":%q},"power":"10"}`, base64.StdEncoding.EncodeToString(fakeKey(m).PubKey().Bytes())))
	}
	g, err := light.ParseGenesis(fmt.Appendf(nil, `{"chain_id":%q,"genesis_time":%q,"initial_height":1,"consensus":{"validators":[%s]}}`,
		fakeChain, fakeStart.Format(time.RFC3339), strings.Join(vals, ",")))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// LightBlock makes and signs the block of a height.
func (n *fakeNode) LightBlock(_ context.Context, height uint64) (*types.LightBlock, error) {
	n.asked = append(n.asked, height)
	h := int64(height)
	if h == 0 {
		h = n.height
	}
	members := membersAt(h)
	if n.forged {
		members = []int{90, 91, 92}
	}
	set := fakeSet(members)
	sum := sha256.Sum256(fmt.Appendf(nil, "block %d", h))
	header := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: fakeChain, Height: h, Time: fakeStart.Add(time.Duration(h) * time.Second),
		LastBlockID: types.BlockID{Hash: sum[:], PartSetHeader: types.PartSetHeader{Total: 1, Hash: sum[:]}}, LastCommitHash: sum[:], DataHash: sum[:],
		ValidatorsHash: set.Hash(), NextValidatorsHash: fakeSet(membersAt(h + 1)).Hash(), ConsensusHash: sum[:], AppHash: sum[:], LastResultsHash: sum[:],
		EvidenceHash: sum[:], ProposerAddress: set.Validators[0].Address,
	}
	id := types.BlockID{Hash: header.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: sum[:]}}
	commit := &types.Commit{Height: h, BlockID: id}
	for i, v := range set.Validators {
		k := slices.IndexFunc(members, func(m int) bool { return bytes.Equal(fakeKey(m).PubKey().Address(), v.Address) })
		vote := &types.Vote{Type: cmtproto.PrecommitType, Height: h, BlockID: id, Timestamp: header.Time, ValidatorAddress: v.Address, ValidatorIndex: int32(i)}
		sig, err := fakeKey(members[k]).Sign(types.VoteSignBytes(fakeChain, vote.ToProto()))
		if err != nil {
			return nil, err
		}
		vote.Signature = sig
		commit.Signatures = append(commit.Signatures, vote.CommitSig())
	}
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: header, Commit: commit}, ValidatorSet: set}, nil
}

// Value gives what the test wants.
func (n *fakeNode) Value(_ context.Context, _ uint64, k *wire.StoreKey) (*wire.StoreValue, error) {
	return n.answers(k)
}

func fakeFollower(t *testing.T, n *fakeNode) *Chain {
	t.Helper()
	c := NewChain(n, fakeGenesis(t), light.Options{TrustingPeriod: time.Hour, MaxClockDrift: 10 * time.Second})
	c.now = func() time.Time { return fakeStart.Add(time.Duration(n.height) * time.Second) }
	return c
}

func TestFollowsOverChangedValidators(t *testing.T) {
	n := &fakeNode{height: 5}
	c := fakeFollower(t, n)
	for _, to := range []int64{5, 9, 95} {
		n.height = to
		s, err := c.Head(t.Context())
		if err != nil || s.Height != uint64(to) {
			t.Fatalf("to %d: at %d, %v", to, s.Height, err)
		}
	}
	// Trust ends where fewer than a third of the validators are the same, so the long way was halved, not walked.
	if len(n.asked) < 5 || len(n.asked) > 40 {
		t.Errorf("asked for %v", n.asked)
	}
	n.height = 50
	if s, err := c.Head(t.Context()); err != nil || s.Height != 95 {
		t.Errorf("a node that is behind: at %d, %v", s.Height, err)
	}
}

func TestForgedHeadersAreRefused(t *testing.T) {
	n := &fakeNode{height: 5}
	c := fakeFollower(t, n)
	if _, err := c.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.height, n.forged = 7, true
	if s, err := c.Head(t.Context()); err == nil {
		t.Fatalf("followed to %d", s.Height)
	}
	n.forged = false
	if s, err := c.Head(t.Context()); err != nil || s.Height != 7 {
		t.Fatalf("the true one afterwards: at %d, %v", s.Height, err)
	}
}

func TestUnprovenValuesAreRefused(t *testing.T) {
	lost := errors.New("lost")
	for name, answer := range map[string]func(*wire.StoreKey) (*wire.StoreValue, error){
		"no proof": func(k *wire.StoreKey) (*wire.StoreValue, error) {
			return &wire.StoreValue{Key: k, Value: []byte{1}}, nil
		},
		"absence without proof": func(k *wire.StoreKey) (*wire.StoreValue, error) { return &wire.StoreValue{Key: k}, nil },
		"garbage": func(k *wire.StoreKey) (*wire.StoreValue, error) {
			return &wire.StoreValue{Key: k, Value: []byte{1}, IavlProof: []byte{1}, StoreProof: []byte{2}}, nil
		},
		"nothing": func(*wire.StoreKey) (*wire.StoreValue, error) { return nil, nil },
		"error":   func(*wire.StoreKey) (*wire.StoreValue, error) { return nil, lost },
	} {
		c := fakeFollower(t, &fakeNode{height: 5, answers: answer})
		var found bool
		_, err := c.Get(t.Context(), Read{"cluster", []byte{3}, &wire.Cluster{}, &found})
		if err == nil || found {
			t.Errorf("%s: taken", name)
		}
		if name == "error" && !errors.Is(err, lost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
