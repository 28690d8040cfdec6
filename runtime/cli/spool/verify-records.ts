// Verifies each value alone: the form of its key, its envelope, its checksum. Payloads are verified later, with what they
// refer to.
import type { KeySpace } from '../../spool/format/keys.ts';
import { kindOf } from '../../spool/repair/record-reading.ts';
import type { SpoolReader } from '../../spool/repair/spool-reader.ts';
import { damage, note, tick, type VerifyStep } from './finding.ts';

/** Key lengths by space; undefined where the key holds a name. */
const keyLengths: Readonly<Record<KeySpace, number | undefined>> = {
  m: undefined,
  s: undefined,
  n: 5,
  j: 11,
  r: 7,
  a: 7,
  i: 20,
  l: 21,
  u: 7,
  b: 7,
  q: 13,
  x: 7,
  d: 7,
  k: undefined,
  t: undefined,
  v: 7,
};

export function* verifyRecords(reader: SpoolReader): Generator<VerifyStep> {
  for (const { key, value } of reader.source.scan(Buffer.of(0), Buffer.of(255))) {
    yield tick;
    const space = String.fromCharCode(key[0] ?? 0) as KeySpace;
    const kind = kindOf[space];
    if (kind === undefined) {
      yield damage('record', key, 'no such key space: written by something else, or by a newer version');
      continue;
    }
    const length = keyLengths[space];
    if (length !== undefined && key.byteLength !== length) {
      yield damage('record', key, `the key has ${key.byteLength} bytes instead of ${length}`);
      continue;
    }
    const record = 'smnkt'.includes(space)
      ? reader.readJson(kind, key, value)
      : reader.read(kind, key, value, () => undefined);
    if ('problem' in record) yield damage('record', key, record.problem);
    else if (space === 'd') {
      const quarantine = reader.readJson<{ key?: string; error?: string }>('D', key, value);
      const what =
        'value' in quarantine ? `${quarantine.value.error} (${quarantine.value.key})` : quarantine.problem;
      yield note('record', key, `quarantined by the module when it read it: ${what}`);
    }
  }
}
