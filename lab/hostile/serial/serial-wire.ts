// The line to an instrument: takes its commands one after the other, puts on the wire what it says, line by line, and
// does to it what lines do. What is late is heard by whoever has the port by then.
import type { Duplex } from 'node:stream';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { pendingInputMs } from '../../../runtime/sources/serial/line-quiet.ts';
import { PeerStream } from '../byte-stream.ts';
import type { Dice } from '../dice.ts';
import type { Heard } from '../judge/judge.ts';
import type { Trace } from '../trace.ts';
import type { Instrument, Kept, Said } from './instrument.ts';
import type { InstrumentPlan } from './instrument-plan.ts';
import { type AnswerMischief, type LineMischief, mischiefOf } from './serial-mischief.ts';

export interface SerialWireOptions {
  readonly plan: InstrumentPlan;
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly heard: Heard;
  readonly instrument: () => Instrument;
  readonly onAsked: () => void;
  /** A live record is about to arrive whole: of its own accord, or in time as the answer to what was asked last. */
  readonly onArrives: (record: Kept, command: string | undefined) => void;
  /** The same, of one that a dump brings. */
  readonly onDumped: (record: Kept) => void;
}

interface Asked {
  readonly command: string;
  readonly at: number;
  readonly mischief: AnswerMischief;
}

interface Outgoing extends Said {
  readonly asked: Asked | undefined;
  /** True time at which the instrument looked. */
  readonly lookedAt: number;
}

const lineMs = [2, 8] as const;

export class SerialWire {
  exchanges = 0;
  isReachable = true;
  #mischief = mischiefOf('fine');
  readonly #options: SerialWireOptions;
  readonly #streams = new Set<PeerStream>();
  #heard = '';
  #busyUntil = 0;
  #last: Asked | undefined;
  #outgoing: Outgoing[] = [];
  #isSaying = false;

  constructor(options: SerialWireOptions) {
    this.#options = options;
  }

  behave(isHostile: boolean): void {
    this.#mischief = mischiefOf(isHostile ? 'hostile' : 'fine', this.#options.plan);
  }

