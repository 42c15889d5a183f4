package generation

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

// at brings a network of 4 members to the beginning of a phase, 3 before every member has spoken there.
func at(t testing.TB, phase wire.GenerationPhase) *network {
	t.Helper()
	x := newNetwork(t, 4, 2, "reject")
	for x.view.Generation.Phase != phase {
		x.block()
	}
	return x
}

// say is what member i would say now.
func say[M wire.Message](x *network, i int) M {
	x.t.Helper()
	out, err := x.members[i].Step(x.view, x.random[i])
	if err != nil || len(out) != 1 {
		x.t.Fatalf("member %d says %d messages: %v", i, len(out), err)
	}
	return clone(x.t, out[0]).(M)
}

func clone(t testing.TB, m wire.Message) wire.Message {
	t.Helper()
	var out wire.Message
	switch m.(type) {
	case *wire.GenerationJoin:
		out = new(wire.GenerationJoin)
	case *wire.Contribution:
		out = new(wire.Contribution)
	case *wire.Confirmation:
		out = new(wire.Confirmation)
	case *wire.Complaint:
		out = new(wire.Complaint)
	}
	if err := wire.Unmarshal(wire.Marshal(m), out); err != nil {
		t.Fatal(err)
	}
	return out
}

type change[M any] struct {
	change func(x *network, m M)
	want   string // in the reason
	resign bool   // signed by the member after the change
}

// rejects runs each change on a fresh network: it is refused with a reason, and leaves the chain as it was.
func rejects[M wire.Message](t *testing.T, phase wire.GenerationPhase, sign func(M, ed25519.PrivateKey), cases map[string]change[M]) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			x := at(t, phase)
			m := say[M](x, 1)
			c.change(x, m)
			if c.resign {
				sign(m, identityOf(1))
			}
			before := wire.Hash(x.view.Generation)
			err := x.deliver(m)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the reason is %v, want %q in it", err, c.want)
			}
			if !bytes.Equal(wire.Hash(x.view.Generation), before) {
				t.Error("it left a trace")
			}
		})
	}
}

