// Talking to the control ports of the demo's processes: JSON over loopback, never waiting for long.

const limitMs = 5000;

/** @throws Error that names the address when there is no answer, or one that is not 2xx. */
export async function getJson<T>(url: string): Promise<T> {
  return (await ask(url)).json() as Promise<T>;
}

export async function postJson<T>(url: string, body: object = {}): Promise<T> {
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  return (await ask(url, request)).json() as Promise<T>;
}

/** @throws as `getJson`. */
export async function getText(url: string): Promise<string> {
  return (await ask(url)).text();
}

/** One JSON value a line. */
export async function getLines<T>(url: string): Promise<T[]> {
  const text = await getText(url);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(limitMs) });
  } catch (cause) {
    throw new Error(`no answer from ${url}`, { cause });
  }
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
  return response;
}
