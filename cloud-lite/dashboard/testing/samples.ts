// An hour of samples with an outage in it, for pictures: nobody waits an hour for a plot.
import type { TrendSample } from '../../http/trend.ts';

const intervalMs = 5000;
const count = 720;

/** Data is late from the 400th sample on, for 80 samples, and is then sent all at once. */
export function outageSamples(now: number): { intervalMs: number; samples: readonly TrendSample[] } {
  let readings = 100_000;
  const samples = Array.from({ length: count }, (_, i): TrendSample => {
    const out = i >= 400 && i < 480;
    const back = i >= 480 && i < 510;
    readings += out ? 60 : back ? 1500 : 620 + Math.round(40 * Math.sin(i / 7));
    const lateMs = out ? (i - 400) * intervalMs : back ? (510 - i) * 13_000 : 0;
    return {
      at: now - (count - 1 - i) * intervalMs,
      messages: 0,
      readings,
      openGaps: 0,
      openRequests: 0,
      behindMs: 700 + 200 * Math.sin(i / 3),
      ageMs: 6000 + 500 * Math.cos(i / 4) + lateMs / 3,
      worstAgeMs: 9500 + 800 * Math.cos(i / 5) + lateMs,
    };
  });
  return { intervalMs, samples };
}
