package eventlog

import "fmt"

// Type is an event type (Firmware Profile, 10.4.1).
type Type uint32

// Types that the package itself tells apart.
const (
	NoAction        Type = 0x00000003 // extends nothing
	Separator       Type = 0x00000004
	EventTag        Type = 0x00000006
	PostCode        Type = 0x00000001
	IPL             Type = 0x0000000d // text of boot loaders, and of programs
	VariableDriver  Type = 0x80000001
	VariableBoot    Type = 0x80000002
	BootServicesApp Type = 0x80000003
	BootServicesDrv Type = 0x80000004
	RuntimeDriver   Type = 0x80000005
	GPT             Type = 0x80000006
	Action          Type = 0x80000007
	FirmwareBlob    Type = 0x80000008
	FirmwareBlob2   Type = 0x8000000a
	HandoffTables   Type = 0x80000009
	HandoffTables2  Type = 0x8000000b
	VariableBoot2   Type = 0x8000000c
	VariableAuth    Type = 0x800000e0
	DstackRuntime   Type = 0x08000001 // dstack's own: what its guest extends RTMR3 with
)

var typeNames = map[Type]string{
	0x00000000:      "EV_PREBOOT_CERT",
	PostCode:        "EV_POST_CODE",
	NoAction:        "EV_NO_ACTION",
	Separator:       "EV_SEPARATOR",
	0x00000005:      "EV_ACTION",
	EventTag:        "EV_EVENT_TAG",
	0x00000007:      "EV_S_CRTM_CONTENTS",
	0x00000008:      "EV_S_CRTM_VERSION",
	0x00000009:      "EV_CPU_MICROCODE",
	0x0000000a:      "EV_PLATFORM_CONFIG_FLAGS",
	0x0000000b:      "EV_TABLE_OF_DEVICES",
	0x0000000c:      "EV_COMPACT_HASH",
	IPL:             "EV_IPL",
	0x0000000e:      "EV_IPL_PARTITION_DATA",
	0x0000000f:      "EV_NONHOST_CODE",
	0x00000010:      "EV_NONHOST_CONFIG",
	0x00000011:      "EV_NONHOST_INFO",
	0x00000012:      "EV_OMIT_BOOT_DEVICE_EVENTS",
	VariableDriver:  "EV_EFI_VARIABLE_DRIVER_CONFIG",
	VariableBoot:    "EV_EFI_VARIABLE_BOOT",
	BootServicesApp: "EV_EFI_BOOT_SERVICES_APPLICATION",
	BootServicesDrv: "EV_EFI_BOOT_SERVICES_DRIVER",
	RuntimeDriver:   "EV_EFI_RUNTIME_SERVICES_DRIVER",
	GPT:             "EV_EFI_GPT_EVENT",
	Action:          "EV_EFI_ACTION",
	FirmwareBlob:    "EV_EFI_PLATFORM_FIRMWARE_BLOB",
	HandoffTables:   "EV_EFI_HANDOFF_TABLES",
	FirmwareBlob2:   "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
	HandoffTables2:  "EV_EFI_HANDOFF_TABLES2",
	VariableBoot2:   "EV_EFI_VARIABLE_BOOT2",
	0x8000000d:      "EV_EFI_GPT_EVENT2",
	0x80000010:      "EV_EFI_HCRTM_EVENT",
	VariableAuth:    "EV_EFI_VARIABLE_AUTHORITY",
	0x800000e1:      "EV_EFI_SPDM_FIRMWARE_BLOB",
	0x800000e2:      "EV_EFI_SPDM_FIRMWARE_CONFIG",
	DstackRuntime:   "DSTACK_RUNTIME_EVENT",
}

// String is the specification's name.
func (t Type) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("0x%08x", uint32(t))
}
