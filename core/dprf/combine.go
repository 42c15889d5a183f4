package dprf

import (
	"fmt"
	"math/bits"

	"github.com/phala-go/phala/core/keytree"
)

// Combine puts together the parts that gatekeepers sent: parts[i] are those of gatekeeper i. It needs every B at least once, and
// decides between holders that differ as Agree does. The secret is to be compared with what others have announced.
func Combine(n, t int, parts map[int][]Part) (secret *keytree.Secret, suspects []int, err error) {
	s, suspects, err := CombineAll(n, t, 1, 1, parts)
	if err != nil {
		return nil, suspects, err
	}
	return s[0], suspects, nil
}

// CombineAll is Combine for the parts of several labels that came together: a value has the labels' parts one after another, and
// who lies about one of them is believed in none. It needs each value from at least witnesses holders: with 1, a liar whom nobody
// is there to be compared with is believed.
func CombineAll(n, t, labels, witnesses int, parts map[int][]Part) (secrets []*keytree.Secret, suspects []int, err error) {
	v, suspects, err := agree(n, t, labels*keytree.Size, parts)
	if err != nil {
		return nil, suspects, err
	}
	for _, f := range v.first {
		if have := bits.OnesCount32(uint32(f.from)); have < witnesses {
			return nil, suspects, fmt.Errorf("%d holders of set %b have sent their parts, %d are to", have, f.set, witnesses)
		}
	}
	secrets, err = v.sum(labels)
	return secrets, suspects, err
}

// Agree gives one value of size bytes for every B, ascending, out of what its holders sent, and how many sent it. The values are
// the senders' own memory.
//
// Suspects are gatekeepers whose parts are not used, ascending: who sent what it cannot hold, or two values for one set, and who
// was outvoted. Each key has n-t+1 holders; a value that Majority of them send is the right one if at most Majority-1 gatekeepers
// lie, and whoever sent another is a liar. The rest of the parts decides as if the suspects had sent nothing.
//
// While holders differ and none of the values has a majority, that is an error and there is no value: more parts will decide, or
// Match. A liar that nobody is there to be compared with is not found here: t gatekeepers' parts do not differ where a set has
// one sender.
func Agree(n, t, size int, parts map[int][]Part) (values []Part, votes []int, suspects []int, err error) {
	v, suspects, err := agree(n, t, size, parts)
	if err != nil {
		return nil, nil, suspects, err
	}
	for _, f := range v.first {
		values = append(values, Part{f.set, f.value})
		votes = append(votes, bits.OnesCount32(uint32(f.from)))
	}
	return values, votes, suspects, nil
}

// agree gives votes with one value for every set.
func agree(n, t, size int, parts map[int][]Part) (*votes, []int, error) {
	sets, err := Sets(n, t)
	if err != nil {
		return nil, nil, err
	}
	if err := strangers(n, parts); err != nil {
		return nil, nil, err
	}
	out, why := impossible(n, t, size, parts)
	for {
		v := count(n, sets, parts, out)
		liars, open := v.outvoted(Majority(n, t))
		if liars |= v.twofold; liars&^out != 0 {
			out |= liars
			why = fmt.Errorf("gatekeepers %v sent other values than a majority, or two", members(liars))
			continue
		}
		if open != nil {
			err = fmt.Errorf("gatekeepers %v and %v differ on set %b: no value has %d votes yet", members(open[0].from), members(open[1].from), open[0].set, Majority(n, t))
		} else {
			err = v.complete()
		}
		if err != nil && why != nil {
			err = fmt.Errorf("%w; %w", err, why)
		}
		return v, members(out), err
	}
}

// Majority is how many holders of a key have to send one value to outvote another: more than may lie, and no more than honest
// ones there are, as long as liars are at most half of the n-t gatekeepers that can be spared.
func Majority(n, t int) int { return (n-t)/2 + 1 }

// Match finds the secret that right accepts, such as by an announced check value, among what the parts come to without some of
// their senders, the fewest first; at most n-t are left out, so that t remain. It finds the secret whenever t senders are honest,
// whatever the others sent. Suspects are whom it left out. Right must not keep what it is given: what it refuses is wiped.
//
// Only groups whose parts agree are tried: one liar costs one try for each sender at most.
func Match(n, t int, parts map[int][]Part, right func(*keytree.Secret) bool) (secret *keytree.Secret, suspects []int, err error) {
	s, suspects, err := MatchAll(n, t, 1, parts, func(s []*keytree.Secret) bool { return right(s[0]) })
	if err != nil {
		return nil, suspects, err
	}
	return s[0], suspects, nil
}

// MatchAll is Match for the parts of several labels that came together, as CombineAll has them.
func MatchAll(n, t, labels int, parts map[int][]Part, right func([]*keytree.Secret) bool) (secrets []*keytree.Secret, suspects []int, err error) {
	sets, err := Sets(n, t)
	if err != nil {
		return nil, nil, err
	}
	if err := strangers(n, parts); err != nil {
		return nil, nil, err
	}
	bad, _ := impossible(n, t, labels*keytree.Size, parts)
	all := count(n, sets, parts, bad)
	bad |= all.twofold
	disputes := all.disputes()
	var senders Set
	for i := range parts {
		senders |= 1 << i
	}
	senders &^= bad
	for left := range n - t + 1 {
		for out := range Set(1) << n {
			if bits.OnesCount32(uint32(out)) != left || out&^senders != 0 || !settles(disputes, out) {
				continue
			}
			s, err := count(n, sets, parts, bad|out).sum(labels)
			if err != nil {
				continue // too few are left
			}
			if right(s) {
				return s, members(bad | out), nil
			}
			for _, x := range s {
				x.Wipe()
			}
		}
	}
	return nil, members(bad), fmt.Errorf("no %d of the gatekeepers %v come to the right secret yet", t, members(senders))
}

// impossible gives the senders of what no holder sends, a set that they are in or that is none, or another size, and says it of
// the first.
func impossible(n, t, size int, parts map[int][]Part) (out Set, why error) {
	for i := range n {
		for _, p := range parts[i] {
			if p.Set < 1<<n && bits.OnesCount32(uint32(p.Set)) == t-1 && p.Set.Holds(i) && len(p.Value) == size {
				continue
			}
			if why == nil {
				why = fmt.Errorf("gatekeeper %d sent a part for set %b that it cannot hold", i, p.Set)
			}
			out |= 1 << i
		}
	}
	return out, why
}

// strangers refuses senders that are no gatekeepers.
func strangers(n int, parts map[int][]Part) error {
	for i := range parts {
		if i < 0 || i >= n {
			return fmt.Errorf("there is no gatekeeper %d of %d", i, n)
		}
	}
	return nil
}

func members(s Set) []int {
	var out []int
	for i := range MaxN {
		if s&(1<<i) != 0 {
			out = append(out, i)
		}
	}
	return out
}
