// Memory access for streams ordered by record number: requests by position, and bounds as positions.
import type { Window } from '../../../wire/window.ts';
import type { RecordCounter } from '../codec/record-counter.ts';
import type { Placeholder } from './command-template.ts';
import { type BoundTexts, invalidBounds } from './memory-bounds.ts';
import { unproven } from './serial-errors.ts';

/** Fills a placeholder of the command. */
export function fillNumber(
  counter: RecordCounter,
  { start, end }: Window,
  { name, format }: Placeholder,
): string {
  const value = {
    from: counter.numberAt(start),
    to: counter.numberAt(end - 1),
    end: counter.numberAt(end),
    count: end - start,
  }[name]!;
  return String(value).padStart(/^\d{1,2}$/.test(format ?? '') ? Number(format) : 0, '0');
}

export interface HeldNumbers {
  /** Everything from here on is held; undefined where that is not known. */
  readonly oldest: number | undefined;
  /** Of the newest record, which is held. */
  readonly newest: number;
}

/**
 * What the instrument says that it holds. Nothing at all: what was recorded is gone, up to the newest known.
 * @param since records that were seen live after it was asked
 * @throws HoldfastError `serial-history-unproven` where the counter may have started anew: its numbers are then those of
 * other records. `serial-history-invalid` where there are none.
 */
export function heldNumbers(counter: RecordCounter, span: number, texts: BoundTexts, since = 0): HeldNumbers {
  if (!texts) {
    if (counter.position === undefined) throw unproven('it is empty, and no record was seen yet');
    return { oldest: counter.position + 1 - since, newest: counter.position - since };
  }
  const [oldest, newest] = [wholeNumber(texts.oldest), wholeNumber(texts.newest)];
  const at = counter.positionOfNewest(newest, since);
  if (at === undefined)
    throw unproven(
      `its newest record has number ${newest}, and the last one that was seen does not come before that: its counter may have started anew`,
    );
  const from = at - ((((newest - oldest) % span) + span) % span);
  // Further back than the present round: records of the one before are held, under numbers that mean others now.
  return { oldest: from < counter.roundStart ? undefined : from, newest: at };
}

function wholeNumber(text: string): number {
  const number = Number(text.trim());
  if (!Number.isSafeInteger(number) || number < 0)
    throw invalidBounds(`('${text.slice(0, 40)}') is no record number`);
  return number;
}
