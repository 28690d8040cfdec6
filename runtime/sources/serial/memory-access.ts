// Reads an instrument's memory, whatever orders the stream: dumps a range, repeatedly until it is complete, and asks for
// the bounds of the memory.
import type { Log } from '../../../kernel/log.ts';
import type { Window } from '../../../wire/window.ts';
import type { SerialSourceConfig } from './config.ts';
import { type DumpEnd, type DumpResult, isTooLarge, stillDamaged } from './dump.ts';
import type { BoundTexts } from './memory-bounds.ts';
import type { DecodedRecord } from './record-layout.ts';

export interface MemoryAccess {
  /** Takes turns with live polling. Prompt when the signal aborts. */
  dump(window: Window, signal: AbortSignal): Promise<DumpResult>;
  /** Undefined where the memory is empty. Absent: the instrument cannot be asked. */
  readonly bounds?: ((signal: AbortSignal) => Promise<BoundTexts>) | undefined;
}

export interface WholeDump {
  readonly asked: Window;
  /** As they came. */
  readonly records: readonly DecodedRecord[];
  readonly end: DumpEnd;
}

/** A damaged dump is asked for again so often. */
const maxAttempts = 3;

/**
 * A dump that nothing was damaged in. `isSound`: what else has to be true of its records, if anything.
 * @throws HoldfastError `serial-history-damaged`, or what the dump ended with.
 */
export async function wholeDump(
  { access, log, signal }: { readonly access: MemoryAccess; readonly log: Log; readonly signal: AbortSignal },
  asked: Window,
  isSound: (records: readonly DecodedRecord[]) => boolean = () => true,
): Promise<WholeDump | 'too-large'> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { records, end, damaged } = await access.dump(asked, signal);
      if (damaged === 0 && isSound(records)) return { asked, records, end };
      log.debug({ damaged, attempt }, 'a dump was damaged');
      if (attempt >= maxAttempts) throw stillDamaged(attempt);
    } catch (error) {
      if (isTooLarge(error) && asked.end - asked.start > 1) return 'too-large';
      throw error;
    }
  }
}

/** Records of a dump have the stamp; live ones do, too. */
export function dumpStampOf({ stamp, history }: SerialSourceConfig) {
  return { ...stamp, ...history?.stamp };
}
