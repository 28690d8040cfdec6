// The module twin's desired properties, kept complete from a first reading and the changes since. Changes are numbered
// without holes ($version): where one is missing, the twin is read again.
import { applyPatch, type TwinObject } from './merge-patch.ts';

export interface DesiredProperties {
  /** A whole reading. */
  read(document: TwinObject): void;
  /** A change. False when changes were missed: the whole must be read again. */
  changed(patch: TwinObject): boolean;
  /** At once with what is known, and after each change. */
  subscribe(listener: (desired: TwinObject) => void): () => void;
}

export function createDesiredProperties(onListenerError: (error: unknown) => void): DesiredProperties {
  const listeners = new Set<(desired: TwinObject) => void>();
  let current: TwinObject | undefined;

  const tell = (listener: (desired: TwinObject) => void) => {
    if (!current) return;
    try {
      listener(structuredClone(current));
    } catch (error) {
      onListenerError(error);
    }
  };
  const set = (document: TwinObject) => {
    current = document;
    for (const listener of listeners) tell(listener);
  };

  return {
    read(document) {
      // Read at each connection; most readings bring nothing new.
      if (current && versionOf(current) !== undefined && versionOf(current) === versionOf(document)) return;
      set(applyPatch({}, document));
    },
    changed(patch) {
      if (!current) return false;
      const [known, version] = [versionOf(current), versionOf(patch)];
      if (known !== undefined && version !== undefined) {
        if (version <= known) return true;
        if (version > known + 1) return false;
      }
      set(applyPatch(current, patch));
      return true;
    },
    subscribe(listener) {
      listeners.add(listener);
      tell(listener);
      return () => listeners.delete(listener);
    },
  };
}

function versionOf(document: TwinObject): number | undefined {
  const version = document.$version;
  return typeof version === 'number' ? version : undefined;
}
