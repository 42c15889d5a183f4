package badinput

import (
	"strings"
	"time"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// queries: nobody reads what is not theirs, and each refusal says why.
func (w *world) queries() {
	addr, err := address.Decode(w.contract)
	check(w.t, err)
	v, err := w.alice.WaitCluster(w.ctx, 1)
	check(w.t, err)
	good := permit.Body{ChainID: w.net.ChainID, Cluster: 1, Expires: time.Now().Add(time.Hour).Truncate(time.Second)}
	sign := func(change func(*permit.Body)) *wire.Permit {
		b := good
		if change != nil {
			change(&b)
		}
		p, err := permit.Sign(w.alice.key.Private(), b)
		check(w.t, err)
		return p
	}
	spoiled := func(change func(*wire.Permit)) *wire.Permit {
		p := sign(nil)
		change(p)
		return p
	}
	own := []byte(`{"of":"` + w.alice.Address() + `","` + hush + `":1}`)
	for _, row := range []struct {
		name   string
		permit *wire.Permit
		change func(*wire.QueryRequest)
		code   string
	}{
		{"nobody asks", nil, nil, "permit-missing"},
		{"an expired permit", sign(func(b *permit.Body) { b.Expires = time.Now().Add(-time.Hour).Truncate(time.Second) }), nil, "permit-expired"},
		{"a permit for another chain", sign(func(b *permit.Body) { b.ChainID = "other-1" }), nil, "permit-scope"},
		{"a permit for another cluster", sign(func(b *permit.Body) { b.Cluster = 2 }), nil, "permit-scope"},
		{"a permit for another contract", sign(func(b *permit.Body) { b.Contracts = []string{w.villain} }), nil, "permit-scope"},
		{"a permit with a changed signature", spoiled(func(p *wire.Permit) { p.Signature[40] ^= 1 }), nil, "permit-invalid"},
		{"a permit with a changed body", spoiled(func(p *wire.Permit) {
			p.Body = []byte(strings.Replace(string(p.Body), `"cluster":1`, `"cluster":2`, 1))
		}), nil, "permit-invalid"},
		{"a permit with another's key", spoiled(func(p *wire.Permit) { p.PubKey = sign(nil).PubKey; p.PubKey[0] ^= 1 }), nil, "permit-invalid"},
		{"a permit without anything", &wire.Permit{}, nil, "permit-invalid"},
		{"another's account", sign(nil), func(q *wire.QueryRequest) { q.Msg = []byte(`{"of":"` + w.bob.Address() + `"}`) }, "query-denied"},
		{"what is no JSON", sign(nil), func(q *wire.QueryRequest) { q.Msg = []byte(hush) }, "query-denied"},
		{"a height not yet reached", sign(nil), func(q *wire.QueryRequest) { q.MinHeight = 1 << 40 }, "height-not-reached"},
		{"no such contract", sign(nil), func(q *wire.QueryRequest) { q.Contract = make([]byte, 32) }, "no-such-contract"},
		{"no contract's address", sign(nil), func(q *wire.QueryRequest) { q.Contract = []byte{1} }, "no-such-contract"},
		{"a query that the contract refuses", sign(nil), func(q *wire.QueryRequest) { q.Msg = []byte(`{"error":"` + hush + `"}`) }, "contract-error"},
		{"one that traps", sign(nil), func(q *wire.QueryRequest) { q.Msg = []byte(`"` + hush + `"`) }, "contract-trap"},
	} {
		w.row(row.name, func(w *world) {
			q := &wire.QueryRequest{Contract: addr, Msg: own, Permit: row.permit}
			if row.change != nil {
				row.change(q)
			}
			env, secret := sealByHand(w.t, v.Key.InputKey, seal.Context{Domain: seal.DomainQuery, ChainID: w.net.ChainID, Cluster: 1, Epoch: v.Key.Epoch, Roster: v.Key.Roster}, nil, wire.Marshal(q), nil)
			r, err := gatewayrpc.NewClient(httpClient, w.net.Gateways[1]).Query(w.ctx, &wire.QueryCallRequest{Cluster: 1, Envelope: env})
			check(w.t, err)
			key, err := seal.ReplyKeyOf(secret)
			check(w.t, err)
			plain, err := key.OpenReply(r.Reply)
			check(w.t, err)
			var reply wire.QueryReply
			check(w.t, wire.Unmarshal(plain, &reply))
			if reply.Failure == nil || len(reply.Data) > 0 {
				w.t.Fatalf("it was answered: %s", reply.Data)
			}
			if f := reply.Failure; f.Code != row.code || f.Message == "" || f.Next == "" {
				w.t.Errorf("%v, want %s", f, row.code)
			}
		})
	}
	for _, row := range []struct {
		name  string
		query string
		code  string
	}{
		{"one that loops for ever", string(villainMsg(lenLoop)), "out-of-gas"},
		{"one that wants all memory", string(villainMsg(lenHog)), "out-of-gas"},
	} {
		w.row(row.name, func(w *world) {
			_, err := w.bob.Query(w.ctx, 1, w.villain, []byte(row.query), nil)
			if err == nil {
				w.t.Fatal("it was answered")
			}
			if code := w.clear(err); code != row.code {
				w.t.Errorf("%q, want %q", code, row.code)
			}
		})
	}
	// What cannot be answered to anybody in particular comes in clear.
	pad := func(n int) *wire.Envelope {
		return &wire.Envelope{Suite: seal.Suite, Enc: make([]byte, seal.EncSize), Ciphertext: make([]byte, n)}
	}
	for _, row := range []struct {
		name    string
		cluster uint64
		env     *wire.Envelope
		code    string
	}{
		{"no envelope", 1, nil, "malformed"},
		{"an empty envelope", 1, &wire.Envelope{}, "malformed"},
		{"a truncated envelope", 1, pad(271), "malformed"},
		{"zeros", 1, pad(272), "does-not-open"},
		{"a cluster that is not served here", 2, pad(272), "unknown-cluster"},
		{"a cluster that is not", 99, pad(272), "unknown-cluster"},
	} {
		w.row(row.name, func(w *world) {
			_, err := gatewayrpc.NewClient(httpClient, w.net.Gateways[2]).Query(w.ctx, &wire.QueryCallRequest{Cluster: row.cluster, Envelope: row.env})
			if err == nil {
				w.t.Fatal("it was answered")
			}
			if code := w.clear(err); code != row.code {
				w.t.Errorf("%q, want %q", code, row.code)
			}
		})
	}
	w.row("the result of what is not", func(w *world) {
		g := gatewayrpc.NewClient(httpClient, w.net.Gateways[0])
		if _, err := g.Result(w.ctx, &wire.ResultRequest{Cluster: 99, Index: 1}); err == nil || w.clear(err) != "unknown-cluster" {
			w.t.Errorf("of no cluster: %v", err)
		}
		if r, err := g.Result(w.ctx, &wire.ResultRequest{Cluster: 1, Index: 1 << 60, WaitMs: 1}); err != nil || r.Reply != nil {
			w.t.Errorf("of the far future: %v, %v", r, err)
		}
		if _, err := g.Result(w.ctx, &wire.ResultRequest{Cluster: 1}); err == nil || w.clear(err) != "unknown-item" {
			w.t.Errorf("of no item: %v", err)
		}
	})
}
