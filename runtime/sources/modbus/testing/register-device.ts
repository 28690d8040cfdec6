// The registers and bits behind a MemoryDevice, with parts that it refuses.
import { isBitTable, type Table, tables } from '../../codec/fields.ts';
import { type DeviceAnswer, type DeviceRequest, exceptionPdu } from './memory-device.ts';

const tableOf: Readonly<Record<number, Table>> = { 1: 'coil', 2: 'discrete', 3: 'holding', 4: 'input' };

export class RegisterDevice {
  readonly words = Object.fromEntries(tables.map((table) => [table, new Uint16Array(65_536)])) as Record<
    Table,
    Uint16Array
  >;
  /** First and last address, in every table; answered with `refusal`. */
  refused: readonly (readonly [number, number])[] = [];
  refusal = 2;

  write(table: Table, address: number, bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 2) this.words[table][address + at / 2] = bytes.readUInt16BE(at);
  }

  readonly answer = ({ pdu }: DeviceRequest): DeviceAnswer => {
    const code = pdu[0]!;
    const table = tableOf[code];
    if (!table) return { pdu: exceptionPdu(code, 1) };
    const address = pdu.readUInt16BE(1);
    const count = pdu.readUInt16BE(3);
    const limit = isBitTable(table) ? 2000 : 125;
    if (count < 1 || count > limit) return { pdu: exceptionPdu(code, 3) };
    const end = address + count;
    if (end > 65_536) return { pdu: exceptionPdu(code, 2) };
    if (this.refused.some(([first, last]) => first < end && last >= address))
      return { pdu: exceptionPdu(code, this.refusal) };
    const words = this.words[table].subarray(address, end);
    const data = isBitTable(table) ? packBits(words) : packWords(words);
    return { pdu: Buffer.concat([Buffer.from([code, data.length]), data]) };
  };
}

function packWords(words: Uint16Array): Buffer {
  const data = Buffer.alloc(words.length * 2);
  for (const [at, word] of words.entries()) data.writeUInt16BE(word, at * 2);
  return data;
}

function packBits(words: Uint16Array): Buffer {
  const data = Buffer.alloc(Math.ceil(words.length / 8));
  for (const [at, word] of words.entries()) if (word !== 0) data[at >> 3]! |= 1 << (at & 7);
  return data;
}
