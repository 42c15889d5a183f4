package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/cosmos/gogoproto/proto"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/phala-go/phala/core/cosmostx"
)

// ErrNotFound: what was asked for is not on the chain.
var ErrNotFound = errors.New("not found on the chain")

// QueryError is a query that the application refused.
type QueryError struct {
	Code      uint32
	Codespace string
	Log       string
}

func (e *QueryError) Error() string { return e.Log }

// Is says that "key not found" and "not found" of the SDK are ErrNotFound.
func (e *QueryError) Is(target error) bool {
	return target == ErrNotFound && e.Codespace == "sdk" && (e.Code == 22 || e.Code == 38)
}

type abciResponse struct {
	Code      uint32 `json:"code"`
	Codespace string `json:"codespace"`
	Log       string `json:"log"`
	Value     []byte `json:"value"`
	Height    uint64 `json:"height,string"`
	ProofOps  *struct {
		Ops []struct {
			Data []byte `json:"data"`
		} `json:"ops"`
	} `json:"proofOps"`
}

func (c *Client) abciQuery(ctx context.Context, path string, data []byte, height uint64, prove bool) (*abciResponse, error) {
	params := struct {
		Path   string `json:"path"`
		Data   string `json:"data"`
		Height string `json:"height"`
		Prove  bool   `json:"prove"`
	}{path, hex.EncodeToString(data), strconv.FormatUint(height, 10), prove}
	var r struct {
		Response abciResponse `json:"response"`
	}
	if err := c.call(ctx, "abci_query", params, &r); err != nil {
		return nil, err
	}
	if r.Response.Code != 0 {
		return nil, &QueryError{r.Response.Code, r.Response.Codespace, r.Response.Log}
	}
	return &r.Response, nil
}

// Query calls a gRPC method of the application, such as "/phala.cluster.v1.Query/Cluster", at the newest height. The answer is
// the node's word.
func (c *Client) Query(ctx context.Context, method string, req, resp proto.Message) error {
	b, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("querying %s: %w", method, err)
	}
	r, err := c.abciQuery(ctx, method, b, 0, false)
	if err != nil {
		return fmt.Errorf("querying %s: %w", method, err)
	}
	if err := proto.Unmarshal(r.Value, resp); err != nil {
		return fmt.Errorf("querying %s: %w", method, err)
	}
	return nil
}

// AccountInfo gives an account's number and next sequence. An account that has never been paid is ErrNotFound.
func (c *Client) AccountInfo(ctx context.Context, addr string) (number, sequence uint64, err error) {
	req := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), addr)
	r, err := c.abciQuery(ctx, "/cosmos.auth.v1beta1.Query/AccountInfo", req, 0, false)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for account %s: %w", addr, err)
	}
	info, _, err := field(r.Value, 1)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for account %s: %w", addr, err)
	}
	_, number, err = field(info, 3)
	if err == nil {
		_, sequence, err = field(info, 4)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("asking for account %s: %w", addr, err)
	}
	return number, sequence, nil
}

// Balance gives what an account has in ppha, a decimal number.
func (c *Client) Balance(ctx context.Context, addr string) (string, error) {
	req := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), addr)
	req = protowire.AppendString(protowire.AppendTag(req, 2, protowire.BytesType), cosmostx.Denom)
	r, err := c.abciQuery(ctx, "/cosmos.bank.v1beta1.Query/Balance", req, 0, false)
	if err != nil {
		return "", fmt.Errorf("asking for the balance of %s: %w", addr, err)
	}
	coin, _, err := field(r.Value, 1)
	if err != nil {
		return "", fmt.Errorf("asking for the balance of %s: %w", addr, err)
	}
	amount, _, err := field(coin, 2)
	if err != nil {
		return "", fmt.Errorf("asking for the balance of %s: %w", addr, err)
	}
	if len(amount) == 0 {
		return "0", nil
	}
	return string(amount), nil
}

// field finds field n of an encoded message, as bytes or as a number; absent is the default.
func field(b []byte, n protowire.Number) (val []byte, num uint64, err error) {
	for len(b) > 0 {
		got, typ, l := protowire.ConsumeTag(b)
		if l < 0 {
			return nil, 0, protowire.ParseError(l)
		}
		b = b[l:]
		size := protowire.ConsumeFieldValue(got, typ, b)
		if size < 0 {
			return nil, 0, protowire.ParseError(size)
		}
		if got == n {
			switch typ {
			case protowire.BytesType:
				val, _ = protowire.ConsumeBytes(b)
				return val, 0, nil
			case protowire.VarintType:
				num, _ = protowire.ConsumeVarint(b)
				return nil, num, nil
			}
		}
		b = b[size:]
	}
	return nil, 0, nil
}
