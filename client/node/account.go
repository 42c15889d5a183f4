package node

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/cosmos/gogoproto/proto"

	"github.com/phala-go/phala/core/cosmostx"
)

// AccountConfig says who sends and what it costs. Zero means the default.
type AccountConfig struct {
	Key     *cosmostx.Key
	ChainID string                      // default: asked of the node
	Fee     string                      // ppha a transaction; default none
	Memo    string                      // default none
	Gas     func(m cosmostx.Msg) uint64 // limit for one message; default Gas
}

// Account sends transactions of one key. Its methods may be called at the same time: transactions are numbered one by one, and
// more than one may be in flight.
type Account struct {
	client *Client
	cfg    AccountConfig

	mu     sync.Mutex
	known  bool // number and next are
	number uint64
	next   uint64
}

// Account makes the sender; it does not yet speak to the node.
func (c *Client) Account(cfg AccountConfig) (*Account, error) {
	if cfg.Key == nil {
		return nil, errors.New("making an account: no key")
	}
	if cfg.Gas == nil {
		cfg.Gas = Gas
	}
	return &Account{client: c, cfg: cfg}, nil
}

// Gas is a generous limit for one message: what it does at most, and its bytes.
func Gas(m cosmostx.Msg) uint64 {
	base := uint64(2_000_000)
	switch m.TypeURL {
	case "/phala.cluster.v1.MsgCommitBatch":
		base = 10_000_000
	case "/phala.cluster.v1.MsgRevealEffects":
		base = 50_000_000
	}
	return base + 150*uint64(len(m.Value))
}

// Address is the account's.
func (a *Account) Address() string { return a.cfg.Key.Address() }

// Key is the account's.
func (a *Account) Key() *cosmostx.Key { return a.cfg.Key }

// Send puts the messages into one transaction and waits until it is in a block. A refusal is a *TxError.
func (a *Account) Send(ctx context.Context, msgs ...proto.Message) (TxResult, error) {
	for try := 1; ; try++ {
		hash, err := a.Post(ctx, msgs...)
		if err != nil {
			return TxResult{}, err
		}
		res, err := a.client.WaitTx(ctx, hash)
		var refused *TxError
		if try == attempts || !errors.As(err, &refused) || !wrongSequence(refused) {
			return res, err
		}
		a.mu.Lock() // its number was taken by another sender of the same key: nothing of it has run
		a.known = false
		a.mu.Unlock()
	}
}

// Post offers the messages in one transaction and returns its hash as soon as the node has checked it. A message is a generated
// one, or one of Raw.
func (a *Account) Post(ctx context.Context, msgs ...proto.Message) (string, error) {
	p := cosmostx.Params{Fee: a.cfg.Fee, Memo: a.cfg.Memo}
	for _, m := range msgs {
		w, err := wrap(m)
		if err != nil {
			return "", err
		}
		p.Msgs = append(p.Msgs, w)
		p.GasLimit += a.cfg.Gas(w)
	}
	return a.post(ctx, p)
}

// attempts bounds how often a transaction is signed anew because its number was taken.
const attempts = 5

func (a *Account) post(ctx context.Context, p cosmostx.Params) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for try := 1; ; try++ {
		if err := a.load(ctx); err != nil {
			return "", err
		}
		p.ChainID, p.AccountNumber, p.Sequence = a.cfg.ChainID, a.number, a.next
		hash, err := a.client.Broadcast(ctx, cosmostx.Sign(p, a.cfg.Key))
		if err == nil {
			a.next++
			return hash, nil
		}
		var refused *TxError
		if !errors.As(err, &refused) {
			a.known = false // whether the node took it is unknown
			return hash, err
		}
		if !wrongSequence(refused) {
			return hash, err
		}
		if try == attempts {
			a.known = false
			return hash, err
		}
		a.resume(refused)
		if try > 1 { // the node may be between two blocks
			if err := sleep(ctx, 20*time.Millisecond); err != nil {
				return hash, err
			}
		}
	}
}

func (a *Account) load(ctx context.Context) error {
	if a.cfg.ChainID == "" {
		s, err := a.client.Status(ctx)
		if err != nil {
			return err
		}
		a.cfg.ChainID = s.ChainID
	}
	if a.known {
		return nil
	}
	number, next, err := a.client.AccountInfo(ctx, a.Address())
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("account %s is not on the chain yet, send it something first: %w", a.Address(), err)
	}
	if err != nil {
		return err
	}
	a.number, a.next, a.known = number, next, true
	return nil
}

func wrongSequence(e *TxError) bool { return e.Codespace == "sdk" && e.Code == 32 }

var expectedSequence = regexp.MustCompile(`expected (\d+), got \d+`)

// resume takes the number that the node's refusal names: it knows of transactions that are not in a block yet.
func (a *Account) resume(e *TxError) {
	m := expectedSequence.FindStringSubmatch(e.Log)
	if m == nil {
		a.known = false
		return
	}
	next, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		a.known = false
		return
	}
	a.next = next
}
