import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from '../../test/support/source-tree.ts';
import { loadConfig, parseConfig, parseYaml } from './load.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What examples of rules read and write. */
const press = {
  ...{ name: 'press', type: 'modbus-tcp', host: '10.0.0.5' },
  tags: [
    { name: 'temperature', address: 6, type: 'float32' },
    { name: 'setpoint', address: 10, type: 'int16', writable: true },
  ],
};

/** The blocks of YAML in a document, without the indent of a list that they stand in. */
function blocksOf(document: string): readonly { readonly line: number; readonly text: string }[] {
  const all = read(document);
  return [...all.matchAll(/^( *)```yaml\n([\s\S]*?)```/gm)].map(({ index, 1: indent, 2: text }) => ({
    line: all.slice(0, index).split('\n').length,
    text: text!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** A whole configuration: an example may show a part of one. */
function wholeOf(text: string, line: string): unknown {
  const { value } = parseYaml(text, line, false) as { value: Record<string, unknown> };
  if (Array.isArray(value))
    return 'type' in value[0] ? { sources: value } : { sources: [press], rules: value };
  if (!('title' in value)) return { sources: [press], ...value };
  writeFileSync(join(folder, 'acme.yaml'), text);
  return { sources: [{ name: 'meter', type: 'modbus-tcp', host: '10.0.0.5', profile: 'acme.yaml' }] };
}

describe('published examples', () => {
  it.each(readdirSync(join(root, 'docs/examples')).filter((name) => name.endsWith('.yaml')))(
    'docs/examples/%s is valid',
    (name) => {
      expect(parseConfig(read(`docs/examples/${name}`), name).sources.length).toBeGreaterThan(0);
    },
  );

  it('each YAML of a document is a configuration, or a part of one, that is valid', async () => {
    const documents = globSync(['*.md', 'docs/*.md'], { cwd: root });
    const blocks = documents.flatMap((path) => blocksOf(path).map((block) => ({ path, ...block })));
    // That adapter is the page's own: documented-adapter.test.ts has it.
    const ours = blocks.filter(({ text }) => !text.includes('type: kernel-files'));
    expect(ours.length).toBeGreaterThan(10);
    const wrong: string[] = [];
    for (const { path, line, text } of ours) {
      const file = join(folder, 'site.yaml');
      writeFileSync(file, JSON.stringify(wholeOf(text, `${path}:${line}`)));
      await loadConfig(file).catch((error: Error) => wrong.push(`${path}:${line}: ${error.message}`));
    }
    expect(wrong).toEqual([]);
  });
});
