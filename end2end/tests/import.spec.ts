import { expect, test } from '../support/fixtures';
import { row } from '../support/imported';

test.use({ javaScriptEnabled: false });

const rows = Buffer.from(`${row('vllm', 'vllm-a', 2, '')}\n${row('sglang', 'sglang-b', 3, '')}\n`);

test('results are imported, found, noted, deleted and brought back without scripts', async ({ page, problems }) => {
  await page.goto('/import');
  await page.getByLabel('Files').setInputFiles({ name: 'broken.jsonl', mimeType: 'application/json', buffer: Buffer.from('{') });
  await page.getByLabel('Name of the run').fill('Imported journey');
  await page.getByRole('button', { name: 'Import' }).click();
  await expect(page.locator('#import-problems')).toContainText('broken.jsonl: this is not JSON');
  // What was written is kept; Chromium writes a line for any document that is not 200.
  await expect(page.getByLabel('Name of the run')).toHaveValue('Imported journey');
  expect(problems.filter((problem) => !problem.includes('400'))).toEqual([]);
  problems.length = 0;

  await page.getByLabel('Files').setInputFiles({ name: 'rows.jsonl', mimeType: 'application/json', buffer: rows });
  await page.getByRole('button', { name: 'Import' }).click();
  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Imported journey');
  await expect(page.getByRole('row').filter({ hasText: 'sglang-b' })).toBeVisible();

  await page.getByText('Add tags and notes').click();
  await page.getByLabel('Tags').fill('journey, imported rows');
  await page.getByLabel('Notes').fill('**Twice** as fast');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.locator('.notes strong')).toHaveText('Twice');

  await page.getByRole('link', { name: 'imported rows', exact: true }).click();
  const line = page.locator('.run-line').filter({ hasText: 'Imported journey' });
  await expect(line).toHaveCount(1);
  await page.goto('/?q=nothing-like-it');
  await expect(page.getByRole('heading', { name: 'No run fits' })).toBeVisible();
  await page.getByLabel('Search').fill('journ twice');
  await page.getByRole('button', { name: 'Show' }).click();
  await line.getByRole('link', { name: 'Imported journey', exact: true }).click();

  await page.getByRole('link', { name: 'See the report' }).click();
  await page.getByRole('button', { name: 'Create a link' }).click();
  await expect(page.getByRole('link', { name: 'Open it' })).toHaveAttribute('href', /^\/r\/[0-9a-f]{64}$/);

  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByRole('status')).toContainText('The run was deleted');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Imported journey');
});
