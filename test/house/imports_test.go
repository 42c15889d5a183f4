package house

import (
	"path"
	"strings"
	"testing"
)

// may is which of our folders each may import: the table of the house. A pattern is path.Match's, and stands for what is below it too.
var may = map[string][]string{
	"core":     {"core"},
	"enclave":  {"core", "enclave"},
	"chain":    {"core", "chain"},
	"client":   {"core", "client", "chain/x/*/types"},
	"offchain": {"core", "offchain", "chain/x/*/types", "client/node"}, // an offchaind is an account on the chain itself
	"devnet":   {"core", "devnet", "client", "chain/x/*/types"},
	"cmd":      {"core", "cmd", "chain", "client", "offchain", "devnet"}, // and cmd/pruntime the enclave, see below
	"sdk":      {"sdk"},
	"examples": {"examples", "sdk", "client", "devnet", "core"},
	"test":     {"core", "enclave", "chain", "client", "offchain", "devnet", "cmd", "sdk", "examples", "test"},
	"bench":    {"core", "enclave", "chain", "client", "offchain", "devnet", "sdk", "test", "bench"},
	"tools":    {"core"},
	"internal": {},
}

func matches(dir, pattern string) bool {
	n := strings.Count(pattern, "/") + 1
	parts := strings.Split(dir, "/")
	if len(parts) < n {
		return false
	}
	ok, err := path.Match(pattern, strings.Join(parts[:n], "/"))
	return err == nil && ok
}

// allowed says whether a file in dir may import ours, a folder.
func allowed(dir, ours string, test bool) bool {
	top, _, _ := strings.Cut(dir, "/")
	if under(ours, "enclave") && (strings.HasPrefix(dir, "cmd/pruntime") || (test && top != "core")) {
		return true
	}
	if strings.Contains(dir, "/testdata/") { // contracts that tests run
		return under(ours, "sdk")
	}
	if test && top == "core" && matches(ours, "chain/x/*/types") { // compared with what the chain makes
		return true
	}
	for _, p := range may[top] {
		if matches(ours, p) {
			return true
		}
	}
	return false
}

// Arrows point down only: cmd -> (enclave | offchain | chain | client) -> core.
func TestImportDirection(t *testing.T) {
	for _, f := range files(t) {
		top, _, nested := strings.Cut(f.dir, "/")
		if !nested && may[top] == nil {
			t.Errorf("%s: folder %q is not in the table of the house", f.path, top)
		}
		for _, imp := range f.imports() {
			ours, ok := strings.CutPrefix(imp, module+"/")
			if ok && !allowed(f.dir, ours, f.test) {
				t.Errorf("%s imports %s; %s may import only %v", f.path, ours, top, may[top])
			}
		}
	}
}

// The table itself: a wrong arrow is seen.
func TestTableOfTheHouse(t *testing.T) {
	for _, c := range []struct {
		dir, imports string
		test, want   bool
	}{
		{"core/settle", "core/wire", false, true},
		{"core/settle", "enclave/engine", false, false},
		{"core/settle", "enclave/engine", true, false},
		{"core/settle", "client", false, false},
		{"enclave/state", "core/wire", false, true},
		{"enclave/state", "chain/x/cluster/types", false, false},
		{"enclave/state", "client/node", true, false},
		{"chain/app", "enclave/engine", false, false},
		{"chain/app", "enclave/engine", true, true},
		{"offchain/relay", "client/node", false, true},
		{"offchain/relay", "client", false, false},
		{"offchain/relay", "chain/x/worker/types", false, true},
		{"offchain/relay", "chain/x/worker/keeper", false, false},
		{"client", "chain/x/cluster/types", false, true},
		{"client", "chain/app", false, false},
		{"client", "devnet", false, false},
		{"cmd/pruntime", "enclave/runtime", false, true},
		{"cmd/pruntime-liar", "enclave/runtime", false, true},
		{"cmd/offchaind", "enclave/runtime", false, false},
		{"sdk/contract", "core/wire", false, false},
		{"test/e2e", "enclave/runtime", true, true},
	} {
		if got := allowed(c.dir, c.imports, c.test); got != c.want {
			t.Errorf("%s may import %s (test %t): %t, want %t", c.dir, c.imports, c.test, got, c.want)
		}
	}
}

// Neighbour modules are interfaces: a module imports no other one's keeper.
func TestModulesKnowTheirNeighboursByTypesOnly(t *testing.T) {
	for _, f := range files(t) {
		parts := strings.Split(f.dir, "/")
		if f.test || len(parts) < 3 || parts[0] != "chain" || parts[1] != "x" {
			continue
		}
		own := strings.Join(parts[:3], "/")
		for _, imp := range f.imports() {
			ours, ok := strings.CutPrefix(imp, module+"/chain/")
			if ok && !under("chain/"+ours, own) && !matches("chain/"+ours, "chain/x/*/types") {
				t.Errorf("%s imports chain/%s", f.path, ours)
			}
		}
	}
}

// sdkModules are what nothing but phalad links.
var sdkModules = []string{"github.com/cosmos/cosmos-sdk", "github.com/cosmos/ibc-go", "cosmossdk.io/collections", "cosmossdk.io/store", "cosmossdk.io/client", "cosmossdk.io/depinject"}

func linksSDK(imp string) bool {
	for _, m := range sdkModules {
		if under(imp, m) || strings.HasPrefix(imp, m+"/") {
			return true
		}
	}
	return false
}

func TestOnlyTheChainImportsTheSDK(t *testing.T) {
	for _, f := range files(t) {
		if matches(f.dir, "cmd/phalad") || under(f.dir, "internal") || under(f.dir, "bench") || (under(f.dir, "test") && f.test) {
			continue
		}
		if under(f.dir, "chain") && (f.test || !matches(f.dir, "chain/x/*/types")) {
			continue
		}
		for _, imp := range f.imports() {
			if linksSDK(imp) {
				t.Errorf("%s imports %s", f.path, imp)
			}
		}
	}
}
