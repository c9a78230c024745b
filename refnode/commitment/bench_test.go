package commitment

import "testing"

// BenchmarkCommitment is what one commitment_signed costs its sender and its
// receiver, with 6 HTLCs.
func BenchmarkCommitment(b *testing.B) {
	s := exampleScene(b, Anchors, Opener)
	state := s.c.State
	point := s.c.point
	sig, htlcs, err := s.c.Sign(s.Keys[Accepter], s.Secrets[Accepter])
	if err != nil {
		b.Fatal(err)
	}
	b.Run("build-and-sign", func(b *testing.B) {
		for b.Loop() {
			c, err := s.Build(Opener, &s.Fund, &state, point)
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := c.Sign(s.Keys[Accepter], s.Secrets[Accepter]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("build-and-verify", func(b *testing.B) {
		for b.Loop() {
			c, err := s.Build(Opener, &s.Fund, &state, point)
			if err != nil {
				b.Fatal(err)
			}
			if err := c.Verify(sig, htlcs); err != nil {
				b.Fatal(err)
			}
		}
	})
}
