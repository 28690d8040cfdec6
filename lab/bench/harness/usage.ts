// What a process used, as the kernel counts it.
import { readFileSync } from 'node:fs';

/** Processor time of this process so far, all threads, user and system, in microseconds. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Of another process; Linux counts it in ticks of 10 ms. */
export function cpuMicrosOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Anonymous resident memory: heap and buffers, but no mapped files, which the kernel can drop at will. */
export function anonymousMB(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** All resident memory of this process, mapped files included. */
export function residentMB(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
