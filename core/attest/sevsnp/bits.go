package sevsnp

import "fmt"

// Key says which key signed a report (56860, SIGNING_KEY).
type Key uint8

// The signing keys; 2 to 6 are reserved, and a report by none is not signed.
const (
	VCEK Key = 0
	VLEK Key = 1
	None Key = 7
)

func (k Key) known() bool { return k == VCEK || k == VLEK || k == None }

// String is AMD's name.
func (k Key) String() string {
	switch k {
	case VCEK:
		return "VCEK"
	case VLEK:
		return "VLEK"
	case None:
		return "none"
	default:
		return fmt.Sprintf("Key(%d)", uint8(k))
	}
}

// hostRequested stands for the VMPL in a report that the host has asked for; the host chose its REPORT_DATA.
const hostRequested = 0xffffffff

// Policy is what the guest's owner demanded at launch (56860, POLICY).
type Policy uint64

// Bits of a Policy; 0 to 15 are the least ABI version.
const (
	PolicySMT              Policy = 1 << 16 // simultaneous multithreading is allowed
	PolicyMigrateMA        Policy = 1 << 18 // a migration agent may hold the guest's keys
	PolicyDebug            Policy = 1 << 19 // the host may look inside
	PolicySingleSocket     Policy = 1 << 20
	PolicyCXL              Policy = 1 << 21 // memory and devices on CXL are allowed
	PolicyAES256XTS        Policy = 1 << 22
	PolicyRAPLDisabled     Policy = 1 << 23
	PolicyCiphertextHiding Policy = 1 << 24
	PolicyNoPageSwap       Policy = 1 << 25
)

const (
	policyOne      = 1 << 17
	policyReserved = ^uint64(1<<26-1) | policyOne
)

// Platform is how the machine is configured (56860, PLATFORM_INFO).
type Platform uint64

// Bits of a Platform.
const (
	PlatformSMT              Platform = 1 << 0
	PlatformTSME             Platform = 1 << 1
	PlatformECC              Platform = 1 << 2
	PlatformRAPLDisabled     Platform = 1 << 3
	PlatformCiphertextHiding Platform = 1 << 4
	PlatformAliasCheck       Platform = 1 << 5 // no address of the memory is another's alias (AMD-SB-3015)
	PlatformIOMMUWriteSafe   Platform = 1 << 6 // AMD-SB-3016
	PlatformTIO              Platform = 1 << 7
)

const platformReserved = ^uint64(1<<8 - 1)
