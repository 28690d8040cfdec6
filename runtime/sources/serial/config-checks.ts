// Checks that span several settings: each names the setting to change and what would be right.
import type { z } from 'zod';
import { placeholdersOf, templateProblem } from './command-template.ts';
import type { FramingShape, HistoryShape, SourceShape, TagShape } from './config-shapes.ts';
import { compilePattern } from './patterns.ts';
import { compileTimeFormat } from './time-format.ts';

type Context = z.RefinementCtx;
type Path = (string | number)[];

function problem(context: Context, path: Path, message: string): void {
  context.addIssue({ code: 'custom', path, message });
}

export function checkSource(source: SourceShape, context: Context): void {
  checkWhere(source, context);
  checkTalk(source, context);
  checkFraming(source.framing, ['framing'], context);
  checkSum(source, context);
  const groups = checkFields(source.fields, ['fields'], context);
  checkNames(source.tags, ['tags'], context);
  for (const [at, tag] of source.tags.entries()) checkTag(source, tag, groups, ['tags', at], context);
  checkStamp(source, groups, context);
  if (source.history) checkHistory(source, source.history, context);
}

const serialOnly = ['baudRate', 'dataBits', 'parity', 'stopBits', 'flowControl'] as const;

function checkWhere(source: SourceShape, context: Context): void {
  if (source.path === undefined && source.host === undefined) {
    problem(
      context,
      ['path'],
      'is missing: the serial port, best by a name that stays (/dev/serial/by-id/...), or host and port of a serial server',
    );
  } else if (source.path !== undefined && source.host !== undefined) {
    problem(
      context,
      ['host'],
      'is for a serial server, and path for a serial port of this machine: give one of them',
    );
  }
  if (source.host !== undefined && source.port === undefined)
    problem(context, ['port'], 'is missing: the TCP port of the serial server');
  if (source.host === undefined && source.port !== undefined)
    problem(context, ['port'], 'is only for a serial server: give its host, or remove port');
  if (source.host === undefined) return;
  for (const key of serialOnly)
    if (source[key] !== undefined)
      problem(context, [key], 'is only for a serial port of this machine: set it in the serial server');
}

function checkTalk({ poll, expectEveryMs }: SourceShape, context: Context): void {
  if (poll && expectEveryMs !== undefined)
    problem(context, ['expectEveryMs'], 'is for an instrument that talks by itself; remove it, or poll');
  if (!poll) return;
  const commands = typeof poll.command === 'string' ? [poll.command] : poll.command;
  for (const [at, command] of commands.entries()) {
    const path = typeof poll.command === 'string' ? ['poll', 'command'] : ['poll', 'command', at];
    if (placeholdersOf(command).length > 0)
      problem(
        context,
        path,
        'has a placeholder in braces: a poll has nothing to put there; write \\x7b for {',
      );
  }
}

function checkFraming(framing: FramingShape, path: Path, context: Context): void {
  if (framing.kind !== 'length-field') return;
  const { form, size } = framing;
  if ((form === 'big' || form === 'little') && size > 4)
    problem(context, [...path, 'size'], 'must be at most 4 bytes; more only as digits');
}

function checkSum({ checksum, framing }: SourceShape, context: Context): void {
  if (!checksum) return;
  if (checksum.kind === 'nmea') {
    for (const key of ['form', 'at', 'to'] as const)
      if (checksum[key] !== undefined)
        problem(context, ['checksum', key], 'must be left out: NMEA says where its check sum stands');
    if (framing.kind !== 'delimiter')
      problem(context, ['framing', 'kind'], 'must be delimiter for NMEA sentences');
  }
}

/** Names of the groups that some pattern has; undefined where there is none. */
function checkFields(
  { pattern, separator }: SourceShape['fields'],
  path: Path,
  context: Context,
): ReadonlySet<string> | undefined {
  if (pattern !== undefined && separator !== undefined)
    problem(
      context,
      [...path, 'separator'],
      'and pattern cannot be used together: read by columns, or by groups',
    );
  if (pattern === undefined) return undefined;
  const groups = new Set<string>();
  for (const each of typeof pattern === 'string' ? [pattern] : pattern) {
    const compiled = compilePattern(each);
    if (compiled.ok) for (const group of compiled.groups) groups.add(group);
  }
  return groups;
}

type Groups = ReadonlySet<string> | undefined;
type PlaceShape = Pick<
  TagShape,
  'group' | 'column' | 'from' | 'length' | 'at' | 'type' | 'order' | 'bit' | 'scale' | 'offset'
