// Modbus application protocol (specification V1.1b3): a request PDU in, a response PDU out. The same for
// TCP and for a serial bus. Nothing here throws: whatever a peer sends is answered, if only with an exception.
import type { BitTable, PlantUnit, RegisterTable } from './unit.ts';

export const exceptions = {
  illegalFunction: 1,
  illegalDataAddress: 2,
  illegalDataValue: 3,
  deviceFailure: 4,
  deviceBusy: 6,
  gatewayTargetFailed: 11,
} as const;

/** Function code and data, without the frame around them. */
export const maxPduBytes = 253;

const maxReadRegisters = 125;
const maxWriteRegisters = 123;
const maxReadBits = 2000;
const maxWriteCoils = 1968;
const maxReadWriteRegisters = 121;
const maxFileDataBytes = 245;

/** Answers `request` into `out` from byte `at` on (253 bytes must fit). Returns the length of the answer. */
export function answerPdu(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  const result = dispatch(unit, request, out, at);
  return result > 0 ? result : writeException(request[0] ?? 0, -result, out, at);
}

/** Writes an exception answer of two bytes. */
export function writeException(functionCode: number, exception: number, out: Buffer, at: number): number {
  out[at] = (functionCode | 0x80) & 0xff;
  out[at + 1] = exception;
  return 2;
}

// Each handler returns the length of its answer, or an exception code as a negative number.
function dispatch(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  out[at] = request[0] ?? 0;
  switch (request[0]) {
    case 1:
      return readBits(unit, 'coil', request, out, at);
    case 2:
      return readBits(unit, 'discrete', request, out, at);
    case 3:
      return readRegisters(unit, 'holding', request, out, at);
    case 4:
      return readRegisters(unit, 'input', request, out, at);
    case 5:
      return writeCoil(unit, request, out, at);
    case 6:
      return writeRegister(unit, request, out, at);
    case 15:
      return writeCoils(unit, request, out, at);
    case 16:
      return writeRegisters(unit, request, out, at);
    case 20:
      return readFileRecords(unit, request, out, at);
    case 22:
      return maskRegister(unit, request, out, at);
    case 23:
      return readWriteRegisters(unit, request, out, at);
    default:
      return -exceptions.illegalFunction;
  }
}

function readRegisters(
  unit: PlantUnit,
  table: RegisterTable,
  request: Buffer,
  out: Buffer,
  at: number,
): number {
  if (request.length !== 5) return -exceptions.illegalDataValue;
  const address = request.readUInt16BE(1);
  const count = request.readUInt16BE(3);
  if (count < 1 || count > maxReadRegisters || count > unit.maxRegisters) return -exceptions.illegalDataValue;
  if (!unit.copyRegisters(table, address, count, out, at + 2)) return -exceptions.illegalDataAddress;
  out[at + 1] = count * 2;
  return 2 + count * 2;
}

function readBits(unit: PlantUnit, table: BitTable, request: Buffer, out: Buffer, at: number): number {
  if (request.length !== 5) return -exceptions.illegalDataValue;
  const address = request.readUInt16BE(1);
  const count = request.readUInt16BE(3);
  if (count < 1 || count > maxReadBits) return -exceptions.illegalDataValue;
  const bits = unit.readBits(table, address, count);
  if (bits === undefined) return -exceptions.illegalDataAddress;
  const bytes = Math.ceil(count / 8);
  const wanted = bits % 2 ** count;
  out[at + 1] = bytes;
  for (let i = 0; i < bytes; i++) out[at + 2 + i] = Math.floor(wanted / 256 ** i) % 256;
  return 2 + bytes;
}

function writeCoil(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  if (request.length !== 5) return -exceptions.illegalDataValue;
  const state = request.readUInt16BE(3);
  if (state !== 0 && state !== 0xff00) return -exceptions.illegalDataValue;
  if (!unit.writeCoils(request.readUInt16BE(1), [state !== 0])) return -exceptions.illegalDataAddress;
  return request.copy(out, at);
}

function writeRegister(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  if (request.length !== 5) return -exceptions.illegalDataValue;
  if (!unit.writeRegisters(request.readUInt16BE(1), request.subarray(3))) {
    return -exceptions.illegalDataAddress;
  }
  return request.copy(out, at);
}

