//go:build !unix

package cli

func readInBackground() {}
