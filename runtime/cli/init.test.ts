import { expect, it } from 'vitest';
import { exampleSources } from '../adapters.ts';
import { parseConfig } from '../config/load.ts';
import { siteText } from './init.ts';

it.each(Object.keys(exampleSources))(
  'a configuration to begin with for %s is valid, also with all that is commented out',
  (kind) => {
    const text = siteText(kind);
    expect(parseConfig(text, kind).sources[0]?.type).toBe(kind);
    const all = text.replace(/^( *)#(?=\S| {2})/gm, '$1');
    const { sources, spool } = parseConfig(all, kind);
    expect(sources).toHaveLength(1);
    expect(spool.retention).toMatchObject({ archiveMs: 259_200_000, unsentMs: 604_800_000 });
  },
);
