// Checks the settings of where values lie: each names the setting to change and what would be right.
import type { z } from 'zod';
import type { SourceShape, TagShape } from './config-shapes.ts';
import { compilePattern } from './patterns.ts';
import { compileTimeFormat } from './time-format.ts';

export type Context = z.RefinementCtx;
export type Path = (string | number)[];

export function problem(context: Context, path: Path, message: string): void {
  context.addIssue({ code: 'custom', path, message });
}

/** Names of the groups that some pattern has; undefined where there is none. */
export function checkFields(
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

export type Groups = ReadonlySet<string> | undefined;
type PlaceShape = Pick<
  TagShape,
  'group' | 'column' | 'from' | 'length' | 'at' | 'type' | 'order' | 'bit' | 'scale' | 'offset'
>;

export function checkPlace(
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

export function checkStampPlaces(
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

export function groupsOf({ fields: { pattern } }: SourceShape): Groups {
  if (pattern === undefined) return undefined;
  const all = (typeof pattern === 'string' ? [pattern] : pattern).map(compilePattern);
  return new Set(all.flatMap((each) => (each.ok ? each.groups : [])));
}
