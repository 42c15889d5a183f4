package engine

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// A contract says what it needs by exporting functions with these names.
const (
	capability = "requires_"
	extension  = "phala"
)

// Capabilities lists what this engine offers to contracts. The cosmwasm_ ones
// also widen what queries and messages say; whoever carries these out answers
// for them, and may answer that a query is not supported here.
func Capabilities() []string {
	return []string{
		"cosmwasm_1_1", "cosmwasm_1_2", "cosmwasm_1_3", "cosmwasm_1_4",
		"cosmwasm_2_0", "cosmwasm_2_1", "cosmwasm_2_2", "cosmwasm_3_0",
		"iterator", extension,
	}
}

// incapable names what a module requires and is not to be had, or is empty.
func incapable(m *meter.Module, also []string) string {
	offered := slices.Concat(Capabilities(), also)
	var missing []string
	for _, x := range m.Exports {
		if need, ok := strings.CutPrefix(x.Name, capability); ok && !slices.Contains(offered, need) {
			missing = append(missing, need)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	slices.Sort(missing)
	slices.Sort(offered)
	return "requires " + strings.Join(missing, ", ") + "; offered here are " + strings.Join(offered, ", ")
}

// undeclared names what a module imports of this network's additions without
// saying so where tools that know CosmWasm alone look, or is empty.
func undeclared(m *meter.Module) string {
	if slices.ContainsFunc(m.Exports, func(x meter.Export) bool { return x.Name == capability+extension && x.Kind == meter.KindFunc }) {
		return ""
	}
	var uses []string
	for _, i := range m.Imports {
		if i.Module == phalaModuleName {
			uses = append(uses, i.Module+"."+i.Name)
		}
	}
	if len(uses) == 0 {
		return ""
	}
	slices.Sort(uses)
	return "imports " + strings.Join(uses, ", ") + " and does not export " + capability + extension
}

// versionSection is the custom section in which Rust contracts state the
// version of their state, a decimal number.
const versionSection = "cw_migrate_version"

// stateVersion looks for it in a module that is known to be well formed; what
// is no number is as good as none.
func stateVersion(code []byte) *uint64 {
	for code = code[8:]; len(code) > 0; {
		id := code[0]
		size, n := binary.Uvarint(code[1:])
		section := code[1+n : 1+n+int(size)]
		code = code[1+n+int(size):]
		length, n := binary.Uvarint(section)
		if id != 0 || length != uint64(len(versionSection)) || !strings.HasPrefix(string(section[n:]), versionSection) {
			continue
		}
		if v, err := strconv.ParseUint(string(section[n+len(versionSection):]), 10, 64); err == nil {
			return &v
		}
	}
	return nil
}
