package gen

import (
	"superscalar/refnode/transport"
	"superscalar/vectors"
)

// The figures of BOLT 8 appendix A.
var (
	initiatorKey         = unhex("1111111111111111111111111111111111111111111111111111111111111111")
	initiatorID          = unhex("034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa")
	initiatorEphemeral   = unhex("1212121212121212121212121212121212121212121212121212121212121212")
	initiatorEphemeralID = unhex("036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f7")
	responderKey         = unhex("2121212121212121212121212121212121212121212121212121212121212121")
	responderID          = unhex("028d7500dd4c12685d1f568b4c2b5048e8534b873319f3a8daa612b469132ec7f7")
	responderEphemeral   = unhex("2222222222222222222222222222222222222222222222222222222222222222")
	responderEphemeralID = unhex("02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27")

	acts = []vectors.Hex{
		unhex("00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a"),
		unhex("0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae"),
		unhex("00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba"),
	}

	inner = []vectors.Intermediates{{
		HashKey:   unhex("9e0e7de8bb75554f21db034633de04be41a2b8a18da7a319a03c803bf02b396c"),
		Secret:    unhex("1e2fb3c8fe8fb9f262f649f64d26ecf0f2c0a805a767cf02dc2d77a6ef1fdcc3"),
		Chain:     unhex("b61ec1191326fa240decc9564369dbb3ae2b34341d1e11ad64ed89f89180582f"),
		TempKey:   unhex("e68f69b7f096d7917245f5e5cf8ae1595febe4d4644333c99f9c4a1282031c9f"),
		Cipher:    unhex("0df6086551151f58b8afe6c195782c6a"),
		HashAfter: unhex("9d1ffbb639e7e20021d9259491dc7b160aab270fb1339ef135053f6f2cebe9ce"),
	}, {
		HashKey:   unhex("38122f669819f906000621a14071802f93f2ef97df100097bcac3ae76c6dc0bf"),
		Secret:    unhex("c06363d6cc549bcb7913dbb9ac1c33fc1158680c89e972000ecd06b36c472e47"),
		Chain:     unhex("e89d31033a1b6bf68c07d22e08ea4d7884646c4b60a9528598ccb4ee2c8f56ba"),
		TempKey:   unhex("908b166535c01a935cf1e130a5fe895ab4e6f3ef8855d87e9b7581c4ab663ddc"),
		Cipher:    unhex("6e2470b93aac583c9ef6eafca3f730ae"),
		HashAfter: unhex("90578e247e98674e661013da3c5c1ca6a8c8f48c90b485c0dfa1494e23d56d72"),
	}, {
		Secret:    unhex("b36b6d195982c5be874d6d542dc268234379e1ae4ff1709402135b7de5cf0766"),
		Chain:     unhex("919219dbb2920afa8db80f9a51787a840bcf111ed8d588caf9ab4be716e42b01"),
		TempKey:   unhex("981a46c820fb7a241bc8184ba4bb1f01bcdfafb00dde80098cb8c38db9141520"),
		Cipher:    unhex("b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c3822"),
		HashAfter: unhex("5dcb5ea9b4ccc755e0e3456af3990641276e1d5dc9afd82f974d90a47c918660"),
		Tag:       unhex("8dc68b1c466263b47fdf31e560e139ba"),
	}}

	finalChain = inner[2].Chain
	// finalKeys are the sending keys of the initiator and of the responder.
	finalKeys = []vectors.Hex{
		unhex("969ab31b4d288cedf6218839b27a3e2140827047f2c0f01bf5c04435d43511a9"),
		unhex("bb9020b8965f4df047e07f955f3c4b88418984aadc5cdb35096b9ea8fa5c3442"),
	}
)

// badActs are the thirteen handshakes of the appendix that fail.
var badActs = []struct {
	name, class string
	act         int
	bytes       string
}{
	{"act-2-short", transport.Act2ReadFailed, 2, "0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730"},
	{"act-2-bad-version", transport.Act2BadVersion, 2, "0102466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae"},
	{"act-2-bad-key", transport.Act2BadPubkey, 2, "0004466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae"},
	{"act-2-bad-tag", transport.Act2BadTag, 2, "0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730af"},
	{"act-1-short", transport.Act1ReadFailed, 1, "00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c"},
	{"act-1-bad-version", transport.Act1BadVersion, 1, "01036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a"},
	{"act-1-bad-key", transport.Act1BadPubkey, 1, "00046360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a"},
	{"act-1-bad-tag", transport.Act1BadTag, 1, "00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6b"},
	{"act-3-bad-version", transport.Act3BadVersion, 3, "01b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba"},
	{"act-3-short", transport.Act3ReadFailed, 3, "00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139"},
	{"act-3-bad-ciphertext", transport.Act3BadCiphertext, 3, "00c9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba"},
	{"act-3-bad-key", transport.Act3BadPubkey, 3, "00bfe3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa2235536ad09a8ee351870c2bb7f78b754a26c6cef79a98d25139c856d7efd252c2ae73c"},
	{"act-3-bad-tag", transport.Act3BadTag, 3, "00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139bb"},
}
