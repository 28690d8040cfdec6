// Judges what detectors ask one stream for, when they do: nobody asks twice for one range, nor for what has arrived.
import { intersection, normalise } from '../../../wire/coverage.ts';
import { parseIndex } from '../../../wire/index-position.ts';
import { parseMessage } from '../../../wire/message.ts';
import type { Window } from '../../../wire/window.ts';
import type { EquipmentPlan } from './equipment.ts';
import type { HubEvent } from './hub.ts';
import type { WorldTime } from './world-time.ts';

/** What a detector can be found guilty of. */
export type RequestVerdict =
  | 'asked-twice' // two requests for one range, in less time than an answer may take
  | 'asked-needlessly'; // a request for what the hub has held for long

export interface BackfillPayload {
  readonly requestId: string;
  readonly batchId: string;
  /** Absent where late windows are asked for by their numbers. */
  readonly startWindow?: string;
  readonly endWindow?: string;
}

/** A request may cross what answers it; what has been in the hub for so long, with detectors there to read it, is known. */
export const readWithinMs = 18_000;
/** What a detector asked for it asks for again only after nothing of it came for two minutes. */
const notAgainMs = 100_000;

interface Asked {
  readonly requestId: string;
  readonly window: Window;
  readonly at: number;
}

export class RequestJudge {
  readonly #plan: EquipmentPlan;
  readonly #find: (verdict: RequestVerdict, detail: string) => void;
  /** Of the last minutes. */
  #asked: Asked[] = [];

  constructor(plan: EquipmentPlan, find: (verdict: RequestVerdict, detail: string) => void) {
    this.#plan = plan;
    this.#find = find;
  }

  /** `held`: what the hub has of the device, as far as detectors have had the time to read it. */
  hear(payload: BackfillPayload, held: readonly HubEvent[], time: WorldTime): void {
    const { requestId, startWindow, endWindow } = payload;
    if (startWindow === undefined || endWindow === undefined) return;
    const { index } = this.#plan;
    const window = { start: parseIndex(index, startWindow), end: parseIndex(index, endWindow) };
    this.#asked = this.#asked.filter(({ at }) => at > time.elapsed - notAgainMs);
    const before = this.#asked.find(
      (each) => each.requestId !== requestId && intersection([each.window], [window]).length > 0,
    );
    if (before !== undefined) {
      const sinceMs = Math.round(time.elapsed - before.at);
      this.#find('asked-twice', `${requestId} asks for what ${before.requestId} did ${sinceMs} ms before`);
    }
    this.#asked.push({ requestId, window, at: time.elapsed });
    const [needless] = intersection([window], this.#known(held, time.wall - readWithinMs));
    if (needless !== undefined)
      this.#find(
        'asked-needlessly',
        `${requestId} asks for [${needless.start}, ${needless.end}), which is in the hub`,
      );
  }

  /** Whole windows that the hub had by then. */
  #known(held: readonly HubEvent[], by: number): readonly Window[] {
    const windows = held.flatMap(({ enqueuedAt, message }) => {
      const { batchId, part, isLate } = message.properties;
      if (batchId !== this.#plan.name || part !== undefined || isLate !== undefined) return [];
      const { messageId, contentEncoding, properties } = message;
      const parsed = parseMessage(properties, {
        messageId,
        contentType: 'application/json',
        contentEncoding,
      });
      return enqueuedAt <= by && 'window' in parsed ? [parsed.window] : [];
    });
    return normalise(windows);
  }
}
