// BOLT 8 on top of the noble libraries: the handshake with all inner values,
// and frames with key rotation. Written from the BOLT alone.

import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';

export const hex = (b) => Buffer.from(b).toString('hex');
export const unhex = (s) => Uint8Array.from(Buffer.from(s, 'hex'));
export const join = (...parts) => Uint8Array.from(Buffer.concat(parts));
const ascii = (s) => Uint8Array.from(Buffer.from(s, 'ascii'));
const none = new Uint8Array(0);

export const publicKey = (secret) => secp256k1.getPublicKey(secret, true);

// isPoint says whether 33 bytes are a compressed point of the curve.
export function isPoint(b) {
  if (b.length !== 33 || (b[0] !== 2 && b[0] !== 3)) return false;
  try {
    secp256k1.Point.fromBytes(b);
    return true;
  } catch {
    return false;
  }
}

const ecdh = (secret, point) => sha256(secp256k1.getSharedSecret(secret, point, true));

// twoKeys is HKDF as BOLT 8 uses it: 64 bytes, cut in half.
export function twoKeys(salt, material) {
  const out = hkdf(sha256, material, salt, none, 64);
  return [out.slice(0, 32), out.slice(32)];
}

// nonce is 4 zero bytes and a little-endian counter.
function nonce(n) {
  const b = new Uint8Array(12);
  new DataView(b.buffer).setBigUint64(4, BigInt(n), true);
  return b;
}

export const encrypt = (key, n, ad, plain) => chacha20poly1305(key, nonce(n), ad).encrypt(plain);

// decrypt returns undefined when the tag is wrong.
function decrypt(key, n, ad, cipher) {
  try {
    return chacha20poly1305(key, nonce(n), ad).decrypt(cipher);
  } catch {
    return undefined;
  }
}

// Refused is a failed act: its class, the field at fault and where it begins.
export class Refused extends Error {
  constructor(kind, field, offset) {
    super(`${kind} at ${field}, byte ${offset}`);
    Object.assign(this, { kind, field, offset });
  }
}

// Handshake is one side. act(n, bytes) takes an act from the other side;
// make(n) returns one of its own. Both leave the inner values in inner[n].
export class Handshake {
  constructor(role, key, ephemeral, remote) {
    Object.assign(this, { initiator: role === 'initiator', key, ephemeral, remote, inner: {} });
    this.ck = sha256(ascii('Noise_XK_secp256k1_ChaChaPoly_SHA256'));
    this.h = sha256(join(this.ck, ascii('lightning')));
    this.mix(this.initiator ? remote : publicKey(key));
  }

  mix(b) { this.h = sha256(join(this.h, b)); }

  // secret mixes an ECDH result into the keys.
  secret(mine, theirs, inner) {
    const ss = ecdh(mine, theirs);
    [this.ck, this.temp] = twoKeys(this.ck, ss);
    Object.assign(inner, { ss: hex(ss), ck: hex(this.ck), temp_k: hex(this.temp) });
  }

  make(n) {
    const inner = (this.inner[n] = {});
    if (n === 3) return this.makeThree(inner);
    const e = publicKey(this.ephemeral);
    this.mix(e);
    inner.h_key = hex(this.h);
    this.secret(this.ephemeral, n === 1 ? this.remote : this.theirs, inner);
    const c = encrypt(this.temp, 0, this.h, none);
    this.mix(c);
    Object.assign(inner, { c: hex(c), h_c: hex(this.h) });
    return join(Uint8Array.of(0), e, c);
  }

  act(n, b) {
    const size = n === 3 ? 66 : 50;
    if (b.length < size) throw new Refused(`ACT${n}_READ_FAILED`, 'act', b.length);
    if (b[0] !== 0) throw new Refused(`ACT${n}_BAD_VERSION`, 'version', 0);
    const inner = (this.inner[n] = {});
    if (n === 3) return this.actThree(b, inner);
    this.theirs = b.slice(1, 34);
    if (!isPoint(this.theirs)) throw new Refused(`ACT${n}_BAD_PUBKEY`, 'ephemeral_key', 1);
    this.mix(this.theirs);
    inner.h_key = hex(this.h);
    this.secret(n === 1 ? this.key : this.ephemeral, this.theirs, inner);
    const c = b.slice(34);
    if (!decrypt(this.temp, 0, this.h, c)) throw new Refused(`ACT${n}_BAD_TAG`, 'tag', 34);
    this.mix(c);
    Object.assign(inner, { c: hex(c), h_c: hex(this.h) });
  }

  makeThree(inner) {
    const c = encrypt(this.temp, 1, this.h, publicKey(this.key));
    this.mix(c);
    Object.assign(inner, { c: hex(c), h_c: hex(this.h) });
    this.secret(this.key, this.theirs, inner);
    const t = encrypt(this.temp, 0, this.h, none);
    inner.t = hex(t);
    this.finish();
    return join(Uint8Array.of(0), c, t);
  }

  actThree(b, inner) {
    const c = b.slice(1, 50);
    const remote = decrypt(this.temp, 1, this.h, c);
    if (!remote) throw new Refused('ACT3_BAD_CIPHERTEXT', 'node_id', 1);
    if (!isPoint(remote)) throw new Refused('ACT3_BAD_PUBKEY', 'node_id', 1);
    this.mix(c);
    Object.assign(inner, { c: hex(c), h_c: hex(this.h) });
    this.secret(this.ephemeral, remote, inner);
    const t = b.slice(50);
    if (!decrypt(this.temp, 0, this.h, t)) throw new Refused('ACT3_BAD_TAG', 'tag', 50);
    inner.t = hex(t);
    this.finish();
  }

  finish() {
    const [first, second] = twoKeys(this.ck, none);
    [this.sending, this.receiving] = this.initiator ? [first, second] : [second, first];
  }
}

// Cipher is one direction of a connection.
export class Cipher {
  constructor(ck, key) {
    Object.assign(this, { ck, key, n: 0, rotations: [] });
  }

  // step counts one use of the key; after 1000 it is replaced.
  step() {
    if (++this.n < 1000) return;
    [this.ck, this.key] = twoKeys(this.ck, this.key);
    this.n = 0;
    this.rotations.push({ ck: hex(this.ck), key: hex(this.key) });
  }

  seal(plain) {
    const length = encrypt(this.key, this.n, none, Uint8Array.of(plain.length >> 8, plain.length & 255));
    this.step();
    const body = encrypt(this.key, this.n, none, plain);
    this.step();
    return join(length, body);
  }

  open(frame) {
    if (frame.length < 18) throw new Refused('truncated', 'length', 0);
    const length = decrypt(this.key, this.n, none, frame.slice(0, 18));
    if (!length) throw new Refused('bad-mac', 'length', 0);
    this.step();
    const end = 18 + ((length[0] << 8) | length[1]) + 16;
    if (frame.length < end) throw new Refused('truncated', 'message', 18);
    const plain = decrypt(this.key, this.n, none, frame.slice(18, end));
    if (!plain) throw new Refused('bad-mac', 'message', 18);
    this.step();
    return plain;
  }
}
