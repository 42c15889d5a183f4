package generation

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// Config says which generation a member takes part in, and as whom.
type Config struct {
	ChainID   string
	Epoch     uint64 // from 1
	Attempt   uint32 // from 1
	Threshold uint32
	N         int // members invited
	Me        int // own index among them
}

// Member is one gatekeeper in one attempt. It does not print. All it is told must have been proven on the chain.
type Member struct {
	cfg      Config
	round    round
	sets     []dprf.Set
	identity ed25519.PrivateKey // the caller's
	join     *wire.GenerationJoin
	joinHash []byte
	seeds    [][]byte // private halves of the one-time keys by who seals to them; wiped once opened
	own      []byte   // contributions, 32 bytes for each key that the member will hold, ascending
	dealt    []byte   // its own value of its own polynomial for the beacon
	said     *wire.Contribution
	received []*opened // by contributor; nil until opened
}

// opened is what another member's contribution came to: its values, or a complaint.
type opened struct {
	hash      []byte // of the contribution
	values    []byte // 32 bytes for each common set, ascending, and 32 for the beacon
	complaint *wire.Complaint
}

// Join draws the one-time keys of a member, and what it says to join. Identity signs all that it says from here on; rand is read
// for 32 bytes for each other member.
func Join(cfg Config, identity ed25519.PrivateKey, rand io.Reader) (*Member, *wire.GenerationJoin, error) {
	sets, err := dprf.Sets(cfg.N, int(min(cfg.Threshold, dprf.MaxN+1)))
	if err != nil {
		return nil, nil, fmt.Errorf("joining a generation: %w", err)
	}
	if cfg.ChainID == "" || cfg.Epoch == 0 || cfg.Attempt == 0 || cfg.Me < 0 || cfg.Me >= cfg.N || len(identity) != ed25519.PrivateKeySize {
		return nil, nil, fmt.Errorf("joining a generation: member %d of %d in epoch %d attempt %d of chain %q, identity key of %d bytes",
			cfg.Me, cfg.N, cfg.Epoch, cfg.Attempt, cfg.ChainID, len(identity))
	}
	m := &Member{
		cfg: cfg, round: round{cfg.ChainID, cfg.Epoch, cfg.Attempt}, sets: sets, identity: identity,
		seeds: make([][]byte, cfg.N), received: make([]*opened, cfg.N),
	}
	j := &wire.GenerationJoin{
		Epoch: cfg.Epoch, Attempt: cfg.Attempt, Member: m.me(), IdentityKey: m.public(), OneTimeKeys: make([][]byte, cfg.N),
	}
	for i := range cfg.N {
		if i == cfg.Me {
			continue
		}
		if m.seeds[i], j.OneTimeKeys[i], err = draw(rand); err != nil {
			m.Wipe()
			return nil, nil, fmt.Errorf("joining a generation: %w", err)
		}
	}
	j.Signature = ed25519.Sign(identity, JoinBytes(cfg.ChainID, j))
	m.join, m.joinHash = j, wire.Hash(j)
	return m, j, nil
}

// draw makes a one-time key.
func draw(rand io.Reader) (seed, public []byte, err error) {
	seed = make([]byte, SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, nil, fmt.Errorf("drawing a one-time key: %w", err)
	}
	sk, err := oneTimeKey(seed)
	if err != nil {
		return nil, nil, err
	}
	defer forget(sk)
	return seed, sk.PublicKey().Bytes(), nil
}

func (m *Member) me() uint32     { return uint32(m.cfg.Me) }
func (m *Member) public() []byte { return m.identity.Public().(ed25519.PublicKey) }

// takesPart says whether g is the member's own generation, in the phase, and it is still in it.
func (m *Member) takesPart(g *wire.Generation, phase wire.GenerationPhase) error {
	if m.join == nil {
		return errors.New("its keys are wiped")
	}
	if len(g.GetMembers()) != m.cfg.N || g.Threshold != m.cfg.Threshold {
		return fmt.Errorf("%d of %d members, joined was %d of %d", g.GetThreshold(), len(g.GetMembers()), m.cfg.Threshold, m.cfg.N)
	}
	me, _, err := sender(g, phase, m.cfg.Epoch, m.cfg.Attempt, m.me())
	if err != nil {
		return err
	}
	if g.Epoch != m.cfg.Epoch || g.Attempt != m.cfg.Attempt {
		return fmt.Errorf("epoch %d attempt %d, joined was epoch %d attempt %d", g.Epoch, g.Attempt, m.cfg.Epoch, m.cfg.Attempt)
	}
	if !identity(me, m.public()) || !bytes.Equal(me.JoinHash, m.joinHash) {
		return fmt.Errorf("member %d has joined with other keys than these", m.me())
	}
	return nil
}

