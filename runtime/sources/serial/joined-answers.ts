// The answers to several commands as one sample. Pure.
//
// An instrument that samples between two commands answers the second from another record than the first: joined, they
// would be a sample that never was. Where it numbers or stamps its records, all answers have to show the same.
import type { Quality, Value } from '../../../wire/reading.ts';
import type { DecodedRecord, TagValue } from './record-layout.ts';

export type Joined =
  | {
      readonly kind: 'joined';
      readonly record: DecodedRecord;
      /** A tag is in two answers: perhaps one answer came twice, and another not at all. */
      readonly isRepeated: boolean;
    }
  /** They are not of one record. */
  | { readonly kind: 'mixed' };

export function joinAnswers(answers: readonly DecodedRecord[]): Joined {
  const [first] = answers;
  const values = new Map<string, TagValue>();
  let isRepeated = false;
  for (const { number, timestamp, values: more } of answers) {
    if (number !== first!.number || timestamp !== first!.timestamp) return { kind: 'mixed' };
    for (const value of more) {
      const known = values.get(value.tag);
      if (known && !isSameValue(known, value)) return { kind: 'mixed' };
      isRepeated ||= known !== undefined;
      values.set(value.tag, value);
    }
  }
  return { kind: 'joined', record: { ...first!, values: [...values.values()] }, isRepeated };
}

function isSameValue(a: { value: Value; quality: Quality }, b: { value: Value; quality: Quality }): boolean {
  return a.value === b.value && a.quality === b.quality;
}