>;

function checkTag(source: SourceShape, tag: TagShape, groups: Groups, path: Path, context: Context): void {
  if (!isWriteOnly(tag, groups))
    checkPlace(tag, tag.name, source.fields.separator !== undefined, groups, path, context);
  const isStamped =
    source.stamp?.timestamp !== undefined || source.stamp?.index === 'number' || isNumbered(source);
  for (const key of ['deadband', 'heartbeatMs'] as const)
    if (tag[key] !== undefined && isStamped)
      problem(
        context,
        [...path, key],
        'must be left out where the instrument stamps or numbers its records: each is reported whole',
      );
  if (tag.heartbeatMs !== undefined && tag.deadband === undefined)
    problem(context, [...path, 'heartbeatMs'], 'is only for tags with a deadband; add one or remove it');
  if (tag.write) {
    const message = templateProblem(tag.write.command, ['value']);
    if (message) problem(context, [...path, 'write', 'command'], message);
  }
}

/** It can be written, and no message says where to read it. */
function isWriteOnly(tag: TagShape, groups: Groups): boolean {
  const { group, column, from, at } = tag;
  const hasPlace = [group, column, from, at].some((each) => each !== undefined);
  return tag.write !== undefined && !hasPlace && !groups?.has(tag.name);
}

export function isNumbered({ stamp }: Pick<SourceShape, 'stamp'>): boolean {
  return stamp?.number !== undefined && stamp.index !== 'time';
}

function checkPlace(
  place: PlaceShape,
  name: string,
  hasColumns: boolean,
  groups: Groups,
  path: Path,
  context: Context,
): void {
  const given = (['group', 'column', 'from', 'at'] as const).filter((key) => place[key] !== undefined);
  if (given.length > 1) {
    problem(context, [...path, given[1]!], `and ${given[0]} say both where it lies: give one of them`);
    return;
  }
  const [kind] = given;
  if (kind === undefined) {
    if (!groups)
      problem(
        context,
        path,
        'says not where it lies: give column (with fields.separator), from and length (characters), at (bytes), or a group of fields.pattern',
      );
    else if (!groups.has(name))
      problem(
        context,
        [...path, 'group'],
        `is missing: no pattern has a group '${name}'; there are ${[...groups].join(', ') || 'none'}`,
      );
  }
  if (kind === 'group' && !groups?.has(place.group!))
    problem(
      context,
      [...path, 'group'],
      `is in no pattern; there are ${[...(groups ?? [])].join(', ') || 'none'}`,
    );
  if (kind === 'column' && !hasColumns)
    problem(context, [...path, 'column'], 'needs fields.separator: what divides the columns');
  if (kind === 'from' && place.length === undefined)
    problem(context, [...path, 'length'], 'is missing: how many characters');
  checkCoding(place, kind === 'at', path, context);
}

function checkCoding(place: PlaceShape, isBinary: boolean, path: Path, context: Context): void {
  const { type } = place;
  if (isBinary) {
    if (type === undefined || type === 'number' || type === 'hex' || type === 'bool')
      problem(context, [...path, 'type'], 'must be a type of bytes, for example uint16 or float32');
    if (type === 'bit' && place.bit === undefined)
      problem(context, [...path, 'bit'], 'is missing: which bit of the byte, 0 (least significant) to 7');
    if (type === 'string' && place.length === undefined)
      problem(context, [...path, 'length'], 'is missing: how many bytes');
  } else if (type !== undefined && !['number', 'hex', 'bool', 'string'].includes(type)) {
    problem(
      context,
      [...path, 'type'],
      'must be number, hex, bool or string for text; types of bytes need at',
    );
  } else if (place.order !== undefined) {
    problem(context, [...path, 'order'], 'is only for bytes (at); remove it');
  }
  if (type !== 'bit' && place.bit !== undefined)
    problem(context, [...path, 'bit'], 'is only for type: bit; remove it or change the type');
  if (place.scale === 0) problem(context, [...path, 'scale'], 'must not be 0: every value would be the same');
  const isNumber = type !== 'bit' && type !== 'bool' && type !== 'string';
  for (const key of ['scale', 'offset'] as const)
    if (place[key] !== undefined && !isNumber)
      problem(context, [...path, key], 'is only for numbers; remove it');
}

function checkNames(tags: readonly { name: string }[], path: Path, context: Context): void {
  const seen = new Map<string, number>();
  for (const [at, { name }] of tags.entries()) {
    const first = seen.get(name);
    if (first === undefined) seen.set(name, at);
    else
      problem(context, [...path, at, 'name'], `'${name}' is taken by tags[${first}]: each tag needs its own`);
  }
}

