// What the serial logger measures and how it prints it. Values are pure functions of seed and record number, as those
// of all of the plant; the truth is what the printed text says, digit for digit.
import { sampleAt } from './sample.ts';

export const loggerUnit = 21;

/** The values of one record, as a correct reader of its text gets them. */
export interface LoggerValues {
  readonly temperature: number;
  readonly pressure: number;
  readonly energy: number;
  readonly level: number;
  readonly status: number;
  readonly label: string;
}

export interface LoggerRecord {
  /** Counts all records ever made. What the logger shows of it starts again after its last number. */
  readonly position: number;
  /** Epoch ms. */
  readonly timestamp: number;
}

export function loggerValues(seed: number, position: number): LoggerValues {
  const fields = printed(seed, position);
  return {
    temperature: Number(fields.temperature),
    pressure: Number(fields.pressure),
    energy: Number(fields.energy),
    level: Number(fields.level) || 0,
    status: Number.parseInt(fields.status, 16),
    label: fields.label,
  };
}

function printed(seed: number, position: number) {
  const sample = sampleAt(seed, loggerUnit, position);
  return {
    temperature: sample.temperature.toFixed(2),
    pressure: sample.pressure.toFixed(3),
    energy: sample.energy.toFixed(3),
    level: (sample.level / 10).toFixed(1),
    status: sample.status.toString(16).toUpperCase().padStart(4, '0'),
    label: sample.label,
  };
}

/** `kind` is `$LOG` for a live record, `$REC` for one of the memory. */
export function recordLine(
  kind: '$LOG' | '$REC',
  seed: number,
  { position, timestamp }: LoggerRecord,
  shownNumber: number,
): string {
  const { temperature, pressure, energy, level, status, label } = printed(seed, position);
  const time = new Date(timestamp).toISOString();
  return sentence(
    `${kind},${shownNumber},${time},${temperature},${pressure},${energy},${level},${status},${label}`,
  );
}

/** A line with its check sum, as NMEA 0183 has it: the exclusive or of what stands between `$` and `*`. */
export function sentence(text: string): string {
  let sum = 0;
  for (let at = 1; at < text.length; at++) sum ^= text.charCodeAt(at);
  return `${text}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`;
}
