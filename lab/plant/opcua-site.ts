// The `sources` part of a holdfast configuration that reads the plant's OPC UA server, as data that YAML can carry.
import type { OpcuaPlantInfo } from './opcua-plant.ts';

export interface OpcuaSiteOptions {
  /** Default 200. */
  readonly publishMs?: number;
  /** Default 2000. */
  readonly timeoutMs?: number;
  /** How late values may come. Default: the module's. */
  readonly latenessMs?: number;
  /** Where the server is reached, when not directly (a relay between). */
  readonly endpoint?: string;
}

const tags = [
  'temperature',
  'pressure',
  'flow',
  'energy',
  'status',
  'running',
  'alarm',
  'door',
  'level',
  'label',
] as const;

/**
 * Sources `kiln` (remembers) and `tank` (does not). Every sample is asked for, also where a value stays the same:
 * the plant's truth has each of them.
 */
export function opcuaSources(
  plant: Pick<OpcuaPlantInfo, 'endpoint' | 'namespaceUri' | 'scanMs'>,
  options: OpcuaSiteOptions = {},
) {
  const { publishMs = 200, timeoutMs = 2000, endpoint = plant.endpoint, latenessMs } = options;
  const common = {
    type: 'opcua' as const,
    endpoint,
    security: { mode: 'None' as const },
    publishMs,
    keepAliveMs: Math.max(1000, 2 * publishMs),
    timeoutMs,
    ...(latenessMs !== undefined && { latenessMs }),
    samplingMs: 0,
    trigger: 'timestamp' as const,
    // Its truth knows no reading at a time at which no sample was made.
    snapshots: false,
    queueSize: Math.max(10, Math.ceil((10 * publishMs) / plant.scanMs)),
  };
  const tagsOf = (unit: string) =>
    tags.map((name) => ({ name, node: `nsu=${plant.namespaceUri};s=${unit}.${name}` }));
  return [
    { ...common, name: 'kiln', tags: tagsOf('kiln'), history: {} },
    { ...common, name: 'tank', tags: tagsOf('tank') },
  ];
}
