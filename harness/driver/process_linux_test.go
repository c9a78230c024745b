package driver

import (
	"os/exec"
	"testing"
)

// A suite that dies takes its drivers along, even those that do not look at
// the end of their input.
func TestDriverEndsWithTheSuite(t *testing.T) {
	address, born, gone := lifeline(t)
	argv, err := Split(self("suite"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(cmd.Environ(), "HOLD_LINE="+address)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	born()
	gone()
}
