// Turns validation issues into words: where (line, column, source, setting), what is wrong, and what would be right.
import type { z } from 'zod';
import { maskedValue } from '../../kernel/url-secrets.ts';
import { configJsonSchema } from './json-schema.ts';
import { nearest } from './nearest.ts';
import type { PlaceOf, Problem } from './problem-text.ts';
import { allSettings, namesAt, type SchemaNode, settingsByType } from './schema-tree.ts';

/** A problem whose path is not yet text. */
export interface RawProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The value that was found, as a person would write it; only for people who may see the file. */
  readonly here?: string;
  /** The last part of `path`, where no setting has that name. */
  readonly unknownKey?: string;
  /** The name of a setting that was meant by `unknownKey`. */
  readonly meant?: string;
  readonly isMissing?: boolean;
  /** The message is made of words of the schema alone. */
  readonly isOfSchema?: boolean;
}

/** So that zod's own words can be told from ours. */
const noWords = '\u0000';

/** Given to a schema: zod finds what is wrong, `problemsOf` puts it in words. */
export const parseParams = { reportInput: true, error: () => noWords } as const;

/** Every problem that zod found, each with its path and a hint; what merely follows from another is left out. */
export function problemsOf(error: z.ZodError, input: unknown): readonly RawProblem[] {
  const all = error.issues.flatMap((issue) => flatten(issue, input));
  const meant = new Set(
    all.flatMap(({ path, meant: name }) =>
      name === undefined ? [] : [formatPath([...path.slice(0, -1), name])],
    ),
  );
  const seen = new Set<string>();
  return all.filter(({ path, isMissing }) => {
    const at = formatPath(path);
    // What is said first of a setting is the cause of the rest; one that was misspelt is not missing as well.
    const follows = seen.has(at) || (isMissing === true && meant.has(at));
    seen.add(at);
    return !follows;
  });
}

export function toProblem({ path, message, here }: RawProblem, placeOf?: PlaceOf, value?: unknown): Problem {
  const place = placeOf?.(path);
  const of = ownerOf(path, value);
  return {
    path: formatPath(path),
    message: here === undefined ? message : `${message} (here: ${here})`,
    ...(place && { place }),
    ...(of !== undefined && { of }),
  };
}

export const secretKey = /passw|secret|token|credential|sharedaccess|connectionstring|privatekey/i;
/** Settings that name where a secret is. */
const namesSecret = /File$|Environment$/;

