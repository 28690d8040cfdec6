// Whether a Modbus response can be the answer to a request (application protocol V1.1b3, section 6): by unit, function, length
// and, for writes, the bytes that are repeated. Requests and answers are unit and PDU. Pure.
import type { ResponseMatch } from '../line/exchange.ts';
import type { Advice } from './advice.ts';

export const loopbackCode = 8;
const fileCode = 20;
/** Read device identification, with 14 behind it. */
export const identificationCode = 43;
const exceptionBytes = 3;
/** Unit, function, and two words: the answers to writes and to the loopback. */
const shortBytes = 6;

/** Exceptions by which a gateway reports its own time-out: the unit may still answer, later. */
const gatewayExceptions: ReadonlySet<number> = new Set([10, 11]);

export const modbusMatch: ResponseMatch<Buffer, Buffer> = {
  fits: (answer, request) => isExceptionTo(answer, request) || isUsualAnswer(answer, request),
  isAlike(request, other) {
    if (request[0] !== other[0] || request[1] !== other[1]) return false;
    const length = dataBytes(request);
    return length === undefined ? repeats(other, request) : length === dataBytes(other);
  },
  isSame: (request, other) => request.equals(other),
  // No source uses function 8 for data, and each request carries a number of its own.
  isUnmistakable: (request) => request[1] === loopbackCode,
  // Or the answer to one, which is the same bytes.
  asUnmistakable: (frame) => (frame[1] === loopbackCode && frame.length === shortBytes ? frame : undefined),
};

export function isGatewayException(answer: Buffer): boolean {
  return answer.length === exceptionBytes && answer[1]! > 0x80 && gatewayExceptions.has(answer[2]!);
}

/** Its usual answer is the same as the request, byte for byte. */
export function isRepeated(request: Buffer): boolean {
  return (
    request.length === shortBytes && (request[1] === 5 || request[1] === 6 || request[1] === loopbackCode)
  );
}

function isExceptionTo(answer: Buffer, request: Buffer): boolean {
  return answer.length === exceptionBytes && answer[0] === request[0] && answer[1] === (request[1]! | 0x80);
}

function isUsualAnswer(answer: Buffer, request: Buffer): boolean {
  if (answer[0] !== request[0] || answer[1] !== request[1]) return false;
  if (request[1] === identificationCode)
    return (
      answer[2] === request[2] && answer[3] === request[3] && identificationBytes(answer) === answer.length
    );
  const length = dataBytes(request);
  if (length === undefined) return answer.length === shortBytes && repeats(answer, request);
  return answer[2] === length && answer.length === exceptionBytes + length;
}

/** Function 5, 6 and the loopback are answered by the request; 15 and 16 by its first bytes. */
function repeats(answer: Buffer, request: Buffer): boolean {
  return answer.subarray(0, shortBytes).equals(request.subarray(0, shortBytes));
}

/** Bytes of data that the answer has, as its third byte says; undefined where it repeats the request. */
export function dataBytes(request: Buffer): number | undefined {
  switch (request[1]) {
    case 1:
    case 2:
      return Math.ceil(request.readUInt16BE(4) / 8);
    case 3:
    case 4:
      return 2 * request.readUInt16BE(4);
    case fileCode:
      // Length and reference type of the one group, and its registers.
      return 2 + 2 * request.readUInt16BE(8);
    default:
      return undefined;
  }
}

/**
 * Bytes of an answer (unit and PDU) that begins as `answer` does, by its function and its own count; undefined where that
 * is still to come, or the function does not tell.
 */
export function frameBytes(answer: Buffer): number | undefined {
  const [, code, count] = answer;
  if (code === undefined) return undefined;
  if (code > 0x80) return exceptionBytes;
  if ([1, 2, 3, 4, 20].includes(code)) return count === undefined ? undefined : exceptionBytes + count;
  if (code === identificationCode) return identificationBytes(answer);
  return [5, 6, 8, 15, 16].includes(code) ? shortBytes : undefined;
}

/** For people: what came in the place of an answer, where others may use the line. */
export function strange(frame: Buffer, request: Buffer, advice?: Advice): string {
  return modbusMatch.fits(frame, request)
    ? 'something that it was not asked for: is the line in use by another master?'
    : `${misfit(frame, request, advice)}; or does another master use the line?`;
}

/** Says, for people, why `answer` is no answer to `request`. */
export function misfit(answer: Buffer, request: Buffer, advice?: Advice): string {
  if (answer[0] !== request[0]) {
    const also = advice?.hasUnitId ? ' where this device always fills in that one, set unitId: ignore' : '';
    return `an answer of unit ${answer[0]}: is the unit's number right?${also}`;
  }
  const code = answer[1]!;
  if ((code & 0x7f) !== request[1])
    return `an answer to function ${code & 0x7f}, where ${request[1]} was asked`;
  const length = dataBytes(request);
  if (length !== undefined)
    return `${answer.length - exceptionBytes} bytes of data (${answer[2]} by their own count), where ${length} were asked for`;
  return `something else than what was asked (${answer.subarray(0, 16).toString('hex')})`;
}

/**
 * Bytes of an answer of function 43 / 14 (application protocol, section 6.21): after seven of its own, objects that each
 * say how long they are. Undefined where a byte that says so is to come.
 */
export function identificationBytes(answer: Buffer): number | undefined {
  const objects = answer[7];
  if (objects === undefined) return undefined;
  let end = 8;
  for (let left = objects; left > 0; left--) {
    const length = answer[end + 1];
    if (length === undefined) return undefined;
    end += 2 + length;
  }
  return end;
}

/** `frame` has the form of a request too, not of an answer alone. */
export function mayBeRequest(frame: Buffer): boolean {
  const code = frame[1]!;
  return code < 0x80 && (code > 4 || frame.length === shortBytes);
}

/** It changes nothing in the unit, however often it is sent. */
export function isRead(request: Buffer): boolean {
  return [1, 2, 3, 4, 7, loopbackCode, 17, 20, 43].includes(request[1]!);
}

/** Function 8, sub-function 0: a unit that has it returns `nonce`; others answer with an exception. */
export function loopback(unit: number, nonce: number): Buffer {
  const request = Buffer.from([unit, loopbackCode, 0, 0, 0, 0]);
  request.writeUInt16BE(nonce, 4);
  return request;
}

/** A read that any unit answers, if only with an exception. */
export function firstRegister(unit: number): Buffer {
  return Buffer.from([unit, 3, 0, 0, 0, 1]);
}

const mostRegisters = 125;
const mostFileRegisters = 121;
const mostBits = 2000;

/**
 * The same read, of `by` registers more (eight times as many bits), so that its answer has another length; undefined where there is
 * none.
 */
export function resized(request: Buffer, by: number): Buffer | undefined {
  const code = request[1]!;
  const isFile = code === fileCode;
  if ((code < 1 || code > 4) && !isFile) return undefined;
  const isBits = code <= 2;
  const [step, most] = isBits ? [8, mostBits] : [1, isFile ? mostFileRegisters : mostRegisters];
  const [addressAt, countAt] = isFile ? [6, 8] : [2, 4];
  const count = request.readUInt16BE(countAt) + by * step;
  if (count < 1 || count > most || request.readUInt16BE(addressAt) + count > 0x1_0000) return undefined;
  const other = Buffer.from(request);
  other.writeUInt16BE(count, countAt);
  return other;
}
