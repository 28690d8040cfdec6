// The configuration's JSON Schema as a tree that can be walked: which settings there are at a place, given what stands
// there, and where a setting of some name belongs.

export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
}

type Path = readonly PropertyKey[];

/** `node` itself, or what it is a choice of. */
export function alternatives(node: SchemaNode): readonly SchemaNode[] {
  const choice = (node.oneOf ?? node.anyOf)?.filter(({ required, ...rest }) => Object.keys(rest).length > 0);
  return choice && choice.length > 0 && node.properties === undefined ? choice.flatMap(alternatives) : [node];
}

/** The nodes that may stand at `path` of `value`: where a kind or type is named there, those of that kind. */
export function nodesAt(schema: SchemaNode, path: Path, value: unknown): readonly SchemaNode[] {
  let nodes: readonly SchemaNode[] = fitting([schema], value);
  let here = value;
  for (const part of path) {
    here = isObject(here) || Array.isArray(here) ? (here as Record<PropertyKey, unknown>)[part] : undefined;
    const next = nodes.flatMap(({ properties, items, additionalProperties: more }) => {
      const node = typeof part === 'number' ? items : properties?.[String(part)];
      return [
        ...(node ? [node] : []),
        ...(typeof more === 'object' && typeof part === 'string' ? [more] : []),
      ];
    });
    nodes = fitting(next, here);
  }
  return nodes;
}

/** The names of settings at `path`. */
export function namesAt(schema: SchemaNode, path: Path, value: unknown): readonly string[] {
  return [
    ...new Set(nodesAt(schema, path, value).flatMap(({ properties }) => Object.keys(properties ?? {}))),
  ];
}

/** Every setting, by its path with `[]` for each item of a list and `*` for each name of a map, as `sources[].tags[].address`. */
export function allSettings(schema: SchemaNode): ReadonlyMap<string, readonly SchemaNode[]> {
  const found = new Map<string, SchemaNode[]>();
  const visit = (node: SchemaNode, path: string): void => {
    for (const each of alternatives(node)) {
      for (const [name, inner] of Object.entries(each.properties ?? {})) {
        const at = path === '' ? name : `${path}.${name}`;
        const known = found.get(at) ?? [];
        found.set(at, [...known, inner]);
        visit(inner, at);
      }
      if (each.items) visit(each.items, `${path}[]`);
      const { additionalProperties: named } = each;
      if (typeof named === 'object' && named.properties) visit(named, `${path}.*`);
    }
  };
  visit(schema, '');
  return found;
}

/** The settings of sources: what each is for the types of source that have it. */
export function settingsByType(
  schema: SchemaNode,
): ReadonlyMap<string, ReadonlyMap<string, readonly SchemaNode[]>> {
  const found = new Map<string, Map<string, readonly SchemaNode[]>>();
  for (const variant of alternatives(schema.properties?.sources?.items ?? {})) {
    const type = String(variant.properties?.type?.const);
    for (const [path, nodes] of allSettings({ properties: { sources: { items: variant } } })) {
      const known = found.get(path) ?? new Map<string, readonly SchemaNode[]>();
      found.set(path, known.set(type, nodes));
    }
  }
  return found;
}

function fitting(nodes: readonly SchemaNode[], value: unknown): readonly SchemaNode[] {
  const all = nodes.flatMap(alternatives);
  if (!isObject(value)) return all;
  const fits = all.filter(({ properties = {} }) =>
    Object.entries(properties).every(
      ([name, { const: wanted }]) =>
        wanted === undefined || value[name] === undefined || value[name] === wanted,
    ),
  );
  return fits.length > 0 ? fits : all;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
