// What `holdfast explain` says of one setting, and docs/SETTINGS.md of all: both made from the schema that configurations
// are checked against, so that neither can say anything else.
import { configJsonSchema } from './json-schema.ts';
import { nearest } from './nearest.ts';
import { allSettings, alternatives, type SchemaNode, settingsByType } from './schema-tree.ts';
import { wordsOf } from './setting-words.ts';

interface Described {
  readonly path: string;
  readonly nodes: readonly SchemaNode[];
  /** Types of source that have it, and what it is there; none for settings that are not of a source. */
  readonly types: ReadonlyMap<string, readonly SchemaNode[]>;
}

/** The text for people; undefined and a name that may be meant where there is no such setting. */
export function explain(wanted: string): { readonly text: string } | { readonly meant: string | undefined } {
  const all = describedSettings();
  const name = plain(wanted);
  const found = all.filter(({ path }) => plain(path) === name || path.split('.').at(-1) === wanted);
  if (found.length > 0) return { text: found.map(explained).join('\n\n') };
  const paths = all.map(({ path }) => path);
  const last = nearest(wanted.split('.').at(-1)!, new Set(paths.map((path) => path.split('.').at(-1)!)));
  const inMs = paths.find((path) => path.toLowerCase() === `${wanted}ms`.toLowerCase());
  return {
    meant: inMs ?? nearest(wanted, paths) ?? (last && paths.find((path) => path.split('.').at(-1) === last)),
  };
}

/** docs/SETTINGS.md, whole. */
export function settingsPage(): string {
  const all = describedSettings();
  const groups = Map.groupBy(all, ({ path }) => groupOf(path));
  const sections = [...groups].map(([group, settings]) => {
    const isSources = group === 'sources';
    const head = isSources
      ? ['| setting | of | default | possible | example | what it is |', '|---|---|---|---|---|---|']
      : ['| setting | default | possible | example | what it is |', '|---|---|---|---|---|'];
    return [`## ${titleOf(group)}`, '', ...head, ...settings.map((each) => rowOf(each, isSources))].join(
      '\n',
    );
  });
  return `${[intro, ...sections].join('\n\n')}\n`;
}

const intro = `# Settings

Every setting of the configuration. This page is made from the schema that configurations are checked against:
\`holdfast explain\` prints it, and \`./holdfast explain windows.ageMs\` what it says of one setting. Editors show the same
with docs/config.schema.json.

Settings whose names end with \`Ms\` are milliseconds, or a duration: \`250ms\`, \`1s\`, \`5min\`, \`2h\`, \`7d\`. In the gateway's own
file, \`\${NAME}\` and \`\${NAME:-default}\` stand for variables of the environment, with names in capitals; a secret is
refused there. A list is written \`[]\` behind its setting, a name of your own in a map \`*\`.`;

function describedSettings(): readonly Described[] {
  const schema = configJsonSchema() as SchemaNode;
  const byType = settingsByType(schema);
  const all = [...allSettings(schema)].map(([path, nodes]) => ({
    path,
    nodes,
    types: byType.get(path) ?? new Map<string, readonly SchemaNode[]>(),
  }));
  return all.toSorted((a, b) => orderOf(groupOf(a.path)) - orderOf(groupOf(b.path)));
}

const groupOrder = ['', 'windows', 'spool', 'uplink', 'clock', 'restarts', 'rules', 'sources'];
const orderOf = (group: string) => groupOrder.indexOf(group) + 1 || groupOrder.length;

function groupOf(path: string): string {
  const first = path.split(/[.[]/)[0]!;
  return first === path && !groupOrder.includes(first) ? '' : first;
}

function titleOf(group: string): string {
  return group === '' ? 'The module' : `\`${group}\``;
}

function rowOf(setting: Described, isSources: boolean): string {
  const { path, nodes, types } = setting;
  const words = wordsOf(path);
  const of = types.size === allTypes() || types.size === 0 ? 'all' : [...types.keys()].join(', ');
  const what = `${words?.what ?? ''}${words?.unit === undefined ? '' : ` (${words.unit})`}`;
  const cells = [
    `\`${path}\``,
    ...(isSources ? [of] : []),
    defaultOf(setting),
    possible(nodes),
    code(words?.example),
    what,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function allTypes(): number {
  const schema = configJsonSchema() as SchemaNode;
  return alternatives(schema.properties?.sources?.items ?? {}).length;
}

function explained(setting: Described): string {
  const { path, nodes, types } = setting;
  const standard = defaultOf(setting);
  const words = wordsOf(path);
  const name = path.split('.').at(-1)!.replace(/\[\]$/, '');
  const facts = [
    types.size > 0 ? `of: ${[...types.keys()].join(', ')}` : undefined,
    standard && `default: ${standard.replaceAll('`', '')}`,
    possible(nodes) && `possible: ${possible(nodes)}`,
    words && `example: ${name}: ${words.example}`,
  ].filter((fact) => fact);
  const unit = words?.unit === undefined ? '' : ` (${words.unit})`;
  return [`${path}${unit}`, `  ${words?.what ?? ''}`, ...facts.map((fact) => `  ${fact}`)].join('\n');
}

/** Where types of source differ in it, each default with those that have it. */
function defaultOf({ nodes, types }: Described): string {
  const all = defaultsIn(nodes);
  const byType = [...types].map(([type, own]) => ({ type, text: defaultsIn(own) }));
  if (byType.every(({ text }) => text === all)) return all;
  const groups = Map.groupBy(
    byType.filter(({ text }) => text !== ''),
    ({ text }) => text,
  );
  return [...groups].map(([text, of]) => `${text} (${of.map(({ type }) => type).join(', ')})`).join('; ');
}

function defaultsIn(nodes: readonly SchemaNode[]): string {
  const found = nodes.flatMap(({ default: value }) => (value === undefined ? [] : [JSON.stringify(value)]));
  return [...new Set(found)].map((value) => code(value)).join(' or ');
}

function code(text: string | undefined): string {
  return text === undefined ? '' : `\`${text}\``;
}

/** Bounds and choices, where there are any. */
function possible(nodes: readonly SchemaNode[]): string {
  const texts = nodes.flatMap(alternatives).flatMap(({ const: only, enum: choices, minimum, maximum }) => {
    if (only !== undefined) return [String(only)];
    if (choices !== undefined) return [choices.map(String).join(', ')];
    return minimum === undefined && maximum === undefined ? [] : [rangeText(minimum, maximum)];
  });
  return [...new Set(texts.filter((text) => text !== ''))].join(', or ');
}

/** A range that every number fits into is not printed. */
function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  const isBound = (value: number | undefined) =>
    value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  if (isBound(minimum) && isBound(maximum)) return `${minimum} to ${maximum}`;
  if (isBound(minimum)) return `${minimum} or more`;
  return isBound(maximum) ? `${maximum} or less` : '';
}

/** `sources[0].tags.address` and `sources[].tags[].address` are the same question. */
function plain(path: string): string {
  return path.replace(/\[\d*\]/g, '');
}
