package relay

import (
	"context"
	"sync"

	cluster "github.com/phala-go/phala/chain/x/cluster/types"
)

// codesKept bounds the cache; a module is at most 2 MiB.
const codesKept = 8

// codeCache keeps the modules that enclaves asked for last.
type codeCache struct {
	mu   sync.Mutex
	code map[string][]byte
	ids  []string // oldest first
}

func (c *codeCache) get(ctx context.Context, chain Chain, id []byte) ([]byte, error) {
	c.mu.Lock()
	packed, ok := c.code[string(id)]
	c.mu.Unlock()
	if ok {
		return packed, nil
	}
	var resp cluster.QueryCodeBytesResponse
	if err := chain.Query(ctx, "/phala.cluster.v1.Query/CodeBytes", &cluster.QueryCodeBytesRequest{Id: id}, &resp); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.code[string(id)]; ok {
		return resp.Packed, nil
	}
	if c.code == nil {
		c.code = make(map[string][]byte)
	}
	if len(c.ids) == codesKept {
		delete(c.code, c.ids[0])
		c.ids = c.ids[1:]
	}
	c.code[string(id)], c.ids = resp.Packed, append(c.ids, string(id))
	return resp.Packed, nil
}
