// Habits of real devices, for a while: equipment that closes connections, is deaf at first, or takes little in a request.
import { getJson, postJson } from './http-json.ts';

export interface Habits {
  /** For people. */
  readonly title: string;
  begin(): Promise<void>;
  end(): Promise<void>;
  /** Grows while they are felt. */
  felt(): Promise<number>;
}

/** Of the plant's units on Modbus TCP: 1 closes after each answer, 2 is deaf at first, 3 closes when idle. */
export function modbusHabits(control: string): Habits {
  const units = {
    1: { habits: { closesAfterAnswer: true } },
    2: { habits: { deafMs: 700 } },
    3: { habits: { closesIdleMs: 100 } },
  };
  return {
    title: 'Modbus units close connections, or are deaf at first',
    async begin() {
      await postJson(`${control}/faults`, { units });
      // Who is connected already would not notice that one is deaf.
      await postJson(`${control}/drop`);
    },
    end: () => postJson(`${control}/faults`, { units: null }),
    felt: async () => (await getJson<{ readonly accepted: number }>(`${control}/state`)).accepted,
  };
}
