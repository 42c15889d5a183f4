package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"

	"github.com/phala-go/phala/core/wire"
)

type heightParam struct {
	Height string `json:"height,omitempty"`
}

func heightOf(h uint64) heightParam {
	if h == 0 {
		return heightParam{}
	}
	return heightParam{strconv.FormatUint(h, 10)}
}

// LightBlock brings the header of a height (0: the newest) with its commit and validators, for core/light to verify. For the
// newest height the commit is the one the node itself has seen.
func (c *Client) LightBlock(ctx context.Context, height uint64) (*types.LightBlock, error) {
	var r struct {
		SignedHeader json.RawMessage `json:"signed_header"`
	}
	if err := c.call(ctx, "commit", heightOf(height), &r); err != nil {
		return nil, fmt.Errorf("fetching header %d: %w", height, err)
	}
	var sh types.SignedHeader
	if err := cmtjson.Unmarshal(r.SignedHeader, &sh); err != nil {
		return nil, fmt.Errorf("fetching header %d: %w", height, err)
	}
	if sh.Header == nil || sh.Commit == nil {
		return nil, fmt.Errorf("fetching header %d: the node does not have it", height)
	}
	set, err := c.validatorSet(ctx, sh.Header)
	if err != nil {
		return nil, fmt.Errorf("fetching the validators of height %d: %w", sh.Height, err)
	}
	return &types.LightBlock{SignedHeader: &sh, ValidatorSet: set}, nil
}

// validatorSet is the set whose hash the header names.
func (c *Client) validatorSet(ctx context.Context, h *types.Header) (*types.ValidatorSet, error) {
	if set := c.validators.Load(); set != nil && string(set.Hash()) == string(h.ValidatorsHash) {
		return set, nil
	}
	var vals []*types.Validator
	for page := 1; ; page++ {
		var r struct {
			Validators json.RawMessage `json:"validators"`
			Total      int             `json:"total,string"`
		}
		params := struct {
			heightParam
			Page    string `json:"page"`
			PerPage string `json:"per_page"`
		}{heightOf(uint64(h.Height)), strconv.Itoa(page), "100"}
		if err := c.call(ctx, "validators", params, &r); err != nil {
			return nil, err
		}
		var more []*types.Validator
		if err := cmtjson.Unmarshal(r.Validators, &more); err != nil {
			return nil, err
		}
		vals = append(vals, more...)
		if len(vals) >= r.Total || len(more) == 0 {
			break
		}
	}
	set, err := types.ValidatorSetFromExistingValidators(vals)
	if err != nil {
		return nil, err
	}
	if string(set.Hash()) != string(h.ValidatorsHash) {
		return nil, fmt.Errorf("they hash to %X, the header names %X", set.Hash(), h.ValidatorsHash)
	}
	c.validators.Store(set)
	return set, nil
}

// Value reads a key of a module's store with its proof against the header of headerHeight: the state after the block before it.
// An empty value with proofs is an absence. core/light.VerifyValue checks it.
func (c *Client) Value(ctx context.Context, headerHeight uint64, key *wire.StoreKey) (*wire.StoreValue, error) {
	if headerHeight < 2 {
		return nil, fmt.Errorf("reading %s/%x: header %d proves no state yet", key.GetStore(), key.GetKey(), headerHeight)
	}
	r, err := c.abciQuery(ctx, "/store/"+key.GetStore()+"/key", key.GetKey(), headerHeight-1, true)
	if err != nil {
		return nil, fmt.Errorf("reading %s/%x at header %d: %w", key.GetStore(), key.GetKey(), headerHeight, err)
	}
	v := &wire.StoreValue{Key: key, Value: r.Value}
	if r.ProofOps == nil || len(r.ProofOps.Ops) != 2 {
		return nil, fmt.Errorf("reading %s/%x at header %d: the node sent no proof of two steps", key.GetStore(), key.GetKey(), headerHeight)
	}
	v.IavlProof, v.StoreProof = r.ProofOps.Ops[0].Data, r.ProofOps.Ops[1].Data
	return v, nil
}
