package claims

import "fmt"

// Status is how the maker of a TEE rates a platform, in Intel's words. The zero value is no rating.
type Status uint8

// Ratings, best first.
const (
	Unknown Status = iota
	UpToDate
	SWHardeningNeeded
	ConfigurationNeeded
	ConfigurationAndSWHardeningNeeded
	OutOfDate
	OutOfDateConfigurationNeeded
	Revoked
)

var statusNames = [...]string{
	"", "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
	"OutOfDate", "OutOfDateConfigurationNeeded", "Revoked",
}

// String is Intel's name of the rating; empty for Unknown.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// MarshalText is String.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseStatus reads Intel's name; Unknown for any other word.
func ParseStatus(name string) Status {
	for i, n := range statusNames {
		if n == name {
			return Status(i)
		}
	}
	return Unknown
}

// Level is Phala's confidence level of a rating, 1 (best) to 5; 0 is refused. accepted are the advisories that a policy
// knows and takes. Source: Phala's pallet registry (attestation levels 1 to 5).
func Level(s Status, advisories, accepted []string) int {
	switch s {
	case UpToDate:
		return 1
	case SWHardeningNeeded:
		return 2
	case ConfigurationNeeded, ConfigurationAndSWHardeningNeeded:
		if only(advisories, accepted) {
			return 3
		}
		return 4
	case OutOfDate:
		return 5
	default:
		return 0
	}
}

// only is whether every element of list is in of.
func only(list, of []string) bool {
	for _, l := range list {
		found := false
		for _, o := range of {
			found = found || l == o
		}
		if !found {
			return false
		}
	}
	return true
}

// Score is what a level counts in the economy, in tenths: 10, 10, 10, 8, 7 for levels 1 to 5, and 0 for what is refused.
func Score(level int) int {
	switch level {
	case 1, 2, 3:
		return 10
	case 4:
		return 8
	case 5:
		return 7
	default:
		return 0
	}
}
