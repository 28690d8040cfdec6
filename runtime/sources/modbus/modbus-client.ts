// The requests that sources make, over a connection that several of them may share. Each answer is checked against its
// request: by its length, or by what it echoes.
import type { HoldfastError } from '../../../kernel/errors.ts';
import { type BitTable, isBitTable, type RegisterTable, type Table } from '../codec/fields.ts';
import type { ModbusConnection, Next, Wire } from './modbus-connection.ts';
import { garbage } from './modbus-errors.ts';
import { identificationBytes, identificationCode } from './response-match.ts';

/**
 * Reads resolve with the data bytes of the answer, exactly as many as were asked for. All reject with
 * `modbus-exception`, `modbus-timeout`, `modbus-garbage`, `modbus-connection-lost` or `modbus-closed`.
 */
export interface ModbusClient {
  /** Functions 3 and 4, up to 125 registers: two bytes each, most significant first. */
  readRegisters(unit: number, table: RegisterTable, address: number, count: number): Promise<Buffer>;
  /** Functions 1 and 2, up to 2000 bits: eight a byte, the lowest address in the lowest bit. */
  readBits(unit: number, table: BitTable, address: number, count: number): Promise<Buffer>;
  /** Function 20, up to 121 registers of one file. */
  readFileRecord(unit: number, file: number, record: number, count: number): Promise<Buffer>;
  /** Function 43 / 14, the basic objects: maker, product, version, by their numbers (0, 1, 2). */
  readIdentification(unit: number): Promise<ReadonlyMap<number, string>>;
  /** Functions 6 (one register, unless `isMultiple`) and 16: up to 123 registers, two bytes each. */
  writeRegisters(address: number, bytes: Buffer, how: WriteHow): Promise<void>;
  /** Functions 5 (unless `isMultiple`) and 15. */
  writeCoil(address: number, state: boolean, how: WriteHow): Promise<void>;
  /** Why no request will succeed any more; undefined while the connection is open. */
  readonly lost: HoldfastError | undefined;
  /** As the connection's: values read before it grew are older than later ones, by as much. */
  readonly waitedMs: number;
}

export interface WriteHow {
  readonly unit: number;
  readonly isMultiple: boolean;
  /** Called right before the write itself is sent. If it throws, the write is not sent. */
  onSend(): void;
}

/** Registers that fit into one answer of function 20. */
export const maxFileRegisters = 121;

/** `timeoutMs`: of the request that is about to be made to a unit. */
export function createModbusClient(
  connection: ModbusConnection,
  timeoutMs: number | ((unit: number) => number),
): ModbusClient {
  return new Client(connection, typeof timeoutMs === 'number' ? () => timeoutMs : timeoutMs);
}

interface Written {
  readonly address?: number;
  readonly state?: boolean;
  readonly value?: number;
  readonly length?: number;
}

const fileReference = 6;

class Client implements ModbusClient {
  readonly #connection: ModbusConnection;
  readonly #timeoutMs: (unit: number) => number;

  constructor(connection: ModbusConnection, timeoutMs: (unit: number) => number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  get lost(): HoldfastError | undefined {
    return this.#connection.lost;
  }

  get waitedMs(): number {
    return this.#connection.waitedMs;
  }

  readRegisters(unit: number, table: RegisterTable, address: number, count: number): Promise<Buffer> {
    return this.#read(unit, table, address, count, 2 * count, (wire, next) =>
      table === 'holding'
        ? wire.writeFC3(unit, address, count, next)
        : wire.writeFC4(unit, address, count, next),
    );
  }

