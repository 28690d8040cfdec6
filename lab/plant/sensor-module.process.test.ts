// The lab's sensor module over outages of its hub: its readings go on, and so do the commands that it hears.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Hub, startHub } from '../hub/hub.ts';
import { type Sensor, startSensor } from './sensor-module.ts';
import { sensorControl } from './sensor-site.ts';

let hub: Hub;
let sensor: Sensor;

beforeEach(async () => {
  hub = await startHub();
  sensor = await startSensor({
    connectionString: hub.deviceConnectionString('gateway', 'sensor'),
    caFile: hub.caFile,
    seed: 1,
    scanMs: 50,
  });
});
afterEach(async () => {
  await sensor?.stop();
  await hub?.stop();
});

const resets = async (): Promise<readonly { id: string }[]> => {
  const answer = await fetch(`http://127.0.0.1:${sensor.info.controlPort}/state`);
  const { units } = (await answer.json()) as { units: Record<string, { resets: { id: string }[] }> };
  return Object.values(units).flatMap((unit) => unit.resets);
};
const command = (messageId: string) =>
  hub.deliver('gateway', 'sensor', { messageId, input: sensorControl, body: '{"command":"reset"}' });
const hears = async (id: string) => {
  // What goes out on a connection that is about to end is lost: it is said again, as a rule does.
  await expect
    .poll(
      async () => {
        command(id);
        return (await resets()).map((reset) => reset.id);
      },
      { timeout: 60_000, interval: 500 },
    )
    .toContain(id);
};
const grows = async () => {
  const before = hub.events(0, 100_000).length;
  await expect.poll(() => hub.events(0, 100_000).length, { timeout: 60_000 }).toBeGreaterThan(before);
};

test('it hears commands again after its connection was cut, after a hub that refused, and after a restart', async () => {
  await hears('first');
  hub.drop(true);
  await grows();
  await hears('dropped');
  await hub.setFaults({ refuse: true });
  hub.drop(true);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await hub.clearFaults();
  await grows();
  await hears('refused');
  await hub.restart({ downMs: 500 });
  await grows();
  await hears('restarted');
});
