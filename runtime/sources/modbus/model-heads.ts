// Values of a SunSpec model are believed only while its head, read in the same poll, says that it is that model: where a
// device has its models elsewhere, or others, the same registers hold other values, and plausible ones.
import type { Quality } from '../../../wire/reading.ts';
import type { TagConfig } from './config.ts';
import type { Item } from './read-plan.ts';

/** Id and length of a model, in the two registers that it begins with. */
export interface MappedHead extends Item {
  readonly id: number;
  /** The lengths that the model may have; any, where it has as many parts as it likes. */
  readonly lengths: readonly number[] | undefined;
}

/** What stands there; undefined where it was not to be read. */
export interface Head {
  readonly id: number;
  readonly length: number;
}

const headRegisters = 2;
/** A model's length does not count its head. */
const bodyAt = 2;

export type HeadBytes = ReadonlyMap<MappedHead, Buffer>;

interface Judged {
  readonly head: MappedHead;
  /** Where what the tag needs ends, from the head on. */
  readonly end: number;
}

export class ModelCheck {
  readonly heads: readonly MappedHead[];
  /** By the tag's name. */
  readonly #judged: ReadonlyMap<string, Judged>;
  #problems: readonly string[] = [];

  constructor(tags: readonly TagConfig[], widthOfTag: (tag: TagConfig) => number) {
    const heads = new Map<string, MappedHead>();
    const judged = new Map<string, Judged>();
    for (const tag of tags) {
      const { model, table, address, scaleFrom } = tag;
      if (!model) continue;
      const { at, id, lengths } = model;
      const key = `${table} ${at} ${id}`;
      const head = heads.get(key) ?? { table, address: at, width: headRegisters, id, lengths };
      heads.set(key, head);
      const end = Math.max(address + widthOfTag(tag), scaleFrom === undefined ? 0 : scaleFrom + 1) - at;
      judged.set(tag.name, { head, end });
    }
    this.heads = [...heads.values()];
    this.#judged = judged;
  }

  /** Why not all values are believed, for people; undefined where they are. */
  get problem(): string | undefined {
    return this.#problems.length === 0 ? undefined : this.#problems.join('; ');
  }

  /**
   * `found`: the heads that were read. Gives the quality of each tag whose value is not to be believed, by name.
   */
  judge(found: HeadBytes): ReadonlyMap<string, Quality> {
    if (this.heads.length === 0) return new Map();
    const wrong = new Map(this.heads.map((head) => [head, problemOf(head, headIn(found.get(head)))]));
    this.#problems = [...wrong.values()].filter((problem) => problem !== undefined);
    const bad = new Map<string, Quality>();
    for (const [tag, { head, end }] of this.#judged) {
      const length = headIn(found.get(head))?.length ?? 0;
      if (wrong.get(head) !== undefined) bad.set(tag, 'bad:wrong-model');
      else if (end > bodyAt + length) bad.set(tag, 'bad:not-implemented');
    }
    return bad;
  }

  /** `undefined` where the tag is of no model, or its model stands where it should. */
  problemOf(tag: string, found: HeadBytes): string | undefined {
    const head = this.#judged.get(tag)?.head;
    return head && problemOf(head, headIn(found.get(head)));
  }
}

export function isHead(item: Item | MappedHead): item is MappedHead {
  return 'lengths' in item;
}

function headIn(bytes: Buffer | undefined): Head | undefined {
  return bytes && { id: bytes.readUInt16BE(0), length: bytes.readUInt16BE(2) };
}

function problemOf(head: MappedHead, found: Head | undefined): string | undefined {
  const { table, address, id, lengths } = head;
  if (found?.id === id && (lengths?.includes(found.length) ?? true)) return undefined;
  const place = `${table} ${address}`;
  const wanted = `SunSpec model ${id}${lengths ? ` (${lengths.join(' or ')} registers)` : ''}`;
  const what =
    found === undefined
      ? `${place} cannot be read, where ${wanted} was to be`
      : `at ${place} stand ${found.id} and ${found.length} (as a model: its id and its registers), where ${wanted} was to be`;
  return `${what}: its values are not believed; correct at (holdfast probe --discover shows which model stands where)`;
}
