import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../test/support/source-tree.ts';
import { parseConfig } from './load.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('published examples', () => {
  it("the README's configuration is valid", () => {
    const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
    expect(parseConfig(yaml!, 'README').sources.length).toBeGreaterThan(0);
  });

  it.each(readdirSync(join(root, 'docs/examples')).filter((name) => name.endsWith('.yaml')))(
    'docs/examples/%s is valid',
    (name) => {
      expect(parseConfig(read(`docs/examples/${name}`), name).sources.length).toBeGreaterThan(0);
    },
  );

  it('the configurations of sources that other modules send to are valid', () => {
    const [modules] = read('docs/ADAPTERS.md').split('## An adapter inside');
    const blocks = [...modules!.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml!);
    expect(blocks).toHaveLength(3);
    for (const block of blocks) {
      const text = block.startsWith('sources:') ? block : `sources:\n${block}`;
      expect(parseConfig(text, 'ADAPTERS').sources[0]?.type).toBe('module-input');
    }
  });
});
