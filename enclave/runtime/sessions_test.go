package runtime_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/session"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

func opened(t *testing.T, n *enclavetest.Net, x *enclavetest.Node, p *wire.Permit) *enclavetest.Session {
	t.Helper()
	s, f := n.OpenSession(x, &wire.SessionOpening{Permit: p, Expires: n.Chain.Height + session.MaxLife - 10})
	if f != nil {
		t.Fatal(f)
	}
	return s
}

// A session answers as a query of its own does: from the newest final state, bound to it, and by the permit that opened it.
func TestSessionsAnswer(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	alice, bob := n.User("alice"), n.User("bob")
	open := deploy(t, n, alice, wire.QUERY_POLICY_OPEN)
	own := alice.Instantiate(n.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OWNER, fine)
	n.Blocks(5)
	x := n.Members[1]
	state(t, n, x, open)
	head := n.Chain.Head(n.Cluster)
	stranger, hers, his := opened(t, n, x, nil), opened(t, n, x, alice.Permit()), opened(t, n, x, bob.Permit())
	narrow := opened(t, n, x, alice.Permit(address.Encode(open)))
	for name, c := range map[string]struct {
		s        *enclavetest.Session
		contract []byte
		want     string
	}{
		"stranger, open": {stranger, open, one}, "stranger, owner's": {stranger, own.Item.Address, "permit-missing"},
		"alice, owner's": {hers, own.Item.Address, one}, "bob, owner's": {his, own.Item.Address, "query-denied"},
		"no contract": {hers, []byte("none"), "no-such-contract"}, "out of scope": {narrow, own.Item.Address, "permit-scope"}, "in scope": {narrow, open, one},
	} {
		a, f := c.s.Ask(x, &wire.QueryRequest{Contract: c.contract, Msg: []byte("{}")})
		if f != nil {
			t.Errorf("%s: %v", name, f)
			continue
		}
		if got := string(a.Data) + a.Failure.GetCode(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if a.Height != n.Chain.Height || a.Number != head.Number || !bytes.Equal(a.Root, head.Root) || !bytes.Equal(a.BatchHash, head.BatchHash) {
			t.Errorf("%s: bound to %v, the head is %v", name, a, head)
		}
	}
	alice.Execute(open, fine, "", "")
	n.Blocks(5)
	if a, f := stranger.Ask(x, &wire.QueryRequest{Contract: open, Msg: []byte("{}"), MinHeight: n.Chain.Height}); f != nil || string(a.Data) != two || a.Number != head.Number+1 {
		t.Errorf("after a batch: %v, %v", a, f)
	}
	if a, f := stranger.Ask(x, &wire.QueryRequest{Contract: open, Msg: []byte("{}"), MinHeight: n.Chain.Height + 1}); f != nil || a.Failure.GetCode() != "height-not-reached" {
		t.Errorf("of a height to come: %v, %v", a, f)
	}
	if a, f := stranger.Ask(x, &wire.QueryRequest{Contract: open, Msg: []byte("{}"), Permit: alice.Permit()}); f != nil || a.Failure.GetCode() != "malformed" {
		t.Errorf("a permit of its own: %v, %v", a, f)
	}
}

// P11: requests overtake each other, and none counts twice: not again, not after the opening was shown again, not at another member.
func TestP11_SessionsAreNotReplayed(t *testing.T) {
	n := enclavetest.New(t, 2, 2)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	x := n.Members[0]
	state(t, n, x, contract)
	pk, err := seal.PublicKey(n.Chain.Key(n.Cluster).InputKey)
	if err != nil {
		t.Fatal(err)
	}
	e, secret, err := session.Seal(pk, n.At(seal.DomainSession), &wire.SessionOpening{Expires: n.Chain.Height + 50})
	if err != nil {
		t.Fatal(err)
	}
	opening := &wire.SessionOpen{Cluster: n.Cluster, Envelope: e}
	s, f := n.ShowOpening(x, opening, secret)
	if f != nil {
		t.Fatal(f)
	}
	q := &wire.QueryRequest{Contract: contract, Msg: []byte("{}")}
	first, second := s.Request(q), s.Request(q)
	for name, c := range map[string]*wire.SessionCall{"overtaking": second, "overtaken": first} {
		if a, f := s.Send(x, c); f != nil || string(a.Data) != one {
			t.Errorf("%s: %v, %v", name, a, f)
		}
	}
	third := s.Request(q)
	for name, c := range map[string]struct {
		x    *enclavetest.Node
		call *wire.SessionCall
		want string
	}{
		"again":             {x, first, "replayed"},
		"another counter":   {x, &wire.SessionCall{Cluster: n.Cluster, Session: s.ID[:], Counter: 7, Ciphertext: third.Ciphertext}, "does-not-open"},
		"another session":   {x, &wire.SessionCall{Cluster: n.Cluster, Session: make([]byte, session.IDSize), Counter: 3, Ciphertext: third.Ciphertext}, "unknown-session"},
		"another cluster":   {x, &wire.SessionCall{Cluster: n.Cluster + 1, Session: s.ID[:], Counter: 3, Ciphertext: third.Ciphertext}, "unknown-cluster"},
		"another member":    {n.Members[1], third, "unknown-session"},
		"a gatekeeper":      {n.Keeper, third, "refused"},
		"nothing":           {x, &wire.SessionCall{}, "malformed"},
		"no counter":        {x, &wire.SessionCall{Cluster: n.Cluster, Session: s.ID[:], Ciphertext: third.Ciphertext}, "malformed"},
		"half a ciphertext": {x, &wire.SessionCall{Cluster: n.Cluster, Session: s.ID[:], Counter: 3, Ciphertext: third.Ciphertext[1:]}, "malformed"},
	} {
		if a, f := s.Send(c.x, c.call); f == nil || f.Code != c.want || f.Next == "" {
			t.Errorf("%s: %v, %v, want %s", name, a, f, c.want)
		}
	}
	if _, f := s.Send(x, nil); f == nil || f.Code != "malformed" {
		t.Errorf("no call: %v", f)
	}
	if a, f := s.Send(x, third); f != nil || string(a.Data) != one {
		t.Errorf("what was garbled on the way has used up its counter: %v, %v", a, f)
	}
	// Shown again the opening makes another session of the same name, under which nothing recorded opens.
	again, f := n.ShowOpening(x, opening, secret)
	if f != nil || again.ID != s.ID {
		t.Fatal(f)
	}
	if _, f := s.Send(x, first); f == nil || f.Code != "does-not-open" {
		t.Errorf("a request from before: %v", f)
	}
	elsewhere, f := n.ShowOpening(n.Members[1], opening, secret)
	if f != nil {
		t.Fatal(f)
	}
	if _, f := elsewhere.Send(n.Members[1], first); f == nil || f.Code != "does-not-open" {
		t.Errorf("a request at another member: %v", f)
	}
}

// What opens no session is told why: in the session where that can be, in clear where the seal does not open.
func TestOpeningsThatAreRefused(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	alice := n.User("alice")
	deploy(t, n, alice, wire.QUERY_POLICY_OPEN)
	x, h := n.Members[0], n.Chain.Height
	badly := alice.Permit()
	badly.Signature[5] ^= 1
	for name, c := range map[string]struct {
		o    *wire.SessionOpening
		want string
	}{
		"over":         {&wire.SessionOpening{Expires: h}, "session-life"},
		"never over":   {&wire.SessionOpening{Expires: h + session.MaxLife + 1}, "session-life"},
		"no end":       {&wire.SessionOpening{}, "session-life"},
		"badly signed": {&wire.SessionOpening{Expires: h + 5, Permit: badly}, "permit-invalid"},
		"empty permit": {&wire.SessionOpening{Expires: h + 5, Permit: &wire.Permit{}}, "permit-invalid"},
	} {
		if _, f := n.OpenSession(x, c.o); f == nil || f.Code != c.want || f.Next == "" {
			t.Errorf("%s: %v, want %s", name, f, c.want)
		}
	}
	pk, err := seal.PublicKey(n.Chain.Key(n.Cluster).InputKey)
	if err != nil {
		t.Fatal(err)
	}
	e, secret, err := seal.SealSession(pk, n.At(seal.DomainSession), []byte("garbage"))
	if err != nil {
		t.Fatal(err)
	}
	if _, f := n.ShowOpening(x, &wire.SessionOpen{Cluster: n.Cluster, Envelope: e}, session.Secret{SessionSecret: secret}); f == nil || f.Code != "malformed" {
		t.Errorf("garbage: %v", f)
	}
	query, _ := n.Seal(n.At(seal.DomainQuery), nil, []byte("a query"))
	for name, c := range map[string]struct {
		o    *wire.SessionOpen
		want string
	}{
		"nothing":         {&wire.SessionOpen{}, "unknown-cluster"},
		"no envelope":     {&wire.SessionOpen{Cluster: n.Cluster}, "malformed"},
		"a query":         {&wire.SessionOpen{Cluster: n.Cluster, Envelope: query}, "does-not-open"},
		"another cluster": {&wire.SessionOpen{Cluster: n.Cluster + 1, Envelope: e}, "unknown-cluster"},
	} {
		if _, f := n.ShowOpening(x, c.o, session.Secret{}); f == nil || f.Code != c.want {
			t.Errorf("%s: %v, want %s", name, f, c.want)
		}
	}
}

// A session ends at its height, with its keys, with the member's place, with its boot, and where no header comes.
func TestSessionsEnd(t *testing.T) {
	q := func(contract []byte) *wire.QueryRequest {
		return &wire.QueryRequest{Contract: contract, Msg: []byte("{}")}
	}
	code := func(s *enclavetest.Session, x *enclavetest.Node, contract []byte) string {
		a, f := s.Ask(x, q(contract))
		return string(a.GetData()) + a.GetFailure().GetCode() + f.GetCode()
	}
	start := func(t *testing.T) (*enclavetest.Net, []byte, *enclavetest.Session) {
		n := enclavetest.New(t, 2, 2)
		contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
		state(t, n, n.Members[0], contract)
		s := opened(t, n, n.Members[0], nil)
		if got := code(s, n.Members[0], contract); got != one {
			t.Fatal(got)
		}
		return n, contract, s
	}
	t.Run("height", func(t *testing.T) {
		n, contract, _ := start(t)
		x := n.Members[0]
		s, f := n.OpenSession(x, &wire.SessionOpening{Expires: n.Chain.Height + 2})
		if f != nil {
			t.Fatal(f)
		}
		n.Blocks(1)
		if got := code(s, x, contract); got != one {
			t.Error(got)
		}
		n.Blocks(1)
		if got := code(s, x, contract); got != "unknown-session" {
			t.Error(got)
		}
	})
	t.Run("epochs", func(t *testing.T) {
		n, contract, s := start(t)
		x := n.Members[0]
		border(t, n, contract)
		if got := code(s, x, contract); got != one {
			t.Errorf("in the epoch after: %s", got)
		}
		border(t, n, contract)
		n.Blocks(2)
		if got := code(s, x, contract); got != "unknown-session" {
			t.Errorf("two epochs on: %s", got)
		}
	})
	t.Run("members", func(t *testing.T) {
		n, contract, s := start(t)
		x := n.Members[0]
		n.Chain.UpdateMembers(n.Cluster, 1, false, nil, []*wire.WorkerRef{n.Members[1].Ref})
		n.Blocks(8)
		if got := code(s, x, contract); got != "unknown-session" {
			t.Error(got)
		}
		s = opened(t, n, x, nil)
		if got := code(s, x, contract); got != one {
			t.Error(got)
		}
	})
	t.Run("removal", func(t *testing.T) {
		n, contract, s := start(t)
		n.Chain.UpdateMembers(n.Cluster, 1, false, nil, []*wire.WorkerRef{n.Members[0].Ref})
		n.Blocks(2)
		if got := code(s, n.Members[0], contract); got != "unknown-cluster" {
			t.Error(got)
		}
	})
	t.Run("boot", func(t *testing.T) {
		n, contract, s := start(t)
		n.Members[0].Restart()
		n.Blocks(12)
		if got := code(s, n.Members[0], contract); got != "unknown-session" {
			t.Error(got)
		}
	})
	t.Run("P16: no header", func(t *testing.T) {
		n, contract, s := start(t)
		n.Skew = 2 * time.Minute
		if got := code(s, n.Members[0], contract); got != "stale" {
			t.Error(got)
		}
		n.Members[0].Do(&wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})
		if got := code(s, n.Members[0], contract); got != "unknown-cluster" {
			t.Errorf("after erasure: %s", got)
		}
	})
}

