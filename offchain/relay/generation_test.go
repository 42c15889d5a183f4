package relay_test

import (
	"context"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"

	gatekeeper "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/relay"
)

// slow is a chain that does not say what becomes of a transaction until it is let.
type slow struct {
	*chain
	done chan struct{}
}

func (s *slow) WaitTx(ctx context.Context, _ string) (node.TxResult, error) {
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	return node.TxResult{}, ctx.Err()
}

// What a gatekeeper says in a generation goes to the chain, and the same thing not again while it is on its way.
func TestGenerationMessages(t *testing.T) {
	b := newBench(t, 10)
	s := &slow{chain: b.chain, done: make(chan struct{})}
	b.change = func(c *relay.Config) { c.Chain = s }
	id := executor(1)
	id.Role = wire.ROLE_GATEKEEPER
	e := startTEE(t, b.socket, id)
	join := &wire.GenerationJoin{Epoch: 1, Attempt: 1, Member: 2}
	said := []*wire.Out{
		{Body: &wire.Out_GenerationJoin{GenerationJoin: join}},
		{Body: &wire.Out_GenerationJoin{GenerationJoin: join}},
		{Body: &wire.Out_Contribution{Contribution: &wire.Contribution{Epoch: 1}}},
		{Body: &wire.Out_Complaint{Complaint: &wire.Complaint{Epoch: 1}}},
		{Body: &wire.Out_Confirmation{Confirmation: &wire.Confirmation{Epoch: 1}}},
		{Body: &wire.Out_GenerationJoin{GenerationJoin: join}},
	}
	e.answer = func(in *wire.In) []*wire.Out {
		if isBlocks(in) {
			return said
		}
		return nil
	}
	e.serve()
	b.run(t)
	counts := map[string]int{}
	for len(counts) < 4 {
		m := wait(t, b.chain.sent, "a transaction", func(m proto.Message) bool { return kind(m) != "" })
		counts[kind(m)]++
		if j, ok := m.(*gatekeeper.MsgJoinGeneration); ok && (j.Sender != self.Operator || j.Join.Member != 2) {
			t.Errorf("sent %v", j)
		}
	}
	if counts["join"] != 1 {
		t.Errorf("sent %v", counts)
	}
	b.chain.advance()
	select {
	case m := <-b.chain.sent:
		if kind(m) != "" { // the registration may come now
			t.Errorf("%T is sent while it is on its way", m)
		}
	case <-time.After(200 * time.Millisecond):
	}
	close(s.done)
	for until := time.Now().Add(5 * time.Second); len(counts) > 0; {
		if time.Now().After(until) {
			t.Fatalf("not sent again: %v", counts)
		}
		b.chain.advance()
		select {
		case m := <-b.chain.sent:
			delete(counts, kind(m))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func kind(m proto.Message) string {
	switch m.(type) {
	case *gatekeeper.MsgJoinGeneration:
		return "join"
	case *gatekeeper.MsgContribute:
		return "contribution"
	case *gatekeeper.MsgComplain:
		return "complaint"
	case *gatekeeper.MsgConfirm:
		return "confirmation"
	}
	return ""
}