  readBits(unit: number, table: BitTable, address: number, count: number): Promise<Buffer> {
    return this.#read(unit, table, address, count, Math.ceil(count / 8), (wire, next) =>
      table === 'coil'
        ? wire.writeFC1(unit, address, count, next)
        : wire.writeFC2(unit, address, count, next),
    );
  }

  readFileRecord(unit: number, file: number, record: number, count: number): Promise<Buffer> {
    // modbus-serial's own function 20 always asks for 100 registers; its way to send any function does not.
    const body = [7, fileReference, file >> 8, file & 255, record >> 8, record & 255, 0, count];
    return this.#connection.request({
      send: (wire, next) => wire.writeCustomFC(unit, 20, body, next),
      describe: () => `reading ${count} registers from record ${record} of file ${file} of unit ${unit}`,
      take: (_result, answer) => parseFileRecord(answer, count),
      timeoutMs: this.#timeoutMs(unit),
    });
  }

  readIdentification(unit: number): Promise<ReadonlyMap<number, string>> {
    return this.#connection.request({
      send: (wire, next) => wire.writeCustomFC(unit, identificationCode, [14, 1, 0], next),
      describe: () => `reading the device identification of unit ${unit}`,
      take: (_result, answer) => parseIdentification(answer),
      timeoutMs: this.#timeoutMs(unit),
    });
  }

  writeRegisters(address: number, bytes: Buffer, how: WriteHow): Promise<void> {
    const { unit } = how;
    const count = bytes.length / 2;
    const value = bytes.readUInt16BE(0);
    if (count === 1 && !how.isMultiple) {
      const expected = { address, value };
      return this.#write(how, `register ${address}`, expected, (wire, next) =>
        wire.writeFC6(unit, address, value, next),
      );
    }
    const words = Array.from({ length: count }, (_, at) => bytes.readUInt16BE(2 * at));
    return this.#write(how, `${count} registers from ${address}`, { address, length: count }, (wire, next) =>
      wire.writeFC16(unit, address, words, next),
    );
  }

  writeCoil(address: number, state: boolean, how: WriteHow): Promise<void> {
    const { unit, isMultiple } = how;
    const expected = isMultiple ? { address, length: 1 } : { address, state };
    return this.#write(how, `coil ${address}`, expected, (wire, next) =>
      isMultiple ? wire.writeFC15(unit, address, [state], next) : wire.writeFC5(unit, address, state, next),
    );
  }

  #read(
    unit: number,
    table: Table,
    address: number,
    count: number,
    length: number,
    send: (wire: Wire, next: Next) => void,
  ): Promise<Buffer> {
    return this.#connection.request({
      send,
      describe: () =>
        `reading ${count} ${table} ${isBitTable(table) ? 'bits' : 'registers'} from ${address} of unit ${unit}`,
      take: (result) => exactly((result as { buffer?: Buffer }).buffer, length),
      timeoutMs: this.#timeoutMs(unit),
    });
  }

  #write(
    { unit, onSend }: WriteHow,
    what: string,
    expected: Written,
    send: (wire: Wire, next: Next) => void,
  ): Promise<void> {
    return this.#connection.request({
      send,
      describe: () => `writing ${what} of unit ${unit}`,
      onSend,
      take: (result) => checkEcho(result as Written, expected),
      timeoutMs: this.#timeoutMs(unit),
    });
  }
}

function exactly(bytes: Buffer | undefined, length: number): Buffer {
  if (bytes?.length === length) return bytes;
  throw garbage(`the answer has ${bytes?.length ?? 0} bytes of data where ${length} were expected`);
}

/** A write's answer repeats what was written: any other answer may mean that something else was written. */
function checkEcho(written: Written, expected: Written): void {
  for (const key of ['address', 'state', 'value', 'length'] as const) {
    if (expected[key] !== undefined && written[key] !== expected[key])
      throw garbage(`the answer confirms ${key} ${written[key]} where ${expected[key]} was written`);
  }
}

/** Unit, 43, 14, four bytes and the number of objects; each its number, its length and its text. */
function parseIdentification(answer: Buffer | undefined): ReadonlyMap<number, string> {
  if (answer === undefined || identificationBytes(answer) !== answer.length)
    throw garbage('the answer is no device identification');
  const objects = new Map<number, string>();
  for (let at = 8; at < answer.length; at += 2 + answer[at + 1]!)
    objects.set(answer[at]!, answer.toString('latin1', at + 2, at + 2 + answer[at + 1]!).trim());
  return objects;
}

/** Unit, 20, bytes that follow, then one group: bytes that follow, reference type, data. */
function parseFileRecord(answer: Buffer | undefined, count: number): Buffer {
  const dataBytes = 2 * count;
  const isWhole =
    answer !== undefined &&
    answer.length === 5 + dataBytes &&
    answer[2] === dataBytes + 2 &&
    answer[3] === dataBytes + 1 &&
    answer[4] === fileReference;
  if (!isWhole) throw garbage(`the answer is not one file record of ${count} registers`);
  return answer.subarray(5);
}
