// Checks that span several settings: each names the setting to change and what would be right.

import type { z } from 'zod';
import { addressSpace, isBitTable, isCountable, isNumberType, widthOf } from '../codec/fields.ts';
import { checkLimits, checkNames } from '../settings.ts';
import type { HistoryShape, SourceShape, TagShape } from './config-shapes.ts';
import { invalidProblem } from './invalid-values.ts';
import { resolveLayout, timeTagOf } from './record-layout.ts';

type Context = z.RefinementCtx;
type Path = (string | number)[];

function problem(context: Context, path: Path, message: string): void {
  context.addIssue({ code: 'custom', path, message });
}

export function checkTag(tag: TagShape, context: Context): void {
  const { type, table } = tag;
  if (isBitTable(table)) {
    if (type !== undefined && type !== 'bool')
      problem(context, ['type'], `must be bool or left out: one entry of the ${table} table is one bit`);
  } else if (type === undefined) {
    problem(context, ['type'], `is missing: say how the registers are coded, for example int16 or float32`);
    return;
  } else if (type === 'bool') {
    problem(
      context,
      ['type'],
      'must be bit (with bit: 0 to 15) for registers; bool is for coils and discrete inputs',
    );
  }
  checkCoding(tag, context);
  checkUse(tag, context);
  const width = widthOf(type ?? 'bool', tag.length, tag.perRegister);
  if (tag.address + width > addressSpace) {
    const message = `${width} register${width === 1 ? '' : 's'} from ${tag.address} reach beyond address 65535`;
    problem(context, ['address'], message);
  }
}

/** Where several units answer on one connection, the unit number identifies the answer. */
export function checkHeader(
  { unitId, connection }: { readonly unitId: string; readonly connection: string },
  context: Context,
): void {
  if (unitId === 'ignore' && connection === 'shared')
    problem(
      context,
      ['unitId'],
      'must be check where the connection is shared: only the unit says which of them answered; use connection: own',
    );
}

function checkCoding(tag: TagShape, context: Context): void {
  const { type } = tag;
  if (type === 'bit' && tag.bit === undefined)
    problem(context, ['bit'], 'is missing: which bit of the register, 0 (least significant) to 15');
  if (type !== 'bit' && tag.bit !== undefined)
    problem(context, ['bit'], 'is only for type: bit; remove it or change the type');
  if (type === 'string' && tag.length === undefined)
    problem(context, ['length'], 'is missing: how many characters, two a register');
  if (type !== 'string' && tag.length !== undefined)
    problem(context, ['length'], 'is only for type: string; remove it or change the type');
  if (type !== 'string' && tag.encoding !== undefined)
    problem(context, ['encoding'], 'is only for type: string; remove it');
  if (type !== 'string' && tag.perRegister !== undefined)
    problem(context, ['perRegister'], 'is only for type: string; remove it');
  const invalid = tag.invalid === undefined ? undefined : invalidProblem(type ?? 'bool', tag.invalid);
  if (invalid !== undefined) problem(context, ['invalid'], invalid);
  const isNumber = type !== undefined && isNumberType(type);
  for (const key of ['scale', 'offset'] as const) {
    if (tag[key] !== undefined && !isNumber) problem(context, [key], 'is only for numbers; remove it');
  }
  if (tag.scaleFrom !== undefined) checkScaleFrom(tag, isNumber, context);
}

function checkScaleFrom(tag: TagShape, isNumber: boolean, context: Context): void {
  const path = ['scaleFrom'];
  if (!isNumber) problem(context, path, 'is only for numbers; remove it');
  if (tag.names) problem(context, path, 'must be left out where the value has names');
  if (tag.writable) problem(context, path, 'must be left out of what is written: use scale');
  const end = tag.address + (isNumber ? widthOf(tag.type ?? 'bool') : 1);
  if (tag.scaleFrom! >= tag.address && tag.scaleFrom! < end)
    problem(context, path, 'must be another register than the value itself');
}

/** Checks settings of what is done with a value, not of where it lies. */
function checkUse(tag: TagShape, context: Context): void {
  const type = tag.type ?? 'bool';
  if (tag.names && !isCountable(type))
    problem(context, ['names'], 'is only for whole numbers and bits; remove it');
  if (tag.heartbeatMs !== undefined && tag.deadband === undefined)
    problem(
      context,
      ['heartbeatMs'],
      'is only for tags with a deadband (0 to report changes only); add one or remove it',
    );
  checkLimits(tag, tag.writable !== false, [], context);
  if (!tag.writable) {
    if (tag.readBack) problem(context, ['readBack'], 'is for tags that may be written; remove it');
    return;
  }
  if (tag.table === 'input' || tag.table === 'discrete')
    problem(context, ['writable'], `must be left out: the ${tag.table} table can only be read`);
  if (tag.type === 'bit')
    problem(
      context,
      ['writable'],
      'must be left out: writing a bit would rewrite the whole register; make the register a tag',
    );
  const { perRegister = 2 } = tag;
  if (widthOf(type, tag.length, perRegister) > maxWriteRegisters) {
    const most = perRegister * maxWriteRegisters;
    problem(context, ['length'], `must be at most ${most} characters to be writable`);
  }
}

/** Registers that one request of function 16 may write. */
const maxWriteRegisters = 123;

export function checkHistory(history: HistoryShape, context: Context): void {
  const { recordRegisters, capacity } = history;
  if (history.kind === 'ring') {
    const most = Math.floor((addressSpace - history.base) / recordRegisters);
    if (capacity > most) {
      const message = `${capacity} records of ${recordRegisters} registers from ${history.base} reach beyond address 65535: at most ${most} fit`;
      problem(context, ['capacity'], message);
    }
    return;
  }
  const perFile = Math.floor(history.registersPerFile / recordRegisters);
  if (perFile === 0) {
    problem(
      context,
      ['recordRegisters'],
      `must be at most registersPerFile (${history.registersPerFile}): a record lies in one file`,
    );
  } else if (history.firstFile + Math.ceil(capacity / perFile) - 1 > 0xffff) {
    problem(context, ['capacity'], `${capacity} records need more files than there are numbers for (65535)`);
  }
}

