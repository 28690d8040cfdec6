// How the failure of one request counts in a pass over several (block-reader.ts), and blocks that stay without an answer in one
// pass after the other.
import { HoldfastError } from '../../../kernel/errors.ts';
import { ModbusException, UnprovenError } from './modbus-errors.ts';
import { type Block, type Item, splitBlock } from './read-plan.ts';

/** How often a block stays without an answer, while others are answered, before it counts as refused; and for how long. */
const maxSilent = 3;
export const noAnswer = 'no-answer';

/** Errors that concern one request alone. The next request shows whether the unit answers at all. */
const failures: ReadonlySet<string> = new Set(['modbus-exception', 'modbus-timeout', 'modbus-garbage']);

export function asFailure(error: unknown): HoldfastError {
  const isProven = !(error instanceof UnprovenError);
  if (isProven && error instanceof HoldfastError && failures.has(error.code)) return error;
  throw error;
}

export function isSilence(answer: Buffer | HoldfastError): boolean {
  return !Buffer.isBuffer(answer) && !(answer instanceof ModbusException);
}

export function reasonOf(error: HoldfastError): string {
  return error instanceof ModbusException ? error.exceptionName : noAnswer;
}

interface Silence {
  /** Passes in a row. */
  readonly times: number;
  /** Monotonic ms of the first of them. */
  readonly since: number;
}

/** Of one session: what said nothing before and after an outage may have answered in between. */
export class SilentBlocks {
  #now: ReadonlyMap<string, Silence> = new Map();
  #before: ReadonlyMap<string, Silence> = new Map();

  /** A pass begins; `isSame`: in the session of the one before. */
  begin(isSame: boolean): void {
    this.#before = isSame ? this.#now : new Map();
    this.#now = new Map();
  }

  /**
   * `blocks` stayed without an answer in a pass in which others were answered, for the last time in `minMs` ms at least. Gives
   * those that did so often enough, with their halves where they have any.
   */
  note<I extends Item>(
    blocks: readonly Block<I>[],
    now: number,
    minMs: number,
  ): readonly { readonly block: Block<I>; readonly halves: readonly [Block<I>, Block<I>] | undefined }[] {
    const silent = new Map<string, Silence>();
    const lasting = blocks.filter((block) => {
      const { times, since } = this.#before.get(placeOf(block)) ?? { times: 0, since: now };
      silent.set(placeOf(block), { times: times + 1, since });
      return times + 1 >= maxSilent && now - since >= minMs;
    });
    this.#now = silent;
    return lasting.map((block) => {
      const halves = splitBlock(block);
      const { since } = silent.get(placeOf(block))!;
      // Neither half has to be silent so often again.
      for (const half of halves ?? []) silent.set(placeOf(half), { times: maxSilent - 1, since });
      return { block, halves };
    });
  }
}

function placeOf({ table, address, count }: Block<Item>): string {
  return `${table} ${address} ${count}`;
}
