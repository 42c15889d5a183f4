package escrow

// What TestVectors wants.
const (
	vectorAbout       = "e5e53c8613d749e9e9a54e8cca050ae916d3d93853c8e896439fa21517325552"
	vectorCheck       = "45ad055d7e7694c527e557f9894d4255c3117ce1f79ef2788e945b0b9bb9219b"
	vectorShare0      = "5af1c5d8192fefd9736cb50aff68bb61660c5f8a6b9719fcaba9d8599994552c"
	vectorShare4      = "42be70a9439eb68d584d60b0add41168a07d312e64029398c9a79f31e63af6b6"
	vectorSalt4       = "5fa9a4f877f2ee678cd55b14cae1dcfdc9479b9bb9d4573888b23c49a1e0e916"
	vectorCommitment4 = "8f738b32c0d8feb421c4efb7c845ad1d66279745990e158d4f3e844dd24409bf"
)
