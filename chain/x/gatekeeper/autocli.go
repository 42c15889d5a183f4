package gatekeeper

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
)

// AutoCLIOptions gives phalad its commands.
func (Module) AutoCLIOptions() *autocliv1.ModuleOptions {
	arg := func(name string) []*autocliv1.PositionalArgDescriptor {
		return []*autocliv1.PositionalArgDescriptor{{ProtoField: name}}
	}
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.gatekeeper.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Set", Use: "set", Short: "Who holds parts of the network's keys in this epoch"},
				{RpcMethod: "ClusterKey", Use: "cluster-key [cluster]", Short: "The key that inputs of a cluster are sealed to", PositionalArgs: arg("cluster")},
				{RpcMethod: "KeyRequests", Use: "key-requests", Short: "Requests for keys on record, newest first"},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.gatekeeper.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "RequestKey", Use: "request-key [request]", Short: "Put a worker's signed request for its cluster's key on record", PositionalArgs: arg("request")},
				{RpcMethod: "AnnounceEpoch", Use: "announce-epoch [announcement]", Short: "Pass on a member's signed word on its cluster's input key", PositionalArgs: arg("announcement")},
			},
		},
	}
}