// A member has room for so many; the quietest session goes first.
func TestTheQuietestSessionGoes(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	alice := n.User("alice")
	contract := deploy(t, n, alice, wire.QUERY_POLICY_OPEN)
	x := n.Members[0]
	state(t, n, x, contract)
	q := &wire.QueryRequest{Contract: contract, Msg: []byte("{}")}
	var many []string
	for range 70 {
		many = append(many, address.Encode(contract))
	}
	big := alice.Permit(many...) // 4 KiB
	busy, quiet := opened(t, n, x, big), opened(t, n, x, big)
	for range 8<<20/(7<<10) + 10 {
		opened(t, n, x, big)
		if _, f := busy.Ask(x, q); f != nil {
			t.Fatal(f)
		}
	}
	if _, f := quiet.Ask(x, q); f == nil || f.Code != "unknown-session" {
		t.Errorf("a quiet session among thousands: %v", f)
	}
}

// Sessions are answered by many goroutines while the enclave works: each answer is of one state, and states do not go back.
func TestSessionsWhileBlocksCome(t *testing.T) {
	n := enclavetest.New(t, 2, 2)
	alice := n.User("alice")
	contract := deploy(t, n, alice, wire.QUERY_POLICY_OPEN)
	x := n.Members[0]
	state(t, n, x, contract)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		s := opened(t, n, x, nil)
		wg.Go(func() {
			answers, number := 0, uint64(0)
			for {
				select {
				case <-stop:
					if answers == 0 {
						t.Error("no answer")
					}
					return
				default:
				}
				a, f := s.Ask(x, &wire.QueryRequest{Contract: contract, Msg: []byte("{}")})
				switch {
				case f != nil && f.Code != "not-serving":
					t.Error(f)
					return
				case f != nil:
				case a.Number < number || a.Number > 1 != (string(a.Data) == two):
					t.Errorf("after batch %d: %v", number, a)
					return
				default:
					answers, number = answers+1, a.Number
				}
			}
		})
	}
	for range 6 {
		alice.Execute(contract, fine, "", "")
		n.Blocks(3)
	}
	close(stop)
	wg.Wait()
	if h := n.Chain.Head(n.Cluster); h.Number < 3 {
		t.Errorf("the cluster stands at batch %d", h.Number)
	}
}
