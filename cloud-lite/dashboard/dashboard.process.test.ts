// The dashboard in a real browser, over a real API and ledger.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { missingPrograms } from '../../test/support/programs.ts';
import { type Browser, keepPicture, openBrowser, type Page } from './testing/browser.ts';
import { type Fixture, fillFleet, startFixture, token } from './testing/fixture.ts';
import { outageSamples } from './testing/samples.ts';

const phone = { width: 360, height: 740 };

describe.skipIf(missingPrograms('chromium'))('the dashboard', () => {
  let fixture: Fixture;
  let browser: Browser;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    [fixture, browser] = await Promise.all([startFixture(fillFleet), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await fixture?.close();
  });
  beforeEach(async () => {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 860 },
      colorScheme: 'light',
      timezoneId: 'Europe/Berlin',
    });
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
    faults = [];
    page.on('pageerror', (error) => faults.push(error.stack ?? error.message));
    page.on('console', (message) => {
      // Whatever its policy forbids the page is told there.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
        faults.push(message.text());
    });
  });
  afterEach(async () => {
    await page.context().close();
    expect(faults).toEqual([]);
  });

  const openFleet = async () => {
    await page.goto(fixture.url);
    await page.getByRole('row', { name: /press-04/ }).waitFor();
  };
  const openStream = async (name: string) => {
    await openFleet();
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await page.getByText(/^In view:/).waitFor();
  };
  const timeline = () => page.getByRole('slider', { name: /Timeline/ });
  const shown = () => timeline().getAttribute('aria-valuetext');
  const widthOfPage = () => page.evaluate<number>('document.documentElement.scrollWidth');
  // biome-ignore lint/suspicious/noExplicitAny: an answer to look at
  const api = async (path: string): Promise<any> => (await fetch(`${fixture.url}api/${path}`)).json();

  test('shows the fleet, the worst first, each state by a word; in light and in dark', async () => {
    await page.route('**/api/trend', (route) => route.fulfill({ json: outageSamples(Date.now()) }));
    await openFleet();
    await page.locator('.plot canvas').nth(1).waitFor();
    const states = await page.locator('table.fleet .badge').allInnerTexts();
    expect(states.slice(0, 6)).toEqual(['Missing', 'Missing', 'Lost', 'Lost', 'Silent', 'Repairing']);
    expect(await page.getByRole('row', { name: /boiler-west/ }).innerText()).toMatch(
      /8\d\.\d %\s+11 min missing/,
    );
    await page.getByRole('img', { name: /boiler-west, last hour: missing 1\d %/ }).waitFor();
    await keepPicture(page, 'fleet');
    const light = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await ground()).not.toBe(light);
    await keepPicture(page, 'fleet-dark');

    await page.getByRole('button', { name: /Missing/ }).click();
    await expect.poll(() => page.locator('table.fleet tbody tr').count()).toBe(2);
    await page.getByRole('searchbox').fill('BOILER');
    await expect.poll(() => page.locator('table.fleet tbody tr').count()).toBe(1);
  });

  test('keeps what is chosen in its address, and says in its title where one is', async () => {
    await openFleet();
    expect(await page.title()).toBe('Fleet · Holdfast');
    await page.getByRole('button', { name: /Missing/ }).click();
    await page.getByRole('searchbox').fill('boiler');
    await page.getByLabel('Period').selectOption('Last day');
    await expect.poll(() => page.locator('table.fleet tbody tr').count()).toBe(1);
    await page.reload();
    await expect.poll(() => page.locator('table.fleet tbody tr').count()).toBe(1);
    expect(await page.getByRole('searchbox').inputValue()).toBe('boiler');
    await page.getByRole('link', { name: 'boiler-west' }).click();
    await page.getByText(/^In view:/).waitFor();
    expect(await page.title()).toBe('boiler-west · boiler-house / m · Holdfast');
    await page.getByRole('button', { name: '5 min', exact: true }).click();
    await expect.poll(() => page.url()).toMatch(/\?from=\d+&to=\d+$/);
    const part = await shown();
    await page.reload();
    await page.getByText(/^In view:/).waitFor();
    expect(await shown()).toBe(part);
    // Times in UTC, by choice, and back.
    await page.getByRole('button', { name: /^Times: Europe\/Berlin/ }).click();
    await page.getByText(/Times are UTC/).waitFor();
    await page.getByRole('button', { name: /^Times: UTC/ }).click();
    await page.getByText(/Times are Europe\/Berlin/).waitFor();
  });

  test('shows one stream on a timeline that zooms, moves and says what is where', async () => {
    await openStream('press-04');
    const all = await shown();
    const box = (await timeline().boundingBox())!;
    // What was backfilled 42 to 36 minutes ago, of the hour shown with a margin of 4 % on both sides.
    const share = (21 / 60 + 0.04) / 1.08;
    await page.mouse.move(box.x + box.width * share, box.y + 10);
    await page.getByText('backfilled', { exact: true }).waitFor();
    await page.mouse.wheel(0, -900);
    expect(await shown()).toBe(all);
    await page.mouse.click(box.x + box.width * share, box.y + 10);
    await page.mouse.wheel(0, -900);
    await expect.poll(shown).not.toBe(all);
    await page.getByText('In view: 100 % complete').waitFor();
    await keepPicture(page, 'stream-zoomed');
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await page.getByText(/In view: 9\d\.\d+ % complete/).waitFor();
    await keepPicture(page, 'stream');
    await page.emulateMedia({ colorScheme: 'dark' });
    await keepPicture(page, 'stream-dark');
  });

  test('waives, requests and cancels after a confirmation, and asks for the token once', async () => {
    await openStream('scale-log');
    const requests = async () => (await api('requests?batchId=scale-log&state=open')).requests;
    await page.getByRole('button', { name: /^Request 48,000/ }).click();
    const dialog = page.getByRole('dialog', { name: 'Request this range again' });
    await dialog.getByLabel('Bearer token').fill('not-the-token-at-all');
    await dialog.getByRole('button', { name: 'Request', exact: true }).click();
    await dialog.getByText('That is not the detector’s token.').waitFor();
    expect(await requests()).toEqual([]);
    await dialog.getByLabel('Bearer token').fill(token);
    await keepPicture(page, 'request-with-token', 'window');
    await dialog.getByRole('button', { name: 'Request', exact: true }).click();
    await page.getByText('1 request made').waitFor();
    expect(await requests()).toMatchObject([
      { origin: 'person', start: 48_000, end: 48_200, state: 'pending' },
    ]);

    // Not asked again, nor after the page was loaded anew.
    await page.reload();
    await page.getByRole('button', { name: /^Cancel the request for 48,000/ }).click();
    const cancel = page.getByRole('dialog', { name: 'Cancel this request' });
    expect(await cancel.getByLabel('Bearer token').count()).toBe(0);
    await cancel.getByLabel('Reason').fill('the scale was out of use');
    await cancel.getByRole('button', { name: 'Cancel the request' }).click();
    await page.getByText('Asked for no more').waitFor();
    expect(await requests()).toEqual([]);

    await page.getByRole('button', { name: /^Waive 48,000/ }).click();
    const waive = page.getByRole('dialog', { name: 'Accept what is missing as lost' });
    await waive.getByLabel('Reason').fill('the scale was out of use');
    await waive.getByRole('button', { name: 'Waive', exact: true }).click();
    await page.getByText('100 % accounted', { exact: true }).waitFor();
    await keepPicture(page, 'waived', 'window');
    expect((await api('streams?batchId=scale-log')).streams[0].waived).toEqual([[48_000, 48_200]]);
  });

  test('says what was lost, and sends a test alert', async () => {
    await openFleet();
    await page.getByText('5 min 30 s', { exact: true }).waitFor();
    await page.getByText('no history', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Send a test alert' }).click();
    const dialog = page.getByRole('dialog', { name: 'Send a test alert' });
    await dialog.getByLabel('Bearer token').fill(token);
    await dialog.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByText('a test by a person: nothing is wrong').waitFor();
    expect((await api('alerts?limit=1')).alerts[0].kind).toBe('test');
  });

  test('names the kind of each alert, and what was set aside in a place of its own, with what mends it', async () => {
    await page.route('**/api/summary', async (route) => {
      const response = await route.fetch();
      const summary = await response.json();
      await route.fulfill({
        response,
        json: { ...summary, setAside: { 'rule-action': 3, 'implausible-time': 2 } },
      });
    });
    await openFleet();
    await page.getByText('stream silent stream tank-7').waitFor();
    const figure = page.locator('.figure', { hasText: 'Set aside' });
    expect((await figure.innerText()).split('\n')).toEqual([
      'Set aside',
      '5',
      'rule action, implausible time',
    ]);
    expect(await page.locator('.figure', { hasText: 'Duplicates' }).innerText()).not.toContain('aside');
    await page
      .getByText(/3 messages that rules sent to other modules came here.*outputs\/telemetry INTO/)
      .waitFor();
    await keepPicture(page, 'set-aside');
  });

  test('says of a rule’s stream where its rows are', async () => {
    await page.route(/\/api\/streams\/\d+$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), batchId: 'rule:hot' } });
    });
    await openFleet();
    await page.getByRole('link', { name: 'press-04', exact: true }).click();
    await page.getByRole('heading', { name: 'Rows of the rule' }).waitFor();
    await page.getByText('holdfast spool export DIR --stream rule:hot').waitFor();
    await keepPicture(page, 'rule-stream', 'window');
  });

  test('offers no choice of zones where the browser’s is UTC', async () => {
    const context = await browser.newContext({ timezoneId: 'UTC' });
    const other = await context.newPage();
    await other.goto(fixture.url);
    await other.getByText('UTC', { exact: true }).waitFor();
    expect(await other.getByRole('button', { name: /^Times:/ }).count()).toBe(0);
    await context.close();
  });

  test('saves as CSV what the list shows', async () => {
    await openFleet();
    await page.getByRole('button', { name: /Missing/ }).click();
    const states = async () => new Set(await page.locator('table.fleet .badge').allInnerTexts());
    await expect.poll(states).toEqual(new Set(['Missing']));
    const shown = await page.locator('table.fleet tbody tr').count();
    const href = await page.getByRole('link', { name: 'CSV' }).getAttribute('href');
    const csv = await (await fetch(new URL(href!, fixture.url))).text();
    expect(csv.trim().split('\r\n')).toHaveLength(1 + shown);
  });

  test('works by keyboard alone, and the focus is never lost', async () => {
    await openFleet();
    await page.keyboard.press('/');
    await page.keyboard.type('boiler-west');
    await expect.poll(() => page.locator('table.fleet tbody tr').count()).toBe(1);
    await tabTo('a', 'boiler-west');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'boiler-west' }).waitFor();
    await page.getByText(/^In view:/).waitFor();
    await tabTo('div', '');
    const all = await shown();
    await page.keyboard.press('+');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(shown).not.toBe(all);
    await page.keyboard.press('0');
    await expect.poll(shown).toBe(all);
    await tabTo('button', 'Waive');
    const outline = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineWidth');
    expect(Number.parseFloat(outline)).toBeGreaterThanOrEqual(2);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.type('looked at by hand');
    await keepPicture(page, 'keyboard', 'window');
    // Enter in a field confirms: without a token nothing is sent, and the field that lacks it has the focus.
    await page.keyboard.press('Enter');
    expect(await focused()).toMatch(/^input/);
    expect(await page.getByRole('dialog').count()).toBe(1);
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await focused()).toMatch(/^button Waive/);
    expect((await api('streams?batchId=boiler-west')).streams[0].waived).toEqual([]);
  });

  test('shows the fleet by configuration and its gateways, the worst first, by tag and state', async () => {
    await page.goto(`${fixture.url}#/gateways`);
    await page.getByRole('row', { name: /press-hall-1/ }).waitFor();
    const states = await page.locator('table.gateways .badge').allInnerTexts();
    expect(states.slice(0, 5)).toEqual(['Refused', 'Trouble', 'Offline', 'Not known', 'Well']);
    const configurations = page.locator('table.configurations');
    expect(await configurations.getByRole('row', { name: /91bc4a5d/ }).innerText()).toMatch(
      /22 applied[\s\S]*23/,
    );
    expect(await configurations.getByRole('row', { name: /3f0a77c1/ }).innerText()).toMatch(
      /1 taken back, 1 on trial/,
    );
    await page.getByLabel('Group by').selectOption('ring');
    await configurations.getByRole('columnheader', { name: 'ring' }).waitFor();
    await expect.poll(() => configurations.locator('tbody tr').count()).toBe(4);
    await keepPicture(page, 'gateways');
    await page.emulateMedia({ colorScheme: 'dark' });
    await keepPicture(page, 'gateways-dark');
    await page.setViewportSize({ width: 780, height: 860 });
    const cut = await page
      .locator('table.gateways thead th')
      .evaluateAll((all) =>
        all.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent),
      );
    expect(cut).toEqual([]);
    expect(await widthOfPage()).toBeLessThanOrEqual(780);
    await page.setViewportSize(phone);
    expect(await configurations.locator('tbody tr').first().innerText()).toMatch(/runs on\s+\d/);
    await page.setViewportSize({ width: 1280, height: 860 });
    await page.getByLabel('Tag site').selectOption('hall-1');
    await expect.poll(() => page.locator('table.gateways tbody tr').count()).toBe(2);
    await page.reload();
    await expect.poll(() => page.locator('table.gateways tbody tr').count()).toBe(2);
    expect(await page.title()).toBe('Gateways · Holdfast');
    await page.getByRole('button', { name: /^Refused/ }).click();
    await expect.poll(() => page.locator('table.gateways tbody tr').count()).toBe(1);
  });

  test('shows one gateway: what it told, what is wrong, its streams', async () => {
    await page.goto(`${fixture.url}#/gateways`);
    await page.getByRole('link', { name: 'boiler-house', exact: true }).click();
    await page.getByRole('heading', { name: 'boiler-house' }).waitFor();
    await page.getByText('1 of 2 sources not connected: boiler-east (modbus-timeout)').waitFor();
    await page.getByText('messages, for 42 min, 310 MB stored').waitFor();
    await page.getByText('3.9 GB', { exact: true }).waitFor();
    await page.getByText(/It told this 2 h ago; the hub was asked .* ago; the hub says connected/).waitFor();
    await page.getByRole('link', { name: 'boiler-west', exact: true }).waitFor();
    await keepPicture(page, 'gateway');
    await page.setViewportSize(phone);
    expect(await widthOfPage()).toBeLessThanOrEqual(phone.width);
    await keepPicture(page, 'gateway-phone');
    await page.goto(`${fixture.url}#/gateways?by=ring`);
    await page.locator('table.configurations tbody tr').nth(3).waitFor();
    expect(await widthOfPage()).toBeLessThanOrEqual(phone.width);
    await keepPicture(page, 'gateways-phone');
    await page.goto(`${fixture.url}#/gateways/press-hall-1/m`);
    await page.getByText(/press-04 had a connection with the former settings/).waitFor();
    await page.goto(`${fixture.url}#/gateways/yard/m`);
    await page
      .getByText(/The hub found it not connected at .* What it told is as of .*: it may not hold any more/)
      .waitFor();
    expect(await page.locator('.figures.stale').count()).toBe(1);
    await page.getByRole('heading', { name: /^Sources, as of / }).waitFor();
    await page.goto(`${fixture.url}#/gateways/nobody/m`);
    await page.getByText('No gateway nobody/m is known.').waitFor();
  });

  test('never shows a gateway greener than it is known: without an answer of the hub it says since when', async () => {
    const now = Date.now();
    await fixture.database.query('update twin_reading set failing_since = $1, problem = $2, ended_at = $3', [
      now - 1_800_000,
      'no route to the hub',
      now - 1_900_000,
    ]);
    await fixture.database.query('update gateway set read_at = $1', [now - 1_900_000]);
    await page.goto(`${fixture.url}#/gateways`);
    await page.getByText(/The hub gives no answer about gateways for 30 min: no route to the hub/).waitFor();
    expect(await page.getByRole('button', { name: /^Well/ }).innerText()).toMatch(/Well\s*0/);
    expect(await page.getByRole('button', { name: /^Not known/ }).innerText()).toMatch(/22/);
    expect(await page.locator('table.configurations').innerText()).not.toContain('applied');
    await keepPicture(page, 'gateways-unknown');
  });

  test('fits a phone', async () => {
    await page.setViewportSize(phone);
    await openFleet();
    await page.locator('.plot canvas').nth(1).waitFor();
    expect(await widthOfPage()).toBeLessThanOrEqual(phone.width);
    await keepPicture(page, 'fleet-phone');
    await page.getByRole('link', { name: 'boiler-west', exact: true }).click();
    await page.getByText(/^In view:/).waitFor();
    expect(await widthOfPage()).toBeLessThanOrEqual(phone.width);
    await keepPicture(page, 'stream-phone');
    await page.getByRole('button', { name: 'Request a range …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('From').fill('yesterday');
    await dialog.getByText('Needs two times like').waitFor();
    expect((await dialog.boundingBox())!.width).toBeLessThanOrEqual(phone.width);
    await keepPicture(page, 'dialog-phone', 'window');
  });

  test('shows what arrives while one looks, and nothing jumps', async () => {
    await page.addInitScript(`
      window.shifted = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shifted += entry.value;
      }).observe({ type: 'layout-shift' });
    `);
    await openFleet();
    await page.getByText('Live', { exact: true }).waitFor();
    const readings = async () => {
      const row = await page.getByRole('row', { name: /feedwater/ }).innerText();
      return Number(/([\d,]+) readings/.exec(row)![1]!.replaceAll(',', ''));
    };
    const before = await readings();
    const shiftBefore = await shift();
    const started = Date.now();
    await fixture.arrive([
      {
        device: 'boiler-house',
        stream: 'feedwater',
        index: 'time',
        // It touches what is there.
        start: started - 600_000,
        end: started,
        readings: 777,
      },
    ]);
    await expect.poll(readings, { timeout: 90_000 }).toBe(before + 777);
    // The page asks by itself each 10 s: this came by the stream of changes.
    expect(Date.now() - started).toBeLessThan(9500);
    expect((await shift()) - shiftBefore).toBeLessThan(0.01);
    await keepPicture(page, 'live');
  });

  test('keeps what it knows while the detector is away, says since when, and comes back by itself', async () => {
    await openFleet();
    await page.getByText('Live', { exact: true }).waitFor();
    await fixture.goAway();
    await page
      .getByRole('alert')
      .getByText(/does not answer/)
      .waitFor();
    await page.getByText(/What you see was true at \d\d:\d\d:\d\d/).waitFor();
    expect(await page.locator('table.fleet tbody tr').count()).toBe(12);
    await keepPicture(page, 'away', 'window');
    await fixture.comeBack();
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 90_000 });
    expect(await page.getByText(/does not answer/).count()).toBe(0);
    await keepPicture(page, 'back');
  });

  test('says what to check while there is no stream, and shows the first one when it comes', async () => {
    await fixture.empty();
    const answer = await page.goto(fixture.url);
    expect(answer!.headers()['content-security-policy']).toContain("default-src 'none'");
    await page.getByRole('heading', { name: 'No stream yet' }).waitFor();
    await page.getByText('No partition has been read yet').waitFor();
    await keepPicture(page, 'empty');
    const now = Date.now();
    await fixture.arrive([{ device: 'd', stream: 'first-one', index: 'time', start: now - 9000, end: now }]);
    await page.getByRole('link', { name: 'first-one' }).waitFor();
  });

  // As text: what runs in the page has the page's types, not the tests'.
  const shift = () => page.evaluate<number>('window.shifted');
  const ground = () => page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
  const focused = () =>
    page.evaluate<string>(
      "document.activeElement.tagName.toLowerCase() + ' ' + (document.activeElement.innerText ?? '')",
    );

  /** Presses Tab until the focus is there; what it passes is what a person would pass. */
  async function tabTo(tag: string, text: string): Promise<void> {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      if ((await focused()).startsWith(`${tag} ${text}`)) return;
    }
    throw new Error(`no ${tag} ${text} is reached by Tab`);
  }
});
