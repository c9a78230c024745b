// Package datadir is where a node keeps its identity: a directory that holds
// one 32 byte seed, from which every key of the node follows.
//
// It promises:
//   - the keys survive restarts, and nothing but the first Open of an empty
//     directory ever draws a seed or writes it;
//   - the seed is on the disk before Open returns it for the first time;
//   - one process at a time: a second one gets ErrInUse, and the death of the
//     first frees the directory, however it dies;
//   - a file that is not exactly what was written is refused with one line
//     that says what to do; it is never repaired or replaced;
//   - an Open that fails leaves nothing behind that was not there before.
//
// It stores nothing but the seed: channels, factories and the record of
// signatures are other packages' business, and so are backups. The seed is
// not encrypted; the mode of the file protects it.
//
// SPEC.md section 1 asks for keys that are hardened, fresh and safe to hand
// over one by one: see DeriveKey.
package datadir
