package gen

import (
	"strings"

	"superscalar/wire/rule"
)

// tlvFault is a stream of appendix B that fails.
type tlvFault struct {
	name, namespace, bytes string
	kind, field            string
	offset                 int
	rule                   rule.ID
}

const nodeID = "3da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb"

var tlvFaults = []tlvFault{
	{"type-one-of-three-bytes", "any", "fd", "truncated", "tlv type", -1, rule.TRN032},
	{"type-two-of-three-bytes", "any", "fd01", "truncated", "tlv type", -1, rule.TRN032},
	{"type-not-minimal", "any", "fd0001 00", "not-minimal", "tlv type", 0, rule.TRN031},
	{"length-missing", "any", "fd0101", "truncated", "length of record 257", -1, rule.TRN032},
	{"length-one-of-three-bytes", "any", "0f fd", "truncated", "length of record 15", -1, rule.TRN032},
	{"length-two-of-three-bytes", "any", "0f fd26", "truncated", "length of record 15", -1, rule.TRN032},
	{"value-missing", "any", "0f fd2602", "truncated", "record 15", 4, rule.TRN034},
	{"length-not-minimal", "any", "0f fd0001 00", "not-minimal", "length of record 15", 1, rule.TRN031},
	{"value-short", "any", "0f fd0201" + strings.Repeat("00", 258), "truncated", "record 15", 4, rule.TRN034},

	{"unknown-even-1-byte", "any", "12 00", "unknown-even", "record 18", 0, rule.TRN037},
	{"unknown-even-3-bytes", "any", "fd0102 00", "unknown-even", "record 258", 0, rule.TRN037},
	{"unknown-even-5-bytes", "any", "fe01000002 00", "unknown-even", "record 16777218", 0, rule.TRN037},
	{"unknown-even-9-bytes", "any", "ff0100000000000002 00", "unknown-even", "record 72057594037927938", 0, rule.TRN037},

	{"n1-tlv1-9-bytes", "n1", "01 09 ffffffffffffffffff", "wrong-length", "tlv1", 2, rule.TRN035},
	{"n1-tlv1-leading-zero-1", "n1", "01 01 00", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv1-leading-zero-2", "n1", "01 02 0001", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv1-leading-zero-3", "n1", "01 03 000100", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv1-leading-zero-4", "n1", "01 04 00010000", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv1-leading-zero-5", "n1", "01 05 0001000000", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv1-leading-zero-6", "n1", "01 06 000100000000", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv1-leading-zero-7", "n1", "01 07 00010000000000", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv1-leading-zero-8", "n1", "01 08 0001000000000000", "not-minimal", "amount_msat", 2, rule.TRN036},
	{"n1-tlv2-7-bytes", "n1", "02 07 01010101010101", "wrong-length", "scid", 2, rule.TRN035},
	{"n1-tlv2-9-bytes", "n1", "02 09 010101010101010101", "wrong-length", "tlv2", 10, rule.TRN035},
	{"n1-tlv3-33-bytes", "n1", "03 21 02" + nodeID, "wrong-length", "amount_msat_1", 35, rule.TRN035},
	{"n1-tlv3-41-bytes", "n1", "03 29 02" + nodeID + "0000000000000001", "wrong-length", "amount_msat_2", 43, rule.TRN035},
	{"n1-tlv3-48-bytes", "n1", "03 30 02" + nodeID + "0000000000000001 00000000000001", "wrong-length", "amount_msat_2", 43, rule.TRN035},
	{"n1-tlv3-bad-point", "n1", "03 31 04" + nodeID + "0000000000000001 0000000000000002", "bad-point", "node_id", 2, rule.TRN040},
	{"n1-tlv3-50-bytes", "n1", "03 32 02" + nodeID + "0000000000000001 000000000000000001", "wrong-length", "tlv3", 51, rule.TRN035},
	{"n1-tlv4-0-bytes", "n1", "fd00fe 00", "wrong-length", "cltv_delta", 4, rule.TRN035},
	{"n1-tlv4-1-byte", "n1", "fd00fe 01 01", "wrong-length", "cltv_delta", 4, rule.TRN035},
	{"n1-tlv4-3-bytes", "n1", "fd00fe 03 010101", "wrong-length", "tlv4", 6, rule.TRN035},
	{"n1-unknown-even-0", "n1", "00 00", "unknown-even", "record 0", 0, rule.TRN037},

	{"n1-wrong-order", "n1", "02 08 0000000000000226 01 01 2a", "order", "tlv1", 10, rule.TRN033},
	{"n1-duplicate", "n1", "02 08 0000000000000231 02 08 0000000000000451", "order", "tlv2", 10, rule.TRN033},
	{"n1-wrong-order-ignored", "n1", "1f 00 0f 01 2a", "order", "record 15", 2, rule.TRN033},
	{"n1-duplicate-ignored", "n1", "1f 00 1f 01 2a", "order", "record 31", 2, rule.TRN033},
	{"n2-wrong-order-after-highest", "n2", "ffffffffffffffffff 00 00 00", "order", "tlv1", 10, rule.TRN033},

	{"own-n2-tlv2-5-bytes", "n2", "0b 05 0100000000", "wrong-length", "tlv2", 2, rule.TRN035},
	{"own-n2-tlv2-leading-zero", "n2", "0b 02 0001", "not-minimal", "cltv_expiry", 2, rule.TRN036},
	{"own-n1-point-not-on-curve", "n1", "03 31 02" + strings.Repeat("00", 31) + "05" + "0000000000000001 0000000000000002", "bad-point", "node_id", 2, rule.TRN040},
	{"own-n1-point-above-field", "n1", "03 31 02" + strings.Repeat("ff", 32) + "0000000000000001 0000000000000002", "bad-point", "node_id", 2, rule.TRN040},
	{"own-length-9-bytes-of-everything", "any", "0f ffffffffffffffffff", "truncated", "record 15", 10, rule.TRN034},
}

var tlvGood = []struct{ name, namespace, bytes string }{
	{"empty", "any", ""},
	{"unknown-odd-33", "any", "21 00"},
	{"unknown-odd-513", "any", "fd0201 00"},
	{"unknown-odd-253", "any", "fd00fd 00"},
	{"unknown-odd-255", "any", "fd00ff 00"},
	{"unknown-odd-5-bytes", "any", "fe02000001 00"},
	{"unknown-odd-9-bytes", "any", "ff0200000000000001 00"},
	{"n1-tlv1-0", "n1", "01 00"},
	{"n1-tlv1-1", "n1", "01 01 01"},
	{"n1-tlv1-2-bytes", "n1", "01 02 0100"},
	{"n1-tlv1-3-bytes", "n1", "01 03 010000"},
	{"n1-tlv1-4-bytes", "n1", "01 04 01000000"},
	{"n1-tlv1-5-bytes", "n1", "01 05 0100000000"},
	{"n1-tlv1-6-bytes", "n1", "01 06 010000000000"},
	{"n1-tlv1-7-bytes", "n1", "01 07 01000000000000"},
	{"n1-tlv1-8-bytes", "n1", "01 08 0100000000000000"},
	{"n1-tlv2", "n1", "02 08 0000000000000226"},
	{"n1-tlv3", "n1", "03 31 02" + nodeID + "0000000000000001 0000000000000002"},
	{"n1-tlv4", "n1", "fd00fe 02 0226"},
	{"own-n2-tlv1-tlv2", "n2", "00 01 01 0b 04 ffffffff"},
	{"own-n1-odd-among-known", "n1", "01 00 0f 02 abcd fd00fe 02 0226 fe02000001 00"},
}

// tlvChain are valid streams of n1 in increasing order of their types.
var tlvChain = []struct{ name, bytes string }{
	{"tlv1", "01 01 01"},
	{"tlv2", "02 08 0000000000000226"},
	{"tlv3", "03 31 02" + nodeID + "0000000000000001 0000000000000002"},
	{"tlv4", "fd00fe 02 0226"},
}
