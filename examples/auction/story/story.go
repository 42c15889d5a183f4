// Package story is the sealed-bid auction as it is shown to a sceptic: numbered headings, each with facts that are checked while
// they are told. The demo prints it, and a test runs it. It must never tell a fact that it has not checked.
package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/devnet"
)

// Config says what to tell and to whom.
type Config struct {
	Network *devnet.Network // running, with accounts nobody has used yet
	Module  []byte          // the auction contract
	Bids    []Bid
	Liar    *Liar                     // nil: the last heading is left out
	Heading func(n int, title string) // before the facts of a heading
	Tell    func(Fact)                // each fact as soon as it is checked
}

// Fact is one checked statement.
type Fact struct {
	Heading int    `json:"heading"`
	Text    string `json:"fact"`
	Detail  string `json:"detail,omitempty"`
}

// person is an account with its client.
type person struct {
	name string
	key  *keys.Key
	*client.Client
}

type story struct {
	Config
	n                int // heading
	seller, stranger *person
	bidders          []*person

	contract string
	inputs   []*client.Pending // of the bids
	finals   []*client.Final
	winner   int
	gone     int // the member that was killed
}

type step struct {
	title string
	tell  func(*story, context.Context) error
}

// steps are the headings, in order. Each may use what the ones before it left.
var steps = []step{
	{"A bid in clear, as only its bidder has it", (*story).bid},
	{"The same bid as the chain and the hosts see it", (*story).sealed},
	{"The batch, with its quorum of signatures and the evidence of those who signed", (*story).batch},
	{"The winner", (*story).close},
	{"A loser reads its own bid, with a permit", (*story).own},
	{"A stranger is refused", (*story).refused},
	{"One TEE worker is killed midway, and the auction finishes", (*story).killed},
	{"A broken TEE lies about the state, and the chain refuses its batch", (*story).lied},
}

// Run tells the whole story and fails at the first fact that is not true.
func Run(ctx context.Context, cfg Config) error {
	s := &story{Config: cfg}
	if err := s.cast(ctx); err != nil {
		return err
	}
	for i, st := range steps {
		if i == len(steps)-1 && cfg.Liar == nil {
			break
		}
		s.n = i + 1
		s.Heading(s.n, st.title)
		if err := st.tell(s, ctx); err != nil {
			return fmt.Errorf("heading %d, %s: %w", s.n, st.title, err)
		}
	}
	return nil
}

func (s *story) cast(ctx context.Context) error {
	if len(s.Bids) < minBids || len(s.Bids) > maxBids {
		return fmt.Errorf("%d bids: want %d to %d", len(s.Bids), minBids, maxBids)
	}
	all := make([]*person, len(s.Network.Accounts))
	var first *client.Client
	for i, a := range s.Network.Accounts {
		k, err := a.Key()
		if err != nil {
			return err
		}
		if first == nil {
			if first, err = s.Network.Client(ctx, a.Name); err != nil {
				return err
			}
		}
		c, err := first.With(k)
		if err != nil {
			return err
		}
		all[i] = &person{a.Name, k, c}
	}
	s.seller, s.stranger = all[0], all[len(all)-1]
	for i, b := range s.Bids {
		p := all[1+i]
		p.name = b.Bidder
		s.bidders = append(s.bidders, p)
	}
	s.winner = best(s.Bids)
	return nil
}

// fact tells what has just been checked.
func (s *story) fact(detail, format string, args ...any) {
	s.Tell(Fact{s.n, fmt.Sprintf(format, args...), detail})
}

// deploy opens an auction and waits until it is live.
func (s *story) deploy(ctx context.Context, item, label string) (string, error) {
	id, _, err := s.seller.UploadCode(ctx, s.Module)
	if err != nil {
		return "", err
	}
	p, err := s.seller.Instantiate(ctx, client.Instantiation{Cluster: s.Network.Cluster, CodeID: id, Label: label, Msg: mustJSON(map[string]string{"item": item})})
	if err != nil {
		return "", err
	}
	f, err := s.seller.Result(ctx, p)
	if err == nil {
		err = f.Err()
	}
	return p.Contract, err
}

func (s *story) call(ctx context.Context, who *person, contract string, msg []byte) (*client.Pending, error) {
	return who.SubmitCall(ctx, client.Call{Cluster: s.Network.Cluster, Contract: contract, Msg: msg})
}

// done waits for a result and demands that it is a success.
func done(ctx context.Context, who *person, p *client.Pending) (*client.Final, error) {
	f, err := who.Result(ctx, p)
	if err == nil {
		err = f.Err()
	}
	return f, err
}

// ask queries a contract as somebody, or as nobody.
func (s *story) ask(ctx context.Context, who *person, contract string, msg, into any) (*client.Answer, error) {
	p, err := who.Permit(s.Network.Cluster, time.Hour, contract)
	if err != nil {
		return nil, err
	}
	a, err := who.Query(ctx, s.Network.Cluster, contract, mustJSON(msg), p)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(a.Data, into); err != nil {
		return nil, fmt.Errorf("reading the answer %s: %w", a.Data, err)
	}
	return a, nil
}

func bidMsg(amount string) []byte {
	return mustJSON(map[string]any{"bid": map[string]string{"amount": amount}})
}

type standing struct {
	Bidder string `json:"bidder"`
	Amount string `json:"amount"`
}

type empty struct{}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings only
	}
	return b
}

// refusal is err's code, if somebody refused.
func refusal(err error) string {
	var f *client.Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}
