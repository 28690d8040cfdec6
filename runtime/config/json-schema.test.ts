import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../test/support/source-tree.ts';
import { configJsonSchema } from './json-schema.ts';

describe("the configuration's JSON Schema", () => {
  it('is the one in docs/: after a change, `holdfast schema > docs/config.schema.json`', () => {
    const published = JSON.parse(readFileSync(join(root, 'docs/config.schema.json'), 'utf8'));
    expect(published).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });

  it('knows each type of source, and that tags may come from a file', () => {
    const schema = JSON.parse(JSON.stringify(configJsonSchema()));
    const variants = schema.properties.sources.items.oneOf;
    expect(
      variants.map((variant: { properties: { type: { const: string } } }) => variant.properties.type.const),
    ).toEqual(expect.arrayContaining(['modbus-tcp', 'modbus-rtu-tcp', 'modbus-rtu', 'module-input']));
    for (const variant of variants) {
      expect(variant.properties.tagsFile.type).toBe('string');
      expect(variant.required).not.toContain('tags');
      if (!variant.properties.type.const.startsWith('modbus')) continue;
      // Other types may do without.
      expect(variant.anyOf).toEqual([
        { required: ['tags'] },
        { required: ['tagsFile'] },
        { required: ['profile'] },
      ]);
    }
    expect(schema.required).toEqual(['sources']);
  });
});
