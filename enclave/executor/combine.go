package executor

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// comparedFor is for how many blocks after a request a part that only one gatekeeper has sent waits for another holder's: one that lies
// where nobody is there to be compared with would make a member announce a key that is none.
const comparedFor = 5

// announced is what a quorum has announced of a label; nil: nothing yet.
func (c *cluster) announced(l label) *wire.ClusterKey {
	for _, k := range []*wire.ClusterKey{c.key, c.nextKey} {
		if k != nil && labelOf(k) == l {
			return k
		}
	}
	return nil
}

// disown erases keys that are not those which a quorum has announced, and names their labels.
func (c *cluster) disown() (out []label) {
	for _, k := range []*wire.ClusterKey{c.key, c.nextKey} {
		if held := c.keys[labelOf(k)]; held != nil && !bytes.Equal(held.Check, k.Check) {
			c.keys.wipe(labelOf(k))
			out = append(out, labelOf(k))
		}
	}
	return out
}

// combine makes the keys of the label that was asked for, once the parts that have come allow it. Where members have announced them,
// the parts that come to these are found whoever else lies; where they have not, holders are compared.
func (x *Executor) combine(c *cluster) (made bool, err error) {
	r := c.request
	set := c.setOf(r.epoch)
	if set == nil || len(r.parts) < int(set.Threshold) {
		return false, nil
	}
	n, t := len(set.Members), int(set.Threshold)
	var secrets []*keytree.Secret
	var suspects []int
	if k := c.announced(r.label); k != nil {
		secrets, suspects, err = dprf.MatchAll(n, t, 2, r.parts, func(s []*keytree.Secret) bool { return keytree.IsPair(s[0], s[1], k.Check) })
		if err != nil && len(r.parts) < n {
			return false, nil // more parts are to come
		}
	} else {
		secrets, suspects, err = dprf.CombineAll(n, t, 2, c.witnesses(set), r.parts)
		if err != nil && suspects == nil {
			return false, nil // the same
		}
		for _, s := range suspects {
			wipeParts(r.parts[s])
			delete(r.parts, s)
		}
	}
	if err != nil {
		return false, fmt.Errorf("combining key parts: %w", err)
	}
	keys, err := keytree.NewCluster(secrets[0], secrets[1])
	if err != nil {
		return false, err
	}
	if k := c.announced(r.label); k != nil && !bytes.Equal(k.InputKey, keys.Input.PublicKey().Bytes()) {
		keys.Wipe()
		return false, errors.New("combining key parts: they come to another key than the members have announced")
	}
	c.keys[r.label] = keys
	c.endRequest()
	if suspects != nil {
		x.complain(fmt.Errorf("key parts for cluster %d: gatekeepers %v of epoch %d have lied: their parts are not used", c.id, suspects, set.Epoch))
	}
	return true, nil
}

// witnesses is how many holders have to send the same: a majority as far as so many of the set's gatekeepers serve, and one if the
// others have not answered for some blocks.
func (c *cluster) witnesses(set *wire.GatekeeperSet) int {
	n, t := len(set.Members), int(set.Threshold)
	serving := 0
	for _, m := range set.Members {
		if m.Fault == wire.MEMBER_FAULT_NONE {
			serving++
		}
	}
	if c.height >= c.request.height+comparedFor {
		return 1
	}
	return min(dprf.Majority(n, t), max(1, serving-t+1))
}
