package storm

import (
	"os"
	"strings"
	"testing"
)

func (s *storm) dump() {
	all := s.log
	for _, p := range append(s.all(), s.doubles...) {
		all = append(all, "== "+p.name+" told")
		all = append(all, p.told...)
	}
	_ = os.WriteFile(os.Getenv("STORM_DUMP"), []byte(strings.Join(all, "\n")+"\n"), 0o600)
	_ = testing.Short
}
