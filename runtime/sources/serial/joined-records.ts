// Detects two records in one message: the end between them was lost, and no check sum shows it.
//
// Such a message is larger than others of its kind by exactly one record, and can be cut into two that are each as large as
// usual and have every value. What is usual is learned: by columns, by matches of the pattern, or by characters. A message
// that is larger for good, as after a setting of the instrument was changed, is believed when it has come a few times.
import type { FieldsConfig, SerialSourceConfig } from './config.ts';
import { compilePattern } from './patterns.ts';
import { compileSplit } from './places.ts';
import type { Decoded, DecodedRecord, RecordDecoder } from './record-layout.ts';

/** Messages of one unusual size in a row that show that it is the usual one now; fewer where none is known yet. */
const enoughToChange = 3;
const enoughToBegin = 2;
/** Longer messages are not cut at each character. */
const maxCutBytes = 1024;
/** Kinds of messages whose sizes are remembered. */
const maxKinds = 100;

interface Usual {
  readonly least: number;
  readonly most: number;
}

type Size = (content: Buffer) => number;

export class JoinedRecords {
  readonly #decode: RecordDecoder;
  readonly #size: Size;
  readonly #usual = new Map<string, Usual>();
  /** The unusual size that came last, and how often in a row. */
  #odd = { kind: '', size: 0, count: 0 };

  constructor(decode: RecordDecoder, fields: SerialSourceConfig['fields']) {
    this.#decode = decode;
    this.#size = sizeBy(fields);
  }

  /** Whether a message that makes a record may be two. To be asked once for each message, in their order. */
  has(content: Buffer, record: DecodedRecord): boolean {
    const kind = kindOf(record);
    const size = this.#size(content);
    const usual = this.#usual.get(kind);
    if (usual && size >= usual.least && size <= usual.most) return false;
    if (this.#canBeCut(content, record, usual)) {
      const isAgain = this.#odd.kind === kind && this.#odd.size === size;
      this.#odd = { kind, size, count: isAgain ? this.#odd.count + 1 : 1 };
      if (this.#odd.count < (usual ? enoughToChange : enoughToBegin)) return true;
    }
    const { least = size, most = size } = usual ?? {};
    if (usual || this.#usual.size < maxKinds)
      this.#usual.set(kind, { least: Math.min(least, size), most: Math.max(most, size) });
    return false;
  }

  /** Into two or more that are each as large as usual; where that is not known, into two that are alike. */
  #canBeCut(content: Buffer, record: DecodedRecord, usual: Usual | undefined): boolean {
    if (content.length > maxCutBytes) return false;
    const whole = this.#size(content);
    for (let at = 1; at < content.length; at++) {
      const [head, tail] = [content.subarray(0, at), withoutEnd(content.subarray(at))];
      const size = this.#size(head);
      const { least, most } = usual ?? { least: size, most: size };
      if (size >= whole || size < least || size > most || !isWhole(this.#decode(head), record)) continue;
      const rest = this.#size(tail);
      if (rest >= least && rest <= most && isWhole(this.#decode(tail), record)) return true;
      if (rest > most && this.#canBeCut(tail, record, { least, most })) return true;
    }
    return false;
  }
}

/** Messages with other tags are of another kind. */
function kindOf({ values }: DecodedRecord): string {
  return values.map(({ tag }) => tag).join('\n');
}

/** Where a part of the end was lost, as the line feed of CR LF. */
function withoutEnd(tail: Buffer): Buffer {
  const from = tail.findIndex((byte) => byte > 0x20);
  return tail.subarray(Math.max(0, from));
}

/** It has all that the message has. */
function isWhole(part: Decoded, { values }: DecodedRecord): boolean {
  const isGood = ({ quality }: { readonly quality: string }) => quality === 'good';
  return (
    part.kind === 'record' &&
    part.values.length === values.length &&
    values.every(
      (value, at) => part.values[at]!.tag === value.tag && (!isGood(value) || isGood(part.values[at]!)),
    )
  );
}

function sizeBy({ separator, pattern = [], encoding }: FieldsConfig): Size {
  if (separator !== undefined) {
    const split = compileSplit(separator);
    return (content) => split(content.toString(encoding)).length;
  }
  const rests = [pattern].flat().map((each) => {
    const compiled = compilePattern(each);
    if (!compiled.ok) throw new Error(`the pattern ${compiled.problem}`);
    return compiled.rest;
  });
  if (rests.length === 0) return (content) => content.length;
  const behind = (text: string) => rests.map((rest) => rest(text)).find((rest) => rest !== undefined);
  return (content) => {
    let matches = 0;
    let text = content.toString(encoding);
    for (let rest = behind(text); rest !== undefined; rest = behind(text)) {
      matches += 1;
      // A match of nothing comes no further.
      if (rest.length === text.length) break;
      text = rest.trimStart();
    }
    return matches;
  };
}
