package engine

import (
	"strings"
	"testing"
)

// drain steps through an iterator; after each key, change may write.
func drain(s memory, it *iterator, change func(key string)) string {
	var got []string
	for k, v, ok := it.next(s); ok; k, v, ok = it.next(s) {
		got = append(got, string(k)+"="+string(v))
		if change != nil {
			change(string(k))
		}
	}
	return strings.Join(got, " ")
}

func abc() memory {
	return memory{"a": []byte("1"), "b": []byte("2"), "c": []byte("3")}
}

func TestRanges(t *testing.T) {
	for _, tc := range []struct {
		start, end []byte
		down       bool
		want       string
	}{
		{nil, nil, false, "a=1 b=2 c=3"},
		{nil, nil, true, "c=3 b=2 a=1"},
		{[]byte("b"), nil, false, "b=2 c=3"},
		{nil, []byte("b"), false, "a=1"},
		{[]byte("a"), []byte("c"), true, "b=2 a=1"},
		{[]byte("a\x00"), []byte("bb"), false, "b=2"},
		{[]byte("c"), []byte("a"), false, ""},
		{[]byte("b"), []byte("b"), true, ""},
		{[]byte{}, []byte{}, false, ""},
		{[]byte{}, nil, true, "c=3 b=2 a=1"},
	} {
		if got := drain(abc(), newIterator(tc.start, tc.end, tc.down), nil); got != tc.want {
			t.Errorf("%q to %q, down %v: got %q, want %q", tc.start, tc.end, tc.down, got, tc.want)
		}
	}
}

func TestIteratorUnderWrites(t *testing.T) {
	for _, tc := range []struct {
		name   string
		down   bool
		change func(s memory, key string)
		want   string
	}{
		{"remove what was given", false, func(s memory, k string) { delete(s, k) }, "a=1 b=2 c=3"},
		{"remove what was given, down", true, func(s memory, k string) { delete(s, k) }, "c=3 b=2 a=1"},
		{"remove the next", false, func(s memory, _ string) { delete(s, "b") }, "a=1 c=3"},
		{"insert ahead", false, func(s memory, k string) {
			if k == "a" {
				s.Set([]byte("a\x00"), []byte("new"))
			}
		}, "a=1 a\x00=new b=2 c=3"},
		{"insert behind", false, func(s memory, _ string) { s.Set([]byte("0"), []byte("new")) }, "a=1 b=2 c=3"},
		{"insert behind, down", true, func(s memory, _ string) { s.Set([]byte("d"), []byte("new")) }, "c=3 b=2 a=1"},
		{"change the next", false, func(s memory, _ string) { s.Set([]byte("c"), []byte("9")) }, "a=1 b=2 c=9"},
		{"remove all", true, func(s memory, _ string) { clear(s) }, "c=3"},
	} {
		s := abc()
		if got := drain(s, newIterator(nil, nil, tc.down), func(k string) { tc.change(s, k) }); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestIteratorEndsForGood(t *testing.T) {
	s := memory{"a": nil}
	it := newIterator(nil, nil, false)
	drain(s, it, nil)
	s.Set([]byte("z"), nil)
	if _, _, ok := it.next(s); ok {
		t.Error("it went on after its end")
	}
}
