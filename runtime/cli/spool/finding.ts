// One finding of `holdfast spool verify`.
import { keyName } from '../../spool/repair/record-reading.ts';

export interface Finding {
  /** `note`: worth knowing, nothing is lost by it. */
  readonly severity: 'damage' | 'note';
  /** `file`: LevelDB's own files. `record`: one value. `reference`: two records that do not agree. */
  readonly kind: 'file' | 'record' | 'reference';
  /** A file's name, or a record's key: its letter, then text or hex. */
  readonly key: string;
  readonly reason: string;
}

/** Between two findings: nothing was found, and some work was done. Others may have their turn. */
export const tick = undefined;

export type VerifyStep = Finding | typeof tick;

export const damage = (kind: Finding['kind'], key: Uint8Array, reason: string): Finding => ({
  severity: 'damage',
  kind,
  key: keyName(key),
  reason,
});
export const note = (kind: Finding['kind'], key: Uint8Array, reason: string): Finding => ({
  ...damage(kind, key, reason),
  severity: 'note',
});
