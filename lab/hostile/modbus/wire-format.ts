// How a unit's answers stand on the wire: with a header (Modbus TCP), or with a check sum (RTU, also over TCP).
import { crc16, writeCrc } from '../../plant/crc.ts';
import { MbapReader, mbapBytes, writeMbap } from '../../plant/mbap.ts';
import { RtuReader } from '../../plant/rtu.ts';

export interface WireRequest {
  /** 0 in RTU, which has none. */
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Buffer;
}

export interface WireFormat {
  readonly name: 'mbap' | 'rtu';
  /** Calls `onRequest` for each whole request in what came. */
  reader(onRequest: (request: WireRequest) => void): (chunk: Buffer) => void;
  frame(answer: WireRequest): Buffer;
}

export const mbap: WireFormat = {
  name: 'mbap',
  reader(onRequest) {
    const reader = new MbapReader();
    return (chunk) => {
      reader.push(chunk, (transaction, unit, pdu) => onRequest({ transaction, unit, pdu: Buffer.from(pdu) }));
    };
  },
  frame({ transaction, unit, pdu }) {
    const bytes = Buffer.alloc(mbapBytes + pdu.length);
    writeMbap(transaction, unit, pdu.length, bytes, 0);
    pdu.copy(bytes, mbapBytes);
    return bytes;
  },
};

export const rtu: WireFormat = {
  name: 'rtu',
  reader(onRequest) {
    const reader = new RtuReader();
    return (chunk) =>
      reader.push(chunk, (unit, pdu) => onRequest({ transaction: 0, unit, pdu: Buffer.from(pdu) }));
  },
  frame({ unit, pdu }) {
    const bytes = Buffer.alloc(pdu.length + 3);
    bytes[0] = unit;
    pdu.copy(bytes, 1);
    writeCrc(bytes, bytes.length - 2);
    return bytes;
  },
};

/** With a check sum that does not fit. */
export function withBadCrc(frame: Buffer): Buffer {
  const bytes = Buffer.from(frame);
  bytes.writeUInt16LE(crc16(bytes, bytes.length - 2) ^ 0x1234, bytes.length - 2);
  return bytes;
}
