import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../test/support/source-tree.ts';
import { statusAddress } from '../health/status-address.ts';
import { loadValue, parseConfig } from './load.ts';
import { twinWish } from './twin-wish.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('published examples', () => {
  it("the deployment template's twin configures the module, and fits its own container", async () => {
    const { modulesContent } = JSON.parse(read('deployment.template.json'));
    const wish = twinWish({ $version: 1, ...modulesContent.holdfast['properties.desired'] });
    expect(wish.kind).toBe('inline');
    const { config } = await loadValue(wish.kind === 'inline' && wish.value, 'deployment template');
    expect(config.sources).toHaveLength(1);
    const { settings } = modulesContent.$edgeAgent['properties.desired'].modules.holdfast;
    const published =
      settings.createOptions.HostConfig.PortBindings[`${statusAddress(config, true).port}/tcp`];
    // Outside of the container on loopback alone; inside, Docker's bridge has to reach it.
    expect(published[0].HostIp).toBe('127.0.0.1');
    expect(statusAddress(config, true).host).toBe('0.0.0.0');
  });

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
