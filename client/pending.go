package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/phala-go/phala/core/seal"
)

// Pending is an ordered input whose result may not be final yet. It alone can open the reply.
type Pending struct {
	ChainID  string
	Cluster  uint64
	Index    uint64 // place in the inbox
	Ordered  uint64 // block that ordered it
	TxHash   string
	Contract string // bech32
	Again    string // why it was sealed a second time; empty: it was not

	replyKey *seal.ReplyKey
	order    *order // nil: read from a file, which keeps no plaintext
	repeated bool   // it stands for one that was void
}

type pendingFile struct {
	ChainID  string `json:"chain_id"`
	Cluster  uint64 `json:"cluster"`
	Index    uint64 `json:"index"`
	Ordered  uint64 `json:"ordered_height"`
	TxHash   string `json:"tx_hash"`
	Contract string `json:"contract"`
	ReplyKey []byte `json:"reply_key"`
}

// ErrUnknownCall: this machine has not sent the input, so it cannot open its result.
var ErrUnknownCall = errors.New("no such call in this home")

// Save keeps the input with its reply key in a folder, readable by its owner only.
func (p *Pending) Save(dir string) error {
	b, err := json.MarshalIndent(pendingFile{p.ChainID, p.Cluster, p.Index, p.Ordered, p.TxHash, p.Contract, p.replyKey.Secret()}, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping the call: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keeping the call: %w", err)
	}
	if err := os.WriteFile(pendingPath(dir, p.ChainID, p.Cluster, p.Index), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping the call: %w", err)
	}
	return nil
}

// LoadPending reads what Save kept.
func LoadPending(dir, chainID string, cluster, index uint64) (*Pending, error) {
	b, err := os.ReadFile(pendingPath(dir, chainID, cluster, index))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: input %d of cluster %d on chain %s", ErrUnknownCall, index, cluster, chainID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a kept call: %w", err)
	}
	var f pendingFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("reading a kept call: %w", err)
	}
	if f.ChainID != chainID || f.Cluster != cluster || f.Index != index {
		return nil, fmt.Errorf("reading a kept call: the file is of another call")
	}
	key, err := seal.ReplyKeyOf(f.ReplyKey)
	if err != nil {
		return nil, fmt.Errorf("reading a kept call: %w", err)
	}
	return &Pending{ChainID: f.ChainID, Cluster: f.Cluster, Index: f.Index, Ordered: f.Ordered, TxHash: f.TxHash, Contract: f.Contract, replyKey: key}, nil
}

func pendingPath(dir, chainID string, cluster, index uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s-%d-%d.json", filepath.Base(chainID), cluster, index))
}
