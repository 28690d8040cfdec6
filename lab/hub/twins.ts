// Device and module twins: JSON documents of desired and reported properties, with versions.
import { type Identity, identityName } from './identities.ts';

export type JsonObject = { [name: string]: unknown };

export interface Twin {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  tags: JsonObject;
  desired: JsonObject;
  desiredVersion: number;
  reported: JsonObject;
  reportedVersion: number;
}

/** IoT Hub's limits: serialised size of each section, depth of nesting, length of a name. */
export const maxTwinBytes = 32 * 1024;
export const maxTwinDepth = 10;
export const maxTwinNameBytes = 1024;

export class Twins {
  readonly #twins = new Map<string, Twin>();
  /** Told of each change of desired properties, with the patch and the new `$version`. */
  readonly #listeners = new Set<(twin: Twin, patch: JsonObject) => void>();

  onDesired(listener: (twin: Twin, patch: JsonObject) => void): void {
    this.#listeners.add(listener);
  }

  of({ deviceId, moduleId }: Pick<Identity, 'deviceId' | 'moduleId'>): Twin {
    const name = identityName(deviceId, moduleId);
    let twin = this.#twins.get(name);
    if (!twin) {
      twin = {
        deviceId,
        moduleId,
        tags: {},
        desired: {},
        desiredVersion: 1,
        reported: {},
        reportedVersion: 1,
      };
      this.#twins.set(name, twin);
    }
    return twin;
  }

  remove({ deviceId, moduleId }: Pick<Identity, 'deviceId' | 'moduleId'>): void {
    this.#twins.delete(identityName(deviceId, moduleId));
  }

  /** Merges into the desired properties and notifies. Throws with the reason when a limit is broken. */
  patchDesired(of: Pick<Identity, 'deviceId' | 'moduleId'>, patch: JsonObject): Twin {
    const twin = this.of(of);
    twin.desired = merged(twin.desired, patch);
    twin.desiredVersion++;
    for (const listener of this.#listeners) listener(twin, { ...patch, $version: twin.desiredVersion });
    return twin;
  }

  replaceDesired(of: Pick<Identity, 'deviceId' | 'moduleId'>, desired: JsonObject): Twin {
    const old = this.of(of).desired;
    const removals = Object.fromEntries(Object.keys(old).map((name) => [name, null]));
    return this.patchDesired(of, { ...removals, ...desired });
  }

  patchReported(of: Pick<Identity, 'deviceId' | 'moduleId'>, patch: JsonObject): Twin {
    const twin = this.of(of);
    twin.reported = merged(twin.reported, patch);
    twin.reportedVersion++;
    return twin;
  }
}

/** As the device sees it. */
export function twinForDevice(twin: Twin): JsonObject {
  return {
    desired: { ...twin.desired, $version: twin.desiredVersion },
    reported: { ...twin.reported, $version: twin.reportedVersion },
  };
}

/** Merge as twins do: objects merge, null removes, everything else replaces. */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const result: JsonObject = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    const old = Object.hasOwn(result, name) ? result[name] : undefined;
    if (value === null) delete result[name];
    else set(result, name, isObject(value) ? mergePatch(isObject(old) ? old : {}, value) : value);
  }
  return result;
}

function merged(target: JsonObject, patch: JsonObject): JsonObject {
  checkNames(patch, 1);
  const result = mergePatch(target, patch);
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes > maxTwinBytes)
    throw new Error(`the properties have ${bytes} bytes, the limit is ${maxTwinBytes}`);
  return result;
}

function checkNames(value: JsonObject, depth: number): void {
  if (depth > maxTwinDepth) throw new Error(`properties are nested deeper than ${maxTwinDepth}`);
  for (const [name, inner] of Object.entries(value)) {
    if (Buffer.byteLength(name) > maxTwinNameBytes) throw new Error('a property name is longer than 1 KB');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is forbidden.
    if (/[.$ \x00-\x1f\x7f]/.test(name.replace(/^\$(version|metadata)$/, '')))
      throw new Error(
        `the property name ${JSON.stringify(name)} holds a dot, a dollar sign, a space or a control character`,
      );
    if (isObject(inner)) checkNames(inner, depth + 1);
  }
}

// defineProperty, so that a property called __proto__ is a property.
function set(target: JsonObject, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
