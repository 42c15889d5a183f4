package storekey

// KeyEscrowKey is the key of a cluster's wire.KeyEscrow in Cluster.
func KeyEscrowKey(cluster uint64) []byte { return u64([]byte{0x0d}, cluster) }

// EscrowDealKey is the key of deal number n of a label's wire.EscrowDeal in Cluster.
func EscrowDealKey(cluster, epoch, roster uint64, n uint32) []byte {
	return u32(u64(u64(u64([]byte{0x0e}, cluster), epoch), roster), n)
}

// EscrowRequestKey is the key of a member's wire.EscrowRequest in Cluster, the newest.
func EscrowRequestKey(cluster uint64, operator string, slot uint32) []byte {
	return worker(u64([]byte{0x0f}, cluster), operator, slot)
}

// EscrowShareKey is the key of a custodian's wire.EscrowShare in Cluster: of deal number n of a label, for a member's request.
func EscrowShareKey(cluster uint64, operator string, slot uint32, epoch, roster uint64, n, custodian uint32) []byte {
	return u32(u32(u64(u64(worker(u64([]byte{0x10}, cluster), operator, slot), epoch), roster), n), custodian)
}
