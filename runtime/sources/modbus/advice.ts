// What messages may advise: the settings that a source of this type has.

/** What a site can set of a connection, so that no message advises something else. */
export interface Advice {
  /** The setting `unitId`. */
  readonly hasUnitId: boolean;
  /** Who sets speed and parity of a serial line: this module, a serial server, or nobody, as there is no line. */
  readonly line: 'port' | 'server' | 'none';
}
