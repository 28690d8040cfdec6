// The configuration's JSON Schema: editors complete and check a site's file with it. Made from the one schema,
// with what is read before that schema applies: `tagsFile` and `profile`.
import { z } from 'zod';
import { defaultRetention } from '../spool/retention/config.ts';
import { configSchema } from './schema.ts';
import { wordsOf } from './setting-words.ts';
import { parseYamlValue } from './yaml-text.ts';

type Json = { [key: string]: unknown };

const tagsFile = { type: 'string' };
/** A profile's name, an object with it, or a list of these: its settings are checked once it is filled in. */
const profile = {};

let made: Json | undefined;

/** Made once, since it takes a tenth of a second and every unknown setting needs it. Do not modify. */
export function configJsonSchema(): Json {
  made ??= makeSchema();
  return made;
}

function makeSchema(): Json {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Json;
  const variants = sourceVariants(schema);
  for (const variant of variants) {
    const properties = variant.properties as Json;
    const required = (variant.required ?? []) as string[];
    if (properties.tags === undefined) continue;
    properties.tagsFile = tagsFile;
    properties.profile = profile;
    // Where tags may be left out altogether, a table of them may be, too.
    if (!required.includes('tags')) continue;
    variant.required = required.filter((name) => name !== 'tags');
    variant.anyOf = [{ required: ['tags'] }, { required: ['tagsFile'] }, { required: ['profile'] }];
  }
  addRetentionDefaults(schema);
  allowMaps(schema);
  allowDurations(schema);
  describe(schema, '');
  return { title: 'Holdfast configuration', ...schema };
}

/** They stand beside what they govern, not in the schema: what was left out is not written into a configuration. */
function addRetentionDefaults(schema: Json): void {
  const { spool } = schema.properties as { spool: { properties: { retention: { properties: Json } } } };
  for (const [name, setting] of Object.entries(spool.properties.retention.properties))
    (setting as Json).default = defaultRetention[name as keyof typeof defaultRetention];
}

/** Maps by name instead of lists: named-lists.ts. What stands in one is checked once it is read. */
function allowMaps(schema: Json): void {
  for (const name of ['sources', 'rules']) {
    const section = (schema.properties as Record<string, Json>)[name]!;
    section.type = ['array', 'object'];
    section.additionalProperties = { type: 'object' };
  }
}

/** Adds the text that editors show beside a setting. */
function describe(node: Json, path: string): void {
  for (const each of [...((node.oneOf ?? node.anyOf ?? []) as Json[])]) describe(each, path);
  for (const [name, setting] of Object.entries((node.properties ?? {}) as Record<string, Json>)) {
    const at = path === '' ? name : `${path}.${name}`;
    const words = wordsOf(at);
    if (words !== undefined) {
      setting.description = `${words.what}${words.unit === undefined ? '' : `. Unit: ${words.unit}`}`;
      setting.examples = [parseYamlValue(words.example)];
    }
    describe(setting, at);
  }
  if (node.items !== undefined) describe(node.items as Json, `${path}[]`);
  const named = node.additionalProperties as Json | undefined;
  if (typeof named === 'object') describe(named, `${path}.*`);
}

const duration = { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)? *(ms|s|min|m|h|d)$' };

/** A setting of milliseconds may be written as a duration, as `1s`. */
function allowDurations(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const { properties } = value as { properties?: Record<string, Json> };
  for (const [name, setting] of Object.entries(properties ?? {})) {
    if (!/Ms$/.test(name) || !['integer', 'number'].includes(String(setting.type))) continue;
    const { default: standard, description, ...number } = setting;
    for (const key of Object.keys(setting)) delete setting[key];
    if (description !== undefined) setting.description = description;
    if (standard !== undefined) setting.default = standard;
    setting.anyOf = [number, duration];
  }
  for (const inner of Object.values(value)) allowDurations(inner);
}

function sourceVariants(schema: Json): Json[] {
  const sources = (schema.properties as Json).sources as Json;
  const items = sources.items as { oneOf?: Json[]; anyOf?: Json[] };
  return items.oneOf ?? items.anyOf ?? [];
}
