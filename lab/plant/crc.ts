// CRC-16 of Modbus RTU: polynomial 0xA001 reflected, start 0xFFFF, sent low byte first (Modbus over serial
// line specification V1.02, 2.5.1.2).

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/** Of the bytes from 0 up to `end`. */
export function crc16(bytes: Buffer, end: number): number {
  let crc = 0xffff;
  for (let i = 0; i < end; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!;
  return crc;
}

/** Appends the check sum of the bytes before `at`, at `at`. */
export function writeCrc(bytes: Buffer, at: number): void {
  bytes.writeUInt16LE(crc16(bytes, at), at);
}

/** Whether the two bytes at `end - 2` are the check sum of those before. */
export function hasValidCrc(bytes: Buffer, end: number): boolean {
  return end >= 4 && bytes.readUInt16LE(end - 2) === crc16(bytes, end - 2);
}
