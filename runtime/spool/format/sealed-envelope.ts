// The envelope of a sealed value, version 2:
//
//   byte 0       envelope version, 2
//   byte 1       kind, a letter
//   bytes 2-5    id of the master key
//   bytes 6-13   epoch: with the master key it gives the key of AES-256-GCM
//   bytes 14-25  nonce
//   bytes 26-41  tag
//   bytes 42-    payload, encrypted
//
// Authenticated with the payload: bytes 0-25 and the key under which the value stands. So a value that is moved
// to another key, or given another kind or epoch, opens no more than one with a flipped bit.
export const sealedVersion = 2;
export const epochBytes = 8;
export const nonceBytes = 12;
export const tagBytes = 16;
export const headerBytes = 26;
export const sealedBytes = headerBytes + tagBytes;

export function isSealed(value: Uint8Array): boolean {
  return value.byteLength >= sealedBytes && value[0] === sealedVersion;
}

/** Id of the master key that a sealed value needs, 8 hex digits; undefined for a value that is not sealed. */
export function keyIdOf(value: Uint8Array): string | undefined {
  if (!isSealed(value)) return undefined;
  return Buffer.from(value.buffer, value.byteOffset + 2, 4).toString('hex');
}
