/** What the configuration needs of the spool: small documents that survive anything the spool survives. */
export interface SettingStore {
  /** A JSON value, synced before this resolves; tried for ever while the disk refuses. */
  putSetting(name: string, value: unknown): Promise<void>;
  /** Undefined when never set, and when what was stored is damaged. */
  getSetting(name: string): Promise<unknown>;
}
