// The adapters of this module: one line each. A heavy driver library is imported by its adapter when a session begins, so
// that a site pays only for what it uses.
import { join } from 'node:path';
import { z } from 'zod';
import type { MetricCatalogue } from '../kernel/prometheus.ts';
import type { Adapter, AdapterParts, SourceParts, SourceSchema } from './sources/adapter.ts';
import type { Discovery } from './sources/discover.ts';
import { modbusAdapter } from './sources/modbus/adapter.ts';
import { moduleInputAdapter } from './sources/module-input/adapter.ts';
import { opcuaAdapter } from './sources/opcua/adapter.ts';
import { serialAdapter } from './sources/serial/adapter.ts';
import type { Source } from './sources/source.ts';

const adapters = [modbusAdapter, serialAdapter, opcuaAdapter, moduleInputAdapter] as const;

export type SourceConfig = z.output<(typeof adapters)[number]['schemas'][number]>;
export type MakeSource = (settings: SourceConfig, parts: SourceParts) => Source;

const all = adapters as readonly unknown[] as readonly Adapter[];
const byType = new Map(
  all.flatMap((adapter) => adapter.schemas.map((schema) => [typeOf(schema), adapter] as const)),
);

/** The adapter of a type of source that the schema knows. */
export function adapterOf({ type }: { readonly type: SourceConfig['type'] }): Adapter<never> {
  return byType.get(type) as Adapter<never>;
}

/** What adapters count of their own equipment. */
export const adapterMetrics: MetricCatalogue = Object.assign({}, ...all.map(({ texts }) => texts?.metrics));

/** Commented sources to begin with, by type. */
export const exampleSources: Readonly<Record<string, string>> = Object.assign(
  {},
  ...all.map(({ texts }) => texts?.examples),
);

/** Who finds out what a device is, by the scheme of its address. */
export const discoveries: ReadonlyMap<string, { readonly name: string; readonly discovery: Discovery }> =
  new Map(
    all.flatMap(({ name, discover }) =>
      (discover?.schemes ?? []).map((scheme) => [scheme, { name, discovery: discover! }] as const),
    ),
  );

/** What a source is, as a site writes it. */
export const sourceSchema = z.discriminatedUnion(
  'type',
  adapters.flatMap(({ schemas }) => [...schemas]) as unknown as readonly [
    (typeof adapters)[number]['schemas'][number],
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union' ? `must be one of ${[...byType.keys()].join(', ')}` : undefined,
  },
);

/** Makes the sources of a process. Each adapter has a folder of its own in the data folder. */
export function createAdapters(
  parts: Omit<AdapterParts, 'folder'> & { readonly dataFolder: string },
): MakeSource {
  const { dataFolder, ...shared } = parts;
  const made = new Map<Adapter<never>, MakeSource>();
  return (settings, of) => {
    const adapter = adapterOf(settings);
    let make = made.get(adapter);
    if (make === undefined) {
      make = adapter.create({ ...shared, folder: join(dataFolder, adapter.name) }) as MakeSource;
      made.set(adapter, make);
    }
    return make(settings, of);
  };
}

function typeOf(schema: SourceSchema): string {
  return schema.shape.type.value;
}
