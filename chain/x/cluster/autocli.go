package cluster

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
)

func args(names ...string) []*autocliv1.PositionalArgDescriptor {
	out := make([]*autocliv1.PositionalArgDescriptor, len(names))
	for i, n := range names {
		out[i] = &autocliv1.PositionalArgDescriptor{ProtoField: n}
	}
	return out
}

// AutoCLIOptions gives phalad its commands. Users seal with phala; these are for operators and scripts.
func (Module) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.cluster.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Params", Use: "params", Short: "Bounds of clusters and batches, fees by gas class"},
				{RpcMethod: "Cluster", Use: "cluster [id]", Short: "One cluster with its head and inbox", PositionalArgs: args("id")},
				{RpcMethod: "Clusters", Use: "clusters", Short: "All clusters, a page at a time"},
				{RpcMethod: "InboxItem", Use: "inbox-item [cluster] [index]", Short: "One sealed input", PositionalArgs: args("cluster", "index")},
				{RpcMethod: "Batch", Use: "batch [cluster] [number]", Short: "One final batch with its signatures", PositionalArgs: args("cluster", "number")},
				{RpcMethod: "Code", Use: "code [id]", Short: "What is known of uploaded code", PositionalArgs: args("id")},
				{RpcMethod: "CodeBytes", Use: "code-bytes [id]", Short: "Uploaded code, packed", PositionalArgs: args("id")},
				{RpcMethod: "Contract", Use: "contract [cluster] [address]", Short: "One contract", PositionalArgs: args("cluster", "address")},
				{RpcMethod: "Contracts", Use: "contracts [cluster]", Short: "A cluster's contracts, a page at a time", PositionalArgs: args("cluster")},
				{RpcMethod: "Escrow", Use: "escrow [cluster]", Short: "Among whom a cluster's state keys are in escrow, and who asks for them", PositionalArgs: args("cluster")},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.cluster.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "CreateCluster", Use: "create", Short: "Make a cluster of registered workers"},
				{RpcMethod: "UploadCode", Use: "upload-code [packed]", Short: "Put a packed contract module on the chain", PositionalArgs: args("packed")},
				{RpcMethod: "Instantiate", Use: "instantiate", Short: "Order a sealed instantiation"},
				{RpcMethod: "SubmitInput", Use: "submit-input", Short: "Order a sealed input"},
				{RpcMethod: "CommitBatch", Use: "commit-batch [batch]", Short: "Pass on a signed batch", PositionalArgs: args("batch")},
				{RpcMethod: "RevealEffects", Use: "reveal-effects [cluster] [number]", Short: "Present effects of a final batch", PositionalArgs: args("cluster", "number")},
				{RpcMethod: "ConsentEscrow", Use: "consent-escrow [cluster]", Short: "Consent to an escrow of a cluster's state keys, or withdraw it", PositionalArgs: args("cluster")},
				{RpcMethod: "SetEscrow", Skip: true},      // governance alone
				{RpcMethod: "EscrowStateKey", Skip: true}, // from an enclave
				{RpcMethod: "RequestEscrow", Skip: true},
				{RpcMethod: "EscrowShare", Skip: true}, // from phala escrow open
			},
		},
	}
}
