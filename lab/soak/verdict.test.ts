import { expect, it } from 'vitest';
import { drawChart } from './chart.ts';
import type { Sample } from './samples.ts';
import { growthOf } from './verdict.ts';

/** An hour, a sample each minute. */
function hour(residentMb: (minute: number) => number | undefined): Sample[] {
  return Array.from({ length: 60 }, (_, minute) => {
    const memory = residentMb(minute);
    const runtime = { pid: 1, residentMb: memory!, descriptors: 30, series: 200 };
    return { seconds: minute * 60, processes: memory === undefined ? {} : { runtime }, diskMb: minute };
  });
}

const memoryOf = (samples: Sample[]) => growthOf(samples).find(({ what }) => what === 'runtime: resident MB');

it('names a leak', () => {
  expect(memoryOf(hour((minute) => 100 + minute))).toMatchObject({ isTooMuch: true, before: 122 });
});

it('takes warming up, breathing and a restart for none', () => {
  expect(memoryOf(hour((minute) => (minute < 10 ? 80 + 5 * minute : 130)))?.isTooMuch).toBe(false);
  expect(memoryOf(hour((minute) => 120 + (minute % 2) * 10))?.isTooMuch).toBe(false);
  expect(memoryOf(hour((minute) => (minute === 40 ? undefined : 120)))?.isTooMuch).toBe(false);
});

it('says nothing of growth in a run that is too short to tell', () => {
  const short = hour((minute) => 100 + 5 * minute).slice(0, 25);
  expect(memoryOf(short)).toMatchObject({ isTooMuch: false });
  expect(memoryOf(short)).not.toHaveProperty('limit');
});

it('takes a gateway whose archive fills for none, and shows it', () => {
  expect(growthOf(hour(() => 100)).find(({ what }) => what === 'gateway: disk MB')).toMatchObject({
    isTooMuch: false,
    perHour: 60,
  });
});

it('draws lines that end where a process was down, and the faults', () => {
  const svg = drawChart(
    hour((minute) => (minute === 30 ? undefined : 100)),
    [{ seconds: 90, name: 'network cut' }],
  );
  expect(svg.match(/<polyline/g)).toHaveLength(5);
  expect(svg).toContain('<title>network cut</title>');
  expect(svg).not.toMatch(/NaN|undefined/);
});
