// `holdfast check --twin`: whether a configuration fits the module's twin, and how much of it is used. The file is the
// configuration, or a deployment manifest that has it.
import { describeError } from '../../kernel/errors.ts';
import { readNamedFile } from '../../kernel/small-file.ts';
import {
  checkTwinPatch,
  checkTwinSize,
  type JsonObject,
  maxTwinBytes,
  twinBytes,
} from '../../wire/twin-rules.ts';
import { ConfigError, type LoadedConfig, loadValue, parseYaml } from '../config/load.ts';
import { twinWish } from '../config/twin-wish.ts';
import { defaultRetention } from '../spool/retention/config.ts';

/** A manifest has twins of other modules, too. */
const maxBytes = 4 * 1024 * 1024;

export interface CheckedTwin extends LoadedConfig {
  /** What it says besides: the twin's use, and what does not fit together. */
  readonly notes: readonly string[];
}

/** @throws ConfigError that names what the hub or the module would refuse */
export async function checkTwin(file: string, module: string): Promise<CheckedTwin> {
  const { content, placeOf } = await read(file);
  const desired = desiredOf(content, file, module);
  const where = `${file}, as desired properties of module ${module}`;
  try {
    checkTwinPatch(desired);
    checkTwinSize('desired', desired);
  } catch (error) {
    const message = `${describeError(error)}: what does not fit stands in a file on the gateway, which the twin names by configFile`;
    throw new ConfigError(where, [{ path: '', message }]);
  }
  const wish = twinWish({ ...desired, $version: 1 });
  if (wish.kind === 'bad') throw new ConfigError(where, wish.problems);
  if (wish.kind !== 'inline') {
    const message =
      wish.kind === 'file'
        ? `names the file ${wish.path}: check that one, on the gateway`
        : 'holds nothing: the file on the gateway counts';
    throw new ConfigError(where, [{ path: '', message }]);
  }
  const isManifest = content.modulesContent !== undefined;
  const loaded = await loadValue(wish.value, where, isManifest ? {} : { placeOf });
  const used = twinBytes(desired);
  const share = `${Math.floor((used / maxTwinBytes.desired) * 100)} %`;
  return {
    ...loaded,
    notes: [
      `The twin holds ${used} of ${maxTwinBytes.desired} bytes (${share}).`,
      ...keptTooShort(content, loaded),
    ],
  };
}

async function read(file: string) {
  const bytes = await readNamedFile(file, maxBytes).catch((error: unknown) => {
    throw new ConfigError(file, [{ path: '', message: `cannot be read: ${describeError(error)}` }], error);
  });
  const { value, placeOf } = parseYaml(new TextDecoder().decode(bytes), file, false);
  return { content: value as JsonObject, placeOf };
}

function desiredOf(content: JsonObject, file: string, module: string): JsonObject {
  const { modulesContent } = content as { modulesContent?: Record<string, JsonObject> };
  if (modulesContent === undefined) return content;
  const desired = modulesContent[module]?.['properties.desired'];
  if (typeof desired === 'object' && desired !== null) return desired as JsonObject;
  const message =
    'has no properties.desired: name the module with --module; of a layer, check what it makes of its base (docs/DEPLOY.md)';
  throw new ConfigError(file, [{ path: `modulesContent.${module}`, message }]);
}

/** What edgeHub drops after its time to live must still be in the archive, or nobody has it any more. */
function keptTooShort(content: JsonObject, { config }: LoadedConfig): readonly string[] {
  const hub = (content.modulesContent as Record<string, JsonObject> | undefined)?.$edgeHub?.[
    'properties.desired'
  ] as
    | { routes?: Record<string, unknown>; storeAndForwardConfiguration?: { timeToLiveSecs?: number } }
    | undefined;
  const routes = Object.values(hub?.routes ?? {}) as readonly { timeToLiveSecs?: number }[];
  const ttls = [hub?.storeAndForwardConfiguration, ...routes].map(
    (each) => (each?.timeToLiveSecs ?? 0) * 1000,
  );
  const ttlMs = Math.max(0, ...ttls);
  const archiveMs = config.spool.retention?.archiveMs ?? defaultRetention.archiveMs;
  if (archiveMs > ttlMs) return [];
  return [
    `warning: edgeHub keeps messages for ${ttlMs} ms, the archive keeps what edgeHub took for ${archiveMs} ms: what edgeHub drops cannot be fetched again; make spool.retention.archiveMs longer`,
  ];
}