function writeCoils(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  if (request.length < 6) return -exceptions.illegalDataValue;
  const count = request.readUInt16BE(3);
  const bytes = Math.ceil(count / 8);
  if (count < 1 || count > maxWriteCoils) return -exceptions.illegalDataValue;
  if (request[5] !== bytes || request.length !== 6 + bytes) return -exceptions.illegalDataValue;
  const states = Array.from({ length: count }, (_, i) => ((request[6 + (i >> 3)]! >> (i & 7)) & 1) === 1);
  if (!unit.writeCoils(request.readUInt16BE(1), states)) return -exceptions.illegalDataAddress;
  return request.copy(out, at, 0, 5);
}

function writeRegisters(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  if (request.length < 6) return -exceptions.illegalDataValue;
  const count = request.readUInt16BE(3);
  if (count < 1 || count > maxWriteRegisters) return -exceptions.illegalDataValue;
  if (request[5] !== count * 2 || request.length !== 6 + count * 2) return -exceptions.illegalDataValue;
  if (!unit.writeRegisters(request.readUInt16BE(1), request.subarray(6))) {
    return -exceptions.illegalDataAddress;
  }
  return request.copy(out, at, 0, 5);
}

/** Register = (register AND and-mask) OR (or-mask AND NOT and-mask). */
function maskRegister(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  if (request.length !== 7) return -exceptions.illegalDataValue;
  const address = request.readUInt16BE(1);
  const and = request.readUInt16BE(3);
  const or = request.readUInt16BE(5);
  const word = Buffer.alloc(2);
  if (!unit.copyRegisters('holding', address, 1, word, 0)) return -exceptions.illegalDataAddress;
  word.writeUInt16BE((word.readUInt16BE(0) & and) | (or & ~and & 0xffff));
  if (!unit.writeRegisters(address, word)) return -exceptions.illegalDataAddress;
  return request.copy(out, at);
}

/** The write comes before the read. */
function readWriteRegisters(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  if (request.length < 10) return -exceptions.illegalDataValue;
  const readCount = request.readUInt16BE(3);
  const writeCount = request.readUInt16BE(7);
  if (readCount < 1 || readCount > maxReadRegisters || readCount > unit.maxRegisters) {
    return -exceptions.illegalDataValue;
  }
  if (writeCount < 1 || writeCount > maxReadWriteRegisters) return -exceptions.illegalDataValue;
  if (request[9] !== writeCount * 2 || request.length !== 10 + writeCount * 2) {
    return -exceptions.illegalDataValue;
  }
  const readAddress = request.readUInt16BE(1);
  // Looked at first: a request that cannot be answered must not have written.
  if (!unit.copyRegisters('holding', readAddress, readCount, out, at + 2)) {
    return -exceptions.illegalDataAddress;
  }
  if (!unit.writeRegisters(request.readUInt16BE(5), request.subarray(10))) {
    return -exceptions.illegalDataAddress;
  }
  unit.copyRegisters('holding', readAddress, readCount, out, at + 2);
  out[at + 1] = readCount * 2;
  return 2 + readCount * 2;
}

/** Several groups of 7 bytes: reference type 6, file, first register in it, registers. */
function readFileRecords(unit: PlantUnit, request: Buffer, out: Buffer, at: number): number {
  if (unit.logKind !== 'file-records') return -exceptions.illegalFunction;
  const groupBytes = request[1] ?? 0;
  if (groupBytes < 7 || groupBytes > maxFileDataBytes || groupBytes % 7 !== 0) {
    return -exceptions.illegalDataValue;
  }
  if (request.length !== 2 + groupBytes) return -exceptions.illegalDataValue;
  let length = 0;
  for (let group = 2; group < request.length; group += 7) {
    const count = request.readUInt16BE(group + 5);
    if (request[group] !== 6) return -exceptions.illegalDataAddress;
    if (count < 1 || length + 2 + count * 2 > maxFileDataBytes) return -exceptions.illegalDataValue;
    const file = request.readUInt16BE(group + 1);
    const offset = request.readUInt16BE(group + 3);
    if (!unit.copyFileRecord(file, offset, count, out, at + 2 + length + 2)) {
      return -exceptions.illegalDataAddress;
    }
    out[at + 2 + length] = count * 2 + 1;
    out[at + 2 + length + 1] = 6;
    length += 2 + count * 2;
  }
  out[at + 1] = length;
  return 2 + length;
}
