package keepertest

import (
	"math/rand/v2"
	"strings"
	"testing"

	errorsmod "cosmossdk.io/errors"

	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

// word gives what member i has to say in the phase under way.
func word[M wire.Message](k *gatekeepers, i int) M {
	k.t.Helper()
	v := k.view()
	k.join(v.Generation)
	words, err := k.members[i].Step(v, rand.NewChaCha8([32]byte{98, byte(i)}))
	k.check(err)
	if len(words) != 1 {
		k.t.Fatalf("member %d has %d words", i, len(words))
	}
	m, ok := words[0].(M)
	if !ok {
		k.t.Fatalf("member %d says %T", i, words[0])
	}
	return m
}

// fresh decodes a copy that a test may change.
func fresh[M wire.Message](k *gatekeepers, m, into M) M {
	k.t.Helper()
	k.check(wire.Unmarshal(wire.Marshal(m), into))
	return into
}

// refuse wants messages to be refused and nothing to have changed.
func (k *gatekeepers) refuse(name string, m wire.Message, err *errorsmod.Error, words string) {
	k.t.Helper()
	before := k.state()
	res := k.send(k.said(m))[0]
	if res.Codespace != err.Codespace() || res.Code != err.ABCICode() || !strings.Contains(res.Log, words) {
		k.t.Errorf("%s: got %s/%d %s\nwant %s/%d with %q", name, res.Codespace, res.Code, res.Log, err.Codespace(), err.ABCICode(), words)
	}
	if k.state() != before {
		k.t.Errorf("%s: it changed the state", name)
	}
}

// toPhase lets members move until a phase, without the deadline of any.
func (k *gatekeepers) toPhase(p wire.GenerationPhase) {
	k.t.Helper()
	for k.generation().GetPhase() != p {
		k.step()
	}
}

func TestJoinsAreRefused(t *testing.T) {
	k := newGatekeepersWith(t, 4, 2, 0, 200)
	k.toPhase(wire.GENERATION_PHASE_JOIN)
	good := word[*wire.GenerationJoin](k, 0)
	stranger := newBoot(k.Accounts[1], 0, wire.ROLE_GATEKEEPER, "stranger")
	for name, c := range map[string]struct {
		change func(*wire.GenerationJoin)
		by     *boot
		err    *errorsmod.Error
		words  string
	}{
		"epoch":            {func(j *wire.GenerationJoin) { j.Epoch++ }, k.boots[0], gatekeepertypes.ErrRound, "epoch 2"},
		"attempt":          {func(j *wire.GenerationJoin) { j.Attempt++ }, k.boots[0], gatekeepertypes.ErrRound, "attempt 2"},
		"member":           {func(j *wire.GenerationJoin) { j.Member = 4 }, k.boots[0], gatekeepertypes.ErrMalformed, "4 members"},
		"as another":       {func(j *wire.GenerationJoin) { j.Member = 1 }, k.boots[0], gatekeepertypes.ErrIdentity, "/1"},
		"another identity": {func(j *wire.GenerationJoin) { j.IdentityKey = stranger.public() }, stranger, gatekeepertypes.ErrIdentity, "register the boot"},
		"signature":        {func(j *wire.GenerationJoin) {}, stranger, gatekeepertypes.ErrMalformed, "not signed"},
		"no key":           {func(j *wire.GenerationJoin) { j.OneTimeKeys[2] = nil }, k.boots[0], gatekeepertypes.ErrMalformed, "member 2"},
		"one key less":     {func(j *wire.GenerationJoin) { j.OneTimeKeys = j.OneTimeKeys[:3] }, k.boots[0], gatekeepertypes.ErrMalformed, "3 one-time keys"},
		"a key for itself": {func(j *wire.GenerationJoin) { j.OneTimeKeys[0] = j.OneTimeKeys[1] }, k.boots[0], gatekeepertypes.ErrMalformed, "itself"},
		"a large key":      {func(j *wire.GenerationJoin) { j.OneTimeKeys[2] = make([]byte, 100_000) }, k.boots[0], gatekeepertypes.ErrMalformed, "member 2"},
	} {
		j := fresh(k, good, new(wire.GenerationJoin))
		c.change(j)
		resign(c.by, j, k.Genesis.ChainID)
		k.refuse(name, j, c.err, c.words)
	}
	if res := k.send(k.said(good))[0]; res.Code != 0 {
		t.Fatal(res.Log)
	}
	k.refuse("again", good, gatekeepertypes.ErrRepeated, "nothing to do")
	k.refuse("too early", &wire.Contribution{Epoch: 1, Attempt: 1}, gatekeepertypes.ErrPhase, "GENERATION_PHASE_JOIN")
	k.refuse("nothing", (*wire.GenerationJoin)(nil), gatekeepertypes.ErrRound, "epoch 0")
}

func TestContributionsAreRefused(t *testing.T) {
	k := newGatekeepersWith(t, 4, 2, 0, 200)
	k.toPhase(wire.GENERATION_PHASE_CONTRIBUTE)
	good := word[*wire.Contribution](k, 0)
	for name, c := range map[string]struct {
		change func(*wire.Contribution)
		by     *boot
		err    *errorsmod.Error
		words  string
	}{
		"epoch":             {func(c *wire.Contribution) { c.Epoch++ }, k.boots[0], gatekeepertypes.ErrRound, "epoch 2"},
		"member":            {func(c *wire.Contribution) { c.Member = 1 << 31 }, k.boots[0], gatekeepertypes.ErrMalformed, "4 members"},
		"as another":        {func(c *wire.Contribution) { c.Member = 1 }, k.boots[0], gatekeepertypes.ErrMalformed, "member"},
		"signature":         {func(*wire.Contribution) {}, k.boots[1], gatekeepertypes.ErrMalformed, "not signed"},
		"commitments":       {func(c *wire.Contribution) { c.Commitments = c.Commitments[1:] }, k.boots[0], gatekeepertypes.ErrMalformed, "commitments"},
		"many commitments":  {func(c *wire.Contribution) { c.Commitments = make([][]byte, 50_000) }, k.boots[0], gatekeepertypes.ErrMalformed, "50000 commitments"},
		"a long commitment": {func(c *wire.Contribution) { c.Commitments[0] = make([]byte, 500_000) }, k.boots[0], gatekeepertypes.ErrMalformed, "500000 bytes"},
		"a large one":       {func(c *wire.Contribution) { c.Shares[0].Ciphertext = make([]byte, 1_000_000) }, k.boots[0], gatekeepertypes.ErrMalformed, "1000000"},
		"none for a member": {func(c *wire.Contribution) { c.Shares = c.Shares[:2] }, k.boots[0], gatekeepertypes.ErrMalformed, "member 3"},
		"no polynomial":     {func(c *wire.Contribution) { c.Beacon = nil }, k.boots[0], gatekeepertypes.ErrMalformed, ""},
		"another's":         {func(c *wire.Contribution) { c.Beacon[1] = make([]byte, 96) }, k.boots[0], gatekeepertypes.ErrMalformed, ""},
	} {
		m := fresh(k, good, new(wire.Contribution))
		c.change(m)
		resign(c.by, m, k.Genesis.ChainID)
		k.refuse(name, m, c.err, c.words)
	}
	if res := k.send(k.said(good))[0]; res.Code != 0 {
		t.Fatal(res.Log)
	}
	k.refuse("again", good, gatekeepertypes.ErrRepeated, "its first counts")
	k.refuse("nothing", (*wire.Contribution)(nil), gatekeepertypes.ErrRound, "epoch 0")
}

func TestComplaintsAndConfirmationsAreRefused(t *testing.T) {
	k := newGatekeepersWith(t, 4, 2, 0, 200)
	var kept *wire.Contribution
	k.lie = func(i int, m wire.Message) wire.Message {
		if c, ok := m.(*wire.Contribution); ok && i == 3 {
			kept = c
			c.Shares[0].Ciphertext[0] ^= 1 // to member 0
			resign(k.boots[3], c, k.Genesis.ChainID)
		}
		return m
	}
	k.toPhase(wire.GENERATION_PHASE_CONFIRM)
	k.lie = nil
	k.refuse("a late contribution", kept, gatekeepertypes.ErrPhase, "GENERATION_PHASE_CONFIRM")
	complaint := word[*wire.Complaint](k, 0)
	for name, c := range map[string]struct {
		change func(*wire.Complaint)
		by     *boot
		err    *errorsmod.Error
		words  string
	}{
		"attempt":       {func(c *wire.Complaint) { c.Attempt = 2 }, k.boots[0], gatekeepertypes.ErrRound, "attempt 2"},
		"itself":        {func(c *wire.Complaint) { c.Against = 0 }, k.boots[0], gatekeepertypes.ErrComplaint, "name another"},
		"nobody":        {func(c *wire.Complaint) { c.Against = 4 }, k.boots[0], gatekeepertypes.ErrComplaint, "name another"},
		"another's key": {func(c *wire.Complaint) { c.Against = 2 }, k.boots[0], gatekeepertypes.ErrComplaint, "nobody is excluded"},
		"no key":        {func(c *wire.Complaint) { c.OneTimeKey = nil }, k.boots[0], gatekeepertypes.ErrComplaint, "0 bytes"},
		"for another":   {func(c *wire.Complaint) { c.Member = 1 }, k.boots[0], gatekeepertypes.ErrComplaint, "not signed"},
		"signature":     {func(*wire.Complaint) {}, k.boots[1], gatekeepertypes.ErrComplaint, "not signed"},
	} {
		m := fresh(k, complaint, new(wire.Complaint))
		c.change(m)
		resign(c.by, m, k.Genesis.ChainID)
		k.refuse(name, m, c.err, c.words)
	}

	good := word[*wire.Confirmation](k, 1)
	for name, c := range map[string]struct {
		change func(*wire.Confirmation)
		by     *boot
		err    *errorsmod.Error
		words  string
	}{
		"epoch":      {func(c *wire.Confirmation) { c.Epoch = 7 }, k.boots[1], gatekeepertypes.ErrRound, "epoch 7"},
		"transcript": {func(c *wire.Confirmation) { c.Transcript[0] ^= 1 }, k.boots[1], gatekeepertypes.ErrMalformed, "other contributions"},
		"as another": {func(c *wire.Confirmation) { c.Member = 2 }, k.boots[1], gatekeepertypes.ErrMalformed, "not signed"},
	} {
		m := fresh(k, good, new(wire.Confirmation))
		c.change(m)
		resign(c.by, m, k.Genesis.ChainID)
		k.refuse(name, m, c.err, c.words)
	}
	if res := k.send(k.said(good))[0]; res.Code != 0 {
		t.Fatal(res.Log)
	}
	k.refuse("confirmed again", good, gatekeepertypes.ErrRepeated, "nothing to do")
	late := fresh(k, complaint, new(wire.Complaint))
	late.Member = 1
	resign(k.boots[1], late, k.Genesis.ChainID)
	k.refuse("a complaint after the confirmation", late, gatekeepertypes.ErrComplaint, "comes before")
	if res := k.send(k.said(complaint))[0]; res.Code != 0 {
		t.Fatal(res.Log)
	}
	k.saw(gatekeepertypes.EventExcluded, gatekeepertypes.AttributeMember, "3")
	k.refuse("the complaint again", complaint, gatekeepertypes.ErrComplaint, "nothing to do")
	excluded := &wire.Confirmation{Epoch: 1, Attempt: 1, Member: 3}
	k.refuse("who is excluded", excluded, gatekeepertypes.ErrExcluded, "wait for the next generation")
	k.down[3] = true
	g := k.run(1, 1)
	k.refuse("after the end", good, gatekeepertypes.ErrPhase, "GENERATION_PHASE_DONE")
	k.agree(g)
}

// Words cost gas by their bytes, whether they count or not, and a complaint what opening it costs.
func TestWordsCostGas(t *testing.T) {
	k := newGatekeepersWith(t, 4, 2, 0, 200)
	k.toPhase(wire.GENERATION_PHASE_CONTRIBUTE)
	junk := &wire.Contribution{Epoch: 1, Attempt: 1, Commitments: [][]byte{make([]byte, 1_000_000)}}
	if res := k.send(k.said(junk))[0]; res.Code == 0 || res.GasUsed < 10_000_000 {
		t.Errorf("a megabyte of nothing costs %d gas, code %d", res.GasUsed, res.Code)
	}
	many := &wire.Contribution{Epoch: 1, Attempt: 1, Beacon: make([][]byte, 10_000)}
	if res := k.send(k.said(many))[0]; res.Code == 0 || res.GasUsed < 100_000_000 {
		t.Errorf("ten thousand coefficients cost %d gas, code %d", res.GasUsed, res.Code)
	}
	k.toPhase(wire.GENERATION_PHASE_CONFIRM)
	v := k.view()
	f := &wire.Complaint{Epoch: 1, Attempt: 1, Member: 2, Against: 1, OneTimeKey: k.seeds[2].Bytes()[32:64]}
	resign(k.boots[2], f, k.Genesis.ChainID)
	res := k.send(k.said(f))[0]
	if res.Code != 0 || res.GasUsed < 40_000 {
		t.Errorf("a complaint costs %d gas: %s", res.GasUsed, res.Log)
	}
	t.Logf("gas: contribution of %d bytes, complaint %d", len(wire.Marshal(v.Contributions[0])), res.GasUsed)
}
