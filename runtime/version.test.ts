import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { version } from './version.ts';

it('is the version that package.json and the runtime workspace state', () => {
  for (const file of ['../package.json', './package.json']) {
    const manifest = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
    expect(manifest.version, file).toBe(version);
  }
});