func TestJoinsThatDoNotCount(t *testing.T) {
	low := func(point string) func(*network, *wire.GenerationJoin) {
		return func(_ *network, j *wire.GenerationJoin) {
			b, err := hex.DecodeString(point)
			if err != nil {
				t.Fatal(err)
			}
			copy(j.OneTimeKeys[2][1184:], b)
		}
	}
	type J = wire.GenerationJoin
	rejects(t, wire.GENERATION_PHASE_JOIN, func(j *J, k ed25519.PrivateKey) { j.Signature = ed25519.Sign(k, JoinBytes(chainID, j)) }, map[string]change[*J]{
		"of another epoch":              {func(_ *network, j *J) { j.Epoch++ }, "epoch 2", true},
		"of another attempt":            {func(_ *network, j *J) { j.Attempt++ }, "attempt 2", true},
		"no such member":                {func(_ *network, j *J) { j.Member = 4 }, "no member 4", true},
		"a member far outside":          {func(_ *network, j *J) { j.Member = 1 << 31 }, "no member", true},
		"twice":                         {func(x *network, j *J) { RecordJoin(x.view.Generation, j) }, "has joined", true},
		"an excluded member":            {func(x *network, _ *J) { Exclude(x.view.Generation, 1, wire.MEMBER_FAULT_LOST) }, "excluded", true},
		"in another phase":              {func(x *network, _ *J) { x.view.Generation.Phase = wire.GENERATION_PHASE_CONFIRM }, "phase", true},
		"for another chain":             {func(_ *network, j *J) { j.Signature = ed25519.Sign(identityOf(1), JoinBytes("phala-test-2", j)) }, "not signed", false},
		"signed by another":             {func(_ *network, j *J) { j.Signature = ed25519.Sign(identityOf(2), JoinBytes(chainID, j)) }, "not signed", false},
		"not signed":                    {func(_ *network, j *J) { j.Signature = nil }, "not signed", false},
		"changed":                       {func(_ *network, j *J) { j.OneTimeKeys[0] = j.OneTimeKeys[2] }, "not signed", false},
		"with another identity":         {func(_ *network, j *J) { j.IdentityKey = identityOf(2).Public().(ed25519.PublicKey) }, "not signed", true},
		"with half an identity":         {func(_ *network, j *J) { j.IdentityKey = j.IdentityKey[:16] }, "16 bytes", true},
		"a key too few":                 {func(_ *network, j *J) { j.OneTimeKeys = j.OneTimeKeys[:3] }, "3 one-time keys", true},
		"a key too many":                {func(_ *network, j *J) { j.OneTimeKeys = append(j.OneTimeKeys, j.OneTimeKeys[0]) }, "5 one-time keys", true},
		"a key for itself":              {func(_ *network, j *J) { j.OneTimeKeys[1] = j.OneTimeKeys[0] }, "itself", true},
		"no key for another":            {func(_ *network, j *J) { j.OneTimeKeys[0] = nil }, "0 bytes", true},
		"a short key":                   {func(_ *network, j *J) { j.OneTimeKeys[0] = j.OneTimeKeys[0][1:] }, "1215 bytes", true},
		"a key that is not reduced":     {func(_ *network, j *J) { copy(j.OneTimeKeys[0], bytes.Repeat([]byte{0xff}, 32)) }, "X-Wing", true},
		"the point 0":                   {low("0000000000000000000000000000000000000000000000000000000000000000"), "low order", true},
		"the point 1":                   {low("0100000000000000000000000000000000000000000000000000000000000000"), "low order", true},
		"a point of order 8":            {low("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "low order", true},
		"the other point of order 8":    {low("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "low order", true},
		"the point p-1":                 {low("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "low order", true},
		"the point p, which is 0":       {low("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "low order", true},
		"the point p+1, which is 1":     {low("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "low order", true},
		"0 with the bit that is unread": {low("0000000000000000000000000000000000000000000000000000000000000080"), "low order", true},
	})
}

func TestContributionsThatDoNotCount(t *testing.T) {
	type C = wire.Contribution
	sign := func(c *C, k ed25519.PrivateKey) { c.Signature = ed25519.Sign(k, ContributionBytes(chainID, c)) }
	rejects(t, wire.GENERATION_PHASE_CONTRIBUTE, sign, map[string]change[*C]{
		"of another epoch":        {func(_ *network, c *C) { c.Epoch = 0 }, "epoch 0", true},
		"of another attempt":      {func(_ *network, c *C) { c.Attempt = 7 }, "attempt 7", true},
		"no such member":          {func(_ *network, c *C) { c.Member = 4 }, "no member 4", true},
		"as another member":       {func(_ *network, c *C) { c.Member = 2 }, "nothing at place 1", true},
		"the second":              {func(x *network, c *C) { RecordContribution(x.view.Generation, c) }, "the first counts", true},
		"an excluded member":      {func(x *network, _ *C) { Exclude(x.view.Generation, 1, wire.MEMBER_FAULT_LOST) }, "excluded", true},
		"who has not joined":      {func(x *network, _ *C) { x.view.Generation.Members[1].JoinHash = nil }, "not joined", true},
		"in another phase":        {func(x *network, _ *C) { x.view.Generation.Phase = wire.GENERATION_PHASE_CONFIRM }, "phase", true},
		"for another chain":       {func(_ *network, c *C) { c.Signature = ed25519.Sign(identityOf(1), ContributionBytes("phala", c)) }, "not signed", false},
		"signed by another":       {func(_ *network, c *C) { sign(c, identityOf(3)) }, "not signed", false},
		"a commitment changed":    {func(_ *network, c *C) { c.Commitments[0][0]++ }, "not signed", false},
		"a commitment too few":    {func(_ *network, c *C) { c.Commitments = c.Commitments[1:] }, "2 commitments", true},
		"a commitment too many":   {func(_ *network, c *C) { c.Commitments = append(c.Commitments, make([]byte, 32)) }, "4 commitments", true},
		"a short commitment":      {func(_ *network, c *C) { c.Commitments[2] = make([]byte, 31) }, "31 bytes", true},
		"no commitment":           {func(_ *network, c *C) { c.Commitments[2] = nil }, "0 bytes", true},
		"nothing for one":         {func(_ *network, c *C) { c.Shares = c.Shares[:2] }, "nothing at place 2", true},
		"nothing at all":          {func(_ *network, c *C) { c.Shares = nil }, "nothing at place 0", true},
		"two for one":             {func(_ *network, c *C) { c.Shares = append(c.Shares, c.Shares[2]) }, "4 sealed shares", true},
		"out of order":            {func(_ *network, c *C) { slices.Reverse(c.Shares) }, "nothing at place 0", true},
		"something for itself":    {func(_ *network, c *C) { c.Shares[1].To = 1 }, "nothing at place 1", true},
		"a short encapsulation":   {func(_ *network, c *C) { c.Shares[0].Enc = c.Shares[0].Enc[1:] }, "1119", true},
		"a long ciphertext":       {func(_ *network, c *C) { c.Shares[0].Ciphertext = append(c.Shares[0].Ciphertext, 0) }, "and 119 bytes", true},
		"for one who is not here": {func(x *network, _ *C) { x.view.Generation.Members[2].JoinHash = nil }, "nothing at place 1", true},
	})
}

func TestConfirmationsThatDoNotCount(t *testing.T) {
	type C = wire.Confirmation
	sign := func(c *C, k ed25519.PrivateKey) { c.Signature = ed25519.Sign(k, ConfirmationBytes(chainID, c)) }
	rejects(t, wire.GENERATION_PHASE_CONFIRM, sign, map[string]change[*C]{
		"of another epoch":                   {func(_ *network, c *C) { c.Epoch++ }, "epoch 2", true},
		"of another attempt":                 {func(_ *network, c *C) { c.Attempt++ }, "attempt 2", true},
		"no such member":                     {func(_ *network, c *C) { c.Member = 9 }, "no member 9", true},
		"as another member":                  {func(_ *network, c *C) { c.Member = 2 }, "not signed", true},
		"twice":                              {func(x *network, c *C) { RecordConfirmation(x.view.Generation, c) }, "has confirmed", true},
		"an excluded member":                 {func(x *network, _ *C) { Exclude(x.view.Generation, 1, wire.MEMBER_FAULT_LOST) }, "excluded", true},
		"in another phase":                   {func(x *network, _ *C) { x.view.Generation.Phase = wire.GENERATION_PHASE_DONE }, "phase", true},
		"for another chain":                  {func(_ *network, c *C) { c.Signature = ed25519.Sign(identityOf(1), ConfirmationBytes("phala", c)) }, "not signed", false},
		"signed by another":                  {func(_ *network, c *C) { sign(c, identityOf(0)) }, "not signed", false},
		"of another content":                 {func(_ *network, c *C) { c.Transcript[0]++ }, "other contributions", true},
		"of no content":                      {func(_ *network, c *C) { c.Transcript = nil }, "other contributions", true},
		"of contributions that have changed": {func(x *network, _ *C) { x.view.Generation.Members[3].ContributionHash = make([]byte, 32) }, "other contributions", true},
	})
}

func TestComplaintsThatDoNotCount(t *testing.T) {
	type K = wire.Complaint
	sign := func(k *K, key ed25519.PrivateKey) { k.Signature = ed25519.Sign(key, ComplaintBytes(chainID, k)) }
	for name, c := range map[string]change[*K]{
		"of another epoch":           {func(_ *network, k *K) { k.Epoch++ }, "epoch 2", true},
		"of another attempt":         {func(_ *network, k *K) { k.Attempt++ }, "attempt 2", true},
		"no such member":             {func(_ *network, k *K) { k.Member = 4 }, "no member 4", true},
		"about no member":            {func(_ *network, k *K) { k.Against = 4 }, "no member 4", true},
		"about itself":               {func(_ *network, k *K) { k.Against = 1 }, "itself", true},
		"about who is excluded":      {func(x *network, _ *K) { Exclude(x.view.Generation, 3, wire.MEMBER_FAULT_LOST) }, "excluded", true},
		"by who is excluded":         {func(x *network, _ *K) { Exclude(x.view.Generation, 1, wire.MEMBER_FAULT_LOST) }, "excluded", true},
		"by who has confirmed":       {func(x *network, _ *K) { x.view.Generation.Members[1].Confirmed = true }, "confirmed", true},
		"in another phase":           {func(x *network, _ *K) { x.view.Generation.Phase = wire.GENERATION_PHASE_CONTRIBUTE }, "phase", true},
		"for another chain":          {func(_ *network, k *K) { k.Signature = ed25519.Sign(identityOf(1), ComplaintBytes("phala", k)) }, "not signed", false},
		"signed by the accused":      {func(_ *network, k *K) { sign(k, identityOf(3)) }, "not signed", false},
		"another key":                {func(x *network, k *K) { k.OneTimeKey = x.seeds[1][2] }, "not the one", true},
		"a short key":                {func(_ *network, k *K) { k.OneTimeKey = k.OneTimeKey[1:] }, "31 bytes", true},
		"without how it joined":      {func(x *network, _ *K) { delete(x.view.Joins, 1) }, "joined", true},
		"with how another joined":    {func(x *network, _ *K) { x.view.Joins[1] = x.view.Joins[2] }, "joined", true},
		"without what was sent":      {func(x *network, _ *K) { delete(x.view.Contributions, 3) }, "contributed", true},
		"with what another has sent": {func(x *network, _ *K) { x.view.Contributions[3] = x.view.Contributions[2] }, "contributed", true},
	} {
		t.Run(name, func(t *testing.T) {
			x := at(t, wire.GENERATION_PHASE_CONFIRM)
			k := &K{Epoch: 1, Attempt: 1, Member: 1, Against: 3, OneTimeKey: bytes.Clone(x.seeds[1][3])}
			sign(k, identityOf(1))
			c.change(x, k)
			if c.resign {
				sign(k, identityOf(1))
			}
			before := wire.Hash(x.view.Generation)
			if err := x.deliver(k); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the reason is %v, want %q in it", err, c.want)
			} else if strings.Contains(err.Error(), hex.EncodeToString(x.seeds[1][3][:4])) {
				t.Error("the reason shows the key")
			}
			if !bytes.Equal(wire.Hash(x.view.Generation), before) {
				t.Error("it left a trace")
			}
		})
	}
}

func TestGenerationsThatDoNotBegin(t *testing.T) {
	w := func(n int) (out []*wire.WorkerRef) {
		for i := range n {
			out = append(out, &wire.WorkerRef{Operator: "o", Slot: uint32(i)})
		}
		return out
	}
	for name, c := range map[string]func() (*wire.Generation, error){
		"nobody":             func() (*wire.Generation, error) { return New(1, 1, 1, nil, 1, 5) },
		"no threshold":       func() (*wire.Generation, error) { return New(1, 1, 0, w(4), 1, 5) },
		"too high":           func() (*wire.Generation, error) { return New(1, 1, 5, w(4), 1, 5) },
		"far too high":       func() (*wire.Generation, error) { return New(1, 1, 1<<31, w(4), 1, 5) },
		"too many":           func() (*wire.Generation, error) { return New(1, 1, 9, w(17), 1, 5) },
		"epoch 0":            func() (*wire.Generation, error) { return New(0, 1, 2, w(4), 1, 5) },
		"attempt 0":          func() (*wire.Generation, error) { return New(1, 0, 2, w(4), 1, 5) },
		"no blocks":          func() (*wire.Generation, error) { return New(1, 1, 2, w(4), 1, 0) },
		"blocks without end": func() (*wire.Generation, error) { return New(1, 1, 2, w(4), 9, 1<<64-1) },
		"one twice":          func() (*wire.Generation, error) { return New(1, 1, 2, append(w(4), w(1)...), 1, 5) },
	} {
		if g, err := c(); err == nil || g != nil {
			t.Errorf("%s: began", name)
		}
	}
	if _, err := Set(at(t, wire.GENERATION_PHASE_CONFIRM).view.Generation); err == nil {
		t.Error("there is a set before the end")
	}
	for _, g := range []*wire.Generation{nil, {}, {Epoch: 1, Attempt: 1, Threshold: 1, Members: []*wire.GenerationMember{nil}}} {
		if CheckJoin(chainID, g, nil) == nil || CheckContribution(chainID, g, nil) == nil || CheckConfirmation(chainID, g, nil) == nil {
			t.Errorf("something counts in %v", g)
		}
		if _, _, err := Judge(chainID, g, nil, nil, nil); err == nil {
			t.Errorf("something was judged in %v", g)
		}
	}
}

// A phase ends when all have spoken or at its deadline, and no message moves a generation that has ended.
func TestDeadlines(t *testing.T) {
	x := newNetwork(t, 4, 2, "late")
	g := x.view.Generation
	if g.Deadline != 105 {
		t.Fatalf("deadline %d", g.Deadline)
	}
	x.down[0], x.down[1] = true, true
	for range 5 {
		x.block()
	}
	if g.Phase != wire.GENERATION_PHASE_JOIN || x.faults() != "----" {
		t.Fatalf("before the deadline: %s %s", g.Phase, x.faults())
	}
	x.block()
	if g.Phase != wire.GENERATION_PHASE_CONTRIBUTE || x.faults() != "SS--" || g.PhaseHeight != 105 || g.Deadline != 110 {
		t.Fatalf("at the deadline: %v", g)
	}
	if !Exclude(g, 3, wire.MEMBER_FAULT_LOST) || Exclude(g, 3, wire.MEMBER_FAULT_SILENT) || Exclude(g, 7, wire.MEMBER_FAULT_LOST) || Exclude(g, 2, wire.MEMBER_FAULT_NONE) {
		t.Error("exclusion does not hold")
	}
	x.block()
	if g.Phase != wire.GENERATION_PHASE_FAILED || x.faults() != "SS-L" || g.Deadline != 0 {
		t.Fatalf("with one of two left: %v", g)
	}
	if Next(g, 1000, 2) || Exclude(g, 2, wire.MEMBER_FAULT_LOST) {
		t.Error("a failed generation goes on")
	}
	if Least(4, true) != 4 || Least(4, false) != 5 {
		t.Error("least")
	}
}
