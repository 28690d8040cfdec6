// Direct methods by the hub's REST call. The published service client is fixed to one port, and none of
// its timeouts takes effect; a fetch with an abort signal has neither trouble.
// https://learn.microsoft.com/rest/api/iothub/service/modules/invoke-method
import { cutText } from '../../kernel/text.ts';
import type { HubMethods, MethodOutcome, MethodTarget } from './hub-methods.ts';
import type { HubRest } from './hub-rest.ts';

/** How long the module may take: whole seconds from 5 to 300 (the hub's bounds). */
const responseTimeoutInSeconds = 10;
/** Beyond the module's own time: for the hub and the way there. */
const graceMs = 10_000;
/** The hub's limit for a method's answer is 128 KiB. */
const maxBytes = 256 * 1024;

export function createRestHubMethods(hub: HubRest): HubMethods {
  return {
    async call(target, method, payload, signal) {
      const body = { methodName: method, payload, responseTimeoutInSeconds, connectTimeoutInSeconds: 0 };
      const timeoutMs = responseTimeoutInSeconds * 1000 + graceMs;
      const answer = await hub.post(methodPath(target), body, { timeoutMs, maxBytes, signal });
      if (answer.kind === 'failed') return { kind: 'hub-failed', detail: answer.detail };
      if (answer.kind !== 'answered') return answer;
      const { status, text, detail } = answer;
      if (status === 200) return readAnswer(text);
      // 404 is both: not online, and not known to the hub. 504: the module did not answer in time.
      return { kind: status === 404 || status === 504 ? 'unreachable' : 'hub-failed', detail };
    },
  };
}

function methodPath({ deviceId, moduleId }: MethodTarget): string {
  const device = `/twins/${encodeURIComponent(deviceId)}`;
  return `${moduleId === '' ? device : `${device}/modules/${encodeURIComponent(moduleId)}`}/methods`;
}

function readAnswer(text: string): MethodOutcome {
  try {
    const { status, payload } = JSON.parse(text) as { status?: unknown; payload?: unknown };
    if (typeof status === 'number') return { kind: 'answered', status, payload };
  } catch {
    // Falls through to the same answer as JSON of another shape.
  }
  return { kind: 'hub-failed', detail: `the hub's answer is not a method result: ${cutText(text, 300)}` };
}