function flatten(issue: z.core.$ZodIssue, input: unknown): readonly RawProblem[] {
  const path = issue.path as readonly PropertyKey[];
  if (issue.code === 'unrecognized_keys') {
    // One problem a key, at the key's own path: that is where the person has to look.
    return issue.keys.map((key) => unknownSetting([...path, key], key, input));
  }
  const given = valueIn(input, path);
  const branch = issue.code === 'invalid_union' ? branchMeant(issue, given) : undefined;
  if (branch !== undefined)
    return branch.flatMap((inner) =>
      flatten({ ...inner, path: [...path, ...inner.path] } as typeof issue, input),
    );
  const words = issue.message === noWords ? wordsFor(issue, path) : issue.message;
  if (given === undefined && path.length > 0) {
    const message = words.startsWith('is missing') ? words : `is missing: it ${words}`;
    return [{ path, message, isMissing: true, ...(issue.message === noWords && { isOfSchema: true }) }];
  }
  const hasComma = typeof given === 'string' && /^[+-]?\d+,\d+$/.test(given);
  const isBare = words === 'must be text' && ['number', 'boolean'].includes(typeof given);
  const own = isBare
    ? `${words}: put it in quotes, since it looks like something else`
    : hasComma && /number/.test(words)
      ? `${words}; write its decimals behind a point`
      : words;
  const text = issue.code === 'custom' ? undefined : shown(given);
  const isSecret = secretKey.test(String(path.at(-1))) && !namesSecret.test(String(path.at(-1)));
  const meant = typeof given === 'string' ? nearest(given, choicesOf(issue, own)) : undefined;
  return [
    {
      path,
      message: `${own}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      ...(text !== undefined && !isSecret && { here: text }),
      ...(issue.message === noWords && { isOfSchema: true }),
    },
  ];
}

type Branch = readonly z.core.$ZodIssue[];

/** What is wrong with a value of the one form that it was meant to have; undefined where it is not known which that is. */
function branchMeant(issue: z.core.$ZodIssueInvalidUnion, given: unknown): Branch | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const ofForm = (issue.errors as readonly Branch[]).filter((branch) =>
    branch.every(
      ({ path, code }) =>
        path.length > 0 || !['invalid_type', 'invalid_value', 'invalid_union'].includes(code),
    ),
  );
  if (ofForm.length < 2) return ofForm[0];
  const unknownIn = (branch: Branch) =>
    branch.flatMap((inner) =>
      inner.code === 'unrecognized_keys' && inner.path.length === 0 ? inner.keys : [],
    );
  const fitting = ofForm.filter((branch) => unknownIn(branch).length === 0);
  if (fitting.length > 0) return fitting.length === 1 ? fitting[0] : undefined;
  // Of one with a name misspelt, that which lacks a name so near to it.
  const near = ofForm.filter((branch) => {
    const lacking = branch.flatMap(({ path }) =>
      path.length === 1 && !(String(path[0]) in given) ? [String(path[0])] : [],
    );
    return unknownIn(branch).some((key) => nearest(key, lacking) !== undefined);
  });
  return near.length === 1 ? near[0] : undefined;
}

function unknownSetting(path: readonly PropertyKey[], key: string, input: unknown): RawProblem {
  if (secretKey.test(key)) {
    const message =
      'a secret does not belong here, where it would be shown and kept: put it into the environment or a file';
    return { path, unknownKey: key, message, isOfSchema: true };
  }
  const schema = configJsonSchema() as SchemaNode;
  const here = namesAt(schema, path.slice(0, -1), input);
  const meant = nearest(key, here);
  if (meant !== undefined)
    return {
      path,
      unknownKey: key,
      meant,
      message: `unknown setting; did you mean ${meant}?`,
      isOfSchema: true,
    };
  const byType = settingsByType(schema);
  const type = typeOfSource(path, input);
  const place = formatPath(path).replace(/\[\d+\]/g, '[]');
  const others = byType.get(place);
  if (type !== undefined && others !== undefined) {
    const message = others.has(type)
      ? `is for another kind; ${knownText(here)}`
      : `a source of type ${type} has no such setting here; these have it: ${[...others.keys()].join(', ')}`;
    return { path, unknownKey: key, message, isOfSchema: true };
  }
  const paths = [...allSettings(schema).keys()].filter(
    (each) => type === undefined || (byType.get(each)?.has(type) ?? true),
  );
  const elsewhere = paths.filter((each) => each.split('.').at(-1) === key);
  const hint =
    elsewhere.length > 0
      ? `there is no such setting here: it belongs into ${elsewhere.slice(0, 2).map(parentOf).join(' or ')}`
      : (slip(key, paths) ?? knownText(here));
  const message = hint.startsWith('there') ? hint : `unknown setting; ${hint}`;
  return { path, unknownKey: key, message, isOfSchema: true };
}

/** Of the source that `path` lies in; undefined where it lies in none, or that has none. */
function typeOfSource(path: readonly PropertyKey[], input: unknown): string | undefined {
  const type = path[0] === 'sources' ? valueIn(input, [...path.slice(0, 2), 'type']) : undefined;
  return typeof type === 'string' ? type : undefined;
}

function slip(key: string, paths: readonly string[]): string | undefined {
  const meant = nearest(key, new Set(paths.map((each) => each.split('.').at(-1)!)));
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

function parentOf(path: string): string {
  const at = path.lastIndexOf('.');
  return at < 0 ? 'the topmost level' : path.slice(0, at);
}

function knownText(known: readonly string[]): string {
  return known.length > 0 && known.length <= 16
    ? `known here: ${known.join(', ')}`
    : 'check its spelling and its place, or remove it';
}

/** The likely intended values: those of a choice, and those that the message names. */
function choicesOf(issue: z.core.$ZodIssue, message: string): readonly string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  const listed = /must be (?:one of )?([^:;]+)/.exec(message)?.[1]?.replace(/ \([^)]*\)/g, '');
  return issue.code === 'invalid_union' ? (listed?.split(/, | or /).map((each) => each.trim()) ?? []) : [];
}

function wordsFor(issue: z.core.$ZodIssue, path: readonly PropertyKey[]): string {
  switch (issue.code) {
    case 'invalid_type':
      return (
        typeWords[issue.expected === 'int' ? 'int' : issue.expected]?.(path) ?? `must be ${issue.expected}`
      );
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${String(issue.values[0])}`
        : `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must ${boundOf(issue.origin)} at least ${boundText(issue.minimum, issue.origin, path)}`;
    case 'too_big':
      return `must ${boundOf(issue.origin)} at most ${boundText(issue.maximum, issue.origin, path)}`;
    case 'invalid_union': {
      const branches = issue.errors.flatMap(([first]) =>
        first ? [wordsFor(first as z.core.$ZodIssue, path)] : [],
      );
      return [...new Set(branches)].join(', or ') || 'is of no form that is known here';
    }
    case 'invalid_key':
      return 'has a name that is not possible here';
    default:
      return 'is of a form that is not possible here';
  }
}

const ofMs = (path: readonly PropertyKey[]) => /Ms$/.test(String(path.at(-1)));
const typeWords: Readonly<Record<string, (path: readonly PropertyKey[]) => string>> = {
  int: (path) =>
    `must be a whole number${ofMs(path) ? ' of milliseconds, or a duration such as 1s, 5min or 7d' : ''}`,
  number: (path) =>
    `must be a number${ofMs(path) ? ' of milliseconds, or a duration such as 1s, 5min or 7d' : ''}`,
  boolean: () => 'must be true or false',
  string: () => 'must be text',
  array: () => 'must be a list: [..], or lines that begin with a dash',
  object: () => 'must hold settings, as name: value',
  record: () => 'must hold pairs, as name: value',
};

function boundOf(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'have' : 'be';
}

function boundText(bound: number | bigint, origin: string, path: readonly PropertyKey[]): string {
  if (origin === 'string') return `${bound} characters`;
  if (origin === 'array') return `${bound} items`;
  return ofMs(path) ? `${bound} ms${inLargerUnit(Number(bound))}` : String(bound);
}

function inLargerUnit(ms: number): string {
  const [unit, size] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ].find(([, each]) => ms >= Number(each) && ms % Number(each) === 0) ?? ['', 0];
  return unit === '' ? '' : ` (${ms / Number(size)}${unit})`;
}

