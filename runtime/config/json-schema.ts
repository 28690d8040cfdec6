// The configuration's JSON Schema: editors complete and check a site's file with it. Made from the one schema,
// with what is read before that schema applies: `tagsFile`.
import { z } from 'zod';
import { configSchema } from './schema.ts';

type Json = { [key: string]: unknown };

const tagsFile = {
  type: 'string',
  description: 'CSV file of tags, relative to this file: one row a tag, one column a setting',
};

export function configJsonSchema(): Json {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Json;
  const variants = sourceVariants(schema);
  for (const variant of variants) {
    const properties = variant.properties as Json;
    const required = (variant.required ?? []) as string[];
    if (properties.tags === undefined) continue;
    properties.tagsFile = tagsFile;
    // Where tags may be left out altogether, a table of them may be, too.
    if (!required.includes('tags')) continue;
    variant.required = required.filter((name) => name !== 'tags');
    variant.anyOf = [{ required: ['tags'] }, { required: ['tagsFile'] }];
  }
  return { title: 'Holdfast configuration', ...schema };
}

function sourceVariants(schema: Json): Json[] {
  const sources = (schema.properties as Json).sources as Json;
  const items = sources.items as { oneOf?: Json[]; anyOf?: Json[] };
  return items.oneOf ?? items.anyOf ?? [];
}
