package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"
	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// rules are a policy and the network that it is of. Nil is the default policy.
type rules struct {
	from    string
	policy  *wire.Policy
	network *wire.NetworkParams
	height  uint64 // 0: every approved measurement counts, whenever it begins or ends
	chain   *chainFacts
}

// ruleFlags say which policy judges.
type ruleFlags struct {
	file, role string
	chain      bool
	height     uint64
}

func (r *ruleFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.file, "policy", "", `file with a policy in JSON, as a node prints it; {"policy":…,"network":…} for a development network's`)
	f.BoolVar(&r.chain, "chain", false, "judge by the chain's policy for the role, at its height (proven)")
	f.StringVar(&r.role, "role", "", "executor or gatekeeper: whose policy (default: the identity's, else executor)")
	f.Uint64Var(&r.height, "height", 0, "height at which a file's policy is read (default: approved measurements count whenever they begin or end)")
}

func (r *ruleFlags) load(ctx context.Context, e Env, l *loaded) (*rules, error) {
	switch {
	case r.chain && r.file != "":
		return nil, e.Usage("--chain and --policy exclude each other")
	case r.file != "":
		out, err := readRules(e, r.file)
		if err == nil {
			out.height = r.height
		}
		return out, err
	case r.chain:
		role, err := r.whose(e, l)
		if err != nil {
			return nil, err
		}
		return chainRules(ctx, e, role)
	}
	return nil, nil
}

func (r *ruleFlags) whose(e Env, l *loaded) (wire.Role, error) {
	switch {
	case r.role == "" && l != nil && l.File != nil && l.Worker != nil:
		return l.Worker.Identity.GetRole(), nil
	case r.role == "" || r.role == "executor":
		return wire.ROLE_EXECUTOR, nil
	case r.role == "gatekeeper":
		return wire.ROLE_GATEKEEPER, nil
	}
	return 0, e.Usage("--role %q: want executor or gatekeeper", r.role)
}

// readRules reads a policy, bare or with its network. Names that it does not know are refused: a misspelt floor would be none.
func readRules(e Env, name string) (*rules, error) {
	b, err := readFile(e, name)
	if err != nil {
		return nil, err
	}
	out := &rules{from: "the policy of " + name, policy: &wire.Policy{}, network: &wire.NetworkParams{}}
	var outer struct{ Policy, Network json.RawMessage }
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&outer) == nil && outer.Policy != nil {
		b = outer.Policy
		if outer.Network != nil {
			if err := fromJSON(outer.Network, out.network); err != nil {
				return nil, fmt.Errorf("reading the network of %s: %w", name, err)
			}
		}
	}
	if err := fromJSON(b, out.policy); err != nil {
		return nil, fmt.Errorf("reading the policy of %s: %w", name, err)
	}
	return out, nil
}

func fromJSON(b []byte, m proto.Message) error {
	return (&jsonpb.Unmarshaler{}).Unmarshal(bytes.NewReader(b), m)
}

// roots are the makers whom the network of the rules believes.
func (r *rules) roots() attest.Roots {
	if r == nil {
		return attest.VendorRoots()
	}
	return attest.RootsOf(r.network)
}

func (r *rules) name() string {
	if r == nil {
		return "its maker's word"
	}
	return clean(r.from)
}

// apply adds the policy's reasons and gives the level.
func (r *rules) apply(l *loaded, v *verdict) int {
	if r.chain != nil && l.Worker != nil {
		return r.whole(l, v)
	}
	level, reasons := attest.Validate(l.Evidence.Kind, &v.claims, r.timeless(), r.network, r.height)
	v.Reasons = append(v.Reasons, reasons...)
	return level
}

// timeless is the policy; without a height, with measurements that always count.
func (r *rules) timeless() *wire.Policy {
	if r.height != 0 {
		return r.policy
	}
	p := *r.policy
	p.Measurements = slices.Clone(p.Measurements)
	for i, m := range p.Measurements {
		p.Measurements[i] = &wire.Measurement{Digest: m.GetDigest(), SourceCommit: m.GetSourceCommit()}
	}
	return &p
}
