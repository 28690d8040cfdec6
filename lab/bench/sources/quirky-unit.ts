// A unit with the habits of a real one, in memory and on a clock of its own. What a register holds tells which unit it is
// of, where it is, and the second at which it was looked at: so each reading can be judged by itself.
import { Duplex } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import { exceptionPdu, frame, rtuFrame } from '../../../runtime/sources/modbus/testing/memory-device.ts';

export interface Quirks {
  readonly deafMs?: number;
  readonly closesAfterAnswer?: true;
  readonly closesIdleMs?: number;
  readonly gapMs?: number;
  readonly transactionId?: number;
  readonly unitId?: number;
  readonly lengthError?: number;
  /** So many bytes follow each answer, as the check sum of a line that was not taken off. */
  readonly strayBytes?: number;
  /** Says nothing to a request over this register. */
  readonly mute?: number;
  /** Refuses requests over this register. */
  readonly refused?: number;
  readonly maxRegisters?: number;
  /** The line gives back what is sent. */
  readonly hasEcho?: true;
}

/** Tag `place` lies here, tag `second` behind it, `scaled` and its power at the end. */
export const places = { place: 0, second: 1, muteOrRefused: 2, far: 300, scaled: 310, power: 311 } as const;
const answerMs = 15;
const secondsModulus = 0x8000;

export function wordOf(unit: number, address: number, nowMs: number): number {
  if (address === places.second) return Math.floor(nowMs / 1000) % secondsModulus;
  if (address === places.power) return 0xffff;
  return (unit * 97 + address) & 0x7fff;
}

/** The difference between a second that was read and one that it is compared with, whatever the modulus. */
export function secondsApart(read: number, nowMs: number): number {
  const now = Math.floor(nowMs / 1000) % secondsModulus;
  return Math.min(
    (now - read + secondsModulus) % secondsModulus,
    (read - now + secondsModulus) % secondsModulus,
  );
}

/** A stream to the units with these numbers: one alone with Modbus TCP, several on a line. */
export class QuirkyStream extends Duplex {
  readonly #clock: Clock;
  readonly #units: ReadonlyMap<number, Quirks>;
  readonly #isLine: boolean;
  readonly #openedAt: number;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #heardAt: number;

  constructor(clock: Clock, units: ReadonlyMap<number, Quirks>, isLine: boolean) {
    super();
    this.#clock = clock;
    this.#units = units;
    this.#isLine = isLine;
    this.#openedAt = clock.monotonic();
    this.#heardAt = this.#openedAt;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    done();
    const bytes = Buffer.from(chunk);
    const [unit, pdu, transaction] = this.#isLine
      ? [bytes[0]!, bytes.subarray(1, -2), 0]
      : [bytes[6]!, bytes.subarray(7), bytes.readUInt16BE(0)];
    const quirks = this.#units.get(unit);
    const now = this.#clock.monotonic();
    this.#heardAt = now;
    if (quirks?.hasEcho) this.push(bytes);
    if (
      !quirks ||
      now - this.#openedAt < (quirks.deafMs ?? 0) ||
      now - this.#answeredAt < (quirks.gapMs ?? 0)
    )
      return;
    this.#clock.setTimer(answerMs, () => this.#answer(unit, quirks, pdu, transaction));
  }

  #answer(unit: number, quirks: Quirks, pdu: Buffer, transaction: number): void {
    const answer = answerOf(unit, quirks, pdu, this.#clock.now());
    if (!answer || this.destroyed) return;
    this.#answeredAt = this.#clock.monotonic();
    this.push(this.#isLine ? rtuFrame(unit, answer) : odd(quirks, frame({ transaction, unit, pdu }, answer)));
    if (quirks.closesAfterAnswer) this.push(null);
    const idleMs = quirks.closesIdleMs;
    if (idleMs === undefined) return;
    this.#clock.setTimer(idleMs, () => {
      if (this.#clock.monotonic() - this.#heardAt >= idleMs && !this.destroyed) this.push(null);
    });
  }
}

function answerOf(unit: number, quirks: Quirks, pdu: Buffer, nowMs: number): Buffer | undefined {
  const code = pdu[0]!;
  if (code !== 3) return exceptionPdu(code, 1);
  const [address, count] = [pdu.readUInt16BE(1), pdu.readUInt16BE(3)];
  const covers = (register: number | undefined) =>
    register !== undefined && address <= register && register < address + count;
  if (covers(quirks.mute)) return undefined;
  if (covers(quirks.refused)) return exceptionPdu(code, 2);
  if (count > (quirks.maxRegisters ?? 125)) return exceptionPdu(code, 3);
  const data = Buffer.alloc(2 * count);
  for (let at = 0; at < count; at++) data.writeUInt16BE(wordOf(unit, address + at, nowMs), 2 * at);
  return Buffer.concat([Buffer.from([code, data.length]), data]);
}

function odd({ transactionId, unitId, lengthError = 0, strayBytes = 0 }: Quirks, bytes: Buffer): Buffer {
  if (transactionId !== undefined) bytes.writeUInt16BE(transactionId, 0);
  if (unitId !== undefined) bytes[6] = unitId;
  bytes.writeUInt16BE(bytes.readUInt16BE(4) + lengthError, 4);
  return strayBytes === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(strayBytes, 0x5a)]);
}