function checkStamp(source: SourceShape, groups: Groups, context: Context): void {
  if (source.stamp) checkStampPlaces(source.stamp, source.fields, groups, ['stamp'], context);
  if (source.stamp?.index === 'number' && !source.stamp.number)
    problem(context, ['stamp', 'number'], 'is missing: where the record number lies');
}

function checkStampPlaces(
  stamp: Pick<NonNullable<SourceShape['stamp']>, 'number' | 'timestamp'>,
  fields: SourceShape['fields'],
  groups: Groups,
  path: Path,
  context: Context,
): void {
  const { number, timestamp } = stamp;
  const hasColumns = fields.separator !== undefined;
  if (number) {
    checkPlace(number, 'number', hasColumns, groups, [...path, 'number'], context);
    if (number.last <= number.first)
      problem(
        context,
        [...path, 'number', 'last'],
        'must be above first: the counter goes from first to last',
      );
    else if ((number.maxJump ?? 0) > (number.last - number.first) / 2)
      problem(
        context,
        [...path, 'number', 'maxJump'],
        'must be at most half of what the counter counts: a step back could not be told from a jump',
      );
  }
  if (!timestamp) return;
  if (timestamp.columns === undefined)
    checkPlace(timestamp, 'timestamp', hasColumns, groups, [...path, 'timestamp'], context);
  else if (!hasColumns)
    problem(context, [...path, 'timestamp', 'columns'], 'needs fields.separator: what divides the columns');
  if (timestamp.at !== undefined && timestamp.unit === undefined)
    problem(context, [...path, 'timestamp', 'unit'], 'is missing: what the number counts, s, ms, us or ns');
  const format = compileTimeFormat(timestamp.format, 0);
  if (!format.ok) problem(context, [...path, 'timestamp', 'format'], format.problem);
}

function checkHistory(source: SourceShape, history: HistoryShape, context: Context): void {
  const path: Path = ['history'];
  const { stamp } = source;
  if (!stamp?.number && !stamp?.timestamp) {
    problem(
      context,
      path,
      'needs stamp: records of the past have their place by a number or a time of the instrument',
    );
    return;
  }
  if (!isNumbered(source) && !stamp.timestamp)
    problem(context, ['stamp', 'timestamp'], 'is missing: history has its place in the stream by it');
  const message = templateProblem(history.command, ['from', 'to', 'end', 'count']);
  if (message) problem(context, [...path, 'command'], message);
  if (history.framing) checkFraming(history.framing, [...path, 'framing'], context);
  if (history.end === undefined && history.endSilenceMs === undefined)
    problem(
      context,
      [...path, 'end'],
      'is missing: what the message begins with that ends a dump; or endSilenceMs, where there is none',
    );
  if (history.after !== undefined && history.before === undefined)
    problem(context, [...path, 'before'], 'is missing: what stops the instrument; or remove after');
  checkHistoryLayout(source, history, path, context);
}

function checkHistoryLayout(source: SourceShape, history: HistoryShape, path: Path, context: Context): void {
  const fields = history.fields ?? source.fields;
  const groups = history.fields ? checkFields(history.fields, [...path, 'fields'], context) : undefined;
  const known = new Set(source.tags.map(({ name }) => name));
  const own = history.fields ? groups : groupsOf(source);
  for (const [at, tag] of (history.tags ?? []).entries()) {
    if (!known.has(tag.name))
      problem(
        context,
        [...path, 'tags', at, 'name'],
        'is no tag of this source: history fills the same tags',
      );
    checkPlace(tag, tag.name, fields.separator !== undefined, own, [...path, 'tags', at], context);
  }
  if (history.stamp) checkStampPlaces(history.stamp, fields, own, [...path, 'stamp'], context);
  if (isNumbered(source) && history.stamp && !history.stamp.number)
    problem(context, [...path, 'stamp', 'number'], 'is missing: record numbers order this stream');
  if (history.fields && !history.tags && !history.stamp && !own)
    problem(context, [...path, 'tags'], 'is missing: where the tags lie in a record of a dump');
}

function groupsOf({ fields: { pattern } }: SourceShape): Groups {
  if (pattern === undefined) return undefined;
  const all = (typeof pattern === 'string' ? [pattern] : pattern).map(compilePattern);
  return new Set(all.flatMap((each) => (each.ok ? each.groups : [])));
}
