//go:build !race

package role_test

const raced = false
