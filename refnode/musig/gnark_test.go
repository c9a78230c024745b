package musig

import (
	"testing"

	"github.com/consensys/gnark-crypto/ecc"
	curve "github.com/consensys/gnark-crypto/ecc/secp256k1"
	"github.com/consensys/gnark-crypto/ecc/secp256k1/fr"
)

// TestSumsAgreeWithGnark compares large sums with the multi-exponentiation of
// a library that shares no code with btcec.
func TestSumsAgreeWithGnark(t *testing.T) {
	points, choice := relatives(t), edges()
	for i := range 500 {
		points = append(points, secretKey(t, "gnark", i).PublicKey().point)
		choice = append(choice, hashScalar(number("gnark", i)))
	}
	for _, n := range []int{1, 2, 20, 64, 300, 700, 2000} {
		var terms []term
		theirs := make([]curve.G1Affine, n)
		scalars := make([]fr.Element, n)
		for i := range n {
			p, k := &points[i%len(points)], choice[i*7%len(choice)]
			terms = append(terms, term{p, k})
			x, y, number := p.x.bytes(), p.y.bytes(), k.Bytes()
			theirs[i].X.SetBytes(x[:])
			theirs[i].Y.SetBytes(y[:])
			scalars[i].SetBytes(number[:])
		}
		var total curve.G1Jac
		if _, err := total.MultiExp(theirs, scalars, ecc.MultiExpConfig{NbTasks: 1}); err != nil {
			t.Fatal(err)
		}
		var want curve.G1Affine
		want.FromJacobian(&total)
		ours := sum(terms...)
		got := ours.affine()
		if got.x.bytes() != want.X.Bytes() || got.y.bytes() != want.Y.Bytes() {
			t.Fatalf("sum of %d products differs", n)
		}
	}
}
