// The serial bus of the plant: the RTU server, with a serial port before it where one is asked for. Unplugging
// takes the port away and cuts what is connected, as pulling a USB adapter does.
import type { Device } from './device.ts';
import { openSerialPort, type SerialPort } from './rtu-pty.ts';
import { startRtuServer } from './rtu-server.ts';

export interface SerialBusOptions {
  /** RTU over TCP; 0, the default, takes a free port. */
  readonly port?: number | undefined;
  /** Where the serial port (a link to a pseudo terminal) is to appear. Absent: none. Needs socat. */
  readonly path?: string | undefined;
  /** Paces the bus; 0, the default: as fast as it goes. */
  readonly baud?: number | undefined;
  /** Default 20: what comes through a pseudo terminal may stall longer than 3.5 characters. */
  readonly silenceMs?: number | undefined;
}

export interface SerialBus {
  readonly info: { readonly port: number; readonly path?: string };
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

// The serial port's own connection, and a few that speak RTU over TCP.
const maxConnections = 8;

export async function startSerialBus(
  device: Device,
  host: string,
  options: SerialBusOptions,
): Promise<SerialBus> {
  const { port = 0, path, baud = 0, silenceMs = 20 } = options;
  const server = await startRtuServer(device, { host, port, maxConnections, baud, silenceMs });
  let serialPort: SerialPort | undefined;
  const bus: SerialBus = {
    info: { port: server.port, ...(path === undefined ? {} : { path }) },
    async unplug() {
      await serialPort?.close();
      serialPort = undefined;
      await server.unplug();
    },
    async plug() {
      await server.plug();
      if (path !== undefined) serialPort ??= await openSerialPort(path, server.port);
    },
  };
  try {
    await bus.plug();
  } catch (error) {
    await bus.unplug();
    throw error;
  }
  return bus;
}
