package receipt

import (
	"encoding/json"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// Report says what a receipt proves, and what had to be trusted for it.
type Report struct {
	ChainID     string    `json:"chain_id"`
	GenesisHash hexBytes  `json:"genesis_hash"`
	Development bool      `json:"development"` // the network's rules are lowered: its TEEs may hide nothing
	Trusted     Trusted   `json:"trusted"`
	Height      uint64    `json:"height"` // block that made the batch final
	Time        time.Time `json:"time"`   // of that block
	Cluster     uint64    `json:"cluster"`
	Batch       uint64    `json:"batch"`
	BatchHash   hexBytes  `json:"batch_hash"`
	StateRoot   hexBytes  `json:"state_root"`
	Members     int       `json:"members"`
	Quorum      uint32    `json:"quorum"`
	Signers     []Signer  `json:"signers"`
	Contract    *Contract `json:"contract,omitempty"` // absent: the result is of no contract on the chain
	Input       Input     `json:"input"`
	Result      Result    `json:"result"`
}

// Trusted is where trust started.
type Trusted struct {
	Start   string    `json:"start"` // genesis or checkpoint
	Height  uint64    `json:"height"`
	Hash    hexBytes  `json:"hash"` // of the genesis file, or of the checkpoint's header
	Headers int       `json:"headers"`
	Now     time.Time `json:"at"` // time at which it was judged
}

// Signer is a member whose signature counted.
type Signer struct {
	Worker      string          `json:"worker"`
	Kind        string          `json:"kind"`
	Measurement hexBytes        `json:"measurement"`
	Source      string          `json:"source_commit,omitempty"`
	Level       int             `json:"level"`
	Status      string          `json:"status,omitempty"`
	Advisories  []string        `json:"advisories,omitempty"`
	Accepted    bool            `json:"accepted"` // its evidence, by the chain's policy at that height
	Reasons     []claims.Reason `json:"reasons,omitempty"`
}

// Contract is the one that answered.
type Contract struct {
	Address string   `json:"address"`
	Label   string   `json:"label"`
	Creator string   `json:"creator"`
	CodeID  hexBytes `json:"code_id"` // SHA-256 of the module
}

// Input is what the chain knows of the input.
type Input struct {
	Index  uint64   `json:"index"` // place in the inbox
	Sender string   `json:"sender,omitempty"`
	Height uint64   `json:"height,omitempty"` // that ordered it
	Hash   hexBytes `json:"hash"`             // SHA-256 of the sealed input
}

// Result is what the input came to.
type Result struct {
	Code       string      `json:"code,omitempty"` // of the failure; empty: success
	Message    string      `json:"message,omitempty"`
	Data       []byte      `json:"data,omitempty"`
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Attribute is one that the contract has set.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// hexBytes are bytes that people compare.
type hexBytes []byte

// MarshalJSON writes them in hex.
func (h hexBytes) MarshalJSON() ([]byte, error) { return json.Marshal(h.String()) }
