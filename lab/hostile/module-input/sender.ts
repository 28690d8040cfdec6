// Another module that measures and sends: what it made, message by message.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { InputMessage } from '../../../runtime/uplink/uplink.ts';
import type { Dice } from '../dice.ts';
import type { EquipmentClock } from '../equipment-clock.ts';
import { type Made, Records, type Shown } from '../judge/records.ts';
import type { SenderPlan } from './sender-plan.ts';

/** One value at one time. */
export interface Sent extends Made {
  /** Its time, as the sender has it; 0 where it says none. */
  readonly time: number;
  readonly messageAt: number;
}

export interface SentMessage {
  /** In the order in which they were made. */
  readonly at: number;
  readonly message: InputMessage;
  /** True time. */
  readonly madeAt: number;
  /** Latest of its samples. */
  readonly time: number;
  /** Nobody can make sense of it. */
  readonly isBroken: boolean;
  /** It never reaches the module. */
  isLost: boolean;
  /** Our wall clock whenever it was handed over. */
  readonly arrivals: number[];
}

export interface SenderOptions {
  readonly plan: SenderPlan;
  readonly clock: VirtualClock;
  readonly senderClock: EquipmentClock;
  readonly dice: Dice;
}

interface Sample {
  readonly t: number;
  readonly tag: string;
  readonly v: number;
}

export class Sender {
  readonly records = new Records<Sent>();
  readonly messages: SentMessage[] = [];
  readonly #options: SenderOptions;
  #number = 1;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** It is started again, and counts from somewhere else. */
  restart(): void {
    this.#number = this.#options.dice.between(1, 1_000_000) * 1000;
  }

  /** The next message or, where each tag has its own, messages. */
  make(isBroken: boolean): readonly SentMessage[] {
    const { plan, senderClock } = this.#options;
    const now = Math.floor(senderClock.now() / plan.stampStepMs) * plan.stampStepMs;
    const samples: Sample[] = [];
    for (let at = 0; at < plan.samplesEach; at++) {
      const t = now - Math.floor((at * plan.latenessMs) / 3);
      const id = this.records.all.length + samples.length + 1;
      samples.push({ t, tag: 'a', v: id }, { t, tag: 'b', v: id + 1.5 });
    }
    if (!plan.isSplit) return [this.#send(samples, isBroken)];
    return samples.map((sample) => this.#send([sample], isBroken));
  }

  #send(samples: readonly Sample[], isBroken: boolean): SentMessage {
    const { clock, plan } = this.#options;
    const at = this.messages.length;
    const number = this.#number++;
    // Of two that are made at once, one is made first.
    const madeAt = clock.monotonic() + at * 1e-7;
    for (const { t, tag, v } of samples) {
      const values = new Map<string, Shown>(isBroken ? [] : [[tag, { value: v, good: true }]]);
      const id = this.records.all.length + 1;
      this.records.add({ id, at: madeAt, time: plan.isStamped ? t : 0, messageAt: at, values });
    }
    const properties: Record<string, string> = {};
    if (plan.isNumbered && plan.numberIn === 'property') properties.n = String(number);
    const message: InputMessage = {
      input: 'in',
      properties,
      body: Buffer.from(isBroken ? '{"oops' : JSON.stringify(this.#body(samples, number))),
      ...(plan.hasIds ? { messageId: `m${at}` } : {}),
    };
    const time = Math.max(...samples.map(({ t }) => t));
    const sent = { at, message, madeAt, time, isBroken, isLost: false, arrivals: [] };
    this.messages.push(sent);
    return sent;
  }

  #body(samples: readonly Sample[], number: number): unknown {
    const { form, isNumbered, numberIn, isStamped } = this.#options.plan;
    const n = isNumbered && numberIn === 'body' ? { n: number } : {};
    const time = (t: number) => (isStamped ? { t } : {});
    if (form === 'readings/1') return samples;
    if (form === 'items') return { ...n, items: samples.map(({ t, tag, v }) => ({ ...time(t), tag, v })) };
    return { ...n, ...time(samples[0]!.t), ...Object.fromEntries(samples.map(({ tag, v }) => [tag, v])) };
  }
}
