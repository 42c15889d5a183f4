package tee

// readTSC is the processor's time stamp counter, read after the instructions before it.
func readTSC() uint64

// cpuid asks the processor what it is.
func cpuid(leaf, sub uint32) (eax, ebx, ecx, edx uint32)
