// Joins the answers to several commands into one sample. Pure.
//
// An instrument that samples between two commands answers the second from another record than the first: joined, they
// would be a sample that never was. Where it numbers or stamps its records, all answers have to show the same.
import type { DecodedRecord, TagValue } from './record-layout.ts';

/** Undefined where they are not of one record. */
export function joinAnswers(answers: readonly DecodedRecord[]): DecodedRecord | undefined {
  const first = answers[0]!;
  const values = new Map<string, TagValue>();
  for (const { number, timestamp, values: more } of answers) {
    if (number !== first.number || timestamp !== first.timestamp) return undefined;
    for (const value of more) {
      const known = values.get(value.tag);
      if (known && (known.value !== value.value || known.quality !== value.quality)) return undefined;
      values.set(value.tag, value);
    }
  }
  return { ...first, values: [...values.values()] };
}
