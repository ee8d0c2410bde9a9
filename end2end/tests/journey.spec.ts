import { PlanEditor } from '../pages/plan-editor';
import { ReportPage } from '../pages/report-page';
import { RunPage, type Second } from '../pages/run-page';
import { expect, test } from '../support/fixtures';
import { plan } from '../support/plans';

/** A run with simulated engines takes seconds of measuring and of starting engines. */
const RUN_LIMIT_MS = 120_000;

test('from the form to a report that a stranger reads by its link', async ({ page, browser, baseURL }) => {
  test.setTimeout(240_000);

  // Fill the form: a pasted plan, then changes in fields.
  const editor = new PlanEditor(page);
  await editor.open();
  await editor.yaml.fill(plan('short'));
  await expect(editor.field('Model')).toHaveValue('demo/simulated-8b');
  await editor.enter('Model', 'demo/journey-8b');
  await editor.enter('Name of scenario 1', 'conversation');
  await editor.enter('Requests per measurement', '40');
  await expect.poll(() => editor.valueInText('name')).toBe('demo/journey-8b');
  await expect.poll(() => editor.valueInText('num_prompts')).toBe('40');
  await expect.poll(() => editor.valueInText('scenario_names')).toBe('[conversation]');
  await expect(editor.note).toHaveText('2 candidates, 2 measurements');
  await editor.start.click();

  // Watch it: distinct seconds arrive while it is measuring.
  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/);
  const run = new RunPage(page);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('journey-8b · 1×H100 · conversation');
  const watched = await watchSeconds(run, 5);
  await expect(run.status('completed')).toBeVisible({ timeout: RUN_LIMIT_MS });

  // What was watched is what was stored. The seconds of the drain may be stored beyond what was watched.
  const stored = await run.storedSeries(watched.measurement);
  for (const second of watched.seconds) expect(stored).toContainEqual(second);

  // The log of an engine can be read.
  await run.launch.selectOption({ index: 1 });
  await expect(run.log).not.toBeEmpty();

  await run.report.click();
  const report = new ReportPage(page);
  await expect(report.winners).toHaveCount(1);
  await expect(report.winners.getByText('simulated', { exact: true })).toBeVisible();
  expect(await report.charts.count()).toBeGreaterThanOrEqual(2);
  if ((await report.winners.first().getAttribute('data-state')) === 'winner') {
    await expect(report.winners.first()).toContainText('SGLang wins conversation');
    await expect(report.winners.locator('#command-0')).toContainText('podium sim sglang');
    await expect(report.best).toHaveCount(1);
  } else {
    // Where the machine is busy with other work the client measures itself, and says so instead of naming a winner.
    await expect(report.winners.first()).toContainText('with a valid measurement');
    await expect(report.notSelected).toContainText('invalid');
  }
  await expect(report.caveats.filter({ hasText: 'Simulated' })).toHaveCount(1);

  await page.screenshot({ path: `${process.env.PODIUM_E2E_OUTPUT ?? '.'}/screenshots/report.png` });

  await report.createLink.click();
  await expect(report.newLink).toHaveText(/^http:\/\/.*\/r\/[0-9a-f]{64}$/);
  const link = await report.newLink.innerText();
  expect(link.startsWith(baseURL!)).toBe(true);

  // A stranger: another browser context, which shares nothing with this one.
  const context = await browser.newContext();
  const stranger = await context.newPage();
  const answer = await stranger.goto(link);
  expect(answer!.headers()['x-robots-tag']).toContain('noindex');
  expect(answer!.headers()['referrer-policy']).toBe('no-referrer');
  const shared = new ReportPage(stranger);
  await expect(stranger.getByRole('heading', { level: 1 })).toHaveText('journey-8b · 1×H100 · conversation');
  await expect(shared.winners).toHaveCount(1);
  expect(await shared.charts.count()).toBeGreaterThanOrEqual(2);
  await expect(shared.createLink).toHaveCount(0);
  await expect(stranger.locator('a[href^="/"]:not([href^="/r/"])')).toHaveCount(0);
  await context.close();

  // A revoked link shows nothing.
  await page.reload();
  await expect(report.shares).toHaveCount(1);
  await report.shares.getByRole('button', { name: 'Revoke' }).click();
  await expect(report.shares.first()).toHaveAttribute('data-state', 'revoked');
  expect((await page.request.get(link)).status()).toBe(404);
});

test('a run is cancelled from its page', async ({ page }) => {
  test.setTimeout(120_000);
  const editor = new PlanEditor(page);
  await editor.open();
  await editor.yaml.fill(plan('short'));
  await editor.start.click();
  const run = new RunPage(page);
  await run.cancel.click();
  await expect(run.status('cancelled')).toBeVisible({ timeout: 60_000 });
  await expect(run.cancel).toHaveCount(0);
});

test('a lost connection shows, heals, and loses no second', async ({ page, problems }) => {
  test.setTimeout(120_000);
  const editor = new PlanEditor(page);
  await editor.open();
  await editor.yaml.fill(plan('short'));
  const events = '**/runs/*/events?*';
  await page.route(events, (route) => route.abort());
  await editor.start.click();
  const run = new RunPage(page);
  await expect(run.live.getByText('Connection lost')).toBeVisible();
  await page.unroute(events);
  await expect(run.live.getByText('Live', { exact: true })).toBeVisible();
  const watched = await watchSeconds(run, 5);
  const numbers = watched.seconds.map((second) => second.t);
  expect(numbers).toEqual(numbers.map((_, index) => numbers[0] + index));
  expect(numbers[0]).toBe(0);
  // The browser tells of the connection as well; nothing else complained.
  expect(problems.filter((problem) => !problem.includes('ERR_FAILED'))).toEqual([]);
  problems.length = 0;
  await run.cancel.click();
});

/** Watches until one measurement has shown this many seconds while it was being taken. */
async function watchSeconds(run: RunPage, count: number): Promise<{ measurement: string; seconds: Second[] }> {
  await expect(run.live).toBeVisible();
  const seen = new Map<string, Second[]>();
  await expect
    .poll(
      async () => {
        const { state, measurement, seconds } = await run.liveState();
        if (state === 'measuring' && seconds.length > (seen.get(measurement)?.length ?? 0)) {
          seen.set(measurement, seconds);
        }
        return Math.max(0, ...[...seen.values()].map((seconds) => seconds.length));
      },
      { timeout: RUN_LIMIT_MS, intervals: [250] },
    )
    .toBeGreaterThanOrEqual(count);
  const [measurement, seconds] = [...seen].find(([, seconds]) => seconds.length >= count)!;
  expect(new Set(seconds.map((second) => second.t)).size).toBe(seconds.length);
  return { measurement, seconds };
}
