// What edgeHub drops after its time to live must still be in the archive, or nobody has it any more.
import { durationText } from '../../kernel/duration-text.ts';
import type { Config } from '../config/schema.ts';
import { defaultRetention } from '../spool/retention/config.ts';

const dayMs = 86_400_000;

/** @param keptMs by edgeHub */
export function archiveNotes(
  keptMs: number,
  { spool: { retention } }: Pick<Config, 'spool'>,
  sent: { readonly bytesPerDay: number },
): readonly string[] {
  const archiveMs = retention?.archiveMs ?? defaultRetention.archiveMs;
  const archiveBytes = retention?.archiveBytes ?? defaultRetention.archiveBytes;
  const notes: string[] = [];
  const kept = `edgeHub keeps messages for ${durationText(keptMs)}`;
  if (keptMs > 0 && archiveMs <= keptMs)
    notes.push(
      `warning: ${kept}, the archive keeps what edgeHub took for ${durationText(archiveMs)}: what edgeHub drops cannot be fetched again; make spool.retention.archiveMs longer`,
    );
  const bytes = (sent.bytesPerDay * keptMs) / dayMs;
  if (bytes > archiveBytes)
    notes.push(
      `warning: ${kept}, and this site may send ${megabytes(bytes)} in that time; the archive keeps ${megabytes(archiveBytes)} of what edgeHub took: what edgeHub drops of the rest cannot be fetched again; make spool.retention.archiveBytes larger, and maxBytes with it`,
    );
  return notes;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6).toLocaleString('en-US')} MB`;
