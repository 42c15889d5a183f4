package tee

import (
	"fmt"
	"time"

	"github.com/phala-go/phala/core/wire"
)

// Counter measures time since some moment before it was made. It never goes back.
type Counter interface {
	// Elapsed grows with real time.
	Elapsed() time.Duration
	// HostStops says whether the host could make it stand still or run slowly without being noticed.
	HostStops() bool
}

// CounterOf gives the best counter of a kind of hardware. A kind that should have one that the host cannot stop, and does not show
// it, gets the process's clock, which the host can stop.
func CounterOf(kind wire.TeeKind) Counter {
	var scale scale
	var err error
	switch kind {
	case wire.TEE_KIND_TDX:
		scale, err = scaleTDX()
	case wire.TEE_KIND_SEV_SNP:
		scale, err = scaleSNP()
	case wire.TEE_KIND_NITRO:
		return processClock{start: time.Now()} // of a hypervisor that is trusted with the enclave's memory too, and not the parent's
	default:
		return processClock{start: time.Now(), stops: true}
	}
	if err != nil {
		return processClock{start: time.Now(), stops: true}
	}
	return cycles{first: readTSC(), scale: scale}
}

// processClock is Go's monotonic clock: the guest kernel's, which reads what the hypervisor offers.
type processClock struct {
	start time.Time
	stops bool
}

// Elapsed is the time since the process made the counter.
func (p processClock) Elapsed() time.Duration { return time.Since(p.start) }

// HostStops is true where the host is the hypervisor.
func (p processClock) HostStops() bool { return p.stops }

// cycles is the processor's time stamp counter, whose rate and value the host cannot set.
type cycles struct {
	first uint64
	scale scale
}

// Elapsed reads the counter; one that went back, which the hardware rules out, has not moved.
func (c cycles) Elapsed() time.Duration {
	now := readTSC()
	if now < c.first {
		return 0
	}
	return c.scale.duration(now - c.first)
}

// HostStops is false.
func (c cycles) HostStops() bool { return false }

// scale is a counter's rate in kHz.
type scale uint64

func (s scale) duration(n uint64) time.Duration {
	ms := n / uint64(s)
	return time.Duration(ms)*time.Millisecond + time.Duration((n%uint64(s))*uint64(time.Millisecond)/uint64(s))
}

// scaleOf is a rate in Hz that a processor may have.
func scaleOf(hz uint64) (scale, error) {
	if hz < 100e6 || hz > 20e9 {
		return 0, fmt.Errorf("reading the counter's rate: %d Hz is none of a processor", hz)
	}
	return scale(hz / 1000), nil
}

// scaleTDX is the rate that the TDX module shows in CPUID leaf 0x15 (Intel TDX module specification, TSC virtualization): crystal
// frequency in ECX times EBX / EAX. Within a TD neither the leaf nor the counter is the host's.
func scaleTDX() (scale, error) {
	if top, _, _, _ := cpuid(0, 0); top < 0x15 {
		return 0, fmt.Errorf("reading the counter's rate: CPUID ends at leaf 0x%x, before 0x15", top)
	}
	eax, ebx, ecx, _ := cpuid(0x15, 0)
	if eax == 0 {
		return 0, fmt.Errorf("reading the counter's rate: CPUID leaf 0x15 is empty")
	}
	return scaleOf(uint64(ecx) * uint64(ebx) / uint64(eax))
}

// scaleSNP is the rate of SecureTSC: GUEST_TSC_FREQ in MHz, where SEV_STATUS says that it is on (AMD APM volume 2, 15.36.18).
func scaleSNP() (scale, error) {
	const sevStatus, guestFreq, secureTSC = 0xc0010131, 0xc0010134, 1 << 11
	status, err := readMSR(sevStatus)
	if err != nil {
		return 0, err
	}
	if status&secureTSC == 0 {
		return 0, fmt.Errorf("reading the counter's rate: SEV_STATUS is 0x%x, SecureTSC is off", status)
	}
	mhz, err := readMSR(guestFreq)
	if err != nil {
		return 0, err
	}
	return scaleOf(mhz * 1e6)
}
