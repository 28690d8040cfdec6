import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';

export interface Machine {
  readonly text: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGB: number;
  readonly node: string;
  /** Over the last minute, before anything ran: how busy others kept the machine. */
  readonly load: number;
}

export function describeMachine(): Machine {
  const cpu = cpus()[0]?.model.trim() || modelFromProc() || 'unknown processor';
  const facts = {
    cores: cpus().length,
    cpu,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    load: Number(loadavg()[0]!.toFixed(2)),
  };
  const text =
    `${facts.cores} cores ${arch()} (${cpu}), ${facts.memoryGB} GB, ${platform()} ${release()}, ` +
    `Node ${facts.node}, load ${facts.load} before the run`;
  return { text, ...facts };
}

function modelFromProc(): string | undefined {
  return /^Model\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
}
