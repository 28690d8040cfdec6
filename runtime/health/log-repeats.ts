// Suppresses repeated log lines: the same trouble again and again (a flapping source or link, a bad disk, a hostile peer)
// becomes a few lines and a count, so that the log does not fill the disk. Lines are alike when level, part, source, code
// and text are, whatever numbers are in them. In each period the first lines of a kind pass, the rest is counted, and one
// line at the end says how many there were.
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { LogEntry } from './log-entry.ts';

export interface RepeatGate {
  /** Passes the entry on, or counts it. */
  take(entry: LogEntry): void;
  /** Tells what was counted until now. */
  flush(): void;
}

const firstLines = 5;
const periodMs = 600_000;
/**
 * Beyond this many kinds they are told apart by level, part and code alone, which are ours: whoever makes texts, or a site whose
 * sources all say something at once, fills neither memory nor disk, and hides no other trouble.
 */
const maxKinds = 500;

interface Kind {
  since: number;
  passed: number;
  /** Lines that pass in this period: fewer once the trouble goes on. */
  most: number;
  counted: number;
  last: LogEntry | undefined;
}

export function createRepeatGate(clock: Clock, pass: (entry: LogEntry) => void): RepeatGate {
  const kinds = new Map<string, Kind>();
  let timer: Timer | undefined;

  const tell = (kind: Kind) => {
    const { last, counted } = kind;
    if (last === undefined || counted === 0) return;
    const minutes = Math.max(1, Math.round((clock.monotonic() - kind.since) / 60_000));
    const time = new Date(clock.now()).toISOString();
    pass({
      ...last,
      time,
      repeated: counted,
      msg: `${last.msg} (${counted} times more within ${minutes} min)`,
    });
    kind.counted = 0;
    kind.last = undefined;
  };
  const look = () => {
    timer = undefined;
    const now = clock.monotonic();
    for (const [key, kind] of kinds) {
      if (now - kind.since < periodMs) continue;
      const goesOn = kind.counted > 0;
      tell(kind);
      // Quiet for a whole period: forgotten, so the next time is told in full.
      if (!goesOn) kinds.delete(key);
      else Object.assign(kind, { since: now, passed: 0, most: 1 });
    }
    if (kinds.size > 0) schedule();
  };
  const schedule = () => {
    timer ??= clock.setTimer(periodMs / 10, look);
  };

  return {
    take(entry) {
      // Whoever asked for debug wants all of it.
      if (entry.level === 'debug') return pass(entry);
      const key = keyAmong(kinds, entry);
      const known = kinds.get(key);
      const kind = known ?? {
        since: clock.monotonic(),
        passed: 0,
        most: firstLines,
        counted: 0,
        last: undefined,
      };
      if (known === undefined) kinds.set(key, kind);
      schedule();
      if (kind.passed < kind.most) {
        kind.passed += 1;
        pass(entry);
      } else {
        kind.counted += 1;
        kind.last = entry;
      }
    },
    flush() {
      timer?.cancel();
      timer = undefined;
      for (const kind of kinds.values()) tell(kind);
    },
  };
}

function keyAmong(kinds: ReadonlyMap<string, unknown>, entry: LogEntry): string {
  const { level, part, code } = entry;
  const keys = [keyOf(entry), [level, part, code].map(String).join('\u0000')];
  // Codes of libraries may be any text.
  return keys.find((key, at) => kinds.has(key) || kinds.size < maxKinds * (at + 1)) ?? level;
}

function keyOf({ level, part, source, batchId, code, msg }: LogEntry): string {
  return [level, part, source, batchId, code, msg.replace(/\d+/g, '#').slice(0, 200)]
    .map(String)
    .join('\u0000');
}
