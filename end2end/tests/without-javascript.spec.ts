import { PlanEditor } from '../pages/plan-editor';
import { ReportPage } from '../pages/report-page';
import { RunPage } from '../pages/run-page';
import { expect, test } from '../support/fixtures';
import { plan } from '../support/plans';

test.use({ javaScriptEnabled: false });

test('a run is started, read and shared', async ({ page, browser }) => {
  test.setTimeout(150_000);
  const editor = new PlanEditor(page);
  await page.goto('/plans/new');
  await expect(editor.field('Model')).toBeHidden();
  await editor.yaml.fill(plan('flow-check'));
  await editor.start.click();
  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/);

  const run = new RunPage(page);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('simulated-8b');
  await expect(run.live).toBeHidden();
  await expect(async () => {
    await page.reload();
    await expect(run.status('completed')).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 90_000, intervals: [1_000] });
  await expect(run.matrix.locator('tr[data-status="ok"]')).toHaveCount(1);

  // The list shows it under its labels.
  await page.goto('/');
  const line = page.locator('.run-line').first();
  await expect(line.getByText('flow check', { exact: true })).toBeVisible();
  await expect(line.getByText('simulated', { exact: true })).toBeVisible();
  await line.getByRole('link').first().click();

  await run.report.click();
  const report = new ReportPage(page);
  // A flow check names no winner; on a machine that is busy with other work there may be nothing to lead, either.
  await expect(report.winners.first()).toHaveAttribute('data-state', /^(flow-check|none)$/);
  expect(await report.charts.count()).toBeGreaterThanOrEqual(2);
  for (const extension of ['md', 'csv', 'json', 'html']) {
    const file = await page.request.get(`${page.url()}.${extension}`);
    expect(file.status(), extension).toBe(200);
    expect(file.headers()['content-disposition']).toContain(`.${extension}"`);
  }

  await report.createLink.click();
  const path = await page.getByRole('link', { name: 'Open it' }).getAttribute('href');
  expect(path).toMatch(/^\/r\/[0-9a-f]{64}$/);

  const context = await browser.newContext({ javaScriptEnabled: false });
  const stranger = await context.newPage();
  await stranger.goto(new URL(path!, page.url()).href);
  const shared = new ReportPage(stranger);
  await expect(shared.winners).toHaveCount(1);
  expect(await shared.charts.count()).toBeGreaterThanOrEqual(2);
  await expect(stranger.locator('a[href^="/"]:not([href^="/r/"])')).toHaveCount(0);
  await context.close();
});

test('a wrong plan comes back with every problem, and is not started', async ({ page, problems }) => {
  const editor = new PlanEditor(page);
  await page.goto('/plans/new');
  await editor.yaml.fill(plan('five-mistakes'));
  await editor.start.click();
  await expect(editor.problems).toHaveCount(5);
  // What was typed is still there.
  await expect(editor.yaml).toHaveValue(plan('five-mistakes'));
  // Chromium writes a line for any document that is not 200, and nothing else complained.
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain('400');
  problems.length = 0;
});

test('hosts tell what this machine has', async ({ page }) => {
  await page.goto('/hosts');
  await expect(page.getByRole('heading', { level: 2, name: 'this machine' })).toBeVisible();
  await expect(page.getByText('GPUs', { exact: true }).first()).toBeVisible();
  await page.getByRole('button', { name: 'Look again' }).click();
  await expect(page).toHaveURL('/hosts');
});

test('what is not there answers 404', async ({ request }) => {
  const nothing = '00000000-0000-7000-8000-000000000000';
  for (const path of [`/runs/${nothing}`, `/runs/${nothing}/report`, '/runs/nonsense', `/r/${'0'.repeat(64)}`, '/plans/new?from=x']) {
    expect((await request.get(path)).status(), path).toBe(404);
  }
});
