// CRC-32C (Castagnoli), the sum that LevelDB puts into its files. Node's zlib has the other CRC-32 only.

const polynomial = 0x82f63b78;
const tables = makeTables();

/** The CRC-32C of `bytes` from `start` to `end`. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.byteLength): number {
  const [t0, t1, t2, t3] = tables;
  let crc = 0xffffffff;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t3[crc & 255]! ^ t2[(crc >>> 8) & 255]! ^ t1[(crc >>> 16) & 255]! ^ t0[crc >>> 24]!;
  }
  for (; at < end; at++) crc = t0[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** As LevelDB stores it: a sum over bytes that hold sums would be weak, so stored sums are rotated and shifted. */
export function maskedCrc32c(bytes: Uint8Array, start?: number, end?: number): number {
  const crc = crc32c(bytes, start, end);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Four bytes a step: table `n` continues a byte's sum over `n` zero bytes. */
function makeTables(): [Uint32Array, Uint32Array, Uint32Array, Uint32Array] {
  const made = [0, 1, 2, 3].map(() => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    made[0]![byte] = crc;
  }
  for (let n = 1; n < 4; n++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = made[n - 1]![byte]!;
      made[n]![byte] = made[0]![before & 255]! ^ (before >>> 8);
    }
  }
  return made as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
}
