// Where each value lies in one record of a device's event log, once defaults are filled in: what the
// configuration leaves out is as in the live sample, whose lowest address is the start of a record.

import {
  type ByteOrder,
  type RegisterTable,
  type TimeUnit,
  type ValueType,
  widthOf,
} from '../codec/fields.ts';
import type { HistoryShape, SourceShape, TagShape } from './config-shapes.ts';
import { type Invalid, invalidProblem } from './invalid-values.ts';

export interface Placed {
  /** Registers from the start of the record. */
  readonly offset: number;
  readonly type: ValueType;
  readonly order: ByteOrder;
}

export interface PlacedTag extends Placed {
  readonly name: string;
  readonly bit?: number | undefined;
  readonly length?: number | undefined;
  readonly encoding?: 'latin1' | 'utf8' | undefined;
  readonly perRegister?: 1 | 2 | undefined;
  readonly invalid?: Invalid | undefined;
  readonly scale?: number | undefined;
  readonly add?: number | undefined;
  readonly names?: Readonly<Record<string, string>> | undefined;
}

export interface RecordLayout {
  /** Always there where the stream is ordered by time. */
  readonly timestamp?: Placed & { readonly unit: TimeUnit };
  readonly number?: Placed;
  readonly tags: readonly PlacedTag[];
}

/** Why the layout is incomplete. Paths are relative to the source. */
export interface LayoutProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export type LayoutResult =
  | { readonly ok: true; readonly layout: RecordLayout }
  | { readonly ok: false; readonly problems: readonly LayoutProblem[] };

/** Resolves the record layout of `source.history`, which must be there. */
export function resolveLayout(source: SourceShape): LayoutResult {
  const history = source.history!;
  const problems: LayoutProblem[] = [];
  const start = sampleStart(source);
  const timestamp = history.timestamp ?? placeStamp(source, start);
  if (!timestamp && source.index === 'time') {
    problems.push({
      path: ['history', 'timestamp'],
      message: 'is missing: without a stamp to derive it from, say where a record keeps its time',
    });
  }
  const number = history.number ?? placeNumber(source, start);
  const tags = history.tags
    ? history.tags.flatMap((tag, at) => completeTag(source, tag, at, problems))
    : source.tags.flatMap((tag, at) => placeTag(source, tag, at, start, problems));
  if (timestamp) checkFits(history, timestamp, ['history', 'timestamp'], problems);
  if (number) checkFits(history, number, ['history', 'number'], problems);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, layout: { ...(timestamp && { timestamp }), ...(number && { number }), tags } };
}

/** The tag that a sample's time becomes where record numbers order the stream; undefined where it has none. */
export function timeTagOf(stamp: SourceShape['stamp']): string | undefined {
  return stamp?.timestamp ? (stamp.timeTag ?? 'time') : undefined;
}

/** The table that the sample lies in. */
function tableOf(stamp: SourceShape['stamp']): RegisterTable {
  return stamp?.timestamp?.table ?? stamp?.number?.table ?? 'holding';
}

/** The lowest register address of the sample block: that of the stamp and all tags in its table. */
function sampleStart(source: SourceShape): number {
  const { stamp } = source;
  const table = tableOf(stamp);
  const addresses = source.tags.filter((tag) => tag.table === table).map((tag) => tag.address);
  if (stamp?.timestamp) addresses.push(stamp.timestamp.address);
  if (stamp?.number?.table === table) addresses.push(stamp.number.address);
  return Math.min(...addresses);
}

function placeStamp(source: SourceShape, start: number): RecordLayout['timestamp'] | undefined {
  const timestamp = source.stamp?.timestamp;
  if (!timestamp) return undefined;
  const { address, type, order, unit } = timestamp;
  return { offset: address - start, type, order, unit };
}

function placeNumber(source: SourceShape, start: number): Placed | undefined {
  const { stamp } = source;
  if (!stamp?.number || stamp.number.table !== tableOf(stamp)) return undefined;
  const { address, type, order } = stamp.number;
  return { offset: address - start, type, order };
}

/** A live tag as it lies in a record that mirrors the sample block. */
function placeTag(
  source: SourceShape,
  tag: TagShape,
  at: number,
  start: number,
  problems: LayoutProblem[],
): readonly PlacedTag[] {
  const table = tableOf(source.stamp);
  if (tag.table !== table || tag.type === undefined) {
    const message = `tag '${tag.name}' is not in the ${table} table, so its place in a record is unknown: list history.tags`;
    problems.push({ path: ['tags', at], message });
    return [];
  }
  const { name, type, order, bit, length, encoding, perRegister, invalid, scale, offset: add, names } = tag;
  const offset = tag.address - start;
  const coding = { type, order, bit, length, encoding, perRegister, invalid, scale, add, names };
  const placed = { name, offset, ...coding };
  const width = widthOf(type, length, perRegister);
  if (placed.offset + width > source.history!.recordRegisters) {
    const message = `tag '${name}' lies ${placed.offset} registers after the start of the sample, outside a record of ${source.history!.recordRegisters}: list history.tags or correct recordRegisters`;
    problems.push({ path: ['tags', at], message });
    return [];
  }
  return [placed];
}

/** A configured history tag, completed from the live tag of the same name. */
function completeTag(
  source: SourceShape,
  tag: NonNullable<HistoryShape['tags']>[number],
  at: number,
  problems: LayoutProblem[],
): readonly PlacedTag[] {
  const path = ['history', 'tags', at];
  const live = source.tags.find(({ name }) => name === tag.name);
  if (!live) {
    problems.push({
      path: [...path, 'name'],
      message: `'${tag.name}' is not among the source's tags: history can only give values of tags that are also read live`,
    });
    return [];
  }
  const type = tag.type ?? (live.type === 'bool' ? undefined : live.type);
  if (type === undefined || type === 'bool') {
    problems.push({
      path: [...path, 'type'],
      message: 'must be given: records hold registers; for one bit of a register use type: bit',
    });
    return [];
  }
  const placed: PlacedTag = {
    name: tag.name,
    offset: tag.offset,
    type,
    order: tag.order ?? live.order,
    bit: tag.bit ?? live.bit,
    length: tag.length ?? live.length,
    encoding: tag.encoding ?? live.encoding,
    perRegister: tag.perRegister ?? live.perRegister,
    invalid: tag.invalid ?? (tag.type === undefined ? live.invalid : undefined),
    scale: tag.scale ?? live.scale,
    add: tag.add ?? live.offset,
    names: live.names,
  };
  if (type === 'bit' && placed.bit === undefined)
    problems.push({ path: [...path, 'bit'], message: 'is missing: which bit of the register, 0 to 15' });
  if (type === 'string' && placed.length === undefined)
    problems.push({ path: [...path, 'length'], message: 'is missing: how many characters' });
  const problem = placed.invalid === undefined ? undefined : invalidProblem(type, placed.invalid);
  if (problem !== undefined) problems.push({ path: [...path, 'invalid'], message: problem });
  checkFits(source.history!, placed, path, problems, widthOf(type, placed.length, placed.perRegister));
  return [placed];
}

function checkFits(
  history: HistoryShape,
  placed: Placed,
  path: readonly (string | number)[],
  problems: LayoutProblem[],
  width = widthOf(placed.type),
): void {
  const end = placed.offset + width;
  if (placed.offset >= 0 && end <= history.recordRegisters) return;
  const message = `covers registers ${placed.offset} to ${end - 1} of a record that has ${history.recordRegisters}: correct the offset or recordRegisters`;
  problems.push({ path: [...path, 'offset'], message });
}
