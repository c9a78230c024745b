package cli

import (
	"log/slog"
	"reflect"
	"testing"

	"github.com/spf13/pflag"

	"superscalar/refnode/datadir"
	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// everyFlag has a value other than the default one for each flag of node.
var everyFlag = map[string]string{
	"datadir": "d", "listen": "127.0.0.1:1", "log": "-", "public": "true", "json": "true",
	"loopback": "true", "compat-envelope": "true", "help": "true",
	"zero-fee-commitments": "true",
	"chain":                "127.0.0.1:1", "chain-cookie": "cookie", "chain-birthday": "1",
	"lsp": "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619",
}

// No flag of node, whatever its value, switches a rule off.
func TestANodeKeepsEveryRule(t *testing.T) {
	for _, role := range []node.Role{node.LSP, node.Client} {
		t.Run(string(role), func(t *testing.T) {
			var got *nodeSettings
			c := newNodeRole(role, "", func(s nodeSettings) error { got = &s; return nil })
			c.InitDefaultHelpFlag()
			c.Flags().VisitAll(func(f *pflag.Flag) {
				value, known := everyFlag[f.Name]
				if !known || value == f.DefValue {
					t.Fatalf("flag %s: this test has no value for it", f.Name)
				}
				if err := f.Value.Set(value); err != nil {
					t.Fatal(err)
				}
			})
			if err := c.RunE(c, nil); err != nil || got == nil {
				t.Fatalf("the command does not run: %v", err)
			}
			settings := reflect.ValueOf(*got)
			for i := range settings.NumField() {
				if settings.Field(i).IsZero() {
					t.Errorf("setting %s is not set by any flag", settings.Type().Field(i).Name)
				}
			}
			d, err := datadir.Open(t.TempDir(), string(role), datadir.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			cfg := got.config(d, slog.New(slog.DiscardHandler))
			if !cfg.Rules.Complete() || cfg.Tamper != nil {
				t.Error("a flag of node breaks a rule")
			}
			if cfg.Role != role || !cfg.Loopback || cfg.Envelope != wire.TypeFactoryCompat || cfg.Listen != "127.0.0.1:1" || cfg.Key != d.NodeKey() {
				t.Errorf("the flags do not reach the node: %+v", cfg)
			}
		})
	}
}

// Nothing in the settings could carry a rule set to the node.
func TestNodeSettingsHoldNoRules(t *testing.T) {
	s := reflect.TypeFor[nodeSettings]()
	for i := range s.NumField() {
		if f := s.Field(i); f.Type == reflect.TypeFor[rule.Set]() || f.Type == reflect.TypeFor[peer.Tamper]() {
			t.Errorf("setting %s is a %s", f.Name, f.Type)
		}
	}
}

// The labels a node asks keys for are longer than a data directory takes.
func TestNodeKeysHaveLongLabels(t *testing.T) {
	d, err := datadir.Open(t.TempDir(), datadir.RoleLSP, datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	derive := nodeSettings{}.config(d, nil).Derive
	seen := map[[32]byte]string{}
	for _, label := range []string{
		"channel/0000000000000000000000000000000000000000000000000000000000000000/funding",
		"channel/0000000000000000000000000000000000000000000000000000000000000000/htlc",
		"channel/0000000000000000000000000000000000000000000000000000000000000001/funding",
	} {
		key, err := derive(label)
		if err != nil {
			t.Fatal(err)
		}
		secret := [32]byte(key.Serialize())
		if other, twice := seen[secret]; twice {
			t.Errorf("%s has the key of %s", label, other)
		}
		seen[secret] = label
		again, err := derive(label)
		if err != nil || [32]byte(again.Serialize()) != secret {
			t.Errorf("%s has another key the second time: %v", label, err)
		}
	}
}