  open(): Duplex {
    if (!this.isReachable) {
      throw new HoldfastError('serial-connect-failed', 'there is no such port', { retryable: true });
    }
    this.#options.trace.note('line', 'opened');
    const stream = new PeerStream((bytes) => this.#onBytes(bytes));
    this.#streams.add(stream);
    stream.on('close', () => this.#streams.delete(stream));
    return stream;
  }

  cut(): void {
    for (const stream of [...this.#streams]) stream.reset();
  }

  /** The instrument talks. */
  talk(said: Said): void {
    this.exchanges += 1;
    this.#outgoing.push({ ...said, asked: undefined, lookedAt: this.#options.clock.monotonic() });
    this.#sayOn();
  }

  #onBytes(bytes: Buffer): void {
    const { plan } = this.#options;
    if (plan.echoes) this.#put(bytes);
    this.#heard += bytes.toString('latin1');
    for (let at = this.#heard.indexOf('\r\n'); at >= 0; at = this.#heard.indexOf('\r\n')) {
      this.#onCommand(this.#heard.slice(0, at));
      this.#heard = this.#heard.slice(at + 2);
    }
  }

  #onCommand(command: string): void {
    const { clock, dice, trace, plan, instrument } = this.#options;
    this.exchanges += 1;
    const mischief = dice.weighted(this.#mischief.answers) as AnswerMischief;
    trace.note('asks', `${command}${mischief === 'fine' ? '' : ` (${mischief})`}`);
    const asked = { command, at: clock.monotonic(), mischief };
    this.#last = asked;
    this.#options.onAsked();
    if (mischief === 'reset') this.cut();
    if (!instrument().isOn || mischief === 'silent' || mischief === 'reset') return;
    const serviceMs =
      mischief === 'late'
        ? dice.between(plan.timeoutMs + 20, 4 * plan.timeoutMs)
        : mischief === 'slow'
          ? dice.between(Math.floor(plan.timeoutMs / 2), plan.timeoutMs - 40)
          : dice.between(1, 20);
    this.#busyUntil = Math.max(clock.monotonic(), this.#busyUntil) + serviceMs;
    clock.setTimer(this.#busyUntil - clock.monotonic(), () => this.#answer(asked));
  }

  #answer(asked: Asked): void {
    const { instrument, clock } = this.#options;
    if (!instrument().isOn) return;
    const lines =
      asked.mischief === 'refused' ? [{ text: '$BUSY' }] : (instrument().answer(asked.command) ?? []);
    for (const said of lines) this.#outgoing.push({ ...said, asked, lookedAt: clock.monotonic() });
    this.#sayOn();
  }

  /** One line after the other, each in its time. */
  #sayOn(): void {
    const next = this.#outgoing[0];
    if (this.#isSaying || !next) return;
    this.#isSaying = true;
    const { clock, dice } = this.#options;
    const mischief = dice.weighted(
      next.asked ? this.#mischief.answered : this.#mischief.talked,
    ) as LineMischief;
    const pauseMs = mischief === 'late' ? dice.between(300, 1500) : dice.between(...lineMs);
    clock.setTimer(pauseMs, () => {
      this.#outgoing.shift();
      // Written over meanwhile.
      const restMs = (next.isHeld?.() ?? true) ? this.#say(next, mischief) : 0;
      clock.setTimer(restMs, () => {
        this.#isSaying = false;
        this.#sayOn();
      });
    });
  }

  /** Returns how long it takes until the line is free again. */
  #say(next: Outgoing, mischief: LineMischief): number {
    const { trace, clock, dice } = this.#options;
    const whole = this.#sentence(next.text);
    trace.note(
      mischief === 'fine' ? 'says' : 'line',
      `${next.text}${mischief === 'fine' ? '' : ` (${mischief})`}`,
    );
    switch (mischief) {
      case 'lost':
        return 0;
      case 'damaged':
        this.#put(this.#damage(whole));
        return 0;
      case 'joined':
        this.#put(whole.subarray(0, -2));
        return 0;
      case 'noise':
        this.#put(Buffer.from(dice.pick(['#?!\r\n', '\x00\xff#', '#\r\n#\r\n']), 'latin1'));
        break;
      case 'pieces':
      case 'pause': {
        const cut = dice.between(1, whole.length - 1);
        const stream = this.#target;
        this.#put(whole.subarray(0, cut));
        const laterMs = mischief === 'pause' ? dice.between(400, 1600) : dice.between(1, 80);
        clock.setTimer(laterMs, () => {
          if (this.#target === stream) this.#tell(next);
          this.#put(whole.subarray(cut));
        });
        return laterMs + 1;
      }
    }
    this.#tell(next);
    this.#put(whole);
    if (mischief === 'twice') this.#put(whole);
    return 0;
  }

  /** What it is about to bring, if it comes whole and in time. */
  #tell({ asked, record, kept, text, lookedAt }: Outgoing): void {
    const { heard, clock, plan, onArrives, onDumped } = this.#options;
    if (!this.#target) return;
    if (kept) onDumped(kept);
    if (!asked) {
      heard.tell(record!.at);
      onArrives(record!, undefined);
      return;
    }
    if (text === '$END' || text === '$NONE' || !plan.memory?.hasEnd) heard.tellHistory(lookedAt);
    if (!record) return;
    // What stood in a buffer when its time was over is taken still.
    const limitMs = plan.timeoutMs + pendingInputMs;
    const isInTime = asked === this.#last && clock.monotonic() - asked.at < limitMs;
    // What says itself which record it is may be taken, however late.
    if (isInTime || plan.order !== 'arrival') heard.tell(lookedAt);
    if (!isInTime) return;
    onArrives(record, asked.command);
  }

  get #target(): PeerStream | undefined {
    return this.isReachable ? [...this.#streams].at(-1) : undefined;
  }

  #put(bytes: Buffer): void {
    this.#target?.say(bytes);
  }

  /** NMEA 0183: the exclusive or of what stands between $ and *, as two hexadecimal digits. */
  #sentence(text: string): Buffer {
    if (!this.#options.plan.isChecked) return Buffer.from(`${text}\r\n`, 'latin1');
    let sum = 0;
    for (const character of text.slice(1)) sum ^= character.charCodeAt(0);
    return Buffer.from(`${text}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`, 'latin1');
  }

  /** Where no check sum finds it out, the damage itself must: digits that are lost are numbers still. */
  #damage(whole: Buffer): Buffer {
    const { plan, dice } = this.#options;
    const bytes = Buffer.from(whole);
    const at = dice.between(1, bytes.length - (plan.isChecked ? 6 : 3));
    if (plan.isChecked) bytes[at] = bytes[at]! ^ (1 << dice.between(0, 4));
    else bytes.fill(0x23, at, bytes.length - 2);
    return bytes;
  }
}
