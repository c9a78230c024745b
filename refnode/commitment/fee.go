package commitment

// Weights of BOLT 3, "Fee Calculation", and amounts of anchors.
const (
	baseWeight = 1124 // weight units of a commitment transaction without HTLCs
	htlcWeight = 172  // weight units of each HTLC output

	// AnchorValue is what each of the two anchors has, in sat.
	AnchorValue Sat = 330

	// MaxSharedAnchor is the most that the shared anchor has, in sat.
	MaxSharedAnchor Sat = 240
)

// FeeFor returns the base fee of a commitment transaction with so many
// untrimmed HTLCs, in sat, without the anchors.
func FeeFor(t Type, rate Feerate, untrimmed int) Sat {
	if t == ZeroFee {
		return 0
	}

	return Sat(uint64(rate) * uint64(baseWeight+htlcWeight*untrimmed) / 1000)
}

// Trimmed reports whether an HTLC has no output on the owner's commitment: its
// amount in whole sat is under the owner's dust limit. HTLC transactions pay no
// fee with either type.
func (p *Params) Trimmed(owner Side, h HTLC) bool { return h.Amount.Sat() < p.DustLimit[owner] }

// Fee returns what the Opener pays on the owner's commitment, in sat: the base
// fee and two anchors; 0 with ZeroFee.
func (p *Params) Fee(owner Side, s *State) Sat {
	if p.Type == ZeroFee {
		return 0
	}
	untrimmed := 0
	for _, h := range s.HTLCs {
		if !p.Trimmed(owner, h) {
			untrimmed++
		}
	}

	return FeeFor(p.Type, s.Feerate, untrimmed) + 2*AnchorValue
}

// Afford returns what the Opener has left on the owner's commitment after Fee,
// and false when it cannot pay it. BOLT 2 asks for it, and for the reserve,
// before an update.
func (p *Params) Afford(owner Side, s *State) (left MilliSat, ok bool) {
	fee := ofSat(p.Fee(owner, s))
	if s.Balance[Opener] < fee {
		return 0, false
	}

	return s.Balance[Opener] - fee, true
}

// DustExposure returns the sum of the HTLCs that are trimmed on the owner's
// commitment: what max_dust_htlc_exposure_msat bounds.
func (p *Params) DustExposure(owner Side, s *State) MilliSat {
	var sum MilliSat
	for _, h := range s.HTLCs {
		if p.Trimmed(owner, h) {
			sum += h.Amount
		}
	}

	return sum
}
