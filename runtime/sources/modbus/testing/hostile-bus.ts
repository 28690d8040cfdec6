// A hostile serial line: units that work requests off in order and now and then take very long, lose them, or lose the
// answers; noise; an echo; repeated answers; another master that polls the same units. Every value shows its register and
// when the unit read it, so that each reported one can be judged.
import { Duplex } from 'node:stream';
import type { Clock } from '../../../../kernel/clock.ts';
import { type Random, randomInt } from '../../../../kernel/random.ts';
import { exceptionPdu, rtuFrame } from './memory-device.ts';

/** How often each fault comes, of 1. */
export interface BusFaults {
  readonly slow?: number;
  readonly lostRequest?: number;
  readonly lostAnswer?: number;
  readonly corrupted?: number;
  readonly noise?: number;
  readonly exception?: number;
  /** The answer again, up to 300 ms later. */
  readonly twice?: number;
  /** Another master asks the same, just behind our request, and is heard doing it. */
  readonly otherMaster?: number;
  /** As that, but its requests are not heard, as behind a terminal server: its answer comes before ours. */
  readonly hiddenMaster?: number;
  /** Units that are not ours are asked and answer. */
  readonly otherUnits?: number;
  readonly isEchoing?: boolean;
  /** Units that do not answer function 8 at all, rather than with an exception. */
  readonly isMute?: boolean;
}

export const tickMs = 50;

/** What a register holds: its number, and the time at which it is looked at. */
export function registerAt(address: number, nowMs: number): number {
  return ((address & 0xff) << 8) | (Math.floor(nowMs / tickMs) & 0xff);
}

export class HostileBus {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #faults: BusFaults;
  readonly #freeAt = new Map<number, number>();
  readonly #streams = new Set<BusStream>();
  requests = 0;

  constructor(clock: Clock, random: Random, faults: BusFaults) {
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
  }

  open(): Duplex {
    const stream = new BusStream((frame) => this.#onRequest(frame));
    this.#streams.add(stream);
    stream.on('close', () => this.#streams.delete(stream));
    return stream;
  }

  #onRequest(frame: Buffer): void {
    this.requests += 1;
    const { isEchoing, lostRequest, otherMaster, hiddenMaster, otherUnits } = this.#faults;
    if (isEchoing) this.#say(frame, 0);
    const request = frame.subarray(0, -2);
    if (this.#happens(otherUnits)) this.#onOtherUnits();
    const isHidden = this.#happens(hiddenMaster);
    if (isHidden) this.#work(request, 1 + randomInt(this.#random, 5), false);
    if (this.#happens(lostRequest)) return;
    this.#work(request, 5 + randomInt(this.#random, 30), !isHidden);
    if (!this.#happens(otherMaster)) return;
    // It hears our request as well, so it asks once ours is over, or into it.
    this.#say(frame, randomInt(this.#random, 10));
    this.#work(request, 5 + randomInt(this.#random, 30), false);
  }

  /** The unit takes its time, in its turn. */
  #work(request: Buffer, usualMs: number, mayFail: boolean): void {
    const unit = request[0]!;
    const { slow, exception, lostAnswer, twice } = this.#faults;
    const now = this.#clock.monotonic();
    const tookMs = mayFail && this.#happens(slow) ? 200 + randomInt(this.#random, 1300) : usualMs;
    const doneAt = Math.max(now, this.#freeAt.get(unit) ?? 0) + tookMs;
    this.#freeAt.set(unit, doneAt);
    this.#clock.setTimer(doneAt - now, () => {
      const pdu = mayFail && this.#happens(exception) ? exceptionPdu(request[1]!, 6) : this.#answer(request);
      if (!pdu || (mayFail && this.#happens(lostAnswer))) return;
      const answer = rtuFrame(unit, pdu);
      this.#say(answer, 0, mayFail);
      if (this.#happens(twice)) this.#say(answer, randomInt(this.#random, 300));
    });
  }

  #answer(request: Buffer): Buffer | undefined {
    const code = request[1]!;
    if (code !== 3) return this.#faults.isMute ? undefined : exceptionPdu(code, 1);
    const [address, count] = [request.readUInt16BE(2), request.readUInt16BE(4)];
    const data = Buffer.alloc(2 * count);
    const now = this.#clock.now();
    for (let at = 0; at < count; at++) data.writeUInt16BE(registerAt(address + at, now), 2 * at);
    return Buffer.concat([Buffer.from([3, data.length]), data]);
  }

  #onOtherUnits(): void {
    const request = rtuFrame(200, Buffer.from([3, 0, 1, 0, 2]));
    // What it says is a whole answer of unit 1, if one looks only there.
    const inner = rtuFrame(1, Buffer.from([3, 2, 0xff, 0xff]));
    this.#say(request, 0);
    this.#say(rtuFrame(200, Buffer.concat([Buffer.from([3, inner.length]), inner])), 3);
  }

  #say(frame: Buffer, afterMs: number, mayFail = false): void {
    const { corrupted, noise } = this.#faults;
    let bytes = Buffer.from(frame);
    if (mayFail && this.#happens(corrupted)) bytes[randomInt(this.#random, bytes.length)]! ^= 0x10;
    if (mayFail && this.#happens(noise)) {
      const hiss = Buffer.from(Array.from({ length: 1 + randomInt(this.#random, 4) }, () => this.#byte()));
      bytes = Buffer.concat(this.#random.next() < 0.5 ? [hiss, bytes] : [bytes, hiss]);
    }
    this.#clock.setTimer(afterMs, () => {
      const cut = randomInt(this.#random, bytes.length + 1);
      for (const stream of this.#streams) {
        if (stream.destroyed) continue;
        if (cut > 0) stream.push(bytes.subarray(0, cut));
        if (cut < bytes.length) stream.push(bytes.subarray(cut));
      }
    });
  }

  #byte(): number {
    return randomInt(this.#random, 256);
  }

  #happens(chance = 0): boolean {
    return this.#random.next() < chance;
  }
}

class BusStream extends Duplex {
  readonly #onRequest: (frame: Buffer) => void;

  constructor(onRequest: (frame: Buffer) => void) {
    super();
    this.#onRequest = onRequest;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    done();
    this.#onRequest(Buffer.from(chunk));
  }
}