const maxShown = 60;

/** The value that was found, where it is short: without secrets, before it is cut, since half of a password is one, too. */
function shown(input: unknown): string | undefined {
  if (Array.isArray(input)) return 'a list';
  if (input === null) return 'nothing';
  if (typeof input === 'object') return 'settings';
  const text = typeof input === 'string' ? `'${maskedValue(input)}'` : String(input);
  return text.length <= maxShown ? text : `${text.slice(0, maxShown)}…`;
}

/** `press`, `press, tag level`, `rule hot` */
function ownerOf(path: readonly PropertyKey[], value: unknown): string | undefined {
  const [first, source, field, tag] = path;
  if (first === 'rules' && typeof source === 'number') {
    const rule = nameOf(valueIn(value, ['rules', source]));
    return rule === undefined ? undefined : `rule ${rule}`;
  }
  if (first !== 'sources' || typeof source !== 'number') return undefined;
  const at = valueIn(value, ['sources', source]);
  const name = nameOf(at);
  const tagName =
    field === 'tags' && typeof tag === 'number' ? nameOf(valueIn(at, ['tags', tag])) : undefined;
  return [name, tagName && `tag ${tagName}`].filter((each) => each !== undefined).join(', ') || undefined;
}

function nameOf(value: unknown): string | undefined {
  const name = valueIn(value, ['name']);
  return typeof name === 'string' && name !== '' ? name.slice(0, 128) : undefined;
}

export function valueIn(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[part] : undefined,
    value,
  );
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
