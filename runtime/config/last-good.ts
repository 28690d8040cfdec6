// The last configuration that ran, kept in the spool so that the module starts without file or network. It holds
// no secrets, since no configuration does.
import { HoldfastError } from '../../kernel/errors.ts';
import { ConfigError } from './config-error.ts';
import { type LoadedConfig, loadValue } from './load.ts';
import { isOverlay, type Overlay } from './overlay.ts';
import type { SettingStore } from './setting-store.ts';
import type { ConfigOrigin, ConfigVersion } from './version.ts';

export interface LastGood extends ConfigVersion {
  readonly loaded: LoadedConfig;
  /** The twin's settings, where they were laid over the gateway's own file. */
  readonly overlay?: Overlay;
}

export type LastGoodAnswer =
  | { readonly kind: 'found'; readonly value: LastGood }
  | { readonly kind: 'none' }
  /** Kept by another version of the module, which understood it. */
  | { readonly kind: 'unusable'; readonly reason: string };

const settingName = 'config.lastGood';
/** One commit of the spool holds it with room to spare. */
const maxBytes = 8 * 1024 * 1024;
const origins: readonly ConfigOrigin[] = ['twin', 'twin-file', 'twin-settings', 'file'];

export async function readLastGood(store: SettingStore): Promise<LastGoodAnswer> {
  const kept = (await store.getSetting(settingName)) as Record<string, unknown> | undefined;
  if (kept === undefined) return { kind: 'none' };
  const { origin, version, hash, input, overlay } = kept;
  if (!origins.includes(origin as ConfigOrigin) || typeof version !== 'string' || typeof hash !== 'string')
    return { kind: 'unusable', reason: 'it was not written by this module' };
  try {
    const loaded = await loadValue(input, 'last good configuration', { isResolved: true });
    const value = { origin: origin as ConfigOrigin, version, hash, loaded };
    return { kind: 'found', value: isOverlay(overlay) ? { ...value, overlay } : value };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { kind: 'unusable', reason: error.message };
  }
}

/** @throws HoldfastError `config-too-large`; what the store throws. */
export async function keepLastGood(store: SettingStore, good: LastGood): Promise<void> {
  const { origin, version, hash, loaded, overlay } = good;
  const bytes = Buffer.byteLength(JSON.stringify(loaded.input));
  if (bytes > maxBytes) {
    const message = `the configuration has ${bytes} bytes, more than the ${maxBytes} that are kept as last good`;
    throw new HoldfastError('config-too-large', message);
  }
  await store.putSetting(settingName, {
    ...{ origin, version, hash, input: loaded.input },
    ...(overlay && { overlay }),
  });
}
