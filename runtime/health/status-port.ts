// The status server as configured: none, one, or another after a reload. It is a convenience: where the port is
// taken, the module says so and works on without it.
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { type StatusAnswers, type StatusServer, startStatusServer } from './status-server.ts';

export interface StatusPort {
  /** Serves there from now on; without a port nowhere. Never rejects. */
  listen(address: { readonly host: string; readonly port: number | undefined }): Promise<void>;
  readonly port: number | undefined;
  close(): Promise<void>;
}

export function createStatusPort(options: StatusAnswers & { readonly log: Log }): StatusPort {
  const { log, ...answers } = options;
  let server: StatusServer | undefined;
  const close = async () => {
    const old = server;
    server = undefined;
    await old?.close();
  };
  return {
    async listen({ host, port }) {
      await close();
      if (port === undefined) return;
      try {
        server = await startStatusServer({ host, port, ...answers });
      } catch (error) {
        log.error(
          { code: codeOf(error, 'status-port'), reason: describeError(error) },
          'the status port cannot be opened: no status over HTTP',
        );
      }
    },
    get port() {
      return server?.port;
    },
    close,
  };
}
