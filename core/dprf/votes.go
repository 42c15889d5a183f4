package dprf

import (
	"crypto/hmac"
	"fmt"
	"math/bits"

	"github.com/phala-go/phala/core/keytree"
)

// vote is a value for a set with those who sent it.
type vote struct {
	set   Set
	value []byte
	from  Set
}

// votes is what senders say about each set; the first value of a set stands in first, others in others.
type votes struct {
	sets    []Set
	place   []int32 // of a set in sets, by its mask
	first   []vote
	others  map[Set][]vote
	twofold Set // senders of two values for one set
}

// count takes the votes of all but out, whose parts are possible.
func count(n int, sets []Set, parts map[int][]Part, out Set) *votes {
	v := &votes{sets: sets, place: make([]int32, 1<<n), first: make([]vote, len(sets)), others: map[Set][]vote{}}
	for i, b := range sets {
		v.place[b] = int32(i)
	}
	for i := range n {
		if out&(1<<i) != 0 {
			continue
		}
		for _, p := range parts[i] {
			v.add(i, p)
		}
	}
	return v
}

func (v *votes) add(i int, p Part) {
	f := &v.first[v.place[p.Set]]
	if f.from == 0 {
		*f = vote{p.Set, p.Value, 1 << i}
		return
	}
	others := v.others[p.Set]
	same := hmac.Equal(f.value, p.Value)
	if same {
		f.from |= 1 << i
	}
	for k := range others {
		if !same && hmac.Equal(others[k].value, p.Value) {
			others[k].from |= 1 << i
			same = true
		}
	}
	if !same {
		others = append(others, vote{p.Set, p.Value, 1 << i})
		v.others[p.Set] = others
	}
	stands := f.from >> i & 1
	for _, o := range others {
		stands += o.from >> i & 1
	}
	if stands > 1 {
		v.twofold |= 1 << i
	}
}

// disputes gives the votes of each set on which there is more than one value, ascending by set.
func (v *votes) disputes() [][]vote {
	out := make([][]vote, 0, len(v.others))
	for i, b := range v.sets {
		if others := v.others[b]; others != nil {
			out = append(out, append([]vote{v.first[i]}, others...))
		}
	}
	return out
}

// outvoted gives those who sent another value than one that has enough votes, and a dispute that is open if there is one.
func (v *votes) outvoted(enough int) (liars Set, open []vote) {
	for _, d := range v.disputes() {
		winners, losers := 0, Set(0)
		for _, x := range d {
			if bits.OnesCount32(uint32(x.from)) >= enough {
				winners++
			} else {
				losers |= x.from
			}
		}
		if winners == 1 {
			liars |= losers
		} else if open == nil {
			open = d
		}
	}
	return liars, open
}

// settles says whether all disputes have at most one value left without out.
func settles(disputes [][]vote, out Set) bool {
	for _, d := range disputes {
		left := 0
		for _, x := range d {
			if x.from&^out != 0 {
				left++
			}
		}
		if left > 1 {
			return false
		}
	}
	return true
}

// complete says that there is a value for every set.
func (v *votes) complete() error {
	have, lacks := 0, Set(0)
	for i := range v.first {
		if v.first[i].from == 0 {
			lacks = v.sets[i]
			continue
		}
		have++
	}
	if have < len(v.sets) {
		return fmt.Errorf("no part for set %b yet: %d of %d sets", lacks, have, len(v.sets))
	}
	return nil
}

// sum is the secrets of as many labels, if there is a value for every set.
func (v *votes) sum(labels int) ([]*keytree.Secret, error) {
	if err := v.complete(); err != nil {
		return nil, err
	}
	acc := make([]byte, labels*keytree.Size)
	defer clear(acc)
	for i := range v.first {
		for j := range acc {
			acc[j] ^= v.first[i].value[j]
		}
	}
	out := make([]*keytree.Secret, labels)
	for i := range out {
		s, err := keytree.NewSecret(acc[i*keytree.Size : (i+1)*keytree.Size])
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}
