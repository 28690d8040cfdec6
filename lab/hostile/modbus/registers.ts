// The registers of a unit, and what it answers to a request for them. Function codes and limits: Modbus Application
// Protocol V1.1b3, section 6.

export type RegisterTable = 'holding' | 'input';

export class Registers {
  readonly #words = new Map<string, number>();

  setUint16(table: RegisterTable, address: number, value: number): void {
    this.#words.set(`${table} ${address}`, value & 0xffff);
  }

  /** Most significant register first. */
  set(table: RegisterTable, address: number, bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 2)
      this.setUint16(table, address + at / 2, bytes.readUInt16BE(at));
  }

  read(table: RegisterTable, address: number, count: number): Buffer {
    const bytes = Buffer.alloc(2 * count);
    for (let at = 0; at < count; at++)
      bytes.writeUInt16BE(this.#words.get(`${table} ${address + at}`) ?? 0, 2 * at);
    return bytes;
  }
}

export type RegisterRequest =
  | {
      readonly kind: 'registers';
      readonly table: RegisterTable;
      readonly address: number;
      readonly count: number;
    }
  | { readonly kind: 'file'; readonly file: number; readonly record: number; readonly count: number };

/** Undefined for a request that the units here do not know. */
export function parseRequest(pdu: Buffer): RegisterRequest | undefined {
  const code = pdu[0];
  if ((code === 3 || code === 4) && pdu.length === 5) {
    const table = code === 3 ? 'holding' : 'input';
    return { kind: 'registers', table, address: pdu.readUInt16BE(1), count: pdu.readUInt16BE(3) };
  }
  if (code === 20 && pdu.length === 9 && pdu[1] === 7 && pdu[2] === 6) {
    return {
      kind: 'file',
      file: pdu.readUInt16BE(3),
      record: pdu.readUInt16BE(5),
      count: pdu.readUInt16BE(7),
    };
  }
  return undefined;
}

export function answerTo(request: RegisterRequest, data: Buffer): Buffer {
  if (request.kind === 'file') return Buffer.from([20, data.length + 2, data.length + 1, 6, ...data]);
  return Buffer.from([request.table === 'holding' ? 3 : 4, data.length, ...data]);
}

export function exceptionTo(functionCode: number, exception: number): Buffer {
  return Buffer.from([functionCode | 0x80, exception]);
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(((value % 0x1_0000) + 0x1_0000) % 0x1_0000);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(((value % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000);
  return bytes;
}

export function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
}
