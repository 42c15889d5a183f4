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
				{RpcMethod: "Set", Use: "set", Short: "Who holds parts of the network's keys in this epoch and the one before"},
				{RpcMethod: "Generation", Use: "generation", Short: "How far the making of an epoch's keys is"},
				{RpcMethod: "Roster", Use: "roster", Short: "Who is to hold parts from the next border on"},
				{RpcMethod: "Beacon", Use: "beacon [height]", Short: "The public random value of a height", PositionalArgs: arg("height")},
				{RpcMethod: "Params", Use: "params", Short: "How epochs of keys go"},
				{RpcMethod: "ClusterKey", Use: "cluster-key [cluster]", Short: "The key that inputs of a cluster are sealed to", PositionalArgs: arg("cluster")},
				{RpcMethod: "KeyRequests", Use: "key-requests", Short: "Requests for keys on record, newest first"},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.gatekeeper.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "RequestKey", Use: "request-key [request]", Short: "Put a worker's signed request for its cluster's key on record", PositionalArgs: arg("request")},
				{RpcMethod: "AnnounceEpoch", Use: "announce-epoch [announcement]", Short: "Pass on a member's signed word on its cluster's input key", PositionalArgs: arg("announcement")},
				{RpcMethod: "UpdateRoster", Skip: true}, // a proposal's message
				{RpcMethod: "JoinGeneration", Use: "join-generation [join]", Short: "Pass on a gatekeeper's signed one-time keys", PositionalArgs: arg("join")},
				{RpcMethod: "Contribute", Use: "contribute [contribution]", Short: "Pass on a gatekeeper's signed contribution to the next keys", PositionalArgs: arg("contribution")},
				{RpcMethod: "Complain", Use: "complain [complaint]", Short: "Pass on a gatekeeper's signed complaint about another's contribution", PositionalArgs: arg("complaint")},
				{RpcMethod: "Confirm", Use: "confirm [confirmation]", Short: "Pass on a gatekeeper's signed word that all contributions are right", PositionalArgs: arg("confirmation")},
				{RpcMethod: "SubmitBeacon", Use: "submit-beacon [beacon]", Short: "Pass on the gatekeepers' signature of a height", PositionalArgs: arg("beacon")},
			},
		},
	}
}