export function checkSource(source: SourceShape, context: Context): void {
  checkNames(source.tags, ['tags'], context);
  checkWidths(source, context);
  checkOverlaps(source.tags, context);
  checkStamped(source, context);
  for (const key of ['timestamp', 'number'] as const) {
    const place = source.stamp?.[key];
    if (place && place.address + widthOf(place.type) > addressSpace)
      problem(context, ['stamp', key, 'address'], 'reaches beyond address 65535');
  }
  checkStamp(source, context);
  checkIndex(source, context);
  if (!source.history) return;
  for (const key of ['newest', 'oldest'] as const) {
    const place = source.history[key];
    if (place && place.address + widthOf(place.type) > addressSpace)
      problem(context, ['history', key, 'address'], 'reaches beyond address 65535');
  }
  if (source.history.tags) checkNames(source.history.tags, ['history', 'tags'], context);
  const resolved = resolveLayout(source);
  if (!resolved.ok) for (const { path, message } of resolved.problems) problem(context, [...path], message);
}

/** A value is read in one request: its registers are then surely of one moment. */
function checkWidths({ tags, maxRegisters, history }: SourceShape, context: Context): void {
  for (const [at, { type = 'bool', length, perRegister, address, scaleFrom }] of tags.entries()) {
    const width = widthOf(type, length, perRegister);
    if (scaleFrom !== undefined) {
      const path = ['tags', at, 'scaleFrom'];
      if (history)
        problem(context, path, 'must be left out where there is a history: its records hold no scale');
      const span = Math.max(address + width, scaleFrom + 1) - Math.min(address, scaleFrom);
      const message = `must lie within ${maxRegisters} registers of the value: both are read in one request`;
      if (span > maxRegisters) problem(context, path, message);
    }
    if (width <= maxRegisters) continue;
    const message = `takes ${width} registers where one request reads ${maxRegisters}: make it shorter`;
    problem(context, ['tags', at, type === 'string' ? 'length' : 'type'], message);
  }
}

/** A stamped sample is read and reported as a whole, so that its history equals what was reported live. */
function checkStamped({ stamp, tags }: SourceShape, context: Context): void {
  if (!stamp) return;
  for (const [at, tag] of tags.entries()) {
    for (const key of ['pollMs', 'deadband'] as const) {
      if (tag[key] !== undefined)
        problem(
          context,
          ['tags', at, key],
          'must be left out where the equipment stamps its samples: each is reported whole',
        );
    }
  }
}

/** What orders the stream must be in each sample. */
function checkIndex({ index, stamp, tags }: SourceShape, context: Context): void {
  if (index === 'time') {
    if (stamp && !stamp.timestamp)
      problem(context, ['stamp', 'timestamp'], 'is missing: say where the sample keeps its time');
    if (stamp?.timeTag !== undefined)
      problem(context, ['stamp', 'timeTag'], 'is only for index: sequence; remove it');
    return;
  }
  if (!stamp?.number) {
    problem(context, ['stamp', 'number'], 'is missing: index: sequence needs the number of each sample');
  } else if (stamp.number.type === 'int32') {
    problem(context, ['stamp', 'number', 'type'], 'must be uint16, uint32 or uint64 to be the index');
  }
  const timeTag = timeTagOf(stamp);
  if (timeTag !== undefined && tags.some(({ name }) => name === timeTag))
    problem(context, ['stamp', 'timeTag'], `must be given: '${timeTag}' is the name of another tag`);
}

/** Timestamp and record number are read in one request: only then do they surely belong together. */
function checkStamp({ stamp, maxRegisters }: SourceShape, context: Context): void {
  const { timestamp, number } = stamp ?? {};
  if (!timestamp || !number) return;
  if (number.table !== timestamp.table) {
    problem(
      context,
      ['stamp', 'number', 'table'],
      `must be ${timestamp.table}, the table of the timestamp: both are read in one request`,
    );
    return;
  }
  const first = Math.min(timestamp.address, number.address);
  const end = Math.max(timestamp.address + widthOf(timestamp.type), number.address + widthOf(number.type));
  if (end - first > maxRegisters)
    problem(
      context,
      ['stamp', 'number', 'address'],
      `must lie within ${maxRegisters} registers of the timestamp: both are read in one request`,
    );
}

/**
 * One register may be read in several ways (a status word and its bits), but two wide numbers that share
 * only a part of their registers are a slip of an address.
 */
function checkOverlaps(tags: readonly TagShape[], context: Context): void {
  const wide = tags
    .map((tag, at) => ({ tag, at, end: tag.address + widthOf(tag.type ?? 'bool') }))
    .filter(({ tag }) => tag.type !== undefined && isNumberType(tag.type) && widthOf(tag.type) > 1)
    .sort((a, b) => a.tag.address - b.tag.address);
  const last = new Map<string, (typeof wide)[number]>();
  for (const entry of wide) {
    const before = last.get(entry.tag.table);
    if (before && entry.tag.address > before.tag.address && entry.tag.address < before.end) {
      const message = `'${entry.tag.name}' starts at ${entry.tag.address}, inside '${before.tag.name}' (${before.tag.address} to ${before.end - 1}): correct one of the two addresses`;
      problem(context, ['tags', entry.at, 'address'], message);
    }
    if (!before || entry.end > before.end) last.set(entry.tag.table, entry);
  }
}
