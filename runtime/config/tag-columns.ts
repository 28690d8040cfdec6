// The columns that a table of tags may have, and the type of their cells: the settings of a tag of that type of source,
// from the schema. A new type of source therefore brings its columns along.
import { z } from 'zod';
import { configSchema } from './schema.ts';

export type CellKind = 'text' | 'number' | 'flag' | 'names' | 'list' | 'numbers';

/** By the column's name; a setting within a setting is `outer.inner`. */
export type TagColumns = ReadonlyMap<string, CellKind>;

interface Json {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Json>>;
  readonly items?: Json;
  readonly anyOf?: readonly Json[];
  readonly oneOf?: readonly Json[];
}

let variants: readonly Json[] | undefined;

/** For an unknown type: the columns of all types, since the error is then the type. */
export function tagColumns(type: unknown): TagColumns {
  variants ??= sourceVariants();
  const own = variants.filter(({ properties }) => properties?.type?.const === type);
  const columns = new Map<string, CellKind>();
  for (const { properties } of own.length > 0 ? own : variants) {
    if (properties?.tags?.items) collect(properties.tags.items, '', columns);
  }
  return columns;
}

function sourceVariants(): readonly Json[] {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Json;
  return alternatives(schema.properties?.sources?.items ?? {});
}

function collect(schema: Json, prefix: string, columns: Map<string, CellKind>): void {
  for (const { properties = {} } of alternatives(schema)) {
    for (const [name, setting] of Object.entries(properties)) {
      const column = prefix + name;
      const isGroup = alternatives(setting).some((each) => each.properties !== undefined);
      if (isGroup) collect(setting, `${column}.`, columns);
      else if (!columns.has(column)) columns.set(column, kindOf(setting));
    }
  }
}

/** `schema` itself, or the schemas that it is a choice of. */
function alternatives(schema: Json): readonly Json[] {
  const choice = schema.anyOf ?? schema.oneOf;
  return choice ? choice.flatMap(alternatives) : [schema];
}

function kindOf(setting: Json): CellKind {
  const types = new Set(alternatives(setting).flatMap(typesOf));
  if (types.has('array')) {
    const items = alternatives(setting).flatMap(({ items }) => (items ? [items] : []));
    return items.every((item) => ['number', 'integer'].includes(typesOf(item)[0] ?? '')) ? 'numbers' : 'list';
  }
  if (types.has('object')) return 'names';
  if (types.has('number') || types.has('integer')) return 'number';
  return types.has('boolean') ? 'flag' : 'text';
}

function typesOf({ type, const: constant, enum: values = [] }: Json): readonly string[] {
  if (type !== undefined) return typeof type === 'string' ? [type] : type;
  return (constant === undefined ? values : [constant]).map((value) => typeof value);
}
