package merkle

import (
	"encoding/hex"
	"fmt"
	"testing"
)

// Vectors of RFC 6962 as published with Certificate Transparency's reference tests.
func TestRootVectors(t *testing.T) {
	var leaves [][]byte
	for _, s := range []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"} {
		b, _ := hex.DecodeString(s)
		leaves = append(leaves, b)
	}
	want := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	for n, w := range want {
		if got := hex.EncodeToString(Root(leaves[:n])[1:]); got != w {
			t.Errorf("%d leaves: %s, want %s", n, got, w)
		}
	}
}

func TestPathsAndTheirForgeries(t *testing.T) {
	for n := 1; n <= 17; n++ {
		var leaves [][]byte
		for i := range n {
			leaves = append(leaves, fmt.Appendf(nil, "leaf %d", i))
		}
		root := Root(leaves)
		for i := range n {
			path := Path(leaves, i)
			ok := func(r, l []byte, i, n int, p [][]byte) bool { return Verify(r, l, uint32(i), uint32(n), p) == nil }
			if !ok(root, leaves[i], i, n, path) {
				t.Fatalf("leaf %d of %d refused", i, n)
			}
			if ok(root, []byte("other"), i, n, path) || ok(root, leaves[i], n, n, path) ||
				ok(root, leaves[i], i, n, append(path[:len(path):len(path)], make([]byte, 32))) ||
				ok(root[1:], leaves[i], i, n, path) {
				t.Fatalf("a forged proof of leaf %d of %d was taken", i, n)
			}
			if n > 1 && (ok(root, leaves[i], (i+1)%n, n, path) || ok(root, leaves[i], i, n, path[1:]) || ok(root, leaves[i], i, n, append([][]byte{{1}}, path[1:]...))) {
				t.Fatalf("a forged proof of leaf %d of %d was taken", i, n)
			}
		}
	}
}
