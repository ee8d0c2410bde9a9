import { expect, test } from '../support/fixtures';
import { importRun } from '../support/imported';

test.use({ javaScriptEnabled: false });

test('candidates are picked, held against a baseline and taken away without scripts', async ({ page }) => {
  const run = await importRun(page, 'To be compared');
  await page.goto(`/compare?add=${run}`);
  await expect(page.getByText('Nothing to compare yet')).toBeVisible();
  await page.getByRole('link', { name: 'Add vllm-a, chat' }).click();
  await page.getByRole('link', { name: 'Add vllm-b, chat' }).click();

  const figures = page.locator('#figures');
  await expect(figures.getByRole('row', { name: /Requests/ })).toContainText('+25.0 %');
  await expect(page.locator('#differs').getByRole('row', { name: /--max-num-seqs/ })).toContainText('128');
  await page.getByRole('link', { name: 'Make vllm-b, chat the baseline' }).click();
  await expect(figures.getByRole('row', { name: /Requests/ })).toContainText('-20.0 %, worse');

  // The address is the state, and every chart has its files.
  await page.goto(page.url());
  await expect(figures.getByRole('row', { name: /Requests/ })).toContainText('-20.0 %, worse');
  for (const [form, type] of [['SVG', 'image/svg+xml'], ['PNG', 'image/png'], ['CSV', 'text/csv']] as const) {
    const link = page.locator('.chart-files').first().getByRole('link', { name: `as ${form}` });
    const file = await page.request.get((await link.getAttribute('href'))!);
    expect(file.status(), form).toBe(200);
    expect(file.headers()['content-type']).toContain(type);
  }

  await page.getByRole('link', { name: 'Remove vllm-a, chat' }).click();
  await expect(page.locator('th[data-pick]')).toHaveCount(1);
});
