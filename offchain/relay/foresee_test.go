package relay_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"

	worker "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/metrics"
	"github.com/phala-go/phala/offchain/relay"
)

// asking is an enclave behind a relay with a log, which counts how often it is asked for evidence.
type asking struct {
	*bench
	log   *lines
	set   *metrics.Set
	asked chan struct{}
}

func newAsking(t *testing.T) *asking {
	t.Helper()
	a := &asking{bench: newBench(t, 10), log: &lines{}, set: metrics.New(), asked: make(chan struct{}, 1000)}
	a.change = func(c *relay.Config) { c.Metrics, c.Log = a.set, slog.New(slog.NewTextHandler(a.log, nil)) }
	e := startTEE(t, a.socket, executor(1))
	e.answer = func(in *wire.In) []*wire.Out {
		if in.GetAttest() != nil {
			a.asked <- struct{}{}
		}
		return nil
	}
	e.serve()
	return a
}

func (a *asking) rule(change func(*wire.Policy)) {
	a.chain.mu.Lock()
	defer a.chain.mu.Unlock()
	change(a.chain.policy)
}

// tries waits until the enclave has been asked so many times more.
func (a *asking) tries(t *testing.T, n int) {
	t.Helper()
	for range n {
		wait(t, a.asked, "another attempt", func(struct{}) bool { return true })
	}
}

// count is how often a word stands in the log.
func (l *lines) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), word)
}

func registration(m proto.Message) bool { _, ok := m.(*worker.MsgRegisterWorker); return ok }

// What the policy refuses is not sent: its operator is told each reason once with what to do, and the worker registers as soon as policy and
// evidence agree.
func TestRefusalsAreForeseen(t *testing.T) {
	a := newAsking(t)
	a.rule(func(p *wire.Policy) { p.Measurements[0].Digest = key(9) })
	a.run(t)
	a.log.wait(t, "level=WARN", "nothing is sent or paid", "worker=pha1self/1", "code=unknown-measurement", `is=0707`, "governance approved for ROLE_EXECUTOR", "do=", "propose this one")
	a.tries(t, 4)
	if n := a.log.count("code="); n != 1 {
		t.Errorf("%d reasons are told of one that lasts", n)
	}
	a.rule(func(p *wire.Policy) { p.Kinds = []wire.TeeKind{wire.TEE_KIND_NITRO} })
	a.log.wait(t, "code=kind-not-allowed", "is=TEE_KIND_SIMULATED", "do=", "run the worker on such hardware")
	a.tries(t, 1)
	if n := a.log.count("code="); n != 3 { // of another policy both are news
		t.Errorf("%d reasons", n)
	}
	if len(a.chain.sent) > 0 {
		t.Errorf("%d transactions were sent", len(a.chain.sent))
	}
	if !strings.Contains(shown(a.set), `phala_worker_registrations_total{result="refused"}`) {
		t.Error("refusals are not counted")
	}
	a.rule(func(p *wire.Policy) {
		p.Kinds, p.Measurements[0].Digest = []wire.TeeKind{wire.TEE_KIND_SIMULATED}, program()
	})
	wait(t, a.chain.sent, "a registration", registration)
}

// A network whose governance has said nothing of the role yet costs nothing either.
func TestNoPolicyYet(t *testing.T) {
	a := newAsking(t)
	policy := a.chain.policy
	a.chain.policy = nil
	a.run(t)
	a.log.wait(t, "level=WARN", "code=no-policy", "ROLE_EXECUTOR", "propose a policy")
	a.tries(t, 3)
	if len(a.chain.sent) > 0 || a.log.count("code=") != 1 {
		t.Errorf("%d transactions, %d reasons", len(a.chain.sent), a.log.count("code="))
	}
	a.chain.mu.Lock()
	a.chain.policy = policy
	a.chain.mu.Unlock()
	wait(t, a.chain.sent, "a registration", registration)
}

// A worker whose renewal would be refused says for how long it still counts.
func TestRefusedRenewal(t *testing.T) {
	a := newAsking(t)
	a.run(t)
	wait(t, a.chain.sent, "a registration", registration)
	a.rule(func(p *wire.Policy) { p.Measurements[0].RetireHeight = 12 })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 30 {
			a.chain.advance()
			time.Sleep(10 * time.Millisecond)
		}
	}()
	a.log.wait(t, "nothing is sent or paid", "code=retired", "upgrade to a build that is approved", `"registered for"=`)
	if a.log.count(`"registered for"=0`) > 0 {
		t.Error("it says that it counts no more")
	}
	<-done
	if len(a.chain.sent) > 0 {
		t.Error("it was sent")
	}
}

// What the node did not let foresee is paid for once, and not every few seconds.
func TestPaidRefusalsAreRare(t *testing.T) {
	a := newAsking(t)
	a.chain.blind = true
	a.rule(func(p *wire.Policy) { p.Measurements[0].Digest = key(9) })
	a.run(t)
	wait(t, a.chain.sent, "a registration", registration)
	a.log.wait(t, "level=WARN", "the chain has refused the worker's evidence", "code=unknown-measurement", "propose this one")
	select {
	case m := <-a.chain.sent:
		t.Errorf("%T is sent again at once", m)
	case <-time.After(2 * time.Second):
	}
}
