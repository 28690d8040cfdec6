// Device and module twins: JSON documents of desired and reported properties, with versions.
import { checkTwinPatch, checkTwinSize, type JsonObject, type TwinSection } from '../../wire/twin-rules.ts';
import { type Identity, identityName } from './identities.ts';

export type { JsonObject } from '../../wire/twin-rules.ts';

export interface Twin {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  tags: JsonObject;
  desired: JsonObject;
  desiredVersion: number;
  reported: JsonObject;
  reportedVersion: number;
  /** Epoch ms. */
  reportedAt: number;
}

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
        // As the hub's own of a twin that was never written.
        reportedAt: -62_135_596_800_000,
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
    twin.desired = merged('desired', twin.desired, patch);
    twin.desiredVersion++;
    for (const listener of this.#listeners) listener(twin, { ...patch, $version: twin.desiredVersion });
    return twin;
  }

  replaceDesired(of: Pick<Identity, 'deviceId' | 'moduleId'>, desired: JsonObject): Twin {
    const old = this.of(of).desired;
    const removals = Object.fromEntries(Object.keys(old).map((name) => [name, null]));
    return this.patchDesired(of, { ...removals, ...desired });
  }

  patchTags(of: Pick<Identity, 'deviceId' | 'moduleId'>, patch: JsonObject): Twin {
    const twin = this.of(of);
    twin.tags = merged('tags', twin.tags, patch);
    return twin;
  }

  patchReported(of: Pick<Identity, 'deviceId' | 'moduleId'>, patch: JsonObject): Twin {
    const twin = this.of(of);
    twin.reported = merged('reported', twin.reported, patch);
    twin.reportedVersion++;
    twin.reportedAt = Date.now();
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

function merged(section: TwinSection, target: JsonObject, patch: JsonObject): JsonObject {
  checkTwinPatch(patch);
  const result = mergePatch(target, patch);
  checkTwinSize(section, result);
  return result;
}

// defineProperty, so that a property called __proto__ is a property.
function set(target: JsonObject, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
