// How many operations one request of each service may hold: the limit that the server states, or that it turned out to
// have. Many state none, and refuse a request that is too long as a whole (BadTooManyOperations): it is halved, and the
// size that was accepted is used from then on, also in later sessions. Where a request may have been carried out all the same, its
// maker starts over with half as many.
import { type LearnedStore, passingStore } from '../learned.ts';
import { chunk } from './chunk.ts';
import { HalfMadeError, OpcuaServiceError } from './opcua-errors.ts';
import type { OperationLimits } from './opcua-session.ts';

type Service = keyof OperationLimits;

/** The request was not carried out, for none of its operations. */
const tooMany: ReadonlySet<string> = new Set(['BadTooManyOperations', 'BadRequestTooLarge']);
/** It was perhaps carried out, and its answer did not fit: no harm where it only looked. */
const tooLarge: ReadonlySet<string> = new Set(['BadResponseTooLarge', 'BadEncodingLimitsExceeded']);

/** It has as many items as it takes, in this subscription or in all. */
const noRoom: ReadonlySet<string> = new Set(['BadTooManyMonitoredItems']);

export const noLimits: OperationLimits = {
  nodesPerRead: 0,
  nodesPerWrite: 0,
  nodesPerBrowse: 0,
  nodesPerTranslate: 0,
  itemsPerCall: 0,
  nodesPerHistoryRead: 0,
  historyContinuationPoints: 0,
};

/** The request sizes that servers accepted, by service; outlives sessions. */
export class LearnedSizes {
  readonly #store: LearnedStore;
  readonly #onLearned: ((service: Service, size: number) => void) | undefined;

  constructor(onLearned?: (service: Service, size: number) => void, store: LearnedStore = passingStore()) {
    this.#onLearned = onLearned;
    this.#store = store;
  }

  /** Where nothing is known, 0. */
  of(service: Service): number {
    const size = this.#sizes[service];
    return typeof size === 'number' && size >= 1 ? Math.floor(size) : 0;
  }

  learn(service: Service, size: number): void {
    this.#store.note('sizes', { ...this.#sizes, [service]: size });
    this.#onLearned?.(service, size);
  }

  get #sizes(): Readonly<Partial<Record<Service, unknown>>> {
    return (this.#store.get().sizes ?? {}) as Readonly<Partial<Record<Service, unknown>>>;
  }
}

/** One session's sizes. */
export class OperationSizes {
  readonly #learned: LearnedSizes;
  stated: OperationLimits = noLimits;

  constructor(learned = new LearnedSizes()) {
    this.#learned = learned;
  }

  /** 0 where there is no limit that is known. */
  get limits(): OperationLimits {
    const services = Object.keys(noLimits) as Service[];
    return Object.fromEntries(
      services.map((service) => [service, this.#of(service)]),
    ) as unknown as OperationLimits;
  }

  /**
   * The answers to all of `items`, in their order. `work` answers as many as it was given. `asFull`: what stands for those that
   * the server has no room for, where it refuses the request for that and not each of them.
   */
  async inParts<T, R>(
    service: Service,
    items: readonly T[],
    work: (part: readonly T[]) => Promise<readonly R[]>,
    asFull?: (status: string) => R,
  ): Promise<R[]> {
    const answers: R[] = [];
    let half: number | undefined;
    let isFull = false;
    while (answers.length < items.length) {
      const [part = []] = chunk(items.slice(answers.length), half ?? this.#of(service));
      try {
        answers.push(...(await work(part)));
        // Not before it was accepted: what is refused one by one is no matter of size.
        if (half !== undefined && !isFull) this.#learned.learn(service, half);
        half = isFull ? half : undefined;
      } catch (error) {
        // Bounded: each time half as many.
        if (asFull && error instanceof OpcuaServiceError && noRoom.has(error.status)) {
          isFull = true;
          half = part.length >> 1;
          if (half > 0) continue;
          const left = items.length - answers.length;
          return [...answers, ...Array.from({ length: left }, () => asFull(error.status))];
        }
        if (part.length === 1 || !(error instanceof OpcuaServiceError)) throw error;
        half = part.length >> 1;
        if (tooMany.has(error.status) || (tooLarge.has(error.status) && isLook(service))) continue;
        if (!tooLarge.has(error.status) || service !== 'itemsPerCall') throw error;
        this.#learned.learn(service, half);
        throw new HalfMadeError(error.code, error.message, error.status, error);
      }
    }
    return answers;
  }

  #of(service: Service): number {
    const [stated, learned] = [this.stated[service], this.#learned.of(service)];
    return stated > 0 && learned > 0 ? Math.min(stated, learned) : Math.max(stated, learned);
  }
}

/** It changes nothing, however often it is sent. */
function isLook(service: Service): boolean {
  return service !== 'itemsPerCall' && service !== 'nodesPerWrite';
}
