// The output of `holdfast browse`: YAML that can be pasted into a site's file, or a line of JSON for each variable.
import type { Value } from '../../wire/reading.ts';
import type { BrowsedTag, BrowseListing } from '../sources/opcua/browse.ts';
import { printable } from './spool-text.ts';

const maxShown = 40;

export function* describeBrowsed(
  endpoint: string,
  node: string | undefined,
  { tags, isCut }: BrowseListing,
): Generator<string> {
  const where = node === undefined ? '' : `, below ${printable(node)}`;
  const more = isCut ? '; there is more: name a node further down, or raise --max and --depth' : '';
  yield `# ${printable(endpoint)}${where}: ${tags.length} ${tags.length === 1 ? 'variable' : 'variables'}${more}`;
  if (tags.length === 0) {
    yield 'tags: []';
    return;
  }
  yield 'tags:';
  const taken = new Map<string, number>();
  for (const tag of tags) yield tagLine(tag, unique(tag.name, taken));
}

export function* browsedJson({ tags }: BrowseListing): Generator<string> {
  for (const tag of tags) yield JSON.stringify(tag);
}

/** In YAML's flow form, strings as JSON has them, which YAML reads the same. */
function tagLine({ node, type, value, quality, writable, hasHistory }: BrowsedTag, name: string): string {
  const fields = [`name: ${quoted(name)}`, `node: ${quoted(node)}`];
  if (writable) fields.push('writable: true');
  const notes = [type, quality === 'good' ? shown(value) : quality];
  if (hasHistory) notes.push('has history');
  return `  - {${fields.join(', ')}}  # ${notes.map(printable).join(', ')}`;
}

function quoted(text: string): string {
  return /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}

function shown(value: Value): string {
  const text = JSON.stringify(value);
  return text.length > maxShown ? `${text.slice(0, maxShown - 3)}...` : text;
}

/** Two of one name, in different places, are two tags. */
function unique(name: string, taken: Map<string, number>): string {
  const count = (taken.get(name) ?? 0) + 1;
  taken.set(name, count);
  return count === 1 ? name : `${name.slice(0, 120)}-${count}`;
}
