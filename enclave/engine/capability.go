package engine

import (
	"slices"
	"strconv"
	"strings"
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
func (m *module) incapable(also []string) string {
	offered := slices.Concat(Capabilities(), also)
	var missing []string
	for name := range m.exports {
		if need, ok := strings.CutPrefix(name, capability); ok && !slices.Contains(offered, need) {
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

// versionSection is the custom section in which Rust contracts state the
// version of their state, a decimal number.
const versionSection = "cw_migrate_version"

// readVersion looks for it; what is no number is as good as none.
func (m *module) readVersion(r *reader) {
	n := r.u32()
	if r.err != nil || n != uint32(len(versionSection)) || string(r.take(n)) != versionSection {
		return
	}
	if v, err := strconv.ParseUint(string(r.b), 10, 64); err == nil {
		m.migrateVersion = &v
	}
}
