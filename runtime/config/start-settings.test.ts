import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { validateConfig } from './load.ts';
import { keepStartSettings, readStartSettings } from './start-settings.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'start-settings-'));
  file = join(folder, 'site.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

const config = (more: object) => validateConfig({ sources: [], ...more }, 'test');
const written = (more: object) => writeFileSync(file, JSON.stringify({ sources: [], ...more }));
const read = (useTwin = true) => readStartSettings({ dataFolder: folder, file, useTwin });

describe('the settings of the next start', () => {
  it("are the twin's where it holds a whole configuration, else the file's as it is by then", async () => {
    written({ logLevel: 'warn' });
    await keepStartSettings(folder, config({ logLevel: 'debug' }), 'twin');
    expect(await read()).toMatchObject({ logLevel: 'debug' });
    expect(await read(false)).toMatchObject({ logLevel: 'warn' });
    await keepStartSettings(folder, config({ logLevel: 'debug' }), 'file');
    expect(await read()).toMatchObject({ logLevel: 'warn' });
  });

  it("have the twin's settings over the file as it is by then; without it, what ran", async () => {
    await keepStartSettings(folder, config({ logLevel: 'debug' }), 'twin-settings', { logLevel: 'debug' });
    expect(await read()).toMatchObject({ logLevel: 'debug', clock: { trust: 'plausible' } });
    written({ logLevel: 'warn', clock: { trust: 'always' } });
    expect(await read()).toMatchObject({ logLevel: 'debug', clock: { trust: 'always' } });
    expect(await read(false)).toMatchObject({ logLevel: 'warn' });
  });
});
