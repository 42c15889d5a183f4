// Package claims is the vocabulary in which every kind of evidence is told once its maker's signature has been checked: what was
// measured, on which chip, how its maker rates the platform, and why something was refused. It must never decide anything.
package claims

import "time"

// Claims is what verified evidence says, whoever made it. The zero value says nothing, and no policy accepts it.
type Claims struct {
	// Measurement is what policies approve, 32 to 64 bytes; each kind's package says how it is made from Registers.
	Measurement []byte
	// Registers is everything measured, by the names the kind's own specification uses, in its order.
	Registers []Register
	// ReportData is what the program put into the evidence; 64 bytes for all kinds that have so much room.
	ReportData []byte
	// HostData is what the host put in; empty for kinds without it. Nothing may rest on it alone.
	HostData []byte
	// ChipID names the hardware across boots; empty where the evidence does not tell.
	ChipID []byte

	// Status is the merged rating; the three behind it are its parts. Unknown: the kind has no such part.
	Status         Status
	PlatformStatus Status
	ModuleStatus   Status
	QEStatus       Status
	// TCBDate is when the maker issued the level that was matched; zero where the maker gives none.
	TCBDate time.Time
	// Versions are the security versions that the evidence proves, by name; floors of a policy compare with them.
	Versions []Version
	// Advisories are open against the matched level, sorted, each once.
	Advisories []string
	// Debug means that the host may look inside.
	Debug bool
	// Warnings are facts that a policy may refuse, by stable kebab-case names ("provisional-firmware", "smt", ...), sorted.
	Warnings []string

	// NotBefore and NotAfter bound the time at which everything that was relied on (certificates, CRLs, TCB info) is in force.
	NotBefore, NotAfter time.Time
}

// Register is one measured value.
type Register struct {
	Name  string
	Value []byte
}

// Version is one security version.
type Version struct {
	Name  string
	Value uint64
}

// Register is the value of the register of that name, nil if there is none.
func (c *Claims) Register(name string) []byte {
	for _, r := range c.Registers {
		if r.Name == name {
			return r.Value
		}
	}
	return nil
}

// Version is the security version of that name.
func (c *Claims) Version(name string) (uint64, bool) {
	for _, v := range c.Versions {
		if v.Name == name {
			return v.Value, true
		}
	}
	return 0, false
}

// Within narrows NotBefore and NotAfter to what also lies between from and to.
func (c *Claims) Within(from, to time.Time) {
	if c.NotBefore.IsZero() || from.After(c.NotBefore) {
		c.NotBefore = from
	}
	if c.NotAfter.IsZero() || to.Before(c.NotAfter) {
		c.NotAfter = to
	}
}