// Wipe overwrites all secrets of the member; it takes part no more.
func (m *Member) Wipe() {
	for _, s := range m.seeds {
		clear(s)
	}
	for _, o := range m.received {
		if o != nil {
			clear(o.values)
			clear(o.complaint.GetOneTimeKey())
		}
	}
	clear(m.own)
	clear(m.dealt)
	m.seeds, m.received, m.own, m.dealt, m.said, m.join, m.joinHash, m.identity = nil, nil, nil, nil, nil, nil, nil, nil
}

// Keys gives the keys that the member holds in the epoch that g has begun, k_B for each B that it is outside of: XOR of what all
// members outside B contributed that are not excluded. It erases everything else of the member.
func (m *Member) Keys(g *wire.Generation) (map[dprf.Set]*keytree.Secret, error) {
	if err := m.takesPart(g, wire.GENERATION_PHASE_DONE); err != nil {
		return nil, fmt.Errorf("computing keys: %w", err)
	}
	mine := held(m.sets, m.me())
	sum := make([]byte, len(mine)*keytree.Size)
	defer clear(sum)
	for i, from := range g.Members {
		if from.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		values, err := m.from(uint32(i), from)
		if err != nil {
			return nil, fmt.Errorf("computing keys: %w", err)
		}
		for k, b := range mine {
			if !b.Holds(i) {
				continue
			}
			for x := range keytree.Size {
				sum[k*keytree.Size+x] ^= values[x]
			}
			values = values[keytree.Size:]
		}
	}
	keys := make(map[dprf.Set]*keytree.Secret, len(mine))
	for k, b := range mine {
		s, err := keytree.NewSecret(sum[k*keytree.Size : (k+1)*keytree.Size])
		if err != nil {
			return nil, fmt.Errorf("computing keys: %w", err)
		}
		keys[b] = s
	}
	m.Wipe()
	return keys, nil
}

// Beacon gives the member's share of the beacon's key in the epoch that g has begun: the sum of what all members dealt it that are
// not excluded. It is to be called before Keys, which erases.
func (m *Member) Beacon(g *wire.Generation) (*beacon.Share, error) {
	if err := m.takesPart(g, wire.GENERATION_PHASE_DONE); err != nil {
		return nil, fmt.Errorf("computing the beacon's share: %w", err)
	}
	var dealt [][]byte
	for i, from := range g.Members {
		if from.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		values, err := m.from(uint32(i), from)
		if err != nil {
			return nil, fmt.Errorf("computing the beacon's share: %w", err)
		}
		if i == m.cfg.Me {
			values = m.dealt
		}
		dealt = append(dealt, values[len(values)-beacon.ShareSize:])
	}
	return beacon.NewShare(m.cfg.Me, dealt)
}

// from gives what member i contributed to the keys that both hold.
func (m *Member) from(i uint32, as *wire.GenerationMember) ([]byte, error) {
	if i == m.me() {
		if m.said == nil || !bytes.Equal(as.ContributionHash, wire.Hash(m.said)) {
			return nil, fmt.Errorf("member %d has contributed another thing than this", i)
		}
		return m.own, nil
	}
	o := m.received[i]
	if o == nil || o.complaint != nil || !bytes.Equal(o.hash, as.ContributionHash) {
		return nil, fmt.Errorf("nothing of member %d was opened and found right", i)
	}
	return o.values, nil
}

// Format prints nothing of the member's secrets, whatever the verb.
func (Member) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[generation member]")) }

// LogValue prints nothing of the member's secrets.
func (Member) LogValue() slog.Value { return slog.StringValue("[generation member]") }

// MarshalText refuses: a member lives in memory alone.
func (Member) MarshalText() ([]byte, error) {
	return nil, errors.New("marshalling a member of a generation: refused")
}
